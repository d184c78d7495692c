// SPDX-License-Identifier: Apache-2.0
// One pass over all words of the owner graph, looking for those that lead to a timer or to its
// channel. See timer_verdicts.h.
#include "analysis/timer_verdicts.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "graph/words.h"

enum { SPANS_A_POLL = 1024 };

/* A slot that is looked for. */
struct wanted {
	uint64_t slot;
	uint32_t timer; // of the view
	bool is_channel;
};
GH_VEC(wanted_vec, struct wanted);

struct node_of {
	gh_addr addr;
	gh_node node;
};
GH_VEC(node_of_vec, struct node_of);

struct judge {
	struct gh_session *session;
	struct gh_timer_view *view;
	const struct gh_owner_graph *graph;
	struct wanted_vec wanted; // by slot
	uint64_t *bits;		  // owned: bit a slot that is wanted
	struct node_of_vec timers, goroutines; // owners by address
	uint64_t slot; // of the object whose words are looked at; GH_SLOT_NONE: an owner's
	gh_node above; // that owner, or the first one above the object; NONE: not looked for yet
};

static int by_addr(const void *a, const void *b)
{
	const struct node_of *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static gh_node find_node(const struct node_of_vec *list, gh_addr addr)
{
	struct node_of key = {.addr = addr};
	const struct node_of *found =
		list->len ? bsearch(&key, list->data, list->len, sizeof(key), by_addr) : NULL;

	return found ? found->node : GH_NODE_NONE;
}

static bool list_owners(struct judge *j)
{
	const struct gh_owner_vec *owners = &j->graph->owners;

	for (size_t i = 0; i < owners->len; i++) {
		const struct gh_owner *o = &owners->data[i];
		struct node_of entry = {o->addr, (gh_node)i};

		if (o->kind == GH_ROOT_TIMER && !node_of_vec_push(&j->timers, entry))
			return false;
		if (o->kind == GH_ROOT_GOROUTINE && !node_of_vec_push(&j->goroutines, entry))
			return false;
	}
	if (j->timers.len)
		qsort(j->timers.data, j->timers.len, sizeof(*j->timers.data), by_addr);
	if (j->goroutines.len)
		qsort(j->goroutines.data, j->goroutines.len, sizeof(*j->goroutines.data), by_addr);
	return true;
}

/* Kinds that the program has an object for, and may stop. */
static bool is_judged(const struct gh_timer *t)
{
	return t->state != GH_TIMER_STOPPED &&
	       (t->kind == GH_TIMER_TIMER || t->kind == GH_TIMER_TICKER ||
		t->kind == GH_TIMER_AFTER_FUNC || t->kind == GH_TIMER_CONTEXT);
}

static bool want(struct judge *j, gh_addr addr, size_t timer, bool is_channel)
{
	struct gh_slot_ref ref;

	if (!addr || !gh_heap_find(j->session->heap, addr, &ref))
		return true;
	gh_bitmap_set(j->bits, ref.slot);
	return wanted_vec_push(&j->wanted,
			       (struct wanted){ref.slot, (uint32_t)timer, is_channel});
}

static int by_slot(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return x->timer < y->timer ? -1 : x->timer > y->timer;
}

static bool list_wanted(struct judge *j)
{
	for (size_t i = 0; i < gh_timer_view_len(j->view); i++) {
		const struct gh_timer *t = gh_timer_view_at(j->view, i);
		bool sends = t->kind == GH_TIMER_TIMER || t->kind == GH_TIMER_TICKER;

		if (!is_judged(t))
			continue;
		if (!want(j, t->addr, i, false) || (sends && !want(j, t->arg, i, true)))
			return false;
		j->view->facts[i].verdict = GH_TIMER_UNSTOPPABLE; // until somebody is found
	}
	if (j->wanted.len)
		qsort(j->wanted.data, j->wanted.len, sizeof(*j->wanted.data), by_slot);
	return true;
}

/* The first one that is found; but a package variable says more than a stack. */
static void note_owner(const struct judge *j, struct gh_timer_fact *fact, gh_node owner)
{
	const struct gh_owner *owners = j->graph->owners.data;

	if (owner == GH_NODE_ROOT ||
	    (fact->owner != GH_NODE_NONE && (owners[owner].kind != GH_ROOT_GLOBAL ||
					     owners[fact->owner].kind == GH_ROOT_GLOBAL)))
		return;
	fact->owner = owner;
	fact->goid = owners[owner].goid;
}

/* Somebody has the timer, or its channel: who stops it is worth more than who receives. */
static void note(struct judge *j, const struct wanted *w)
{
	struct gh_timer_fact *fact = &j->view->facts[w->timer];
	const struct gh_timer *t = gh_timer_view_at(j->view, w->timer);
	enum gh_timer_verdict verdict = w->is_channel ? GH_TIMER_IN_USE : GH_TIMER_HELD;

	if (fact->verdict == GH_TIMER_HELD && verdict == GH_TIMER_IN_USE)
		return;
	if (j->above == GH_NODE_NONE)
		j->above = gh_domtree_owner_of_slot(j->session->domtree, j->slot);
	if (j->above == find_node(&j->timers, t->addr))
		return; // its own callback has it, and nobody else has that
	if (fact->verdict != verdict) {
		fact->verdict = verdict;
		fact->owner = GH_NODE_NONE;
		fact->goid = 0;
	}
	note_owner(j, fact, j->above);
}

/* Do the words that are looked at lie in the timer itself, or in its channel? */
static bool is_its_own(const struct judge *j, uint32_t timer)
{
	const struct gh_timer *t = gh_timer_view_at(j->view, timer);
	struct gh_slot_ref ref;

	if (j->slot == GH_SLOT_NONE)
		return false;
	return (gh_heap_find(j->session->heap, t->addr, &ref) && ref.slot == j->slot) ||
	       ((t->kind == GH_TIMER_TIMER || t->kind == GH_TIMER_TICKER) &&
		gh_heap_find(j->session->heap, t->arg, &ref) && ref.slot == j->slot);
}

static void look_at(void *ctx, gh_addr at, uint64_t value)
{
	struct judge *j = ctx;
	struct gh_word_slot t = gh_word_slot(j->graph->mark, value);
	size_t lo = 0, hi = j->wanted.len;

	(void)at;
	if (t.slot == GH_SLOT_NONE || !gh_bitmap_test(j->bits, t.slot))
		return;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (j->wanted.data[mid].slot < t.slot)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < j->wanted.len && j->wanted.data[lo].slot == t.slot; lo++)
		if (!is_its_own(j, j->wanted.data[lo].timer))
			note(j, &j->wanted.data[lo]);
}

