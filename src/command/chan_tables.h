// SPDX-License-Identifier: Apache-2.0
// The tables of `chans`: channels by type with those who wait for them, and channels one by one.
#pragma once

#include "analysis/chan_waiters.h"
#include "command/command.h"
#include "command/filter.h"

/** What both have: a list of channels, filtered, and who waits for them. */
struct gh_chan_view {
	struct gh_session *session; // borrowed
	struct gh_report *report;   // borrowed: texts go to its arena
	struct gh_chan_list list;   // owned
	struct gh_chan_waiters waiters; // owned
};

enum { GH_CHAN_NGROUP = 10, GH_CHAN_NPARTY = 9, GH_CHAN_NCOLUMNS = 18 };
extern const struct gh_column gh_chan_group_columns[GH_CHAN_NGROUP];
extern const struct gh_column gh_chan_party_columns[GH_CHAN_NPARTY];
extern const struct gh_column gh_chan_columns[GH_CHAN_NCOLUMNS];

/** Tables `groups` and `waiters`. Sorts the list by type. Errors: NOMEM, LIMIT, CANCELLED. */
struct gh_error *gh_chan_groups(struct gh_chan_view *view, const struct gh_filter *filter,
				bool text) GH_MUST_CHECK;

/** Table `chans`: takes what is in the view over. Stage DOMINATORS is there. Errors: likewise. */
struct gh_error *gh_chan_rows(struct gh_chan_view *view) GH_MUST_CHECK;

/** What nobody can do: "no goroutine that could receive"; NULL: nothing of the kind is known. */
const char *gh_chan_verdict(bool stranded, uint64_t senders, uint64_t receivers);

void gh_chan_view_deinit(struct gh_chan_view *view);
