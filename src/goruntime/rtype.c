// SPDX-License-Identifier: Apache-2.0
// Reading type descriptors. See rtype.h.
#include "goruntime/rtype.h"

#include "base/bitmap.h"
#include "goruntime/rtype_layout.h"

enum {
	MAX_FIELDS = 1 << 20,
	MAX_DEPTH = 24, // of nested type names and masks
	MAX_NAME = 1 << 16,
	MAX_NAME_TOTAL = 1 << 12, // a type name longer than this is cut
	TFLAG_UNCOMMON = 1,
	TFLAG_EXTRA_STAR = 2,
	TFLAG_NAMED = 4,
	TFLAG_MASK_ON_DEMAND = 16, // go1.24+; "unrolled bitmap" before, which is a plain mask
	KIND_DIRECT_IFACE = 32,	   // up to go1.25
	KIND_GC_PROGRAM = 64,	   // up to go1.23
	KIND_MASK = 31,
};

/* Descriptor offsets: the same in all releases (internal/abi/type.go). */
enum {
	T_SIZE = 0,
	T_PTR_BYTES = 8,
	T_HASH = 16,
	T_TFLAG = 20,
	T_FIELD_ALIGN = 22,
	T_KIND = 23,
	T_GCDATA = 32,
	T_STR = 40,
	T_BYTES = 48,
	T_ELEM = 48, // array, chan, pointer, slice
	T_ARRAY_LEN = 64,
	T_CHAN_DIR = 56,
	T_MAP_KEY = 48,
	T_MAP_ELEM = 56,
	T_MAP_GROUP = 64,
	T_STRUCT_FIELDS = 56,
	T_FIELD_BYTES = 24,
	T_FUNC_IN = 48,
	T_FUNC_OUT = 50,
	T_INTERFACE_METHODS_LEN = 64,
};

static uint32_t base_bytes(const struct gh_runtime *rt, uint8_t kind)
{
	switch ((enum gh_kind)kind) {
	case GH_KIND_ARRAY:
		return 72;
	case GH_KIND_CHAN:
		return 64;
	case GH_KIND_FUNC:
	case GH_KIND_POINTER:
	case GH_KIND_SLICE:
		return 56;
	case GH_KIND_INTERFACE:
	case GH_KIND_STRUCT:
		return 80;
	case GH_KIND_MAP:
		return gh_map_type_bytes[rt->map_kind];
	case GH_KIND_INVALID:
	case GH_KIND_BOOL:
	case GH_KIND_INT:
	case GH_KIND_INT8:
	case GH_KIND_INT16:
	case GH_KIND_INT32:
	case GH_KIND_INT64:
	case GH_KIND_UINT:
	case GH_KIND_UINT8:
	case GH_KIND_UINT16:
	case GH_KIND_UINT32:
	case GH_KIND_UINT64:
	case GH_KIND_UINTPTR:
	case GH_KIND_FLOAT32:
	case GH_KIND_FLOAT64:
	case GH_KIND_COMPLEX64:
	case GH_KIND_COMPLEX128:
	case GH_KIND_STRING:
	case GH_KIND_UNSAFE_POINTER:
	case GH_KIND_COUNT:
		break;
	}
	return T_BYTES;
}

/*
 * reflect.MapOf makes a bucket's descriptor out of a bare abi.Type, without hash and alignment of
 * fields: what lies behind it is another object (up to go1.23, reflect/type.go: bucketOf).
 */
static bool is_bare_bucket(const struct gh_runtime *rt, gh_addr addr)
{
	const uint8_t *p;

	if (rt->map_kind != GH_MAP_HMAP || gh_module_of_types(rt, addr))
		return false;
	p = gh_image_at(rt->image, addr, T_BYTES);
	return p && (p[T_KIND] & KIND_MASK) == GH_KIND_STRUCT && !gh_u32_at(p + T_HASH) &&
	       !p[T_FIELD_ALIGN];
}

