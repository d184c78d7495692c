// SPDX-License-Identifier: Apache-2.0
// The owner graph: the live objects of the mark, with the runtime's bookkeeping resolved. The
// collector reaches everything stuck through runtime.allgs; people ask which goroutine, timer,
// variable or queue has it. An owner is a node of its own in front of the heap: a package variable,
// a goroutine (all of its frames), a pending defer (inside its goroutine), a timer, a queue, a part
// of the runtime. Objects that only describe an owner (g, m, p, sudog, _defer, the arrays of the
// timer heaps) are no nodes: their bytes are the owner's own, what they point to it holds, and
// pointers to them hold nothing.
//
// Nodes are numbered densely: owners first (0: the root of all), then objects in the order of their
// slots. Objects without pointers that one word alone refers to ("leaves") are no nodes either:
// their bytes count for the object with that word. Walks read the words anew (graph/words.h): no
// edges are stored.
#pragma once

#include "base/bitmap.h"
#include "base/radix.h"
#include "graph/mark.h"
#include "graph/roots.h"

/** A node: below gh_owner_graph_nodes(). */
typedef uint32_t gh_node;
enum {
	GH_NODE_ROOT = 0,
	GH_NODE_ORPHANS = 1, // an owner: what is live and nothing seen leads to; a domtree finds it
	GH_NODE_FINALIZERS = 2, // an owner: what only finalizers keep alive. A domtree finds what
				// finalized objects keep alive that lead back to themselves
};
#define GH_NODE_NONE UINT32_MAX

struct gh_owner {
	enum gh_root_kind kind;
	uint32_t own_objects; // that describe it
	const char *name;   // package variable, queue, part of the runtime, callback of a timer,
			    // function of a defer; NULL: none (goroutines). The graph's
	uint64_t goid;	    // of a goroutine and its defers; else 0
	gh_addr addr;	    // of the variable, g, timer or defer record; 0: none
	gh_node parent;	    // the owner that it lies in, or GH_NODE_ROOT
	gh_node child;	    // the first owner in it; 0: none
	gh_node sibling;    // the next one in the same; 0: none
	uint32_t nwords;    // pointers into the heap that it holds directly: in graph->words
	uint64_t first_word;
	uint64_t own_bytes; // of the objects that describe it
};
GH_VEC(gh_owner_vec, struct gh_owner);

/** Of a slot that describes an owner: it lists other owners, and the words in it hold nothing. */
#define GH_OWN_IS_LIST (1ULL << 32)

struct gh_owner_word {
	gh_addr at; // where it lies; 0: a register
	uint64_t value;
};

/** What 64 slots are to the graph: together, as whoever asks for one asks for the others. */
struct gh_slot_group {
	uint64_t nodes;	 // bit a slot that is a node
	uint64_t leaves; // bit a live slot that counts for its one referrer
	uint32_t rank;	 // nodes in the groups before
};

struct gh_owner_graph {
	const struct gh_heap *heap;  // borrowed
	struct gh_mark *mark;	     // borrowed; its types may grow
	struct gh_owner_vec owners;  // [0]: the root of all
	struct gh_owner_word *words; // owned; by owner
	size_t nwords, words_cap;
	struct gh_slot_group *groups; // owned: [i]: slots 64 * i and following
	gh_node nobjects;	      // nodes that are objects
	struct gh_key_vec own; // slots that describe an owner; it, and GH_OWN_IS_LIST
	struct gh_addr_vec finalized; // live objects that have finalizers
	uint64_t live_bytes, live_objects; // of the mark
	struct gh_arena arena;		   // names
	uint64_t charged_bytes;
};

/** All borrowed, as long as the result. */
struct gh_owner_input {
	const struct gh_heap *heap;
	struct gh_mark *mark;
	struct gh_types *types;
	struct gh_statics *statics;
	const struct gh_goroutine_vec *goroutines;
	const struct gh_timers *timers; // NULL: there is no list of them
};

/** After the mark. O(live words). Errors: NOMEM, LIMIT, CANCELLED. */
struct gh_error *gh_owner_graph_create(const struct gh_owner_input *input,
				       const struct gh_poll *poll,
				       struct gh_owner_graph **ret) GH_MUST_CHECK;
void gh_owner_graph_destroy(struct gh_owner_graph *graph);

static inline uint64_t gh_owner_graph_nodes(const struct gh_owner_graph *graph)
{
	return graph->owners.len + (uint64_t)graph->nobjects;
}

static inline bool gh_node_is_owner(const struct gh_owner_graph *graph, gh_node node)
{
	return node < graph->owners.len;
}

static inline bool gh_slot_is_node(const struct gh_owner_graph *graph, uint64_t slot)
{
	return graph->groups[slot >> 6].nodes >> (slot & 63) & 1;
}

static inline bool gh_slot_is_leaf(const struct gh_owner_graph *graph, uint64_t slot)
{
	return graph->groups[slot >> 6].leaves >> (slot & 63) & 1;
}

/** Node of a slot that is one. */
static inline gh_node gh_node_of_slot(const struct gh_owner_graph *graph, uint64_t slot)
{
	const struct gh_slot_group *group = &graph->groups[slot >> 6];
	uint64_t before = group->nodes & ((1ULL << (slot & 63)) - 1);

	return (gh_node)graph->owners.len + group->rank + gh_popcount(before);
}

/** Node of the object that addr is in; GH_NODE_NONE: of none, or that is no node. */
gh_node gh_node_of_addr(const struct gh_owner_graph *graph, gh_addr addr);

/** Slot of a node that is an object. O(log slots). */
uint64_t gh_node_slot(const struct gh_owner_graph *graph, gh_node node);

/** Let an owner hold one more word. Errors: NOMEM. */
struct gh_error *gh_owner_graph_adopt(struct gh_owner_graph *graph, gh_node owner,
				      struct gh_owner_word word) GH_MUST_CHECK;

/** Is it a variable of the runtime itself: "runtime.allgs", "internal/runtime/maps.x"? */
bool gh_is_runtime_variable(const char *name);

/** The owner that a slot describes; GH_NODE_NONE: none, it is an object of the program. */
gh_node gh_owner_of_slot(const struct gh_owner_graph *graph, uint64_t slot);

/**
 * "goroutine 12", "main.cache", "timer main.poll.func1", "defer main.f.func1 of goroutine 12".
 * Appends to sb.
 */
void gh_owner_describe(const struct gh_owner_graph *graph, gh_node owner, struct gh_strbuf *sb);
