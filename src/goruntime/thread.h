// SPDX-License-Identifier: Apache-2.0
// Threads: which M each is, what it does, in which system call it stands. Mirrors runtime/proc.go,
// runtime2.go (m), os_linux.go, go1.22 to go1.27; and what registers tell of a system call.
#pragma once

#include "goruntime/unwind.h"

/** Threads by id, so that ten thousand goroutines on as many threads stay cheap. */
struct gh_thread_index {
	const struct gh_thread **by_tid; // owned, sorted
	size_t n;
};

/** False: out of memory. */
bool gh_thread_index_init(struct gh_thread_index *index,
			  const struct gh_target *target) GH_MUST_CHECK;
void gh_thread_index_deinit(struct gh_thread_index *index);

/** The thread of an M, by its procid, else (cores with foreign ids) by the g in its TLS. NULL: none. */
const struct gh_thread *gh_thread_of_m(const struct gh_runtime *rt,
				       const struct gh_thread_index *index, gh_addr m, gh_addr g);

enum gh_thread_state {
	GH_THREAD_RUNNING, // Go code of a goroutine
	GH_THREAD_SYSCALL, // a goroutine's system call
	GH_THREAD_CGO,	   // C that a goroutine called
	GH_THREAD_RUNTIME, // the runtime's own work: sysmon, the poller, the collector
	GH_THREAD_IDLE,	   // parked: there is nothing to do
	GH_THREAD_LOCKED,  // parked until the goroutine that is locked to it may run
	GH_THREAD_DYING,   // it is why the process dies
	GH_THREAD_FOREIGN, // of C alone: no M
	GH_THREAD_STATES,
};

/** "running", "syscall", … */
const char *gh_thread_state_name(enum gh_thread_state state);

enum { GH_SYSCALL_ARGS = 6 };

struct gh_mthread {
	const struct gh_thread *thread; // NULL: the core does not have it
	uint32_t tid;
	gh_addr m;     // 0: foreign
	uint64_t m_id; // the runtime's number of the M
	const struct gh_goroutine *goroutine; // on it, or (state LOCKED) locked to it; NULL: none
	enum gh_thread_state state;
	bool is_locked;	   // to a goroutine, by runtime.LockOSThread
	bool in_handler;   // of a signal: all else is about what that interrupted
	bool is_in_kernel; // in a system call
	const char *call;  // its name; NULL: in none, or not known
	uint64_t args[GH_SYSCALL_ARGS]; // if is_in_kernel
	gh_addr pc;			// outside of handlers; 0: not known
	const char *function;	// of Go at pc, or what a thread of the runtime does; NULL: C, or none
};
GH_VEC(gh_mthread_vec, struct gh_mthread);

/**
 * All Ms that have a thread, in the order of runtime.allm, then threads without an M. goroutines:
 * sorted by nothing, outlive the result. *damaged_ret: Ms that cannot be. Errors: NOMEM.
 */
struct gh_error *gh_mthreads_load(const struct gh_runtime *rt,
				  const struct gh_goroutine_vec *goroutines,
				  struct gh_mthread_vec *ret, uint64_t *damaged_ret) GH_MUST_CHECK;

/** Fill call, args and is_in_kernel: called by gh_mthreads_load. */
void gh_thread_call(const struct gh_runtime *rt, const struct gh_stack_context *ctx,
		    struct gh_mthread *t);
