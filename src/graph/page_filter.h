// SPDX-License-Identifier: Apache-2.0
// Which pages a set of addresses lies in, for passes over all words of the heap: most words lead to
// pages that have nothing of the set, and one bit tells. Pages far apart share a bit: it says "maybe".
#pragma once

#include "base/bitmap.h"
#include "base/vec.h"

enum {
	GH_FILTER_PAGE_BITS = 13, // runtime.pageSize
	GH_FILTER_BITS = 1 << 19, // 64 KiB of them stay in the cache
	GH_FILTER_BLOCK = 512,	  // words looked through at once
};

struct gh_page_filter {
	uint64_t *bits; // owned
	uint64_t lo;	// of the lowest range
	uint64_t bytes; // from there to the end of the highest one; 0: the set is empty
};

/** Empty. False: out of memory. */
static inline bool gh_page_filter_init(struct gh_page_filter *filter)
{
	filter->lo = filter->bytes = 0;
	filter->bits = gh_alloc_array(gh_bitmap_words(GH_FILTER_BITS), sizeof(*filter->bits));
	return filter->bits != NULL;
}

static inline void gh_page_filter_deinit(struct gh_page_filter *filter)
{
	free(filter->bits);
	filter->bits = NULL;
}

/** The pages of [lo, hi). */
static inline void gh_page_filter_add(struct gh_page_filter *filter, uint64_t lo, uint64_t hi)
{
	uint64_t first = lo >> GH_FILTER_PAGE_BITS, last = (hi - 1) >> GH_FILTER_PAGE_BITS;

	if (lo >= hi)
		return;
	if (!filter->bytes)
		filter->lo = lo;
	hi = gh_max_u64(hi, filter->lo + filter->bytes);
	filter->lo = gh_min_u64(lo, filter->lo);
	filter->bytes = hi - filter->lo;
	for (uint64_t i = 0; i <= last - first && i < GH_FILTER_BITS; i++)
		gh_bitmap_set(filter->bits, (first + i) & (GH_FILTER_BITS - 1));
}

/** False: addr is in none of the set's pages. */
static inline bool gh_page_filter_test(const struct gh_page_filter *filter, uint64_t addr)
{
	return addr - filter->lo < filter->bytes &&
	       gh_bitmap_test(filter->bits,
			      addr >> GH_FILTER_PAGE_BITS & (GH_FILTER_BITS - 1));
}

/** The first of the words [i, n) at host that the filter lets pass; n: none. */
static inline uint64_t gh_page_filter_find(const struct gh_page_filter *filter, const uint8_t *host,
					   uint64_t i, uint64_t n)
{
	for (; i + GH_FILTER_BLOCK <= n; i += GH_FILTER_BLOCK) {
		uint64_t hits = 0;

		for (uint64_t k = 0; k < GH_FILTER_BLOCK; k++)
			hits += gh_u64_at(host + (i + k) * 8) - filter->lo < filter->bytes;
		for (uint64_t k = 0; hits && k < GH_FILTER_BLOCK; k++)
			if (gh_page_filter_test(filter, gh_u64_at(host + (i + k) * 8)))
				return i + k;
	}
	for (; i < n; i++)
		if (gh_page_filter_test(filter, gh_u64_at(host + i * 8)))
			return i;
	return n;
}
