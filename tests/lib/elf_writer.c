// SPDX-License-Identifier: Apache-2.0
// Writing small ELF files: see elf_writer.h.
#include "elf_writer.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	PAGE = 0x1000,
	HEAD_END = 64 + ELF_MAX_SEGMENTS * sizeof(Elf64_Phdr),
	PRSTATUS_REGS = 112,
	AMD64_REGS = 27,
	ARM64_REGS = 34,
	NOTES_AT = 0x400, // of the toy executable, in its first page
};

void elf_bytes_deinit(struct elf_bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct elf_bytes){0};
}

void elf_put(struct elf_bytes *to, uint64_t offset, const void *bytes, uint64_t len)
{
	size_t end = offset + len;

	if (end > to->cap) {
		to->cap = end * 2;
		to->data = realloc(to->data, to->cap);
		if (!to->data)
			abort();
	}
	if (end > to->len) {
		memset(to->data + to->len, 0, end - to->len);
		to->len = end;
	}
	if (bytes && len)
		memcpy(to->data + offset, bytes, len);
}

void elf_init(struct elf_writer *w, uint16_t type, uint16_t machine)
{
	*w = (struct elf_writer){.head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
						      ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
					  .e_type = type,
					  .e_machine = machine,
					  .e_version = EV_CURRENT,
					  .e_phoff = sizeof(Elf64_Ehdr),
					  .e_ehsize = sizeof(Elf64_Ehdr),
					  .e_phentsize = sizeof(Elf64_Phdr),
					  .e_shentsize = sizeof(Elf64_Shdr)},
				 .names_len = 1};
}

void elf_deinit(struct elf_writer *w)
{
	elf_bytes_deinit(&w->file);
}

void elf_add_segment(struct elf_writer *w, Elf64_Phdr segment, const void *bytes)
{
	if (w->nsegments == ELF_MAX_SEGMENTS)
		abort();
	w->segments[w->nsegments++] = segment;
	if (bytes)
		elf_put(&w->file, segment.p_offset, bytes, segment.p_filesz);
}

void elf_add_section(struct elf_writer *w, const char *name, Elf64_Shdr section, const void *bytes)
{
	size_t len = strlen(name) + 1;

	if (w->nsections == 0)
		w->nsections = 1; // section 0 is empty
	if (w->nsections + 1 >= ELF_MAX_SECTIONS || w->names_len + len + 16 > sizeof(w->names))
		abort();
	section.sh_name = (uint32_t)w->names_len;
	memcpy(w->names + w->names_len, name, len);
	w->names_len += len;
	w->sections[w->nsections++] = section;
	if (bytes)
		elf_put(&w->file, section.sh_offset, bytes, section.sh_size);
}

void elf_finish(struct elf_writer *w)
{
	if (w->nsections) {
		uint64_t at = gh_align_up(w->file.len, 8);

		elf_add_section(w, ".shstrtab",
				(Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = at}, NULL);
		w->sections[w->nsections - 1].sh_size = w->names_len;
		elf_put(&w->file, at, w->names, w->names_len);
		w->head.e_shoff = gh_align_up(w->file.len, 8);
		w->head.e_shnum = (uint16_t)w->nsections;
		w->head.e_shstrndx = (uint16_t)(w->nsections - 1);
		elf_put(&w->file, w->head.e_shoff, w->sections,
			w->nsections * sizeof(w->sections[0]));
	}
	w->head.e_phnum = (uint16_t)w->nsegments;
	elf_put(&w->file, 0, &w->head, sizeof(w->head));
	elf_put(&w->file, sizeof(w->head), w->segments, w->nsegments * sizeof(w->segments[0]));
}

void elf_note(struct elf_bytes *to, const char *name, uint32_t type, const void *desc, uint32_t len)
{
	uint32_t head[3] = {(uint32_t)strlen(name) + 1, len, type};

	elf_put(to, to->len, head, sizeof(head));
	elf_put(to, to->len, name, head[0]);
	elf_put(to, gh_align_up(to->len, 4), desc, len);
	elf_put(to, gh_align_up(to->len, 4), NULL, 0);
}

