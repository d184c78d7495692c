// SPDX-License-Identifier: Apache-2.0
// --type, --package and --min, as a command applies them to what it counts.
#pragma once

#include <regex.h>

#include "command/command.h"

struct gh_filter {
	bool has_type, has_package;
	regex_t type, package; // POSIX extended
	uint64_t min_bytes;
};

/** Errors: USAGE (the expression does not compile). ret is usable with deinit in any case. */
struct gh_error *gh_filter_init(const struct gh_args *args, struct gh_filter *ret) GH_MUST_CHECK;
void gh_filter_deinit(struct gh_filter *filter);
#define _cleanup_filter_ __attribute__((cleanup(gh_filter_deinit)))

/** An extended regular expression, as an option has it. Errors: USAGE, NOMEM. */
struct gh_error *gh_filter_compile(const char *option, const char *re, regex_t *ret) GH_MUST_CHECK;

/** Does a type of that full name pass --type and --package? */
bool gh_filter_type(const struct gh_filter *filter, const char *type_name);

/** Does a package (len bytes) pass --package? */
bool gh_filter_package(const struct gh_filter *filter, const char *package, size_t len);

/**
 * The package that a type's or function's full name belongs to: "net/http" of "[]*net/http.conn",
 * of "func net/http.(*conn).serve.func1" and of "map[string]net/http.Header" (a map's value before
 * its key); len 0 where there is none (built-in types).
 */
const char *gh_name_package(const char *name, size_t *len_ret);

/** As gh_name_package, with words for what has no package; never NULL, len never 0. */
const char *gh_name_package_or_not(const char *name, size_t *len_ret);

/** Types as a command takes them: by full name or, where no type has that name, by expression. */
struct gh_type_arg {
	const char *name; // borrowed; NULL: by the filter
	struct gh_filter filter;
};

/** word: as given; NULL: --type and --package alone. Errors: USAGE. Deinit in any case. */
struct gh_error *gh_type_arg_init(const struct gh_args *args, const char *word,
				  struct gh_type_arg *ret) GH_MUST_CHECK;
void gh_type_arg_deinit(struct gh_type_arg *arg);

/** Is a type of that full name meant? ctx: a struct gh_type_arg. */
bool gh_type_arg_means(void *ctx, const char *type);

/** The error that says of no live object that it is meant. */
struct gh_error *gh_type_arg_none(const struct gh_args *args, const char *word) GH_MUST_CHECK;

/**
 * No type has the name: take it for an expression from now on. *ret: false: it is one already.
 * Errors: USAGE.
 */
struct gh_error *gh_type_arg_widen(struct gh_type_arg *arg, bool *ret) GH_MUST_CHECK;
