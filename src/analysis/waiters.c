// SPDX-License-Identifier: Apache-2.0
// See waiters.h.
#include "analysis/waiters.h"

#include <stdlib.h>

#include "goruntime/traceback.h"

struct gh_waiter {
	gh_addr addr;
	uint32_t index;	   // into session->goroutines
	const char *place; // NULL: not looked for yet
};

static int by_addr(const void *a, const void *b)
{
	const struct gh_waiter *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

bool gh_waiters_init(struct gh_session *session, struct gh_waiters *ret)
{
	const struct gh_goroutine_vec *gs = &session->goroutines;

	uint64_t bytes = gs->len * sizeof(*ret->by_addr);

	*ret = (struct gh_waiters){.session = session};
	if (!gh_budget_take(session->target->budget, bytes, "goroutines by their addresses"))
		return false;
	ret->charged_bytes = bytes;
	ret->by_addr = gh_alloc_array(gs->len, sizeof(*ret->by_addr));
	if (!ret->by_addr) {
		gh_waiters_deinit(ret);
		return false;
	}
	ret->n = gs->len;
	for (size_t i = 0; i < gs->len; i++)
		ret->by_addr[i] = (struct gh_waiter){gs->data[i].addr, (uint32_t)i, NULL};
	if (ret->n)
		qsort(ret->by_addr, ret->n, sizeof(*ret->by_addr), by_addr);
	return true;
}

void gh_waiters_deinit(struct gh_waiters *waiters)
{
	if (waiters->session)
		gh_budget_give(waiters->session->target->budget, waiters->charged_bytes);
	free(waiters->by_addr);
	*waiters = (struct gh_waiters){0};
}

static struct gh_waiter *find(const struct gh_waiters *waiters, gh_addr g)
{
	struct gh_waiter key = {.addr = g};

	return waiters->n ? bsearch(&key, waiters->by_addr, waiters->n, sizeof(key), by_addr)
			  : NULL;
}

const struct gh_goroutine *gh_waiters_find(const struct gh_waiters *waiters, gh_addr g)
{
	const struct gh_waiter *w = find(waiters, g);

	return w ? &waiters->session->goroutines.data[w->index] : NULL;
}

struct gh_error *gh_waiters_place(struct gh_waiters *waiters, gh_addr g, const char **ret)
{
	struct gh_waiter *w = find(waiters, g);
	struct gh_traceback t;
	struct gh_error *err;

	*ret = "somebody";
	if (!w)
		return NULL;
	if (!w->place) {
		err = gh_traceback_summary(waiters->session->rt,
					   &waiters->session->goroutines.data[w->index], &t);
		if (err)
			return err;
		w->place = t.wait_function ? t.wait_function : t.top ? t.top : "somebody";
	}
	*ret = w->place;
	return NULL;
}
