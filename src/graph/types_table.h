// SPDX-License-Identifier: Apache-2.0
// The inside of struct gh_types, for the files that make types. Others use types.h.
#pragma once

#include "base/arena.h"
#include "graph/types.h"

/** A descriptor by its full name. */
struct gh_named_rtype {
	uint64_t hash; // of the name; 0: free
	gh_addr rtype;
};

/** A node of internal/sync.HashTrieMap and its like: see known.c. */
struct gh_trie {
	gh_type_id node, entry, indirect; // 0: the program has no such type
};
GH_VEC(gh_trie_vec, struct gh_trie);

/** A struct { F uintptr; X0 …; X1 … } of the program: see closures.c. */
struct gh_closure_struct {
	gh_addr rtype;
	uint64_t size; // at most 512
	uint64_t mask; // its pointer words
};
GH_VEC(gh_closure_struct_vec, struct gh_closure_struct);

struct gh_types {
	const struct gh_runtime *rt;  // borrowed
	struct gh_type_vec all;	      // by id; 0 is "unknown"
	gh_type_id *buckets;	      // owned: open addressing over (source, shape); 0 is free
	size_t nbuckets;	      // a power of two
	struct gh_arena arena;	      // names and edges
	uint64_t edge_words;	      // laid out so far
	struct gh_named_rtype *named; // owned: open addressing by name; NULL until asked for
	size_t nnamed, named_cap;     // cap: a power of two
	struct gh_trie_vec tries;
	struct gh_closure_struct_vec closures;
	bool has_closures; // closures is filled
};

/** 0 when it is not there. */
gh_type_id gh_types_find(const struct gh_types *types, uint64_t source, enum gh_shape shape);

/** Enter a type that is not there yet; 0 when memory ran out. */
gh_type_id gh_types_add(struct gh_types *types, const struct gh_type *type);

/** Make the edges of a closure type that has none yet. */
void gh_types_lay_out_closure(struct gh_types *types, gh_type_id id,
			      const struct gh_closure_object *object);

/** Is it a type that the compiler makes for the objects of closures? */
bool gh_rtype_is_closure_struct(const struct gh_runtime *rt, const struct gh_rtype *type);

/**
 * Descriptors of all closure structs that an object in the heap, of at most 512 bytes, may be of;
 * appended to *ret. captures: what DWARF tells of its function, with and without offsets.
 * False: out of memory.
 */
GH_VEC(gh_rtype_vec, gh_addr);
bool gh_types_closure_structs(struct gh_types *types, const struct gh_closure_object *object,
			      const struct gh_dcapture_vec *captures, struct gh_rtype_vec *ret);

/** What a pointer to a value of the type leads to: see known.c. 0 says nothing of its target. */
gh_type_id gh_types_behind(struct gh_types *types, gh_type_id id);

/** What a field of unsafe.Pointer holds, where we know better; kind UNKNOWN: we do not. */
struct gh_edge gh_types_known_field(struct gh_types *types, const char *struct_name,
				    const char *field, uint64_t len);

/** Is more or less of the struct allocated than its size, and that as memory without pointers? */
bool gh_types_is_open_ended(struct gh_types *types, gh_type_id id);

/** The struct that a variable made by the compiler is, by its symbol; NULL: it is no such. */
const char *gh_types_of_compiler_made(const char *symbol);

/** The struct whose first word is the entry of that function, where we know one; else 0. */
gh_addr gh_types_known_closure(struct gh_types *types, const char *func_name);

/** Run-time address of a DWARF type's descriptor, 0 when it has none. */
gh_addr gh_types_dwarf_rtype(const struct gh_types *types, gh_dtype type);
