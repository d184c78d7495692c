// SPDX-License-Identifier: Apache-2.0
// Names of types and variables as Go's own tools print them.
#include "base/goname.h"
#include "dwarf/internal.h"

uint32_t gh_dwarf_name_hash(const char *raw)
{
	uint32_t hash = 2166136261; // FNV-1a
	char c;

	while ((c = gh_goname_next(&raw)))
		hash = (hash ^ (uint8_t)c) * 16777619;
	return hash;
}

bool gh_dwarf_name_is(const char *raw, const char *go_name)
{
	char c;

	while ((c = gh_goname_next(&raw)))
		if (c != *go_name++)
			return false;
	return *go_name == '\0';
}

const char *gh_dwarf_go_name(struct gh_dwarf *dwarf, const char *raw)
{
	char *name = gh_arena_strndup(&dwarf->arena, raw ? raw : "", raw ? strlen(raw) : 0);
	const char *from = name;

	if (!name)
		return NULL;
	for (char *to = name; (*to = gh_goname_next(&from));) // never gets ahead of from
		to++;
	return name;
}

const char *gh_dwarf_raw_name(struct gh_dwarf *dwarf, Dwarf_Die *die)
{
	const struct gh_dwarf_bytes *info = &dwarf->sections.info;
	const char *name = dwarf_diename(die);
	const uint8_t *p = (const uint8_t *)name;

	// libdw knows that strings in .debug_str end, but not those that stand in the DIE
	if (p && p >= info->data && p < info->data + info->len &&
	    !memchr(p, 0, (size_t)(info->data + info->len - p)))
		return NULL;
	return name;
}
