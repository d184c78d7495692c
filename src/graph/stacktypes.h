// SPDX-License-Identifier: Apache-2.0
// Types of stack words that no variable tells: what did not escape (the array of a slice literal, a
// small map, a closure, the value that a blocked sender offers) lies on the stack without a name,
// but typed pointers lead there. Knows nothing of liveness: goruntime/stack.h does.
#pragma once

#include "goruntime/defer.h"
#include "goruntime/stackplaces.h"
#include "graph/mark.h"

/** A word of the stack, as the value around it says. */
struct gh_stack_typed {
	gh_addr at;
	struct gh_edge edge;
	uint32_t before, after; // words of the value around it
};
GH_VEC(gh_stack_typed_vec, struct gh_stack_typed);

/** A value, or an array of them, that lies on the stack. */
struct gh_stack_range {
	gh_addr addr;
	gh_type_id type;
	uint64_t count;
};
GH_VEC(gh_stack_range_vec, struct gh_stack_range);

/** Zeroed before the first use; serves one goroutine after the other. */
struct gh_stack_types {
	const struct gh_runtime *rt; // borrowed, like all that follows
	struct gh_types *types;
	const struct gh_goroutine *g;
	const struct gh_stack_scan *scan;
	struct gh_stack_typed_vec words; // owned; by address once gh_stack_types_spread has run
	struct gh_stack_range_vec todo, done; // owned
	struct gh_defer_vec defers;	      // owned: scratch
	struct gh_stack_places places;	      // owned
	uint64_t steps;			      // so far, of a bounded number
	bool nomem;
};

void gh_stack_types_deinit(struct gh_stack_types *st);

/** Forget the last goroutine; note what its wait and its pending defers tell. Errors: NOMEM. */
struct gh_error *gh_stack_types_begin(struct gh_stack_types *st, const struct gh_runtime *rt,
				      struct gh_types *types, const struct gh_goroutine *g,
				      const struct gh_stack_scan *scan) GH_MUST_CHECK;

/** A word that the collector sees leads into this stack; root->edge: what it is known to be. */
void gh_stack_types_follow(struct gh_stack_types *st, const struct gh_root *root);

/** Follow what is known to the end. Errors: NOMEM. */
struct gh_error *gh_stack_types_spread(struct gh_stack_types *st) GH_MUST_CHECK;

/** The word at that address if all that reach it agree; else NULL. After the spreading. */
const struct gh_stack_typed *gh_stack_types_at(const struct gh_stack_types *st, gh_addr at);
