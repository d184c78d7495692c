// SPDX-License-Identifier: Apache-2.0
// The walk goes level by level. A small level is a list of objects, taken in the order in which
// they were found; a large one is a bit a slot, taken in the order of addresses, so that memory
// comes as it lies. See shortest.h.
#include "graph/shortest.h"

#include <stdlib.h>

#include "base/budget.h"
#include "base/cleanup.h"
#include "graph/referrers.h"
#include "graph/words.h"

enum {
	FOUND_AT_ONCE = 256,
	LEAST_LISTED = 1024, // objects of a level that is a list
	DENSE_SHARE = 2048,  // one of so many slots makes a level large: a pass over its bits costs
	POLL_EVERY = 1 << 12, // spans, levels
};

struct level {
	gh_addr *list; // owned
	size_t n, cap;
	uint64_t *bits; // owned: bit a slot, once the list is full
	bool is_dense;
};

/** A word that was read, and where it leads. */
struct found {
	uint64_t value;
	struct gh_shortest_link link;
	struct gh_word_slot to;
};

struct walk {
	struct gh_mark *m;
	const struct gh_owner_graph *graph;
	struct gh_shortest *shortest;
	uint64_t *seen; // owned: bit a slot
	struct level now, next;
	gh_addr ring[RING];
	uint32_t waiting;
	struct found found[FOUND_AT_ONCE];
	uint32_t nfound;
	// of the object or owner at hand
	gh_node from;
	gh_addr base;
};

uint32_t gh_shortest_turn(enum gh_root_kind kind)
{
	switch (kind) {
	case GH_ROOT_GLOBAL:
	case GH_ROOT_GOROUTINE:
	case GH_ROOT_TIMER:
	case GH_ROOT_DEFER:
		return 0;
	case GH_ROOT_FINALIZER:
	case GH_ROOT_CLEANUP:
	case GH_ROOT_WEAK:
		return 1;
	case GH_ROOT_RUNTIME:
	case GH_ROOT_KINDS:
		break;
	}
	return 2;
}

static void make_dense(struct walk *w, struct level *level)
{
	for (size_t i = 0; i < level->n; i++)
		gh_bitmap_set(level->bits, gh_word_slot(w->m, level->list[i]).slot);
	level->is_dense = true;
}

static inline void enter(struct walk *w, const struct gh_word_slot *t)
{
	struct level *level = &w->next;

	if (GH_LIKELY(level->is_dense)) {
		gh_bitmap_set(level->bits, t->slot);
		return;
	}
	level->list[level->n++] = t->base;
	if (level->n == level->cap)
		make_dense(w, level);
}

static inline void reach(struct walk *w, const struct found *f)
{
	if (!gh_slot_is_node(w->graph, f->to.slot) || gh_bitmap_test_and_set(w->seen, f->to.slot))
		return;
	w->shortest->links[gh_node_of_slot(w->graph, f->to.slot) - w->graph->owners.len] = f->link;
	w->shortest->reached++;
	if (!(f->to.page->class & 1))
		enter(w, &f->to);
}

/* In two passes, so that the cache misses of one do not wait for the branches of the other. */
static void look_up(struct walk *w)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->nfound; i++) {
		struct found *f = &w->found[i];

		f->to = gh_word_slot(w->m, f->value);
		if (f->to.slot == GH_SLOT_NONE)
			continue;
		__builtin_prefetch(&w->graph->groups[f->to.slot >> 6]);
		__builtin_prefetch(&w->seen[f->to.slot >> 6], 1);
		w->found[n++] = *f;
	}
	for (uint32_t i = 0; i < n; i++)
		reach(w, &w->found[i]);
	w->nfound = 0;
}

static inline void find(struct walk *w, uint64_t value, uint32_t word)
{
	w->found[w->nfound++] = (struct found){.value = value, .link = {w->from, word}};
	if (w->nfound == FOUND_AT_ONCE)
		look_up(w);
}

__attribute__((always_inline)) static inline void visit(void *ctx, gh_addr at, uint64_t value)
{
	struct walk *w = ctx;

	find(w, value, (uint32_t)((at - w->base) / 8));
}

static void walk_waiting(struct walk *w)
{
	for (uint32_t i = 0; i < w->waiting; i++) {
		struct gh_word_slot t = gh_word_slot(w->m, w->ring[i]);

		w->from = gh_node_of_slot(w->graph, t.slot);
		w->base = t.base;
		gh_object_words(w->m, t.base, t.page, visit, w);
	}
	w->waiting = 0;
	look_up(w);
}

