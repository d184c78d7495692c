// SPDX-License-Identifier: Apache-2.0
// Objects right below the root of the dominator tree that are no owners: several owners hold them.
// Who does is a question to the graph of these objects and owners, with all that each of them
// dominates folded into it. See retained.h.
#include <stdlib.h>

#include "analysis/retained.h"
#include "base/budget.h"
#include "base/cleanup.h"
#include "graph/words.h"

enum {
	POLL_EVERY = 1 << 10, // spans
	BYTES_A_NODE = 4,
	MAX_WALK = 1 << 12, // places that are looked at for the owners of one object
};
#define FROM_UNKNOWN UINT32_MAX

GH_VEC(place_vec, uint32_t);

struct find {
	const struct gh_owner_graph *graph;
	const struct gh_domtree *tree;
	struct gh_mark *m;
	uint32_t *top;	       // owned: by place: the one below the root that dominates it
	struct gh_hold_vec holds; // by from
	struct place_vec todo; // shared ones whose owners became more
	struct gh_shared *of;  // owned: by number of the shared one
	uint32_t *number;      // owned: by place: of the shared one; of others nothing
	uint32_t nshared;
	uint64_t *slots; // owned: bit a slot of a shared one
	gh_node node;	 // whose words are followed
	uint32_t from;	 // the one below the root that dominates it; FROM_UNKNOWN: not looked up
	bool nomem;
};

static bool is_shared(const struct find *f, uint32_t place)
{
	return place && !f->tree->idom[place] &&
	       !gh_node_is_owner(f->graph, f->tree->node[place]);
}

static void add_hold(struct find *f, uint64_t slot)
{
	const struct gh_hold *last = f->holds.len ? &f->holds.data[f->holds.len - 1] : NULL;
	uint32_t place = f->tree->place[gh_node_of_slot(f->graph, slot)];

	if (f->from == FROM_UNKNOWN)
		f->from = f->top[f->tree->place[f->node]];
	if (f->from == place || (last && last->from == f->from && last->to == place))
		return;
	f->nomem |= !gh_hold_vec_push(&f->holds, (struct gh_hold){place, f->from});
}

/* Few words lead to what is shared, so that one bit has to be looked at. */
__attribute__((always_inline)) static inline void note_hold(void *ctx, gh_addr at, uint64_t value)
{
	struct find *f = ctx;
	struct gh_word_slot t = gh_word_slot(f->m, value);

	(void)at;
	if (t.slot != GH_SLOT_NONE && gh_bitmap_test(f->slots, t.slot))
		add_hold(f, t.slot);
}

static struct gh_error *collect(struct find *f, const struct gh_poll *poll)
{
	const struct gh_span_vec *spans = &f->graph->heap->table.spans;
	struct gh_error *err = NULL;

	for (gh_node owner = 1; owner < f->graph->owners.len; owner++) {
		const struct gh_owner *o = &f->graph->owners.data[owner];

		f->node = owner;
		f->from = FROM_UNKNOWN;
		for (uint64_t i = 0; i < o->nwords; i++)
			note_hold(f, 0, f->graph->words[o->first_word + i].value);
	}
	for (size_t i = 0; i < spans->len && !err; i++) {
		const struct gh_span *span = &spans->data[i];

		for (uint32_t k = 0; k < span->nelems && !gh_span_is_noscan(span); k++) {
			gh_addr base = span->base + k * span->elem_bytes;

			if (!gh_bitmap_test(f->graph->nodes, span->slot0 + k))
				continue;
			f->node = gh_node_of_slot(f->graph, span->slot0 + k);
			f->from = FROM_UNKNOWN;
			gh_object_words(f->m, base, gh_page_at(f->m, base), note_hold, f);
		}
		if (i % POLL_EVERY == 0)
			err = gh_poll(poll, "finding who shares", i, spans->len);
	}
	return err || !f->nomem ? err : gh_error_nomem();
}

