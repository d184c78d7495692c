// SPDX-License-Identifier: Apache-2.0
// Threads and Ms. See thread.h.
#include "goruntime/thread.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/ring.h"
#include "goruntime/process.h"
#include "goruntime/syscalls.h"

enum {
	TLS_G_OFFSET = -8,     // amd64: where g lies from the thread pointer on
	MAX_MS = 1 << 20,      // of a list that may be damaged
	MAX_SYSTEM_FRAMES = 64,
	SYSTEM_STACK = 64 << 10, // bytes above sp that are walked
};

static int compare_tid(const void *a, const void *b)
{
	uint32_t x = (*(const struct gh_thread *const *)a)->tid;
	uint32_t y = (*(const struct gh_thread *const *)b)->tid;

	return x < y ? -1 : x > y;
}

bool gh_thread_index_init(struct gh_thread_index *index, const struct gh_target *target)
{
	index->n = target->threads.len;
	index->by_tid = gh_alloc_array(index->n, sizeof(*index->by_tid));
	if (!index->by_tid)
		return false;
	for (size_t i = 0; i < index->n; i++)
		index->by_tid[i] = &target->threads.data[i];
	qsort(index->by_tid, index->n, sizeof(*index->by_tid), compare_tid);
	return true;
}

void gh_thread_index_deinit(struct gh_thread_index *index)
{
	free(index->by_tid);
	*index = (struct gh_thread_index){0};
}

