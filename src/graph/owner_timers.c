// SPDX-License-Identifier: Apache-2.0
// Timers as owners. A timer in a heap keeps what it will call alive until it fires, whoever else
// knows it; the heap's array is the runtime's and holds nothing. A sleeping goroutine's timer is
// the goroutine's. See owners.h.
#include "goruntime/timer.h"
#include "graph/owner_build.h"

/* What runs in the end, or what kind of timer it is where that is always the same. */
static const char *name_of(const struct owner_build *b, const struct gh_timer *t)
{
	const char *name = NULL;

	if (t->kind == GH_TIMER_AFTER_FUNC || t->kind == GH_TIMER_CONTEXT ||
	    t->kind == GH_TIMER_RUNTIME)
		name = gh_owner_function(b, t->callback);
	return name ? name : gh_timer_kind_name((enum gh_timer_kind)t->kind);
}

static bool leads_into_heap(const struct owner_build *b, gh_addr addr)
{
	return gh_word_slot(b->m, addr).slot != GH_SLOT_NONE;
}

static void add_timer(struct owner_build *b, const struct gh_timer *t)
{
	bool in_heap = leads_into_heap(b, t->addr);
	gh_node owner;

	if (t->kind == GH_TIMER_SLEEP ||
	    !(in_heap || leads_into_heap(b, t->f) || leads_into_heap(b, t->arg)))
		return;
	owner = gh_owner_add(b, (struct gh_owner){.kind = GH_ROOT_TIMER,
						  .name = name_of(b, t),
						  .addr = t->addr});
	if (owner == GH_NODE_ROOT)
		return;
	if (in_heap) {
		gh_owner_hold(b, owner, t->slot, t->addr);
	} else {
		gh_owner_hold(b, owner, 0, t->f);
		gh_owner_hold(b, owner, gh_timer_arg_at(b->in->heap->rt, t), t->arg);
	}
}

struct gh_error *gh_owner_find_timers(struct owner_build *b, const struct gh_poll *poll)
{
	struct gh_timers timers = {0};
	struct gh_error *err =
		gh_timers_load(b->in->heap->rt, b->in->goroutines, poll, &timers);

	if (err && err->code == GH_ERR_MISSING) {
		gh_error_destroy(err);
		err = NULL;
	}
	for (size_t i = 0; !err && i < timers.heaps.len; i++)
		gh_owner_describe_list(b, gh_owner_runtime(b, "timer heaps"),
				       timers.heaps.data[i].array);
	for (size_t i = 0; !err && i < timers.list.len; i++)
		add_timer(b, &timers.list.data[i]);
	gh_timers_deinit(&timers);
	return err;
}
