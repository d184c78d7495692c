// SPDX-License-Identifier: Apache-2.0
// A Go runtime found in a target: its release, its layout, its modules, where its variables lie.
// Everything else of this layer starts from here. Knows nothing of graphs.
#pragma once

#include "base/arena.h"
#include "dwarf/dwarf.h"
#include "goruntime/release.h"
#include "target/target.h"

/** One module (runtime/symtab.go, moduledata). Run-time addresses. */
struct gh_module {
	gh_addr addr; // of the moduledata itself
	gh_addr pc_header, funcnametab, cutab, filetab, pctab, pclntable, ftab;
	uint64_t funcnametab_len, cutab_len, filetab_len, pctab_len, pclntable_len;
	uint64_t nftab; // entries of ftab, the closing one included
	gh_addr minpc, maxpc, text, etext;
	gh_addr noptrdata, enoptrdata, data, edata, bss, ebss, noptrbss, enoptrbss, end;
	gh_addr types, etypes, rodata, gofunc;
	gh_addr typelinks;
	uint64_t ntypelinks;
	uint64_t typedesclen, itaboffset, itabsize; // go1.27+
	gh_addr gcdatamask, gcbssmask;		    // bytes of the masks
	uint64_t gcdatamask_bits, gcbssmask_bits;
};
GH_VEC(gh_module_vec, struct gh_module);

struct gh_runtime {
	const struct gh_target *target; // borrowed
	const struct gh_image *image;	// target->image
	struct gh_dwarf *dwarf;		// owned; NULL when the executable has none
	const struct gh_release *release;
	enum gh_map_kind map_kind; // the release's, or an experiment's
	struct gh_layout layout; // in use: DWARF's where it differs from the table
	bool has_looked_for_dwarf;
	uint32_t layout_mismatches; // fields where DWARF and the table differ
	uint32_t layout_compared;   // fields that were compared
	gh_addr var[GH_V_COUNT];    // run-time addresses; 0 when not found
	char *version;		    // owned: "go1.26.8"
	char *modinfo;		    // owned: text of the build info, or NULL
	const char *goarch;	    // "amd64", "arm64"
	struct gh_module_vec modules;
	struct gh_arena arena; // names and what lives as long as the runtime
};

/**
 * Find the runtime: build info, release, layout, modules, variables. DWARF is not looked at unless
 * the toolchain may be a patched one: see gh_runtime_dwarf.
 * Errors: MISSING (not a Go process, no executable), UNSUPPORTED (a release not known), CORRUPT.
 */
struct gh_error *gh_runtime_open(const struct gh_target *target, const struct gh_poll *poll,
				 struct gh_runtime **ret) GH_MUST_CHECK;
void gh_runtime_destroy(struct gh_runtime *rt);

/**
 * Open DWARF, where there is any, and compare the layout with it; once, then for free. Opening
 * costs some tenths of a second where sections are large and compressed. If the layout differs
 * (layout_mismatches), what was read before is to be read again. Errors: NOMEM, MISSING.
 */
struct gh_error *gh_runtime_dwarf(struct gh_runtime *rt) GH_MUST_CHECK;

/** What memory is taken from; NULL: no bound. */
static inline struct gh_budget *gh_runtime_budget(const struct gh_runtime *rt)
{
	return rt->target ? rt->target->budget : NULL;
}

/** Read a field of the struct at base: its own width, zero-extended. False: absent or missing. */
bool gh_field(const struct gh_runtime *rt, gh_addr base, enum gh_layout_field field, uint64_t *ret);

/** As gh_field; 0 when absent or missing. For fields where 0 means "none" anyway. */
uint64_t gh_field_or_zero(const struct gh_runtime *rt, gh_addr base, enum gh_layout_field field);

/**
 * A runtime's struct as a whole, where many of its fields are read: one look-up in the image for
 * all of them.
 */
struct gh_struct_view {
	const struct gh_layout *layout;
	const uint8_t *bytes; // the image's
	uint32_t size;
};

/** False: a part of it is missing. */
bool gh_struct_at(const struct gh_runtime *rt, gh_addr base, enum gh_layout_struct s,
		  struct gh_struct_view *ret);

/** As gh_field_or_zero, of a struct in view. */
static inline uint64_t gh_view_field(const struct gh_struct_view *view, enum gh_layout_field field)
{
	int32_t offset = view->layout->offset[field];
	uint8_t size = view->layout->size[field];
	const uint8_t *p = view->bytes + offset;

	if (size == 0)
		size = 8; // the first word of a larger field
	if (offset < 0 || (uint32_t)offset + size > view->size)
		return 0;
	return size == 8   ? gh_u64_at(p)
	       : size == 4 ? gh_u32_at(p)
	       : size == 2 ? gh_u16_at(p)
			   : *p;
}

/** Read a Go slice header at addr. */
struct gh_slice {
	gh_addr data;
	uint64_t len, cap;
};
bool gh_read_slice(const struct gh_image *image, gh_addr addr, struct gh_slice *ret);

/** A uvarint at *at, which moves behind it (encoding/binary). False: missing, or too long. */
bool gh_read_uvarint(const struct gh_image *image, gh_addr *at, uint64_t *ret);

/** The module whose text, or data, or types hold addr; NULL if none. */
const struct gh_module *gh_module_of_text(const struct gh_runtime *rt, gh_addr pc);
const struct gh_module *gh_module_of_types(const struct gh_runtime *rt, gh_addr addr);