static void look_at_owners(struct judge *j)
{
	j->slot = GH_SLOT_NONE;
	for (size_t i = 1; i < j->graph->owners.len; i++) {
		const struct gh_owner *o = &j->graph->owners.data[i];

		j->above = (gh_node)i;
		for (uint64_t k = 0; k < o->nwords; k++)
			look_at(j, 0, j->graph->words[o->first_word + k].value);
	}
}

static void look_at_span(struct judge *j, const struct gh_span *span)
{
	struct gh_mark *m = j->graph->mark;

	for (uint32_t i = 0; i < span->nelems; i++) {
		gh_addr base = span->base + i * span->elem_bytes;

		j->slot = span->slot0 + i;
		j->above = GH_NODE_NONE;
		if (gh_slot_is_node(j->graph, j->slot))
			gh_object_words(m, base, gh_page_at(m, base), look_at, j);
	}
}

static struct gh_error *look_at_objects(struct judge *j)
{
	const struct gh_span_vec *spans = &j->session->heap->table.spans;
	struct gh_error *err = NULL;

	for (size_t i = 0; i < spans->len && !err; i++) {
		if (i % SPANS_A_POLL == 0)
			err = gh_poll(&j->session->poll, "looking for who holds timers", i,
				      spans->len);
		if (!err && !gh_span_is_noscan(&spans->data[i]))
			look_at_span(j, &spans->data[i]);
	}
	return err;
}

/* A goroutine sleeps by its timer; it may stand in the queue of a timer's channel. */
static void note_goroutines(struct judge *j)
{
	for (size_t i = 0; i < gh_timer_view_len(j->view); i++) {
		const struct gh_timer *t = gh_timer_view_at(j->view, i);
		struct gh_timer_fact *fact = &j->view->facts[i];
		gh_addr g = t->kind == GH_TIMER_SLEEP		   ? t->arg
			    : fact->verdict == GH_TIMER_IN_USE ? fact->receiver
								   : 0;
		gh_node node = g ? find_node(&j->goroutines, g) : GH_NODE_NONE;

		if (node == GH_NODE_NONE || t->state == GH_TIMER_STOPPED)
			continue;
		fact->verdict = GH_TIMER_IN_USE;
		fact->owner = GH_NODE_NONE;
		note_owner(j, fact, node);
	}
}

static void note_retained(struct judge *j)
{
	for (size_t i = 0; i < j->view->timers.list.len; i++) {
		gh_node node = find_node(&j->timers, j->view->timers.list.data[i].addr);

		if (node == GH_NODE_NONE)
			continue;
		j->view->facts[i].retained = gh_domtree_retained(j->session->domtree, node);
		j->view->facts[i].has_retained = true;
	}
}

static struct gh_error *judge(struct judge *j)
{
	struct gh_error *err;

	if (!list_owners(j))
		return gh_error_nomem();
	if (!list_wanted(j))
		return gh_error_nomem();
	look_at_owners(j);
	err = look_at_objects(j);
	if (err)
		return err;
	note_goroutines(j);
	note_retained(j);
	return NULL;
}

struct gh_error *gh_timer_verdicts(struct gh_session *session, struct gh_timer_view *view)
{
	struct judge j = {.session = session, .view = view, .graph = session->owners};
	struct gh_error *err;

	j.bits = gh_alloc_array(gh_bitmap_words(session->heap->table.nslots) + 1, sizeof(*j.bits));
	err = j.bits ? judge(&j) : gh_error_nomem();
	free(j.bits);
	wanted_vec_deinit(&j.wanted);
	node_of_vec_deinit(&j.timers);
	node_of_vec_deinit(&j.goroutines);
	return err;
}