bool gh_rtype_read(const struct gh_runtime *rt, gh_addr addr, struct gh_rtype *ret)
{
	const uint8_t *p = addr && addr % 4 == 0 ? gh_image_at(rt->image, addr, T_BYTES) : NULL;
	struct gh_rtype t;
	uint8_t kind;

	if (!p)
		return false;
	kind = p[T_KIND];
	t = (struct gh_rtype){
		.addr = addr,
		.size = gh_u64_at(p + T_SIZE),
		.ptr_bytes = gh_u64_at(p + T_PTR_BYTES),
		.hash = gh_u32_at(p + T_HASH),
		.tflag = p[T_TFLAG],
		.kind = kind & KIND_MASK,
		.gcdata = gh_u64_at(p + T_GCDATA),
	};
	t.is_named = t.tflag & TFLAG_NAMED;
	t.is_direct = rt->release->direct_iface_tflag
			      ? (t.tflag & rt->release->direct_iface_tflag) != 0
			      : (kind & KIND_DIRECT_IFACE) != 0;
	t.mask_on_demand = rt->release->masks_on_demand && (t.tflag & TFLAG_MASK_ON_DEMAND);
	t.gc_program = rt->release->gc_programs && (kind & KIND_GC_PROGRAM);
	// kind 0 stands in descriptors that the runtime made for an unrolled mask (go1.22, go1.23)
	if (t.kind >= GH_KIND_COUNT || t.ptr_bytes > t.size || t.ptr_bytes % 8)
		return false;
	t.is_bare = t.kind == GH_KIND_STRUCT && is_bare_bucket(rt, addr);
	p = gh_image_at(rt->image, addr, t.is_bare ? T_BYTES : base_bytes(rt, t.kind));
	if (!p)
		return false;
	switch (t.kind) {
	case GH_KIND_ARRAY:
		t.len = gh_u64_at(p + T_ARRAY_LEN);
		t.elem = gh_u64_at(p + T_ELEM);
		break;
	case GH_KIND_CHAN:
		t.chan_dir = p[T_CHAN_DIR] & 3;
		t.elem = gh_u64_at(p + T_ELEM);
		break;
	case GH_KIND_POINTER:
	case GH_KIND_SLICE:
		t.elem = gh_u64_at(p + T_ELEM);
		break;
	case GH_KIND_MAP:
		t.key = gh_u64_at(p + T_MAP_KEY);
		t.elem = gh_u64_at(p + T_MAP_ELEM);
		t.group = gh_u64_at(p + T_MAP_GROUP);
		if (is_bare_bucket(rt, t.group)) {
			t.bucket = t.group;
			t.group = addr;
		}
		t.map_flags = gh_u32_at(p + gh_map_type_flags[rt->map_kind]);
		break;
	case GH_KIND_STRUCT:
		if (t.is_bare)
			break;
		t.fields = gh_u64_at(p + T_STRUCT_FIELDS);
		t.nfields = gh_u64_at(p + T_STRUCT_FIELDS + 8);
		if (t.nfields > MAX_FIELDS ||
		    (t.nfields && !gh_image_at(rt->image, t.fields, t.nfields * T_FIELD_BYTES)))
			return false;
		break;
	default:
		break;
	}
	*ret = t;
	return true;
}

bool gh_rtype_field(const struct gh_runtime *rt, const struct gh_rtype *type, uint64_t i,
		    struct gh_rfield *ret)
{
	const uint8_t *p;

	if (i >= type->nfields)
		return false;
	p = gh_image_at(rt->image, type->fields + i * T_FIELD_BYTES, T_FIELD_BYTES);
	if (!p)
		return false;
	*ret = (struct gh_rfield){gh_u64_at(p), gh_u64_at(p + 8), gh_u64_at(p + 16)};
	return true;
}

const char *gh_rtype_name_text(const struct gh_runtime *rt, gh_addr name, uint64_t *len_ret)
{
	uint64_t len = 0, at = 1; // byte 0 holds flags
	uint8_t byte;

	for (int shift = 0; shift < 21; shift += 7) {
		if (!gh_read_u8(rt->image, name + at++, &byte))
			return NULL;
		len |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		*len_ret = len;
		return len <= MAX_NAME ? gh_image_at(rt->image, name + at, len) : NULL;
	}
	return NULL;
}

