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

static struct gh_error *add_timer(void *ctx, const struct gh_timer *t)
{
	struct owner_build *b = ctx;
	bool in_heap = leads_into_heap(b, t->addr);
	gh_node owner;

	if (t->kind == GH_TIMER_SLEEP ||
	    !(in_heap || leads_into_heap(b, t->f) || leads_into_heap(b, t->arg)))
		return NULL;
	owner = gh_owner_add(b, (struct gh_owner){.kind = GH_ROOT_TIMER,
						  .name = name_of(b, t),
						  .addr = t->addr});
	if (owner == GH_NODE_ROOT)
		return gh_error_nomem();
	if (in_heap) {
		gh_owner_hold(b, owner, t->slot, t->addr);
	} else {
		gh_owner_hold(b, owner, 0, t->f);
		gh_owner_hold(b, owner, gh_timer_arg_at(b->in->heap->rt, t), t->arg);
	}
	return NULL;
}

struct gh_error *gh_owner_find_timers(struct owner_build *b, const struct gh_poll *poll)
{
	const struct gh_timers *timers = b->in->timers;

	if (!timers)
		return NULL;
	for (size_t i = 0; i < timers->heaps.len; i++)
		gh_owner_describe_list(b, gh_owner_runtime(b, "timer heaps"),
				       timers->heaps.data[i].array);
	return gh_timers_visit(b->in->heap->rt, timers, poll, add_timer, b, NULL);
}
