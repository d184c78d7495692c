// SPDX-License-Identifier: Apache-2.0
// The runtime's own table of the heap's pages: which mspan has an address. Mirrors runtime/mheap.go
// (heapArena), go1.22 to go1.27.
#pragma once

#include "goruntime/runtime.h"

/** The heapArena of the 64 MiB around addr; 0: there is none, or it cannot be read. */
gh_addr gh_heap_arena(const struct gh_runtime *rt, gh_addr addr);

/** The mspan that its table has for the page of addr; 0: none, or it cannot be read. */
gh_addr gh_heap_arena_span(const struct gh_runtime *rt, gh_addr addr);
