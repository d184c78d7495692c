// SPDX-License-Identifier: Apache-2.0
// Deadlocks: goroutines each of which waits for a lock that the next one holds, in a circle. As
// sure as the weakest of the holders in it.
#pragma once

#include "analysis/locks.h"

/** A goroutine that waits for a lock, which the goroutine of the next link holds. */
struct gh_deadlock_link {
	uint32_t g;    // index into session->goroutines
	uint32_t lock; // index into locks
};
GH_VEC(gh_deadlock_link_vec, struct gh_deadlock_link);

struct gh_deadlock {
	enum gh_level level;
	size_t first_link, nlinks; // of links
	uint64_t behind;	   // others that wait for locks of the circle
};
GH_VEC(gh_deadlock_vec, struct gh_deadlock);

struct gh_deadlocks {
	struct gh_deadlock_vec all;	   // surest first
	struct gh_deadlock_link_vec links; // a goroutine is in one circle at most
};

/** *ret is zeroed before. O(goroutines + waiters + holders). Errors: NOMEM. */
struct gh_error *gh_deadlocks_find(const struct gh_session *session, const struct gh_locks *locks,
				   struct gh_deadlocks *ret) GH_MUST_CHECK;
void gh_deadlocks_deinit(struct gh_deadlocks *deadlocks);
