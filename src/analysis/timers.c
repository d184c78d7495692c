// SPDX-License-Identifier: Apache-2.0
// The lists behind timers.h, and who receives. Verdicts are in timer_verdicts.c.
#include "analysis/timers.h"

#include <stdlib.h>

#include "analysis/objects.h"
#include "analysis/timer_verdicts.h"
#include "base/cleanup.h"
#include "base/ring.h"

enum { BATCH = 256, MAX_RECEIVERS = 1 << 20 };

/* Where the timer of an object of one of these types is. */
static gh_addr behind_timer(const struct gh_runtime *rt, gh_addr object)
{
	return gh_timer_of_object(rt, object);
}

static gh_addr itself(const struct gh_runtime *rt, gh_addr object)
{
	(void)rt;
	return object;
}

static gh_addr of_channel(const struct gh_runtime *rt, gh_addr object)
{
	return gh_field_or_zero(rt, object, GH_F_hchan_timer);
}

/* What timers are allocated as, what a goroutine sleeps by, and what leads to a timer (go1.23+). */
static const struct {
	const char *type;
	gh_addr (*timer)(const struct gh_runtime *rt, gh_addr object);
} kinds[] = {
	{"time.Timer", behind_timer},	 {"time.Ticker", behind_timer},
	{"runtime.timeTimer", behind_timer}, {"runtime.timer", itself},
	{"chan time.Time", of_channel},
};

static bool is_timer_type(void *ctx, const char *type)
{
	(void)ctx;
	for (size_t i = 0; i < GH_ARRAY_SIZE(kinds); i++)
		if (!strcmp(type, kinds[i].type))
			return true;
	return false;
}

static gh_addr timer_of(const struct gh_runtime *rt, const struct gh_object *object)
{
	for (size_t i = 0; i < GH_ARRAY_SIZE(kinds); i++)
		if (!strcmp(object->type, kinds[i].type))
			return kinds[i].timer(rt, object->addr);
	return 0;
}

