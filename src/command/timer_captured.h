// SPDX-License-Identifier: Apache-2.0
// What the closures of timers captured, read once for each function: all closures of one capture alike.
#pragma once

#include "analysis/captured.h"
#include "goruntime/timer.h"

struct gh_timer_capture {
	gh_addr pc; // of the function
	struct gh_captured captured;
};
GH_VEC(gh_timer_capture_vec, struct gh_timer_capture);

/**
 * Of the closure that the timer calls, as analysis/captured.h has it: texts are the arena's. *ret is
 * NULL where it calls none, or that has nothing with it. all: what was read before; the caller
 * frees it. Errors: NOMEM, CANCELLED.
 */
struct gh_error *gh_timer_captured(struct gh_session *session, const struct gh_timer *timer,
				   struct gh_arena *arena, struct gh_timer_capture_vec *all,
				   const struct gh_captured **ret) GH_MUST_CHECK;
