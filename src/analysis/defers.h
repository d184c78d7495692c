// SPDX-License-Identifier: Apache-2.0
// Pending defers of all goroutines: which function, from where, what its closure captured, what it
// keeps. See goruntime/defer.h for what a defer is.
#pragma once

#include "analysis/captured.h"
#include "analysis/session.h"
#include "goruntime/defer.h"

/** How sure a number is; words are the contract's. */
enum gh_bound { GH_BOUND_UNKNOWN, GH_EXACT, GH_AT_LEAST, GH_AT_MOST };
const char *gh_bound_name(enum gh_bound bound); // NULL: unknown

/** Code that was deferred: the same for all defers of it. */
struct gh_deferred_code {
	gh_addr pc;
	const char *function; // full name; borrowed; NULL: not known
	struct gh_captured captured;
};
GH_VEC(gh_deferred_code_vec, struct gh_deferred_code);

struct gh_defer_row {
	gh_addr record, closure;
	const char *frame;  // function that deferred it; NULL: no frame fits
	const char *file;   // of the site; NULL: not known
	uint64_t goid;
	uint64_t captured_bytes, retained;
	uint64_t in_frame_bytes; // of variables that it refers to in a frame, and directly behind
	int32_t line;
	uint32_t code;	    // index into codes
	uint32_t chain;	    // pending ones of the same statement in the same frame
	uint8_t kind;	    // enum gh_defer_kind
	uint8_t captured;   // enum gh_bound
	bool is_statement;  // the site is the defer statement, else the function's first line
	bool has_retained;
	bool retained_exactly; // else at least: nobody knows where the closure on the stack ends
	bool refers_to_frame;  // to variables of the goroutine's stack: they are the goroutine's
	bool has_in_frame;     // in_frame_bytes is known
};
GH_VEC(gh_defer_row_vec, struct gh_defer_row);

struct gh_defer_list {
	struct gh_defer_row_vec rows;	    // by goroutine, then in the order they would run
	struct gh_deferred_code_vec codes;
	struct gh_arena *arena;		    // borrowed: texts
	struct gh_defer_skips skips;
	uint64_t incomplete; // stacks that were not walked to their end
	uint64_t charged_bytes;
	struct gh_budget *budget; // borrowed
};

/**
 * Needs stage STACKS, and DOMINATORS unless `quick`: then nothing is said of bytes. Errors:
 * theirs.
 */
struct gh_error *gh_defer_list_create(struct gh_session *session, bool quick,
				      struct gh_arena *arena,
				      struct gh_defer_list *ret) GH_MUST_CHECK;
void gh_defer_list_deinit(struct gh_defer_list *list);
