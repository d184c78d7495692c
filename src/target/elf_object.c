// SPDX-License-Identifier: Apache-2.0
// ELF64 files: see elf_object.h. Every offset is checked against the file.
#include "target/elf_object.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/vec.h"

GH_VEC(segment_vec, struct gh_elf_segment);

enum {
	MAX_NOTE_SEGMENTS = 64, // a core has one, an executable three
	MAX_ID_BYTES = 64,	// GNU: 20 (SHA-1), at times 16 or 32
	MAX_GO_ID_BYTES = 512,	// Go: 83 or so; -ldflags=-buildid= takes any text
	NOTE_HEAD = 12,
	MAX_PROBES = 4096,   // of a symbol's slot: more share a name only in hostile files
	MAX_NAME_SHARE = 16, // bytes of names hashed, as a multiple of the string table
	NT_GO_BUILD_ID = 4,  // cmd/link/internal/ld/elf.go, ELF_NOTE_GOBUILDID_TAG
};

struct gh_elf {
	struct gh_file file; // zeroed when the bytes are somebody else's
	char *name;	     // owned: path, or what the caller calls it
	const uint8_t *bytes;
	uint64_t len;
	Elf64_Ehdr head;
	gh_addr phdr;
	struct segment_vec loads, notes;
	struct gh_elf_section *sections; // owned
	size_t nsections;
	char *build_id, *go_build_id; // owned
	uint32_t *symbol_slots;	      // owned: hash -> 1 + index into the two tables in a row
	uint64_t symbol_mask;
	bool symbols_hashed;
};

/* len bytes at offset, NULL when the file has them not. */
static const void *file_at(const struct gh_elf *elf, uint64_t offset, uint64_t len)
{
	uint64_t end;

	if (gh_add(offset, len, &end) || end > elf->len)
		return NULL;
	return elf->bytes + offset;
}

static struct gh_error *refuse(const struct gh_elf *elf, const char *why)
{
	return gh_error_create(GH_ERR_FORMAT, "cannot use %s: %s", elf->name, why);
}

static struct gh_error *check_head(struct gh_elf *elf)
{
	const uint8_t *ident = elf->bytes;

	if (elf->len < SELFMAG || memcmp(ident, ELFMAG, SELFMAG) != 0)
		return refuse(elf, gh_file_describe(ident, elf->len));
	if (elf->len > EI_CLASS && ident[EI_CLASS] == ELFCLASS32)
		return refuse(elf, "it is a 32-bit ELF file: only 64-bit ones are read");
	if (elf->len < sizeof(elf->head))
		return refuse(elf, "it ends within the ELF header: copy it again, whole");
	if (ident[EI_DATA] == ELFDATA2MSB)
		return refuse(elf, "it is a big-endian ELF file: only little-endian ones are read");
	if (ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB)
		return refuse(elf, "its ELF header is damaged: neither 64-bit nor little-endian");
	memcpy(&elf->head, elf->bytes, sizeof(elf->head));
	return NULL;
}

static bool section_head(const struct gh_elf *elf, uint64_t i, Elf64_Shdr *ret)
{
	const void *p;
	uint64_t at;

	if (elf->head.e_shoff == 0 || elf->head.e_shentsize != sizeof(*ret) ||
	    gh_mul(i, sizeof(*ret), &at) || gh_add(at, elf->head.e_shoff, &at))
		return false;
	p = file_at(elf, at, sizeof(*ret));
	if (p)
		memcpy(ret, p, sizeof(*ret));
	return p != NULL;
}

/* Counts that do not fit their 16 bits stand in section 0 (gABI, "ELF Header"). */
static uint64_t segment_count(const struct gh_elf *elf)
{
	Elf64_Shdr first;

	if (elf->head.e_phnum == PN_XNUM && section_head(elf, 0, &first))
		return first.sh_info;
	return elf->head.e_phnum;
}

static struct gh_error *read_segments(struct gh_elf *elf)
{
	uint64_t n = segment_count(elf);
	const uint8_t *p;

