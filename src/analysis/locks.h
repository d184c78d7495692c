// SPDX-License-Identifier: Apache-2.0
// Locks that somebody waits for, and who may hold them. The runtime does not record owners: a
// pending defer that would unlock the lock makes a goroutine a likely holder; a frame past a call
// of Lock, with the lock's address among its live words, a possible one.
#pragma once

#include "analysis/blocked.h"
#include "analysis/finding.h"
#include "goruntime/defer.h"
#include "goruntime/lockcode.h"

enum gh_lock_kind {
	GH_LOCK_MUTEX,
	GH_LOCK_RWMUTEX,
	GH_LOCK_WAIT_GROUP,
	GH_LOCK_COND,
	GH_LOCK_FD, // internal/poll: users of a file wait for each other
	GH_LOCK_SEMAPHORE,
};

/** "Mutex", "RWMutex", … */
const char *gh_lock_kind_name(enum gh_lock_kind kind);

struct gh_lock_waiter {
	gh_addr lock;
	uint32_t g; // index into session->goroutines
	uint8_t on; // enum gh_blocked_on
};
GH_VEC(gh_lock_waiter_vec, struct gh_lock_waiter);

struct gh_lock_holder {
	uint32_t lock; // index into locks
	uint32_t g;
	enum gh_level level;
	bool reads; // an RWMutex, with others
};
GH_VEC(gh_lock_holder_vec, struct gh_lock_holder);

struct gh_lock {
	gh_addr addr;
	enum gh_lock_kind kind;
	gh_addr lo, hi; // of the heap slot or package variable that it lies in
	bool is_global; // static data: code names its address
	bool is_held;	// its own words say so; true of a WaitGroup whose counter is above 0
	bool by_readers;
	uint64_t holders_max; // that there can be: readers, the counter of a WaitGroup
	size_t first_waiter, nwaiters; // of waiters
	size_t first_holder, nholders; // of holders: all of one level, the surest there is
};
GH_VEC(gh_lock_vec, struct gh_lock);

struct gh_locks {
	struct gh_lock_vec all;		   // by address
	struct gh_lock_waiter_vec waiters; // by lock, then in the order of goroutines
	struct gh_lock_holder_vec holders; // by lock, likewise
	struct gh_blocked_counts counts;
	struct gh_defer_skips skips; // of defers
};

/**
 * Computes stage MARK too: for what locks lie in, and closures on stacks. *ret is zeroed before.
 * Errors: those of the stages; NOMEM, CANCELLED.
 */
struct gh_error *gh_locks_find(struct gh_session *session, struct gh_locks *ret) GH_MUST_CHECK;
void gh_locks_deinit(struct gh_locks *locks);

/** Index of the first lock at this address or behind it; all.len: none. */
size_t gh_locks_first(const struct gh_locks *locks, gh_addr addr);

/** Index of the lock at this address; SIZE_MAX: nobody waits there. */
size_t gh_locks_at(const struct gh_locks *locks, gh_addr addr);

enum { GH_HOLDERS_NAMED = 8 };

/** Append who may hold it: "goroutine 12", "goroutines 12, 14 and 9 others"; nothing: nobody knows. */
void gh_lock_describe_holders(const struct gh_session *session, const struct gh_locks *locks,
			      const struct gh_lock *lock, struct gh_strbuf *sb);

/** Append who may hold locks that have waiters: see lock_holders.c. Called by gh_locks_find. */
struct gh_error *gh_locks_find_holders(struct gh_session *session,
				       struct gh_locks *locks) GH_MUST_CHECK;

/**
 * Append what a lock is called: "main.cache.mu", "main.server.mu" (in an object of that type).
 * Appends nothing where nobody knows. Stage MARK is there. Errors: NOMEM.
 */
struct gh_places;
struct gh_error *gh_lock_name(struct gh_places *places, const struct gh_lock *lock,
			      struct gh_strbuf *sb) GH_MUST_CHECK;
