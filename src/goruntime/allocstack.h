// SPDX-License-Identifier: Apache-2.0
// Where an object was allocated, for the few allocations that the memory profile sampled
// (runtime.MemProfileRate, one in 512 KiB; none at all in a program that links no profiler). Mirrors
// runtime/mprof.go (bucket) and runtime/mheap.go (specialprofile), go1.22 to go1.27.
#pragma once

#include "goruntime/functab.h"
#include "goruntime/span.h"

struct gh_alloc_stack {
	gh_addr pcs;	// of the first return address; runtime/mprof.go: bucket.stk
	uint32_t depth; // how many there are, the allocating call first; inlined calls have their own
};

/** The stack of the allocation of the object at base, in that span. False: it was not sampled. */
bool gh_alloc_stack_find(const struct gh_runtime *rt, const struct gh_span *span, gh_addr base,
			 struct gh_alloc_stack *ret);

/** Function, file and line of one frame of it. False: damaged, or code that nothing describes. */
bool gh_alloc_stack_frame(const struct gh_runtime *rt, const struct gh_alloc_stack *stack,
			  uint32_t i, struct gh_source_frame *ret);
