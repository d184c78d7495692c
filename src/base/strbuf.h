// SPDX-License-Identifier: Apache-2.0
// A growing string. Out of memory is sticky: appends become no-ops and gh_strbuf_ok() is false.
#pragma once

#include "base/defs.h"

struct gh_strbuf {
	char *data; // owned; NUL-terminated once anything was appended
	size_t len, cap;
	bool failed;
};

void gh_strbuf_add(struct gh_strbuf *sb, const char *s, size_t len);
void gh_strbuf_puts(struct gh_strbuf *sb, const char *s);
void gh_strbuf_putc(struct gh_strbuf *sb, char c);
void gh_strbuf_printf(struct gh_strbuf *sb, const char *fmt, ...) GH_PRINTF(2, 3);

/** The text so far; "" when empty. Owned by sb. */
const char *gh_strbuf_str(const struct gh_strbuf *sb);

/** Hand the text over (caller frees); NULL if any append failed. Leaves sb empty. */
char *gh_strbuf_steal(struct gh_strbuf *sb);

static inline bool gh_strbuf_ok(const struct gh_strbuf *sb)
{
	return !sb->failed;
}

/** Empty it, and keep its memory. */
static inline void gh_strbuf_reset(struct gh_strbuf *sb)
{
	sb->len = 0;
	if (sb->data)
		sb->data[0] = 0;
}

void gh_strbuf_deinit(struct gh_strbuf *sb);
#define _cleanup_strbuf_ __attribute__((cleanup(gh_strbuf_deinit)))
