// SPDX-License-Identifier: Apache-2.0
// Small ELF files made by tests: executables and cores with chosen notes, segments and damage.
// A writer's file is a growing block of bytes; whoever wants damage changes data[] after
// elf_finish. Out of memory and misuse end the test program.
#pragma once

#include <elf.h>

#include "base/defs.h"

enum { ELF_MAX_SEGMENTS = 64, ELF_MAX_SECTIONS = 16 };

struct elf_bytes {
	uint8_t *data; // owned
	size_t len, cap;
};

struct elf_writer {
	struct elf_bytes file; // finished by elf_finish
	Elf64_Ehdr head;
	Elf64_Phdr segments[ELF_MAX_SEGMENTS];
	Elf64_Shdr sections[ELF_MAX_SECTIONS];
	char names[ELF_MAX_SECTIONS * 32]; // .shstrtab
	size_t nsegments, nsections, names_len;
};

void elf_bytes_deinit(struct elf_bytes *bytes);

/** Copy len bytes to an offset; the file grows with zeros. bytes NULL: only grow. */
void elf_put(struct elf_bytes *to, uint64_t offset, const void *bytes, uint64_t len);

void elf_init(struct elf_writer *w, uint16_t type, uint16_t machine);
void elf_deinit(struct elf_writer *w);

/** A program header, and its bytes at the offset (bytes NULL: they are there already). */
void elf_add_segment(struct elf_writer *w, Elf64_Phdr segment, const void *bytes);
void elf_add_section(struct elf_writer *w, const char *name, Elf64_Shdr section, const void *bytes);

/** Write the headers: program headers at 64, section headers (if any) behind everything else. */
void elf_finish(struct elf_writer *w);

/** Notes, appended to a block that becomes a PT_NOTE. */
void elf_note(struct elf_bytes *to, const char *name, uint32_t type, const void *desc,
	      uint32_t len);
void elf_note_prstatus(struct elf_bytes *to, uint16_t machine, uint32_t tid, uint16_t signal,
		       uint64_t pc, uint64_t sp);
void elf_note_prpsinfo(struct elf_bytes *to, uint32_t pid, const char *args);
void elf_note_auxv(struct elf_bytes *to, uint64_t entry, uint64_t phdr);

struct elf_file_line {
	uint64_t lo, hi, offset; // offset in bytes
	const char *path;
};
void elf_note_file(struct elf_bytes *to, const struct elf_file_line *lines, size_t n);

/** Write to path; false when that fails. */
bool elf_save(const struct elf_bytes *bytes, const char *path);

/*
 * The toy process of the tests of target/: an executable of three segments and a core of it.
 *
 *   exe file   0x0000 headers, notes, text (R E)   0x3000 rodata (R)   0x5000 data (RW)
 *   addresses  base + 0 …                          base + 0x3000       base + 0x5000 … 0x8000
 *   heap       0xc000000000, two neighbours of 0x4000 and 0x2000; stack 0x7ffc00000000 (0x3000)
 *
 * Byte i of a segment is toy_byte(address of it, less base).
 */
enum {
	TOY_TEXT_LEN = 0x3000,
	TOY_RODATA = 0x3000,
	TOY_DATA = 0x5000,
	TOY_END = 0x8000,
	TOY_ENTRY = 0x1080,
};
#define TOY_HEAP  0xc000000000ULL
#define TOY_STACK 0x7ffc00000000ULL

struct toy {
	bool is_pie;
	uint64_t base;	      // where it was loaded; link-time: 0 for PIE, else this
	uint8_t id;	      // every byte of the GNU build id; 0: no such note
	const char *go_id;    // NULL: no such note
	uint16_t machine;     // 0: amd64
	const char *exe_path; // in NT_FILE; NULL: no NT_FILE
	bool is_gcore;	      // everything dumped, offsets off the page, section headers
	bool no_header_page;  // the core omits all of text
	bool no_notes;
};

uint8_t toy_byte(uint64_t addr);
void toy_write_exe(const struct toy *toy, struct elf_writer *w);
void toy_write_core(const struct toy *toy, struct elf_writer *w);
