// SPDX-License-Identifier: Apache-2.0
// One pass over all words of the owner graph, looking for those that lead to a timer or to its
// channel. See timer_verdicts.h.
#include "analysis/timer_verdicts.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/timer_numbers.h"
#include "base/budget.h"
#include "base/radix.h"
#include "graph/weak.h"
#include "graph/words.h"

enum {
	SPANS_A_POLL = 1024,
	MAX_IN_A_SLOT = 16, // timers: package time allocates each by itself
	BLOCK = 64,
};

/* What is looked for, by slot: its timer's index in the view, and whether it is the channel. */
static uint64_t wanted(size_t timer, bool is_channel)
{
	return (uint64_t)timer << 1 | is_channel;
}

struct judge {
	struct gh_session *session;
	struct gh_timer_view *view;
	const struct gh_owner_graph *graph;
	struct gh_key_vec wanted; // by slot
	uint64_t *bits;		  // owned: bit a slot that is wanted
	uint32_t *first;	  // owned: of wanted, the first one of each BLOCK slots; and the end
	gh_node *node;		  // owned: of the timers in heaps: the owner that each is, or NONE
	struct gh_key_vec goroutines; // owners by address of the g
	uint64_t slot; // of the object whose words are looked at; GH_SLOT_NONE: an owner's
	gh_node above; // that owner, or the first one above the object; NONE: not looked for yet
	uint32_t place; // if that is the root of all: the shared object below it, or 0
};

static gh_node find_goroutine(const struct judge *j, gh_addr g)
{
	const struct gh_key_vec *all = &j->goroutines;
	size_t i = gh_first_key(all->data, all->len, g);

	return i < all->len && all->data[i].key == g ? (gh_node)all->data[i].value : GH_NODE_NONE;
}

/* Owners that are timers come in the order of their addresses, as those of the view do. */
static bool list_owners(struct judge *j)
{
	const struct gh_timer_vec *timers = &j->view->list;
	const struct gh_owner_vec *owners = &j->graph->owners;
	size_t timer = 0;

	memset(j->node, 0xff, timers->len * sizeof(*j->node));
	for (size_t i = 0; i < owners->len; i++) {
		const struct gh_owner *o = &owners->data[i];

		if (o->kind == GH_ROOT_GOROUTINE &&
		    !gh_key_vec_push(&j->goroutines, (struct gh_key){o->addr, i}))
			return false;
		if (o->kind != GH_ROOT_TIMER)
			continue;
		while (timer < timers->len && timers->data[timer].addr < o->addr)
			timer++;
		if (timer < timers->len && timers->data[timer].addr == o->addr)
			j->node[timer] = (gh_node)i;
	}
	return gh_sort_keys(j->goroutines.data, j->goroutines.len);
}

static gh_node node_of_timer(const struct judge *j, size_t timer)
{
	return timer < j->view->list.len ? j->node[timer] : GH_NODE_NONE;
}

/* Kinds that the program has an object for, and may stop. */
static bool is_judged(const struct gh_timer *t)
{
	return t->state != GH_TIMER_STOPPED &&
	       (t->kind == GH_TIMER_TIMER || t->kind == GH_TIMER_TICKER ||
		t->kind == GH_TIMER_AFTER_FUNC || t->kind == GH_TIMER_CONTEXT);
}

static uint64_t blocks_of(const struct gh_session *session)
{
	return session->heap->table.nslots / BLOCK + 1;
}

static bool want(struct judge *j, gh_addr addr, size_t timer, bool is_channel)
{
	struct gh_slot_ref ref;

	if (!addr || !gh_heap_find(j->session->heap, addr, &ref))
		return true;
	gh_bitmap_set(j->bits, ref.slot);
	return gh_key_vec_push(&j->wanted, (struct gh_key){ref.slot, wanted(timer, is_channel)});
}

/* Each word that leads to such a slot would concern all timers in it: only damage makes many. */
static void give_up_crowded(struct judge *j)
{
	size_t kept = 0;

	for (size_t i = 0, end; i < j->wanted.len; i = end) {
		for (end = i; end < j->wanted.len; end++)
			if (j->wanted.data[end].key != j->wanted.data[i].key)
				break;
		for (size_t k = i; k < end; k++)
			if (end - i <= MAX_IN_A_SLOT)
				j->wanted.data[kept++] = j->wanted.data[k];
			else
				j->view->facts[j->wanted.data[k].value >> 1].verdict =
					GH_TIMER_UNJUDGED;
	}
	j->wanted.len = kept;
}

