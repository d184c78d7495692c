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
};

/** Something below the root holds an object below the root. Places in the tree. */
struct hold {
	uint32_t from, to;
};
GH_VEC(hold_vec, struct hold);
GH_VEC(place_vec, uint32_t);

struct find {
	const struct gh_owner_graph *graph;
	const struct gh_domtree *tree;
	struct gh_mark *m;
	uint32_t *top;	       // owned: by place: the one below the root that dominates it
	struct hold_vec holds; // by from, no doubles
	struct place_vec todo; // shared ones whose owners became more
	struct gh_shared *of;  // owned: by number of the shared one
	uint32_t *number;      // owned: by place: of the shared one; of others nothing
	uint32_t nshared;
	uint32_t from; // whose words are followed
	bool nomem;
};

static bool is_shared(const struct find *f, uint32_t place)
{
	return place && !f->tree->idom[place] &&
	       !gh_node_is_owner(f->graph, f->tree->node[place]);
}

__attribute__((always_inline)) static inline void note_hold(void *ctx, gh_addr at, uint64_t value)
{
	struct find *f = ctx;
	struct gh_word_slot t = gh_word_slot(f->m, value);
	const struct hold *last = f->holds.len ? &f->holds.data[f->holds.len - 1] : NULL;
	uint32_t place;

	(void)at;
	if (t.slot == GH_SLOT_NONE || !gh_slot_is_node(f->graph, t.slot))
		return;
	place = f->tree->place[gh_node_of_slot(f->graph, t.slot)];
	if (f->tree->idom[place] || f->from == place ||
	    (last && last->from == f->from && last->to == place))
		return;
	f->nomem |= !hold_vec_push(&f->holds, (struct hold){f->from, place});
}

static struct gh_error *collect(struct find *f, const struct gh_poll *poll)
{
	const struct gh_span_vec *spans = &f->graph->heap->table.spans;
	struct gh_error *err = NULL;

	for (gh_node owner = 1; owner < f->graph->owners.len; owner++) {
		const struct gh_owner *o = &f->graph->owners.data[owner];

		f->from = f->top[f->tree->place[owner]];
		for (uint64_t i = 0; i < o->nwords; i++)
			note_hold(f, 0, f->graph->words[o->first_word + i].value);
	}
	for (size_t i = 0; i < spans->len && !err; i++) {
		const struct gh_span *span = &spans->data[i];

		for (uint32_t k = 0; k < span->nelems && !gh_span_is_noscan(span); k++) {
			gh_addr base = span->base + k * span->elem_bytes;

			if (!gh_bitmap_test(f->graph->nodes, span->slot0 + k))
				continue;
			f->from = f->top[f->tree->place[gh_node_of_slot(f->graph,
									span->slot0 + k)]];
			gh_object_words(f->m, base, gh_page_at(f->m, base), note_hold, f);
		}
		if (i % POLL_EVERY == 0)
			err = gh_poll(poll, "finding who shares", i, spans->len);
	}
	return err || !f->nomem ? err : gh_error_nomem();
}

static int by_from(const void *a, const void *b)
{
	const struct hold *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

/* One more owner, the smallest ones kept. True: that changes something. */
static bool add_owner(struct gh_shared *s, gh_node owner)
{
	uint32_t at = 0;

	while (at < s->nowners && s->owners[at] < owner)
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
			changed |= add_owner(s, other->owners[i]);
		changed |= other->more && !s->more;
		s->more |= other->more;
	} else {
		changed = add_owner(s, f->tree->node[from]);
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

static bool prepare(struct find *f)
{
	f->top = gh_alloc_array(f->tree->n, sizeof(*f->top));
	f->number = gh_alloc_array(f->tree->n, sizeof(*f->number));
	if (!f->top || !f->number)
		return false;
	for (uint32_t i = 1; i < f->tree->n; i++) {
		f->top[i] = f->tree->idom[i] ? f->top[f->tree->idom[i]] : i;
		if (is_shared(f, i))
			f->number[i] = f->nshared++;
	}
	f->of = gh_alloc_array(f->nshared, sizeof(*f->of));
	return f->of != NULL;
}

static int by_owners(const void *a, const void *b)
{
	const struct gh_shared *x = a, *y = b;
	int order = memcmp(x->owners, y->owners, sizeof(x->owners));

	return order ? order : (int)x->more - (int)y->more;
}

static int by_bytes(const void *a, const void *b)
{
	const struct gh_shared *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return by_owners(a, b);
}

/* Those with the same owners in one row. */
static bool group(struct find *f, struct gh_shared_vec *ret)
{
	size_t first = ret->len;

	for (uint32_t i = 1; i < f->tree->n; i++) {
		if (!is_shared(f, i))
			continue;
		f->of[f->number[i]].bytes = f->tree->retained[i];
		f->of[f->number[i]].objects = f->tree->count[i];
	}
	if (f->nshared)
		qsort(f->of, f->nshared, sizeof(*f->of), by_owners);
	for (uint32_t i = 0; i < f->nshared; i++) {
		struct gh_shared *last = ret->len > first ? &ret->data[ret->len - 1] : NULL;

		if (last && !by_owners(last, &f->of[i])) {
			last->bytes += f->of[i].bytes;
			last->objects += f->of[i].objects;
		} else if (!gh_shared_vec_push(ret, f->of[i])) {
			return false;
		}
	}
	if (ret->len > first)
		qsort(ret->data + first, ret->len - first, sizeof(*ret->data), by_bytes);
	return true;
}

struct gh_error *gh_shared_find(struct gh_session *session, struct gh_shared_vec *ret)
{
	struct gh_error *err = gh_session_dominators(session);
	struct gh_budget *budget = session->target->budget;
	struct find f = {0};
	uint64_t bytes;

	if (err)
		return err;
	f.graph = session->owners;
	f.tree = session->domtree;
	f.m = session->mark;
	bytes = (uint64_t)f.tree->n * 2 * BYTES_A_NODE;
	err = gh_budget_charge(budget, bytes, "who shares what");
	if (err)
		return err;
	err = prepare(&f) ? collect(&f, &session->poll) : gh_error_nomem();
	if (!err) {
		if (f.holds.len)
			qsort(f.holds.data, f.holds.len, sizeof(*f.holds.data), by_from);
		spread(&f);
		err = !f.nomem && group(&f, ret) ? NULL : gh_error_nomem();
	}
	gh_budget_give(budget, bytes);
	free(f.top);
	free(f.number);
	free(f.of);
	hold_vec_deinit(&f.holds);
	place_vec_deinit(&f.todo);
	return err;
}
