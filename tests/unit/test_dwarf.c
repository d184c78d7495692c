// SPDX-License-Identifier: Apache-2.0
// The dwarf layer over this very program (C has structs, variables and frames too), over DWARF
// built by hand (Go's spellings, cycles, refusals), and over 2,000 damaged copies.
// tests/functional/test_dwarf.py asks what real Go programs say.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <link.h>

#include "base/cleanup.h"
#include "../lib/dwarf_damage.h"

static struct gh_elf *open_self(void)
{
	struct gh_elf *elf;

	assert_null(gh_elf_open("/proc/self/exe", &elf));
	return elf;
}

static struct gh_dwarf *open_dwarf(struct gh_elf *elf)
{
	struct gh_dwarf *dwarf;

	assert_null(gh_dwarf_open(elf, NULL, &dwarf));
	return dwarf;
}

struct test_dwarf_inner {
	short x;
	struct {
		long a;
		int b[3][5];
	} y;
};

struct test_dwarf_outer {
	char c;
	const struct test_dwarf_inner inner;
	struct test_dwarf_outer *self;
	void (*function)(void);
};

struct test_dwarf_outer test_dwarf_global, test_dwarf_other[3];

static void fields_of_c_structs(void **state)
{
	struct gh_elf *elf = open_self();
	struct gh_dwarf *dwarf = open_dwarf(elf);
	gh_dtype type = gh_dwarf_struct_find(dwarf, "test_dwarf_outer");
	const struct gh_dtype_info *info = gh_dwarf_type(dwarf, type);
	uint64_t offset, size;

	assert_int_not_equal(type, 0);
	assert_int_equal(info->kind, GH_DK_STRUCT);
	assert_int_equal(info->size, sizeof(struct test_dwarf_outer));
	assert_int_equal(info->nfields, 4);
	assert_int_equal(gh_dwarf_type(dwarf, info->fields[2].type)->elem, type);
	assert_true(gh_dwarf_field_find(dwarf, type, "inner.y.b", &offset, &size));
	assert_int_equal(offset, offsetof(struct test_dwarf_outer, inner.y.b));
	assert_int_equal(size, sizeof(test_dwarf_global.inner.y.b));
	assert_true(gh_dwarf_field_find(dwarf, type, "self", &offset, NULL));
	assert_false(gh_dwarf_field_find(dwarf, type, "inner.z", &offset, &size));
	assert_false(gh_dwarf_field_find(dwarf, type, "self.c", &offset, &size));
	assert_false(gh_dwarf_field_find(dwarf, type, "", &offset, &size));
	assert_false(gh_dwarf_field_find(dwarf, 0, "c", &offset, &size));
	assert_int_equal(gh_dwarf_struct_find(dwarf, "test_dwarf_nothing"), 0);
	gh_dwarf_destroy(dwarf);
	gh_elf_destroy(elf);
}

static void variables_of_c(void **state)
{
	struct gh_elf *elf = open_self();
	struct gh_dwarf *dwarf = open_dwarf(elf);
	const struct gh_dvar *vars, *found = NULL;
	struct gh_elf_symbol symbol;
	size_t n;

	assert_true(gh_elf_symbol_find(elf, "test_dwarf_other", &symbol));
	assert_null(gh_dwarf_variables(dwarf, NULL, &vars, &n));
	for (size_t i = 0; i < n; i++) {
		assert_true(i == 0 || vars[i - 1].addr <= vars[i].addr);
		if (strcmp(vars[i].name, "test_dwarf_other") == 0)
			found = &vars[i];
	}
	assert_non_null(found);
	assert_int_equal(found->addr, symbol.addr);
	assert_int_equal(gh_dwarf_type(dwarf, found->type)->kind, GH_DK_ARRAY);
	assert_int_equal(gh_dwarf_type(dwarf, found->type)->count, 3);
	assert_int_equal(gh_dwarf_type(dwarf, found->type)->size, sizeof(test_dwarf_other));
	gh_dwarf_destroy(dwarf);
	gh_elf_destroy(elf);
}

static bool cancel(void *ctx)
{
	return true;
}

