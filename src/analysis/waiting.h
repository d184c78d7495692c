// SPDX-License-Identifier: Apache-2.0
// What one goroutine waits for, one row an object: the channels of a select each, with their buffers
// and the others in their queues; the lock; the descriptor and its peer; the timer.
#pragma once

#include "analysis/locks.h"
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
	bool has_due; // of a sleep, or of the timer that sends on the channel
	int64_t due_ns; // from the session's now on
	bool is_lock;
	size_t lock; // index into the locks; SIZE_MAX: not found there
};
GH_VEC(gh_waiting_vec, struct gh_waiting);

struct gh_waiting_list {
	struct gh_waiting_vec rows;
	struct gh_locks locks; // all there are: see gh_waiting_find_locks
	uint64_t damaged;      // sudogs and queues that cannot be
};

/**
 * What goroutine g (index) waits for. Texts live in arena. Stages GOROUTINES and TYPES are there.
 * *ret is zeroed before. Errors: NOMEM, CANCELLED.
 */
struct gh_error *gh_waiting_load(struct gh_session *session, size_t g, struct gh_arena *arena,
				 struct gh_waiting_list *ret) GH_MUST_CHECK;
void gh_waiting_deinit(struct gh_waiting_list *list);

/**
 * Where it waits for a lock: who may hold that, and who waits for it, as `goheap locks` says. Looks
 * at all goroutines, and computes stage MARK. Errors: those of gh_locks_find.
 */
struct gh_error *gh_waiting_find_locks(struct gh_session *session,
				       struct gh_waiting_list *list) GH_MUST_CHECK;
