// SPDX-License-Identifier: Apache-2.0
// See timer_captured.h.
#include "command/timer_captured.h"

#include "graph/edges.h"

static bool calls_closure(const struct gh_timer *t)
{
	return t->callback && (t->kind == GH_TIMER_AFTER_FUNC || t->kind == GH_TIMER_CONTEXT);
}

static const struct gh_captured *find(const struct gh_timer_capture_vec *all, gh_addr pc)
{
	for (size_t i = all->len; i-- > 0;) // alike ones come together
		if (all->data[i].pc == pc)
			return &all->data[i].captured;
	return NULL;
}

struct gh_error *gh_timer_captured(struct gh_session *session, const struct gh_timer *timer,
				   struct gh_arena *arena, struct gh_timer_capture_vec *all,
				   const struct gh_captured **ret)
{
	struct gh_timer_capture capture = {.pc = timer->callback};
	struct gh_closure_object closure = {0};
	struct gh_error *err;

	*ret = NULL;
	// a function without variables is no object of the heap
	if (!session->mark || !session->types || !calls_closure(timer) ||
	    !gh_edges_closure(session->mark, timer->arg, &closure) || closure.pc != timer->callback)
		return NULL;
	*ret = find(all, timer->callback);
	if (*ret)
		return NULL;
	err = gh_captured_read(session, &closure, arena, &capture.captured);
	if (err)
		return err;
	if (!gh_timer_capture_vec_push(all, capture))
		return gh_error_nomem();
	*ret = &all->data[all->len - 1].captured;
	return NULL;
}