	if (n == 0)
		return NULL;
	if (elf->head.e_phentsize != sizeof(Elf64_Phdr))
		return refuse(elf, "its ELF header is damaged: program headers of a wrong size");
	p = file_at(elf, elf->head.e_phoff, n * sizeof(Elf64_Phdr));
	if (!p)
		return refuse(elf, "it ends within its program headers: copy it again, whole");
	for (uint64_t i = 0; i < n; i++) {
		struct segment_vec *vec;
		Elf64_Phdr ph;

		memcpy(&ph, p + i * sizeof(ph), sizeof(ph));
		if (ph.p_type == PT_PHDR)
			elf->phdr = ph.p_vaddr;
		if (ph.p_type != PT_LOAD && ph.p_type != PT_NOTE)
			continue;
		vec = ph.p_type == PT_LOAD ? &elf->loads : &elf->notes;
		if (vec == &elf->notes && vec->len == MAX_NOTE_SEGMENTS)
			continue;
		if (!segment_vec_push(vec, (struct gh_elf_segment){
						   .vaddr = ph.p_vaddr,
						   .offset = ph.p_offset,
						   .filesz = ph.p_filesz,
						   .memsz = ph.p_memsz,
						   .align = ph.p_align,
						   .readable = ph.p_flags & PF_R,
						   .writable = ph.p_flags & PF_W,
						   .executable = ph.p_flags & PF_X,
					   }))
			return gh_error_nomem();
	}
	return NULL;
}

/* Without PT_PHDR (most static programs): the load that holds the table. */
static void find_phdr(struct gh_elf *elf)
{
	for (size_t i = 0; i < elf->loads.len && !elf->phdr; i++) {
		const struct gh_elf_segment *seg = &elf->loads.data[i];

		if (elf->head.e_phoff >= seg->offset &&
		    elf->head.e_phoff - seg->offset < seg->filesz)
			elf->phdr = seg->vaddr + (elf->head.e_phoff - seg->offset);
	}
}

/* A NUL-terminated string of a string table, or NULL. */
static const char *string_at(const uint8_t *table, uint64_t len, uint64_t offset)
{
	if (!table || offset >= len || !memchr(table + offset, 0, len - offset))
		return NULL;
	return (const char *)table + offset;
}

/* Sections serve symbols and debug information: a file without, or with damaged ones, is still
 * good. */
static struct gh_error *read_sections(struct gh_elf *elf)
{
	uint64_t n = elf->head.e_shnum, names_at = elf->head.e_shstrndx, bytes;
	const uint8_t *names = NULL;
	Elf64_Shdr sh;

	if (!section_head(elf, 0, &sh))
		return NULL;
	if (n == 0)
		n = sh.sh_size;
	if (names_at == SHN_XINDEX)
		names_at = sh.sh_link;
	if (n == 0 || gh_mul(n, sizeof(sh), &bytes) || !file_at(elf, elf->head.e_shoff, bytes))
		return NULL;
	elf->sections = gh_alloc_array(n, sizeof(*elf->sections));
	if (!elf->sections)
		return gh_error_nomem();
	if (names_at < n && section_head(elf, names_at, &sh))
		names = file_at(elf, sh.sh_offset, sh.sh_size);
	bytes = names ? sh.sh_size : 0;
	for (; elf->nsections < n; elf->nsections++) {
		Elf64_Shdr one;
		const char *name;

		if (!section_head(elf, elf->nsections, &one))
			break;
		name = string_at(names, bytes, one.sh_name);
		elf->sections[elf->nsections] = (struct gh_elf_section){
			.name = name ? name : "",
			.addr = one.sh_addr,
			.offset = one.sh_offset,
			.size = one.sh_size,
			.flags = one.sh_flags,
			.type = one.sh_type,
			.link = one.sh_link,
		};
	}
	return NULL;
}

bool gh_elf_note_next(const void *block, uint64_t len, uint64_t align, uint64_t *offset,
		      struct gh_elf_note *ret)
{
	const uint8_t *bytes = block;
	uint64_t at = *offset, name_end, desc_at;
	struct gh_elf_note note = {0};

	align = align == 8 ? 8 : 4;
	if (at > len || len - at < NOTE_HEAD)
		return false;
	note.name_len = gh_u32_at(bytes + at);
	note.desc_len = gh_u32_at(bytes + at + 4);
	note.type = gh_u32_at(bytes + at + 8);
	name_end = at + NOTE_HEAD + note.name_len; // no overflow: at is a place in memory
	desc_at = gh_align_up(name_end, align);
	if (desc_at > len)
		return false;
	note.name = (const char *)bytes + at + NOTE_HEAD;
	while (note.name_len && note.name[note.name_len - 1] == 0) // Go counts its padding
		note.name_len--;
	note.desc = bytes + desc_at;
	if (note.desc_len > len - desc_at) {
		note.cut = true;
		note.desc_len = (uint32_t)(len - desc_at);
	}
	*offset = gh_align_up(desc_at + note.desc_len, align);
	if (note.cut)
		*offset = len;
	*ret = note;
	return true;
}

