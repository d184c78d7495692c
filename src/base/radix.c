// SPDX-License-Identifier: Apache-2.0
// See radix.h. From the lowest digit up; digits in which all keys agree, as addresses do in their
// high ones, are passed over.
#include "base/radix.h"

#include <stdlib.h>
#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

static unsigned digit(const struct gh_key *key, unsigned shift)
{
	return key->key >> shift & (DIGITS - 1);
}

static void pass(const struct gh_key *from, struct gh_key *to, size_t n, unsigned shift)
{
	size_t at[DIGITS] = {0}, sum = 0;

	for (size_t i = 0; i < n; i++)
		at[digit(&from[i], shift)]++;
	for (unsigned d = 0; d < DIGITS; d++) {
		size_t count = at[d];

		at[d] = sum;
		sum += count;
	}
	for (size_t i = 0; i < n; i++)
		to[at[digit(&from[i], shift)]++] = from[i];
}

bool gh_sort_keys(struct gh_key *keys, size_t n)
{
	uint64_t differing = 0;
	struct gh_key *other, *from = keys;
	bool is_sorted = true;

	for (size_t i = 1; i < n; i++) {
		differing |= keys[i].key ^ keys[0].key;
		is_sorted &= keys[i - 1].key <= keys[i].key;
	}
	if (is_sorted)
		return true;
	other = malloc(n * sizeof(*other));
	if (!other)
		return false;
	for (unsigned shift = 0; shift < 64; shift += DIGIT_BITS) {
		struct gh_key *to = from == keys ? other : keys;

		if (!(differing >> shift & (DIGITS - 1)))
			continue;
		pass(from, to, n, shift);
		from = to;
	}
	if (from != keys)
		memcpy(keys, from, n * sizeof(*keys));
	free(other);
	return true;
}

size_t gh_first_key(const struct gh_key *keys, size_t n, uint64_t key)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (keys[mid].key < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}
