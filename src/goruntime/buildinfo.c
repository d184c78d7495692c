// SPDX-License-Identifier: Apache-2.0
// Reading build info. See buildinfo.h.
#include "goruntime/buildinfo.h"

#include <stdlib.h>

#include "base/cleanup.h"

enum {
	HEADER_BYTES = 32,	    // magic, pointer size, flags, padding
	FLAG_INLINE = 2,	    // strings follow the header (go1.18+)
	SENTINEL_BYTES = 16,	    // around the module text
	MAX_STRING_BYTES = 4 << 20, // a module list is some kB
	ALIGN = 16,
};

static const char magic[14] = "\xff Go buildinf:";

/* A uvarint-prefixed string at *p; moves *p behind it. NULL when it does not fit. */
static const uint8_t *string_at(const uint8_t **p, const uint8_t *end, uint64_t *len_ret)
{
	uint64_t len = 0;
	const uint8_t *s;

	for (int shift = 0; shift < 35; shift += 7) {
		uint8_t byte;

		if (*p >= end)
			return NULL;
		byte = *(*p)++;
		len |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (len > MAX_STRING_BYTES || len > (uint64_t)(end - *p))
			return NULL;
		s = *p;
		*p += len;
		*len_ret = len;
		return s;
	}
	return NULL;
}

static bool parse(const uint8_t *p, const uint8_t *end, struct gh_buildinfo *ret)
{
	struct gh_buildinfo info = {0};
	const uint8_t *s;
	uint64_t len;

	if (end - p < HEADER_BYTES || !(p[15] & FLAG_INLINE))
		return false;
	p += HEADER_BYTES;
	s = string_at(&p, end, &len);
	if (!s)
		return false;
	info.version = strndup((const char *)s, len);
	s = string_at(&p, end, &len);
	if (s && len > 2 * SENTINEL_BYTES)
		info.modinfo = strndup((const char *)s + SENTINEL_BYTES, len - 2 * SENTINEL_BYTES);
	else
		info.modinfo = strdup("");
	if (!info.version || !info.modinfo) {
		gh_buildinfo_deinit(&info);
		return false;
	}
	*ret = info;
	return true;
}

bool gh_buildinfo_read(const struct gh_elf *elf, struct gh_buildinfo *ret)
{
	const struct gh_elf_section *section = gh_elf_section(elf, ".go.buildinfo");
	const struct gh_elf_segment *segments;
	const uint8_t *bytes;
	uint64_t file_len;
	size_t n;

	if (section) {
		bytes = gh_elf_section_bytes(elf, section);
		if (bytes && section->size >= sizeof(magic) &&
		    memcmp(bytes, magic, sizeof(magic)) == 0)
			return parse(bytes, bytes + section->size, ret);
	}
	// no section headers: it starts the first writable segment, or lies near it
	bytes = gh_elf_bytes(elf, &file_len);
	segments = gh_elf_segments(elf, &n);
	for (size_t i = 0; i < n; i++) {
		const struct gh_elf_segment *seg = &segments[i];

		if (!seg->writable || seg->offset > file_len ||
		    seg->filesz > file_len - seg->offset)
			continue;
		for (uint64_t at = 0; at + HEADER_BYTES <= seg->filesz; at += ALIGN) {
			const uint8_t *p = bytes + seg->offset + at;

			if (memcmp(p, magic, sizeof(magic)) == 0)
				return parse(p, bytes + seg->offset + seg->filesz, ret);
		}
	}
	return false;
}

void gh_buildinfo_deinit(struct gh_buildinfo *info)
{
	free(info->version);
	free(info->modinfo);
	*info = (struct gh_buildinfo){0};
}
