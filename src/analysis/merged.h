// SPDX-License-Identifier: Apache-2.0
// The paths of many objects as one tree: indices, keys and numbers of goroutines are "[…]", and what
// leads back to a type that was met before is met once (".next…").
#pragma once

#include "analysis/path_name.h"

/** A step, or the root. */
struct gh_merged_node {
	const char *name; // "main.cache", ".sessions", "[…]"; "" at the root. The arena's
	uint32_t parent;  // index; smaller than its own
	uint32_t child, sibling; // by bytes, largest first; 0: none
	uint16_t code;		 // state of the first object that it led to
	bool is_recursive;	 // and to more of the same kind below these
	bool is_expression;	 // what follows may be joined to it: not behind "timer main.f"
	uint64_t ends, end_bytes; // objects asked for that it leads to
	uint64_t count, bytes;	  // and those below
};
GH_VEC(gh_merged_node_vec, struct gh_merged_node);

struct gh_merged {
	struct gh_merged_node_vec nodes; // [0]: the root, which stands for all
	struct gh_arena arena;
	uint64_t own_objects;	  // asked for, and the runtime's records of owners
	uint64_t unowned_objects; // asked for, and no owner that is known leads there
	uint64_t folded;	  // steps left out, as there were too many kinds of them
	uint64_t charged_bytes;
	struct gh_budget *budget; // borrowed
};

/**
 * wanted: by the type's full name. Stage SHORTEST is computed. Errors: NOMEM, LIMIT, CANCELLED.
 * ret may be deinited in any case.
 */
struct gh_error *gh_merged_build(struct gh_session *session,
				 bool (*wanted)(void *ctx, const char *type), void *ctx,
				 struct gh_merged *ret) GH_MUST_CHECK;
void gh_merged_deinit(struct gh_merged *merged);

/** Append the whole path to a node. */
void gh_merged_path(const struct gh_merged *merged, uint32_t at, struct gh_strbuf *sb);

/** The last node that leads to more than half of all objects; 0: none does. */
uint32_t gh_merged_meeting(const struct gh_merged *merged);
