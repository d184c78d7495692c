// SPDX-License-Identifier: Apache-2.0
// The debug sections that we read, as an ELF file of their own in memory, for libdw.
#pragma once

#include <elfutils/libdw.h>

#include "target/elf_object.h"

/** Bytes of a section, decompressed. data NULL when the file has none. */
struct gh_dwarf_bytes {
	const uint8_t *data; // borrowed from the sections
	uint64_t len;
};

struct gh_dwarf_sections {
	void *image; // owned: the ELF file in memory
	Elf *elf;    // owned
	Dwarf *dw;   // owned
	struct gh_dwarf_bytes info, abbrev, addr, str, line_str;
	uint64_t loc_bytes; // of the location and range lists
};

/**
 * Copy the sections and have libdw decompress them. The copy is for two reasons: libelf writes into
 * the bytes of a file it decompresses, and ours are mapped read-only; and the line and frame
 * tables, which nobody here reads, need not be decompressed.
 *
 * Errors: MISSING (no .debug_info), FORMAT (libdw refuses them), LIMIT (they claim to be absurdly
 * large), NOMEM.
 */
struct gh_error *gh_dwarf_sections_load(const struct gh_elf *elf, struct gh_budget *budget,
					struct gh_dwarf_sections *ret) GH_MUST_CHECK;

void gh_dwarf_sections_deinit(struct gh_dwarf_sections *sections);