static inline void walk_later(struct walk *w, gh_addr base, const struct gh_page *page)
{
	if (!page->is_lost)
		gh_object_prefetch(w->m, base, page);
	w->ring[w->waiting++] = base;
	if (w->waiting == RING)
		walk_waiting(w);
}

/* Objects of a span whose bits are set; the bits are taken back. */
static void walk_span(struct walk *w, const struct gh_span *span)
{
	uint64_t slot = span->slot0, end = slot + span->nelems;

	while (slot < end) {
		uint64_t *word = &w->now.bits[slot >> 6], first = slot & 63;
		uint64_t n = gh_min_u64(64 - first, end - slot);
		uint64_t mask = (n == 64 ? UINT64_MAX : (1ULL << n) - 1) << first;
		uint64_t bits = *word & mask;

		*word &= ~mask;
		for (; bits; bits &= bits - 1) {
			uint64_t i = (slot & ~63ULL) + (uint64_t)__builtin_ctzll(bits);
			gh_addr base = span->base + (i - span->slot0) * span->elem_bytes;

			walk_later(w, base, gh_page_at(w->m, base));
		}
		slot += n;
	}
}

static struct gh_error *walk_level(struct walk *w, const struct gh_poll *poll)
{
	const struct gh_span_vec *spans = &w->graph->heap->table.spans;
	struct gh_error *err = NULL;

	if (!w->now.is_dense)
		for (size_t i = 0; i < w->now.n; i++)
			walk_later(w, w->now.list[i], gh_page_at(w->m, w->now.list[i]));
	for (size_t i = 0; !err && w->now.is_dense && i < spans->len; i++) {
		if (!gh_span_is_noscan(&spans->data[i]))
			walk_span(w, &spans->data[i]);
		if (i % POLL_EVERY == 0)
			err = gh_poll(poll, "finding shortest paths", w->shortest->reached,
				      w->graph->nobjects);
	}
	walk_waiting(w);
	return err;
}

static struct gh_error *walk_levels(struct walk *w, const struct gh_poll *poll)
{
	struct gh_error *err = NULL;

	for (uint64_t n = 1; !err && (w->next.n || w->next.is_dense); n++) {
		struct level now = w->now;

		w->now = w->next;
		w->next = now;
		w->next.n = 0;
		w->next.is_dense = false;
		err = walk_level(w, poll);
		if (!err && n % POLL_EVERY == 0)
			err = gh_poll(poll, "finding shortest paths", w->shortest->reached,
				      w->graph->nobjects);
	}
	return err;
}

/* Words of which nobody knows where they lie come last. */
static void walk_owner(struct walk *w, gh_node owner)
{
	const struct gh_owner *o = &w->graph->owners.data[owner];
	const struct gh_owner_word *words = &w->graph->words[o->first_word];

	w->from = owner;
	for (uint64_t i = 0; i < o->nwords; i++)
		if (words[i].at)
			find(w, words[i].value, (uint32_t)i);
	for (uint64_t i = 0; i < o->nwords; i++)
		if (!words[i].at)
			find(w, words[i].value, (uint32_t)i);
}

static void walk_owners(struct walk *w, uint32_t turn, uint32_t rank)
{
	const struct gh_owner_vec *owners = &w->graph->owners;

	for (size_t k = 1; k < owners->len; k++)
		if (gh_shortest_turn(owners->data[k].kind) == turn &&
		    gh_shortest_rank(owners->data[k].kind) == rank)
			walk_owner(w, (gh_node)k);
}

static struct gh_error *walk_all(struct walk *w, const struct gh_poll *poll)
{
	struct gh_error *err = NULL;

	for (uint32_t turn = 0; !err && turn < GH_SHORTEST_TURNS; turn++) {
		for (uint32_t rank = 0; rank < GH_SHORTEST_RANKS; rank++)
			walk_owners(w, turn, rank);
		look_up(w);
		err = walk_levels(w, poll);
	}
	return err;
}

static bool level_init(struct level *level, uint64_t nslots)
{
	level->cap = (size_t)gh_max_u64(nslots / DENSE_SHARE, LEAST_LISTED);
	level->list = gh_alloc_array(level->cap, sizeof(*level->list));
	level->bits = gh_alloc_array(gh_bitmap_words(nslots) + 1, sizeof(*level->bits));
	return level->list && level->bits;
}

