// SPDX-License-Identifier: Apache-2.0
// Reading values into trees: what has parts. Leaves: value_scalar.c; what the standard library means
// by its types: value_known.c; maps and channels: value_map.c. See value.h.
#include "graph/value.h"

#include "base/cleanup.h"
#include "base/goname.h"
#include "base/ipaddr.h"
#include "base/text.h"
#include "graph/types_table.h"
#include "graph/value_reader.h"

enum {
	MAX_NEST = 100,	 // of values in values: types nest as deep as somebody writes them
	MAX_FIELDS = 512, // shown of one struct
};

const struct gh_value_limits gh_value_limits = {
	.follow = 1, .elements = 10, .nodes = 2000, .text = 120};

struct gh_value *gh_value_add(struct gh_value_reader *r, struct gh_value *parent)
{
	struct gh_value *node;

	if (parent && r->nnodes >= r->limits.nodes) {
		parent->more++;
		r->cut++;
		return NULL;
	}
	node = gh_arena_alloc(r->arena, sizeof(*node));
	r->nomem |= !node;
	if (!node)
		return NULL;
	r->nnodes++;
	if (parent && parent->last)
		parent->last->next = node;
	else if (parent)
		parent->children = node;
	if (parent)
		parent->last = node;
	return node;
}

const char *gh_value_keep(struct gh_value_reader *r, const struct gh_strbuf *sb)
{
	char *text = gh_arena_strndup(r->arena, gh_strbuf_str(sb), sb->len);

	r->nomem |= !text || !gh_strbuf_ok(sb);
	return text;
}

void gh_value_set_text(struct gh_value_reader *r, struct gh_value *node,
		       const struct gh_strbuf *sb)
{
	node->text = gh_value_keep(r, sb);
}

void gh_value_set_missing(struct gh_value_reader *r, struct gh_value *node, gh_addr addr,
			  uint64_t bytes)
{
	node->text = gh_absence_text(gh_image_absence(r->types->rt->image, addr, bytes));
}

static const char *name_of_field(struct gh_value_reader *r, const struct gh_gofield *field)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	gh_strbuf_putc(&sb, '.');
	gh_strbuf_add(&sb, field->name, field->name_len);
	return gh_value_keep(r, &sb);
}

static void fill_fields(struct gh_value_reader *r, struct gh_value *node, struct gh_gotype type,
			uint64_t n, struct gh_value_depth depth)
{
	if (!n)
		node->text = "{}";
	for (uint64_t i = 0; i < n; i++) {
		struct gh_gofield field;
		struct gh_value *child;

		if (i == MAX_FIELDS) {
			node->more += n - i;
			r->cut += n - i;
			break;
		}
		if (!gh_gotype_field(r->types, type, i, &field) ||
		    (field.name_len == 1 && field.name[0] == '_'))
			continue;
		child = gh_value_add(r, node);
		if (!child)
			break;
		child->name = name_of_field(r, &field);
		child->addr = node->addr + field.offset;
		gh_value_fill(r, child, field.type, depth);
	}
}

void gh_value_fill_elements(struct gh_value_reader *r, struct gh_value *node, gh_addr addr,
			    struct gh_gotype type, uint64_t count, struct gh_value_depth depth)
{
	struct gh_gotype_info info;
	uint64_t shown = gh_min_u64(count, r->limits.elements);

	if (!gh_gotype_read(r->types, type, &info) || depth.nest >= MAX_NEST)
		return;
	node->more += count - shown;
	r->cut += count - shown;
	for (uint64_t i = 0; i < shown; i++) {
		struct gh_value *child = gh_value_add(r, node);

		if (!child)
			break;
		child->name = gh_arena_printf(r->arena, "[%llu]", (unsigned long long)i);
		child->addr = addr + i * info.size;
		gh_value_fill(r, child, type,
			      (struct gh_value_depth){depth.nest + 1, depth.follow});
	}
}