/* An int32 offset at `at`, relative to the types of the module that holds `at`. 0: none. */
static gh_addr resolve_offset(const struct gh_runtime *rt, gh_addr at)
{
	const struct gh_module *module = gh_module_of_types(rt, at);
	uint32_t offset;

	if (!module || !gh_read_u32(rt->image, at, &offset) || (int32_t)offset <= 0)
		return 0; // made by reflect: its names live in reflectOffs
	return module->types + offset;
}

const char *gh_rtype_string(const struct gh_runtime *rt, const struct gh_rtype *t,
			    uint64_t *len_ret)
{
	gh_addr name = resolve_offset(rt, t->addr + T_STR);
	const char *s = name ? gh_rtype_name_text(rt, name, len_ret) : NULL;

	if (s && (t->tflag & TFLAG_EXTRA_STAR) && *len_ret > 0) {
		s++;
		(*len_ret)--;
	}
	return s;
}

/* Import path out of the uncommon part; NULL when there is none. */
static const char *package_path(const struct gh_runtime *rt, const struct gh_rtype *t,
				uint64_t *len_ret)
{
	gh_addr name;

	if (!(t->tflag & TFLAG_UNCOMMON))
		return NULL;
	name = resolve_offset(rt, t->addr + base_bytes(rt, t->kind));
	return name ? gh_rtype_name_text(rt, name, len_ret) : NULL;
}

/* The types in whose name another one stands. */
struct naming {
	gh_addr addr;
	int depth;
	const struct naming *up; // NULL: the name asked for
};

static void append_name(const struct gh_runtime *rt, gh_addr addr, struct gh_strbuf *sb,
			const struct naming *up);

/* Is it part of its own name? Go has no way to say so, but interpreters patch such structs up. */
static bool is_within(const struct naming *up, gh_addr addr)
{
	while (up && up->addr != addr)
		up = up->up;
	return up != NULL;
}

/* A stand-in for all types that look alike: its name is a whole type literal, dots and all. */
static bool is_shape(const char *s, uint64_t len)
{
	static const char prefix[] = "go.shape.";

	return len >= sizeof(prefix) - 1 && !memcmp(s, prefix, sizeof(prefix) - 1);
}

/* "http.Server" with path "net/http" -> "net/http.Server"; brackets of generics stay as they are.
 */
static void append_named(const struct gh_runtime *rt, const struct gh_rtype *t,
			 struct gh_strbuf *sb)
{
	uint64_t len = 0, path_len = 0, dot, end;
	const char *s = gh_rtype_string(rt, t, &len), *path = package_path(rt, t, &path_len);

	if (!s) {
		gh_strbuf_putc(sb, '?');
		return;
	}
	for (end = 0; end < len && s[end] != '['; end++)
		;
	for (dot = end; dot > 0 && s[dot - 1] != '.'; dot--)
		;
	if (path && path_len && dot && !is_shape(s, len)) {
		gh_strbuf_add(sb, path, path_len);
		gh_strbuf_putc(sb, '.');
		s += dot;
		len -= dot;
	}
	gh_strbuf_add(sb, s, len);
}

static void append_func(const struct gh_runtime *rt, const struct gh_rtype *t, struct gh_strbuf *sb,
			const struct naming *up)
{
	gh_addr params = t->addr + base_bytes(rt, t->kind) + (t->tflag & TFLAG_UNCOMMON ? 16 : 0);
	uint16_t nin = 0, nout = 0;
	bool variadic;

	gh_read_u16(rt->image, t->addr + T_FUNC_IN, &nin);
	gh_read_u16(rt->image, t->addr + T_FUNC_OUT, &nout);
	variadic = nout & 0x8000;
	nout &= 0x7fff;
	gh_strbuf_putc(sb, '(');
	for (uint32_t i = 0; i < (uint32_t)nin + nout && sb->len < MAX_NAME_TOTAL; i++) {
		gh_addr param = 0;
		struct gh_rtype p;

		if (i == nin)
			gh_strbuf_puts(sb, nout > 1 ? ") (" : ") ");
		else if (i)
			gh_strbuf_puts(sb, ", ");
		gh_read_u64(rt->image, params + i * 8, &param);
		if (variadic && i + 1 == nin && gh_rtype_read(rt, param, &p) && p.elem) {
			gh_strbuf_puts(sb, "...");
			param = p.elem;
		}
		append_name(rt, param, sb, up);
	}
	if (nout != 1)
		gh_strbuf_putc(sb, ')');
}