static void index_wanted(struct judge *j, uint64_t nblocks)
{
	size_t i = 0;

	for (uint64_t block = 0; block <= nblocks; block++) {
		while (i < j->wanted.len && j->wanted.data[i].key < block * BLOCK)
			i++;
		j->first[block] = (uint32_t)i;
	}
}

/* The first that is wanted of this slot, of which there are some. */
static size_t first_wanted(const struct judge *j, uint64_t slot)
{
	size_t lo = j->first[slot / BLOCK], hi = j->first[slot / BLOCK + 1];

	return lo + gh_first_key(j->wanted.data + lo, hi - lo, slot);
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
	if (!gh_sort_keys(j->wanted.data, j->wanted.len))
		return false;
	give_up_crowded(j);
	index_wanted(j, blocks_of(j->session));
	return true;
}

/* A package variable says more than a stack. */
static bool says_more(const struct judge *j, gh_node owner, gh_node than)
{
	const struct gh_owner *owners = j->graph->owners.data;

	return than == GH_NODE_NONE || (owners[owner].kind == GH_ROOT_GLOBAL &&
					owners[than].kind != GH_ROOT_GLOBAL);
}

static void forget_owners(struct gh_timer_fact *fact)
{
	fact->owner = fact->others[0] = fact->others[1] = GH_NODE_NONE;
	fact->place = 0;
	fact->goid = 0;
	fact->has_more = false;
}

static void note_owner(const struct judge *j, struct gh_timer_fact *fact, gh_node owner)
{
	gh_node before = fact->owner;

	if (owner == GH_NODE_ROOT || owner == before || owner == fact->others[0] ||
	    owner == fact->others[1])
		return;
	if (says_more(j, owner, before)) {
		fact->owner = owner;
		fact->goid = j->graph->owners.data[owner].goid;
		owner = before;
	}
	for (size_t i = 0; i < 2 && owner != GH_NODE_NONE; i++)
		if (fact->others[i] == GH_NODE_NONE) {
			fact->others[i] = owner;
			owner = GH_NODE_NONE;
		}
	fact->has_more |= owner != GH_NODE_NONE;
}

/* Several owners lead to the object: by the one below the root. */
static void note_shared(const struct judge *j, struct gh_timer_fact *fact)
{
	if (!fact->place)
		fact->place = j->place;
	else
		fact->has_more |= fact->place != j->place;
}

/* The owner above the object at hand. */
static void look_up(struct judge *j)
{
	const struct gh_domtree *tree = j->session->domtree;

	j->place = 0;
	j->above = gh_domtree_owner_of_slot(tree, j->slot);
	if (j->above != GH_NODE_ROOT || !gh_slot_is_node(j->graph, j->slot))
		return;
	j->place = gh_domtree_top(tree, gh_node_of_slot(j->graph, j->slot));
}

/* Somebody has the timer, or its channel: who stops it is worth more than who receives. */
static void note(struct judge *j, size_t timer, bool is_channel)
{
	struct gh_timer_fact *fact = &j->view->facts[timer];
	enum gh_timer_verdict verdict = is_channel ? GH_TIMER_IN_USE : GH_TIMER_HELD;

	if (fact->verdict == GH_TIMER_HELD && verdict == GH_TIMER_IN_USE)
		return;
	if (j->above == GH_NODE_NONE)
		look_up(j);
	if (j->above == node_of_timer(j, timer))
		return; // its own callback has it, and nobody else has that
	if (fact->verdict != verdict) {
		fact->verdict = verdict;
		forget_owners(fact);
	}
	if (j->above == GH_NODE_ROOT)
		note_shared(j, fact);
	else
		note_owner(j, fact, j->above);
}

/* Do the words that are looked at lie in the timer itself, or in its channel? */
static bool is_its_own(const struct judge *j, size_t timer)
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

	(void)at;
	if (t.slot == GH_SLOT_NONE || !gh_bitmap_test(j->bits, t.slot))
		return;
	for (size_t i = first_wanted(j, t.slot);
	     i < j->wanted.len && j->wanted.data[i].key == t.slot; i++) {
		size_t timer = j->wanted.data[i].value >> 1;

		if (!is_its_own(j, timer))
			note(j, timer, j->wanted.data[i].value & 1);
	}
}

static void look_at_owners(struct judge *j)
{
	j->slot = GH_SLOT_NONE;
	for (size_t i = 1; i < j->graph->owners.len; i++) {
		const struct gh_owner *o = &j->graph->owners.data[i];

		j->above = (gh_node)i;
		j->place = 0;
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
		gh_node node = g ? find_goroutine(j, g) : GH_NODE_NONE;

		if (node == GH_NODE_NONE || t->state == GH_TIMER_STOPPED)
			continue;
		fact->verdict = GH_TIMER_IN_USE;
		forget_owners(fact);
		note_owner(j, fact, node);
	}
}

