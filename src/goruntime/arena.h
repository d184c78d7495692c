// SPDX-License-Identifier: Apache-2.0
// The runtime's own table of the heap's pages: which mspan has an address. Mirrors runtime/mheap.go
// (heapArena), go1.22 to go1.27.
#pragma once

#include "goruntime/span.h"

enum {
	GH_ARENA_SHIFT = 26, // runtime/malloc.go: heapArenaBytes on 64-bit Linux
	GH_ARENA_BYTES = 1 << GH_ARENA_SHIFT,
	GH_ARENA_PAGES = GH_ARENA_BYTES / GH_PAGE_BYTES,
};

/** Where arena 0 begins (runtime/malloc.go: arenaBaseOffset). */
gh_addr gh_heap_arena_base(const struct gh_runtime *rt);

/** The heapArena of the 64 MiB around addr; 0: there is none, or it cannot be read. */
gh_addr gh_heap_arena(const struct gh_runtime *rt, gh_addr addr);

/** The mspan that its table has for the page of addr; 0: none, or it cannot be read. */
gh_addr gh_heap_arena_span(const struct gh_runtime *rt, gh_addr addr);