static bool is_byte(struct gh_value_reader *r, struct gh_gotype elem)
{
	struct gh_gotype_info info;

	return gh_gotype_read(r->types, elem, &info) && info.kind == GH_KIND_UINT8;
}

/* [16]byte and the like: identifiers, hashes, addresses. */
static void fill_byte_array(struct gh_value_reader *r, struct gh_value *node, uint64_t len)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	node->is_withheld = r->limits.no_data;
	if (node->is_withheld)
		return;
	if (gh_value_hex(r, node->addr, len, &sb))
		gh_value_set_text(r, node, &sb);
	else
		gh_value_set_missing(r, node, node->addr, len);
}

/* A literal where it is text, else hexadecimal digits. */
static bool put_bytes(struct gh_value_reader *r, gh_addr addr, uint64_t len, struct gh_strbuf *sb)
{
	uint64_t n = gh_min_u64(len, r->limits.text);
	const char *bytes = n ? gh_image_at(r->types->rt->image, addr, n) : "";

	return bytes && gh_text_is_plain(bytes, gh_text_cut(bytes, n, n))
		       ? gh_value_quote(r, addr, len, sb)
		       : gh_value_hex(r, addr, len, sb);
}

static void fill_array(struct gh_value_reader *r, struct gh_value *node,
		       const struct gh_gotype_info *info, struct gh_value_depth depth)
{
	if (!info->len)
		node->text = "[]";
	else if (is_byte(r, info->elem))
		fill_byte_array(r, node, info->len);
	else
		gh_value_fill_elements(r, node, node->addr, info->elem, info->len, depth);
}

/* net.IP; false: it is none. */
static bool put_ip(struct gh_value_reader *r, const struct gh_value *node,
		   const struct gh_slice *slice, struct gh_strbuf *sb)
{
	const uint8_t *p = NULL;

	if (strcmp(node->type, "net.IP") == 0 && (slice->len == 4 || slice->len == 16))
		p = gh_image_at(r->types->rt->image, slice->data, slice->len);
	if (p)
		gh_ip_add(sb, p, slice->len == 4, /* in_brackets= */ false);
	return p != NULL;
}

static void fill_slice(struct gh_value_reader *r, struct gh_value *node,
		       const struct gh_gotype_info *info, struct gh_value_depth depth)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	struct gh_slice slice;

	if (!gh_read_slice(r->types->rt->image, node->addr, &slice)) {
		gh_value_set_missing(r, node, node->addr, 24);
		return;
	}
	node->target = slice.data;
	if (!slice.data && !slice.len && !slice.cap) {
		node->text = "nil";
		return;
	}
	gh_strbuf_printf(&sb, "len %llu, cap %llu", (unsigned long long)slice.len,
			 (unsigned long long)slice.cap);
	if (slice.len > slice.cap) {
		gh_strbuf_puts(&sb, ": no slice");
	} else if (!is_byte(r, info->elem)) {
		gh_value_fill_elements(r, node, slice.data, info->elem, slice.len, depth);
	} else if (!r->limits.no_data) {
		gh_strbuf_puts(&sb, ", ");
		if (!put_ip(r, node, &slice, &sb) && !put_bytes(r, slice.data, slice.len, &sb))
			gh_strbuf_puts(&sb, "not at hand");
	}
	gh_value_set_text(r, node, &sb);
}

/* What a pointer leads to: its fields are the pointer's own, as people write them. */
static void follow(struct gh_value_reader *r, struct gh_value *node, struct gh_gotype elem,
		   struct gh_value_depth depth)
{
	struct gh_value_depth below = {depth.nest + 1, depth.follow - 1};
	struct gh_value behind = {.addr = node->target};
	struct gh_gotype_info info;
	struct gh_value *child;

