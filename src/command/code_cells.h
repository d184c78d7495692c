// SPDX-License-Identifier: Apache-2.0
// Cells that name places in code, and what filters of functions match: as tracebacks print them.
#pragma once

#include <regex.h>

#include "command/command.h"

/** A function's name as runtime.Stack prints it; null for NULL. */
struct gh_cell gh_function_cell(struct gh_report *report, const char *name);

/** "file:line"; null where the file is not known. */
struct gh_cell gh_site_cell(struct gh_report *report, const char *file, int32_t line);

/** Numbers of goroutines as texts: nth(ctx, i) for i < n. Errors: NOMEM. */
struct gh_error *gh_goids_cell(struct gh_report *report, size_t n,
			       uint64_t (*nth)(const void *ctx, size_t i), const void *ctx,
			       struct gh_cell *ret) GH_MUST_CHECK;

/** An expression that functions are compared with; given or not. */
struct gh_function_filter {
	bool given;
	regex_t re;
};

/** From an option of the command; not given: everything passes. Errors: USAGE, NOMEM. */
struct gh_error *gh_function_filter_init(const struct gh_args *args, const char *option,
					 struct gh_function_filter *ret) GH_MUST_CHECK;
void gh_function_filter_deinit(struct gh_function_filter *filter);

/** Does a function's name, as it is printed, match? NULL matches nothing. */
bool gh_function_filter(const struct gh_function_filter *filter, const char *name);
