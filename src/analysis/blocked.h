// SPDX-License-Identifier: Apache-2.0
// What each goroutine waits for, with its stack at hand: one walk over all of them, for those who
// ask what waits (locks, leaks). Reasons that say less than the stack does are made clear: up to
// go1.23 a wait group is a semaphore to the runtime, and a writer that waits for another writer
// waits for a mutex.
#pragma once

#include "analysis/session.h"
#include "goruntime/wait.h"

enum gh_blocked_on {
	GH_BLOCKED_ELSE, // on no lock: see wait->kind
	GH_BLOCKED_MUTEX,
	GH_BLOCKED_READ,       // RWMutex.RLock
	GH_BLOCKED_WRITE,      // RWMutex.Lock: for readers to leave
	GH_BLOCKED_WRITE_TURN, // RWMutex.Lock: for another writer
	GH_BLOCKED_WAIT_GROUP,
	GH_BLOCKED_COND,
	GH_BLOCKED_FD, // internal/poll: another reads, writes or closes the file
	GH_BLOCKED_SEMAPHORE,
};

/** One goroutine. Valid during the call. */
struct gh_blocked {
	uint32_t g; // index into session->goroutines
	enum gh_blocked_on on;
	gh_addr lock;  // of the Mutex, RWMutex, WaitGroup, Cond or the semaphore; 0: not known
	uint32_t from; // of frames: the one that called into package sync, maybe by inlining
	const struct gh_wait *wait;
	const struct gh_semaphores *semaphores; // of all goroutines
	const struct gh_frame_vec *frames;
};
typedef struct gh_error *(*gh_blocked_fn)(void *ctx, const struct gh_blocked *blocked);

struct gh_blocked_counts {
	uint64_t damaged;   // sudogs, or entries of the table of semaphores, that cannot be
	uint64_t no_object; // goroutines that wait for a lock that was not found
};

/**
 * Call fn for every goroutine that is not dead, in their order. Errors: those of stage STACKS
 * and of fn; NOMEM, CANCELLED.
 */
struct gh_error *gh_blocked_visit(struct gh_session *session, gh_blocked_fn fn, void *ctx,
				  struct gh_blocked_counts *counts_ret) GH_MUST_CHECK;

/** The same for one goroutine, by its index. */
struct gh_error *gh_blocked_one(struct gh_session *session, size_t g, gh_blocked_fn fn, void *ctx,
				struct gh_blocked_counts *counts_ret) GH_MUST_CHECK;
