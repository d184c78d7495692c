// SPDX-License-Identifier: Apache-2.0
// The table of semaphores: a treap of addresses in each entry, a list of waiters at each address.
// See wait.h. Mirrors runtime/sema.go (semTable, semaRoot), go1.22 to go1.27.
#include <elf.h>
#include <stdlib.h>

#include "base/ring.h"
#include "goruntime/wait.h"

enum {
	TABLE_ENTRIES = 251, // semTabSize
	STRIDE_AMD64 = 64,   // an entry is padded to a cache line (internal/cpu)
	STRIDE_ARM64 = 128,
};

struct walk {
	const struct gh_runtime *rt;
	struct gh_semaphores *ret;
	struct gh_addr_vec todo; // nodes whose parent said so
	uint64_t entry, max;	 // max: waiters that there can be
	bool nomem;
};

/* All that wait at the address of this node. */
static void add_waiters(struct walk *w, const struct gh_sudog *head)
{
	struct gh_sudog s = *head;
	struct gh_ring ring = {0};

	for (;;) {
		struct gh_sema_waiter waiter = {s.g, s.addr, head->elem};

		w->nomem |= !gh_sema_waiter_vec_push(&w->ret->waiters, waiter);
		if (!s.waitlink || w->nomem)
			return;
		if (gh_ring_closes(&ring, s.waitlink) || w->ret->waiters.len > w->max ||
		    !gh_sudog_read(w->rt, s.waitlink, &s) || s.elem != head->elem) {
			w->ret->damaged++;
			return;
		}
	}
}

/* Each node names its parent, so that a damaged tree can neither go in circles nor branch out. */
static void add_child(struct walk *w, gh_addr child, gh_addr parent)
{
	uint64_t named;

	if (!child)
		return;
	if (!gh_field(w->rt, child, GH_F_sudog_parent, &named) || named != parent)
		w->ret->damaged++;
	else
		w->nomem |= !gh_addr_vec_push(&w->todo, child);
}

static void walk_entry(struct walk *w, gh_addr root)
{
	add_child(w, gh_field_or_zero(w->rt, root, GH_F_semaRoot_treap), 0);
	while (w->todo.len && !w->nomem && w->ret->waiters.len <= w->max) {
		struct gh_sudog s;

		if (!gh_sudog_read(w->rt, w->todo.data[--w->todo.len], &s) ||
		    (s.elem >> 3) % TABLE_ENTRIES != w->entry) {
			w->ret->damaged++;
			continue;
		}
		add_waiters(w, &s);
		add_child(w, s.next, s.addr);
		if (s.prev != s.next)
			add_child(w, s.prev, s.addr);
	}
}

static int compare(const void *a, const void *b)
{
	const struct gh_sema_waiter *x = a, *y = b;

	if (x->g != y->g)
		return x->g < y->g ? -1 : 1;
	return x->sudog < y->sudog ? -1 : x->sudog > y->sudog;
}

/* A goroutine waits for one semaphore at most. */
static void arrange(struct gh_semaphores *semaphores)
{
	struct gh_sema_waiter_vec *list = &semaphores->waiters;
	size_t n = 0;

	if (list->len)
		qsort(list->data, list->len, sizeof(*list->data), compare);
	for (size_t i = 0; i < list->len; i++) {
		if (n && list->data[n - 1].g == list->data[i].g)
			semaphores->damaged++;
		else
			list->data[n++] = list->data[i];
	}
	list->len = n;
}

struct gh_error *gh_semaphores_load(const struct gh_runtime *rt, struct gh_semaphores *ret)
{
	uint64_t stride = rt->target->machine == EM_AARCH64 ? STRIDE_ARM64 : STRIDE_AMD64;
	struct walk w = {.rt = rt, .ret = ret};
	struct gh_slice all = {0};

	*ret = (struct gh_semaphores){0};
	if (!rt->var[GH_V_semtable] || !gh_has(&rt->layout, GH_F_semaRoot_treap))
		return NULL;
	if (rt->var[GH_V_allgs])
		gh_read_slice(rt->image, rt->var[GH_V_allgs], &all);
	w.max = gh_image_readable(rt->image, all.data, gh_min_u64(all.len, UINT32_MAX) * 8) / 8;
	for (; w.entry < TABLE_ENTRIES && !w.nomem; w.entry++)
		walk_entry(&w, rt->var[GH_V_semtable] + w.entry * stride);
	gh_addr_vec_deinit(&w.todo);
	if (w.nomem) {
		gh_semaphores_deinit(ret);
		return gh_error_nomem();
	}
	arrange(ret);
	return NULL;
}

void gh_semaphores_deinit(struct gh_semaphores *semaphores)
{
	gh_sema_waiter_vec_deinit(&semaphores->waiters);
	*semaphores = (struct gh_semaphores){0};
}
