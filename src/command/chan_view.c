// SPDX-License-Identifier: Apache-2.0
// What the tables of `chans` have in common. See chan_tables.h.
#include "command/chan_tables.h"

void gh_chan_view_deinit(struct gh_chan_view *view)
{
	gh_chan_list_deinit(&view->list);
	gh_chan_waiters_deinit(&view->waiters);
}

const char *gh_chan_verdict(bool stranded, uint64_t senders, uint64_t receivers)
{
	if (!stranded || (!senders && !receivers))
		return NULL;
	if (!receivers)
		return "no goroutine that could receive";
	return senders ? "no goroutine that could send or receive"
		       : "no goroutine that could send or close";
}