bool gh_elf_note_is(const struct gh_elf_note *note, const char *name, uint32_t type)
{
	return note->type == type && note->name_len == strlen(name) &&
	       memcmp(note->name, name, note->name_len) == 0;
}

static char *hex(const uint8_t *bytes, size_t n)
{
	char *s = malloc(n * 2 + 1);

	for (size_t i = 0; s && i < n; i++)
		snprintf(s + i * 2, 3, "%02x", bytes[i]);
	return s;
}

char *gh_elf_build_id_in(const void *block, uint64_t len, uint64_t align)
{
	struct gh_elf_note note;
	uint64_t at = 0;

	while (gh_elf_note_next(block, len, align, &at, &note))
		if (gh_elf_note_is(&note, "GNU", NT_GNU_BUILD_ID) && !note.cut &&
		    note.desc_len > 0 && note.desc_len <= MAX_ID_BYTES)
			return hex(note.desc, note.desc_len);
	return NULL;
}

char *gh_elf_go_build_id_in(const void *block, uint64_t len, uint64_t align)
{
	struct gh_elf_note note;
	uint64_t at = 0;

	while (gh_elf_note_next(block, len, align, &at, &note))
		if (gh_elf_note_is(&note, "Go", NT_GO_BUILD_ID) && !note.cut && note.desc_len > 0 &&
		    note.desc_len <= MAX_GO_ID_BYTES)
			return strndup((const char *)note.desc, note.desc_len);
	return NULL;
}

/* Sections too: Go's linker gives its own note a section, and a segment only at times. */
static void read_build_ids(struct gh_elf *elf)
{
	for (size_t i = 0; i < elf->notes.len; i++) {
		const struct gh_elf_segment *seg = &elf->notes.data[i];
		const void *p = file_at(elf, seg->offset, seg->filesz);

		if (p && !elf->build_id)
			elf->build_id = gh_elf_build_id_in(p, seg->filesz, seg->align);
		if (p && !elf->go_build_id)
			elf->go_build_id = gh_elf_go_build_id_in(p, seg->filesz, seg->align);
	}
	for (size_t i = 0; i < elf->nsections; i++) {
		const struct gh_elf_section *section = &elf->sections[i];
		const void *p = gh_elf_section_bytes(elf, section);

		if (section->type != SHT_NOTE || !p)
			continue;
		if (!elf->build_id && strcmp(section->name, ".note.gnu.build-id") == 0)
			elf->build_id = gh_elf_build_id_in(p, section->size, 4);
		if (!elf->go_build_id && strcmp(section->name, ".note.go.buildid") == 0)
			elf->go_build_id = gh_elf_go_build_id_in(p, section->size, 4);
	}
}

/* bytes and name are set; takes elf over. */
static struct gh_error *open_common(struct gh_elf *elf, struct gh_elf **ret)
{
	struct gh_error *err = check_head(elf);

	if (!err)
		err = read_segments(elf);
	if (!err)
		err = read_sections(elf);
	if (err) {
		gh_elf_destroy(elf);
		return err;
	}
	find_phdr(elf);
	if (elf->head.e_type != ET_CORE)
		read_build_ids(elf);
	*ret = elf;
	return NULL;
}

struct gh_error *gh_elf_open_with(const char *path, const struct gh_file_options *options,
				  struct gh_elf **ret)
{
	struct gh_elf *elf = calloc(1, sizeof(*elf));
	struct gh_error *err;

	if (!elf)
		return gh_error_nomem();
	err = gh_file_open(path, options, &elf->file);
	if (err) {
		free(elf);
		return err;
	}
	elf->bytes = elf->file.bytes;
	elf->len = elf->file.size;
	elf->name = strdup(path);
	if (!elf->name) {
		gh_elf_destroy(elf);
		return gh_error_nomem();
	}
	return open_common(elf, ret);
}

struct gh_error *gh_elf_open(const char *path, struct gh_elf **ret)
{
	return gh_elf_open_with(path, &(struct gh_file_options){.mode = GH_FILE_MAP}, ret);
}

struct gh_error *gh_elf_open_memory(const void *bytes, uint64_t len, const char *name,
				    struct gh_elf **ret)
{
	struct gh_elf *elf = calloc(1, sizeof(*elf));

	if (!elf)
		return gh_error_nomem();
	elf->bytes = bytes;
	elf->len = len;
	elf->name = strdup(name);
	if (!elf->name) {
		gh_elf_destroy(elf);
		return gh_error_nomem();
	}
	return open_common(elf, ret);
}

