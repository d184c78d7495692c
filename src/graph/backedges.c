// SPDX-License-Identifier: Apache-2.0
// See backedges.h.
#include "graph/backedges.h"

#include <stdlib.h>

#include "base/budget.h"
#include "base/cleanup.h"
#include "graph/sweep.h"

/* Number of the node, less the owners, that a value leads to; GH_NODE_NONE: it leads to none. */
static inline gh_node target_of(const struct gh_owner_graph *graph, uint64_t value)
{
	struct gh_word_slot t = gh_word_slot(graph->mark, value);

	if (t.slot == GH_SLOT_NONE || !gh_slot_is_node(graph, t.slot))
		return GH_NODE_NONE;
	return gh_node_of_slot(graph, t.slot) - (gh_node)graph->owners.len;
}

__attribute__((always_inline)) static inline void count(void *ctx, gh_node from, uint32_t word,
							uint64_t value)
{
	struct gh_backedges *r = ctx;
	gh_node target = target_of(r->graph, value);

	(void)from, (void)word;
	if (target == GH_NODE_NONE)
		return;
	r->first[target]++;
	r->nedges++;
}

/* `first` is where the next one goes. */
__attribute__((always_inline)) static inline void fill(void *ctx, gh_node from, uint32_t word,
						       uint64_t value)
{
	struct gh_backedges *r = ctx;
	gh_node target = target_of(r->graph, value);

	(void)word;
	if (target != GH_NODE_NONE)
		r->from[r->first[target]++] = from;
}

static struct gh_error *charge(struct gh_backedges *r, uint64_t bytes)
{
	struct gh_error *err = gh_budget_charge(gh_runtime_budget(r->graph->heap->rt), bytes,
						"who refers to whom");

	r->charged_bytes += err ? 0 : bytes;
	return err;
}

/* Counts become places. */
static void sum_up(struct gh_backedges *r)
{
	uint64_t at = 0;

	for (gh_node i = 0; i <= r->graph->nobjects; i++) {
		uint64_t n = r->first[i];

		r->first[i] = at;
		at += n;
	}
}

/* Each place has moved to the next one's. */
static void move_back(struct gh_backedges *r)
{
	memmove(r->first + 1, r->first, r->graph->nobjects * sizeof(*r->first));
	r->first[0] = 0;
}

static struct gh_error *create(struct gh_backedges *r, const struct gh_poll *poll)
{
	uint64_t n = r->graph->nobjects + 1ULL;
	struct gh_error *err = charge(r, n * sizeof(*r->first));

	if (err)
		return err;
	r->first = gh_alloc_array(n, sizeof(*r->first));
	if (!r->first)
		return gh_error_nomem();
	err = gh_sweep(r->graph, count, r, poll, "counting referrers");
	if (!err)
		err = charge(r, r->nedges * sizeof(*r->from));
	if (err)
		return err;
	sum_up(r);
	r->from = gh_alloc_array(r->nedges, sizeof(*r->from));
	if (!r->from)
		return gh_error_nomem();
	err = gh_sweep(r->graph, fill, r, poll, "noting referrers");
	move_back(r);
	return err;
}

struct gh_error *gh_backedges_create(const struct gh_owner_graph *graph,
				     const struct gh_poll *poll, struct gh_backedges **ret)
{
	struct gh_backedges *r = calloc(1, sizeof(*r));
	struct gh_error *err;

	if (!r)
		return gh_error_nomem();
	r->graph = graph;
	err = create(r, poll);
	if (err) {
		gh_backedges_destroy(r);
		return err;
	}
	*ret = r;
	return NULL;
}

void gh_backedges_destroy(struct gh_backedges *r)
{
	if (!r)
		return;
	gh_budget_give(gh_runtime_budget(r->graph->heap->rt), r->charged_bytes);
	free(r->first);
	free(r->from);
	free(r);
}

struct search {
	struct gh_mark *m;
	uint64_t slot;
	gh_addr at; // 0: not found yet
};

static void compare(void *ctx, gh_addr at, uint64_t value)
{
	struct search *search = ctx;

	if (!search->at && gh_word_slot(search->m, value).slot == search->slot)
		search->at = at;
}

struct gh_shortest_link gh_backedges_link(const struct gh_owner_graph *graph, gh_node from,
					  uint64_t slot)
{
	struct search search = {.m = graph->mark, .slot = slot};
	const struct gh_owner *o;
	gh_addr base;

	if (!gh_node_is_owner(graph, from)) {
		base = gh_heap_slot_base(graph->heap, gh_node_slot(graph, from));
		gh_object_words(graph->mark, base, gh_page_at(graph->mark, base), compare, &search);
		return search.at ? (struct gh_shortest_link){from,
							     (uint32_t)((search.at - base) / 8)}
				 : (struct gh_shortest_link){GH_NODE_ROOT, 0};
	}
	o = &graph->owners.data[from];
	for (uint64_t i = 0; i < o->nwords; i++)
		if (gh_word_slot(graph->mark, graph->words[o->first_word + i].value).slot == slot)
			return (struct gh_shortest_link){from, (uint32_t)i};
	return (struct gh_shortest_link){GH_NODE_ROOT, 0};
}
