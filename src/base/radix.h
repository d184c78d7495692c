// SPDX-License-Identifier: Apache-2.0
// Sorting by a number, in time that does not depend on how many there are: for lists as long as the
// heap, where a comparison a step is what a sort costs.
#pragma once

#include "base/vec.h"

struct gh_key {
	uint64_t key;
	uint64_t value; // carried along
};
GH_VEC(gh_key_vec, struct gh_key);

/** Stable, by key. Takes 16 bytes more a key meanwhile. False: out of memory, nothing is moved. */
bool gh_sort_keys(struct gh_key *keys, size_t n) GH_MUST_CHECK;

/** The first of n sorted keys that is not below `key`; n: none. */
size_t gh_first_key(const struct gh_key *keys, size_t n, uint64_t key);
