// SPDX-License-Identifier: Apache-2.0
// See text.h.
#include "base/text.h"

size_t gh_utf8_decode(const char *text, uint32_t *ret)
{
	const uint8_t *p = (const uint8_t *)text;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t code = p[0];

	if (len == 0 || p[0] > 0xf4)
		return 0;
	if (len > 1)
		code &= 0x7f >> len;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	*ret = code;
	return len;
}

bool gh_code_is_dangerous(uint32_t code)
{
	static const struct {
		uint32_t lo, hi;
	} ranges[] = {
		{0, 0x1f},	  {0x7f, 0x9f},	    {0xad, 0xad},	{0x61c, 0x61c},
		{0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},	{0x2060, 0x206f},
		{0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff},
	};

	for (size_t i = 0; i < GH_ARRAY_SIZE(ranges); i++)
		if (code >= ranges[i].lo && code <= ranges[i].hi)
			return true;
	return false;
}

static void quote_code(struct gh_strbuf *sb, uint32_t code)
{
	static const char letters[] = "abtnvfr"; // 7 to 13

	if (code >= 7 && code <= 13)
		gh_strbuf_printf(sb, "\\%c", letters[code - 7]);
	else if (code < 0x80)
		gh_strbuf_printf(sb, "\\x%02x", code);
	else if (code < 0x10000)
		gh_strbuf_printf(sb, "\\u%04x", code);
	else
		gh_strbuf_printf(sb, "\\U%08x", code);
}

/* What follows the bytes may be no text of ours. */
static size_t decode(const char *bytes, size_t len, uint32_t *ret)
{
	char copy[5] = {0};

	memcpy(copy, bytes, gh_min_u64(4, len));
	return gh_utf8_decode(copy, ret);
}

bool gh_text_is_plain(const char *bytes, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		uint32_t code;

		n = decode(bytes + i, len - i, &code);
		if (!n || (gh_code_is_dangerous(code) && (code != '\n' && code != '\r' && code != '\t')))
			return false;
	}
	return true;
}

void gh_text_quote(struct gh_strbuf *sb, const char *bytes, size_t len)
{
	gh_strbuf_putc(sb, '"');
	for (size_t i = 0, n; i < len; i += n) {
		uint32_t code;

		n = decode(bytes + i, len - i, &code);
		if (n == 0)
			gh_strbuf_printf(sb, "\\x%02x", (uint8_t)bytes[i]);
		else if (code == '"' || code == '\\')
			gh_strbuf_printf(sb, "\\%c", (char)code);
		else if (gh_code_is_dangerous(code))
			quote_code(sb, code);
		else
			gh_strbuf_add(sb, bytes + i, n);
		n += n == 0;
	}
	gh_strbuf_putc(sb, '"');
}

size_t gh_text_cut(const char *bytes, size_t len, size_t max)
{
	size_t at = max;

	if (len <= max)
		return len;
	for (int i = 0; i < 3 && at && (bytes[at] & 0xc0) == 0x80; i++)
		at--;
	return (bytes[at] & 0xc0) == 0x80 ? max : at;
}
