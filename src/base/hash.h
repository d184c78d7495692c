// SPDX-License-Identifier: Apache-2.0
// FNV-1a, for tables of names and for fingerprints, which have to stay what they are.
#pragma once

#include "base/defs.h"

#define GH_HASH_START 14695981039346656037ULL

/** Go on from hash, GH_HASH_START at first, over len bytes. */
static inline uint64_t gh_hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 1099511628211ULL;
	return hash;
}
