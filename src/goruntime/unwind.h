// SPDX-License-Identifier: Apache-2.0
// The unwinder behind stack.h: walks the physical frames of one goroutine's own stack as the
// collector does. Mirrors runtime/traceback.go (unwinder.initAt, resolveInternal, next).
#pragma once

#include "goruntime/stack.h"

enum {
	GH_CONTEXT_REGS = 32,	     // general registers that can hold pointers
	GH_PC_CACHE_ENTRIES = 1024,  // a power of two
	GH_STACK_FRAMES_MAX = 65536, // frames that are kept; a runaway recursion has millions
};

/** Where the walk of a stack begins. */
enum gh_stack_start {
	GH_START_NONE,	    // dead or not yet alive: nothing to scan
	GH_START_SAFEPOINT, // from saved state: stack maps hold at every frame
	GH_START_TRAP,	    // a running thread was interrupted at any instruction
	GH_START_LOST,	    // no registers, or the stack is being copied: only conservatively
};

struct gh_stack_context {
	enum gh_stack_start start;
	gh_addr pc, sp, lr;
	bool is_syscall;		// pc and sp are g.syscallpc and g.syscallsp
	bool from_signal; // of a trap: as the kernel saved it for a handler (struct sigcontext)
	uint32_t nregs;			// of a trap; 0 otherwise
	uint64_t regs[GH_CONTEXT_REGS]; // without pc and sp
	uint32_t nvectors;
	uint64_t vectors[GH_VECTOR_WORDS]; // of a trap: words of vector registers
};

/** Find out where g's own stack begins: saved state, thread registers, or a signal's context. */
void gh_stack_context(const struct gh_runtime *rt, const struct gh_goroutine *g,
		      struct gh_stack_context *ret);

/**
 * Where a thread stands, outside of handlers of signals: m is its runtime.m, or 0. regs are in the
 * kernel's order, which is another one for a thread and for what a handler interrupted.
 */
void gh_thread_context(const struct gh_runtime *rt, const struct gh_thread *thread, gh_addr m,
		       struct gh_stack_context *ret);

/** What a pc says, remembered: the same few functions stand on most stacks. */
struct gh_pc_entry {
	gh_addr pc; // 0: empty
	struct gh_func func;
	int32_t sp_delta;  // < 0: none
	int32_t map_index; // stack map index at pc - 1; INT32_MIN: not looked up yet
};

struct gh_pc_cache {
	struct gh_pc_entry entries[GH_PC_CACHE_ENTRIES];
};

struct gh_unwinder {
	const struct gh_runtime *rt;
	struct gh_pc_cache *cache; // borrowed; NULL: none
	gh_addr lo, hi;		   // bounds of the stack
	const uint8_t *host;	   // local bytes of [lo, hi); NULL: read word by word
	struct gh_frame frame;
	enum gh_func_id callee;
	bool uses_lr; // arm64
	bool trap;    // frame.pc is an interrupted instruction, not a return address
	bool valid;   // frame holds one
	enum gh_unwind_end end;
};

/** Start at the innermost frame of ctx, on the stack [lo, hi). cache may be NULL. */
void gh_unwinder_init(struct gh_unwinder *u, const struct gh_runtime *rt, gh_addr lo, gh_addr hi,
		      const struct gh_stack_context *ctx, struct gh_pc_cache *cache);
void gh_unwinder_next(struct gh_unwinder *u);

/** Stack map index of the frame (runtime/stkframe.go, getStackMap): of contpc - 1, 0 at entry. */
int32_t gh_unwinder_map_index(struct gh_unwinder *u);

/** Bytes of the stack; NULL when out of bounds or unreadable. */
const uint8_t *gh_unwinder_bytes(const struct gh_unwinder *u, gh_addr addr, uint64_t len);