	if (!depth.follow || depth.nest >= MAX_NEST || !gh_gotype_read(r->types, elem, &info) ||
	    !info.size)
		return;
	if (info.kind == GH_KIND_STRUCT) {
		gh_value_fill(r, &behind, elem, below);
		if (behind.children) {
			node->children = behind.children;
			node->last = behind.last;
			node->more = behind.more;
			return;
		}
	}
	child = gh_value_add(r, node);
	if (!child)
		return;
	child->name = ".*";
	child->addr = node->target;
	gh_value_fill(r, child, elem, below);
}

static bool read_target(struct gh_value_reader *r, struct gh_value *node)
{
	if (!gh_read_u64(r->types->rt->image, node->addr, &node->target)) {
		gh_value_set_missing(r, node, node->addr, 8);
		return false;
	}
	if (!node->target)
		node->text = "nil";
	return node->target != 0;
}

void gh_value_fill_pointer(struct gh_value_reader *r, struct gh_value *node, struct gh_gotype elem,
			   struct gh_value_depth depth)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0}, about = {0};

	if (!read_target(r, node))
		return;
	gh_strbuf_printf(&sb, "0x%llx", (unsigned long long)node->target);
	if (r->about && !gh_gotype_is_known(elem))
		r->about(r->ctx, node->target, &about);
	if (about.len)
		gh_strbuf_printf(&sb, " (%s)", gh_strbuf_str(&about));
	gh_value_set_text(r, node, &sb);
	follow(r, node, elem, depth);
}

/* A func value points to a closure, whose first word is the code. */
static void fill_func(struct gh_value_reader *r, struct gh_value *node)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	gh_addr pc;

	if (!read_target(r, node))
		return;
	if (!gh_read_u64(r->types->rt->image, node->target, &pc) ||
	    !gh_value_code(r->types, pc, &sb))
		gh_strbuf_printf(&sb, "0x%llx", (unsigned long long)node->target);
	gh_value_set_text(r, node, &sb);
}

/* int(42), *main.T(0xc000010000), main.T. */
static void put_dynamic(struct gh_value_reader *r, struct gh_value *node,
			const struct gh_value *held)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	gh_strbuf_puts(&sb, held->type);
	if (held->text)
		gh_strbuf_printf(&sb, "(%s)", held->text);
	gh_value_set_text(r, node, &sb);
}

void gh_value_fill_interface(struct gh_value_reader *r, struct gh_value *node, bool has_methods,
			     struct gh_value_depth depth)
{
	const struct gh_runtime *rt = r->types->rt;
	const uint8_t *p = gh_image_at(rt->image, node->addr, 16);
	struct gh_gotype_info info;
	struct gh_value held = {0}, *child;
	gh_addr word, rtype;

	if (!p) {
		gh_value_set_missing(r, node, node->addr, 16);
		return;
	}
	word = gh_u64_at(p);
	if (!word) {
		node->text = "nil";
		return;
	}
	rtype = has_methods ? gh_itab_type(rt, word) : word;
	if (!gh_gotype_read(r->types, (struct gh_gotype){.rtype = rtype}, &info)) {
		node->text = "of a type that cannot be read";
		return;
	}
	node->target = gh_u64_at(p + 8);
	held.name = gh_arena_printf(r->arena, ".(%s)",
				    gh_gotype_name(r->types, (struct gh_gotype){.rtype = rtype}));
	held.addr = info.is_direct ? node->addr + 8 : node->target;
	if (depth.nest < MAX_NEST)
		gh_value_fill(r, &held, (struct gh_gotype){.rtype = rtype},
			      (struct gh_value_depth){depth.nest + 1, depth.follow});
	put_dynamic(r, node, &held);
	child = held.children ? gh_value_add(r, node) : NULL;
	if (child) {
		held.next = child->next;
		*child = held;
	}
}

