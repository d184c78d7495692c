// SPDX-License-Identifier: Apache-2.0
// Copying debug sections into an ELF file of their own. See sections.h.
#include "dwarf/sections.h"

#include <elf.h>
#include <stdlib.h>

// the lists of places and ranges together
static const char *const wanted[] = {
	".debug_info", ".debug_abbrev",	  ".debug_str",	   ".debug_line_str", ".debug_addr",
	".debug_loc",  ".debug_loclists", ".debug_ranges", ".debug_rnglists", ".debug_str_offsets",
};

enum {
	FIRST_LIST = 5,
	LAST_LIST = 8,
	NWANTED = GH_ARRAY_SIZE(wanted),
	SHSTRTAB = NWANTED + 1, // [0] is the null section
	NSECTIONS = NWANTED + 2,
	NAME_BYTES = 24, // room for one name in the string table
	MAX_RATIO = 32,	 // decompressed DWARF is 2 to 5 times its compressed size
	SLACK = 16 << 20,
};

/* How large a section is once decompressed. */
static uint64_t claimed_size(const struct gh_elf_section *section, const void *bytes)
{
	Elf64_Chdr header;

	if (!(section->flags & SHF_COMPRESSED) || section->size < sizeof(header))
		return section->size;
	memcpy(&header, bytes, sizeof(header));
	return header.ch_size;
}

/* The sections that are there, and the size of the file that holds them. */
static struct gh_error *measure(const struct gh_elf *elf, const struct gh_elf_section **found,
				uint64_t *size_ret, uint64_t *unpacked_ret)
{
	uint64_t size = sizeof(Elf64_Ehdr) + (uint64_t)NSECTIONS * NAME_BYTES +
			NSECTIONS * sizeof(Elf64_Shdr);
	uint64_t total = 0, limit, len;

	gh_elf_bytes(elf, &len);
	limit = gh_mul(len, (uint64_t)MAX_RATIO, &limit) ? UINT64_MAX / 2 : limit;
	for (int i = 0; i < NWANTED; i++) {
		const struct gh_elf_section *section = gh_elf_section(elf, wanted[i]);
		const void *bytes = section ? gh_elf_section_bytes(elf, section) : NULL;

		if (!bytes || section->size == 0)
			continue;
		found[i] = section;
		size = gh_align_up(size, 8) + gh_align_up(section->size, 8);
		if (gh_add(total, claimed_size(section, bytes), &total) || total > limit + SLACK)
			return gh_error_create(
				GH_ERR_LIMIT,
				"cannot read the DWARF of %s: %s claims to be too large",
				gh_elf_path(elf), wanted[i]);
	}
	if (!found[0])
		return gh_error_create(GH_ERR_MISSING, "%s has no DWARF", gh_elf_path(elf));
	*size_ret = size;
	*unpacked_ret = total;
	return NULL;
}

static void *build(const struct gh_elf *elf, const struct gh_elf_section *const *found,
		   uint64_t size)
{
	uint8_t *image = calloc(1, size);
	Elf64_Ehdr *ehdr = (Elf64_Ehdr *)image;
	uint64_t strings = sizeof(*ehdr), headers = strings + (uint64_t)NSECTIONS * NAME_BYTES;
	uint64_t at = headers + NSECTIONS * sizeof(Elf64_Shdr);
	Elf64_Shdr *shdr = (Elf64_Shdr *)(image + headers);

	if (!image)
		return NULL;
	memcpy(ehdr->e_ident, ELFMAG, SELFMAG);
	ehdr->e_ident[EI_CLASS] = ELFCLASS64;
	ehdr->e_ident[EI_DATA] = ELFDATA2LSB;
	ehdr->e_ident[EI_VERSION] = EV_CURRENT;
	ehdr->e_type = ET_EXEC;
	ehdr->e_machine = gh_elf_machine(elf);
	ehdr->e_version = EV_CURRENT;
	ehdr->e_shoff = headers;
	ehdr->e_ehsize = sizeof(*ehdr);
	ehdr->e_shentsize = sizeof(*shdr);
	ehdr->e_shnum = NSECTIONS;
	ehdr->e_shstrndx = SHSTRTAB;
	for (int i = 0; i < NWANTED; i++) {
		Elf64_Shdr *to = &shdr[i + 1];

		if (!found[i])
			continue;
		memcpy(image + strings + (uint64_t)(i + 1) * NAME_BYTES, wanted[i],
		       strlen(wanted[i]));
		to->sh_name = (Elf64_Word)(i + 1) * NAME_BYTES;
		to->sh_type = SHT_PROGBITS;
		to->sh_addralign = 8;
		to->sh_flags = found[i]->flags & SHF_COMPRESSED;
		to->sh_offset = at;
		to->sh_size = found[i]->size;
		memcpy(image + at, gh_elf_section_bytes(elf, found[i]), found[i]->size);
		at = gh_align_up(at + found[i]->size, 8);
	}
	memcpy(image + strings + (uint64_t)SHSTRTAB * NAME_BYTES, ".shstrtab", 9);
	shdr[SHSTRTAB] = (Elf64_Shdr){
		.sh_name = SHSTRTAB * NAME_BYTES,
		.sh_type = SHT_STRTAB,
		.sh_offset = strings,
		.sh_size = (uint64_t)NSECTIONS * NAME_BYTES,
		.sh_addralign = 1,
	};
	return image;
}