static void variables_can_be_cancelled(void **state)
{
	struct gh_elf *elf = open_self();
	struct gh_dwarf *dwarf = open_dwarf(elf);
	struct gh_poll poll = {.cancelled = cancel};
	const struct gh_dvar *vars;
	struct gh_error *err;
	size_t n;

	err = gh_dwarf_variables(dwarf, &poll, &vars, &n);
	assert_non_null(err);
	assert_int_equal(err->code, GH_ERR_CANCELLED);
	assert_null(gh_dwarf_variables(dwarf, NULL, &vars, &n));
	assert_true(n > 0);
	gh_dwarf_destroy(dwarf);
	gh_elf_destroy(elf);
}

static int take_load_bias(struct dl_phdr_info *info, size_t size, void *ret)
{
	*(gh_addr *)ret = info->dlpi_addr;
	return 1; // the program comes first
}

__attribute__((noinline)) static gh_addr return_address(const void *keep)
{
	__asm__ volatile("" : : "r"(keep) : "memory");
	return (gh_addr)(uintptr_t)__builtin_return_address(0);
}

/* What asks for itself: a variable in memory, as its address is taken. */
__attribute__((noinline, no_sanitize("address", "undefined"))) static void
find_own_local(struct gh_dwarf *dwarf, struct gh_dlocal_vec *ret, gh_addr bias, int64_t *at_ret)
{
	volatile long remembered[4] = {1, 2, 3, 4};
	gh_addr pc = return_address((const void *)remembered) - 1;

	*at_ret = (int64_t)((uintptr_t)remembered - (uintptr_t)__builtin_dwarf_cfa());
	assert_null(gh_dwarf_locals(dwarf, pc - bias, ret));
}

static void locals_of_c(void **state)
{
	struct gh_elf *elf = open_self();
	struct gh_dwarf *dwarf = open_dwarf(elf);
	struct gh_dlocal_vec locals = {0};
	gh_addr bias = 0;
	int64_t at = 0;
	int seen = 0;

	dl_iterate_phdr(take_load_bias, &bias);
	for (int round = 0; round < 2; round++) {
		find_own_local(dwarf, &locals, bias, &at);
		for (size_t i = 0; i < locals.len; i++) {
			if (strcmp(locals.data[i].name, "remembered") != 0)
				continue;
			assert_int_equal(locals.data[i].cfa_offset, at);
			assert_int_equal(locals.data[i].size, 4 * sizeof(long));
			assert_false(locals.data[i].is_param);
			seen++;
		}
	}
	assert_int_equal(seen, 3); // one, then one more behind it
	locals.len = 0;
	assert_null(gh_dwarf_locals(dwarf, 1, &locals));
	assert_int_equal(locals.len, 0);
	gh_dlocal_vec_deinit(&locals);
	gh_dwarf_destroy(dwarf);
	gh_elf_destroy(elf);
}

/* DWARF by hand */

struct bytes {
	uint8_t data[8192];
	size_t len;
};

static void put(struct bytes *b, uint64_t value, size_t n)
{
	assert_true(b->len + n <= sizeof(b->data));
	memcpy(b->data + b->len, &value, n);
	b->len += n;
}

static void put_string(struct bytes *b, const char *s)
{
	for (; *s; s++)
		put(b, (uint8_t)*s, 1);
	put(b, 0, 1);
}

static void put_list(struct bytes *b, const uint16_t *values)
{
	for (; *values; values++) { // as unsigned LEB128
		if (*values >= 128)
			put(b, (*values & 127) | 128, 1);
		put(b, *values >= 128 ? *values >> 7 : *values, 1);
	}
	put(b, 0, 2);
}

enum { // abbreviations
	UNIT = 1,
	STRUCT,
	MEMBER,
	TYPEDEF,
	POINTER,
	ARRAY,
	VARIABLE,
	FUNCTION,
	LOCAL,
	CONST,
	BASE,
};