static void fill_kind(struct gh_value_reader *r, struct gh_value *node, struct gh_gotype type,
		      const struct gh_gotype_info *info, struct gh_value_depth depth)
{
	switch (info->kind) {
	case GH_KIND_STRING:
		gh_value_fill_string(r, node);
		break;
	case GH_KIND_POINTER:
		gh_value_fill_pointer(r, node, info->elem, depth);
		break;
	case GH_KIND_UNSAFE_POINTER:
		gh_value_fill_pointer(r, node, (struct gh_gotype){0}, depth);
		break;
	case GH_KIND_FUNC:
		fill_func(r, node);
		break;
	case GH_KIND_INTERFACE:
		gh_value_fill_interface(r, node, info->has_methods, depth);
		break;
	case GH_KIND_SLICE:
		fill_slice(r, node, info, depth);
		break;
	case GH_KIND_ARRAY:
		fill_array(r, node, info, depth);
		break;
	case GH_KIND_MAP:
		if (read_target(r, node))
			gh_value_fill_map(r, node, node->target, info->group, depth);
		break;
	case GH_KIND_CHAN:
		if (read_target(r, node))
			gh_value_fill_chan(r, node, node->target, info->elem, depth);
		break;
	case GH_KIND_STRUCT:
		fill_fields(r, node, type, info->nfields,
			    (struct gh_value_depth){depth.nest + 1, depth.follow});
		break;
	case GH_KIND_INVALID:
	case GH_KIND_COUNT:
		break;
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
		gh_value_fill_scalar(r, node);
		break;
	}
}

void gh_value_fill(struct gh_value_reader *r, struct gh_value *node, struct gh_gotype type,
		   struct gh_value_depth depth)
{
	struct gh_gotype_info info;

	node->type = gh_gotype_name(r->types, type);
	if (!gh_gotype_read(r->types, type, &info)) {
		node->text = "of a type that cannot be read";
		return;
	}
	node->kind = info.kind;
	if (depth.nest >= MAX_NEST) {
		node->text = "…";
		return;
	}
	if (!gh_value_fill_known(r, node, type, depth))
		fill_kind(r, node, type, &info, depth);
}

struct gh_value *gh_value_read_typed(struct gh_value_reader *r, gh_addr addr,
				     struct gh_gotype type)
{
	struct gh_value *root = gh_value_add(r, NULL);

	if (!root)
		return NULL;
	root->addr = addr;
	gh_value_fill(r, root, type, (struct gh_value_depth){0, r->limits.follow});
	return r->nomem ? NULL : root;
}

/* Words of what has no type: where they lead, or their bits. */
static void fill_words(struct gh_value_reader *r, struct gh_value *node, uint64_t bytes)
{
	uint64_t n = bytes / 8, shown = gh_min_u64(n, r->limits.elements);

	node->more += n - shown;
	r->cut += n - shown;
	for (uint64_t i = 0; i < shown; i++) {
		_cleanup_strbuf_ struct gh_strbuf sb = {0}, about = {0};
		struct gh_value *child = gh_value_add(r, node);
		uint64_t word;

		if (!child)
			return;
		child->name = gh_arena_printf(r->arena, "+%llu", (unsigned long long)i * 8);
		child->addr = node->addr + i * 8;
		if (!gh_read_u64(r->types->rt->image, child->addr, &word)) {
			gh_value_set_missing(r, child, child->addr, 8);
			continue;
		}
		if (r->about)
			r->about(r->ctx, word, &about);
		child->is_withheld = r->limits.no_data && !about.len;
		if (child->is_withheld)
			continue;
		gh_strbuf_printf(&sb, "0x%llx", (unsigned long long)word);
		if (about.len)
			gh_strbuf_printf(&sb, " (%s)", gh_strbuf_str(&about));
		gh_value_set_text(r, child, &sb);
	}
}

