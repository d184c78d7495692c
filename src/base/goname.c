// SPDX-License-Identifier: Apache-2.0
// See goname.h.
#include "base/goname.h"

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

char gh_goname_next(const char **raw)
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

void gh_goname_add(struct gh_strbuf *sb, const char *raw)
{
	char c;

	while ((c = gh_goname_next(&raw)))
		gh_strbuf_putc(sb, c);
}
