// SPDX-License-Identifier: Apache-2.0
// See timer_groups.h.
#include "command/timer_groups.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/alloc_site.h"
#include "dwarf/offset_map.h"

enum {
	POLL_ROWS = 1 << 16,
	MAX_PERIODS = 8, // at one place, each in a group of its own
};

/* More bytes first, then more timers; the rest by what they are. */
static int by_weight(const void *a, const void *b)
{
	const struct gh_timer_group *x = a, *y = b;

	if (x->retained != y->retained)
		return x->retained < y->retained ? 1 : -1;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->first < y->first ? -1 : x->first > y->first;
}

/* Where it was allocated, if the memory profile sampled that. */
static void note_created(const struct gh_timer_rows *rows, struct gh_timer_group *g, uint32_t index)
{
	struct gh_source_frame frame;

	if (g->created_elsewhere || !rows->session->heap ||
	    !gh_alloc_site(rows->session, gh_timer_view_at(rows->view, index)->addr, &frame))
		return;
	if (!g->created.function)
		g->created = frame;
	else if (g->created.line != frame.line ||
		 strcmp(g->created.function, frame.function) != 0)
		g->created_elsewhere = true;
}

static void add_to_group(const struct gh_timer_rows *rows, struct gh_timer_group *g, uint32_t index)
{
	int64_t due;

	note_created(rows, g, index);
	g->count++;
	g->retained += rows->view->facts[index].retained;
	if (!gh_timer_rows_due(rows, index, &due))
		return;
	if (!g->has_due || due < g->due_min)
		g->due_min = due;
	if (!g->has_due || due > g->due_max)
		g->due_max = due;
	g->has_due = true;
}

/* The group of a key, made when it is met first; NULL: out of memory. Texts are each there once. */
static struct gh_timer_group *group_of(struct gh_offset_map *map, struct gh_timer_group_vec *groups,
			      const struct gh_timer_key *key, uint32_t index)
{
	uint64_t hash = gh_timer_key_hash(key);
	uint32_t found;

	for (; (found = gh_offset_map_get(map, hash)) != 0; hash++)
		if (!gh_timer_key_compare(&groups->data[found - 1].key, key))
			return &groups->data[found - 1];
	if (!gh_timer_group_vec_push(groups, (struct gh_timer_group){.key = *key,
								     .first = index,
								     .period_min = key->period_ns,
								     .period_max = key->period_ns}) ||
	    !gh_offset_map_put(map, hash, (uint32_t)groups->len))
		return NULL;
	return &groups->data[groups->len - 1];
}

static int by_key(const void *a, const void *b)
{
	return gh_timer_key_compare(&((const struct gh_timer_group *)a)->key,
				    &((const struct gh_timer_group *)b)->key);
}

static bool differ_in_period(const struct gh_timer_group *a, const struct gh_timer_group *b)
{
	struct gh_timer_key x = a->key, y = b->key;

	x.period_ns = y.period_ns = 0;
	return a->key.period_ns && b->key.period_ns && !gh_timer_key_compare(&x, &y);
}

static void merge(struct gh_timer_group *into, const struct gh_timer_group *g)
{
	into->count += g->count;
	into->retained += g->retained;
	into->key.period_ns = 0;
	into->period_max = g->period_max; // they come in this order
	if (g->has_due && (!into->has_due || g->due_min < into->due_min))
		into->due_min = g->due_min;
	if (g->has_due && (!into->has_due || g->due_max > into->due_max))
		into->due_max = g->due_max;
	into->has_due |= g->has_due;
	if (!into->created.function)
		into->created = g->created;
	into->created_elsewhere |=
		g->created_elsewhere ||
		(g->created.function && (g->created.line != into->created.line ||
					 strcmp(g->created.function, into->created.function) != 0));
}

/* Groups that differ in nothing but their period are one if they are many. */
static void merge_periods(struct gh_timer_group_vec *groups)
{
	size_t kept = 0;

	if (groups->len)
		qsort(groups->data, groups->len, sizeof(*groups->data), by_key);
	for (size_t i = 0, end; i < groups->len; i = end) {
		struct gh_timer_group *first = &groups->data[i];

		for (end = i + 1; end < groups->len; end++)
			if (!differ_in_period(first, &groups->data[end]))
				break;
		if (end - i <= MAX_PERIODS) {
			for (size_t k = i; k < end; k++)
				groups->data[kept++] = groups->data[k];
			continue;
		}
		struct gh_timer_group all = *first;

		for (size_t k = i + 1; k < end; k++)
			merge(&all, &groups->data[k]);
		groups->data[kept++] = all;
	}
	groups->len = kept;
}

struct gh_error *gh_timer_groups(struct gh_timer_rows *rows, struct gh_timer_group_vec *ret)
{
	size_t n = gh_timer_view_len(rows->view);
	struct gh_offset_map map = {0};
	struct gh_error *err = NULL;

	for (size_t i = 0; i < n && !err; i++) {
		struct gh_timer_key key = {0};
		struct gh_timer_group *g;

		if (i % POLL_ROWS == 0)
			err = gh_poll(&rows->session->poll, "grouping timers", i, n);
		if (!err)
			err = gh_timer_rows_key(rows, i, &key);
		if (err)
			break;
		g = group_of(&map, ret, &key, (uint32_t)i);
		if (g)
			add_to_group(rows, g, (uint32_t)i);
		else
			err = gh_error_nomem();
	}
	gh_offset_map_deinit(&map);
	if (!err)
		merge_periods(ret);
	if (!err && ret->len)
		qsort(ret->data, ret->len, sizeof(*ret->data), by_weight);
	return err;
}
