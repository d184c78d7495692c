// SPDX-License-Identifier: Apache-2.0
// What the tables of `goroutines` have in common. Internal to the command.
#pragma once

#include "analysis/goroutine_nodes.h"
#include "analysis/stackgroups.h"
#include "command/code_cells.h"
#include "command/filter.h"

/** What the words ask for. */
struct goroutines_request {
	struct gh_session *session;
	struct gh_report *report;
	uint64_t goids[GH_ARRAY_SIZE(((struct gh_args *)0)->positional)];
	size_t ngoids; // 0: all goroutines
	bool each;     // one a row
	bool with_system;
	const char *state;   // its name or a wait reason; NULL: any
	int64_t min_wait_ns; // 0: any
	struct gh_filter common;
	struct gh_function_filter func, top, created_by;
	uint64_t hidden_system;
	struct gh_goroutine_node_vec nodes; // where it is known what each retains; else empty
	size_t exact_rows; // of groups: that are still to be exact
};

enum { GH_GOROUTINES_NGROUP = 18, GH_GOROUTINES_NCOLUMNS = 16 };
extern const struct gh_column gh_goroutines_group_columns[GH_GOROUTINES_NGROUP];
extern const struct gh_column gh_goroutines_columns[GH_GOROUTINES_NCOLUMNS];

struct gh_cell gh_goroutine_reason_cell(const char *reason);

/** Null where there are none, and with --no-values. */
struct gh_cell gh_goroutine_labels_cell(const struct gh_session *session, struct gh_report *report,
					const struct gh_goroutine *g);

/** What the runtime's own traceback says: since before the wait, see gctimes.h. */
bool gh_goroutine_runtime_wait_ns(const struct gh_session *session, const struct gh_goroutine *g,
				  int64_t *ret);

/** Table `groups`. Errors: NOMEM, LIMIT, CANCELLED. */
struct gh_error *gh_goroutines_groups(struct goroutines_request *r,
				      const struct gh_stack_groups *groups) GH_MUST_CHECK;

/** Table `goroutines`: takes the groups and the nodes over. Errors: NOMEM. */
struct gh_error *gh_goroutines_each(struct goroutines_request *r,
				    struct gh_stack_groups *groups) GH_MUST_CHECK;
