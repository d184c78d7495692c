// SPDX-License-Identifier: Apache-2.0
// A depth-first walk of the owner graph that reads its edges from memory and keeps only those that
// are not in the tree; then dominators (dominators.c), then sums up the tree. See domtree.h.
#include "graph/domtree.h"

#include <stdlib.h>

#include "base/budget.h"
#include "base/cleanup.h"
#include "graph/dominators.h"
#include "graph/words.h"

enum {
	POLL_EVERY = 1 << 18,	  // nodes
	UNIT = 8,		  // bytes; slots are multiples of it
	BYTES_A_NODE = 24,	  // place, parent, own, offset, and two of the semi step; all are kept
};

/** A node that waits, and from where it was seen. */
struct waiting {
	gh_addr base; // 0: an owner
	gh_node node;
	uint32_t parent; // place
};
GH_VEC(waiting_vec, struct waiting);
GH_VEC(flow_edge_vec, struct gh_flow_edge); // to: a node until all have places

/** What a node weighs with its leaves, where two times 16 bits do not hold it: from 512 KiB or 64 K
 * objects on. Two words for all others would be 28 bytes a node, and 2 to 3 % more time. */
struct heavy {
	uint64_t units;
	uint32_t objects, place;
};
GH_VEC(heavy_vec, struct heavy);

struct walk {
	struct gh_owner_graph *graph;
	struct gh_mark *m;
	const struct gh_poll *poll;
	struct waiting_vec stack;
	struct flow_edge_vec edges;
	struct heavy_vec heavy;
	uint64_t *seen; // owned: bit a node that has a place
	uint32_t *place, *parent; // owned
	uint32_t *own; // owned: units << 16 | objects of a place alone; 0: heavy. Counts later
	uint32_t n;    // places given
	uint32_t here; // place of the node whose words are followed
	gh_addr base;  // and where it lies
	uint64_t units; // what it weighs, with its leaves
	uint32_t objects;
	bool nomem;
};

static inline void add_weight(struct walk *w, uint64_t bytes, uint32_t objects)
{
	w->units += bytes / UNIT;
	w->objects += objects;
}

/* The node at hand is done. */
static void settle(struct walk *w)
{
	if (GH_LIKELY((w->units | w->objects) <= UINT16_MAX))
		w->own[w->here] = (uint32_t)w->units << 16 | w->objects;
	else
		w->nomem |= !heavy_vec_push(&w->heavy,
					    (struct heavy){w->units, w->objects, w->here});
}

static inline void reach(struct walk *w, gh_addr base, const struct gh_page *page, gh_node node)
{
	if (gh_bitmap_test(w->seen, node)) {
		w->nomem |= !flow_edge_vec_push(&w->edges, (struct gh_flow_edge){node, w->here});
		return;
	}
	if (page)
		gh_object_prefetch(w->m, base, page);
	w->nomem |= !waiting_vec_push(&w->stack, (struct waiting){base, node, w->here});
}

__attribute__((always_inline)) static inline void follow(void *ctx, gh_addr at, uint64_t value)
{
	struct walk *w = ctx;
	struct gh_word_slot t = gh_word_slot(w->m, value);

	(void)at;
	if (t.slot == GH_SLOT_NONE || t.base == w->base)
		return;
	if (gh_slot_is_node(w->graph, t.slot))
		reach(w, t.base, t.page, gh_node_of_slot(w->graph, t.slot));
	else if (gh_slot_is_leaf(w->graph, t.slot))
		add_weight(w, gh_slot_bytes(w->m, t.base, t.page), 1);
}

static void follow_owner(struct walk *w, gh_node node)
{
	const struct gh_owner *o = &w->graph->owners.data[node];

	add_weight(w, o->own_bytes, o->own_objects);
	for (uint64_t i = 0; i < o->nwords; i++)
		follow(w, 0, w->graph->words[o->first_word + i].value);
	for (gh_node child = o->child; child; child = w->graph->owners.data[child].sibling)
		reach(w, 0, NULL, child);
}

/* Give the node a place and follow its words. Inlined by force: a call costs 5 % of the walk. */
__attribute__((always_inline)) static inline void enter(struct walk *w, const struct waiting *at)
{
	if (gh_bitmap_test_and_set(w->seen, at->node)) { // reached another way meanwhile
		w->nomem |= !flow_edge_vec_push(&w->edges,
						(struct gh_flow_edge){at->node, at->parent});
		return;
	}
	w->here = w->n++;
	w->units = w->objects = 0;
	w->base = at->base;
	w->place[at->node] = w->here;
	w->parent[w->here] = at->parent;
	if (gh_node_is_owner(w->graph, at->node)) {
		follow_owner(w, at->node);
	} else {
		const struct gh_page *page = gh_page_at(w->m, at->base);

		add_weight(w, gh_slot_bytes(w->m, at->base, page), 1);
		gh_object_words(w->m, at->base, page, follow, w);
	}
	settle(w);
}

