// SPDX-License-Identifier: Apache-2.0
// Shortest paths from owners: for each object the word by which a shortest path comes to it. One
// breadth-first walk of the owner graph; a path is read off from the object upwards.
//
// What the program holds comes first: paths begin at package variables, goroutines, timers and
// defers; only for what none of them holds at queues of finalizers and cleanups, and only after
// that at parts of the runtime.
#pragma once

#include "graph/owners.h"

struct gh_shortest_link {
	gh_node from;  // GH_NODE_ROOT: nothing leads there
	uint32_t word; // of an object: counted from its slot's start; of an owner: of its words
};

struct gh_shortest {
	const struct gh_owner_graph *graph; // borrowed
	struct gh_shortest_link *links;	    // owned: by node, less the owners
	uint64_t reached;		    // objects
	uint64_t charged_bytes;
};

/** In what turn paths begin at owners of that kind: 0 first. */
enum { GH_SHORTEST_TURNS = 3 };
uint32_t gh_shortest_turn(enum gh_root_kind kind);

/** Of paths of one turn and length the first is of the lowest rank: a variable's name tells more
 * than a goroutine's, which may hold the same by a register. */
enum { GH_SHORTEST_RANKS = 2 };
static inline uint32_t gh_shortest_rank(enum gh_root_kind kind)
{
	return kind != GH_ROOT_GLOBAL;
}

/** O(live words); 8 bytes a node, some bits a slot meanwhile. Errors: NOMEM, LIMIT, CANCELLED. */
struct gh_error *gh_shortest_create(const struct gh_owner_graph *graph, const struct gh_poll *poll,
				    struct gh_shortest **ret) GH_MUST_CHECK;
void gh_shortest_destroy(struct gh_shortest *shortest);

/** The word that a shortest path comes by to a node that is an object. */
static inline struct gh_shortest_link gh_shortest_to(const struct gh_shortest *s, gh_node node)
{
	return s->links[node - s->graph->owners.len];
}

/** Where that word lies, what it holds. */
struct gh_owner_word gh_shortest_word(const struct gh_shortest *s, struct gh_shortest_link link);

/**
 * The one word that leads to a leaf, a live slot without pointers that is no node. One sweep over
 * all live words. from is GH_NODE_ROOT when there is none. Errors: CANCELLED.
 */
struct gh_error *gh_shortest_leaf(const struct gh_owner_graph *graph, uint64_t slot,
				  const struct gh_poll *poll,
				  struct gh_shortest_link *ret) GH_MUST_CHECK;
