// SPDX-License-Identifier: Apache-2.0
// A session: owns a target and computes its stages once each. Stages of the heap are in files of
// their own.
#include "analysis/session.h"
#include "analysis/sharing.h"

#include <stdlib.h>

#include "goruntime/process.h"

struct gh_error *gh_session_create(struct gh_target *target, struct gh_session **ret)
{
	struct gh_session *session = calloc(1, sizeof(*session));

	if (!session) {
		gh_target_destroy(target);
		return gh_error_nomem();
	}
	session->target = target;
	*ret = session;
	return NULL;
}

struct gh_error *gh_session_runtime(struct gh_session *session)
{
	struct gh_error *err = gh_target_check(session->target);

	if (err || session->rt)
		return err;
	err = gh_runtime_open(session->target, &session->poll, &session->rt);
	if (!err)
		session->has_now = gh_process_now(session->rt, &session->now_ns);
	session->has_now_error = session->has_now && session->target->has_clock; // and it is 0
	gh_lap(&session->laps, "runtime");
	return err;
}

static void forget_goroutines(struct gh_session *session)
{
	gh_stack_kinds_destroy(session->stacks);
	session->stacks = NULL;
	if (session->has_timers)
		gh_timers_deinit(&session->timers);
	session->has_timers = false;
	gh_goroutine_vec_deinit(&session->goroutines);
	gh_gc_times_deinit(&session->gc_times);
	session->has_goroutines = false;
}

/* If the layout was not quite right, what was read by it is read again. */
struct gh_error *gh_session_dwarf(struct gh_session *session)
{
	struct gh_error *err = gh_session_runtime(session);
	bool is_new = !err && !session->rt->has_looked_for_dwarf;

	if (!err)
		err = gh_poll(&session->poll, "opening DWARF", 0, 0);
	if (!err)
		err = gh_runtime_dwarf(session->rt);
	if (is_new)
		gh_lap(&session->laps, "DWARF");
	if (err || !is_new || !session->rt->layout_mismatches)
		return err;
	forget_goroutines(session);
	gh_heap_destroy(session->heap);
	session->heap = NULL;
	session->has_now = gh_process_now(session->rt, &session->now_ns);
	return NULL;
}

struct gh_error *gh_session_goroutines(struct gh_session *session)
{
	struct gh_error *err = gh_session_runtime(session);

	if (err || session->has_goroutines)
		return err;
	err = gh_goroutines_load(session->rt, &session->goroutines,
				 &session->unreadable_goroutines);
	if (!err)
		err = gh_gc_times_load(session->rt, &session->goroutines, &session->gc_times);
	gh_lap(&session->laps, "goroutines");
	if (err) {
		forget_goroutines(session);
		return err;
	}
	session->has_goroutines = true;
	return NULL;
}

struct gh_error *gh_session_stacks(struct gh_session *session)
{
	struct gh_error *err = gh_session_goroutines(session);

	if (err || session->stacks)
		return err;
	err = gh_stack_kinds_create(session->rt, &session->goroutines, &session->poll,
				    &session->stacks);
	gh_lap(&session->laps, "stacks");
	return err;
}

struct gh_error *gh_session_unwind(const struct gh_session *session, size_t g,
				   struct gh_frame_vec *ret, enum gh_unwind_end *end_ret)
{
	return session->stacks ? gh_stack_kinds_unwind(session->stacks, g, ret, end_ret)
			       : gh_stack_unwind(session->rt, &session->goroutines.data[g], ret,
						 end_ret);
}

struct gh_error *gh_session_timers(struct gh_session *session)
{
	struct gh_error *err = gh_session_goroutines(session);

	if (err || session->has_timers)
		return err;
	err = gh_timers_load(session->rt, &session->goroutines, &session->poll,
			     &session->timers);
	session->has_timers = !err;
	return err;
}

struct gh_error *gh_session_timers_if_any(struct gh_session *session,
					  const struct gh_timers **ret)
{
	struct gh_error *err = gh_session_timers(session);

	*ret = err ? NULL : &session->timers;
	if (!err || err->code != GH_ERR_MISSING)
		return err;
	gh_error_destroy(err);
	return NULL;
}

bool gh_session_wait_ns(const struct gh_session *session, const struct gh_goroutine *g,
			int64_t *ret)
{
	int64_t blocked;

	if (!session->has_now ||
	    !(g->status == GH_G_WAITING || g->status == GH_G_SYSCALL || g->status == GH_G_LEAKED) ||
	    !gh_gc_times_blocked(&session->gc_times, g->wait_since_ns, &blocked))
		return false;
	*ret = session->now_ns > blocked ? session->now_ns - blocked : 0;
	return true;
}

void gh_session_destroy(struct gh_session *session)
{
	if (!session)
		return;
	if (session->shown_destroy)
		session->shown_destroy(session->shown);
	gh_backedges_destroy(session->backedges);
	gh_shortest_destroy(session->shortest);
	gh_sharing_destroy(session->sharing);
	gh_domtree_destroy(session->domtree);
	gh_owner_graph_destroy(session->owners);
	gh_why_destroy(session->why);
	gh_mark_destroy(session->garbage);
	gh_mark_destroy(session->mark);
	gh_statics_destroy(session->statics);
	gh_types_destroy(session->types);
	gh_heap_destroy(session->heap);
	forget_goroutines(session);
	gh_runtime_destroy(session->rt);
	gh_target_destroy(session->target);
	free(session);
}