void gh_elf_destroy(struct gh_elf *elf)
{
	if (!elf)
		return;
	segment_vec_deinit(&elf->loads);
	segment_vec_deinit(&elf->notes);
	free(elf->sections);
	free(elf->build_id);
	free(elf->go_build_id);
	free(elf->symbol_slots);
	free(elf->name);
	gh_file_deinit(&elf->file);
	free(elf);
}

const char *gh_elf_path(const struct gh_elf *elf)
{
	return elf->name;
}

uint16_t gh_elf_machine(const struct gh_elf *elf)
{
	return elf->head.e_machine;
}

uint16_t gh_elf_type(const struct gh_elf *elf)
{
	return elf->head.e_type;
}

gh_addr gh_elf_entry(const struct gh_elf *elf)
{
	return elf->head.e_entry;
}

gh_addr gh_elf_phdr(const struct gh_elf *elf)
{
	return elf->phdr;
}

const struct gh_file *gh_elf_file(const struct gh_elf *elf)
{
	return elf->file.path ? &elf->file : NULL;
}

const uint8_t *gh_elf_bytes(const struct gh_elf *elf, uint64_t *len_ret)
{
	*len_ret = elf->len;
	return elf->bytes;
}

const struct gh_elf_segment *gh_elf_segments(const struct gh_elf *elf, size_t *n_ret)
{
	*n_ret = elf->loads.len;
	return elf->loads.data;
}

const struct gh_elf_segment *gh_elf_note_segments(const struct gh_elf *elf, size_t *n_ret)
{
	*n_ret = elf->notes.len;
	return elf->notes.data;
}

const struct gh_elf_section *gh_elf_sections(const struct gh_elf *elf, size_t *n_ret)
{
	*n_ret = elf->nsections;
	return elf->sections;
}

const struct gh_elf_section *gh_elf_section(const struct gh_elf *elf, const char *name)
{
	for (size_t i = 0; i < elf->nsections; i++)
		if (strcmp(elf->sections[i].name, name) == 0)
			return &elf->sections[i];
	return NULL;
}

const void *gh_elf_section_bytes(const struct gh_elf *elf, const struct gh_elf_section *section)
{
	if (section->type == SHT_NOBITS)
		return NULL;
	return file_at(elf, section->offset, section->size);
}

const void *gh_elf_at(const struct gh_elf *elf, gh_addr addr, uint64_t len)
{
	for (size_t i = 0; i < elf->loads.len; i++) {
		const struct gh_elf_segment *seg = &elf->loads.data[i];
		uint64_t skip = addr - seg->vaddr, offset;

		if (addr < seg->vaddr || skip >= seg->filesz || len > seg->filesz - skip ||
		    gh_add(seg->offset, skip, &offset))
			continue;
		return file_at(elf, offset, len);
	}
	return NULL;
}

const char *gh_elf_build_id(const struct gh_elf *elf)
{
	return elf->build_id;
}

const char *gh_elf_go_build_id(const struct gh_elf *elf)
{
	return elf->go_build_id;
}

/* One symbol table with its strings; n is 0 where it is missing or damaged. */
struct symbol_table {
	const uint8_t *entries, *strings;
	uint64_t n, strings_len;
};

static struct symbol_table symbol_table(const struct gh_elf *elf, uint32_t type)
{
	struct symbol_table table = {0};

	for (size_t i = 0; i < elf->nsections; i++) {
		const struct gh_elf_section *section = &elf->sections[i], *strings;

		if (section->type != type || section->link >= elf->nsections)
			continue;
		strings = &elf->sections[section->link];
		table.entries = gh_elf_section_bytes(elf, section);
		table.strings = gh_elf_section_bytes(elf, strings);
		if (table.entries && table.strings) {
			table.n = gh_min_u64(section->size / sizeof(Elf64_Sym), UINT32_MAX / 4);
			table.strings_len = strings->size;
		}
		break;
	}
	return table;
}

static const char *symbol_at(const struct symbol_table *table, uint64_t i, Elf64_Sym *ret)
{
	const char *name;

	memcpy(ret, table->entries + i * sizeof(*ret), sizeof(*ret));
	if (ret->st_shndx == SHN_UNDEF || ELF64_ST_TYPE(ret->st_info) == STT_FILE ||
	    ELF64_ST_TYPE(ret->st_info) == STT_SECTION || ret->st_name >= table->strings_len)
		return NULL;
	name = (const char *)table->strings + ret->st_name;
	return *name ? name : NULL;
}

/* FNV-1a */
static uint64_t hash_name(const char *name, uint64_t len)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (uint64_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)name[i]) * 0x100000001b3ULL;
	return h ^ h >> 32;
}