void elf_note_prstatus(struct elf_bytes *to, uint16_t machine, uint32_t tid, uint16_t signal,
		       uint64_t pc, uint64_t sp)
{
	bool arm = machine == EM_AARCH64;
	uint64_t regs[ARM64_REGS];
	uint8_t desc[PRSTATUS_REGS + sizeof(regs) + 8] = {0};
	size_t n = arm ? ARM64_REGS : AMD64_REGS;

	for (size_t i = 0; i < n; i++)
		regs[i] = 0x1000 + i;
	regs[arm ? 32 : 16] = pc;
	regs[arm ? 31 : 19] = sp;
	memcpy(desc + 12, &signal, 2);
	memcpy(desc + 32, &tid, 4);
	memcpy(desc + PRSTATUS_REGS, regs, n * 8);
	elf_note(to, "CORE", NT_PRSTATUS, desc, (uint32_t)(PRSTATUS_REGS + n * 8 + 8));
}

void elf_note_prpsinfo(struct elf_bytes *to, uint32_t pid, const char *args)
{
	uint8_t desc[136] = {0};

	memcpy(desc + 24, &pid, 4);
	memcpy(desc + 40, "toy", 4);
	memcpy(desc + 56, args, strlen(args) < 80 ? strlen(args) : 80);
	elf_note(to, "CORE", NT_PRPSINFO, desc, sizeof(desc));
}

void elf_note_auxv(struct elf_bytes *to, uint64_t entry, uint64_t phdr)
{
	uint64_t auxv[] = {AT_PAGESZ, PAGE, AT_PHDR, phdr, AT_ENTRY, entry, AT_NULL, 0};

	elf_note(to, "CORE", NT_AUXV, auxv, sizeof(auxv));
}

void elf_note_file(struct elf_bytes *to, const struct elf_file_line *lines, size_t n)
{
	struct elf_bytes desc = {0};
	uint64_t head[2] = {n, PAGE};

	elf_put(&desc, 0, head, sizeof(head));
	for (size_t i = 0; i < n; i++) {
		uint64_t line[3] = {lines[i].lo, lines[i].hi, lines[i].offset / PAGE};

		elf_put(&desc, desc.len, line, sizeof(line));
	}
	for (size_t i = 0; i < n; i++)
		elf_put(&desc, desc.len, lines[i].path, strlen(lines[i].path) + 1);
	elf_note(to, "CORE", NT_FILE, desc.data, (uint32_t)desc.len);
	elf_bytes_deinit(&desc);
}

bool elf_save(const struct elf_bytes *bytes, const char *path)
{
	FILE *f = fopen(path, "wb");
	bool ok = f && (!bytes->len || fwrite(bytes->data, bytes->len, 1, f) == 1);

	return f && fclose(f) == 0 && ok;
}

/* ---- the toy process ---- */

uint8_t toy_byte(uint64_t addr)
{
	return (uint8_t)((addr * 2654435761u) >> 13);
}

static void put_pattern(struct elf_bytes *to, uint64_t offset, uint64_t addr, uint64_t len)
{
	elf_put(to, offset, NULL, len);
	for (uint64_t i = 0; i < len; i++)
		to->data[offset + i] = toy_byte(addr + i);
}

static uint16_t machine_of(const struct toy *toy)
{
	return toy->machine ? toy->machine : EM_X86_64;
}

static void put_id_notes(const struct toy *toy, struct elf_bytes *to)
{
	uint8_t id[20];

	memset(id, toy->id, sizeof(id));
	if (toy->go_id)
		elf_note(to, "Go", 4, toy->go_id, (uint32_t)strlen(toy->go_id));
	if (toy->id)
		elf_note(to, "GNU", NT_GNU_BUILD_ID, id, sizeof(id));
}

void toy_write_exe(const struct toy *toy, struct elf_writer *w)
{
	uint64_t base = toy->is_pie ? 0 : toy->base;
	struct elf_bytes notes = {0};

	elf_init(w, toy->is_pie ? ET_DYN : ET_EXEC, machine_of(toy));
	w->head.e_entry = base + TOY_ENTRY;
	put_pattern(&w->file, 0, 0, TOY_DATA + 0x1000);
	put_id_notes(toy, &notes);
	if (notes.len)
		elf_add_segment(w,
				(Elf64_Phdr){PT_NOTE, PF_R, NOTES_AT, base + NOTES_AT, 0, notes.len,
					     notes.len, 4},
				notes.data);
	elf_add_segment(w,
			(Elf64_Phdr){PT_LOAD, PF_R | PF_X, 0, base, 0, TOY_TEXT_LEN - 0x100,
				     TOY_TEXT_LEN - 0x100, PAGE},
			NULL);
	elf_add_segment(w,
			(Elf64_Phdr){PT_LOAD, PF_R, TOY_RODATA, base + TOY_RODATA, 0,
				     TOY_DATA - TOY_RODATA, TOY_DATA - TOY_RODATA, PAGE},
			NULL);
	elf_add_segment(w,
			(Elf64_Phdr){PT_LOAD, PF_R | PF_W, TOY_DATA, base + TOY_DATA, 0, 0x1000,
				     TOY_END - TOY_DATA, PAGE},
			NULL);
	elf_finish(w);
	elf_bytes_deinit(&notes);
}

