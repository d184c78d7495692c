// SPDX-License-Identifier: Apache-2.0
// See sharing.h. Who holds a shared object is a question to the graph of these objects and of
// owners, with all that each of them dominates folded into it.
#include "analysis/sharing.h"

#include <stdlib.h>

#include "base/budget.h"
#include "goruntime/runtime.h"
#include "graph/page_filter.h"
#include "graph/words.h"

enum { POLL_EVERY = 1 << 10 }; // spans
#define FROM_UNKNOWN UINT32_MAX

GH_VEC(place_vec, uint32_t);

struct find {
	const struct gh_owner_graph *graph;
	const struct gh_domtree *tree;
	const struct gh_poll *poll;
	struct gh_budget *budget;
	struct gh_sharing *ret;
	uint32_t *first;       // owned: by place: the first hold from it
	struct gh_hold_vec holds;
	struct place_vec todo; // that an owner was found to lead to
	uint64_t *slots; // owned: bit a slot of a shared one
	struct gh_page_filter pages; // of these slots
	gh_node node;	 // whose words are followed
	uint32_t from;	 // the one below the root that dominates it; FROM_UNKNOWN: not looked up
	bool nomem;
};

/* The one below the root that dominates it, or itself. */
static uint32_t top_of(const struct find *f, uint32_t place)
{
	return gh_is_shared(f->tree, place) ? place : f->ret->number[place];
}

static void add_hold(struct find *f, uint64_t slot)
{
	const struct gh_hold *last = f->holds.len ? &f->holds.data[f->holds.len - 1] : NULL;
	uint32_t place = f->tree->place[gh_node_of_slot(f->graph, slot)];

	if (f->from == FROM_UNKNOWN)
		f->from = top_of(f, f->tree->place[f->node]);
	if (f->from == place || (last && last->from == f->from && last->to == place))
		return;
	f->nomem |= !gh_hold_vec_push(&f->holds, (struct gh_hold){place, f->from});
}

/* Few words lead to what is shared: most pages have nothing of it. */
__attribute__((always_inline)) static inline void note_hold(void *ctx, gh_addr at, uint64_t value)
{
	struct find *f = ctx;
	struct gh_word_slot t;

	(void)at;
	if (!gh_page_filter_test(&f->pages, value))
		return;
	t = gh_word_slot(f->graph->mark, value);
	if (t.slot != GH_SLOT_NONE && gh_bitmap_test(f->slots, t.slot))
		add_hold(f, t.slot);
}

static void look_at_span(struct find *f, const struct gh_span *span)
{
	struct gh_mark *m = f->graph->mark;

	for (uint32_t k = 0; k < span->nelems; k++) {
		gh_addr base = span->base + k * span->elem_bytes;

		if (!gh_slot_is_node(f->graph, span->slot0 + k))
			continue;
		f->node = gh_node_of_slot(f->graph, span->slot0 + k);
		f->from = FROM_UNKNOWN;
		gh_object_words(m, base, gh_page_at(m, base), note_hold, f);
	}
}

/* Holds are charged as they are found, with the room to sort them. */
static struct gh_error *charge_holds(struct find *f, size_t *charged)
{
	size_t more = f->holds.cap - *charged;
	uint64_t bytes = 2 * more * sizeof(*f->holds.data);
	struct gh_error *err;

	if (f->nomem || f->holds.len > UINT32_MAX)
		return gh_error_nomem();
	err = gh_budget_charge(f->budget, bytes, "who shares what");
	if (err)
		return err;
	*charged += more;
	f->ret->charged_bytes += bytes;
	return NULL;
}

/* Has the span a word that may lead to what is shared? */
static bool may_hold(const struct find *f, const struct gh_span *span)
{
	uint64_t n = gh_span_bytes(span) / 8;

	return !gh_span_is_noscan(span) &&
	       (!span->host || gh_page_filter_find(&f->pages, span->host, 0, n) < n);
}

static struct gh_error *collect(struct find *f)
{
	const struct gh_span_vec *spans = &f->graph->heap->table.spans;
	struct gh_error *err = NULL;
	size_t charged = 0;

	for (gh_node owner = 1; owner < f->graph->owners.len; owner++) {
		const struct gh_owner *o = &f->graph->owners.data[owner];

		f->node = owner;
		f->from = FROM_UNKNOWN;
		for (uint64_t i = 0; i < o->nwords; i++)
			note_hold(f, 0, f->graph->words[o->first_word + i].value);
	}
	for (size_t i = 0; i < spans->len && !err; i++) {
		if (may_hold(f, &spans->data[i]))
			look_at_span(f, &spans->data[i]);
		if (i % POLL_EVERY == 0)
			err = gh_poll(f->poll, "finding who shares", i, spans->len);
		if (!err && i % POLL_EVERY == 0)
			err = charge_holds(f, &charged);
	}
	return err ? err : charge_holds(f, &charged);
}