/* Bytes of a section after libdw opened, and so decompressed, it. */
static struct gh_dwarf_bytes bytes_of(Elf *elf, const char *name)
{
	for (int i = 0; i < NWANTED; i++) {
		Elf_Scn *scn = strcmp(wanted[i], name) == 0 ? elf_getscn(elf, (size_t)i + 1) : NULL;
		GElf_Shdr mem, *shdr = scn ? gelf_getshdr(scn, &mem) : NULL;
		Elf_Data *data = NULL;

		// what could not be decompressed stays as it was: no DWARF in there
		if (shdr && shdr->sh_type == SHT_PROGBITS && !(shdr->sh_flags & SHF_COMPRESSED))
			data = elf_rawdata(scn, NULL);
		if (data && data->d_buf)
			return (struct gh_dwarf_bytes){.data = data->d_buf, .len = data->d_size};
	}
	return (struct gh_dwarf_bytes){0};
}

struct gh_error *gh_dwarf_sections_load(const struct gh_elf *elf, struct gh_budget *budget,
					struct gh_dwarf_sections *ret)
{
	const struct gh_elf_section *found[NWANTED] = {0};
	struct gh_dwarf_sections sections = {0};
	uint64_t size = 0, unpacked = 0;
	struct gh_error *err = measure(elf, found, &size, &unpacked);

	if (!err && !gh_budget_take(budget, size + unpacked, "the executable's DWARF"))
		err = gh_error_nomem();
	if (err)
		return err;
	sections.image = build(elf, found, size);
	if (!sections.image)
		return gh_error_nomem();
	if (elf_version(EV_CURRENT) != EV_NONE)
		sections.elf = elf_memory(sections.image, size);
	if (sections.elf)
		sections.dw = dwarf_begin_elf(sections.elf, DWARF_C_READ, NULL);
	if (sections.dw) {
		sections.info = bytes_of(sections.elf, ".debug_info");
		sections.abbrev = bytes_of(sections.elf, ".debug_abbrev");
		sections.str = bytes_of(sections.elf, ".debug_str");
		sections.line_str = bytes_of(sections.elf, ".debug_line_str");
		sections.addr = bytes_of(sections.elf, ".debug_addr");
		for (int i = FIRST_LIST; i <= LAST_LIST; i++)
			sections.loc_bytes += bytes_of(sections.elf, wanted[i]).len;
	}
	if (!sections.info.data || !sections.abbrev.data) {
		err = gh_error_create(GH_ERR_FORMAT, "cannot read the DWARF of %s: %s",
				      gh_elf_path(elf),
				      sections.dw ? "its sections are damaged" : dwarf_errmsg(-1));
		gh_dwarf_sections_deinit(&sections);
		return err;
	}
	*ret = sections;
	return NULL;
}

void gh_dwarf_sections_deinit(struct gh_dwarf_sections *sections)
{
	if (sections->dw)
		dwarf_end(sections->dw);
	if (sections->elf)
		elf_end(sections->elf);
	free(sections->image);
	*sections = (struct gh_dwarf_sections){0};
}
