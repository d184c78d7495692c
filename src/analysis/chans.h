// SPDX-License-Identifier: Apache-2.0
// Channels: what is unread, who stands in their queues. Mirrors runtime/chan.go (hchan, waitq),
// go1.22 to go1.27.
#pragma once

#include "analysis/session.h"

struct gh_chan_row {
	gh_addr addr;
	const char *type; // "chan main.T"; borrowed: equal pointers are equal types
	uint64_t unread, capacity; // elements
	uint64_t elem_bytes;
	uint64_t senders, receivers; // in the queues, cases of selects included
	bool is_closed;
	bool is_timer; // go1.23+: of a timer
	bool is_damaged;  // its queues end early
	bool is_stranded; // who waits will wait for ever: see gh_chan_list_prove
};
GH_VEC(gh_chan_row_vec, struct gh_chan_row);

struct gh_chan_list {
	struct gh_chan_row_vec rows; // by address
	uint64_t damaged;	     // channels that cannot be, and queues that were cut short
	bool is_incomplete;	     // memory is missing: of none is proven that it is stranded
	struct gh_budget *budget;    // borrowed
	uint64_t charged_bytes;
};

/**
 * All live channels, and those that a goroutine waits for whatever their type. Rows are taken from
 * the budget. Errors: those of stage MARK; NOMEM, LIMIT, CANCELLED.
 */
struct gh_error *gh_chan_list_create(struct gh_session *session,
				     struct gh_chan_list *ret) GH_MUST_CHECK;
void gh_chan_list_deinit(struct gh_chan_list *list);

/**
 * Find the channels that nobody can serve any more: nothing that may still run leads there but those
 * who wait. It is the fixed point of leak_proof.h: a channel that leads to a goroutine that is proven
 * leaked, where all that stand in its queues are. Does nothing where nobody waits; else computes
 * stage DOMINATORS. Errors: those of it; NOMEM, CANCELLED.
 */
struct gh_error *gh_chan_list_prove(struct gh_session *session,
				    struct gh_chan_list *list) GH_MUST_CHECK;

/**
 * The goroutines (addresses of g) in the queue of senders or receivers, at most max of them, in
 * order; returns how many there are. *damaged_ret (may be NULL) is set where the queue ends early.
 */
uint64_t gh_chan_queue(const struct gh_runtime *rt, gh_addr chan, bool senders, gh_addr *ret,
		       uint64_t max, bool *damaged_ret);
