// SPDX-License-Identifier: Apache-2.0
// See offset_map.h.
#include "dwarf/offset_map.h"

enum { MIN_CAP = 256 };

/* The entry of a key, or the free one where it belongs. At least one entry is free. */
static struct gh_offset_map_entry *find(const struct gh_offset_map *map, uint64_t key)
{
	// Fibonacci hashing: offsets of neighbours differ in their low bits only
	size_t i = (size_t)((key * 0x9e3779b97f4a7c15ULL) >> 20) & (map->cap - 1);

	while (map->entries[i].value && map->entries[i].key != key)
		i = (i + 1) & (map->cap - 1);
	return &map->entries[i];
}

uint32_t gh_offset_map_get(const struct gh_offset_map *map, uint64_t key)
{
	return map->cap ? find(map, key)->value : 0;
}

static bool grow(struct gh_offset_map *map)
{
	struct gh_offset_map bigger = {.cap = map->cap ? map->cap * 2 : MIN_CAP, .len = map->len};

	bigger.entries = gh_alloc_array(bigger.cap, sizeof(*bigger.entries));
	if (!bigger.entries)
		return false;
	for (size_t i = 0; i < map->cap; i++)
		if (map->entries[i].value)
			*find(&bigger, map->entries[i].key) = map->entries[i];
	free(map->entries);
	*map = bigger;
	return true;
}

bool gh_offset_map_put(struct gh_offset_map *map, uint64_t key, uint32_t value)
{
	if (map->len >= map->cap / 2 && !grow(map))
		return false;
	*find(map, key) = (struct gh_offset_map_entry){.key = key, .value = value};
	map->len++;
	return true;
}

void gh_offset_map_deinit(struct gh_offset_map *map)
{
	free(map->entries);
	*map = (struct gh_offset_map){0};
}
