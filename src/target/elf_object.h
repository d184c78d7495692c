// SPDX-License-Identifier: Apache-2.0
// One ELF file: segments, sections, symbols, build id. libelf stays behind this header but for the
// handle that libdw needs. Knows nothing of Go.
#pragma once

#include "base/vec.h"
#include "target/file.h"

/** As the file has it: nothing is checked but that the table lies within the file. */
struct gh_elf_segment {
	gh_addr vaddr;
	uint64_t offset, filesz, memsz;
	uint64_t align;
	bool readable, writable, executable;
};

struct gh_elf_section {
	const char *name; // borrowed from the object
	gh_addr addr;
	uint64_t offset, size, flags; // flags: SHF_*
	uint32_t type, link;	      // SHT_*; sh_link
};

struct gh_elf_symbol {
	const char *name; // borrowed from the object
	gh_addr addr;
	uint64_t size;
};
GH_VEC(gh_elf_symbol_vec, struct gh_elf_symbol);

struct gh_elf;

/** Open and check an ELF64 little-endian file. Errors: IO, FORMAT (says what the file is instead).
 */
struct gh_error *gh_elf_open(const char *path, struct gh_elf **ret) GH_MUST_CHECK;

/** The same with a choice: GH_FILE_MAP (as above) or GH_FILE_COPY, which maps nothing. */
struct gh_error *gh_elf_open_with(const char *path, const struct gh_file_options *options,
				  struct gh_elf **ret) GH_MUST_CHECK;

/** The same over bytes that outlive the object (an object found inside a core; fuzzing). */
struct gh_error *gh_elf_open_memory(const void *bytes, uint64_t len, const char *name,
				    struct gh_elf **ret) GH_MUST_CHECK;
void gh_elf_destroy(struct gh_elf *elf);

const char *gh_elf_path(const struct gh_elf *elf);
uint16_t gh_elf_machine(const struct gh_elf *elf); // EM_X86_64, EM_AARCH64, …
uint16_t gh_elf_type(const struct gh_elf *elf);	   // ET_EXEC, ET_DYN, ET_CORE, …
gh_addr gh_elf_entry(const struct gh_elf *elf);
gh_addr gh_elf_phdr(const struct gh_elf *elf); // link-time address of the program headers; 0: none

/** The open file behind the object; NULL for gh_elf_open_memory. */
const struct gh_file *gh_elf_file(const struct gh_elf *elf);

/** The file's bytes, mapped whole. */
const uint8_t *gh_elf_bytes(const struct gh_elf *elf, uint64_t *len_ret);

const struct gh_elf_segment *gh_elf_segments(const struct gh_elf *elf, size_t *n_ret); // PT_LOAD
const struct gh_elf_section *gh_elf_sections(const struct gh_elf *elf, size_t *n_ret);
const struct gh_elf_section *gh_elf_section(const struct gh_elf *elf, const char *name);

/** File bytes of a section, NULL for SHT_NOBITS or one that lies outside the file. */
const void *gh_elf_section_bytes(const struct gh_elf *elf, const struct gh_elf_section *section);

/** File bytes of a link-time address range, NULL if no PT_LOAD holds all of it in the file. */
const void *gh_elf_at(const struct gh_elf *elf, gh_addr addr, uint64_t len);

/** One note; its parts are borrowed from the bytes it was read from. */
struct gh_elf_note {
	const char *name; // name_len bytes without the NULs; not terminated
	const uint8_t *desc;
	uint32_t type, name_len, desc_len;
	bool cut; // the bytes end before the note does: desc_len is what is there
};

/**
 * Read the note at *offset of a block of notes and step behind it. align: 4, or 8 where the segment
 * says so. False at the end, and behind a note that was cut.
 */
bool gh_elf_note_next(const void *block, uint64_t len, uint64_t align, uint64_t *offset,
		      struct gh_elf_note *ret);
bool gh_elf_note_is(const struct gh_elf_note *note, const char *name, uint32_t type);

/** PT_NOTE segments; those beyond the 64th are left out. */
const struct gh_elf_segment *gh_elf_note_segments(const struct gh_elf *elf, size_t *n_ret);

/** Build ids (as below) out of a block of notes: malloc'ed text, or NULL if it has none. */
char *gh_elf_build_id_in(const void *block, uint64_t len, uint64_t align);
char *gh_elf_go_build_id_in(const void *block, uint64_t len, uint64_t align);

/** GNU build id as lower-case hex, or NULL. Go's own build id (".note.go.buildid"), or NULL. */
const char *gh_elf_build_id(const struct gh_elf *elf);
const char *gh_elf_go_build_id(const struct gh_elf *elf);

/** Symbol by exact name from .symtab (then .dynsym); false if there is none. O(1) after the first.
 */
bool gh_elf_symbol_find(struct gh_elf *elf, const char *name, struct gh_elf_symbol *ret);

/**
 * All symbols of data (STT_OBJECT) of some size, by address. Appends to *ret. One pass over the
 * table. Errors: NOMEM.
 */
struct gh_error *gh_elf_data_symbols(const struct gh_elf *elf,
				     struct gh_elf_symbol_vec *ret) GH_MUST_CHECK;

/** Name of the function that holds a link-time address; NULL: none. One pass over the tables. */
const char *gh_elf_function_at(const struct gh_elf *elf, gh_addr addr);