/* Go's: names are strings in place, references offsets in the section, places short blocks. */
static void put_abbrevs(struct bytes *b)
{
	static const struct {
		uint8_t code, tag, has_children;
		uint16_t attrs[16];
	} all[] = {
		{UNIT, 0x11, 1, {0x03, 0x08, 0x13, 0x0b, 0}},
		{STRUCT, 0x13, 1, {0x03, 0x08, 0x0b, 0x0f, 0x2900, 0x0b, 0}},
		{MEMBER, 0x0d, 0, {0x03, 0x08, 0x38, 0x0f, 0x49, 0x10, 0x2903, 0x0c, 0}},
		{TYPEDEF, 0x16, 0, {0x03, 0x08, 0x49, 0x10, 0}},
		{POINTER, 0x0f, 0, {0x03, 0x08, 0x49, 0x10, 0}},
		{ARRAY, 0x01, 0, {0x03, 0x08, 0x49, 0x10, 0}},
		{VARIABLE, 0x34, 0, {0x03, 0x08, 0x02, 0x0a, 0x49, 0x10, 0}},
		{FUNCTION, 0x2e, 1, {0x03, 0x08, 0x11, 0x01, 0x12, 0x01, 0x40, 0x0a, 0}},
		{LOCAL, 0x34, 0, {0x03, 0x08, 0x02, 0x0a, 0x49, 0x10, 0x2907, 0x0f, 0}},
		{CONST, 0x26, 0, {0x49, 0x10, 0}},
		{BASE, 0x24, 0, {0x03, 0x08, 0x0b, 0x0b, 0}},
	};

	for (size_t i = 0; i < GH_ARRAY_SIZE(all); i++) {
		put(b, all[i].code, 1);
		put(b, all[i].tag, 1);
		put(b, all[i].has_children, 1);
		put_list(b, all[i].attrs);
	}
	put(b, 0, 1);
}

static void begin_unit(struct bytes *info)
{
	put(info, 0, 4); // its length, see end_unit
	put(info, 4, 2);
	put(info, 0, 4);
	put(info, 8, 1);
	put(info, UNIT, 1);
	put_string(info, "runtime");
	put(info, 0x16, 1); // Go
}

static void end_unit(struct bytes *info)
{
	uint32_t len;

	put(info, 0, 1);
	len = (uint32_t)info->len - 4;
	memcpy(info->data, &len, sizeof(len));
}

static uint32_t put_die(struct bytes *info, uint8_t code, const char *name)
{
	uint32_t at = (uint32_t)info->len;

	put(info, code, 1);
	if (name)
		put_string(info, name);
	return at;
}

static void put_struct(struct bytes *info, const char *name, uint8_t size)
{
	put_die(info, STRUCT, name);
	put(info, size, 1);
	put(info, 25, 1);
}

static void put_member(struct bytes *info, const char *name, uint8_t offset, uint32_t type,
		       bool embedded)
{
	put_die(info, MEMBER, name);
	put(info, offset, 1);
	put(info, type, 4);
	put(info, embedded, 1);
}

static void put_place(struct bytes *info, const uint8_t *ops, uint8_t n)
{
	put(info, n, 1);
	for (uint8_t i = 0; i < n; i++)
		put(info, ops[i], 1);
}

/* An ELF file with the two sections. */
static struct gh_elf *make_elf(const struct bytes *info, const struct bytes *abbrev,
			       struct bytes *file)
{
	static const char names[] = "\0.debug_info\0.debug_abbrev\0.shstrtab";
	Elf64_Ehdr ehdr = {
		.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_shoff = sizeof(ehdr),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 4,
		.e_shstrndx = 3,
	};
	uint64_t at = sizeof(ehdr) + 4 * sizeof(Elf64_Shdr);
	Elf64_Shdr shdr[4] = {
		{0},
		{.sh_name = 1, .sh_type = SHT_PROGBITS, .sh_offset = at, .sh_size = info->len},
		{.sh_name = 13,
		 .sh_type = SHT_PROGBITS,
		 .sh_offset = at + info->len,
		 .sh_size = abbrev->len},
		{.sh_name = 27,
		 .sh_type = SHT_STRTAB,
		 .sh_offset = at + info->len + abbrev->len,
		 .sh_size = sizeof(names)},
	};
	struct gh_elf *elf;

	file->len = 0;
	assert_true(at + info->len + abbrev->len + sizeof(names) <= sizeof(file->data));
	memcpy(file->data, &ehdr, sizeof(ehdr));
	memcpy(file->data + sizeof(ehdr), shdr, sizeof(shdr));
	memcpy(file->data + at, info->data, info->len);
	memcpy(file->data + at + info->len, abbrev->data, abbrev->len);
	memcpy(file->data + at + info->len + abbrev->len, names, sizeof(names));
	file->len = at + info->len + abbrev->len + sizeof(names);
	assert_null(gh_elf_open_memory(file->data, file->len, "made", &elf));
	return elf;
}

