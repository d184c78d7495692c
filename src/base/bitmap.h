// SPDX-License-Identifier: Apache-2.0
// Bit arrays over u64 words, bit i in word i / 64. The caller owns the words.
#pragma once

#include "base/defs.h"

static inline size_t gh_bitmap_words(uint64_t nbits)
{
	return (size_t)(nbits / 64 + (nbits % 64 != 0));
}

static inline bool gh_bitmap_test(const uint64_t *words, uint64_t i)
{
	return words[i >> 6] >> (i & 63) & 1;
}

static inline void gh_bitmap_set(uint64_t *words, uint64_t i)
{
	words[i >> 6] |= 1ULL << (i & 63);
}

static inline void gh_bitmap_clear(uint64_t *words, uint64_t i)
{
	words[i >> 6] &= ~(1ULL << (i & 63));
}

/** Set, and say whether it was set before. */
static inline bool gh_bitmap_test_and_set(uint64_t *words, uint64_t i)
{
	uint64_t bit = 1ULL << (i & 63), old = words[i >> 6];

	words[i >> 6] = old | bit;
	return old & bit;
}

/** Bits that are set. Inlined: the compiler's own is a call where the processor may lack the
 * instruction.
 */
static inline uint32_t gh_popcount(uint64_t word)
{
	word -= word >> 1 & 0x5555555555555555;
	word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
	return (uint32_t)(((word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f) * 0x0101010101010101 >> 56);
}
