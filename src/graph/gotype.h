// SPDX-License-Identifier: Apache-2.0
// A Go type seen the same way by its descriptor and, where it has none, by DWARF: kind, size,
// element, fields. For those who read values; the mark has tables of its own (types.h).
#pragma once

#include "graph/types.h"

/** One of both is set; neither: not known. */
struct gh_gotype {
	gh_addr rtype;
	gh_dtype dwarf;
};

struct gh_gotype_info {
	enum gh_kind kind;
	uint64_t size;
	uint64_t len; // of arrays
	uint64_t nfields;
	struct gh_gotype elem, key; // of arrays, channels, maps, pointers, slices
	gh_addr group;		    // of maps: descriptor of the group or bucket; 0: not known
	bool has_methods;	    // of interfaces
	bool is_direct; // stored in the data word of an interface; known of descriptors only
};

struct gh_gofield {
	const char *name; // not NUL-terminated; borrowed from the target or from DWARF
	uint64_t name_len;
	uint64_t offset; // inside the struct: offset + size of the type fits
	struct gh_gotype type;
};

static inline bool gh_gotype_is_known(struct gh_gotype type)
{
	return type.rtype || type.dwarf;
}

/** False for what has no kind: descriptors that are none, DWARF's void. */
bool gh_gotype_read(const struct gh_types *types, struct gh_gotype type, struct gh_gotype_info *ret);

/** Field i < nfields of a struct; false when it cannot be read, or leads out of it. */
bool gh_gotype_field(const struct gh_types *types, struct gh_gotype type, uint64_t i,
		     struct gh_gofield *ret);

/** The field of that name, at no depth. */
bool gh_gotype_field_named(const struct gh_types *types, struct gh_gotype type, const char *name,
			   struct gh_gofield *ret);

/** Full name; borrowed from types. Never NULL. */
const char *gh_gotype_name(struct gh_types *types, struct gh_gotype type);

/** Of a type that is a value's (shapes VALUE, DWARF, TRIE_NODE); unknown of others. */
struct gh_gotype gh_gotype_of(const struct gh_types *types, gh_type_id id);

/** By the descriptor where DWARF names one. */
struct gh_gotype gh_gotype_of_dwarf(const struct gh_types *types, gh_dtype type);
