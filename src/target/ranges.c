// SPDX-License-Identifier: Apache-2.0
// See ranges.h.
#include "target/ranges.h"

#include <stdlib.h>

bool gh_ranges_append(struct gh_range_vec *set, gh_addr lo, gh_addr hi)
{
	struct gh_range *last = set->len ? &set->data[set->len - 1] : NULL;

	if (lo >= hi)
		return true;
	if (last && last->hi == lo) {
		last->hi = hi;
		return true;
	}
	return gh_range_vec_push(set, (struct gh_range){lo, hi});
}

static int compare_lo(const void *a, const void *b)
{
	gh_addr x = ((const struct gh_range *)a)->lo, y = ((const struct gh_range *)b)->lo;

	return x < y ? -1 : x > y;
}

void gh_ranges_arrange(struct gh_range_vec *ranges)
{
	size_t kept = 0;

	if (ranges->len)
		qsort(ranges->data, ranges->len, sizeof(*ranges->data), compare_lo);
	for (size_t i = 0; i < ranges->len; i++) {
		struct gh_range r = ranges->data[i];

		if (r.lo >= r.hi)
			continue;
		if (kept && r.lo <= ranges->data[kept - 1].hi)
			ranges->data[kept - 1].hi = gh_max_u64(ranges->data[kept - 1].hi, r.hi);
		else
			ranges->data[kept++] = r;
	}
	ranges->len = kept;
}

size_t gh_ranges_find(const struct gh_range *sorted, size_t n, gh_addr addr)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (sorted[mid].lo <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && addr < sorted[lo - 1].hi ? lo - 1 : n;
}

uint64_t gh_ranges_bytes(const struct gh_range_vec *set)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < set->len; i++)
		bytes += set->data[i].hi - set->data[i].lo;
	return bytes;
}

struct gh_error *gh_ranges_subtract(const struct gh_range_vec *a, const struct gh_range_vec *b,
				    struct gh_range_vec *ret)
{
	size_t k = 0;

	for (size_t i = 0; i < a->len; i++) {
		gh_addr lo = a->data[i].lo, hi = a->data[i].hi;

		while (k < b->len && b->data[k].hi <= lo)
			k++;
		for (size_t j = k; j < b->len && b->data[j].lo < hi; j++) {
			if (!gh_ranges_append(ret, lo, b->data[j].lo))
				return gh_error_nomem();
			lo = gh_max_u64(lo, b->data[j].hi);
		}
		if (!gh_ranges_append(ret, lo, hi))
			return gh_error_nomem();
	}
	return NULL;
}

struct gh_error *gh_ranges_intersect(const struct gh_range_vec *a, const struct gh_range_vec *b,
				     struct gh_range_vec *ret)
{
	for (size_t i = 0, k = 0; i < a->len && k < b->len;) {
		gh_addr lo = gh_max_u64(a->data[i].lo, b->data[k].lo);
		gh_addr hi = gh_min_u64(a->data[i].hi, b->data[k].hi);

		if (!gh_ranges_append(ret, lo, hi))
			return gh_error_nomem();
		if (a->data[i].hi < b->data[k].hi)
			i++;
		else
			k++;
	}
	return NULL;
}
