// SPDX-License-Identifier: Apache-2.0
// Pending defers of all goroutines: which function, from where, what its closure captured, what it
// keeps. See goruntime/defer.h for what a defer is.
#pragma once

#include "analysis/session.h"
#include "goruntime/defer.h"

/** How sure a number is; words are the contract's. */
enum gh_bound { GH_BOUND_UNKNOWN, GH_EXACT, GH_AT_LEAST, GH_AT_MOST };
const char *gh_bound_name(enum gh_bound bound); // NULL: unknown

/** Code that was deferred: the same for all defers of it. */
struct gh_deferred_code {
	gh_addr pc;
	const char *function; // full name; borrowed; NULL: not known
	const char *captured;	 // "p *main.item, buf []uint8"; NULL: not known, "": nothing
	uint64_t captured_bytes; // of the variables named there
	uint64_t end;		 // of the last of them in the closure; 8: there are none
	bool has_gaps;		 // between them: the compiler told not all
};
GH_VEC(gh_deferred_code_vec, struct gh_deferred_code);

struct gh_defer_row {
	gh_addr record, closure;
	const char *frame;  // function that deferred it; NULL: no frame fits
	const char *file;   // of the site; NULL: not known
	uint64_t goid;
	uint64_t captured_bytes, retained;
	int32_t line;
	uint32_t code;	    // index into codes
	uint32_t chain;	    // pending ones of the same statement in the same frame
	uint8_t kind;	    // enum gh_defer_kind
	uint8_t captured;   // enum gh_bound
	bool is_statement;  // the site is the defer statement, else the function's first line
	bool has_retained;  // exact
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
 * Needs stage GOROUTINES, and DOMINATORS unless `quick`: then nothing is said of bytes. Errors:
 * theirs.
 */
struct gh_error *gh_defer_list_create(struct gh_session *session, bool quick,
				      struct gh_arena *arena,
				      struct gh_defer_list *ret) GH_MUST_CHECK;
void gh_defer_list_deinit(struct gh_defer_list *list);