static void append_struct(const struct gh_runtime *rt, const struct gh_rtype *t,
			  struct gh_strbuf *sb, const struct naming *up)
{
	enum { EMBEDDED = 8 };

	gh_strbuf_puts(sb, "struct {");
	for (uint64_t i = 0; i < t->nfields && sb->len < MAX_NAME_TOTAL; i++) {
		struct gh_rfield field;
		const char *name;
		uint64_t len;
		uint8_t flags = 0;

		if (!gh_rtype_field(rt, t, i, &field))
			break;
		gh_strbuf_puts(sb, i ? "; " : " ");
		name = gh_rtype_name_text(rt, field.name, &len);
		gh_read_u8(rt->image, field.name, &flags);
		if (name && !(flags & EMBEDDED)) {
			gh_strbuf_add(sb, name, len);
			gh_strbuf_putc(sb, ' ');
		}
		append_name(rt, field.type, sb, up);
	}
	gh_strbuf_puts(sb, t->nfields ? " }" : "}");
}

static void append_name(const struct gh_runtime *rt, gh_addr addr, struct gh_strbuf *sb,
			const struct naming *up)
{
	struct naming here = {.addr = addr, .depth = up ? up->depth + 1 : 0, .up = up};
	struct gh_rtype t;
	const char *s;
	uint64_t len;

	if (here.depth > MAX_DEPTH || sb->len > MAX_NAME_TOTAL || !gh_rtype_read(rt, addr, &t)) {
		gh_strbuf_putc(sb, '?');
		return;
	}
	if (t.is_named) {
		append_named(rt, &t, sb);
		return;
	}
	switch (t.kind) {
	case GH_KIND_POINTER:
		gh_strbuf_putc(sb, '*');
		append_name(rt, t.elem, sb, &here);
		break;
	case GH_KIND_SLICE:
		gh_strbuf_puts(sb, "[]");
		append_name(rt, t.elem, sb, &here);
		break;
	case GH_KIND_ARRAY:
		gh_strbuf_printf(sb, "[%llu]", (unsigned long long)t.len);
		append_name(rt, t.elem, sb, &here);
		break;
	case GH_KIND_MAP:
		gh_strbuf_puts(sb, "map[");
		append_name(rt, t.key, sb, &here);
		gh_strbuf_putc(sb, ']');
		append_name(rt, t.elem, sb, &here);
		break;
	case GH_KIND_CHAN:
		gh_strbuf_puts(sb, t.chan_dir == 1   ? "<-chan "
				   : t.chan_dir == 2 ? "chan<- "
						     : "chan ");
		append_name(rt, t.elem, sb, &here);
		break;
	case GH_KIND_FUNC:
		gh_strbuf_puts(sb, "func");
		append_func(rt, &t, sb, &here);
		break;
	case GH_KIND_STRUCT:
		if (is_within(up, addr))
			gh_strbuf_puts(sb, "struct {…}");
		else
			append_struct(rt, &t, sb, &here);
		break;
	default: // interface literals and what has no shape: the binary's own words
		s = gh_rtype_string(rt, &t, &len);
		if (s)
			gh_strbuf_add(sb, s, len);
		else
			gh_strbuf_putc(sb, '?');
		break;
	}
}

void gh_rtype_name(const struct gh_runtime *rt, gh_addr addr, struct gh_strbuf *sb)
{
	struct gh_strbuf name = {0};

	append_name(rt, addr, &name, NULL);
	gh_strbuf_puts(sb, gh_strbuf_str(&name));
	sb->failed |= name.failed;
	gh_strbuf_deinit(&name);
}

bool gh_rtype_has_methods(const struct gh_runtime *rt, gh_addr interface)
{
	uint64_t n = 0;

	gh_read_u64(rt->image, interface + T_INTERFACE_METHODS_LEN, &n);
	return n != 0;
}

gh_addr gh_itab_type(const struct gh_runtime *rt, gh_addr itab)
{
	gh_addr type;

	return gh_read_u64(rt->image, itab + 8, &type) ? type : 0;
}
