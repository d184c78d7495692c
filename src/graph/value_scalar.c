// SPDX-License-Identifier: Apache-2.0
// Values without parts: numbers as Go prints them, strings as Go literals, code. See value.h.
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/goname.h"
#include "base/text.h"
#include "graph/types_table.h"
#include "graph/value_reader.h"

enum {
	MAX_DIGITS = 17, // that a float64 needs
	MAX_PLAIN = 6,	 // from this exponent on it is written
	HEX_BYTES = 32,	 // shown of what is no text
};

/* The shortest digits that read back as v: d.ddd without the point, and the exponent. */
static int shortest(double v, bool is_32, char *digits_ret, int *exponent_ret)
{
	char text[40];
	int n = 0;

	for (int precision = 0; precision < MAX_DIGITS; precision++) {
		snprintf(text, sizeof(text), "%.*e", precision, v);
		if (is_32 ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v)
			break;
	}
	for (const char *p = text; *p && *p != 'e'; p++)
		if (*p >= '0' && *p <= '9') // whatever the locale's point is
			digits_ret[n++] = *p;
	*exponent_ret = atoi(strchr(text, 'e') + 1);
	while (n > 1 && digits_ret[n - 1] == '0')
		n--;
	return n;
}

/* As Go's %v: the shortest digits, an exponent below 1e-4 and from 1e6 on (strconv/ftoa.go: fmtEFG). */
static void put_float(struct gh_strbuf *sb, double v, bool is_32)
{
	char digits[40];
	int n, exponent;

	if (v != v || v - v != 0) {
		gh_strbuf_puts(sb, v != v ? "NaN" : v > 0 ? "+Inf" : "-Inf");
		return;
	}
	if (__builtin_signbit(v))
		gh_strbuf_putc(sb, '-');
	n = shortest(__builtin_fabs(v), is_32, digits, &exponent);
	if (exponent < -4 || exponent >= MAX_PLAIN) {
		gh_strbuf_putc(sb, digits[0]);
		if (n > 1) {
			gh_strbuf_putc(sb, '.');
			gh_strbuf_add(sb, digits + 1, (size_t)n - 1);
		}
		gh_strbuf_printf(sb, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
		return;
	}
	for (int i = exponent < 0 ? exponent : 0; i < n || i <= exponent; i++) {
		if (i == exponent + 1)
			gh_strbuf_putc(sb, '.');
		gh_strbuf_putc(sb, i >= 0 && i < n ? digits[i] : '0');
	}
}

static float f32_at(const uint8_t *p)
{
	float v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static double f64_at(const uint8_t *p)
{
	double v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void put_complex(struct gh_strbuf *sb, double re, double im, bool is_32)
{
	gh_strbuf_putc(sb, '(');
	put_float(sb, re, is_32);
	if ((!__builtin_signbit(im) && im - im == 0) || im != im)
		gh_strbuf_putc(sb, '+');
	put_float(sb, im, is_32);
	gh_strbuf_puts(sb, "i)");
}

static uint64_t scalar_bytes(enum gh_kind kind)
{
	static const uint8_t bytes[GH_KIND_COUNT] = {
		[GH_KIND_BOOL] = 1,	 [GH_KIND_INT] = 8,	   [GH_KIND_INT8] = 1,
		[GH_KIND_INT16] = 2,	 [GH_KIND_INT32] = 4,	   [GH_KIND_INT64] = 8,
		[GH_KIND_UINT] = 8,	 [GH_KIND_UINT8] = 1,	   [GH_KIND_UINT16] = 2,
		[GH_KIND_UINT32] = 4,	 [GH_KIND_UINT64] = 8,	   [GH_KIND_UINTPTR] = 8,
		[GH_KIND_FLOAT32] = 4,	 [GH_KIND_FLOAT64] = 8,	   [GH_KIND_COMPLEX64] = 8,
		[GH_KIND_COMPLEX128] = 16,
	};

	return bytes[kind];
}

static void put_uint(struct gh_strbuf *sb, uint64_t v)
{
	gh_strbuf_printf(sb, "%llu", (unsigned long long)v);
}

static void put_int(struct gh_strbuf *sb, int64_t v)
{
	gh_strbuf_printf(sb, "%lld", (long long)v);
}

static void put_bool(struct gh_strbuf *sb, uint8_t v)
{
	if (v > 1) // no Go program writes that
		gh_strbuf_printf(sb, "bool(%u)", v);
	else
		gh_strbuf_puts(sb, v ? "true" : "false");
}

/* An address in disguise, often of code. */
static void put_uintptr(struct gh_value_reader *r, uint64_t v, struct gh_strbuf *sb)
{
	_cleanup_strbuf_ struct gh_strbuf code = {0};

	gh_strbuf_printf(sb, "0x%llx", (unsigned long long)v);
	if (gh_value_code(r->types, v, &code))
		gh_strbuf_printf(sb, " (%s)", gh_strbuf_str(&code));
}

static void put_scalar(struct gh_value_reader *r, enum gh_kind kind, const uint8_t *p,
		       struct gh_strbuf *sb)
{
	switch (kind) {
	case GH_KIND_BOOL:
		put_bool(sb, *p);
		break;
	case GH_KIND_INT8:
		put_int(sb, (int8_t)*p);
		break;
	case GH_KIND_INT16:
		put_int(sb, (int16_t)gh_u16_at(p));
		break;
	case GH_KIND_INT32:
		put_int(sb, (int32_t)gh_u32_at(p));
		break;
	case GH_KIND_INT:
	case GH_KIND_INT64:
		put_int(sb, (int64_t)gh_u64_at(p));
		break;
	case GH_KIND_UINT8:
		put_uint(sb, *p);
		break;
	case GH_KIND_UINT16:
		put_uint(sb, gh_u16_at(p));
		break;
	case GH_KIND_UINT32:
		put_uint(sb, gh_u32_at(p));
		break;
	case GH_KIND_UINT:
	case GH_KIND_UINT64:
		put_uint(sb, gh_u64_at(p));
		break;
	case GH_KIND_UINTPTR:
		put_uintptr(r, gh_u64_at(p), sb);
		break;
	case GH_KIND_FLOAT32:
		put_float(sb, (double)f32_at(p), true);
		break;
	case GH_KIND_FLOAT64:
		put_float(sb, f64_at(p), false);
		break;
	case GH_KIND_COMPLEX64:
		put_complex(sb, (double)f32_at(p), (double)f32_at(p + 4), true);
		break;
	case GH_KIND_COMPLEX128:
		put_complex(sb, f64_at(p), f64_at(p + 8), false);
		break;
	case GH_KIND_INVALID:
	case GH_KIND_ARRAY:
	case GH_KIND_CHAN:
	case GH_KIND_FUNC:
	case GH_KIND_INTERFACE:
	case GH_KIND_MAP:
	case GH_KIND_POINTER:
	case GH_KIND_SLICE:
	case GH_KIND_STRING:
	case GH_KIND_STRUCT:
	case GH_KIND_UNSAFE_POINTER:
	case GH_KIND_COUNT:
		break;
	}
}

void gh_value_fill_scalar(struct gh_value_reader *r, struct gh_value *node)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	uint64_t bytes = scalar_bytes(node->kind);
	const uint8_t *p = gh_image_at(r->types->rt->image, node->addr, bytes);

	node->is_withheld = r->limits.no_data;
	if (node->is_withheld)
		return;
	if (!p) {
		gh_value_set_missing(r, node, node->addr, bytes);
		return;
	}
	put_scalar(r, node->kind, p, &sb);
	gh_value_set_text(r, node, &sb);
}

bool gh_value_quote(struct gh_value_reader *r, gh_addr addr, uint64_t len, struct gh_strbuf *sb)
{
	uint64_t n = gh_min_u64(len, (uint64_t)r->limits.text + 4); // room for a whole character
	const char *bytes = n ? gh_image_at(r->types->rt->image, addr, n) : "";

	if (!bytes)
		return false;
	n = gh_text_cut(bytes, n, r->limits.text);
	gh_text_quote(sb, bytes, n);
	if (n < len)
		gh_strbuf_printf(sb, "… (%llu bytes)", (unsigned long long)len);
	return true;
}

bool gh_value_hex(struct gh_value_reader *r, gh_addr addr, uint64_t len, struct gh_strbuf *sb)
{
	uint64_t n = gh_min_u64(len, HEX_BYTES);
	const uint8_t *p = gh_image_at(r->types->rt->image, addr, n);

	if (!p)
		return false;
	gh_strbuf_puts(sb, "0x");
	for (uint64_t i = 0; i < n; i++)
		gh_strbuf_printf(sb, "%02x", p[i]);
	if (n < len)
		gh_strbuf_printf(sb, "… (%llu bytes)", (unsigned long long)len);
	return true;
}

void gh_value_fill_string(struct gh_value_reader *r, struct gh_value *node)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	const uint8_t *p = gh_image_at(r->types->rt->image, node->addr, 16);
	uint64_t len;

	if (!p) {
		gh_value_set_missing(r, node, node->addr, 16);
		return;
	}
	len = gh_u64_at(p + 8);
	node->target = len ? gh_u64_at(p) : 0;
	node->is_withheld = r->limits.no_data;
	if (node->is_withheld)
		return;
	if (gh_value_quote(r, node->target, len, &sb))
		gh_value_set_text(r, node, &sb);
	else
		gh_value_set_missing(r, node, node->target, gh_min_u64(len, r->limits.text));
}

bool gh_value_code(const struct gh_types *types, gh_addr pc, struct gh_strbuf *sb)
{
	const struct gh_runtime *rt = types->rt;
	struct gh_source_frame_vec frames = {0};
	struct gh_func func;
	const char *name;

	if (!gh_module_of_text(rt, pc) || !gh_func_find(rt, pc, &func))
		return false;
	name = gh_func_name(rt, &func);
	gh_goname_add(sb, name ? name : "?");
	if (pc != func.entry)
		gh_strbuf_printf(sb, "+0x%llx", (unsigned long long)(pc - func.entry));
	if (gh_func_source_frames(rt, &func, pc, &frames) && frames.len && frames.data[0].file)
		gh_strbuf_printf(sb, " at %s:%d", frames.data[0].file, (int)frames.data[0].line);
	gh_source_frame_vec_deinit(&frames);
	return true;
}
