// SPDX-License-Identifier: Apache-2.0
// Goroutines grouped by what their stacks say: state, wait reason, functions and lines, the go
// statement. Two frames are the same where function, file and line are.
#pragma once

#include "analysis/session.h"
#include "goruntime/traceback.h"

struct gh_stack_group {
	enum gh_gstatus status;
	const char *wait_reason; // "" none
	struct gh_traceback traceback;
	size_t first, count; // members[first], …, in the order of their numbers
	uint64_t stack_bytes;
	bool system; // all are the runtime's own, or none is
};

struct gh_stack_groups {
	struct gh_stack_group *data; // owned; most members first, then by the first one's number
	size_t len;
	uint32_t *members; // owned: indices into the session's goroutines
	size_t nmembers;
	struct gh_budget *budget; // borrowed
	uint64_t taken_bytes;	  // from it
};

/** Does a goroutine belong to what is grouped? */
typedef bool (*gh_goroutine_wanted_fn)(void *ctx, const struct gh_goroutine *g);

/**
 * Group the goroutines that are wanted; dead ones never are. wanted may be NULL: all. Computes stage
 * STACKS, and looks the frames of one of each kind up. *ret is to be deinit in any case.
 * Errors: NOMEM, CANCELLED.
 */
struct gh_error *gh_stack_groups_load(struct gh_session *session, gh_goroutine_wanted_fn wanted,
				      void *ctx, struct gh_stack_groups *ret) GH_MUST_CHECK;
void gh_stack_groups_deinit(struct gh_stack_groups *groups);

/** Member i of a group. */
static inline const struct gh_goroutine *gh_stack_group_member(const struct gh_session *session,
							       const struct gh_stack_groups *groups,
							       const struct gh_stack_group *group,
							       size_t i)
{
	return &session->goroutines.data[groups->members[group->first + i]];
}

/** Appends the frames of a group's first member. Errors: NOMEM. */
struct gh_error *gh_stack_group_frames(const struct gh_session *session,
				       const struct gh_stack_groups *groups,
				       const struct gh_stack_group *group,
				       struct gh_trace_frame_vec *ret) GH_MUST_CHECK;
