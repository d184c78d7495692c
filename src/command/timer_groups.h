// SPDX-License-Identifier: Apache-2.0
// Timers by what they do, as `timers` shows them: those that agree in all that people ask for. Many
// periods at one place, as jitter makes them, are one group.
#pragma once

#include "command/timer_rows.h"
#include "goruntime/traceback.h"

/** What timers of one group have in common. */
struct gh_timer_group {
	struct gh_timer_key key; // period_ns 0: none, or several
	uint32_t first;		 // of the view
	uint64_t count, retained;
	int64_t due_min, due_max;
	bool has_due;
	int64_t period_min, period_max;
	struct gh_source_frame created; // of one that was sampled; function NULL: none was
	bool created_elsewhere;		// another one was
};
GH_VEC(gh_timer_group_vec, struct gh_timer_group);

/** Most bytes first. Errors: NOMEM, CANCELLED; what is in *ret then is to be freed as well. */
struct gh_error *gh_timer_groups(struct gh_timer_rows *rows,
				 struct gh_timer_group_vec *ret) GH_MUST_CHECK;
