// SPDX-License-Identifier: Apache-2.0
// Types as the mark needs them: for each word of a type, what the pointer in it points to. Made from
// the runtime's descriptors, from DWARF where a type has none, and by hand for what only the runtime
// knows (parts of maps, channels, closures). Dense numbers, flat tables, nothing per object.
#pragma once

#include "base/strbuf.h"
#include "goruntime/functab.h"
#include "goruntime/rtype.h"

/** Dense type number; 0 is "unknown". */
typedef uint32_t gh_type_id;

/** How to read a pointer word, and so what it says of its target. */
enum gh_edge_kind {
	GH_EDGE_UNKNOWN, // not a typed pointer (unsafe.Pointer, or no pointer at all)
	GH_EDGE_POINTER, // one value of the type at the target
	GH_EDGE_SLICE,	 // backing array: elements of the type; len and cap follow in the next words
	GH_EDGE_STRING,	 // bytes; the length follows
	GH_EDGE_EFACE,	 // data word of an interface without methods: its type stands one word before
	GH_EDGE_IFACE,	 // data word of one with methods: its itab stands one word before
	GH_EDGE_FUNC,	 // closure: its first word is the code
	GH_EDGE_SWISS_DIRECTORY, // maps.Map.dirPtr: a group, or a directory if dirLen (next word) > 0
};

/** One word of a type. `type` is the pointee or element, 0 where the kind needs none. */
struct gh_edge {
	uint32_t type : 24;
	uint32_t kind : 8;
};

enum gh_type_flag {
	GH_TYPE_TILES = 1,  // an object is any number of these, and its name says so already
	GH_TYPE_ANY_SIZE = 2, // names an object of any size (closures)
};

struct gh_type {
	const char *name;  // full; the arena's
	uint64_t size;	   // bytes of one value
	uint64_t nwords;   // words that can hold pointers: length of edges
	struct gh_edge *edges; // the arena's; NULL until gh_types_edges
	gh_addr rtype;	   // descriptor, 0 for types made by hand or from DWARF
	gh_addr map;	   // rtype of the map that this is a part of
	uint32_t flags;
	uint8_t kind;	   // enum gh_kind
};
GH_VEC(gh_type_vec, struct gh_type);

enum gh_map_part {
	GH_MAP_HEADER,	  // maps.Map or hmap
	GH_MAP_GROUPS,	  // groups (go1.24+) or buckets
	GH_MAP_TABLES,	  // maps.table
	GH_MAP_DIRECTORY, // []*maps.table
	GH_MAP_EXTRA,	  // mapextra (go1.23 and before)
	GH_MAP_PARTS,
};

struct gh_types;

struct gh_error *gh_types_create(const struct gh_runtime *rt, struct gh_types **ret) GH_MUST_CHECK;
void gh_types_destroy(struct gh_types *types);

/** The type, valid until another is made; id below gh_types_count(). */
const struct gh_type *gh_types_get(const struct gh_types *types, gh_type_id id);
size_t gh_types_count(const struct gh_types *types);

/** Number of the type of a descriptor; 0 when it is none or memory ran out. O(1) once known. */
gh_type_id gh_types_of_rtype(struct gh_types *types, gh_addr rtype);

/**
 * What a pointer to a value of kind map, chan or pointer type points to; what the data word of an
 * interface with that dynamic type points to. 0: nothing typed.
 */
struct gh_edge gh_types_dynamic(struct gh_types *types, gh_addr rtype);

gh_type_id gh_types_map_part(struct gh_types *types, gh_addr map_rtype, enum gh_map_part part);
gh_type_id gh_types_chan(struct gh_types *types, gh_addr elem_rtype);
gh_type_id gh_types_chan_buffer(struct gh_types *types, gh_addr elem_rtype);
gh_type_id gh_types_string(struct gh_types *types);

/** The closure type of the function whose entry is pc; 0 when pc enters no function. */
gh_type_id gh_types_closure(struct gh_types *types, gh_addr pc);

/**
 * Words of the type, nwords long; made on first use. NULL when the type has no pointers, cannot be
 * read, or is too large to lay out (more than 2^20 words): such words are GH_EDGE_UNKNOWN.
 */
const struct gh_edge *gh_types_edges(struct gh_types *types, gh_type_id id);