static void level_deinit(struct level *level)
{
	free(level->list);
	free(level->bits);
}

static struct gh_error *walk(struct walk *w, const struct gh_poll *poll)
{
	uint64_t nslots = w->graph->heap->table.nslots;
	struct gh_error *err;

	w->seen = gh_alloc_array(gh_bitmap_words(nslots) + 1, sizeof(*w->seen));
	if (w->seen && level_init(&w->now, nslots) && level_init(&w->next, nslots))
		err = walk_all(w, poll);
	else
		err = gh_error_nomem();
	free(w->seen);
	level_deinit(&w->now);
	level_deinit(&w->next);
	return err;
}

struct gh_error *gh_shortest_create(const struct gh_owner_graph *graph, const struct gh_poll *poll,
				    struct gh_shortest **ret)
{
	struct gh_budget *budget = gh_runtime_budget(graph->heap->rt);
	uint64_t meanwhile = graph->heap->table.nslots / 8 * 4;
	struct gh_shortest *s = calloc(1, sizeof(*s));
	struct walk w = {.m = graph->mark, .graph = graph, .shortest = s};
	struct gh_error *err;

	if (!s)
		return gh_error_nomem();
	s->graph = graph;
	s->charged_bytes = graph->nobjects * sizeof(*s->links) + meanwhile;
	err = gh_budget_charge(budget, s->charged_bytes, "the shortest paths");
	if (err) {
		free(s);
		return err;
	}
	s->links = gh_alloc_array(graph->nobjects, sizeof(*s->links));
	err = s->links ? walk(&w, poll) : gh_error_nomem();
	gh_budget_give(budget, meanwhile);
	s->charged_bytes -= meanwhile;
	if (err) {
		gh_shortest_destroy(s);
		return err;
	}
	*ret = s;
	return NULL;
}

void gh_shortest_destroy(struct gh_shortest *s)
{
	if (!s)
		return;
	gh_budget_give(gh_runtime_budget(s->graph->heap->rt), s->charged_bytes);
	free(s->links);
	free(s);
}

struct gh_owner_word gh_shortest_word(const struct gh_shortest *s, struct gh_shortest_link link)
{
	struct gh_owner_word word = {0};

	if (gh_node_is_owner(s->graph, link.from))
		return s->graph->words[s->graph->owners.data[link.from].first_word + link.word];
	word.at = gh_heap_slot_base(s->graph->heap, gh_node_slot(s->graph, link.from)) +
		  link.word * 8ULL;
	if (!gh_read_u64(s->graph->heap->rt->image, word.at, &word.value))
		word.at = 0;
	return word;
}

struct search {
	const struct gh_owner_graph *graph;
	struct gh_shortest_link link;
};

/* False: found. */
static bool keep_if_node(void *ctx, size_t range, gh_addr at, uint64_t value)
{
	struct search *search = ctx;
	struct gh_word_slot holder = gh_word_slot(search->graph->mark, at);

	(void)range, (void)value;
	if (holder.slot == GH_SLOT_NONE || !gh_slot_is_node(search->graph, holder.slot))
		return true; // it describes an owner, whose words were looked at
	search->link = (struct gh_shortest_link){gh_node_of_slot(search->graph, holder.slot),
						 (uint32_t)((at - holder.base) / 8)};
	return false;
}

struct gh_error *gh_shortest_leaf(const struct gh_owner_graph *graph, uint64_t slot,
				  const struct gh_poll *poll, struct gh_shortest_link *ret)
{
	struct search search = {.graph = graph};
	struct gh_range range = {.lo = gh_heap_slot_base(graph->heap, slot)};
	struct gh_error *err = NULL;

	range.hi = range.lo + gh_slot_bytes(graph->mark, range.lo,
					    gh_page_at(graph->mark, range.lo));
	for (size_t k = 1; k < graph->owners.len && search.link.from == GH_NODE_ROOT; k++) {
		const struct gh_owner *o = &graph->owners.data[k];

		for (uint64_t i = 0; i < o->nwords; i++)
			if (graph->words[o->first_word + i].value - range.lo < range.hi - range.lo)
				search.link = (struct gh_shortest_link){(gh_node)k, (uint32_t)i};
	}
	if (search.link.from == GH_NODE_ROOT)
		err = gh_referrers_sweep(graph->mark, &range, 1, poll, keep_if_node, &search);
	*ret = search.link;
	return err;
}
