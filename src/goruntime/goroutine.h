// SPDX-License-Identifier: Apache-2.0
// Goroutines: who they are, their state, why they wait. Mirrors runtime/runtime2.go, traceback.go
// (go1.22 to go1.27). Names are the runtime's own.
#pragma once

#include "goruntime/functab.h"

enum gh_gstatus {
	GH_G_IDLE = 0,
	GH_G_RUNNABLE = 1,
	GH_G_RUNNING = 2,
	GH_G_SYSCALL = 3,
	GH_G_WAITING = 4,
	GH_G_DEAD = 6,
	GH_G_COPYSTACK = 8,
	GH_G_PREEMPTED = 9,
	GH_G_LEAKED = 10,
	GH_G_DEADEXTRA = 11,
};

/** There may be millions: what few have, or few ask for, is read from the g when it is asked for. */
struct gh_goroutine {
	gh_addr addr; // of the runtime.g
	uint64_t goid;
	enum gh_gstatus status : 8; // without the scan bit
	bool system : 1;	    // hidden by default in the runtime's own tracebacks
	bool locked : 1;	    // to a thread
	bool in_syscall : 1;	    // g.syscallsp is set: frames begin there
	bool has_defers : 1, has_panics : 1; // with records, that is
	uint32_t thread; // index into the target's, when running or in a syscall; GH_NO_THREAD
	gh_addr stack_lo, stack_hi;
	gh_addr sched_sp, sched_pc;
	const char *wait_reason; // "" when it does not wait; runtime's words
	int64_t wait_since_ns;	 // g.waitsince, see gctimes.h; 0: no collection saw it blocked
	gh_addr start_pc, go_pc;
};
GH_VEC(gh_goroutine_vec, struct gh_goroutine);

#define GH_NO_THREAD UINT32_MAX // it is on none, or that is not known

/** The thread that it is on; NULL: none, or not known. */
static inline const struct gh_thread *gh_goroutine_thread(const struct gh_runtime *rt,
							  const struct gh_goroutine *g)
{
	return g->thread == GH_NO_THREAD ? NULL : &rt->target->threads.data[g->thread];
}

/** The first record of its pending defers, or of its panics; 0: none. */
static inline gh_addr gh_goroutine_defer(const struct gh_runtime *rt, const struct gh_goroutine *g)
{
	return g->has_defers ? gh_field_or_zero(rt, g->addr, GH_F_g__defer) : 0;
}

static inline gh_addr gh_goroutine_panic(const struct gh_runtime *rt, const struct gh_goroutine *g)
{
	return g->has_panics ? gh_field_or_zero(rt, g->addr, GH_F_g__panic) : 0;
}

/** The goroutine with its go statement; 0: none, or the release does not keep it. */
static inline uint64_t gh_goroutine_parent(const struct gh_runtime *rt,
					   const struct gh_goroutine *g)
{
	return gh_field_or_zero(rt, g->addr, GH_F_g_parentGoid);
}

/** A g that runs nothing: free, being made, or of an extra M. It has no stack to scan. */
static inline bool gh_goroutine_is_dead(const struct gh_goroutine *g)
{
	return g->status == GH_G_IDLE || g->status == GH_G_DEAD || g->status == GH_G_DEADEXTRA;
}

/** How many entries allgs has by the runtime's other count (allglen). False: not known. */
bool gh_goroutines_counted(const struct gh_runtime *rt, uint64_t *ret);

/**
 * All goroutines in the order of allgs, the dead included (status says so). What can't be read, or
 * says that it is dead and waits, is left out and counted in *unreadable_ret. Errors: NOMEM, MISSING
 * (no allgs).
 */
struct gh_error *gh_goroutines_load(const struct gh_runtime *rt, struct gh_goroutine_vec *ret,
				    uint64_t *unreadable_ret) GH_MUST_CHECK;

/** The state's name as the contract prints it: "running", "waiting", … */
const char *gh_gstatus_name(enum gh_gstatus status);

/** pprof labels of the goroutine as "key=value, …" (escaped); appends to sb. False when none. */
struct gh_strbuf;
bool gh_goroutine_labels(const struct gh_runtime *rt, const struct gh_goroutine *g,
			 struct gh_strbuf *sb);
