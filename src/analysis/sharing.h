// SPDX-License-Identifier: Apache-2.0
// Objects right below the root of the dominator tree that are no owners: several owners hold each,
// and none of them alone would take it along.
#pragma once

#include "analysis/session.h"

enum { GH_SHARERS_KEPT = 4 };

struct gh_shared {
	gh_addr addr; // of its slot
	gh_node owners[GH_SHARERS_KEPT]; // some of them: variables first, then goroutines, …
	uint32_t nowners;		 // of these
	bool more;			 // there are further ones
	uint64_t bytes, objects;	 // that it retains
	uint32_t place;			 // in the dominator tree
};
GH_VEC(gh_shared_vec, struct gh_shared);

/** Something below the root of the dominator tree holds an object below the root. Places. */
struct gh_hold {
	uint32_t to, from;
};
GH_VEC(gh_hold_vec, struct gh_hold);

struct gh_sharing {
	const struct gh_owner_graph *graph; // borrowed
	const struct gh_domtree *tree;	    // borrowed
	struct gh_shared_vec all;	    // by place
	struct gh_hold_vec holds;	    // by `to`
	uint64_t *seen;	  // owned: bit a place, for walks; empty in between
	uint64_t *left;	  // owned: holds that all walks of a command may look at from now on
	// owned: by place. Of a shared one: index into `all`; else the place below the root that
	// dominates it
	uint32_t *number;
	uint64_t charged_bytes;
};

/**
 * A command begins: its walks may look at so many holds together. Few objects with many owners need
 * few; where many objects each have many owners, those met last are said to have others, too.
 */
void gh_sharing_begin(const struct gh_sharing *sharing);

/** Is the object of that place in the tree one of them? */
static inline bool gh_is_shared(const struct gh_domtree *tree, uint32_t place)
{
	return place && !tree->idom[place] && !gh_node_is_owner(tree->graph, tree->node[place]);
}

/** The shared object of a place; gh_is_shared said yes. */
static inline const struct gh_shared *gh_shared_at(const struct gh_sharing *sharing, uint32_t place)
{
	return &sharing->all.data[sharing->number[place]];
}

/** The shared object without which nothing would lead to the node, or the node itself; NULL: none. */
static inline const struct gh_shared *gh_sharing_of(const struct gh_sharing *sharing, gh_node node)
{
	uint32_t place = gh_domtree_top(sharing->tree, node);

	return gh_is_shared(sharing->tree, place) ? gh_shared_at(sharing, place) : NULL;
}

/** O(words of the owner graph). Errors: NOMEM, LIMIT, CANCELLED. */
struct gh_error *gh_sharing_create(struct gh_owner_graph *graph, const struct gh_domtree *tree,
				   const struct gh_poll *poll,
				   struct gh_sharing **ret) GH_MUST_CHECK;
void gh_sharing_destroy(struct gh_sharing *sharing);

/** Variables before goroutines, timers and so on, each in the order of owners. */
uint64_t gh_owner_rank(const struct gh_owner_graph *graph, gh_node owner);

/**
 * Append the names of some owners, those that print alike once: "main.cache, goroutine 1 and
 * others". The same ones whatever way they lead there; with `nearest` instead those that hold it
 * over the fewest objects that are shared themselves, and of all how many there are more ("and 17
 * others"): that is a walk.
 */
void gh_sharing_describe(const struct gh_sharing *sharing, const struct gh_shared *shared,
			 bool nearest, struct gh_strbuf *sb);

/**
 * An owner that holds something over `step` objects that are shared themselves (0: nobody counted).
 * False: enough.
 */
typedef bool (*gh_sharer_fn)(void *ctx, gh_node owner, uint32_t step);

/**
 * Call fn for the owners that hold it: more than are kept nearest first. False: some were left out,
 * and some may have been told twice; it is bounded.
 */
bool gh_sharing_owners(const struct gh_sharing *sharing, const struct gh_shared *shared,
		       gh_sharer_fn fn, void *ctx);
