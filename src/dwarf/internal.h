// SPDX-License-Identifier: Apache-2.0
// What the files of this layer share: the opened DWARF, its units, and what a pass over them found.
// Not for other layers.
#pragma once

#include "base/arena.h"
#include "dwarf/dwarf.h"
#include "dwarf/offset_map.h"
#include "dwarf/sections.h"

/** Go's own attributes (cmd/internal/dwarf/dwarf_defs.go); libdw has no names for them. */
enum {
	GH_AT_go_kind = 0x2900,
	GH_AT_go_key = 0x2901,
	GH_AT_go_elem = 0x2902,
	GH_AT_go_embedded_field = 0x2903,
	GH_AT_go_runtime_type = 0x2904,
	GH_AT_go_package_name = 0x2905,
	GH_AT_go_dict_index = 0x2906,
	GH_AT_go_closure_offset = 0x2907, // go1.23+
};

/** A compile unit: DIEs [first_die, end) of .debug_info. */
struct gh_dwarf_unit {
	uint64_t offset, first_die, end; // of .debug_info
	uint64_t abbrev_offset;
	uint64_t addr_base; // of .debug_addr; 0 when the unit names none
	uint16_t version;
	bool is_64bit; // the 64-bit DWARF format: offsets of 8 bytes
	bool is_compile;
	bool is_sound;	 // a compile unit whose abbreviations are in order
	bool is_runtime; // Go's package runtime: one of these units holds all types of the program
	bool scanned;
};
GH_VEC(gh_dwarf_unit_vec, struct gh_dwarf_unit);

/** A type with a name at the top level of a unit. */
struct gh_dwarf_name {
	const char *name; // as in DWARF; borrowed from the section
	uint64_t die;
	uint32_t next; // of the same bucket, index + 1; 0 ends
	bool is_typedef;
};
GH_VEC(gh_dwarf_name_vec, struct gh_dwarf_name);

struct gh_dwarf_func {
	gh_addr low, high;
	uint64_t die;
};
GH_VEC(gh_dwarf_func_vec, struct gh_dwarf_func);
GH_VEC(gh_dwarf_die_vec, uint64_t);
GH_VEC(gh_dvar_vec, struct gh_dvar);

struct gh_dwarf_type_slot {
	uint64_t die;
	struct gh_dtype_info *info; // in the arena; NULL until asked for
};
GH_VEC(gh_dwarf_type_vec, struct gh_dwarf_type_slot);

struct gh_abbrev_table;
GH_VEC(gh_abbrev_table_vec, struct gh_abbrev_table *);
struct gh_dwarf_body;
GH_VEC(gh_dwarf_body_vec, struct gh_dwarf_body *);

struct gh_dwarf {
	struct gh_elf *elf; // borrowed
	struct gh_dwarf_sections sections;
	struct gh_arena arena; // names, types
	uint64_t spent;	       // see gh_dwarf_spend

	// scan.c
	struct gh_dwarf_unit_vec units;
	bool units_listed;
	struct gh_abbrev_table_vec abbrevs; // owned
	struct gh_offset_map abbrev_of_offset;
	uint64_t abbrev_budget; // bytes of .debug_abbrev that may still be read
	struct gh_dwarf_name_vec names;
	struct gh_dwarf_func_vec funcs; // sorted once all units are scanned
	struct gh_dwarf_die_vec var_dies;
	bool runtime_scanned, all_scanned;

	// type.c, rtype.c
	struct gh_dwarf_type_vec types; // by gh_dtype; [0] is unused
	struct gh_offset_map type_of_die;
	uint32_t *buckets; // owned; heads of the names' chains, index + 1
	size_t nbuckets, nhashed;
	gh_addr rtype_base; // what DW_AT_go_runtime_type counts from
	bool rtype_base_known, rtype_calibrated;

	// dwarf.c
	struct gh_dvar_vec vars;
	bool vars_loaded;

	// local.c
	struct gh_dwarf_body_vec bodies; // owned
	struct gh_offset_map body_of_func;
};

/** Look at the units of Go's runtime package only (they hold every type of a Go program). */
struct gh_error *gh_dwarf_scan_runtime(struct gh_dwarf *dwarf) GH_MUST_CHECK;

/** Look at every unit: about a second for 4 GB of .debug_info. Errors: NOMEM, CANCELLED. */
struct gh_error *gh_dwarf_scan_all(struct gh_dwarf *dwarf,
				   const struct gh_poll *poll) GH_MUST_CHECK;

void gh_dwarf_scan_deinit(struct gh_dwarf *dwarf);
void gh_dwarf_local_deinit(struct gh_dwarf *dwarf);

/** Number of the type at a DIE, 0 when out of memory. Reads a DIE or two, loads nothing. */
gh_dtype gh_dwarf_type_intern(struct gh_dwarf *dwarf, Dwarf_Die *die);

/** Bytes of a type; 0 when not known. */
uint64_t gh_dwarf_size_of(struct gh_dwarf *dwarf, Dwarf_Die die);

/** Link-time address of the runtime descriptor that a type's DIE names; 0 when there is none. */
gh_addr gh_dwarf_rtype(struct gh_dwarf *dwarf, Dwarf_Die *die);

/** Number of the type that DW_AT_type (or Go's elem, key) of a DIE names; 0 when there is none. */
gh_dtype gh_dwarf_type_of(struct gh_dwarf *dwarf, Dwarf_Die *die, unsigned int attr);

/** A DIE by its offset; false when there is none, or when its unit is not sound. */
bool gh_dwarf_die_at(struct gh_dwarf *dwarf, uint64_t offset, Dwarf_Die *ret);

/** The DIE that an attribute refers to (integrate: of what the DIE is an instance of, too). */
bool gh_dwarf_referred(struct gh_dwarf *dwarf, Dwarf_Die *die, unsigned int attr, bool integrate,
		       Dwarf_Die *ret);

/** The first child or the next sibling in place of *die; false when there is none. */
bool gh_dwarf_child(struct gh_dwarf *dwarf, Dwarf_Die *parent, Dwarf_Die *ret);
bool gh_dwarf_sibling(struct gh_dwarf *dwarf, Dwarf_Die *die);

/**
 * Pay for work that a hostile file could make us repeat without end; false when all that a sane
 * file of this size can need is spent. What cannot be paid for is left out.
 */
bool gh_dwarf_spend(struct gh_dwarf *dwarf, uint64_t nbytes);

/** The DIE's name as DWARF has it, its abstract origin's if need be; NULL when there is none. */
const char *gh_dwarf_raw_name(struct gh_dwarf *dwarf, Dwarf_Die *die);

/** The Go name in the arena: "%2e" undone, "·N" dropped; "" for NULL. NULL: out of memory. */
const char *gh_dwarf_go_name(struct gh_dwarf *dwarf, const char *raw);

/** A hash and a comparison that see names as gh_dwarf_go_name spells them. */
uint32_t gh_dwarf_name_hash(const char *raw);
bool gh_dwarf_name_is(const char *raw, const char *go_name);

/** Unsigned attribute of the DIE itself; false when there is none or it is no number. */
bool gh_dwarf_attr_u64(Dwarf_Die *die, unsigned int attr, uint64_t *ret);

/**
 * A location, of the DIE or (integrate) of what it is an instance of. Go writes expressions as
 * DW_FORM_block1, which libdw refuses from DWARF 4 on; short ones have the bytes of an exprloc.
 */
bool gh_dwarf_location_attr(Dwarf_Die *die, unsigned int name, bool integrate,
			    Dwarf_Attribute *ret);
