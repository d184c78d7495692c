// SPDX-License-Identifier: Apache-2.0
// What one goroutine waits for, one row an object: the channels of a select each, with their buffers
// and the others in their queues; the lock; the descriptor and its peer; the timer.
#pragma once

#include "analysis/blocked.h"
#include "base/arena.h"

enum { GH_PARTIES_KEPT = 16 }; // of the others in a queue, their numbers

struct gh_waiting {
	const char *what; // "receive", "send", "select receive", "Mutex", "sleep", "IO read", …
	gh_addr addr;	  // of the channel, lock, timer, pollDesc; 0: not known
	const char *type; // "chan main.T"; NULL: none
	bool is_chan;
	uint64_t buffered, capacity, senders, receivers; // of a channel; the goroutine counts too
	bool closed;
	uint64_t nparties;		   // others in its queues, or waiters for the same lock
	uint64_t parties[GH_PARTIES_KEPT]; // the first of them, by goid
	bool has_fd;
	uint64_t fd;
	const char *path; // or peer; NULL: not known
	bool has_due;
	int64_t due_ns; // from the session's now on
};
GH_VEC(gh_waiting_vec, struct gh_waiting);

/**
 * Append the rows of goroutine g (index). Texts live in arena. Stage GOROUTINES is there. Errors:
 * NOMEM, CANCELLED. *damaged_ret: sudogs and queues that cannot be.
 */
struct gh_error *gh_waiting_load(struct gh_session *session, size_t g, struct gh_arena *arena,
				 struct gh_waiting_vec *ret, uint64_t *damaged_ret) GH_MUST_CHECK;
