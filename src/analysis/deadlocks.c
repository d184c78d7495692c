// SPDX-License-Identifier: Apache-2.0
// See deadlocks.h. A walk in depth of goroutines and locks: a goroutine leads to the lock that it
// waits for, a lock to those that hold it; what leads back into the walk closes a circle. Once with
// likely holders alone, then with all.
#include "analysis/deadlocks.h"

#include <stdlib.h>

enum { NEW, OPEN, DONE, REPORTED };

struct step {
	uint32_t node; // a goroutine, or ngoroutines + lock
	uint32_t next; // of what it leads to
};
GH_VEC(step_vec, struct step);

struct walk {
	const struct gh_locks *locks;
	struct gh_deadlocks *ret;
	uint32_t ngoroutines;
	uint32_t *waits_for; // owned: lock of a goroutine; UINT32_MAX: none
	uint8_t *colour;     // owned: by node
	struct step_vec stack;
	enum gh_level level; // holders below it do not count
	bool nomem;
};

/* What node leads to as number i; UINT32_MAX: nothing. */
static uint32_t successor(const struct walk *w, uint32_t node, uint32_t i)
{
	const struct gh_lock *lock;
	const struct gh_lock_holder *h;

	if (node < w->ngoroutines)
		return i || w->waits_for[node] == UINT32_MAX ? UINT32_MAX
							     : w->ngoroutines + w->waits_for[node];
	lock = &w->locks->all.data[node - w->ngoroutines];
	if (i >= lock->nholders)
		return UINT32_MAX;
	h = &w->locks->holders.data[lock->first_holder + i];
	return h->level >= w->level ? h->g : UINT32_MAX; // all are of one level
}

/* Waiters for the locks of a circle that are not in it: all that are in it are reported by now. */
static uint64_t count_behind(const struct walk *w, size_t first)
{
	uint64_t behind = 0;

	for (size_t i = first; i < w->stack.len; i++) {
		uint32_t node = w->stack.data[i].node;
		const struct gh_lock *lock;

		if (node < w->ngoroutines)
			continue;
		lock = &w->locks->all.data[node - w->ngoroutines];
		for (size_t k = 0; k < lock->nwaiters; k++) {
			uint32_t g = w->locks->waiters.data[lock->first_waiter + k].g;

			behind += w->colour[g] != REPORTED;
		}
	}
	return behind;
}

/* The steps from `first` on are a circle. */
static void report(struct walk *w, size_t first)
{
	struct gh_deadlock d = {.level = w->level, .first_link = w->ret->links.len};

	for (size_t i = first; i < w->stack.len; i++) {
		uint32_t node = w->stack.data[i].node;

		w->colour[node] = REPORTED;
		if (node >= w->ngoroutines)
			continue;
		w->nomem |= !gh_deadlock_link_vec_push(
			&w->ret->links, (struct gh_deadlock_link){node, w->waits_for[node]});
		d.nlinks++;
	}
	if (w->nomem)
		return;
	d.behind = count_behind(w, first);
	w->nomem |= !gh_deadlock_vec_push(&w->ret->all, d);
}

/* A node that is on the stack, and in no circle yet. */
static void close_circle(struct walk *w, uint32_t node)
{
	size_t first = w->stack.len;

	while (first && w->stack.data[first - 1].node != node)
		first--;
	for (size_t i = first ? first - 1 : 0; i < w->stack.len; i++)
		if (w->colour[w->stack.data[i].node] != OPEN)
			return; // a part of it was reported
	if (first)
		report(w, first - 1);
}

static void walk_from(struct walk *w, uint32_t node)
{
	w->stack.len = 0;
	w->nomem |= !step_vec_push(&w->stack, (struct step){node, 0});
	w->colour[node] = OPEN;
	while (w->stack.len && !w->nomem) {
		struct step *top = &w->stack.data[w->stack.len - 1];
		uint32_t to = successor(w, top->node, top->next++);

		if (to == UINT32_MAX) {
			if (w->colour[top->node] == OPEN)
				w->colour[top->node] = DONE;
			w->stack.len--;
		} else if (w->colour[to] == NEW) {
			w->colour[to] = OPEN;
			w->nomem |= !step_vec_push(&w->stack, (struct step){to, 0});
		} else if (w->colour[to] == OPEN) {
			close_circle(w, to);
		}
	}
}

static void walk_all(struct walk *w, enum gh_level level)
{
	uint32_t nnodes = w->ngoroutines + (uint32_t)w->locks->all.len;

	w->level = level;
	for (uint32_t i = 0; i < nnodes; i++)
		if (w->colour[i] != REPORTED)
			w->colour[i] = NEW;
	for (uint32_t i = 0; i < w->ngoroutines && !w->nomem; i++)
		if (w->waits_for[i] != UINT32_MAX && w->colour[i] == NEW)
			walk_from(w, i);
}

struct gh_error *gh_deadlocks_find(const struct gh_session *session, const struct gh_locks *locks,
				   struct gh_deadlocks *ret)
{
	struct walk w = {.locks = locks,
			 .ret = ret,
			 .ngoroutines = (uint32_t)session->goroutines.len};

	*ret = (struct gh_deadlocks){0};
	w.waits_for = gh_alloc_array(w.ngoroutines, sizeof(*w.waits_for));
	w.colour = gh_alloc_array(w.ngoroutines + locks->all.len, 1);
	w.nomem = !w.waits_for || !w.colour;
	for (uint32_t i = 0; i < w.ngoroutines && !w.nomem; i++)
		w.waits_for[i] = UINT32_MAX;
	for (size_t i = 0; i < locks->waiters.len && !w.nomem; i++)
		w.waits_for[locks->waiters.data[i].g] =
			(uint32_t)gh_locks_at(locks, locks->waiters.data[i].lock);
	if (!w.nomem)
		walk_all(&w, GH_LEVEL_LIKELY);
	if (!w.nomem)
		walk_all(&w, GH_LEVEL_POSSIBLE);
	free(w.waits_for);
	free(w.colour);
	step_vec_deinit(&w.stack);
	if (!w.nomem)
		return NULL;
	gh_deadlocks_deinit(ret);
	return gh_error_nomem();
}

void gh_deadlocks_deinit(struct gh_deadlocks *deadlocks)
{
	gh_deadlock_vec_deinit(&deadlocks->all);
	gh_deadlock_link_vec_deinit(&deadlocks->links);
}