static void note_number(void *ctx, uint64_t wanted_slot, uint64_t slot)
{
	struct judge *j = ctx;

	j->slot = slot;
	j->above = slot == GH_SLOT_NONE ? GH_NODE_ROOT : GH_NODE_NONE;
	j->place = 0;
	for (size_t i = first_wanted(j, wanted_slot);
	     i < j->wanted.len && j->wanted.data[i].key == wanted_slot; i++) {
		size_t timer = j->wanted.data[i].value >> 1;
		struct gh_timer_fact *fact = &j->view->facts[timer];

		if (j->wanted.data[i].value & 1 || fact->verdict != GH_TIMER_UNSTOPPABLE ||
		    is_its_own(j, timer))
			continue;
		if (j->above == GH_NODE_NONE)
			look_up(j);
		if (j->above != node_of_timer(j, timer))
			fact->verdict = GH_TIMER_UNJUDGED;
	}
}

/*
 * Who has a weak pointer has its handle and can get at the timer; a handle that the timer's own
 * record alone leads to is nobody's. In go1.24 it shares its slot with other tiny values.
 */
static void note_weak(struct judge *j, size_t timer)
{
	const struct gh_heap *heap = j->session->heap;
	struct gh_slot_ref ref;
	gh_addr handle = 0;

	if (gh_heap_find(heap, gh_timer_view_at(j->view, timer)->addr, &ref))
		handle = gh_weak_handle(heap, ref.slot);
	if (!handle || !gh_heap_find(heap, handle, &ref) || !gh_slot_is_node(j->graph, ref.slot))
		return;
	j->slot = ref.slot;
	j->above = GH_NODE_NONE;
	note(j, timer, false);
}

/*
 * A channel's timer for which nobody waits any more stands in the array until the scheduler tidies
 * that, and does not fire unless somebody waits again: nobody can.
 */
static void note_left(struct judge *j, size_t timer)
{
	struct gh_timer *t = &j->view->list.data[timer];

	if (!t->is_chan || !t->is_zombie)
		return;
	t->state = GH_TIMER_STOPPED;
	t->when_ns = 0;
	j->view->facts[timer].verdict = GH_TIMER_IS_STOPPED;
}

/* Nobody leads to them by a pointer: is that the whole truth? */
static struct gh_error *doubt(struct judge *j)
{
	bool any = false, saw_all = gh_session_saw_all(j->session);

	for (size_t i = 0; i < gh_timer_view_len(j->view); i++) {
		struct gh_timer_fact *fact = &j->view->facts[i];

		if (fact->verdict == GH_TIMER_UNSTOPPABLE)
			note_weak(j, i);
		if (fact->verdict == GH_TIMER_UNSTOPPABLE && i < j->view->list.len)
			note_left(j, i);
		any |= fact->verdict == GH_TIMER_UNSTOPPABLE;
		if (!saw_all && fact->verdict == GH_TIMER_UNSTOPPABLE)
			fact->verdict = GH_TIMER_UNJUDGED;
	}
	return any && saw_all ? gh_timer_numbers(j->session, j->bits, note_number, j) : NULL;
}

static void note_retained(struct judge *j)
{
	for (size_t i = 0; i < j->view->list.len; i++) {
		gh_node node = j->node[i];

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
	if (!err)
		err = doubt(j);
	if (err)
		return err;
	note_goroutines(j);
	note_retained(j);
	return NULL;
}

struct gh_error *gh_timer_verdicts(struct gh_session *session, struct gh_timer_view *view)
{
	struct judge j = {.session = session, .view = view, .graph = session->owners};
	size_t n = view->list.len;
	uint64_t bits = gh_bitmap_words(session->heap->table.nslots) + 1;
	uint64_t blocks = blocks_of(session) + 1;
	uint64_t bytes = bits * sizeof(*j.bits) + blocks * sizeof(*j.first) + n * sizeof(*j.node) +
			 gh_timer_view_len(view) * 2 * sizeof(*j.wanted.data);
	struct gh_error *err = gh_budget_charge(session->target->budget, bytes, "judging timers");

	if (err)
		return err;
	j.bits = gh_alloc_array(bits, sizeof(*j.bits));
	j.node = gh_alloc_array(n, sizeof(*j.node));
	j.first = gh_alloc_array(blocks, sizeof(*j.first));
	err = j.bits && j.first && j.node ? judge(&j) : gh_error_nomem();
	free(j.bits);
	free(j.first);
	free(j.node);
	gh_key_vec_deinit(&j.wanted);
	gh_key_vec_deinit(&j.goroutines);
	gh_budget_give(session->target->budget, bytes);
	return err;
}
