// SPDX-License-Identifier: Apache-2.0
// See timer_types.h.
#include "graph/timer_types.h"

/* time.sendTime and time.goFunc, which nobody outside of package time can name. */
static bool is_of_time(const struct gh_timer *t)
{
	return t->kind == GH_TIMER_TIMER || t->kind == GH_TIMER_TICKER || t->calls_arg;
}

struct namer {
	const struct gh_heap *heap;
	struct gh_types *types;
	gh_type_id timer, ticker; // what is allocated
	gh_timer_type_fn fn;
	void *ctx; // of fn
};

static gh_type_id named(struct gh_types *types, const char *name)
{
	return gh_types_of_rtype(types, gh_types_rtype_named(types, name));
}

static void prepare(struct namer *n)
{
	if (gh_has(&n->heap->rt->layout, GH_F_timeTimer_timer)) {
		n->timer = n->ticker = named(n->types, "runtime.timeTimer");
		return;
	}
	n->timer = named(n->types, "time.Timer"); // up to go1.22 one struct each
	n->ticker = named(n->types, "time.Ticker");
}

/* A copy of a time.Timer may lie inside another struct: up to go1.22 it can be armed there. */
static gh_type_id type_of(const struct namer *n, const struct gh_timer *t, gh_addr *object_ret)
{
	gh_type_id type = t->kind == GH_TIMER_TICKER ? n->ticker : n->timer;
	struct gh_slot_ref ref;

	if (!type || !is_of_time(t) || !gh_heap_find(n->heap, t->addr, &ref) ||
	    gh_timer_of_object(n->heap->rt, ref.base) != t->addr ||
	    gh_types_get(n->types, type)->size > ref.elem_bytes)
		return 0;
	*object_ret = ref.base;
	return type;
}

static struct gh_error *see_timer(void *ctx, const struct gh_timer *t)
{
	const struct namer *n = ctx;
	gh_addr object;
	gh_type_id type = type_of(n, t, &object);

	if (type)
		n->fn(n->ctx, object, type, t->slot);
	return NULL;
}

struct gh_error *gh_timer_types_visit(const struct gh_heap *heap, struct gh_types *types,
				      const struct gh_timers *timers,
				      const struct gh_poll *poll, gh_timer_type_fn fn, void *ctx,
				      struct gh_timer_skips *skips)
{
	struct namer n = {.heap = heap, .types = types, .fn = fn, .ctx = ctx};

	if (!timers || !timers->entries.len)
		return NULL;
	prepare(&n);
	return gh_timers_visit(heap->rt, timers, poll, see_timer, &n, skips);
}
