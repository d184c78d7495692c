// SPDX-License-Identifier: Apache-2.0
// What DWARF says of a Go executable, as small tables of our own: types, package variables, and the
// variables of the functions asked for. libdw stays inside. All addresses are link-time addresses.
// DWARF 4 (go1.18 to go1.24) and 5 (go1.25+), sections compressed or not.
#pragma once

#include "base/poll.h"
#include "base/vec.h"
#include "target/elf_object.h"

/** Dense type number; 0 is "none". Types are loaded when first reached. */
typedef uint32_t gh_dtype;

enum gh_dkind {
	GH_DK_VOID,
	GH_DK_BASE,    // numbers, bool
	GH_DK_POINTER, // elem may be 0 (unsafe.Pointer)
	GH_DK_STRUCT,
	GH_DK_ARRAY, // elem, count
	GH_DK_FUNC,  // a Go func value: pointer to a closure
	GH_DK_OTHER,
};

struct gh_dfield {
	const char *name;
	uint64_t offset;
	gh_dtype type;
	bool embedded; // DW_AT_go_embedded_field
};

struct gh_dtype_info {
	const char *name; // Go's name by full import path, "%2e" undone, "·N" dropped
	enum gh_dkind kind;
	/* DW_AT_go_kind = reflect.Kind (18 chan, 20 interface, 21 map, 23 slice, 24 string); 0
	 * none. */
	uint8_t go_kind;
	uint64_t size;
	/*
	 * Pointee, array element; of a slice, chan or map DW_AT_go_elem. Maps and chans are of kind
	 * POINTER: ask for go_kind first.
	 */
	gh_dtype elem;
	gh_dtype key;	// DW_AT_go_key of a map
	uint64_t count; // array length
	gh_addr rtype;	// DW_AT_go_runtime_type as a link-time address, checked; 0 when none
	const struct gh_dfield *fields;
	uint32_t nfields;
};

struct gh_dvar {
	const char *name; // "main.cache"
	gh_addr addr;
	gh_dtype type;
};

/** A piece of a local variable or argument that lies in the frame at some pc. */
struct gh_dlocal {
	const char *name;     // as written, or "&x"
	gh_dtype type;	      // of the whole variable; of "&x" the pointer
	int64_t cfa_offset;   // where the piece lies: CFA + cfa_offset
	uint64_t size;	      // bytes of the piece
	uint64_t type_offset; // offset of the piece inside the variable
	bool is_param;
	bool by_ref; // "&x": the slot holds a pointer to an escaped variable of the type's pointee
};
GH_VEC(gh_dlocal_vec, struct gh_dlocal);

enum { GH_NO_OFFSET = -1 };

/** A captured variable of a closure function (DW_AT_go_closure_offset, go1.23+). */
struct gh_dcapture {
	const char *name; // "&x" is by reference
	uint64_t offset;  // inside the closure object; GH_NO_OFFSET: a variable of any kind
	gh_dtype type;
};
GH_VEC(gh_dcapture_vec, struct gh_dcapture);

struct gh_dwarf;

/**
 * MISSING when the object has no DWARF: a fact, not a failure. Decompresses sections, walks
 * nothing. elf must outlive dwarf. Not for several threads at a time. Errors: FORMAT, LIMIT, NOMEM
 * too.
 */
struct gh_error *gh_dwarf_open(struct gh_elf *elf, struct gh_budget *budget,
			       struct gh_dwarf **ret) GH_MUST_CHECK;
void gh_dwarf_destroy(struct gh_dwarf *dwarf);

/**
 * A type's facts; one without a name of kind VOID for 0 and for what cannot be read, never NULL.
 * Valid as long as dwarf. Go's typedef of a type to its own name has the type's number, other
 * typedefs have numbers and names of their own and everything else from what they stand for.
 */
const struct gh_dtype_info *gh_dwarf_type(struct gh_dwarf *dwarf, gh_dtype type);

/**
 * A struct type by Go name ("runtime.mspan", "internal/abi.Type"); 0 when not found. Reads no more
 * of a Go program than the units of package runtime: the linker puts all of Go's types into one of
 * them.
 */
gh_dtype gh_dwarf_struct_find(struct gh_dwarf *dwarf, const char *name);

/**
 * Field by dotted path ("pages.inUse.ranges"), through embedded structs with or without their
 * names; false when the struct or the field is not there. size_ret may be NULL.
 */
bool gh_dwarf_field_find(struct gh_dwarf *dwarf, gh_dtype type, const char *path,
			 uint64_t *offset_ret, uint64_t *size_ret);

/** All package variables, sorted by address. Owned by dwarf. One pass over the units' top level. */
struct gh_error *gh_dwarf_variables(struct gh_dwarf *dwarf, const struct gh_poll *poll,
				    const struct gh_dvar **ret, size_t *n_ret) GH_MUST_CHECK;

/**
 * Locals and arguments that lie in the frame of the function at pc (pieces in registers or with
 * computed places are left out), and of the calls inlined there. For a return address pass pc - 1.
 * Appends to *ret. The first call for a function decodes it, later ones cost some ns a variable.
 * Errors: NOMEM only; what is odd is left out.
 */
struct gh_error *gh_dwarf_locals(struct gh_dwarf *dwarf, gh_addr pc,
				 struct gh_dlocal_vec *ret) GH_MUST_CHECK;

/**
 * Captured variables of the closure function whose entry is pc. Appends to *ret. Optimised code
 * names those only that it keeps whole: a captured string of which just the length is used is
 * missing.
 */
struct gh_error *gh_dwarf_captures(struct gh_dwarf *dwarf, gh_addr pc,
				   struct gh_dcapture_vec *ret) GH_MUST_CHECK;

/**
 * Variables of the function whose entry is pc of which DWARF does not say that they are captured,
 * arguments and those of inner blocks aside. Up to go1.22 what is captured is among them. Appends
 * to *ret.
 */
struct gh_error *gh_dwarf_other_variables(struct gh_dwarf *dwarf, gh_addr pc,
					  struct gh_dcapture_vec *ret) GH_MUST_CHECK;

/**
 * Arguments of the function whose entry is pc, a receiver first, results aside; with `inlined` those
 * of the calls that were inlined right into it. Appends to *ret, without offsets.
 */
struct gh_error *gh_dwarf_parameters(struct gh_dwarf *dwarf, gh_addr pc, bool inlined,
				     struct gh_dcapture_vec *ret) GH_MUST_CHECK;
