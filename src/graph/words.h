// SPDX-License-Identifier: Apache-2.0
// The pointer words of an object, raw: the inner loop of every walk over the owner graph. The same
// words as the mark follows, by the span's heap bits or the mask of the header's type, without
// asking what they say of their targets.
#pragma once

#include "graph/mark_state.h"

#define GH_SLOT_NONE UINT64_MAX

/** Where a word leads. */
struct gh_word_slot {
	uint64_t slot; // GH_SLOT_NONE: into no slot
	gh_addr base;
	const struct gh_page *page; // NULL: outside the heap
};

/** The slot that a value points into, whatever its state. */
__attribute__((always_inline)) static inline struct gh_word_slot
gh_word_slot(const struct gh_mark *m, uint64_t value)
{
	struct gh_word_slot t = {.slot = GH_SLOT_NONE};
	const struct mark_class *k;
	uint64_t offset, index;

	if (value - m->lo >= m->span_bytes)
		return t;
	t.page = &m->pages[(value - m->lo) >> GH_PAGE_SHIFT];
	k = &m->classes[t.page->class];
	offset = (uint64_t)t.page->index << GH_PAGE_SHIFT | (value & (GH_PAGE_BYTES - 1));
	index = (uint32_t)((offset * k->div_mul) >> 32);
	t.base = value - (offset - index * k->elem_bytes);
	if (GH_LIKELY(t.page->is_heap && index < k->nelems))
		t.slot = t.page->slot0 + index;
	return t;
}

/** Bytes of the slot at base, in this page. */
static inline uint64_t gh_slot_bytes(const struct gh_mark *m, gh_addr base,
				     const struct gh_page *page)
{
	const struct gh_span *span;

	if (GH_LIKELY(page->class >= 2))
		return m->classes[page->class].elem_bytes;
	span = gh_span_find(&m->heap->table, base);
	return span ? span->elem_bytes : 0;
}

/** The mask by which the words of an object above 512 bytes are found. */
struct gh_word_mask {
	const uint64_t *bits;	 // of one value; the arena's
	uint64_t nbits, stride;	 // words
	uint64_t nwords;	 // of the object
	uint32_t header;	 // bytes in front
};

/** False: there is none: the collector does not look at the object either. */
bool gh_word_mask_of(struct gh_mark *m, gh_addr base, const struct gh_page *page,
		     struct gh_word_mask *ret);

typedef void (*gh_raw_fn)(void *ctx, gh_addr at, uint64_t value);

/** fn for each pointer word of the slot at base, those that are 0 included. Inlined with its fn. */
__attribute__((always_inline)) static inline void
gh_object_words(struct gh_mark *m, gh_addr base, const struct gh_page *page, gh_raw_fn fn,
		void *ctx)
{
	const struct mark_class *k = &m->classes[page->class];
	struct gh_word_mask mask;
	const uint8_t *host;

	if (GH_UNLIKELY(page->is_lost))
		return;
	host = gh_heap_host(m->heap, base);
	if (GH_LIKELY(k->heap_bits_offset)) {
		uint64_t bits = gh_heap_bits(host, base, page, k);

		while (bits) {
			uint32_t i = (uint32_t)__builtin_ctzll(bits);

			bits &= bits - 1;
			fn(ctx, base + i * 8, gh_u64_at(host + i * 8));
		}
		return;
	}
	if (!k->scan || !gh_word_mask_of(m, base, page, &mask))
		return;
	for (uint64_t elem = 0; elem < mask.nwords; elem += mask.stride)
		for (uint64_t i = 0; i < mask.nbits; i += 64) {
			uint64_t bits = mask.bits[i / 64];

			while (bits) {
				uint64_t at = elem + i + (uint64_t)__builtin_ctzll(bits);

				bits &= bits - 1;
				if (at >= mask.nwords)
					return;
				fn(ctx, base + mask.header + at * 8,
				   gh_u64_at(host + mask.header + at * 8));
			}
		}
}

/** Ask for the lines that gh_object_words will read. By force: see prefetch in mark.c. */
__attribute__((always_inline)) static inline void
gh_object_prefetch(const struct gh_mark *m, gh_addr base, const struct gh_page *page)
{
	const uint8_t *host = gh_heap_host(m->heap, base);
	uint64_t offset = (uint64_t)page->index << GH_PAGE_SHIFT | (base & (GH_PAGE_BYTES - 1));

	__builtin_prefetch(host);
	__builtin_prefetch(host + 24); // it may straddle two lines
	__builtin_prefetch(host - offset + m->classes[page->class].heap_bits_offset + offset / 64);
}

/** The page of a heap address that is in a slot. */
static inline const struct gh_page *gh_page_at(const struct gh_mark *m, gh_addr addr)
{
	return &m->pages[(addr - m->lo) >> GH_PAGE_SHIFT];
}
