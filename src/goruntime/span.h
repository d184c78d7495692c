// SPDX-License-Identifier: Apache-2.0
// Spans and size classes: who owns an address, which slots are allocated, where marks and heap bits
// lie. Mirrors runtime/mheap.go, mbitmap.go, msize.go, mgcmark_greenteagc.go (go1.22 to go1.27).
// Knows nothing of types.
#pragma once

#include "goruntime/runtime.h"

enum {
	GH_PAGE_SHIFT = 13,
	GH_PAGE_BYTES = 1 << GH_PAGE_SHIFT,
	GH_SPAN_CLASSES = 136,	// size classes << 1 | noscan
	GH_TINY_SPAN_CLASS = 5, // 16 bytes, noscan (runtime/malloc.go)
	GH_HEAP_BITS_MAX = 512, // slots up to here carry heap bits in their span, larger a header
	GH_MALLOC_HEADER_BYTES = 8,
	GH_INLINE_MARK_BYTES = 128, // spanInlineMarkBits at the end of a Green Tea span
};

enum gh_span_sweep {
	GH_SPAN_SWEPT,	 // allocation bits are the truth
	GH_SPAN_UNSWEPT, // allocated and unmarked slots are garbage that was not collected yet
};

/** One span of the garbage-collected heap (state mSpanInUse). */
struct gh_span {
	gh_addr base, limit; // limit: end of the objects (of a large one: base + requested size)
	gh_addr alloc_bits, mark_bits; // byte arrays; mark_bits: where this span's marks lie now
	gh_addr specials;	       // first record or 0
	gh_addr large_type;	       // rtype of a large object with pointers; 0 unknown or noscan
	const uint8_t *host;	       // local bytes of all its pages; NULL when the core lost them,
				       // and before gh_span_table_open
	uint64_t slot0;		       // number of its first slot
	uint64_t elem_bytes;
	uint32_t npages;
	uint32_t nelems;
	uint32_t freeindex, free_index_for_scan;
	uint32_t div_mul;
	uint16_t alloc_count;
	uint8_t spanclass;
	uint8_t sweep; // enum gh_span_sweep
	bool is_user_arena;
	bool has_inline_marks;
	bool is_at_home; // the runtime's table of pages has it there, too
};
GH_VEC(gh_span_vec, struct gh_span);

/** Facts that every span of a class shares in one process. */
struct gh_span_class {
	uint32_t elem_bytes; // 0: no span of the class
	uint32_t div_mul;
	uint32_t nelems;
	uint32_t npages;
	uint32_t heap_bits_offset; // from the span's base; 0: none
};

struct gh_span_table {
	struct gh_span_vec spans; // sorted by base, disjoint
	uint64_t nslots;
	uint64_t heap_pages;	      // pages of these spans
	uint64_t manual_pages;	      // of stacks and other manual spans
	uint64_t pages_in_use;	      // mheap_.pagesInUse, the runtime's own count
	uint64_t alloc_count;	      // sum of the spans' allocCount
	uint64_t unreadable, damaged; // spans that were left out
	uint64_t lost_pages;	      // pages of spans whose memory the core lacks
	uint64_t freed_arena_pages;   // of user arena chunks whose memory was given back
	struct gh_span_class classes[GH_SPAN_CLASSES];
};

static inline bool gh_span_is_noscan(const struct gh_span *span)
{
	return span->spanclass & 1;
}

static inline bool gh_span_is_large(const struct gh_span *span)
{
	return span->spanclass >> 1 == 0;
}

/** Bytes that a large object was asked for with: its slot is whole pages. */
static inline uint64_t gh_span_large_bytes(const struct gh_span *span)
{
	return gh_min_u64(span->limit - span->base, span->elem_bytes);
}

static inline uint64_t gh_span_bytes(const struct gh_span *span)
{
	return (uint64_t)span->npages << GH_PAGE_SHIFT;
}

/** Objects of this span start with an 8-byte type header (go1.22+, heapBitsInSpan). */
static inline bool gh_span_has_header(const struct gh_span *span)
{
	return !gh_span_is_noscan(span) && !gh_span_is_large(span) &&
	       span->elem_bytes > GH_HEAP_BITS_MAX;
}

/** Of an object of this span, before its value. */
static inline uint64_t gh_span_header_bytes(const struct gh_span *span)
{
	return gh_span_has_header(span) ? GH_MALLOC_HEADER_BYTES : 0;
}

/**
 * A user arena chunk that was freed: its memory is gone, but it is in use as long as pointers lead
 * there (runtime/arena.go: isUnusedUserArenaChunk).
 */
static inline bool gh_span_is_freed_arena(const struct gh_span *span)
{
	return span->is_user_arena && gh_span_is_large(span) && gh_span_is_noscan(span);
}

/**
 * Load mheap_.allspans. What is damaged costs that span and is counted.
 * Errors: MISSING (the span tables are not in the core: says so), NOMEM, CANCELLED.
 */
struct gh_error *gh_span_table_load(const struct gh_runtime *rt, const struct gh_poll *poll,
				    struct gh_span_table *ret) GH_MUST_CHECK;
/** Find the bytes of all spans. Of a process that a debugger holds, or that runs, that copies them. */
void gh_span_table_open(const struct gh_runtime *rt, struct gh_span_table *table);
void gh_span_table_deinit(struct gh_span_table *table);

/** Pages that a span holds, heap or stack, and what for. */
struct gh_span_extent {
	gh_addr base;
	uint64_t npages, elem_bytes;
	uint8_t spanclass;
	bool is_manual; // a stack or the runtime's own
};
GH_VEC(gh_span_extent_vec, struct gh_span_extent);

/**
 * Spans in use, in no order, appended: nothing but their records is read. Errors: MISSING
 * (one of the records cannot be read), NOMEM.
 */
struct gh_error *gh_span_extents(const struct gh_runtime *rt,
				 struct gh_span_extent_vec *ret) GH_MUST_CHECK;

/** Do slots of this size have their marks at the end of the span, if it begins at base? */
bool gh_span_marks_inline(const struct gh_runtime *rt, gh_addr base, uint64_t elem_bytes);

/** The span that holds addr below its limit; NULL if none. Binary search. */
const struct gh_span *gh_span_find(const struct gh_span_table *table, gh_addr addr);

/** The span of a slot number below nslots. Binary search. */
const struct gh_span *gh_span_of_slot(const struct gh_span_table *table, uint64_t slot);

/**
 * Set bit i of `bits` (gh_bitmap_words(nelems) words, cleared by the caller) for each slot that is
 * allocated: as far as the allocator knows, and, where the span was not swept since the last mark,
 * marked too. False when the bits are not in the core; the caller counts.
 */
bool gh_span_allocated(const struct gh_runtime *rt, const struct gh_span *span, uint64_t *bits);

/** As gh_span_allocated without the marks: slots that the allocator has handed out. */
bool gh_span_handed_out(const struct gh_runtime *rt, const struct gh_span *span, uint64_t *bits);
