// SPDX-License-Identifier: Apache-2.0
// See arena.h.
#include "goruntime/arena.h"

gh_addr gh_heap_arena_base(const struct gh_runtime *rt)
{
	return strcmp(rt->goarch, "amd64") == 0 ? 0xffff800000000000 : 0;
}

gh_addr gh_heap_arena(const struct gh_runtime *rt, gh_addr addr)
{
	uint64_t index = (addr - gh_heap_arena_base(rt)) >> GH_ARENA_SHIFT;
	gh_addr l2, arena;

	// arenaL1Bits is 0 on linux/amd64 and linux/arm64: arenas[0] is the only L2 table
	if (!gh_read_u64(rt->image,
			 rt->var[GH_V_mheap_] + (uint64_t)rt->layout.offset[GH_F_mheap_arenas],
			 &l2) ||
	    !gh_read_u64(rt->image, l2 + index * 8, &arena))
		return 0;
	return arena;
}

gh_addr gh_heap_arena_span(const struct gh_runtime *rt, gh_addr addr)
{
	gh_addr arena = gh_heap_arena(rt, addr), span;

	return arena && gh_read_u64(rt->image,
				    arena + (uint64_t)rt->layout.offset[GH_F_heapArena_spans] +
					    addr / GH_PAGE_BYTES % GH_ARENA_PAGES * 8,
				    &span)
		       ? span
		       : 0;
}
