// SPDX-License-Identifier: Apache-2.0
// The numbering of the owner graph's nodes: which slots are nodes, which leaves count for their one
// referrer. One sweep over all live words, in the order of addresses. See owners.h.
#include <stdlib.h>

#include "base/budget.h"
#include "graph/owner_build.h"

enum { POLL_EVERY = 1024 }; // spans

struct sweep {
	struct gh_mark *m;
	uint64_t *once, *twice; // bit a slot without pointers that so many words lead to
};

__attribute__((always_inline)) static inline void count_reference(void *ctx, gh_addr at,
								  uint64_t value)
{
	const struct sweep *s = ctx;
	struct gh_word_slot t = gh_word_slot(s->m, value);

	(void)at;
	if (t.slot == GH_SLOT_NONE || !(t.page->class & 1))
		return;
	if (gh_bitmap_test_and_set(s->once, t.slot))
		gh_bitmap_set(s->twice, t.slot);
}

/* A bit for each of eight states: is it live (gh_state_is_live)? */
static uint64_t eight_bits(const uint8_t *states)
{
	const uint64_t low = 0x7f7f7f7f7f7f7f7f, up = 0x0101010101010101 * (0x80 - GH_CODE_UNKNOWN);
	uint64_t x;

	memcpy(&x, states, sizeof(x));
	return ((((x & low) + up) | x) & ~low) * 0x0002040810204081 >> 56;
}

/* Bits [lo, hi) of word w of a bitmap, in place. */
static uint64_t range_in_word(uint64_t w, uint64_t lo, uint64_t hi)
{
	uint64_t from = lo > w * 64 ? lo - w * 64 : 0, to = gh_min_u64(hi - w * 64, 64);

	return (to == 64 ? UINT64_MAX : (1ULL << to) - 1) & ~((1ULL << from) - 1);
}

/* Live slots of a span: counted, and those without pointers go from the nodes to the leaves. */
static void enter_span(struct gh_owner_graph *graph, const struct gh_span *span)
{
	uint64_t lo = span->slot0, hi = lo + span->nelems, n = 0;

	for (uint64_t w = lo / 64; w * 64 < hi; w++) {
		struct gh_slot_group *group = &graph->groups[w];
		uint64_t live = group->nodes & range_in_word(w, lo, hi);

		n += gh_popcount(live);
		if (gh_span_is_noscan(span)) {
			group->nodes &= ~live;
			group->leaves |= live;
		}
	}
	graph->live_objects += n;
	graph->live_bytes += n * span->elem_bytes;
}

static void enter_live(struct gh_owner_graph *graph, const uint64_t *own)
{
	const struct gh_span_vec *spans = &graph->heap->table.spans;
	uint64_t words = gh_bitmap_words(graph->heap->table.nslots);

	for (uint64_t w = 0; w < words; w++) // the array of states is as long
		for (int k = 0; k < 8; k++)
			graph->groups[w].nodes |=
				eight_bits(graph->mark->states.narrow + w * 64 + k * 8) << (8 * k);
	for (size_t i = 0; i < spans->len; i++)
		enter_span(graph, &spans->data[i]);
	for (uint64_t w = 0; w < words; w++) {
		graph->groups[w].nodes &= ~own[w];
		graph->groups[w].leaves &= ~own[w];
	}
}

static void sweep_span(const struct gh_owner_graph *graph, const struct gh_span *span,
		       struct sweep *s)
{
	const struct gh_page *page = gh_page_at(s->m, span->base);

	for (uint32_t i = 0; i < span->nelems; i++)
		if (gh_slot_is_node(graph, span->slot0 + i))
			gh_object_words(s->m, span->base + i * span->elem_bytes,
					page + (i * span->elem_bytes >> GH_PAGE_SHIFT),
					count_reference, s);
}

static struct gh_error *sweep_references(const struct gh_owner_graph *graph, struct sweep *s,
					 const struct gh_poll *poll)
{
	const struct gh_span_vec *spans = &graph->heap->table.spans;
	struct gh_error *err = NULL;

	for (size_t i = 0; !err && i < spans->len; i++) {
		if (!gh_span_is_noscan(&spans->data[i]))
			sweep_span(graph, &spans->data[i], s);
		if (i % POLL_EVERY == 0)
			err = gh_poll(poll, "counting references", i, spans->len);
	}
	for (uint64_t i = 0; !err && i < graph->nwords; i++)
		count_reference(s, 0, graph->words[i].value);
	return err;
}

/* A leaf is what one word leads to; other live slots without pointers are nodes. */
static struct gh_error *rank_nodes(struct gh_owner_graph *graph, const struct sweep *s)
{
	uint64_t words = gh_bitmap_words(graph->heap->table.nslots), n = 0;

	for (uint64_t w = 0; w < words; w++) {
		struct gh_slot_group *group = &graph->groups[w];
		uint64_t leaves = group->leaves & s->once[w] & ~s->twice[w];

		group->nodes |= group->leaves & ~leaves;
		group->leaves = leaves;
		group->rank = (uint32_t)n;
		n += gh_popcount(group->nodes);
	}
	if (n + graph->owners.len >= GH_NODE_NONE)
		return gh_error_create(GH_ERR_LIMIT, "cannot number the live objects: %llu of them",
				       (unsigned long long)n);
	graph->nobjects = (gh_node)n;
	return NULL;
}

struct gh_error *gh_nodes_number(struct gh_owner_graph *graph, const uint64_t *own,
				 const struct gh_poll *poll)
{
	uint64_t words = gh_bitmap_words(graph->heap->table.nslots) + 1;
	uint64_t kept = words * sizeof(*graph->groups);
	struct gh_budget *budget = gh_runtime_budget(graph->heap->rt);
	struct sweep s = {.m = graph->mark};
	struct gh_error *err;

	err = gh_budget_charge(budget, kept, "the numbers of live objects");
	if (err)
		return err;
	graph->charged_bytes += kept;
	graph->groups = gh_alloc_array(words, sizeof(*graph->groups));
	s.once = gh_alloc_array(words, sizeof(*s.once));
	s.twice = gh_alloc_array(words, sizeof(*s.twice));
	if (graph->groups && s.once && s.twice) {
		enter_live(graph, own);
		err = sweep_references(graph, &s, poll);
		if (!err)
			err = rank_nodes(graph, &s);
	} else {
		err = gh_error_nomem();
	}
	free(s.once);
	free(s.twice);
	return err;
}

gh_node gh_node_of_addr(const struct gh_owner_graph *graph, gh_addr addr)
{
	struct gh_slot_ref ref;

	return gh_heap_find(graph->heap, addr, &ref) && gh_slot_is_node(graph, ref.slot)
		       ? gh_node_of_slot(graph, ref.slot)
		       : GH_NODE_NONE;
}

/* The last word whose rank is not above the number. */
uint64_t gh_node_slot(const struct gh_owner_graph *graph, gh_node node)
{
	uint64_t lo = 0, hi = gh_bitmap_words(graph->heap->table.nslots), bits;
	uint32_t number = node - (gh_node)graph->owners.len;

	while (lo + 1 < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (graph->groups[mid].rank <= number)
			lo = mid;
		else
			hi = mid;
	}
	bits = graph->groups[lo].nodes;
	for (uint32_t i = graph->groups[lo].rank; i < number; i++)
		bits &= bits - 1;
	return lo * 64 + (uint64_t)__builtin_ctzll(bits);
}
