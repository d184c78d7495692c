// SPDX-License-Identifier: Apache-2.0
// Paths as people write them: main.cache.sessions["u42"].conn.buf.
#pragma once

#include "analysis/path.h"
#include "analysis/place.h"

struct gh_path_namer {
	struct gh_session *session; // borrowed
	struct gh_arena *arena;	    // borrowed: texts live there
	struct gh_places places;
	bool merged;	// indices, keys and numbers of goroutines are "[…]"
	bool all_hops;	// rows for what people have no name for, too
	bool nomem;	// sticky
};
void gh_path_namer_init(struct gh_path_namer *namer, struct gh_session *session,
			struct gh_arena *arena);
void gh_path_namer_deinit(struct gh_path_namer *namer);

/** One hop as people see it; several of memory where parts of maps and the like lie between. */
struct gh_path_row {
	const char *name; // "main.cache.sessions", "[\"u42\"]", ".next ×9,998,123"; never NULL
	gh_addr object;	  // the slot; 0: hops were left out here
	gh_addr word;	  // that leads to it; 0: a register
	uint64_t hops;	  // of memory
	bool is_folded;	  // of several steps that are alike
};
GH_VEC(gh_path_row_vec, struct gh_path_row);

/** Appends rows; the whole as one expression in *expression_ret, the arena's. Errors: NOMEM. */
struct gh_error *gh_path_name(struct gh_path_namer *namer, const struct gh_path *path,
			      struct gh_path_row_vec *ret,
			      const char **expression_ret) GH_MUST_CHECK;

/** How one comes to an object. */
struct gh_path_via {
	struct gh_word word; // what it says, as far as that is known
	bool is_variable;    // the object is the variable that was named
};

/**
 * Append what the word of an owner is called: "main.cache.sessions",
 * "goroutine 12 main.worker.req", "timer main.poll.func1".
 */
void gh_path_root_name(struct gh_path_namer *namer, gh_node owner, struct gh_owner_word word,
		       struct gh_strbuf *sb, struct gh_path_via *via_ret);

/** What the word of an owner says of its target. */
struct gh_word gh_path_root_word(struct gh_path_namer *namer, struct gh_owner_word word);

/** May steps follow the owner's name, as in an expression of Go? */
bool gh_path_is_expression(const struct gh_owner *owner);

/** Append the name of the step by the word at `at` of the object that `via` leads to. */
void gh_path_step_name(struct gh_path_namer *namer, gh_addr at, struct gh_strbuf *sb,
		       struct gh_path_via *via);
