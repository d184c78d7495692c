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

struct gh_goroutine {
	gh_addr addr; // of the runtime.g
	uint64_t goid;
	enum gh_gstatus status; // without the scan bit
	bool system;		// hidden by default in the runtime's own tracebacks
	bool locked;		// to a thread
	gh_addr stack_lo, stack_hi;
	gh_addr sched_sp, sched_pc, sched_ctxt;
	gh_addr syscall_sp, syscall_pc;
	gh_addr m;		 // runtime.m or 0
	const char *wait_reason; // "" when it does not wait; runtime's words
	int64_t wait_since_ns;	 // g.waitsince, see gctimes.h; 0: no collection saw it blocked
	gh_addr start_pc, go_pc;
	uint64_t parent_goid; // 0 none
	gh_addr defer, panic;
	const struct gh_thread *thread; // when running, or in a syscall, and known; else NULL
};
GH_VEC(gh_goroutine_vec, struct gh_goroutine);

/** A g that runs nothing: free, being made, or of an extra M. It has no stack to scan. */
static inline bool gh_goroutine_is_dead(const struct gh_goroutine *g)
{
	return g->status == GH_G_IDLE || g->status == GH_G_DEAD || g->status == GH_G_DEADEXTRA;
}

/**
 * All goroutines in the order of allgs, the dead included (status says so). What can't be read is
 * left out and counted in *unreadable_ret. Errors: NOMEM, MISSING (no allgs).
 */
struct gh_error *gh_goroutines_load(const struct gh_runtime *rt, struct gh_goroutine_vec *ret,
				    uint64_t *unreadable_ret) GH_MUST_CHECK;

/** The state's name as the contract prints it: "running", "waiting", … */
const char *gh_gstatus_name(enum gh_gstatus status);

/** pprof labels of the goroutine as "key=value, …" (escaped); appends to sb. False when none. */
struct gh_strbuf;
bool gh_goroutine_labels(const struct gh_runtime *rt, const struct gh_goroutine *g,
			 struct gh_strbuf *sb);
