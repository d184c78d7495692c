// SPDX-License-Identifier: Apache-2.0
// From a word to a slot in a few loads: the page table of the heap, the numbering of its slots, the
// bytes behind them. The mark and everything after it stands on this. Knows nothing of types.
#pragma once

#include "goruntime/arena.h"

/** One heap page, 8 bytes: everything that turns an address into a slot. */
struct gh_page {
	uint32_t slot0;	      // first slot of the span
	uint32_t class : 8;   // span class
	uint32_t index : 22;  // of the page in its span
	uint32_t is_heap : 1; // 0: no heap page
	uint32_t is_lost : 1; // the span's bytes are not there: may be marked, not scanned
};

struct gh_heap {
	const struct gh_runtime *rt; // borrowed
	struct gh_span_table table;  // owned
	gh_addr lo, hi;		     // all heap pages lie in [lo, hi); lo is arena-aligned
	struct gh_page *pages;	     // owned mapping, one entry a page of [lo, hi)
	size_t pages_bytes;
	int64_t *delta; // owned: local minus target address, one an arena of [lo, hi)
	uint8_t *copy;	// owned mapping: arenas whose bytes lie apart, by address; mostly NULL
	uint64_t copy_bytes;
	uint64_t *
		allocated; // owned: bit a slot: allocated and not known garbage (gh_span_allocated)
	uint64_t nallocated;
	uint64_t handed_out; // slots that the allocator has handed out, garbage included
	uint64_t bits_lost;  // spans whose allocation bits the core lacks
	bool is_open;
};

/** A slot and where in it an address points. */
struct gh_slot_ref {
	uint64_t slot;
	gh_addr base;
	uint64_t offset;
	uint64_t elem_bytes;
	uint8_t class;
};

/** Errors: those of gh_span_table_load; LIMIT when the heap spreads over too wide a range. */
struct gh_error *gh_heap_load(const struct gh_runtime *rt, const struct gh_poll *poll,
			      struct gh_heap **ret) GH_MUST_CHECK;
/**
 * Find the bytes of the objects: until then all pages are lost. Once; of a live process that copies
 * all of them. Errors: NOMEM, LIMIT.
 */
struct gh_error *gh_heap_open(struct gh_heap *heap) GH_MUST_CHECK;
void gh_heap_destroy(struct gh_heap *heap);

/** The page of addr, or NULL when addr is no heap address. */
static inline const struct gh_page *gh_heap_page(const struct gh_heap *heap, gh_addr addr)
{
	const struct gh_page *page;

	if (addr - heap->lo >= heap->hi - heap->lo)
		return NULL;
	page = &heap->pages[(addr - heap->lo) >> GH_PAGE_SHIFT];
	return page->is_heap ? page : NULL;
}

/** Local bytes of a heap address whose page is_heap and not is_lost. */
static inline const uint8_t *gh_heap_host(const struct gh_heap *heap, gh_addr addr)
{
	return (const uint8_t *)(uintptr_t)(addr + (uint64_t)heap->delta[(addr - heap->lo) >>
									 GH_ARENA_SHIFT]);
}

/** The slot that addr points into, as the collector's findObject; false when it points into none.
 */
bool gh_heap_find(const struct gh_heap *heap, gh_addr addr, struct gh_slot_ref *ret);

/** Base address of a slot number. O(log spans). */
gh_addr gh_heap_slot_base(const struct gh_heap *heap, uint64_t slot);