static int by_from(const void *a, const void *b)
{
	const struct gh_hold *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

/* What tells people most comes first; then the order of owners. */
static uint64_t rank(const struct gh_owner_graph *graph, gh_node owner)
{
	static const uint8_t order[GH_ROOT_KINDS] = {
		[GH_ROOT_GLOBAL] = 0,  [GH_ROOT_GOROUTINE] = 1, [GH_ROOT_TIMER] = 2,
		[GH_ROOT_DEFER] = 3,   [GH_ROOT_FINALIZER] = 4, [GH_ROOT_CLEANUP] = 5,
		[GH_ROOT_WEAK] = 6,    [GH_ROOT_RUNTIME] = 7};

	return (uint64_t)order[graph->owners.data[owner].kind] << 32 | owner;
}

/* One more owner, the first ones kept. True: that changes something. */
static bool add_owner(const struct find *f, struct gh_shared *s, gh_node owner)
{
	uint32_t at = 0;

	while (at < s->nowners && rank(f->graph, s->owners[at]) < rank(f->graph, owner))
		at++;
	if (at < s->nowners && s->owners[at] == owner)
		return false;
	if (at == GH_SHARERS_KEPT) {
		bool changed = !s->more;

		s->more = true;
		return changed;
	}
	if (s->nowners == GH_SHARERS_KEPT)
		s->more = true;
	else
		s->nowners++;
	for (uint32_t i = s->nowners - 1; i > at; i--)
		s->owners[i] = s->owners[i - 1];
	s->owners[at] = owner;
	return true;
}

static void hand_on(struct find *f, uint32_t from, uint32_t to)
{
	struct gh_shared *s = &f->of[f->number[to]];
	bool changed = false;

	if (is_shared(f, from)) {
		const struct gh_shared *other = &f->of[f->number[from]];

		for (uint32_t i = 0; i < other->nowners; i++)
			changed |= add_owner(f, s, other->owners[i]);
		changed |= other->more && !s->more;
		s->more |= other->more;
	} else {
		changed = add_owner(f, s, f->tree->node[from]);
	}
	if (changed)
		f->nomem |= !place_vec_push(&f->todo, to);
}

/* From the owners on, until nobody learns of a new one: each can learn a handful of times. */
static void spread(struct find *f)
{
	for (size_t i = 0; i < f->holds.len; i++)
		if (!is_shared(f, f->holds.data[i].from))
			hand_on(f, f->holds.data[i].from, f->holds.data[i].to);
	while (f->todo.len && !f->nomem) {
		uint32_t from = f->todo.data[--f->todo.len];
		size_t lo = 0, hi = f->holds.len;

		while (lo < hi) {
			size_t mid = lo + (hi - lo) / 2;

			if (f->holds.data[mid].from < from)
				lo = mid + 1;
			else
				hi = mid;
		}
		for (; lo < f->holds.len && f->holds.data[lo].from == from; lo++)
			hand_on(f, from, f->holds.data[lo].to);
	}
}

static uint64_t slot_words(const struct find *f)
{
	return gh_bitmap_words(f->graph->heap->table.nslots) + 1;
}

static bool prepare(struct find *f)
{
	f->top = gh_alloc_array(f->tree->n, sizeof(*f->top));
	f->number = gh_alloc_array(f->tree->n, sizeof(*f->number));
	f->slots = gh_alloc_array(slot_words(f), sizeof(*f->slots));
	if (!f->top || !f->number || !f->slots)
		return false;
	for (uint32_t i = 1; i < f->tree->n; i++) {
		f->top[i] = f->tree->idom[i] ? f->top[f->tree->idom[i]] : i;
		if (!is_shared(f, i))
			continue;
		f->number[i] = f->nshared++;
		gh_bitmap_set(f->slots, gh_node_slot(f->graph, f->tree->node[i]));
	}
	f->of = gh_alloc_array(f->nshared, sizeof(*f->of));
	return f->of != NULL;
}

static int by_bytes(const void *a, const void *b)
{
	const struct gh_shared *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static int by_to(const void *a, const void *b)
{
	const struct gh_hold *x = a, *y = b;

	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return x->from < y->from ? -1 : x->from > y->from;
}

static void hand_over(struct find *f, struct gh_sharing *ret)
{
	for (uint32_t i = 1; i < f->tree->n; i++) {
		struct gh_shared *s;

		if (!is_shared(f, i))
			continue;
		s = &f->of[f->number[i]];
		s->place = i;
		s->bytes = f->tree->retained[i];
		s->objects = f->tree->count[i];
		s->addr = gh_heap_slot_base(f->graph->heap,
					    gh_node_slot(f->graph, f->tree->node[i]));
	}
	ret->all = (struct gh_shared_vec){f->of, f->nshared, f->nshared};
	ret->holds = f->holds;
	f->of = NULL;
	f->holds = (struct gh_hold_vec){0};
	if (ret->all.len)
		qsort(ret->all.data, ret->all.len, sizeof(*ret->all.data), by_bytes);
	if (ret->holds.len)
		qsort(ret->holds.data, ret->holds.len, sizeof(*ret->holds.data), by_to);
}

struct gh_error *gh_sharing_create(struct gh_session *session, struct gh_sharing *ret)
{
	struct gh_error *err = gh_session_dominators(session);
	struct gh_budget *budget = session->target->budget;
	struct find f = {0};
	uint64_t bytes;

	*ret = (struct gh_sharing){.session = session};
	if (err)
		return err;
	f.graph = session->owners;
	f.tree = session->domtree;
	f.m = session->mark;
	bytes = (uint64_t)f.tree->n * 2 * BYTES_A_NODE + slot_words(&f) * sizeof(*f.slots);
	err = gh_budget_charge(budget, bytes, "who shares what");
	if (err)
		return err;
	ret->seen = gh_alloc_array(gh_bitmap_words(f.tree->n), sizeof(*ret->seen));
	err = ret->seen && prepare(&f) ? collect(&f, &session->poll) : gh_error_nomem();
	if (!err) {
		if (f.holds.len)
			qsort(f.holds.data, f.holds.len, sizeof(*f.holds.data), by_from);
		spread(&f);
		if (f.nomem)
			err = gh_error_nomem();
		else
			hand_over(&f, ret);
	}
	gh_budget_give(budget, bytes);
	free(f.top);
	free(f.number);
	free(f.slots);
	free(f.of);
	gh_hold_vec_deinit(&f.holds);
	place_vec_deinit(&f.todo);
	return err;
}

void gh_sharing_deinit(struct gh_sharing *sharing)
{
	gh_shared_vec_deinit(&sharing->all);
	gh_hold_vec_deinit(&sharing->holds);
	free(sharing->seen);
	free(sharing->by_place);
	sharing->by_place = NULL;
}

struct gh_error *gh_sharing_index(struct gh_sharing *sharing)
{
	const struct gh_domtree *tree = sharing->session->domtree;

	sharing->by_place = gh_alloc_array(tree->n, sizeof(*sharing->by_place));
	if (!sharing->by_place)
		return gh_error_nomem();
	for (size_t i = 0; i < sharing->all.len; i++)
		if (sharing->all.data[i].place < tree->n)
			sharing->by_place[sharing->all.data[i].place] = (uint32_t)i + 1;
	return NULL;
}

const struct gh_shared *gh_sharing_of(const struct gh_sharing *sharing, gh_node node)
{
	const struct gh_domtree *tree = sharing->session->domtree;
	uint32_t place = tree->place[node];

	while (place && tree->idom[place])
		place = tree->idom[place];
	return sharing->by_place[place] ? &sharing->all.data[sharing->by_place[place] - 1] : NULL;
}

/* The first hold of that target. */
static size_t first_hold(const struct gh_sharing *sharing, uint32_t to)
{
	size_t lo = 0, hi = sharing->holds.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (sharing->holds.data[mid].to < to)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/*
 * Backwards along what holds what: at each step the owners first; `limit` places at most. False: it
 * was cut short, or memory ran out.
 */
static bool visit_owners(const struct gh_sharing *sharing, const struct gh_shared *shared,
			 size_t limit, gh_sharer_fn fn, void *ctx)
{
	const struct gh_owner_graph *graph = sharing->session->owners;
	const struct gh_domtree *tree = sharing->session->domtree;
	struct place_vec todo = {0};
	size_t step_end = 1; // of those as far away as the one at hand
	bool ok = place_vec_push(&todo, shared->place);
	uint32_t step = 0;

	for (size_t next = 0; ok && next < todo.len; next++) {
		uint32_t to = todo.data[next];

		if (next == step_end) {
			step_end = todo.len;
			step++;
		}
		for (size_t i = first_hold(sharing, to);
		     ok && i < sharing->holds.len && sharing->holds.data[i].to == to; i++) {
			uint32_t from = sharing->holds.data[i].from;

			if (gh_bitmap_test_and_set(sharing->seen, from))
				continue;
			ok = todo.len < limit && place_vec_push(&todo, from);
			if (ok && gh_node_is_owner(graph, tree->node[from]))
				ok = fn(ctx, tree->node[from], step);
			else if (!ok)
				gh_bitmap_clear(sharing->seen, from);
		}
	}
	for (size_t i = 0; i < todo.len; i++)
		gh_bitmap_clear(sharing->seen, todo.data[i]);
	place_vec_deinit(&todo);
	return ok;
}

/* Owners of one shared object, the nearest first. */
struct nearest {
	const struct gh_owner_graph *graph;
	gh_node owners[GH_SHARERS_KEPT];
	uint32_t n, before; // kept; of these: nearer than those that are found now
	uint32_t step;
	uint64_t total;
};

static bool keep_nearest(void *ctx, gh_node owner, uint32_t step)
{
	struct nearest *near = ctx;
	uint32_t at;

	if (step != near->step)
		near->before = near->n;
	near->step = step;
	near->total++;
	at = near->before;
	while (at < near->n && rank(near->graph, near->owners[at]) < rank(near->graph, owner))
		at++;
	if (at == GH_SHARERS_KEPT)
		return true;
	near->n = near->n < GH_SHARERS_KEPT ? near->n + 1 : GH_SHARERS_KEPT;
	for (uint32_t i = near->n - 1; i > at; i--)
		near->owners[i] = near->owners[i - 1];
	near->owners[at] = owner;
	return true;
}

bool gh_sharing_owners(const struct gh_sharing *sharing, const struct gh_shared *shared,
		       gh_sharer_fn fn, void *ctx)
{
	return visit_owners(sharing, shared, MAX_WALK, fn, ctx);
}

/* Does one of the first n owners print like this one? */
static bool was_named(const struct gh_owner_graph *graph, const gh_node *owners, uint32_t n,
		      const struct gh_strbuf *name)
{
	for (uint32_t i = 0; i < n; i++) {
		_cleanup_strbuf_ struct gh_strbuf other = {0};

		gh_owner_describe(graph, owners[i], &other);
		if (other.len == name->len && !memcmp(other.data, name->data, name->len))
			return true;
	}
	return false;
}

static void describe_owners(const struct gh_owner_graph *graph, const gh_node *owners, uint32_t n,
			    bool more, uint64_t total, struct gh_strbuf *sb)
{
	uint32_t named = 0;
	size_t last = 0; // where the last name begins

	for (uint32_t i = 0; i < n; i++) {
		_cleanup_strbuf_ struct gh_strbuf name = {0};

		gh_owner_describe(graph, owners[i], &name);
		if (!name.len || was_named(graph, owners, i, &name))
			continue;
		gh_strbuf_puts(sb, named++ ? ", " : "");
		last = sb->len;
		gh_strbuf_puts(sb, gh_strbuf_str(&name));
	}
	if (more && total > n) {
		gh_strbuf_printf(sb, " and %llu others", (unsigned long long)total - n);
	} else if (more) {
		gh_strbuf_puts(sb, " and others");
	} else if (named == 1 && n > 1) {
		gh_strbuf_printf(sb, " (%u of that name)", n);
	} else if (named > 1) {
		_cleanup_strbuf_ struct gh_strbuf tail = {0};

		gh_strbuf_puts(&tail, gh_strbuf_str(sb) + last);
		sb->len = last - 2;
		gh_strbuf_puts(sb, " and ");
		gh_strbuf_puts(sb, gh_strbuf_str(&tail));
	}
}

void gh_sharing_describe(const struct gh_sharing *sharing, const struct gh_shared *s,
			 bool nearest, struct gh_strbuf *sb)
{
	struct nearest near = {.graph = sharing->session->owners};
	bool counted = nearest && visit_owners(sharing, s, SIZE_MAX, keep_nearest, &near);

	describe_owners(sharing->session->owners, counted ? near.owners : s->owners,
			counted ? near.n : s->nowners, counted ? near.total > near.n : s->more,
			counted ? near.total : 0, sb);
}
