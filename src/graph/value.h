// SPDX-License-Identifier: Apache-2.0
// Readable values: what lies at an address, by its type, as a bounded tree of names and texts. Works
// on descriptors alone and with DWARF, on the heap, on stacks and in static data. Reads memory and
// types; knows nothing of liveness.
//
// Names continue their parent's, as people write Go: ".conn", "[3]", "[\"u42\"]" (an entry of a
// map), ".(*main.T)" (what an interface holds), ".*" (behind a pointer to what has no fields).
#pragma once

#include "base/arena.h"
#include "graph/gotype.h"

struct gh_value {
	const char *name;    // NULL: the value asked for
	const char *type;    // full name; NULL: not known
	const char *text;    // strings as Go literals; NULL: nothing to say beyond the children
	bool is_withheld;    // there is a text, but it is the program's data and was not wanted
	enum gh_kind kind;   // of the type; INVALID: no Go type
	gh_addr addr;	     // where it lies; 0: nowhere
	gh_addr target;	     // where a pointer, string, slice, map, channel or func leads; 0: none
	uint64_t more;	     // children that were left out
	struct gh_value *children, *next, *last; // last: of the children
};

/** What bounds a tree. Whatever is in memory, reading it costs no more than this. */
struct gh_value_limits {
	uint32_t follow;   // pointers in a row that are followed
	uint32_t elements; // of each slice, array, map, channel
	uint32_t nodes;	   // of the tree
	uint32_t text;	   // bytes of each string
	bool no_data;	   // structure only: no strings, numbers, keys
};

/** What a person wants to see first. */
extern const struct gh_value_limits gh_value_limits;

struct gh_value_reader {
	struct gh_types *types; // borrowed
	struct gh_arena *arena; // borrowed: the tree lives there
	struct gh_value_limits limits;
	/*
	 * Append what lies at an address, for pointers that have no type: "main.T". May append
	 * nothing. NULL: nobody knows.
	 */
	void (*about)(void *ctx, gh_addr addr, struct gh_strbuf *sb);
	void *ctx; // borrowed
	// Filled while reading:
	uint64_t cut; // values that limits left out
	uint32_t nnodes;
	bool nomem;
};

/** A value of a numbered type, as the mark knows objects. */
struct gh_value_place {
	gh_addr addr;	 // of the value: behind a malloc header
	gh_type_id type; // 0: not known: its words
	uint64_t bytes;	 // of all of it: how many elements an array has, where a string ends
	bool is_array;	 // of values of the type
};

/** The tree. NULL: out of memory. */
struct gh_value *gh_value_read(struct gh_value_reader *reader, const struct gh_value_place *place);

/** The tree of one value of the type. */
struct gh_value *gh_value_read_typed(struct gh_value_reader *reader, gh_addr addr,
				     struct gh_gotype type);

/** Append the tree in one line, {id: 7, name: "x"}, of no more than max bytes, and "…" if cut. */
void gh_value_print(const struct gh_value *value, size_t max, struct gh_strbuf *sb);

/**
 * Append the value of the type at addr in one line of at most max bytes (and "…" where it is
 * longer): 42, "u42", {1, "x"}, 0xc000012000. For names in paths: the key of a map entry, an
 * element. no_data: what is the program's own is "…". Costs some microseconds.
 */
void gh_value_brief(struct gh_types *types, struct gh_gotype type, gh_addr addr, size_t max,
		    bool no_data, struct gh_strbuf *sb);

/**
 * Append what follows a map's name to get to the entry that byte `offset` of one of its groups or
 * buckets belongs to: ["u42"] for the value, and where the key holds the byte, too; nothing for
 * bytes of no entry. group: the descriptor (source of a type of shape GROUPS); addr: of that group.
 */
void gh_value_map_name(struct gh_types *types, gh_addr group, gh_addr addr, uint64_t offset,
		       bool no_data, struct gh_strbuf *sb);

/** Append "main.f.func1 at /x/main.go:12" for code at pc, ":+0x12" if inside; false: no code there. */
bool gh_value_code(const struct gh_types *types, gh_addr pc, struct gh_strbuf *sb);
