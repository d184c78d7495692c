// SPDX-License-Identifier: Apache-2.0
// Overwrites random bytes of the debug sections of an executable and asks the dwarf layer
// everything, again and again: it may answer anything, but must come back and stay within its
// memory.
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "dwarf/dwarf.h"

/** xorshift64: the same damage for the same seed everywhere. */
static inline uint64_t gh_test_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/** Load a type and what it refers to, some levels deep. */
static inline void gh_test_load_type(struct gh_dwarf *dwarf, gh_dtype type, int depth)
{
	const struct gh_dtype_info *info = gh_dwarf_type(dwarf, type);

	if (depth == 0)
		return;
	gh_test_load_type(dwarf, info->elem, depth - 1);
	gh_test_load_type(dwarf, info->key, depth - 1);
	for (uint32_t i = 0; i < info->nfields && i < 32; i++)
		gh_test_load_type(dwarf, info->fields[i].type, depth - 1);
}

/** Everything that can be asked, of a DWARF that may be damaged. False: out of memory. */
static inline bool gh_test_ask_all(struct gh_elf *elf, const gh_addr *pcs, size_t npcs)
{
	static const char *const names[] = {"runtime.mspan", "runtime.g", "gh_dwarf", "gh_error"};
	struct gh_dlocal_vec locals = {0};
	struct gh_dcapture_vec captures = {0};
	struct gh_dwarf *dwarf = NULL;
	const struct gh_dvar *vars;
	size_t nvars = 0;
	struct gh_error *err = gh_dwarf_open(elf, NULL, &dwarf);

	for (size_t i = 0; i < GH_ARRAY_SIZE(names) && !err; i++) {
		uint64_t offset, size;
		gh_dtype type = gh_dwarf_struct_find(dwarf, names[i]);

		gh_dwarf_field_find(dwarf, type, "message", &offset, &size);
		gh_dwarf_field_find(dwarf, type, "sched.sp", &offset, &size);
		gh_test_load_type(dwarf, type, 4);
	}
	if (!err)
		err = gh_dwarf_variables(dwarf, NULL, &vars, &nvars);
	for (size_t i = 0; i < nvars && i < 200 && !err; i++)
		gh_test_load_type(dwarf, vars[i].type, 3);
	for (size_t i = 0; i < npcs && !err; i++) {
		locals.len = captures.len = 0;
		err = gh_dwarf_locals(dwarf, pcs[i], &locals);
		if (!err)
			err = gh_dwarf_captures(dwarf, pcs[i], &captures);
	}
	gh_dlocal_vec_deinit(&locals);
	gh_dcapture_vec_deinit(&captures);
	gh_dwarf_destroy(dwarf);
	if (!err)
		return true;
	bool is_fine = err->code != GH_ERR_NOMEM;

	gh_error_destroy(err);
	return is_fine;
}

struct gh_test_bytes {
	uint8_t *data; // owned
	uint64_t len;
};

static inline bool gh_test_read_file(const char *path, struct gh_test_bytes *ret)
{
	FILE *file = fopen(path, "rb");
	bool ok = file && fseek(file, 0, SEEK_END) == 0;
	long len = ok ? ftell(file) : 0;

	*ret = (struct gh_test_bytes){.data = malloc((size_t)len + 1), .len = (uint64_t)len};
	if (ok)
		rewind(file);
	ok = ok && len > 0 && ret->data && fread(ret->data, 1, ret->len, file) == ret->len;
	if (file)
		fclose(file);
	return ok;
}

/** Rounds of damage to the executable at a path, whose sections are not compressed. */
static inline bool gh_test_damage(const char *path, unsigned int rounds, uint64_t seed,
				  const gh_addr *pcs, size_t npcs)
{
	// most often where it does not make all of it unreadable
	static const char *const names[] = {
		".debug_info",	   ".debug_info",     ".debug_info",	 ".debug_info",
		".debug_abbrev",   ".debug_addr",     ".debug_loclists", ".debug_rnglists",
		".debug_loc",	   ".debug_ranges",   ".debug_str",	 ".debug_line_str",
		".debug_loclists", ".debug_rnglists",
	};
	enum { MAX_FLIPS = 6 };
	struct gh_test_bytes file;
	struct gh_elf *clean = NULL;
	bool ok = gh_test_read_file(path, &file);

	if (ok)
		gh_error_destroy(gh_elf_open(path, &clean));
	ok = ok && clean;
	for (unsigned int round = 0; round < rounds && ok; round++) {
		uint64_t at[MAX_FLIPS], nflips = 1 + gh_test_random(&seed) % MAX_FLIPS;
		uint8_t old[MAX_FLIPS];
		struct gh_elf *elf;
		struct gh_error *err;

		for (uint64_t i = 0; i < nflips; i++) {
			const char *name = names[gh_test_random(&seed) % GH_ARRAY_SIZE(names)];
			const struct gh_elf_section *section = gh_elf_section(clean, name);

			if (!section || !section->size)
				section = gh_elf_section(clean, ".debug_info");
			at[i] = section->offset + gh_test_random(&seed) % section->size;
			old[i] = file.data[at[i]];
			file.data[at[i]] = (uint8_t)(gh_test_random(&seed) >> 32);
		}
		err = gh_elf_open_memory(file.data, file.len, "damaged", &elf);
		if (!err) {
			ok = gh_test_ask_all(elf, pcs, npcs);
			gh_elf_destroy(elf);
		}
		gh_error_destroy(err);
		for (uint64_t i = nflips; i-- > 0;)
			file.data[at[i]] = old[i];
	}
	gh_elf_destroy(clean);
	free(file.data);
	return ok;
}
