// SPDX-License-Identifier: Apache-2.0
// What the tables of `goroutine ID` have in common. Internal to the command.
#pragma once

#include "command/command.h"
#include "goruntime/traceback.h"

/** What the words ask for, and what its stack says. */
struct goroutine_request {
	struct gh_session *session;
	struct gh_report *report;
	const struct gh_goroutine *g;
	bool text;	  // for people
	bool all;	  // frames that runtime.Stack leaves out, too
	bool ends;	  // of deep stacks only
	struct gh_frame_vec frames;
	struct gh_trace_frame_vec logical;
	struct gh_traceback traceback;
	uint64_t cut_variables;
};

enum { GH_GOROUTINE_NDEFER = 8, GH_GOROUTINE_NANCESTOR = 5 };
extern const struct gh_column gh_goroutine_defer_columns[GH_GOROUTINE_NDEFER];
extern const struct gh_column gh_goroutine_ancestor_columns[GH_GOROUTINE_NANCESTOR];

/** Table `defers`: what will run when its frames return. Errors: NOMEM, CANCELLED. */
struct gh_error *gh_goroutine_defers(const struct goroutine_request *r) GH_MUST_CHECK;

/** Table `ancestors`: who started whom, the parent first. Errors: NOMEM. */
struct gh_error *gh_goroutine_ancestors(const struct goroutine_request *r) GH_MUST_CHECK;
