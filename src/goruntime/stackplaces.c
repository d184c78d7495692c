// SPDX-License-Identifier: Apache-2.0
// See stackplaces.h.
#include "goruntime/stackplaces.h"

#include <stdlib.h>

enum { WORDS = 64 };

static int compare(const void *a, const void *b)
{
	gh_addr x = *(const gh_addr *)a, y = *(const gh_addr *)b;

	return x < y ? -1 : x > y;
}

static bool add_all(struct gh_stack_places *places, const struct gh_stack_word_vec *words)
{
	for (size_t i = 0; i < words->len; i++)
		if (!words->data[i].conservative && words->data[i].at &&
		    !gh_addr_vec_push(&places->at, words->data[i].at))
			return false;
	return true;
}

bool gh_stack_places_bits(struct gh_stack_places *places, const struct gh_stack_scan *scan,
			  gh_addr addr, uint64_t *ret)
{
	size_t lo = 0, hi;
	uint64_t bits = 0;

	if (!places->known) {
		if (!add_all(places, &scan->words) || !add_all(places, &scan->inner))
			return false;
		if (places->at.len)
			qsort(places->at.data, places->at.len, sizeof(*places->at.data), compare);
		places->known = true;
	}
	for (hi = places->at.len; lo < hi;) {
		size_t mid = lo + (hi - lo) / 2;

		if (places->at.data[mid] < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < places->at.len && places->at.data[lo] - addr < WORDS * 8; lo++)
		bits |= 1ULL << (places->at.data[lo] - addr) / 8;
	*ret = bits;
	return true;
}
