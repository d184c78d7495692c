// SPDX-License-Identifier: Apache-2.0
// Who stands in the queues of channels: each place, with the goroutine and the group of its stack.
#pragma once

#include "analysis/chans.h"
#include "analysis/stackgroups.h"

/** A place in a queue. A select has one for each of its cases. */
struct gh_chan_waiter {
	uint32_t chan;	// index into the list's rows
	uint32_t place; // in its queue: 0, 1, …
	uint32_t g;	// index into session->goroutines
	uint32_t group; // index into groups
	bool sends;
};
GH_VEC(gh_chan_waiter_vec, struct gh_chan_waiter);

struct gh_chan_waiters {
	struct gh_chan_waiter_vec all; // by channel: receivers, then senders, in their order
	struct gh_stack_groups groups;
	uint64_t unknown; // places of what is no living goroutine
	struct gh_budget *budget; // borrowed
	uint64_t charged_bytes;
};

/**
 * All that wait for the channels of the list, in the order of its rows. *ret is zeroed before. Walks
 * every stack once. Errors: NOMEM, LIMIT, CANCELLED.
 */
struct gh_error *gh_chan_waiters_load(struct gh_session *session, const struct gh_chan_list *list,
				      struct gh_chan_waiters *ret) GH_MUST_CHECK;
void gh_chan_waiters_deinit(struct gh_chan_waiters *waiters);

/** Index of the first that waits for this channel, or for one behind it in the list. */
size_t gh_chan_waiters_of(const struct gh_chan_waiters *waiters, size_t chan);
