// SPDX-License-Identifier: Apache-2.0
// The inside of struct gh_statics, for the files that know static data. Others use statics.h.
#pragma once

#include "base/arena.h"
#include "graph/statics.h"

enum { GH_STATICS_RECENT = 256 };

/* The data or the bss of a module: what the collector scans of it, word by word. */
struct static_block {
	gh_addr lo, hi;
	const uint8_t *host;   // local bytes
	const uint8_t *mask;   // local: bit a word
	uint64_t nwords;       // that both cover
	struct gh_edge *edges; // owned: one a word
	const char *name;
};
GH_VEC(static_block_vec, struct static_block);

struct static_range {
	gh_addr addr;
	gh_type_id type;
	uint64_t count;
};
GH_VEC(static_range_vec, struct static_range);

/** A word of static data that leads to a static value that has no name of its own. */
struct static_link {
	gh_addr value, at;
};
GH_VEC(static_link_vec, struct static_link);

struct gh_statics {
	const struct gh_runtime *rt; // borrowed
	struct gh_types *types;	     // borrowed
	struct static_block_vec blocks;
	const struct gh_dvar *vars; // of rt->dwarf
	size_t nvars;
	struct static_range_vec todo;
	// what was typed lately: heap objects point to few places
	struct static_range recent[GH_STATICS_RECENT];
	uint64_t words, untyped;
	uint64_t lost_words; // of which nobody knows whether they are pointers
	bool nomem;

	// of static_names.c; filled when a name is asked for
	struct gh_elf_symbol_vec symbols; // by address; link-time addresses
	struct static_link_vec links;	  // by value
	struct gh_arena arena;		  // names
	bool has_names;
};

/** The block that holds the address; NULL: none. */
struct static_block *gh_static_block_of(const struct gh_statics *s, gh_addr addr);

/** Word i of a block. */
struct gh_root gh_static_root(const struct static_block *b, uint64_t i);
