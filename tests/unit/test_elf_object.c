// SPDX-License-Identifier: Apache-2.0
// ELF files: segments, sections, symbols, notes, build ids, and what is refused or left out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "elf_writer.h"
#include "target/elf_object.h"

static const char strings[] = "\0main.main\0runtime.mheap_\0imported\0main.c";

static void add_symbols(struct elf_writer *w)
{
	const Elf64_Sym symbols[] = {
		{0},
		{.st_name = 1,
		 .st_info = STT_FUNC,
		 .st_shndx = 1,
		 .st_value = 0x401080,
		 .st_size = 9},
		{.st_name = 11, .st_info = STT_OBJECT, .st_shndx = 2, .st_value = 0x405100},
		{.st_name = 26, .st_info = STT_FUNC, .st_shndx = SHN_UNDEF, .st_value = 5},
		{.st_name = 35, .st_info = STT_FILE, .st_shndx = SHN_ABS},
		{.st_name = 0xffffff, .st_info = STT_FUNC, .st_shndx = 1},
	};

	elf_add_section(w, ".text",
			(Elf64_Shdr){.sh_type = SHT_PROGBITS,
				     .sh_addr = 0x401000,
				     .sh_offset = 0x1000,
				     .sh_size = 0x1000},
			NULL);
	elf_add_section(w, ".bss", (Elf64_Shdr){.sh_type = SHT_NOBITS, .sh_size = 1 << 30}, NULL);
	elf_add_section(w, ".symtab",
			(Elf64_Shdr){.sh_type = SHT_SYMTAB,
				     .sh_offset = 0x7000,
				     .sh_size = sizeof(symbols),
				     .sh_link = 4},
			symbols);
	elf_add_section(w, ".strtab",
			(Elf64_Shdr){.sh_type = SHT_STRTAB,
				     .sh_offset = 0x7800,
				     .sh_size = sizeof(strings)},
			strings);
	elf_finish(w);
}

static void make(struct elf_writer *w)
{
	toy_write_exe(&(struct toy){.base = 0x400000, .id = 0x0f, .go_id = "x/y"}, w);
	add_symbols(w);
}

static struct gh_elf *must_open(const struct elf_writer *w)
{
	struct gh_elf *elf = NULL;

	assert_null(gh_elf_open_memory(w->file.data, w->file.len, "toy", &elf));
	return elf;
}

static void reads_what_was_written(void **state)
{
	const struct gh_elf_section *section;
	struct gh_elf_symbol symbol;
	const uint8_t *bytes;
	struct elf_writer w;
	struct gh_elf *elf;
	uint64_t len;
	size_t n;

	make(&w);
	elf = must_open(&w);
	assert_string_equal(gh_elf_path(elf), "toy");
	assert_null(gh_elf_file(elf));
	assert_int_equal(gh_elf_type(elf), ET_EXEC);
	assert_int_equal(gh_elf_machine(elf), EM_X86_64);
	assert_int_equal(gh_elf_entry(elf), 0x401080);
	assert_int_equal(gh_elf_phdr(elf), 0x400040);
	assert_string_equal(gh_elf_build_id(elf), "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f");
	assert_string_equal(gh_elf_go_build_id(elf), "x/y");
	gh_elf_segments(elf, &n);
	assert_int_equal(n, 3);

	bytes = gh_elf_bytes(elf, &len);
	assert_int_equal(len, w.file.len);
	assert_ptr_equal(gh_elf_at(elf, 0x403000, 0x2000), bytes + 0x3000);
	assert_null(gh_elf_at(elf, 0x403000, 0x2001));
	assert_null(gh_elf_at(elf, 0x407000, 1)); // .bss
	assert_null(gh_elf_at(elf, 0x403000, UINT64_MAX));
	assert_null(gh_elf_at(elf, 0x3fffff, 2));

	section = gh_elf_section(elf, ".text");
	assert_non_null(section);
	assert_ptr_equal(gh_elf_section_bytes(elf, section), bytes + 0x1000);
	assert_null(gh_elf_section_bytes(elf, gh_elf_section(elf, ".bss")));
	assert_null(gh_elf_section(elf, ".data"));

	assert_true(gh_elf_symbol_find(elf, "main.main", &symbol));
	assert_int_equal(symbol.addr, 0x401080);
	assert_int_equal(symbol.size, 9);
	assert_true(gh_elf_symbol_find(elf, "runtime.mheap_", &symbol));
	assert_false(gh_elf_symbol_find(elf, "main.mai", &symbol));
	assert_false(gh_elf_symbol_find(elf, "main.main.func1", &symbol));
	assert_false(gh_elf_symbol_find(elf, "imported", &symbol));
	assert_false(gh_elf_symbol_find(elf, "main.c", &symbol));
	assert_false(gh_elf_symbol_find(elf, "", &symbol));
	gh_elf_destroy(elf);
	elf_deinit(&w);
}