/* Until no more than so many wait. */
static struct gh_error *drain(struct walk *w, size_t leave)
{
	struct gh_error *err = NULL;

	for (uint64_t steps = 1; w->stack.len > leave && !w->nomem && !err; steps++) {
		struct waiting at = w->stack.data[--w->stack.len];

		enter(w, &at);
		if (steps % POLL_EVERY == 0)
			err = gh_poll(w->poll, "walking the owner graph", w->n,
				      gh_owner_graph_nodes(w->graph));
	}
	return err || !w->nomem ? err : gh_error_nomem();
}

/* A word of a finalized object that nothing else leads to. */
static void adopt_word(void *ctx, gh_addr at, uint64_t value)
{
	struct walk *w = ctx;
	struct gh_word_slot t = gh_word_slot(w->m, value);
	_cleanup_error_ struct gh_error *err = NULL;

	if (t.slot == GH_SLOT_NONE || t.base == w->base || !gh_slot_is_node(w->graph, t.slot))
		return; // a leaf leads to nothing
	err = gh_owner_graph_adopt(w->graph, GH_NODE_FINALIZERS,
				   (struct gh_owner_word){at, value});
	w->nomem |= err != NULL;
	reach(w, t.base, t.page, gh_node_of_slot(w->graph, t.slot));
}

/*
 * An object that has a finalizer and lives by what it refers to: a ring. Its owner is the second
 * that waits: all that was seen after it hangs on it, so it may go on.
 */
static struct gh_error *adopt_finalized(struct walk *w)
{
	struct gh_error *err = NULL;

	for (size_t i = 0; i < w->graph->finalized.len && !err; i++) {
		struct gh_word_slot t = gh_word_slot(w->m, w->graph->finalized.data[i]);

		if (!gh_slot_is_node(w->graph, t.slot) ||
		    gh_bitmap_test(w->seen, gh_node_of_slot(w->graph, t.slot)))
			continue;
		w->here = w->place[GH_NODE_FINALIZERS];
		w->base = t.base;
		gh_object_words(w->m, t.base, t.page, adopt_word, w);
		err = drain(w, 1);
	}
	return err;
}

/* What is live and nothing seen leads to: its owner is the first that waits, so the last to go on. */
static struct gh_error *adopt_orphans(struct walk *w)
{
	uint32_t orphans = w->place[GH_NODE_ORPHANS];
	struct gh_error *err = NULL;
	gh_addr base;

	for (uint64_t i = 0; i < gh_bitmap_words(w->graph->heap->table.nslots) && !err; i++) {
		uint64_t bits = w->graph->groups[i].nodes;

		while (bits && !err) {
			uint64_t slot = i * 64 + (uint64_t)__builtin_ctzll(bits);
			gh_node node = gh_node_of_slot(w->graph, slot);

			bits &= bits - 1;
			if (gh_bitmap_test(w->seen, node))
				continue;
			w->here = orphans;
			w->base = 0;
			base = gh_heap_slot_base(w->graph->heap, slot);
			reach(w, base, NULL, node);
			err = gh_owner_graph_adopt(w->graph, GH_NODE_ORPHANS,
						   (struct gh_owner_word){0, base});
			if (!err)
				err = drain(w, 0);
		}
	}
	return err;
}

static struct gh_error *walk_graph(struct walk *w)
{
	struct waiting root = {0};
	struct gh_error *err;

	err = gh_poll(w->poll, "walking the owner graph", 0, gh_owner_graph_nodes(w->graph));
	if (err)
		return err;
	enter(w, &root);
	err = drain(w, 1); // the owner of orphans is left
	if (!err)
		err = adopt_finalized(w);
	if (!err)
		err = drain(w, 0);
	return err ? err : adopt_orphans(w);
}

/* Sort the edges by where they lead: offsets and sources. */
static bool sort_edges(struct walk *w, uint32_t **offset_ret, uint32_t **sources_ret)
{
	uint32_t *offset = gh_alloc_array((size_t)w->n + 2, sizeof(*offset));
	uint32_t *sources = gh_alloc_array(w->edges.len, sizeof(*sources));

	*offset_ret = offset;
	*sources_ret = sources;
	if (!offset || !sources)
		return false;
	for (size_t i = 0; i < w->edges.len; i++) {
		w->edges.data[i].to = w->place[w->edges.data[i].to];
		offset[w->edges.data[i].to + 2]++;
	}
	for (uint32_t v = 2; v < w->n + 2; v++)
		offset[v] += offset[v - 1];
	for (size_t i = 0; i < w->edges.len; i++)
		sources[offset[w->edges.data[i].to + 1]++] = w->edges.data[i].from;
	flow_edge_vec_deinit(&w->edges);
	return true;
}

