// SPDX-License-Identifier: Apache-2.0
// Numbers for what is met: 0, 1, 2 … in the order in which it comes. Things are told apart by 128 bits
// of hash, so that they need not be kept.
#pragma once

#include "base/defs.h"

struct gh_hash128 {
	uint64_t a, b;
};

static inline uint64_t gh_hash_mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9fb21c651e98df25ULL;
	return h ^ h >> 32;
}

static inline void gh_hash128_word(struct gh_hash128 *h, uint64_t word)
{
	h->a = gh_hash_mix(h->a, word);
	h->b = gh_hash_mix(h->b + 0x9e3779b97f4a7c15ULL, word);
}

/** NULL counts as an empty one. */
void gh_hash128_text(struct gh_hash128 *h, const char *text);

struct gh_numbering_slot;

/** Zeroed before the first call. */
struct gh_numbering {
	struct gh_numbering_slot *slots; // owned; nslots, a power of two
	size_t nslots;
	uint32_t len; // that have a number
};

/** The number of what has this hash; *is_new_ret: it got the next one. False: out of memory. */
bool gh_numbering_find(struct gh_numbering *numbering, struct gh_hash128 hash, uint32_t *ret,
		       bool *is_new_ret) GH_MUST_CHECK;
void gh_numbering_deinit(struct gh_numbering *numbering);