static void fill_bytes(struct gh_value_reader *r, struct gh_value *node, uint64_t bytes,
		       bool is_text)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	node->is_withheld = r->limits.no_data;
	if (node->is_withheld)
		return;
	if (is_text ? gh_value_quote(r, node->addr, bytes, &sb)
		    : put_bytes(r, node->addr, bytes, &sb))
		gh_value_set_text(r, node, &sb);
	else
		gh_value_set_missing(r, node, node->addr, gh_min_u64(bytes, r->limits.text));
}

/* "x" or, held by reference, "&x": then the closure has a pointer to it. */
static void fill_capture(struct gh_value_reader *r, struct gh_value *node,
			 const struct gh_dcapture *capture, struct gh_value_depth depth)
{
	struct gh_value *child = gh_value_add(r, node);
	const char *name = capture->name + (capture->name[0] == '&');

	if (!child)
		return;
	child->name = gh_arena_printf(r->arena, ".%s", name);
	child->addr = node->addr + capture->offset;
	gh_value_fill(r, child, gh_gotype_of_dwarf(r->types, capture->type), depth);
}

static void fill_captures(struct gh_value_reader *r, struct gh_value *node, gh_addr pc,
			  uint64_t bytes)
{
	const struct gh_runtime *rt = r->types->rt;
	_cleanup_error_ struct gh_error *err = NULL;
	struct gh_dcapture_vec captures = {0};

	if (rt->dwarf)
		err = gh_dwarf_captures(rt->dwarf, pc - rt->target->exe_bias, &captures);
	for (size_t i = 0; !err && i < captures.len; i++) {
		const struct gh_dcapture *c = &captures.data[i];
		const struct gh_dtype_info *info = gh_dwarf_type(rt->dwarf, c->type);

		if (c->offset <= bytes && info->size <= bytes - c->offset)
			fill_capture(r, node, c, (struct gh_value_depth){1, r->limits.follow});
	}
	gh_dcapture_vec_deinit(&captures);
	if (!node->children && bytes > 8)
		fill_words(r, node, bytes);
}

static void fill_closure(struct gh_value_reader *r, struct gh_value *node, gh_addr pc,
			 uint64_t bytes)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	node->kind = GH_KIND_FUNC;
	if (gh_value_code(r->types, pc, &sb))
		gh_value_set_text(r, node, &sb);
	fill_captures(r, node, pc, bytes);
}

static void fill_array_place(struct gh_value_reader *r, struct gh_value *node,
			     struct gh_gotype type, uint64_t bytes)
{
	struct gh_gotype_info info;

	if (!gh_gotype_read(r->types, type, &info) || !info.size)
		return;
	if (info.kind == GH_KIND_UINT8)
		fill_bytes(r, node, bytes, false);
	else
		gh_value_fill_elements(r, node, node->addr, type, bytes / info.size,
				       (struct gh_value_depth){0, r->limits.follow});
}

static void fill_place(struct gh_value_reader *r, struct gh_value *node,
		       const struct gh_value_place *place, const struct gh_type *type)
{
	struct gh_gotype gotype = gh_gotype_of(r->types, place->type);
	struct gh_value_depth depth = {0, r->limits.follow};

	switch ((enum gh_shape)type->shape) {
	case GH_SHAPE_VALUE:
	case GH_SHAPE_DWARF:
	case GH_SHAPE_TRIE_NODE:
		if (place->is_array)
			fill_array_place(r, node, gotype, place->bytes);
		else
			gh_value_fill(r, node, gotype, depth);
		break;
	case GH_SHAPE_CHAN_BUFFER:
		fill_array_place(r, node, gh_gotype_of(r->types, (gh_type_id)type->source),
				 place->bytes);
		break;
	case GH_SHAPE_STRING:
		fill_bytes(r, node, place->bytes, true);
		break;
	case GH_SHAPE_CLOSURE:
		fill_closure(r, node, type->source, place->bytes);
		break;
	case GH_SHAPE_CHAN:
		gh_value_fill_chan(r, node, place->addr,
				   gh_gotype_of(r->types, (gh_type_id)type->source), depth);
		break;
	case GH_SHAPE_MAP:
		gh_value_fill_map(r, node, place->addr, type->source, depth);
		break;
	case GH_SHAPE_GROUPS:
		gh_value_fill_groups(r, node, place->addr, type->source, place->bytes, depth);
		break;
	case GH_SHAPE_TABLE:
		gh_value_fill_table(r, node, place->addr, type->source, depth);
		break;
	case GH_SHAPE_DIRECTORY:
	case GH_SHAPE_MAP_EXTRA:
	case GH_SHAPE_OVERFLOW:
	case GH_SHAPE_OVERFLOWS:
	case GH_SHAPE_USER_ARENA:
	case GH_SHAPES:
		fill_words(r, node, place->bytes);
		break;
	}
}

