// SPDX-License-Identifier: Apache-2.0
// Growing strings. See strbuf.h.
#include "base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/vec.h"

static bool reserve(struct gh_strbuf *sb, size_t extra)
{
	size_t need;

	if (sb->failed)
		return false;
	if (gh_add(sb->len, extra, &need) || gh_add(need, (size_t)1, &need) ||
	    !gh_vec_reserve((void **)&sb->data, &sb->cap, need, 1))
		sb->failed = true;
	return !sb->failed;
}

void gh_strbuf_add(struct gh_strbuf *sb, const char *s, size_t len)
{
	if (!reserve(sb, len))
		return;
	if (len)
		memcpy(sb->data + sb->len, s, len);
	sb->len += len;
	sb->data[sb->len] = '\0';
}

void gh_strbuf_puts(struct gh_strbuf *sb, const char *s)
{
	gh_strbuf_add(sb, s, strlen(s));
}

void gh_strbuf_putc(struct gh_strbuf *sb, char c)
{
	gh_strbuf_add(sb, &c, 1);
}

void gh_strbuf_printf(struct gh_strbuf *sb, const char *fmt, ...)
{
	va_list ap, ap2;
	int len;

	va_start(ap, fmt);
	va_copy(ap2, ap);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0)
		sb->failed = true;
	else if (reserve(sb, (size_t)len)) {
		vsnprintf(sb->data + sb->len, (size_t)len + 1, fmt, ap2);
		sb->len += (size_t)len;
	}
	va_end(ap2);
}

const char *gh_strbuf_str(const struct gh_strbuf *sb)
{
	return sb->data ? sb->data : "";
}

char *gh_strbuf_steal(struct gh_strbuf *sb)
{
	char *s;

	if (!sb->data)
		gh_strbuf_add(sb, "", 0);
	s = sb->failed ? NULL : sb->data;
	if (sb->failed)
		free(sb->data);
	*sb = (struct gh_strbuf){0};
	return s;
}

void gh_strbuf_deinit(struct gh_strbuf *sb)
{
	free(sb->data);
	*sb = (struct gh_strbuf){0};
}