struct made {
	struct bytes info, abbrev, file;
	struct gh_elf *elf;
	struct gh_dwarf *dwarf;
};

static void made_open(struct made *m)
{
	end_unit(&m->info);
	put_abbrevs(&m->abbrev);
	m->elf = make_elf(&m->info, &m->abbrev, &m->file);
	m->dwarf = open_dwarf(m->elf);
}

static void made_close(struct made *m)
{
	gh_dwarf_destroy(m->dwarf);
	gh_elf_destroy(m->elf);
}

static void names_are_gos(void **state)
{
	struct made m = {0};
	gh_dtype type;

	begin_unit(&m.info);
	put_struct(&m.info, "example.com/odd%2ev2.T[int%zz,\xc2\xb7]", 0);
	put(&m.info, 0, 1);
	put_struct(&m.info,
		   "main.local\xc2\xb7"
		   "12",
		   0);
	put(&m.info, 0, 1);
	put_struct(&m.info,
		   "main.both\xc2\xb7"
		   "1",
		   1);
	put(&m.info, 0, 1);
	put_struct(&m.info, "main.both", 2);
	put(&m.info, 0, 1);
	put_struct(&m.info,
		   "main.both\xc2\xb7"
		   "2",
		   3);
	put(&m.info, 0, 1);
	made_open(&m);
	type = gh_dwarf_struct_find(m.dwarf, "example.com/odd.v2.T[int%zz,\xc2\xb7]");
	assert_string_equal(gh_dwarf_type(m.dwarf, type)->name,
			    "example.com/odd.v2.T[int%zz,\xc2\xb7]");
	type = gh_dwarf_struct_find(m.dwarf, "main.local");
	assert_string_equal(gh_dwarf_type(m.dwarf, type)->name, "main.local");
	// the type of the package before those of functions
	type = gh_dwarf_struct_find(m.dwarf, "main.both");
	assert_int_equal(gh_dwarf_type(m.dwarf, type)->size, 2);
	made_close(&m);
}

/* A typedef to the name of its own type is that type; one to another name keeps its name. */
static void typedefs_are_seen_through(void **state)
{
	struct made m = {0};
	const struct gh_dtype_info *info;
	uint32_t target, same, other;
	gh_dtype type;

	begin_unit(&m.info);
	target = (uint32_t)m.info.len;
	put_struct(&m.info, "main.T", 8);
	put(&m.info, 0, 1);
	same = put_die(&m.info, TYPEDEF, "main.T");
	put(&m.info, target, 4);
	other = put_die(&m.info, TYPEDEF, "main.Other");
	put(&m.info, same, 4);
	put_struct(&m.info, "main.holder", 24);
	put_member(&m.info, "a", 0, target, false);
	put_member(&m.info, "b", 8, same, false);
	put_member(&m.info, "c", 16, other, false);
	put(&m.info, 0, 1);
	made_open(&m);
	type = gh_dwarf_struct_find(m.dwarf, "main.T");
	info = gh_dwarf_type(m.dwarf, gh_dwarf_struct_find(m.dwarf, "main.holder"));
	assert_int_equal(info->nfields, 3);
	assert_int_equal(info->fields[0].type, type);
	assert_int_equal(info->fields[1].type, type);
	info = gh_dwarf_type(m.dwarf, info->fields[2].type);
	assert_string_equal(info->name, "main.Other");
	assert_int_equal(info->kind, GH_DK_STRUCT);
	assert_int_equal(info->size, 8);
	assert_int_equal(info->go_kind, 25);
	made_close(&m);
}

