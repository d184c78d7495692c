// SPDX-License-Identifier: Apache-2.0
// What a node of the owner graph holds and nobody else: its children in the dominator tree, largest
// first, leaves among them, the small ones folded by type.
#pragma once

#include "analysis/slot.h"
#include "base/vec.h"

/** A child, or several that print alike and are too small to show one by one. */
struct gh_dom_child {
	gh_node node;	   // GH_NODE_NONE: a leaf, or folded
	gh_addr addr;	   // of the object's slot; 0: an owner, or folded
	const char *type;  // of objects; the view's. Of owners their kind
	uint64_t bytes;	   // of slots
	uint64_t retained; // of all folded ones together
	uint64_t objects;  // retained
	uint64_t folded;   // how many; 0: this is one
	gh_addr at;	   // the first word of the parent that leads to it; 0: none does
};
GH_VEC(gh_dom_child_vec, struct gh_dom_child);

struct gh_domview {
	struct gh_dom_child_vec children; // most retained first, then by address
	uint64_t nchildren;		  // before folding
	struct gh_arena arena;		  // names of types
};

/**
 * Children of a node. One by one are shown those that retain at least min_bytes, and of these the
 * largest max_single. O(nodes). Errors: those of stage DOMINATORS, NOMEM, LIMIT.
 */
struct gh_error *gh_domview_create(struct gh_session *session, gh_node node, uint64_t min_bytes,
				   size_t max_single, struct gh_domview *ret) GH_MUST_CHECK;
void gh_domview_deinit(struct gh_domview *view);