static const struct gh_thread *thread_by_tid(const struct gh_thread_index *index, uint64_t tid)
{
	size_t lo = 0, hi = index->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (index->by_tid[mid]->tid < tid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < index->n && index->by_tid[lo]->tid == tid ? index->by_tid[lo] : NULL;
}

/* The thread whose g register, kept in its TLS, is one of m's. */
static const struct gh_thread *thread_by_tls(const struct gh_runtime *rt, gh_addr m, gh_addr g)
{
	gh_addr g0 = gh_field_or_zero(rt, m, GH_F_m_g0);
	gh_addr gsignal = gh_field_or_zero(rt, m, GH_F_m_gsignal);
	const struct gh_thread_vec *threads = &rt->target->threads;

	for (size_t i = 0; i < threads->len; i++) {
		gh_addr current;

		if (threads->data[i].tls &&
		    gh_read_u64(rt->image, threads->data[i].tls + (uint64_t)TLS_G_OFFSET,
				&current) &&
		    current && (current == g || current == g0 || current == gsignal))
			return &threads->data[i];
	}
	return NULL;
}

const struct gh_thread *gh_thread_of_m(const struct gh_runtime *rt,
				       const struct gh_thread_index *index, gh_addr m, gh_addr g)
{
	const struct gh_thread *thread;
	uint64_t procid;

	if (!gh_field(rt, m, GH_F_m_procid, &procid) || !procid)
		return NULL;
	thread = thread_by_tid(index, procid);
	return thread ? thread : thread_by_tls(rt, m, g);
}

const char *gh_thread_state_name(enum gh_thread_state state)
{
	static const char *const names[] = {
		[GH_THREAD_RUNNING] = "running", [GH_THREAD_SYSCALL] = "syscall",
		[GH_THREAD_CGO] = "cgo",	 [GH_THREAD_RUNTIME] = "runtime",
		[GH_THREAD_IDLE] = "idle",	 [GH_THREAD_LOCKED] = "locked",
		[GH_THREAD_DYING] = "dying",	 [GH_THREAD_FOREIGN] = "foreign",
	};

	return state < GH_ARRAY_SIZE(names) ? names[state] : "unknown";
}

struct loader {
	const struct gh_runtime *rt;
	const struct gh_goroutine **by_addr; // owned, sorted
	size_t n;
	struct gh_thread_index threads;
	bool *taken; // owned: threads that an M has, in the target's order
};

static void loader_deinit(struct loader *loader)
{
	free(loader->by_addr);
	free(loader->taken);
	gh_thread_index_deinit(&loader->threads);
}

static int compare_addr(const void *a, const void *b)
{
	gh_addr x = (*(const struct gh_goroutine *const *)a)->addr;
	gh_addr y = (*(const struct gh_goroutine *const *)b)->addr;

	return x < y ? -1 : x > y;
}

static bool loader_init(struct loader *loader, const struct gh_goroutine_vec *goroutines)
{
	loader->by_addr = gh_alloc_array(goroutines->len, sizeof(*loader->by_addr));
	loader->taken = gh_alloc_array(loader->rt->target->threads.len, sizeof(bool));
	if (!loader->by_addr || !loader->taken ||
	    !gh_thread_index_init(&loader->threads, loader->rt->target))
		return false;
	for (size_t i = 0; i < goroutines->len; i++)
		loader->by_addr[loader->n++] = &goroutines->data[i];
	qsort(loader->by_addr, loader->n, sizeof(*loader->by_addr), compare_addr);
	return true;
}

static const struct gh_goroutine *goroutine_at(const struct loader *loader, gh_addr addr)
{
	size_t lo = 0, hi = loader->n;

	while (addr && lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (loader->by_addr[mid]->addr == addr)
			return loader->by_addr[mid];
		if (loader->by_addr[mid]->addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* What frames of a system stack tell. Further ones down count more than those above them. */
static const struct {
	const char *function;
	enum gh_thread_state state;
} roles[] = {
	{"runtime.sysmon", GH_THREAD_RUNTIME},	     {"runtime.templateThread", GH_THREAD_IDLE},
	{"runtime.stoplockedm", GH_THREAD_LOCKED},   {"runtime.netpoll", GH_THREAD_RUNTIME},
	{"runtime.stopm", GH_THREAD_IDLE},	     {"runtime.mPark", GH_THREAD_IDLE},
	{"runtime.mspinning", GH_THREAD_RUNTIME},    {"runtime.findRunnable", GH_THREAD_RUNTIME},
	{"runtime.cgocallback", GH_THREAD_RUNTIME},
};

/* Frames of the system stack: what is this thread of the runtime for? */
static void find_role(const struct gh_runtime *rt, const struct gh_stack_context *ctx,
		      struct gh_mthread *t)
{
	uint64_t bytes = gh_image_readable(rt->image, ctx->sp, SYSTEM_STACK);
	size_t best = GH_ARRAY_SIZE(roles);
	struct gh_unwinder u;

	gh_unwinder_init(&u, rt, ctx->sp, ctx->sp + bytes, ctx, NULL);
	for (int i = 0; u.valid && i < MAX_SYSTEM_FRAMES; i++, gh_unwinder_next(&u)) {
		const char *name = gh_func_name(rt, &u.frame.func);

		if (t->is_in_kernel && !t->call)
			t->call = gh_syscall_of_function(name);
		for (size_t k = 0; name && k < best; k++)
			if (strcmp(name, roles[k].function) == 0)
				best = k;
	}
	if (best < GH_ARRAY_SIZE(roles)) {
		t->state = roles[best].state;
		t->function = roles[best].function;
	}
}

static enum gh_thread_state state_with_goroutine(const struct gh_runtime *rt,
						 const struct gh_mthread *t,
						 const struct gh_stack_context *ctx)
{
	const struct gh_goroutine *g = t->goroutine;

	if (gh_field_or_zero(rt, t->m, GH_F_m_incgo))
		return GH_THREAD_CGO;
	if (g->status == GH_G_SYSCALL)
		return GH_THREAD_SYSCALL;
	// a system call that the scheduler was not told of
	if (t->is_in_kernel && ctx->sp > g->stack_lo && ctx->sp < g->stack_hi)
		return GH_THREAD_SYSCALL;
	return g->status == GH_G_RUNNING || g->status == GH_G_COPYSTACK ? GH_THREAD_RUNNING
									: GH_THREAD_RUNTIME;
}

/* The thread that the fatal signal was for stands first. */
static bool is_killed(const struct gh_runtime *rt, const struct gh_thread *thread)
{
	const struct gh_target *target = rt->target;

	return thread && thread == &target->threads.data[0] && gh_signal_is_fatal(target->signal);
}

static void describe(const struct loader *loader, struct gh_mthread *t)
{
	const struct gh_runtime *rt = loader->rt;
	struct gh_stack_context ctx = {0};
	struct gh_func func;

	if (t->thread) {
		gh_thread_context(rt, t->thread, t->m, &ctx);
		t->in_handler = ctx.from_signal;
		t->pc = ctx.pc;
		gh_thread_call(rt, &ctx, t);
		if (gh_func_find(rt, ctx.pc, &func))
			t->function = gh_func_name(rt, &func);
	}
	if (!t->m)
		return;
	if (t->goroutine && t->state != GH_THREAD_LOCKED)
		t->state = state_with_goroutine(rt, t, &ctx);
	else if (t->thread)
		find_role(rt, &ctx, t);
	if (gh_field_or_zero(rt, t->m, GH_F_m_dying) || is_killed(rt, t->thread))
		t->state = GH_THREAD_DYING;
}

/* An M that has a thread, or had one when it was seen last. False: it has none. */
static bool read_m(struct loader *loader, gh_addr m, struct gh_mthread *t)
{
	const struct gh_runtime *rt = loader->rt;
	gh_addr curg = gh_field_or_zero(rt, m, GH_F_m_curg);
	gh_addr lockedg = gh_field_or_zero(rt, m, GH_F_m_lockedg);
	uint64_t procid = gh_field_or_zero(rt, m, GH_F_m_procid);

	*t = (struct gh_mthread){.m = m,
				 .m_id = gh_field_or_zero(rt, m, GH_F_m_id),
				 .tid = (uint32_t)procid,
				 .is_locked = lockedg != 0,
				 .state = GH_THREAD_RUNTIME};
	t->thread = gh_thread_of_m(rt, &loader->threads, m, curg);
	if (!procid || (!t->thread && gh_field_or_zero(rt, m, GH_F_m_isextra)) ||
	    (t->thread && loader->taken[t->thread - rt->target->threads.data]))
		return false; // not started yet, kept for a thread of C that comes, or damaged
	t->goroutine = goroutine_at(loader, curg);
	if (!t->goroutine && lockedg) {
		t->goroutine = goroutine_at(loader, lockedg);
		t->state = GH_THREAD_LOCKED;
	}
	if (t->thread) {
		t->tid = t->thread->tid;
		loader->taken[t->thread - rt->target->threads.data] = true;
	}
	describe(loader, t);
	return true;
}

static struct gh_error *load_ms(struct loader *loader, struct gh_mthread_vec *ret,
				uint64_t *damaged_ret)
{
	const struct gh_runtime *rt = loader->rt;
	struct gh_ring ring = {0};
	gh_addr m = 0;

	if (!rt->var[GH_V_allm] || !gh_read_u64(rt->image, rt->var[GH_V_allm], &m))
		return NULL;
	for (int i = 0; m && i < MAX_MS; i++) {
		struct gh_mthread t;
		uint64_t next;

		if (gh_ring_closes(&ring, m) || !gh_field(rt, m, GH_F_m_alllink, &next)) {
			(*damaged_ret)++;
			return NULL;
		}
		if (read_m(loader, m, &t) && !gh_mthread_vec_push(ret, t))
			return gh_error_nomem();
		m = next;
	}
	return NULL;
}

static struct gh_error *load_foreign(const struct loader *loader, struct gh_mthread_vec *ret)
{
	const struct gh_thread_vec *threads = &loader->rt->target->threads;

	for (size_t i = 0; i < threads->len; i++) {
		struct gh_mthread t = {.thread = &threads->data[i],
				       .tid = threads->data[i].tid,
				       .state = GH_THREAD_FOREIGN};

		if (loader->taken[i])
			continue;
		describe(loader, &t);
		if (!gh_mthread_vec_push(ret, t))
			return gh_error_nomem();
	}
	return NULL;
}

struct gh_error *gh_mthreads_load(const struct gh_runtime *rt,
				  const struct gh_goroutine_vec *goroutines,
				  struct gh_mthread_vec *ret, uint64_t *damaged_ret)
{
	_cleanup_(loader_deinit) struct loader loader = {.rt = rt};
	struct gh_error *err;

	*damaged_ret = 0;
	if (!loader_init(&loader, goroutines))
		return gh_error_nomem();
	err = load_ms(&loader, ret, damaged_ret);
	return err ? err : load_foreign(&loader, ret);
}
