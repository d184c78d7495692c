// SPDX-License-Identifier: Apache-2.0
// What owners retain where there is no room for the dominators: by marking, with a bit an object.
// See retained.h.
#include <stdlib.h>

#include "analysis/retained.h"
#include "base/budget.h"
#include "graph/reach.h"

enum { POLL_EVERY = 1024 }; // owners

/* Is it the owner, or does it lie in it? */
static bool is_in(const struct gh_owner_graph *graph, gh_node owner, gh_node outer)
{
	while (owner != outer && owner != GH_NODE_ROOT)
		owner = graph->owners.data[owner].parent;
	return owner == outer;
}

static void count_for(struct gh_marked_owner_vec *all, gh_node owner, struct gh_reached before,
		      struct gh_reached after)
{
	struct gh_marked_owner *m = &all->data[owner - 1];

	m->retained += after.bytes - before.bytes;
	m->count += after.objects - before.objects;
}

/*
 * Each object counts for the first owner that reaches it. What only one owner reaches counts for
 * that one, whatever the order.
 */
static struct gh_error *count_first(struct gh_session *s, struct gh_marked_owner_vec *all)
{
	const struct gh_owner_graph *graph = s->owners;
	struct gh_reached before = {0}, after;
	struct gh_reach *reach = NULL;
	struct gh_error *err = gh_reach_create(graph, NULL, &reach);

	for (gh_node owner = 1; owner < graph->owners.len && !err; owner++) {
		struct gh_marked_owner m = {.owner = owner};

		if (!gh_marked_owner_vec_push(all, m)) {
			err = gh_error_nomem();
			break;
		}
		gh_reach_owner(reach, owner);
		err = gh_reach_drain(reach, &s->poll);
		if (!err && owner % POLL_EVERY == 0)
			err = gh_poll(&s->poll, "marking owner by owner", owner, graph->owners.len);
		after = gh_reach_sum(reach);
		for (gh_node at = owner; at != GH_NODE_ROOT; at = graph->owners.data[at].parent)
			count_for(all, at, before, after);
		before = after;
	}
	gh_reach_destroy(reach);
	return err;
}

struct gh_error *gh_retained_without(struct gh_session *s, struct gh_marked_owner *owner)
{
	const struct gh_owner_graph *graph = s->owners;
	struct gh_reached all, left = {0};
	struct gh_reach *reach = NULL;
	struct gh_error *err = gh_reach_all(graph, NULL, &s->poll, &all);

	if (!err)
		err = gh_reach_create(graph, NULL, &reach);
	for (gh_node other = 1; other < graph->owners.len && !err; other++)
		if (!is_in(graph, other, owner->owner))
			gh_reach_owner(reach, other);
	if (!err)
		err = gh_reach_drain(reach, &s->poll);
	if (!err)
		left = gh_reach_sum(reach);
	gh_reach_destroy(reach);
	if (err)
		return err;
	owner->retained = all.bytes - left.bytes;
	owner->count = all.objects - left.objects;
	owner->exact = true;
	return NULL;
}

static int by_retained(const void *a, const void *b)
{
	const struct gh_marked_owner *x = a, *y = b;

	if (x->retained != y->retained)
		return x->retained < y->retained ? 1 : -1;
	return x->owner < y->owner ? -1 : x->owner > y->owner;
}

void gh_marked_owners_sort(struct gh_marked_owner_vec *all)
{
	if (all->len)
		qsort(all->data, all->len, sizeof(*all->data), by_retained);
}

struct gh_error *gh_retained_at_most(struct gh_session *s, struct gh_marked_owner_vec *ret)
{
	struct gh_error *err = gh_session_owners(s);

	if (!err)
		err = count_first(s, ret);
	gh_marked_owners_sort(ret);
	return err;
}
