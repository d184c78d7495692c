// SPDX-License-Identifier: Apache-2.0
// Build ids of loaded objects, as memory holds them. See identity.h.
#include "target/identity.h"

#include <stdlib.h>

enum {
	PAGE = 4096,
	MAX_PHDRS = 128,	   // of an object in memory: real ones have about 10
	MAX_NOTE_BYTES = 64 << 10, // of one PT_NOTE in memory
	GO_ID_SEARCH = 64 << 10,   // the text is at the very start of Go's text section
	MAX_GO_ID = 512,
};

void gh_identity_deinit(struct gh_identity *id)
{
	free(id->gnu);
	free(id->go);
}

/* As much of [addr, addr + len) as can be read from its start, by halves: notes often share a page.
 */
static const uint8_t *some_at(const struct gh_memory *memory, gh_addr addr, uint64_t *len)
{
	const uint8_t *p = NULL;

	for (; *len && !p; *len = p ? *len : *len / 2)
		p = memory->at(memory->ctx, addr, *len);
	return p;
}

static void read_ids(const struct gh_memory *memory, struct gh_identity *id)
{
	for (uint16_t i = 0; i < id->head.e_phnum; i++) {
		Elf64_Phdr ph;
		uint64_t len;
		const uint8_t *p;

		memcpy(&ph, id->phdr + i * sizeof(ph), sizeof(ph));
		len = gh_min_u64(ph.p_filesz, MAX_NOTE_BYTES);
		if (ph.p_type != PT_NOTE)
			continue;
		p = some_at(memory, id->base + (ph.p_vaddr - id->first_vaddr), &len);
		if (p && !id->gnu)
			id->gnu = gh_elf_build_id_in(p, len, ph.p_align);
		if (p && !id->go)
			id->go = gh_elf_go_build_id_in(p, len, ph.p_align);
	}
}

/*
 * Go's linker gives its GNU note no segment of its own: it stands near the Go note, in the first
 * page (cmd/link/internal/ld/elf.go). A note is known by its head: sizes, type and name.
 */
static char *gnu_id_in_page(const struct gh_memory *memory, gh_addr base)
{
	uint64_t len = PAGE;
	const uint8_t *page = some_at(memory, base, &len);

	for (uint64_t at = sizeof(Elf64_Ehdr); page && at + 16 < len; at += 4) {
		char *id;

		if (gh_u32_at(page + at) != 4 || gh_u32_at(page + at + 8) != NT_GNU_BUILD_ID ||
		    memcmp(page + at + 12, "GNU", 4) != 0)
			continue;
		id = gh_elf_build_id_in(page + at, len - at, 4);
		if (id)
			return id;
	}
	return NULL;
}

/* The link-time address of file offset 0. */
static gh_addr first_vaddr(const uint8_t *phdr, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		Elf64_Phdr ph;

		memcpy(&ph, phdr + i * sizeof(ph), sizeof(ph));
		if (ph.p_type == PT_LOAD)
			return (ph.p_vaddr - ph.p_offset) & ~(uint64_t)(PAGE - 1);
	}
	return 0;
}

void gh_identity_read(const struct gh_memory *memory, struct gh_identity *id)
{
	const void *p = id->base ? memory->at(memory->ctx, id->base, sizeof(id->head)) : NULL;

	if (!p || memcmp(p, ELFMAG, SELFMAG) != 0)
		return;
	memcpy(&id->head, p, sizeof(id->head));
	if (id->head.e_ident[EI_CLASS] != ELFCLASS64 || id->head.e_phnum > MAX_PHDRS ||
	    id->head.e_phentsize != sizeof(Elf64_Phdr))
		return;
	id->has_head = true;
	id->phdr = memory->at(memory->ctx, id->base + id->head.e_phoff,
			      id->head.e_phnum * sizeof(Elf64_Phdr));
	if (!id->phdr)
		return;
	id->first_vaddr = first_vaddr(id->phdr, id->head.e_phnum);
	read_ids(memory, id);
	if (!id->gnu)
		id->gnu = gnu_id_in_page(memory, id->base);
}

/*
 * Go's text begins with `\xff Go build ID: "…"\n \xff` (cmd/internal/buildid, readRaw): there when
 * the core holds text, as gcore's do.
 */
char *gh_go_id_in_text(const struct gh_target *target, const struct gh_memory *memory,
		       const char *path)
{
	static const char mark[] = "\xff Go build ID: \"";

	for (size_t i = 0; i < target->mappings.len; i++) {
		const struct gh_mapping *m = &target->mappings.data[i];
		uint64_t len = gh_min_u64(m->hi - m->lo, GO_ID_SEARCH);
		const uint8_t *p, *start, *end;

		if (strcmp(m->path, path) != 0)
			continue;
		p = some_at(memory, m->lo, &len);
		start = p ? memmem(p, len, mark, sizeof(mark) - 1) : NULL;
		if (!start)
			continue;
		start += sizeof(mark) - 1;
		end = memchr(start, '"', gh_min_u64(MAX_GO_ID, (uint64_t)(p + len - start)));
		if (end)
			return strndup((const char *)start, (size_t)(end - start));
	}
	return NULL;
}
