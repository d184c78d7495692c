// SPDX-License-Identifier: Apache-2.0
// See chan_waiters.h.
#include "analysis/chan_waiters.h"

#include <stdlib.h>

#include "analysis/waiters.h"

enum { POLL_EVERY = 4096 };
#define NO_GROUP UINT32_MAX

struct loader {
	struct gh_session *session;
	const struct gh_chan_list *list;
	struct gh_chan_waiters *ret;
	struct gh_waiters by_addr;
	uint32_t *group_of; // owned: by index of the goroutine
	gh_addr *queue;	    // owned: of the longest one
	uint64_t scratch_bytes; // charged for the two
};

static void loader_deinit(struct loader *l)
{
	gh_waiters_deinit(&l->by_addr);
	free(l->group_of);
	free(l->queue);
}

/* Only those who wait are looked for, as far as their states tell. */
static bool is_wanted(void *ctx, const struct gh_goroutine *g)
{
	(void)ctx;
	return g->status != GH_G_SYSCALL && g->status != GH_G_RUNNING;
}

static uint64_t waiting(const struct gh_chan_list *list, uint64_t *longest_ret)
{
	uint64_t n = 0, longest = 0;

	for (size_t i = 0; i < list->rows.len; i++) {
		const struct gh_chan_row *row = &list->rows.data[i];

		n += row->senders + row->receivers;
		longest = gh_max_u64(longest, gh_max_u64(row->senders, row->receivers));
	}
	*longest_ret = longest;
	return n;
}

static struct gh_error *charge(struct gh_chan_waiters *ret, uint64_t bytes)
{
	struct gh_error *err = gh_budget_charge(ret->budget, bytes, "who waits for channels");

	if (!err)
		ret->charged_bytes += bytes;
	return err;
}

static struct gh_error *prepare(struct loader *l)
{
	size_t ngoroutines = l->session->goroutines.len;
	uint64_t longest, n = waiting(l->list, &longest);
	struct gh_error *err;

	l->ret->budget = l->session->target->budget;
	l->scratch_bytes = longest * sizeof(*l->queue) + ngoroutines * sizeof(*l->group_of);
	err = charge(l->ret, n * sizeof(*l->ret->all.data) + l->scratch_bytes);
	if (err)
		return err;
	l->group_of = gh_alloc_array(ngoroutines, sizeof(*l->group_of));
	l->queue = gh_alloc_array(longest, sizeof(*l->queue));
	if (!l->group_of || !l->queue || !gh_waiters_init(l->session, &l->by_addr) ||
	    !gh_vec_reserve_exactly((void **)&l->ret->all.data, &l->ret->all.cap, n,
				    sizeof(*l->ret->all.data)))
		return gh_error_nomem();
	return NULL;
}

static void index_groups(struct loader *l)
{
	const struct gh_stack_groups *groups = &l->ret->groups;

	for (size_t i = 0; i < l->session->goroutines.len; i++)
		l->group_of[i] = NO_GROUP;
	for (size_t i = 0; i < groups->len; i++)
		for (size_t k = 0; k < groups->data[i].count; k++)
			l->group_of[groups->members[groups->data[i].first + k]] = (uint32_t)i;
}

static struct gh_error *add_queue(struct loader *l, size_t chan, bool sends, uint64_t n)
{
	const struct gh_session *s = l->session;

	n = gh_min_u64(n, gh_chan_queue(s->rt, l->list->rows.data[chan].addr, sends, l->queue, n,
					NULL));
	for (uint64_t i = 0; i < n; i++) {
		const struct gh_goroutine *g = gh_waiters_find(&l->by_addr, l->queue[i]);
		uint32_t index = g ? (uint32_t)(g - s->goroutines.data) : 0;
		struct gh_chan_waiter w = {(uint32_t)chan, (uint32_t)i, index,
					   g ? l->group_of[index] : NO_GROUP, sends};

		if (w.group == NO_GROUP)
			l->ret->unknown++;
		else if (!gh_chan_waiter_vec_push(&l->ret->all, w))
			return gh_error_nomem();
	}
	return NULL;
}

static struct gh_error *load(struct loader *l)
{
	const struct gh_chan_row_vec *rows = &l->list->rows;
	struct gh_error *err = prepare(l);

	if (!err)
		err = gh_stack_groups_load(l->session, is_wanted, NULL, &l->ret->groups);
	if (!err)
		index_groups(l);
	for (size_t i = 0; i < rows->len && !err; i++) {
		if (i % POLL_EVERY == 0)
			err = gh_poll(&l->session->poll, "looking at queues", i, rows->len);
		if (!err)
			err = add_queue(l, i, false, rows->data[i].receivers);
		if (!err)
			err = add_queue(l, i, true, rows->data[i].senders);
	}
	return err;
}

struct gh_error *gh_chan_waiters_load(struct gh_session *session, const struct gh_chan_list *list,
				      struct gh_chan_waiters *ret)
{
	struct loader l = {.session = session, .list = list, .ret = ret};
	struct gh_error *err;

	*ret = (struct gh_chan_waiters){0};
	err = load(&l);
	loader_deinit(&l);
	if (ret->charged_bytes) {
		gh_budget_give(ret->budget, l.scratch_bytes);
		ret->charged_bytes -= l.scratch_bytes;
	}
	if (err)
		gh_chan_waiters_deinit(ret);
	return err;
}

void gh_chan_waiters_deinit(struct gh_chan_waiters *waiters)
{
	gh_chan_waiter_vec_deinit(&waiters->all);
	gh_stack_groups_deinit(&waiters->groups);
	gh_budget_give(waiters->budget, waiters->charged_bytes);
	*waiters = (struct gh_chan_waiters){0};
}

size_t gh_chan_waiters_of(const struct gh_chan_waiters *waiters, size_t chan)
{
	size_t lo = 0, hi = waiters->all.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (waiters->all.data[mid].chan < chan)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}