/* Stable, by one end. first: where the holds of each of n places begin, and at [n] where they end. */
static void sort_holds(const struct gh_hold_vec *holds, bool by_to, uint32_t *first, uint32_t n,
		       struct gh_hold *ret)
{
	memset(first, 0, (n + 1ULL) * sizeof(*first));
	for (size_t i = 0; i < holds->len; i++)
		first[1 + (by_to ? holds->data[i].to : holds->data[i].from)]++;
	for (uint32_t p = 0; p < n; p++)
		first[p + 1] += first[p];
	for (size_t i = 0; i < holds->len; i++)
		ret[first[by_to ? holds->data[i].to : holds->data[i].from]++] = holds->data[i];
	memmove(first + 1, first, n * sizeof(*first));
	first[0] = 0;
}

/* What tells people most comes first; then the order of owners. */
uint64_t gh_owner_rank(const struct gh_owner_graph *graph, gh_node owner)
{
	static const uint8_t order[GH_ROOT_KINDS] = {
		[GH_ROOT_GLOBAL] = 0,  [GH_ROOT_GOROUTINE] = 1, [GH_ROOT_TIMER] = 2,
		[GH_ROOT_DEFER] = 3,   [GH_ROOT_FINALIZER] = 4, [GH_ROOT_CLEANUP] = 5,
		[GH_ROOT_WEAK] = 6,    [GH_ROOT_RUNTIME] = 7};

	return (uint64_t)order[graph->owners.data[owner].kind] << 32 | owner;
}

/* An owner of whom holds lead on, by how much it tells people. */
struct source {
	uint64_t rank;
	uint32_t place;
};
GH_VEC(source_vec, struct source);

static int compare_sources(const void *a, const void *b)
{
	uint64_t x = ((const struct source *)a)->rank, y = ((const struct source *)b)->rank;

	return x < y ? -1 : x > y;
}

static struct source_vec list_sources(struct find *f)
{
	struct source_vec sources = {0};

	for (uint32_t p = 1; p < f->tree->n && !f->nomem; p++) {
		struct source s = {.place = p};

		if (f->first[p] == f->first[p + 1] || gh_is_shared(f->tree, p))
			continue;
		s.rank = gh_owner_rank(f->graph, f->tree->node[p]);
		f->nomem |= !source_vec_push(&sources, s);
	}
	if (sources.len)
		qsort(sources.data, sources.len, sizeof(*sources.data), compare_sources);
	return sources;
}

/* False: it is known to have that owner, or more than are kept, and so has all that it leads to. */
static bool add_owner(struct gh_shared *s, gh_node owner)
{
	if (s->more || (s->nowners && s->owners[s->nowners - 1] == owner))
		return false;
	if (s->nowners < GH_SHARERS_KEPT)
		s->owners[s->nowners++] = owner;
	else
		s->more = true;
	return true;
}

/* From one owner after the other, those that tell most first: each object is passed once for each
 * owner that is kept of it, and once more. */
static void spread(struct find *f)
{
	struct source_vec sources = list_sources(f);

	for (size_t k = 0; k < sources.len && !f->nomem; k++) {
		gh_node owner = f->tree->node[sources.data[k].place];

		f->nomem |= !place_vec_push(&f->todo, sources.data[k].place);
		while (f->todo.len && !f->nomem) {
			uint32_t from = f->todo.data[--f->todo.len];

			for (uint32_t i = f->first[from]; i < f->first[from + 1]; i++) {
				uint32_t to = f->holds.data[i].to;

				if (add_owner(&f->ret->all.data[f->ret->number[to]], owner))
					f->nomem |= !place_vec_push(&f->todo, to);
			}
		}
	}
	source_vec_deinit(&sources);
}

/* Sorted by where they come from, they hand on their owners; sorted by where they lead, they stay. */
static bool find_owners(struct find *f)
{
	struct gh_hold *other = gh_alloc_array(f->holds.len, sizeof(*other));
	struct gh_hold *found = f->holds.data;

	f->first = gh_alloc_array(f->tree->n + 1ULL, sizeof(*f->first));
	if (other && f->first && f->holds.len) {
		sort_holds(&f->holds, /* by_to= */ false, f->first, f->tree->n, other);
		f->holds.data = other;
		spread(f);
		sort_holds(&f->holds, /* by_to= */ true, f->first, f->tree->n, found);
		f->holds.data = found;
	}
	f->nomem |= !other || !f->first;
	free(other);
	return !f->nomem;
}