struct gh_value *gh_value_read(struct gh_value_reader *r, const struct gh_value_place *place)
{
	struct gh_value *root = gh_value_add(r, NULL);
	struct gh_type type;

	if (!root)
		return NULL;
	root->addr = place->addr;
	if (!place->type) {
		fill_words(r, root, place->bytes);
	} else {
		type = *gh_types_get(r->types, place->type);
		fill_place(r, root, place, &type);
		if (!root->type || place->is_array)
			root->type = gh_types_name(r->types, place->type);
	}
	return r->nomem ? NULL : root;
}

/* An interface that holds what only its parts tell: behind the type's name. */
static bool is_dynamic_whole(const struct gh_value *value)
{
	const struct gh_value *held = value->children;

	return value->kind == GH_KIND_INTERFACE && held && !held->text &&
	       (held->kind == GH_KIND_STRUCT || held->kind == GH_KIND_ARRAY);
}

static void print(const struct gh_value *value, size_t max, struct gh_strbuf *sb)
{
	bool is_struct = value->kind == GH_KIND_STRUCT;

	if (!value->children || value->kind == GH_KIND_INTERFACE ||
	    value->kind == GH_KIND_POINTER) {
		gh_strbuf_puts(sb, value->text ? value->text : "…");
		if (is_dynamic_whole(value))
			print(value->children, max, sb);
		return;
	}
	gh_strbuf_putc(sb, is_struct ? '{' : '[');
	for (const struct gh_value *v = value->children; v && sb->len <= max; v = v->next) {
		if (v != value->children)
			gh_strbuf_puts(sb, ", ");
		if (is_struct && v->name)
			gh_strbuf_printf(sb, "%s: ", v->name + 1);
		else if (value->kind == GH_KIND_MAP && v->name)
			gh_strbuf_printf(sb, "%s: ", v->name);
		print(v, max, sb);
	}
	if (value->more)
		gh_strbuf_puts(sb, ", …");
	gh_strbuf_putc(sb, is_struct ? '}' : ']');
}

void gh_value_print(const struct gh_value *value, size_t max, struct gh_strbuf *sb)
{
	_cleanup_strbuf_ struct gh_strbuf all = {0};
	size_t n;

	print(value, max, &all);
	n = gh_text_cut(gh_strbuf_str(&all), all.len, max);
	gh_strbuf_add(sb, gh_strbuf_str(&all), n);
	if (n < all.len)
		gh_strbuf_puts(sb, "…");
	sb->failed |= all.failed;
}

void gh_value_brief(struct gh_types *types, struct gh_gotype type, gh_addr addr, size_t max,
		    bool no_data, struct gh_strbuf *sb)
{
	struct gh_arena arena = {0};
	struct gh_value_reader r = {
		.types = types,
		.arena = &arena,
		.limits = {.elements = 4,
			   .nodes = 24,
			   .text = (uint32_t)gh_min_u64(max, UINT32_MAX - 8),
			   .no_data = no_data},
	};
	const struct gh_value *value = gh_value_read_typed(&r, addr, type);

	if (value)
		gh_value_print(value, max, sb);
	gh_arena_deinit(&arena);
}
