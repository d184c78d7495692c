// SPDX-License-Identifier: Apache-2.0
// The inside of struct gh_types, for the files that make types. Others use types.h.
#pragma once

#include "base/arena.h"
#include "graph/types.h"

struct gh_types {
	const struct gh_runtime *rt; // borrowed
	struct gh_type_vec all;	     // by id; 0 is "unknown"
	gh_type_id *buckets;	     // owned: open addressing over (source, shape); 0 is free
	size_t nbuckets;	     // a power of two
	struct gh_arena arena;	     // names and edges
	uint64_t edge_words;	     // laid out so far
};

/** 0 when it is not there. */
gh_type_id gh_types_find(const struct gh_types *types, uint64_t source, enum gh_shape shape);

/** Enter a type that is not there yet; 0 when memory ran out. */
gh_type_id gh_types_add(struct gh_types *types, const struct gh_type *type);

/** Make the edges of a closure type that has none yet. */
void gh_types_lay_out_closure(struct gh_types *types, gh_type_id id,
			      const struct gh_closure_object *object);

/** Run-time address of a DWARF type's descriptor, 0 when it has none. */
gh_addr gh_types_dwarf_rtype(const struct gh_types *types, gh_dtype type);
