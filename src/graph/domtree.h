// SPDX-License-Identifier: Apache-2.0
// The dominator tree of the owner graph, and what each node retains: the bytes that nothing would
// lead to if it were gone. Exact for every owner and every object.
//
// Nodes have a second number here, their place in a depth-first walk: dominators have smaller ones.
#pragma once

#include "graph/owners.h"

struct gh_domtree {
	const struct gh_owner_graph *graph; // borrowed
	uint32_t n;			    // of places; all nodes have one
	uint32_t *place;		    // owned: by node
	gh_node *node;			    // owned: by place
	uint32_t *idom;	    // owned: place of the immediate dominator, by place; [0] is 0
	uint64_t *retained; // owned: bytes, by place: slots, leaves and what describes owners
	uint32_t *count;    // owned: objects, likewise
	uint64_t charged_bytes;
};

/** Errors: NOMEM, LIMIT, CANCELLED. */
struct gh_error *gh_domtree_create(struct gh_owner_graph *graph, const struct gh_poll *poll,
				   struct gh_domtree **ret) GH_MUST_CHECK;
void gh_domtree_destroy(struct gh_domtree *tree);

static inline uint64_t gh_domtree_retained(const struct gh_domtree *tree, gh_node node)
{
	return tree->retained[tree->place[node]];
}

/** Objects that the node retains, itself among them; an owner counts what describes it. */
static inline uint64_t gh_domtree_count(const struct gh_domtree *tree, gh_node node)
{
	return tree->count[tree->place[node]];
}

/** The immediate dominator of a node; the root's is the root. */
static inline gh_node gh_domtree_idom(const struct gh_domtree *tree, gh_node node)
{
	return tree->node[tree->idom[tree->place[node]]];
}

/** The place right below the root that dominates the node, its own maybe; the root's is 0. */
static inline uint32_t gh_domtree_top(const struct gh_domtree *tree, gh_node node)
{
	uint32_t place = tree->place[node];

	while (tree->idom[place])
		place = tree->idom[place];
	return place;
}

/** The first owner above a slot: nobody else leads there. GH_NODE_ROOT: several do, or the slot is
 * no node. */
static inline gh_node gh_domtree_owner_of_slot(const struct gh_domtree *tree, uint64_t slot)
{
	gh_node node = GH_NODE_ROOT;

	if (gh_slot_is_node(tree->graph, slot))
		node = gh_node_of_slot(tree->graph, slot);
	while (!gh_node_is_owner(tree->graph, node))
		node = gh_domtree_idom(tree, node);
	return node;
}
