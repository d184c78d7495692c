// SPDX-License-Identifier: Apache-2.0
// As the mark (mark.c), without types: objects pass a ring while their lines arrive, pointers are
// looked up in groups so that the misses on their bits overlap. See reach.h.
#include "graph/reach.h"

#include <stdlib.h>

#include "base/budget.h"
#include "base/vec.h"
#include "graph/words.h"

enum {
	POLL_EVERY = 1 << 18, // objects
};

GH_VEC(addr_vec, gh_addr);

struct gh_reach {
	const struct gh_owner_graph *graph;
	struct gh_mark *m;
	uint64_t *seen; // owned: bit a slot: reached, or not there at all
	const uint64_t *cut;
	struct addr_vec stack; // objects that wait
	gh_addr ring[RING];
	uint64_t ring_at;
	uint64_t group[GROUP]; // words that wait
	size_t ngroup;
	struct gh_reached sum;
	uint64_t charged_bytes;
	bool nomem;
};

struct gh_error *gh_reach_create(const struct gh_owner_graph *graph, const uint64_t *cut,
				 struct gh_reach **ret)
{
	uint64_t words = gh_bitmap_words(graph->heap->table.nslots) + 1;
	struct gh_reach *r;
	struct gh_error *err;

	err = gh_budget_charge(gh_runtime_budget(graph->heap->rt), words * sizeof(*r->seen),
			       "a bit for each object that is reached");
	if (err)
		return err;
	r = calloc(1, sizeof(*r));
	if (r)
		*r = (struct gh_reach){.graph = graph,
				       .m = graph->mark,
				       .cut = cut,
				       .charged_bytes = words * sizeof(*r->seen),
				       .seen = gh_alloc_array(words, sizeof(*r->seen))};
	if (!r || !r->seen) {
		gh_budget_give(gh_runtime_budget(graph->heap->rt), words * sizeof(*r->seen));
		free(r);
		return gh_error_nomem();
	}
	for (uint64_t w = 0; cut && w + 1 < words; w++)
		r->seen[w] = cut[w];
	*ret = r;
	return NULL;
}

void gh_reach_destroy(struct gh_reach *r)
{
	if (!r)
		return;
	gh_budget_give(gh_runtime_budget(r->graph->heap->rt), r->charged_bytes);
	addr_vec_deinit(&r->stack);
	free(r->seen);
	free(r);
}

static void look_up(struct gh_reach *r)
{
	struct gh_word_slot found[GROUP];
	size_t n = r->ngroup;

	for (size_t i = 0; i < n; i++) {
		found[i] = gh_word_slot(r->m, r->group[i]);
		if (found[i].slot != GH_SLOT_NONE)
			__builtin_prefetch(&r->seen[found[i].slot >> 6], 1);
	}
	r->ngroup = 0;
	for (size_t i = 0; i < n; i++) {
		const struct gh_word_slot *t = &found[i];
		bool is_node;

		if (t->slot == GH_SLOT_NONE)
			continue;
		is_node = gh_slot_is_node(r->graph, t->slot);
		if (!(is_node || gh_slot_is_leaf(r->graph, t->slot)) ||
		    gh_bitmap_test_and_set(r->seen, t->slot))
			continue;
		r->sum.bytes += gh_slot_bytes(r->m, t->base, t->page);
		r->sum.objects++;
		if (!(t->page->class & 1))
			r->nomem |= !addr_vec_push(&r->stack, t->base);
	}
}

__attribute__((always_inline)) static inline void follow(void *ctx, gh_addr at, uint64_t value)
{
	struct gh_reach *r = ctx;

	(void)at;
	r->group[r->ngroup] = value;
	r->ngroup += value - r->m->lo < r->m->span_bytes;
	if (GH_UNLIKELY(r->ngroup == GROUP))
		look_up(r);
}

void gh_reach_owner(struct gh_reach *r, gh_node owner)
{
	const struct gh_owner *o = &r->graph->owners.data[owner];

	r->sum.bytes += o->own_bytes;
	r->sum.objects += o->own_objects;
	for (uint64_t i = 0; i < o->nwords; i++)
		follow(r, 0, r->graph->words[o->first_word + i].value);
}

struct gh_error *gh_reach_drain(struct gh_reach *r, const struct gh_poll *poll)
{
	uint64_t steps = 0, idle = 0;
	struct gh_error *err;

	look_up(r);
	while (idle < RING && !r->nomem) {
		gh_addr base = r->stack.len ? r->stack.data[--r->stack.len] : 0;
		gh_addr *at = &r->ring[r->ring_at++ % RING], ready = *at;

		*at = base;
		if (base)
			gh_object_prefetch(r->m, base, gh_page_at(r->m, base));
		idle = base ? 0 : idle + 1;
		if (ready)
			gh_object_words(r->m, ready, gh_page_at(r->m, ready), follow, r);
		if (!base)
			look_up(r);
		if (r->stack.len)
			idle = 0;
		if (++steps % POLL_EVERY == 0) {
			err = gh_poll(poll, "marking again", r->sum.objects,
				      r->graph->live_objects);
			if (err)
				return err;
		}
	}
	return r->nomem ? gh_error_nomem() : NULL;
}

bool gh_reach_has(const struct gh_reach *r, uint64_t slot)
{
	return gh_bitmap_test(r->seen, slot) && !(r->cut && gh_bitmap_test(r->cut, slot));
}

struct gh_reached gh_reach_sum(const struct gh_reach *r)
{
	return r->sum;
}

struct gh_error *gh_reach_all(const struct gh_owner_graph *graph, const uint64_t *cut,
			      const struct gh_poll *poll, struct gh_reached *ret)
{
	struct gh_reach *r = NULL;
	struct gh_error *err = gh_reach_create(graph, cut, &r);

	if (err)
		return err;
	for (gh_node owner = 1; owner < graph->owners.len; owner++)
		gh_reach_owner(r, owner);
	err = gh_reach_drain(r, poll);
	if (!err)
		*ret = r->sum;
	gh_reach_destroy(r);
	return err;
}