static uint64_t slot_words(const struct find *f)
{
	return gh_bitmap_words(f->graph->heap->table.nslots) + 1;
}

static uint32_t count_shared(const struct gh_domtree *tree)
{
	uint32_t n = 0;

	for (uint32_t i = 1; i < tree->n; i++)
		n += gh_is_shared(tree, i);
	return n;
}

static void add_shared(struct find *f, uint32_t place)
{
	uint64_t slot = gh_node_slot(f->graph, f->tree->node[place]);
	gh_addr base = gh_heap_slot_base(f->graph->heap, slot);
	uint64_t bytes = gh_slot_bytes(f->graph->mark, base, gh_page_at(f->graph->mark, base));
	struct gh_shared_vec *all = &f->ret->all;

	gh_bitmap_set(f->slots, slot);
	gh_page_filter_add(&f->pages, base, base + bytes);
	f->ret->number[place] = (uint32_t)all->len;
	all->data[all->len++] =
		(struct gh_shared){.addr = base,
				   .bytes = f->tree->retained[place],
				   .objects = f->tree->count[place],
				   .place = place};
}

/* All that are shared, their owners not known yet. False: out of memory. */
static bool list_shared(struct find *f, uint32_t nshared)
{
	const uint32_t *idom = f->tree->idom;
	struct gh_sharing *ret = f->ret;

	ret->number = gh_alloc_array(f->tree->n, sizeof(*ret->number));
	ret->seen = gh_alloc_array(gh_bitmap_words(f->tree->n), sizeof(*ret->seen));
	ret->left = calloc(1, sizeof(*ret->left));
	ret->all.data = gh_alloc_array(nshared, sizeof(*ret->all.data));
	f->slots = gh_alloc_array(slot_words(f), sizeof(*f->slots));
	if (!ret->number || !ret->seen || !ret->left || !ret->all.data || !f->slots ||
	    !gh_page_filter_init(&f->pages))
		return false;
	ret->all.cap = nshared;
	gh_sharing_begin(ret);
	for (uint32_t i = 1; i < f->tree->n; i++)
		if (gh_is_shared(f->tree, i))
			add_shared(f, i);
		else
			ret->number[i] = idom[i] ? top_of(f, idom[i]) : i;
	return true;
}

static struct gh_error *find_all(struct find *f)
{
	uint32_t nshared = count_shared(f->tree);
	struct gh_error *err;

	f->ret->charged_bytes = nshared * sizeof(*f->ret->all.data) +
				f->tree->n * sizeof(*f->ret->number);
	err = gh_budget_charge(f->budget, f->ret->charged_bytes, "who shares what");
	if (err) {
		f->ret->charged_bytes = 0;
		return err;
	}
	err = list_shared(f, nshared) ? collect(f) : gh_error_nomem();
	if (err)
		return err;
	return find_owners(f) ? NULL : gh_error_nomem();
}

struct gh_error *gh_sharing_create(struct gh_owner_graph *graph, const struct gh_domtree *tree,
				   const struct gh_poll *poll, struct gh_sharing **ret)
{
	struct find f = {.graph = graph,
			 .tree = tree,
			 .poll = poll,
			 .budget = gh_runtime_budget(graph->heap->rt),
			 .ret = calloc(1, sizeof(**ret))};
	uint64_t bytes = tree->n * sizeof(*f.first) +
			 slot_words(&f) * sizeof(*f.slots);
	struct gh_error *err = f.ret ? gh_budget_charge(f.budget, bytes, "who shares what")
				     : gh_error_nomem();

	if (!err) {
		f.ret->graph = graph;
		f.ret->tree = tree;
		err = find_all(&f);
		f.ret->holds = f.holds;
		gh_budget_give(f.budget, bytes);
	}
	free(f.first);
	free(f.slots);
	gh_page_filter_deinit(&f.pages);
	place_vec_deinit(&f.todo);
	if (err) {
		gh_sharing_destroy(f.ret);
		return err;
	}
	*ret = f.ret;
	return NULL;
}

void gh_sharing_destroy(struct gh_sharing *sharing)
{
	if (!sharing)
		return;
	if (sharing->graph)
		gh_budget_give(gh_runtime_budget(sharing->graph->heap->rt),
			       sharing->charged_bytes);
	gh_shared_vec_deinit(&sharing->all);
	gh_hold_vec_deinit(&sharing->holds);
	free(sharing->seen);
	free(sharing->left);
	free(sharing->number);
	free(sharing);
}
