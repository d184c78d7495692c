// SPDX-License-Identifier: Apache-2.0
// Values as people read them. See format.h. Locale-free: what is printed does not depend on where.
#include "report/format.h"

#include <math.h>

/* Decimals with a point, whatever the locale says. v is not negative and small. */
static void put_fixed(struct gh_strbuf *sb, double v, unsigned decimals)
{
	static const unsigned scales[] = {1, 10, 100, 1000};
	uint64_t scaled = (uint64_t)llround(v * scales[decimals]);

	gh_strbuf_printf(sb, "%llu", (unsigned long long)(scaled / scales[decimals]));
	if (decimals)
		gh_strbuf_printf(sb, ".%0*u", (int)decimals, (unsigned)(scaled % scales[decimals]));
}

/* Shares lie in 0 … 1; a bound keeps what is wrong printable. */
static double bounded(double v)
{
	v = fabs(v);
	return v < 1e15 ? v : 1e15;
}

static void put_three_digits(struct gh_strbuf *sb, double v)
{
	put_fixed(sb, v, v < 9.995 ? 2 : v < 99.95 ? 1 : 0);
}

static void put_share(struct gh_strbuf *sb, double v)
{
	if (v < 0)
		gh_strbuf_putc(sb, '-');
	put_fixed(sb, bounded(v) * 100, 1);
	gh_strbuf_puts(sb, " %");
}

void gh_format_bytes(struct gh_strbuf *sb, uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		gh_strbuf_printf(sb, "%u B", (unsigned)bytes);
		return;
	}
	while (v >= 999.5 && unit + 1 < GH_ARRAY_SIZE(units)) {
		v /= 1024;
		unit++;
	}
	put_three_digits(sb, v);
	gh_strbuf_printf(sb, " %s", units[unit]);
}

void gh_format_ns(struct gh_strbuf *sb, int64_t ns)
{
	static const char *const units[] = {"µs", "ms", "s"};
	uint64_t abs = ns < 0 ? -(uint64_t)ns : (uint64_t)ns, s = abs / 1000000000;
	double v = (double)abs / 1000;
	size_t unit = 0;

	if (ns < 0)
		gh_strbuf_putc(sb, '-');
	if (abs < 1000) {
		gh_strbuf_printf(sb, "%u ns", (unsigned)abs);
	} else if (s >= 86400) {
		gh_strbuf_printf(sb, "%llud%02uh", (unsigned long long)(s / 86400),
				 (unsigned)(s % 86400 / 3600));
	} else if (s >= 3600) {
		gh_strbuf_printf(sb, "%uh%02um", (unsigned)(s / 3600), (unsigned)(s % 3600 / 60));
	} else if (s >= 60) {
		gh_strbuf_printf(sb, "%um%02us", (unsigned)(s / 60), (unsigned)(s % 60));
	} else {
		while (v >= 999.5 && unit + 1 < GH_ARRAY_SIZE(units)) {
			v /= 1000;
			unit++;
		}
		put_three_digits(sb, v);
		gh_strbuf_printf(sb, " %s", units[unit]);
	}
}

struct range {
	uint32_t lo, hi;
};

static bool in_ranges(uint32_t code, const struct range *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (code >= ranges[i].lo && code <= ranges[i].hi)
			return true;
	return false;
}

