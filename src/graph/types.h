// SPDX-License-Identifier: Apache-2.0
// Types as the mark needs them: for each word of a type, what the pointer in it points to. Made
// from the runtime's descriptors, from DWARF where a type has none, and by hand for what only the
// runtime knows (parts of maps, channels, closures). Dense numbers, flat tables, nothing per
// object.
#pragma once

#include "base/strbuf.h"
#include "goruntime/functab.h"
#include "goruntime/map.h"

/** Dense type number; 0 is "unknown". */
typedef uint32_t gh_type_id;

enum { GH_TYPES_MAX = 1 << 20 }; // a damaged heap may look like any number of types

/** How to read a pointer word, and so what it says of its target. */
enum gh_edge_kind {
	GH_EDGE_UNKNOWN, // not a typed pointer (unsafe.Pointer, or no pointer at all)
	GH_EDGE_POINTER, // one value of the type at the target
	GH_EDGE_ARRAY,	 // any number of values of the type, from the start of the target
	GH_EDGE_SLICE,	// backing array: elements of the type; len and cap follow in the next words
	GH_EDGE_STRING, // bytes; the length follows
	GH_EDGE_EFACE, // data word of an interface without methods: its type stands one word before
	GH_EDGE_IFACE, // data word of one with methods: its itab stands one word before
	GH_EDGE_FUNC,  // closure: its first word is the code
	GH_EDGE_REFLECT, // reflect.Value.ptr: its type stands one word before, its flag one behind
	GH_EDGE_DIRECTORY, // maps.Map.dirPtr: type is the group; a directory if dirLen (next word)
			   // > 0
};

/** One word of a type. `type` is the pointee or element, 0 where the kind needs none. */
struct gh_edge {
	uint32_t type : 24;
	uint32_t kind : 7;
	uint32_t is_inferred : 1; // not declared by anybody: what all candidates agree on
};

/** Where a type's words and name come from. */
enum gh_shape {
	GH_SHAPE_VALUE,	      // a type descriptor
	GH_SHAPE_DWARF,	      // a DWARF type without descriptor
	GH_SHAPE_TRIE_NODE,   // an entry or an inner node of a hash trie: the object itself tells
	GH_SHAPE_STRING,      // the bytes of a string
	GH_SHAPE_CLOSURE,     // code pointer and captured variables
	GH_SHAPE_CHAN,	      // hchan
	GH_SHAPE_CHAN_BUFFER, // elements of a channel
	GH_SHAPE_MAP,	      // maps.Map or hmap
	GH_SHAPE_GROUPS,      // groups of a map (go1.24+) or its buckets
	GH_SHAPE_TABLE,	      // maps.table
	GH_SHAPE_DIRECTORY,   // []*maps.table
	GH_SHAPE_MAP_EXTRA,   // runtime.mapextra (up to go1.23)
	GH_SHAPE_OVERFLOW,    // slice header of overflow buckets, and
	GH_SHAPE_OVERFLOWS,   // its backing array (both up to go1.23)
	GH_SHAPE_USER_ARENA,  // a chunk of GOEXPERIMENT=arenas: values of any types
	GH_SHAPES,
};

struct gh_type {
	uint64_t size;	       // bytes of one value; 0: any
	uint64_t nwords;       // words that can hold pointers: length of edges
	struct gh_edge *edges; // the arena's; NULL until gh_types_edges
	uint64_t source;       // descriptor, group descriptor, element type id, code pc, DWARF type
	const char *name;      // NULL until gh_types_name
	uint8_t shape;	       // enum gh_shape
	uint8_t kind;	       // enum gh_kind, of values
	bool tiles;	       // an object is any number of these, and the name says so already
	bool no_edges;	       // edges were asked for and there are none
};
GH_VEC(gh_type_vec, struct gh_type);

struct gh_types;

struct gh_error *gh_types_create(const struct gh_runtime *rt, struct gh_types **ret) GH_MUST_CHECK;
void gh_types_destroy(struct gh_types *types);

