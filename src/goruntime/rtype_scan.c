// SPDX-License-Identifier: Apache-2.0
// All type descriptors of the modules. No table lists them: typelinks (typedesc from go1.27 on)
// leave out named types. They lie in [types, etypes) at multiples of 8 among names and other data;
// what passes for one has a sane head, a name inside of the section and a mask where it must be.
#include "goruntime/rtype.h"

enum {
	T_ALIGN = 21,
	T_FIELD_ALIGN = 22,
	T_STR = 40,
	T_PTR_TO_THIS = 44,
	MAX_TEXT = 1 << 12,
};

static bool is_alignment(uint8_t n)
{
	return n && n <= 64 && (n & (n - 1)) == 0;
}

/* head: 48 bytes. */
static bool looks_right(const struct gh_runtime *rt, const struct gh_module *m, gh_addr addr,
			const uint8_t *head)
{
	uint64_t types_len = m->etypes - m->types, len;
	uint32_t str = gh_u32_at(head + T_STR), to_this = gh_u32_at(head + T_PTR_TO_THIS);
	struct gh_rtype t;
	const char *text;

	if (!is_alignment(head[T_ALIGN]) || !is_alignment(head[T_FIELD_ALIGN]) || str == 0 ||
	    str >= types_len || to_this >= types_len || !gh_rtype_read(rt, addr, &t) ||
	    t.kind == GH_KIND_INVALID || t.hash == 0 || (t.ptr_bytes && !t.gcdata))
		return false;
	text = gh_rtype_name_text(rt, m->types + str, &len);
	return text && len && len <= MAX_TEXT && (uint8_t)*text > ' ' && (uint8_t)*text != 0x7f;
}

void gh_rtype_scan(const struct gh_runtime *rt, gh_rtype_fn found, void *ctx)
{
	enum { HEAD_BYTES = 48 };

	for (size_t i = 0; i < rt->modules.len; i++) {
		const struct gh_module *m = &rt->modules.data[i];
		uint64_t len = gh_image_readable(rt->image, m->types, m->etypes - m->types);
		const uint8_t *bytes = gh_image_at(rt->image, m->types, len);

		for (uint64_t at = 0; bytes && at + HEAD_BYTES <= len; at += 8)
			if (looks_right(rt, m, m->types + at, bytes + at))
				found(ctx, m->types + at);
	}
}