static void sum_up(struct walk *w, struct gh_domtree *tree)
{
	for (uint32_t i = 0; i < w->n; i++) {
		tree->retained[i] = (uint64_t)(tree->count[i] >> 16) * UNIT;
		tree->count[i] &= UINT16_MAX;
	}
	for (size_t i = 0; i < w->heavy.len; i++) {
		const struct heavy *heavy = &w->heavy.data[i];

		tree->retained[heavy->place] = heavy->units * UNIT;
		tree->count[heavy->place] = heavy->objects;
	}
	for (uint32_t i = w->n; i-- > 1;) {
		tree->retained[tree->idom[i]] += tree->retained[i];
		tree->count[tree->idom[i]] += tree->count[i];
	}
	for (uint64_t i = 0; i < w->n; i++)
		tree->node[tree->place[i]] = (gh_node)i;
}

static bool allocate(struct walk *w, uint64_t nodes)
{
	w->seen = gh_alloc_array(gh_bitmap_words(nodes), sizeof(*w->seen));
	w->place = gh_alloc_array(nodes, sizeof(*w->place));
	w->parent = gh_alloc_array(nodes, sizeof(*w->parent));
	w->own = gh_alloc_array(nodes, sizeof(*w->own));
	return w->seen && w->place && w->parent && w->own;
}

/* In the arrays that will hold retained sizes and nodes: pages that are there cost nothing. */
static struct gh_error *find_dominators(struct walk *w, struct gh_domtree *tree)
{
	_cleanup_free_ uint32_t *sources = NULL;

	_Static_assert(sizeof(*tree->retained) == GH_DOMINATORS_SCRATCH, "it is the scratch first");
	if (!sort_edges(w, &tree->node, &sources))
		return gh_error_nomem();
	tree->retained = gh_alloc_array(w->n, sizeof(*tree->retained));
	if (!tree->retained)
		return gh_error_nomem();
	return gh_dominators(w->n, w->parent, tree->node, sources, tree->retained, w->poll);
}

static struct gh_error *make(struct walk *w, struct gh_domtree *tree)
{
	struct gh_error *err;

	err = walk_graph(w);
	if (err)
		return err;
	waiting_vec_deinit(&w->stack);
	free(w->seen);
	w->seen = NULL;
	if (w->edges.len >= UINT32_MAX)
		return gh_error_create(GH_ERR_LIMIT,
				       "cannot find dominators: more than 4 G shared references");
	err = find_dominators(w, tree);
	if (err)
		return err;
	tree->n = w->n;
	tree->place = gh_steal(w->place);
	tree->idom = gh_steal(w->parent);
	tree->count = gh_steal(w->own);
	sum_up(w, tree);
	return NULL;
}

static void walk_deinit(struct walk *w)
{
	waiting_vec_deinit(&w->stack);
	flow_edge_vec_deinit(&w->edges);
	heavy_vec_deinit(&w->heavy);
	free(w->seen);
	free(w->place);
	free(w->parent);
	free(w->own);
}

struct gh_error *gh_domtree_create(struct gh_owner_graph *graph, const struct gh_poll *poll,
				   struct gh_domtree **ret)
{
	struct gh_budget *budget = gh_runtime_budget(graph->heap->rt);
	uint64_t nodes = gh_owner_graph_nodes(graph);
	struct gh_domtree *tree = calloc(1, sizeof(*tree));
	struct walk w = {.graph = graph, .m = graph->mark, .poll = poll};
	struct gh_error *err;

	if (!tree)
		return gh_error_nomem();
	tree->graph = graph;
	err = gh_budget_charge(budget, nodes * BYTES_A_NODE, "the dominators of live objects");
	if (err) {
		free(tree);
		return err;
	}
	err = allocate(&w, nodes) ? make(&w, tree) : gh_error_nomem();
	walk_deinit(&w);
	tree->charged_bytes = nodes * BYTES_A_NODE;
	if (err) {
		gh_domtree_destroy(tree);
		return err;
	}
	*ret = tree;
	return NULL;
}

void gh_domtree_destroy(struct gh_domtree *tree)
{
	if (!tree)
		return;
	gh_budget_give(gh_runtime_budget(tree->graph->heap->rt), tree->charged_bytes);
	free(tree->place);
	free(tree->node);
	free(tree->idom);
	free(tree->retained);
	free(tree->count);
	free(tree);
}