/* Objects come by their addresses, and their timers with them: it is most often near the last one. */
static bool is_listed(struct gh_timer_view *view, gh_addr addr)
{
	const struct gh_timer *list = view->list.data;
	size_t lo = 0, hi = view->list.len, step = 1;

	if (view->near < hi && list[view->near].addr <= addr) {
		for (lo = view->near; lo + step < hi && list[lo + step].addr <= addr; step *= 2)
			lo += step;
		hi = gh_min_u64(hi, lo + step);
	}
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (list[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	view->near = lo ? lo - 1 : 0;
	return lo && list[lo - 1].addr == addr;
}

static struct gh_error *add_outside(struct gh_session *session, struct gh_timer_view *view,
				    const struct gh_object *object)
{
	gh_addr addr = timer_of(session->rt, object);
	struct gh_timer t;

	if (!addr || is_listed(view, addr) ||
	    !gh_timer_read(session->rt, addr, &t) || !t.f)
		return NULL;
	// a goroutine that slept once keeps its timer for the next time
	if (t.kind == GH_TIMER_SLEEP && t.state == GH_TIMER_STOPPED)
		return NULL;
	return gh_timer_vec_push(&view->outside, t) ? NULL : gh_error_nomem();
}

static int by_address(const void *a, const void *b)
{
	const struct gh_timer *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* An object and its channel lead to the same timer. */
static void arrange(struct gh_timer_vec *list)
{
	size_t n = 0;

	if (list->len)
		qsort(list->data, list->len, sizeof(*list->data), by_address);
	for (size_t i = 0; i < list->len; i++)
		if (!n || list->data[n - 1].addr != list->data[i].addr)
			list->data[n++] = list->data[i];
	list->len = n;
}

static struct gh_error *list_outside(struct gh_session *session, struct gh_timer_view *view)
{
	struct gh_object batch[BATCH];
	struct gh_arena arena = {0};
	struct gh_objects_query query = {.wanted = is_timer_type, .arena = &arena};
	struct gh_objects objects;
	struct gh_error *err = gh_objects_init(session, &query, &objects);
	size_t n = 1;

	while (!err && n) {
		err = gh_objects_next(&objects, batch, BATCH, &n);
		for (size_t i = 0; i < n && !err; i++)
			err = add_outside(session, view, &batch[i]);
	}
	gh_objects_deinit(&objects);
	gh_arena_deinit(&arena);
	arrange(&view->outside);
	return err;
}

/* Goroutines in the queue of receivers of a timer's channel. */
static void count_receivers(const struct gh_runtime *rt, gh_addr chan, struct gh_timer_fact *ret)
{
	gh_addr sudog = gh_field_or_zero(rt, chan, GH_F_hchan_recvq);
	struct gh_ring ring = {0};

	while (sudog && !gh_ring_closes(&ring, sudog) && ret->receivers < MAX_RECEIVERS) {
		gh_addr g = gh_field_or_zero(rt, sudog, GH_F_sudog_g);

		if (!g)
			return;
		if (!ret->receivers++)
			ret->receiver = g;
		sudog = gh_field_or_zero(rt, sudog, GH_F_sudog_next);
	}
}

static void note_receivers(const struct gh_runtime *rt, struct gh_timer_view *view)
{
	for (size_t i = 0; i < gh_timer_view_len(view); i++) {
		const struct gh_timer *t = gh_timer_view_at(view, i);
		struct gh_timer_fact *fact = &view->facts[i];

		fact->owner = fact->others[0] = fact->others[1] = GH_NODE_NONE;
		if (t->state == GH_TIMER_STOPPED)
			fact->verdict = GH_TIMER_IS_STOPPED;
		if (t->arg && (t->kind == GH_TIMER_TIMER || t->kind == GH_TIMER_TICKER))
			count_receivers(rt, t->arg, fact);
	}
}

static struct gh_error *list_timer(void *ctx, const struct gh_timer *t)
{
	struct gh_timer_view *view = ctx;

	view->list.data[view->list.len++] = *t;
	return NULL;
}

static struct gh_error *list_timers(struct gh_session *session, struct gh_timer_view *view)
{
	struct gh_timer_vec *list = &view->list;
	struct gh_error *err = gh_session_timers(session);
	uint64_t n = session->timers.entries.len, bytes = n * sizeof(*list->data);

	if (!err)
		err = gh_budget_charge(session->target->budget, bytes, "timers");
	if (err)
		return err;
	view->timers = &session->timers;
	view->budget = session->target->budget;
	view->listed_bytes = bytes;
	if (!gh_vec_reserve_exactly((void **)&list->data, &list->cap, n, sizeof(*list->data)))
		return gh_error_nomem();
	return gh_timers_visit(session->rt, view->timers, &session->poll, list_timer, view,
			       &view->skips);
}

static struct gh_error *create(struct gh_session *session, bool quick, struct gh_timer_view *view)
{
	struct gh_error *err = gh_session_goroutines(session);
	size_t n;

	if (!err && !quick)
		err = gh_session_dominators(session);
	if (!err)
		err = list_timers(session, view);
	if (!err && !quick)
		err = list_outside(session, view);
	if (err)
		return err;
	n = gh_timer_view_len(view);
	if (!gh_budget_take(session->target->budget, n * sizeof(*view->facts), "timers"))
		return gh_error_nomem();
	view->facts = gh_alloc_array(n, sizeof(*view->facts));
	if (!view->facts)
		return gh_error_nomem();
	note_receivers(session->rt, view);
	return quick ? NULL : gh_timer_verdicts(session, view);
}

struct gh_error *gh_timer_view_create(struct gh_session *session, bool quick,
				      struct gh_timer_view *ret)
{
	struct gh_error *err;

	*ret = (struct gh_timer_view){0};
	err = create(session, quick, ret);
	if (err)
		gh_timer_view_deinit(ret);
	return err;
}

void gh_timer_view_deinit(struct gh_timer_view *view)
{
	gh_budget_give(view->budget, view->listed_bytes);
	gh_timer_vec_deinit(&view->list);
	gh_timer_vec_deinit(&view->outside);
	free(view->facts);
	*view = (struct gh_timer_view){0};
}

bool gh_timer_view_now(const struct gh_session *session, const struct gh_timer_view *view,
		       const struct gh_timer *timer, int64_t *ret)
{
	if (timer->is_fake) {
		if (timer->heap == GH_TIMER_NO_HEAP)
			return false;
		*ret = view->timers->heaps.data[timer->heap].now_ns;
		return true;
	}
	*ret = session->now_ns;
	return session->has_now;
}