struct core_cursor {
	struct elf_writer *w;
	uint64_t offset;
};

/* written bytes of a mapping [addr, addr + len), the toy's pattern in them */
static void put_memory(struct core_cursor *c, uint32_t flags, uint64_t addr, uint64_t pattern,
		       uint64_t written, uint64_t len)
{
	put_pattern(&c->w->file, c->offset, pattern, written);
	elf_add_segment(c->w, (Elf64_Phdr){PT_LOAD, flags, c->offset, addr, 0, written, len, PAGE},
			NULL);
	c->offset += written;
}

static void put_core_notes(const struct toy *toy, struct elf_bytes *to)
{
	const struct elf_file_line lines[] = {
		{toy->base, toy->base + TOY_RODATA, 0, toy->exe_path},
		{toy->base + TOY_RODATA, toy->base + TOY_DATA, TOY_RODATA, toy->exe_path},
		{toy->base + TOY_DATA, toy->base + TOY_DATA + 0x1000, TOY_DATA, toy->exe_path},
	};

	elf_note_prstatus(to, machine_of(toy), 101, 6, toy->base + 0x1234, TOY_STACK + 0x2f00);
	elf_note_prpsinfo(to, 100, "./toy -x 1 ");
	elf_note_auxv(to, toy->base + TOY_ENTRY, toy->base + 64);
	if (toy->exe_path)
		elf_note_file(to, lines, GH_ARRAY_SIZE(lines));
	elf_note_prstatus(to, machine_of(toy), 102, 0, toy->base + 0x1300, TOY_HEAP + 0x2000);
}

void toy_write_core(const struct toy *toy, struct elf_writer *w)
{
	struct core_cursor c = {.w = w, .offset = HEAD_END};
	uint64_t text = toy->is_gcore ? TOY_TEXT_LEN : toy->no_header_page ? 0 : PAGE, text_at;
	struct elf_bytes notes = {0};
	struct elf_writer exe;

	elf_init(w, ET_CORE, machine_of(toy));
	put_core_notes(toy, &notes);
	if (!toy->no_notes)
		elf_add_segment(w, (Elf64_Phdr){PT_NOTE, 0, c.offset, 0, 0, notes.len, 0, 4},
				notes.data);
	c.offset = gh_align_up(c.offset + notes.len, PAGE) + (toy->is_gcore ? 0x5f0 : 0);
	text_at = c.offset;
	put_memory(&c, PF_R | PF_X, toy->base, 0, text, TOY_RODATA);
	put_memory(&c, PF_R, toy->base + TOY_RODATA, TOY_RODATA, 0, TOY_DATA - TOY_RODATA);
	put_memory(&c, PF_R | PF_W, toy->base + TOY_DATA, TOY_DATA, TOY_END - TOY_DATA,
		   TOY_END - TOY_DATA);
	put_memory(&c, PF_R | PF_W, TOY_HEAP, TOY_HEAP, 0x4000, 0x4000);
	put_memory(&c, PF_R | PF_W, TOY_HEAP + 0x4000, TOY_HEAP + 0x4000, 0x2000, 0x2000);
	put_memory(&c, PF_R | PF_W, TOY_STACK, TOY_STACK, 0x3000, 0x3000);
	if (text) {
		toy_write_exe(toy, &exe);
		elf_put(&w->file, text_at, exe.file.data, text);
		elf_deinit(&exe);
	}
	if (toy->is_gcore)
		elf_add_section(w, "note0",
				(Elf64_Shdr){.sh_type = SHT_NOTE, .sh_offset = HEAD_END}, NULL);
	elf_finish(w);
	elf_bytes_deinit(&notes);
}