static void hash_table(struct gh_elf *elf, const struct symbol_table *table, uint64_t first)
{
	uint64_t budget = table->strings_len * MAX_NAME_SHARE;

	for (uint64_t i = 0; i < table->n; i++) {
		Elf64_Sym sym;
		const char *name = symbol_at(table, i, &sym);
		uint64_t slot, len, probes = 0;

		if (!name)
			continue;
		len = strnlen(name, table->strings_len - sym.st_name);
		if (len > budget)
			return;
		budget -= len;
		slot = hash_name(name, len) & elf->symbol_mask;
		while (elf->symbol_slots[slot] && probes++ < MAX_PROBES)
			slot = (slot + 1) & elf->symbol_mask;
		if (!elf->symbol_slots[slot])
			elf->symbol_slots[slot] = (uint32_t)(first + i + 1);
	}
}

static bool hash_symbols(struct gh_elf *elf, const struct symbol_table tables[2])
{
	uint64_t n = tables[0].n + tables[1].n, slots = 64;

	while (slots < n * 2)
		slots *= 2;
	elf->symbols_hashed = true;
	elf->symbol_slots = gh_alloc_array(slots, sizeof(*elf->symbol_slots));
	if (!elf->symbol_slots)
		return false;
	elf->symbol_mask = slots - 1;
	hash_table(elf, &tables[0], 0);
	hash_table(elf, &tables[1], tables[0].n);
	return true;
}

bool gh_elf_symbol_find(struct gh_elf *elf, const char *name, struct gh_elf_symbol *ret)
{
	const struct symbol_table tables[2] = {symbol_table(elf, SHT_SYMTAB),
					       symbol_table(elf, SHT_DYNSYM)};
	uint64_t slot, len = strlen(name);

	if (!elf->symbols_hashed && !hash_symbols(elf, tables))
		return false;
	if (!elf->symbol_slots)
		return false;
	slot = hash_name(name, len) & elf->symbol_mask;
	for (; elf->symbol_slots[slot]; slot = (slot + 1) & elf->symbol_mask) {
		uint64_t i = elf->symbol_slots[slot] - 1;
		const struct symbol_table *table = &tables[i >= tables[0].n];
		Elf64_Sym sym;
		const char *found = symbol_at(table, i >= tables[0].n ? i - tables[0].n : i, &sym);

		if (!found || table->strings_len - sym.st_name <= len ||
		    memcmp(found, name, len + 1) != 0)
			continue;
		*ret = (struct gh_elf_symbol){
			.name = found, .addr = sym.st_value, .size = sym.st_size};
		return true;
	}
	return false;
}

static int by_address(const void *a, const void *b)
{
	const struct gh_elf_symbol *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return strcmp(x->name, y->name);
}

struct gh_error *gh_elf_data_symbols(const struct gh_elf *elf, struct gh_elf_symbol_vec *ret)
{
	const struct symbol_table table = symbol_table(elf, SHT_SYMTAB);

	for (uint64_t i = 0; i < table.n; i++) {
		Elf64_Sym sym;
		const char *name = symbol_at(&table, i, &sym);
		struct gh_elf_symbol symbol = {name, sym.st_value, sym.st_size};

		if (!name || !sym.st_size || ELF64_ST_TYPE(sym.st_info) != STT_OBJECT ||
		    !memchr(name, 0, table.strings_len - sym.st_name))
			continue;
		if (!gh_elf_symbol_vec_push(ret, symbol))
			return gh_error_nomem();
	}
	if (ret->len)
		qsort(ret->data, ret->len, sizeof(*ret->data), by_address);
	return NULL;
}

static const char *function_in(const struct symbol_table *table, gh_addr addr)
{
	for (uint64_t i = 0; i < table->n; i++) {
		Elf64_Sym sym;
		const char *name = symbol_at(table, i, &sym);

		if (name && ELF64_ST_TYPE(sym.st_info) == STT_FUNC && addr >= sym.st_value &&
		    addr - sym.st_value < sym.st_size &&
		    memchr(name, 0, table->strings_len - sym.st_name))
			return name;
	}
	return NULL;
}

const char *gh_elf_function_at(const struct gh_elf *elf, gh_addr addr)
{
	const struct symbol_table symbols = symbol_table(elf, SHT_SYMTAB);
	const struct symbol_table dynamic = symbol_table(elf, SHT_DYNSYM);
	const char *name = function_in(&symbols, addr);

	return name ? name : function_in(&dynamic, addr);
}