/** The type, valid until another is made; id below gh_types_count(). */
const struct gh_type *gh_types_get(const struct gh_types *types, gh_type_id id);
size_t gh_types_count(const struct gh_types *types);

/** Full name; borrowed from types. Never NULL. */
const char *gh_types_name(struct gh_types *types, gh_type_id id);

/** Number of the type of a descriptor; 0 when it is none or memory ran out. O(1) once known. */
gh_type_id gh_types_of_rtype(struct gh_types *types, gh_addr rtype);

/** The descriptor of the named type of that full name; 0: none. The first call reads them all. */
gh_addr gh_types_rtype_named(struct gh_types *types, const char *name);

/** Number of a DWARF type: its descriptor's when it has one. 0: none. */
gh_type_id gh_types_of_dwarf(struct gh_types *types, gh_dtype type);

/** What the data word of an interface with that dynamic type points to; UNKNOWN: nothing typed. */
struct gh_edge gh_types_dynamic(struct gh_types *types, gh_addr rtype);

/** A part of the map whose groups or buckets have this descriptor. */
gh_type_id gh_types_map_part(struct gh_types *types, gh_addr group, enum gh_shape part);
gh_type_id gh_types_chan(struct gh_types *types, gh_type_id elem);
gh_type_id gh_types_chan_buffer(struct gh_types *types, gh_type_id elem);
gh_type_id gh_types_string(struct gh_types *types);
gh_type_id gh_types_user_arena(struct gh_types *types);

/** What the object behind a pointer to a TRIE_NODE is; its first byte tells. 0: not known. */
gh_type_id gh_types_trie_part(const struct gh_types *types, gh_type_id node, uint8_t first_byte);

/** What is seen of a closure object. */
struct gh_closure_object {
	gh_addr pc;	// its first word
	uint64_t words; // of the slot
	uint64_t bits;	// which of the first 64 words are pointers; not used when rtype is there
	gh_addr rtype;	// its struct's descriptor as the allocator noted it; 0: it did not
	bool on_stack;	// words is too large then
};

/**
 * The closure type of the function whose entry is object->pc, laid out as the first object of that
 * function that is seen; 0 when pc enters no function.
 */
gh_type_id gh_types_closure(struct gh_types *types, const struct gh_closure_object *object);

/**
 * The struct { F uintptr; X0 …; X1 … } of such an object: the one that the allocator noted, or the
 * only one of the program that fits; else 0.
 */
gh_addr gh_types_closure_struct(struct gh_types *types, const struct gh_closure_object *object);

/**
 * Words of a closure of that function, its code included, as far as DWARF and its code tell: at
 * least, or at most what DWARF leaves open (widest).
 */
uint64_t gh_types_closure_words(struct gh_types *types, gh_addr pc, bool widest);

/** Does a value of `outer` begin with one of `inner`, at some depth? A pointer to it is one to
 * both.
 */
bool gh_types_begins_with(const struct gh_types *types, gh_type_id outer, gh_type_id inner);

/** Have two types the same underlying type? Then a pointer to one may have been converted. */
bool gh_types_same_underlying(struct gh_types *types, gh_type_id a, gh_type_id b);

/**
 * Append what the word at `offset` of an object of the type is called: ".conn.buf", "[3].key";
 * nothing where nobody knows. is_array: the object is an array of the type.
 */
void gh_types_field_name(const struct gh_types *types, gh_type_id id, bool is_array,
			 uint64_t offset, struct gh_strbuf *sb);

/** Is rtype the descriptor of a map's group or bucket? Then such an object is part of a map. */
bool gh_types_is_group(const struct gh_types *types, gh_addr rtype);

/**
 * Words of the type, nwords long; made on first use. NULL when the type has no pointers, cannot be
 * read, or is too large to lay out: such words are GH_EDGE_UNKNOWN.
 */
const struct gh_edge *gh_types_edges(struct gh_types *types, gh_type_id id);