/* Columns of a code point: the ranges of combining marks and wide characters that matter. */
size_t gh_code_width(uint32_t code)
{
	static const struct range combining[] = {
		{0x300, 0x36f},	  {0x483, 0x489},   {0x591, 0x5bd},
		{0x64b, 0x65f},	  {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
		{0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
	};
	static const struct range wide[] = {
		{0x1100, 0x115f},   {0x2e80, 0x303e},	{0x3041, 0xa4cf},   {0xac00, 0xd7a3},
		{0xf900, 0xfaff},   {0xfe30, 0xfe6f},	{0xff00, 0xff60},   {0xffe0, 0xffe6},
		{0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
	};

	if (code < 0x300)
		return 1;
	if (in_ranges(code, combining, GH_ARRAY_SIZE(combining)))
		return 0;
	return in_ranges(code, wide, GH_ARRAY_SIZE(wide)) ? 2 : 1;
}

static void escape_code(struct gh_strbuf *sb, uint32_t code)
{
	if (code == '\n')
		gh_strbuf_puts(sb, "\\n");
	else if (code == '\t')
		gh_strbuf_puts(sb, "\\t");
	else if (code == '\r')
		gh_strbuf_puts(sb, "\\r");
	else if (code < 0x80)
		gh_strbuf_printf(sb, "\\x%02x", code);
	else
		gh_strbuf_printf(sb, "\\u{%x}", code);
}

void gh_format_escaped(struct gh_strbuf *sb, const char *text)
{
	while (*text) {
		uint32_t code;
		size_t len = gh_utf8_decode(text, &code);

		if (len == 0) {
			gh_strbuf_printf(sb, "\\x%02x", (uint8_t)*text);
			len = 1;
		} else if (gh_code_is_dangerous(code)) {
			escape_code(sb, code);
		} else {
			gh_strbuf_add(sb, text, len);
		}
		text += len;
	}
}

void gh_format_list(struct gh_strbuf *sb, const struct gh_cell *cell, const char *separator)
{
	for (size_t i = 0; i < cell->list.n; i++) {
		if (i)
			gh_strbuf_puts(sb, separator);
		gh_format_escaped(sb, cell->list.items[i]);
	}
}

size_t gh_text_width(const char *text)
{
	size_t width = 0;

	while (*text) {
		uint32_t code;
		size_t len = gh_utf8_decode(text, &code);

		width += len ? gh_code_width(code) : 1;
		text += len ? len : 1;
	}
	return width;
}

enum gh_unit gh_cell_unit(const struct gh_cell *cell, const struct gh_column *column)
{
	return cell->own_unit ? (enum gh_unit)(cell->own_unit - 1) : column->unit;
}

static void format_unsigned(struct gh_strbuf *sb, uint64_t v, enum gh_unit unit, bool exact_bytes)
{
	switch (unit) {
	case GH_UNIT_BYTES:
		if (exact_bytes)
			gh_strbuf_printf(sb, "%llu", (unsigned long long)v);
		else
			gh_format_bytes(sb, v);
		return;
	case GH_UNIT_NS:
		gh_format_ns(sb, v > INT64_MAX ? INT64_MAX : (int64_t)v);
		return;
	case GH_UNIT_ADDRESS:
		gh_strbuf_printf(sb, "0x%llx", (unsigned long long)v);
		return;
	case GH_UNIT_BOOL:
		gh_strbuf_puts(sb, v ? "yes" : "no");
		return;
	case GH_UNIT_SHARE:
		put_share(sb, (double)v);
		return;
	case GH_UNIT_COUNT:
	case GH_UNIT_TEXT:
	case GH_UNIT_LIST:
		gh_strbuf_printf(sb, "%llu", (unsigned long long)v);
		return;
	}
}

static void format_signed(struct gh_strbuf *sb, int64_t v, enum gh_unit unit, bool exact_bytes)
{
	if (unit == GH_UNIT_NS) {
		gh_format_ns(sb, v);
		return;
	}
	if (v < 0)
		gh_strbuf_putc(sb, '-');
	format_unsigned(sb, v < 0 ? -(uint64_t)v : (uint64_t)v, unit, exact_bytes);
}

void gh_format_real(struct gh_strbuf *sb, double v)
{
	uint64_t nano;

	if (v < 0)
		gh_strbuf_putc(sb, '-');
	v = bounded(v);
	nano = (uint64_t)llround((v - floor(v)) * 1e9);
	gh_strbuf_printf(sb, "%llu", (unsigned long long)v + nano / 1000000000);
	nano %= 1000000000;
	if (nano == 0)
		return;
	gh_strbuf_printf(sb, ".%09u", (unsigned)nano);
	while (sb->data && !sb->failed && sb->data[sb->len - 1] == '0')
		sb->data[--sb->len] = '\0';
}

static void format_real(struct gh_strbuf *sb, double v, enum gh_unit unit)
{
	if (!isfinite(v))
		gh_strbuf_putc(sb, '-');
	else if (unit == GH_UNIT_SHARE)
		put_share(sb, v);
	else
		gh_format_real(sb, v);
}

void gh_format_cell(struct gh_strbuf *sb, const struct gh_cell *cell, enum gh_unit unit,
		    bool exact_bytes)
{
	switch (cell->kind) {
	case GH_CELL_NULL:
		gh_strbuf_putc(sb, '-');
		return;
	case GH_CELL_U64:
		format_unsigned(sb, cell->u64, unit, exact_bytes);
		return;
	case GH_CELL_I64:
		format_signed(sb, cell->i64, unit, exact_bytes);
		return;
	case GH_CELL_REAL:
		format_real(sb, cell->real, unit);
		return;
	case GH_CELL_TEXT:
		gh_format_escaped(sb, cell->text);
		return;
	case GH_CELL_LIST:
		gh_format_list(sb, cell, ", ");
		return;
	}
}
