// SPDX-License-Identifier: Apache-2.0
// What each pointer of the heap passes through, one after the other (mark.c) or many at a time
// (round.c). Nothing here changes the mark or makes anything: it may run in any thread.
#pragma once

#include "graph/mark_state.h"

enum { GH_PREFETCH_AHEAD = 24 }; // bytes: an object may straddle two lines

/** One pointer, turned into a slot. */
struct mark_target {
	uint64_t slot; // m->nslots: none
	gh_addr base;
	uint16_t code; // as found, where it leads to the object's start
	uint8_t class;
	bool is_start; // of the object's data
};

static inline bool gh_mark_hides(const struct gh_mark *m, uint64_t slot, uint16_t code)
{
	return code >= GH_CODE_FIRST && m->codes.data[code].strength == GH_STRENGTH_DECLARED &&
	       (slot * 0x9e3779b97f4a7c15ULL >> 32) % m->hide_one_in == 0;
}

/** Where a pointer into the heap's range leads. found: address << 16 | code. */
static inline struct mark_target gh_mark_locate(const struct gh_mark *m, uint64_t found)
{
	gh_addr addr = found >> 16;
	const struct gh_page *page = &m->pages[(addr - m->lo) >> GH_PAGE_SHIFT];
	const struct mark_class *k = &m->classes[page->class];
	uint64_t offset = (uint64_t)page->index << GH_PAGE_SHIFT | (addr & (GH_PAGE_BYTES - 1));
	uint64_t index = (uint32_t)((offset * k->div_mul) >> 32);
	uint64_t inside = offset - index * k->elem_bytes;
	struct mark_target t = {
		.slot = page->slot0 + index,
		.base = addr - inside,
		.code = (uint16_t)found,
		.class = page->class,
		.is_start = inside == k->header,
	};

	if (GH_UNLIKELY(!page->is_heap || index >= k->nelems))
		t.slot = m->nslots;
	return t;
}

/** What a pointer to the middle of an object says of it. */
static inline uint16_t gh_code_of_middle(uint8_t class, uint32_t bytes)
{
	return class == GH_TINY_SPAN_CLASS && bytes && bytes < 16 ? GH_CODE_TINY : GH_CODE_UNKNOWN;
}

/**
 * Lines of an object and of its heap bits. Inlined by force: gcc takes a function that only
 * prefetches for one without effect, and drops it.
 */
__attribute__((always_inline)) static inline void gh_mark_prefetch(const struct gh_mark *m,
								   uint64_t entry)
{
	gh_addr base = entry >> 16;
	const struct gh_page *page = &m->pages[(base - m->lo) >> GH_PAGE_SHIFT];
	const uint8_t *host = gh_heap_host(m->heap, base);
	uint64_t offset = (uint64_t)page->index << GH_PAGE_SHIFT | (base & (GH_PAGE_BYTES - 1));

	__builtin_prefetch(host);
	__builtin_prefetch(host + GH_PREFETCH_AHEAD);
	__builtin_prefetch(host - offset + m->classes[page->class].heap_bits_offset + offset / 64);
}

/** A slice's array; its length and capacity stand behind the word. */
static inline struct mark_edge gh_edge_of_slice(const uint8_t *word, struct mark_edge edge)
{
	uint64_t len = gh_u64_at(word + 8), cap = gh_u64_at(word + 16), bytes;

	if (!cap || len > cap || gh_mul(cap, (uint64_t)edge.bytes, &bytes))
		return (struct mark_edge){.code = GH_CODE_UNKNOWN};
	edge.bytes = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
	return edge;
}

/**
 * A slice without room, or a string without text: what is left of a longer one still leads to its
 * array, and the compiler lets it lead nowhere else (cmd/compile/internal/ssagen/ssa.go: slice).
 */
static inline bool gh_edge_is_empty(const uint8_t *word, enum gh_edge_kind kind)
{
	return !gh_u64_at(word + 8) && (kind == GH_EDGE_STRING || !gh_u64_at(word + 16));
}

/** A string's bytes; its length stands behind the word. */
static inline struct mark_edge gh_edge_of_string(const uint8_t *word, struct mark_edge edge)
{
	uint64_t len = gh_u64_at(word + 8);

	if (!len)
		return (struct mark_edge){.code = GH_CODE_UNKNOWN};
	edge.bytes = len > UINT32_MAX ? UINT32_MAX : (uint32_t)len;
	return edge;
}

/**
 * A slice's or string's array, by the edge's kind; after: words of the value behind this one that are
 * known. False: it is empty, so that the array is of any length, and no more than a guess.
 */
static inline bool gh_edge_of_array(const uint8_t *word, uint32_t after, struct mark_edge *edge)
{
	bool is_string = edge->kind == GH_EDGE_STRING;

	if (after < (is_string ? 1 : 2)) {
		edge->bytes = 0; // the compiler keeps cap elsewhere
		return true;
	}
	if (gh_edge_is_empty(word, (enum gh_edge_kind)edge->kind))
		return false;
	*edge = is_string ? gh_edge_of_string(word, *edge) : gh_edge_of_slice(word, *edge);
	return true;
}

static inline struct dynamic_edge *gh_dynamic_slot(struct dynamic_edge *cache, gh_addr key)
{
	return &cache[(key >> 5) % DYNAMIC_SLOTS];
}