static void cycles_end(void **state)
{
	struct made m = {0};
	uint32_t base, at;
	gh_dtype type;
	uint64_t offset, size;

	begin_unit(&m.info);
	base = put_die(&m.info, BASE, "int");
	put(&m.info, 8, 1);
	at = put_die(&m.info, TYPEDEF, "main.self"); // to itself
	put(&m.info, at, 4);
	at = put_die(&m.info, TYPEDEF, "main.a"); // to main.b, which is next, and back
	put(&m.info, at + 12, 4);
	assert_int_equal(put_die(&m.info, TYPEDEF, "main.b"), at + 12);
	put(&m.info, at, 4);
	at = put_die(&m.info, CONST, NULL);
	put(&m.info, at, 4);
	at = put_die(&m.info, POINTER, "*main.p");
	put(&m.info, at, 4);
	at = put_die(&m.info, ARRAY, "[1]main.array");
	put(&m.info, at, 4);
	at = (uint32_t)m.info.len; // a struct that holds itself
	put_struct(&m.info, "main.S", 8);
	for (int i = 0; i < 8; i++)
		put_member(&m.info, "S", 0, at, true);
	put_member(&m.info, "n", 0, base, false);
	for (uint32_t i = 0; i < at; i++) // and refers to all there is, and to what is not
		if (i % 3 == 0)
			put_member(&m.info, "f", 0, i, false);
	put(&m.info, 0, 1);
	made_open(&m);
	type = gh_dwarf_struct_find(m.dwarf, "main.S");
	assert_int_not_equal(type, 0);
	assert_true(gh_dwarf_field_find(m.dwarf, type, "S.S.S.n", &offset, &size));
	assert_int_equal(size, 8);
	assert_false(gh_dwarf_field_find(m.dwarf, type, "S.nothing", &offset, &size));
	gh_test_load_type(m.dwarf, type, 3);
	assert_int_equal(gh_dwarf_struct_find(m.dwarf, "main.self"), 0);
	assert_int_equal(gh_dwarf_struct_find(m.dwarf, "main.a"), 0);
	made_close(&m);
}

enum { OP_ADDR = 0x03, OP_PLUS = 0x22, OP_REG0 = 0x50, OP_CONSTS = 0x11, OP_DEREF = 0x06 };
enum { OP_FBREG = 0x91, OP_PIECE = 0x93, OP_CFA = 0x9c };

static void places_in_frames(void **state)
{
	static const uint8_t cfa[] = {OP_CFA};
	static const uint8_t pieces[] = {OP_REG0,   OP_PIECE, 8,       OP_PIECE, 8, OP_CFA,
					 OP_CONSTS, 0x78,     OP_PLUS, OP_PIECE, 8};
	static const uint8_t computed[] = {OP_FBREG, 16, OP_DEREF};
	static const uint8_t absolute[] = {OP_ADDR, 0, 0x10, 0, 0, 0, 0, 0, 0};
	struct gh_dlocal_vec locals = {0};
	struct gh_dcapture_vec captures = {0};
	struct made m = {0};
	const struct gh_dvar *vars;
	uint32_t base;
	size_t n;

	begin_unit(&m.info);
	base = put_die(&m.info, BASE, "main.big");
	put(&m.info, 24, 1);
	put_die(&m.info, VARIABLE, "main.v");
	put_place(&m.info, absolute, sizeof(absolute));
	put(&m.info, base, 4);
	put_die(&m.info, FUNCTION, "main.f");
	put(&m.info, 0x401000, 8);
	put(&m.info, 0x401100, 8);
	put_place(&m.info, cfa, sizeof(cfa));
	put_die(&m.info, LOCAL, "x");
	put_place(&m.info, pieces, sizeof(pieces));
	put(&m.info, base, 4);
	put(&m.info, 8, 1);
	put_die(&m.info, LOCAL, "&y");
	put_place(&m.info, cfa, sizeof(cfa));
	put(&m.info, base, 4);
	put(&m.info, 16, 1);
	put_die(&m.info, LOCAL, "z");
	put_place(&m.info, computed, sizeof(computed));
	put(&m.info, base, 4);
	put(&m.info, 24, 1);
	put(&m.info, 0, 1);
	made_open(&m);

	assert_null(gh_dwarf_locals(m.dwarf, 0x4010ff, &locals));
	assert_int_equal(locals.len, 2);
	assert_string_equal(locals.data[0].name, "x");
	assert_int_equal(locals.data[0].cfa_offset, -8);
	assert_int_equal(locals.data[0].size, 8);
	assert_int_equal(locals.data[0].type_offset, 16);
	assert_false(locals.data[0].by_ref);
	assert_string_equal(locals.data[1].name, "&y");
	assert_int_equal(locals.data[1].cfa_offset, 0);
	assert_int_equal(locals.data[1].size, 24);
	assert_true(locals.data[1].by_ref);
	assert_null(gh_dwarf_locals(m.dwarf, 0x401100, &locals));
	assert_null(gh_dwarf_locals(m.dwarf, 0x400fff, &locals));
	assert_int_equal(locals.len, 2);

	assert_null(gh_dwarf_captures(m.dwarf, 0x401000, &captures));
	assert_int_equal(captures.len, 3);
	assert_string_equal(captures.data[1].name, "&y");
	assert_int_equal(captures.data[1].offset, 16);
	assert_null(gh_dwarf_captures(m.dwarf, 0x401001, &captures));
	assert_int_equal(captures.len, 3);

	assert_null(gh_dwarf_variables(m.dwarf, NULL, &vars, &n));
	assert_int_equal(n, 1);
	assert_string_equal(vars[0].name, "main.v");
	assert_int_equal(vars[0].addr, 0x1000);
	gh_dlocal_vec_deinit(&locals);
	gh_dcapture_vec_deinit(&captures);
	made_close(&m);
}

