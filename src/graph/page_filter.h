// SPDX-License-Identifier: Apache-2.0
// Which pages a set of addresses lies in, for passes over all words of the heap: most words lead to
// pages that have nothing of the set, and one bit tells. Pages far apart share a bit: it says "maybe".
#pragma once

#include "base/bitmap.h"
#include "base/vec.h"

enum {
	GH_FILTER_PAGE_BITS = 13, // runtime.pageSize
	GH_FILTER_BITS = 1 << 19, // 64 KiB of them stay in the cache
};

struct gh_page_filter {
	uint64_t *bits; // owned
};

/** Empty. False: out of memory. */
static inline bool gh_page_filter_init(struct gh_page_filter *filter)
{
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
	for (uint64_t i = 0; i <= last - first && i < GH_FILTER_BITS; i++)
		gh_bitmap_set(filter->bits, (first + i) & (GH_FILTER_BITS - 1));
}

/** False: addr is in none of the set's pages. */
static inline bool gh_page_filter_test(const struct gh_page_filter *filter, uint64_t addr)
{
	return gh_bitmap_test(filter->bits,
			      addr >> GH_FILTER_PAGE_BITS & (GH_FILTER_BITS - 1));
}