static void takes_ids_from_sections_too(void **state)
{
	static const uint8_t id[4] = {0xde, 0xad, 0xbe, 0xef};
	struct elf_bytes notes = {0};
	struct elf_writer w;
	struct gh_elf *elf;

	elf_note(&notes, "GNU", NT_GNU_BUILD_ID, id, sizeof(id));
	toy_write_exe(&(struct toy){.base = 0x400000}, &w);
	elf_add_section(
		&w, ".note.gnu.build-id",
		(Elf64_Shdr){.sh_type = SHT_NOTE, .sh_offset = 0x7000, .sh_size = notes.len},
		notes.data);
	elf_finish(&w);
	elf = must_open(&w);
	assert_string_equal(gh_elf_build_id(elf), "deadbeef");
	assert_null(gh_elf_go_build_id(elf));
	gh_elf_destroy(elf);
	elf_bytes_deinit(&notes);
	elf_deinit(&w);
}

static void notes_may_be_cut(void **state)
{
	struct elf_bytes notes = {0};
	struct gh_elf_note note;
	uint64_t at = 0;

	elf_note(&notes, "GNU", 1, "abcde", 5);
	elf_put(&notes, notes.len, (uint32_t[]){4, 8, 2}, 12);
	elf_put(&notes, notes.len, "Go\0\0", 4); // Go counts its padding
	elf_put(&notes, notes.len, "12345678", 8);
	assert_true(gh_elf_note_next(notes.data, notes.len, 4, &at, &note));
	assert_true(gh_elf_note_is(&note, "GNU", 1));
	assert_int_equal(note.desc_len, 5);
	assert_true(gh_elf_note_next(notes.data, notes.len, 4, &at, &note));
	assert_true(gh_elf_note_is(&note, "Go", 2) && !note.cut);
	assert_false(gh_elf_note_next(notes.data, notes.len, 4, &at, &note));

	at = 24;
	assert_true(gh_elf_note_next(notes.data, notes.len - 3, 4, &at, &note));
	assert_true(note.cut);
	assert_int_equal(note.desc_len, 5);
	assert_false(gh_elf_note_next(notes.data, notes.len - 3, 4, &at, &note));
	memset(notes.data, 0xff, 8); // lengths of 4 GiB
	at = 0;
	assert_false(gh_elf_note_next(notes.data, notes.len, 4, &at, &note));
	elf_bytes_deinit(&notes);
}

static void damaged_sections_are_left_out(void **state)
{
	struct gh_elf_symbol symbol;
	struct elf_writer w;
	struct gh_elf *elf;
	Elf64_Ehdr *head;
	size_t n;

	make(&w);
	head = (Elf64_Ehdr *)w.file.data;
	head->e_shoff = UINT64_MAX - 8;
	elf = must_open(&w);
	gh_elf_sections(elf, &n);
	assert_int_equal(n, 0);
	assert_false(gh_elf_symbol_find(elf, "main.main", &symbol));
	gh_elf_destroy(elf);
	elf_deinit(&w);
}

static void refuses_cut_headers(void **state)
{
	struct gh_elf *elf = NULL;
	struct gh_error *err;
	struct elf_writer w;

	make(&w);
	for (size_t len = 0; len < 64 + w.nsegments * sizeof(Elf64_Phdr); len++) {
		err = gh_elf_open_memory(w.file.data, len, "toy", &elf);
		assert_non_null(err);
		assert_int_equal(err->code, GH_ERR_FORMAT);
		gh_error_destroy(err);
	}
	elf_deinit(&w);
}

/* A table of equal names is no reason to hang, nor one whose strings all run to the same end. */
static void hostile_symbols_cost_little(void **state)
{
	enum { N = 100000, NAME = 20000 };
	_cleanup_free_ Elf64_Sym *symbols = gh_alloc_array(N, sizeof(*symbols));
	_cleanup_free_ char *names = malloc(NAME);
	struct gh_elf_symbol symbol;
	struct elf_writer w;
	struct gh_elf *elf;

	for (int same = 0; same < 2; same++) {
		memset(names, 'x', NAME);
		names[0] = names[NAME - 1] = 0;
		for (uint32_t i = 0; i < N; i++)
			symbols[i] = (Elf64_Sym){.st_name = same ? NAME - 3 : 1 + i % (NAME - 2),
						 .st_shndx = 1,
						 .st_info = STT_FUNC};
		toy_write_exe(&(struct toy){.base = 0x400000}, &w);
		elf_add_section(&w, ".symtab",
				(Elf64_Shdr){.sh_type = SHT_SYMTAB,
					     .sh_offset = 0x10000,
					     .sh_size = N * sizeof(*symbols),
					     .sh_link = 2},
				symbols);
		elf_add_section(
			&w, ".strtab",
			(Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = 0x8000, .sh_size = NAME},
			names);
		elf_finish(&w);
		elf = must_open(&w);
		assert_false(gh_elf_symbol_find(elf, "y", &symbol));
		if (same)
			assert_true(gh_elf_symbol_find(elf, "xx", &symbol));
		gh_elf_destroy(elf);
		elf_deinit(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_was_written),
		cmocka_unit_test(takes_ids_from_sections_too),
		cmocka_unit_test(notes_may_be_cut),
		cmocka_unit_test(damaged_sections_are_left_out),
		cmocka_unit_test(refuses_cut_headers),
		cmocka_unit_test(hostile_symbols_cost_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