static void what_is_no_dwarf(void **state)
{
	struct made m = {0};
	struct gh_error *err;

	put_abbrevs(&m.abbrev);
	m.elf = make_elf(&m.info, &m.abbrev, &m.file); // .debug_info is empty
	err = gh_dwarf_open(m.elf, NULL, &m.dwarf);
	assert_non_null(err);
	assert_int_equal(err->code, GH_ERR_MISSING);
	assert_string_equal(err->message, "made has no DWARF");
	gh_error_destroy(err);
	gh_elf_destroy(m.elf);
}

/* Cut anywhere, it still answers. */
static void cut_short(void **state)
{
	struct made whole = {0};
	static const gh_addr pcs[] = {0x401000};

	begin_unit(&whole.info);
	put_struct(&whole.info, "runtime.g", 8);
	put_member(&whole.info, "m", 0, 20, false);
	put(&whole.info, 0, 1);
	put_die(&whole.info, FUNCTION, "runtime.f");
	put(&whole.info, 0x401000, 8);
	put(&whole.info, 0x401100, 8);
	put(&whole.info, 0, 2);
	end_unit(&whole.info);
	put_abbrevs(&whole.abbrev);
	for (size_t cut = 1; cut <= whole.info.len; cut++) {
		struct made m = {.info = whole.info, .abbrev = whole.abbrev};

		m.info.len = cut;
		m.elf = make_elf(&m.info, &m.abbrev, &m.file);
		assert_true(gh_test_ask_all(m.elf, pcs, GH_ARRAY_SIZE(pcs)));
		gh_elf_destroy(m.elf);
	}
	for (size_t cut = 1; cut <= whole.abbrev.len; cut++) {
		struct made m = {.info = whole.info, .abbrev = whole.abbrev};

		m.abbrev.len = cut;
		m.elf = make_elf(&m.info, &m.abbrev, &m.file);
		assert_true(gh_test_ask_all(m.elf, pcs, GH_ARRAY_SIZE(pcs)));
		gh_elf_destroy(m.elf);
	}
}

static void damaged_copies(void **state)
{
	enum { ROUNDS = 2000, NPCS = 20, STRIDE = 512, SEED = 7654321 };
	struct gh_elf *elf = open_self();
	gh_addr pcs[NPCS];

	for (unsigned int i = 0; i < NPCS; i++)
		pcs[i] = gh_elf_entry(elf) + (gh_addr)i * STRIDE;
	gh_elf_destroy(elf);
	assert_true(gh_test_damage("/proc/self/exe", ROUNDS, SEED, pcs, NPCS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_of_c_structs),
		cmocka_unit_test(variables_of_c),
		cmocka_unit_test(variables_can_be_cancelled),
		cmocka_unit_test(locals_of_c),
		cmocka_unit_test(names_are_gos),
		cmocka_unit_test(typedefs_are_seen_through),
		cmocka_unit_test(cycles_end),
		cmocka_unit_test(places_in_frames),
		cmocka_unit_test(what_is_no_dwarf),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(damaged_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
