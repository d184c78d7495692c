// SPDX-License-Identifier: Apache-2.0
// Type descriptors as the runtime keeps them in every binary: size, pointers, shape, full name.
// Mirrors internal/abi/type.go, map.go, reflect/type.go (go1.22 to go1.27). Reads on demand, caches
// nothing: graph/ keeps what it needs.
#pragma once

#include "base/strbuf.h"
#include "goruntime/runtime.h"

/** reflect.Kind. */
enum gh_kind {
	GH_KIND_INVALID,
	GH_KIND_BOOL,
	GH_KIND_INT,
	GH_KIND_INT8,
	GH_KIND_INT16,
	GH_KIND_INT32,
	GH_KIND_INT64,
	GH_KIND_UINT,
	GH_KIND_UINT8,
	GH_KIND_UINT16,
	GH_KIND_UINT32,
	GH_KIND_UINT64,
	GH_KIND_UINTPTR,
	GH_KIND_FLOAT32,
	GH_KIND_FLOAT64,
	GH_KIND_COMPLEX64,
	GH_KIND_COMPLEX128,
	GH_KIND_ARRAY,
	GH_KIND_CHAN,
	GH_KIND_FUNC,
	GH_KIND_INTERFACE,
	GH_KIND_MAP,
	GH_KIND_POINTER,
	GH_KIND_SLICE,
	GH_KIND_STRING,
	GH_KIND_STRUCT,
	GH_KIND_UNSAFE_POINTER,
	GH_KIND_COUNT,
};

struct gh_rtype {
	gh_addr addr;
	uint64_t size, ptr_bytes; // ptr_bytes: prefix that can hold pointers
	gh_addr gcdata;
	uint32_t hash;
	uint8_t tflag, kind; // kind: enum gh_kind, flags stripped
	bool is_direct;	     // stored in the data word of an interface
	bool mask_on_demand; // gcdata is a word that points to the mask once it was built
	bool gc_program;     // gcdata is a program (up to go1.23)
	bool is_named;
	bool is_bare; // a struct that says nothing of its fields: a bucket that reflect made (go1.23)
	gh_addr elem, key; // of arrays, chans, maps, pointers, slices
	gh_addr group;	   // of maps: the type of a group (go1.24+) or bucket (go1.23)
	gh_addr bucket;	   // of maps whose bucket is bare: its descriptor; group is the map's own then
	uint64_t len;	   // arrays
	uint64_t nfields;  // structs, bounded by what is readable
	gh_addr fields;	   // structs: 24 bytes each
	uint32_t map_flags;
	uint8_t chan_dir; // 1 receive, 2 send, 3 both
};

struct gh_rfield {
	gh_addr name; // address of the encoded name
	gh_addr type;
	uint64_t offset;
};

/** False when addr holds no plausible descriptor. Never trusts a length it cannot read. */
bool gh_rtype_read(const struct gh_runtime *rt, gh_addr addr, struct gh_rtype *ret);

/** Field i < nfields of a struct type. */
bool gh_rtype_field(const struct gh_runtime *rt, const struct gh_rtype *type, uint64_t i,
		    struct gh_rfield *ret);

/** Text of an encoded name; borrowed, not NUL-terminated. NULL when unreadable. */
const char *gh_rtype_name_text(const struct gh_runtime *rt, gh_addr name, uint64_t *len_ret);

/**
 * Append Go's name of the type, qualified by import path: "map[string]*net/http.Server". The same
 * with and without DWARF. "?" stands for what cannot be read.
 */
void gh_rtype_name(const struct gh_runtime *rt, gh_addr addr, struct gh_strbuf *sb);

/**
 * The type's name as the binary has it, short ("http.Server"); borrowed, not NUL-terminated. NULL
 * when unreadable.
 */
const char *gh_rtype_string(const struct gh_runtime *rt, const struct gh_rtype *type,
			    uint64_t *len_ret);

/** Has the interface type methods? Then its first word is an itab, else a descriptor. */
bool gh_rtype_has_methods(const struct gh_runtime *rt, gh_addr interface);

/**
 * Pointer mask: bit k of words is set when word k of the type holds a pointer, for k < nwords
 * (= ptr_bytes / 8 of the type; the caller gives gh_bitmap_words(nwords) cleared words). Follows a
 * built mask, else builds it from the type's shape as the runtime would. False: unreadable.
 */
bool gh_rtype_mask(const struct gh_runtime *rt, const struct gh_rtype *type, uint64_t nwords,
		   uint64_t *words);

/**
 * Call found(ctx, descriptor) for all type descriptors of the modules, by address. What is no
 * descriptor may pass for one.
 */
typedef void (*gh_rtype_fn)(void *ctx, gh_addr rtype);
void gh_rtype_scan(const struct gh_runtime *rt, gh_rtype_fn found, void *ctx);

/** The dynamic type behind an itab; 0 when it is none. */
gh_addr gh_itab_type(const struct gh_runtime *rt, gh_addr itab);
