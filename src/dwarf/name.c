// SPDX-License-Identifier: Apache-2.0
// Names of types and variables as Go's own tools print them. The compiler escapes dots and odd
// bytes of the last element of an import path as "%2e" (cmd/internal/objabi/path.go, PathToPrefix),
// and tells types of one name inside functions apart by "·N" (cmd/compile/internal/types/fmt.go).
#include "dwarf/internal.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The next byte of the Go name, 0 at the end. Reads up to the NUL of *raw, never beyond. */
static char next_char(const char **raw)
{
	const char *p = *raw;

	while (p[0] == '\xc2' && p[1] == '\xb7' && is_digit(p[2]))
		for (p += 2; is_digit(*p);)
			p++;
	if (p[0] == '%' && hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0 &&
	    (p[1] != '0' || p[2] != '0')) {
		*raw = p + 3;
		return (char)(hex_digit(p[1]) << 4 | hex_digit(p[2]));
	}
	*raw = *p ? p + 1 : p;
	return *p;
}

uint32_t gh_dwarf_name_hash(const char *raw)
{
	uint32_t hash = 2166136261; // FNV-1a
	char c;

	while ((c = next_char(&raw)))
		hash = (hash ^ (uint8_t)c) * 16777619;
	return hash;
}

bool gh_dwarf_name_is(const char *raw, const char *go_name)
{
	char c;

	while ((c = next_char(&raw)))
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
	for (char *to = name; (*to = next_char(&from));) // never gets ahead of from
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
