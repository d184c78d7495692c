// SPDX-License-Identifier: Apache-2.0
// Maps of both kinds: how a group or bucket is laid out, and the entries that a map holds. Mirrors
// runtime/map.go (go1.22, go1.23) and internal/runtime/maps (go1.24 to go1.27). Knows addresses and
// descriptors, nothing of what keys and values look like.
#pragma once

#include "goruntime/rtype.h"

enum { GH_MAP_SLOTS = 8 }; // of a group or bucket, in all releases

/** Where a group (go1.24+) or bucket keeps its eight slots. */
struct gh_map_slots {
	gh_addr key, elem;		    // descriptors of the map's keys and values
	bool key_is_pointer, elem_is_pointer; // above 128 bytes the slot holds a pointer to them
	uint64_t key_offset, key_stride;    // key i: key_offset + i * key_stride
	uint64_t elem_offset, elem_stride;
	uint64_t key_bytes, elem_bytes; // in the slot
	uint64_t bytes;			// of all of it
};

/**
 * The layout that the descriptor of a group or bucket says, or that of a map whose bucket is bare
 * (struct gh_rtype). False: it is none.
 */
bool gh_map_slots(const struct gh_runtime *rt, gh_addr group, struct gh_map_slots *ret);

/** The descriptor by which such groups are allocated: the group's own, or the bare bucket's. */
gh_addr gh_map_allocated_as(const struct gh_runtime *rt, gh_addr group);

/** What lies at some offset of a group or bucket. */
struct gh_map_place {
	uint32_t slot;
	bool in_elem;	 // else in the key
	uint64_t key_at; // offsets in the group
	uint64_t elem_at;
	uint64_t inside; // offset in the key, or in the value
};

/** False for control bytes, overflow pointers and padding. */
bool gh_map_place(const struct gh_map_slots *slots, uint64_t offset, struct gh_map_place *ret);

/** One entry: where key and value lie, pointers already followed. */
struct gh_map_entry {
	gh_addr key, elem; // 0: the pointer to it is nil
};
/** False: stop. */
typedef bool (*gh_map_fn)(void *ctx, const struct gh_map_entry *entry);

/** Number of entries as the map at `map` says; false when it cannot be read. */
bool gh_map_count(const struct gh_runtime *rt, gh_addr map, uint64_t *ret);

/**
 * Call fn for the entries of a map (hmap or maps.Map), in the order of memory, those waiting in old
 * buckets last. What cannot be read is left out. Looks at no more than 64 Mi slots: a damaged map
 * may claim any size.
 */
void gh_map_visit(const struct gh_runtime *rt, gh_addr map, const struct gh_map_slots *slots,
		  gh_map_fn fn, void *ctx);

/** Call fn for the entries of one group or bucket, without those of its overflow buckets. */
void gh_map_visit_group(const struct gh_runtime *rt, gh_addr group,
			const struct gh_map_slots *slots, gh_map_fn fn, void *ctx);

/** The same for all groups of a maps.table. */
void gh_map_visit_table(const struct gh_runtime *rt, gh_addr table,
			const struct gh_map_slots *slots, gh_map_fn fn, void *ctx);

/**
 * Is it the struct that the compiler makes for a map's group (go1.24+) or bucket? Known by its name
 * (cmd/compile/internal/types/fmt.go: "map.group[K]V", "map.bucket[K]V").
 */
bool gh_rtype_is_group(const struct gh_runtime *rt, gh_addr addr);

/** Append "map[K]V" for the descriptor of a map's group or bucket. */
void gh_rtype_group_name(const struct gh_runtime *rt, gh_addr group, struct gh_strbuf *sb);
