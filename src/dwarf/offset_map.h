// SPDX-License-Identifier: Apache-2.0
// A map from offsets in a DWARF section to dense numbers: open addressing, insert only.
#pragma once

#include "base/vec.h"

struct gh_offset_map_entry {
	uint64_t key;
	uint32_t value; // 0: the entry is free
};

struct gh_offset_map {
	struct gh_offset_map_entry *entries; // owned
	size_t cap, len;		     // cap is 0 or a power of two
};

/** The value of a key, 0 when it is not there. */
uint32_t gh_offset_map_get(const struct gh_offset_map *map, uint64_t key);

/** Put a key that is not there yet; value is not 0. False: out of memory. */
bool gh_offset_map_put(struct gh_offset_map *map, uint64_t key, uint32_t value) GH_MUST_CHECK;

void gh_offset_map_deinit(struct gh_offset_map *map);
