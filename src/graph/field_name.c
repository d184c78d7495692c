// SPDX-License-Identifier: Apache-2.0
// What a place inside a value is called: ".conn.buf", "[3].key". See types.h.
#include "base/cleanup.h"
#include "graph/types_table.h"

enum { MAX_DEPTH = 32 };

/* The innermost named place that holds the word at `offset` of a type with a descriptor. */
static void of_rtype(const struct gh_types *types, gh_addr rtype, uint64_t offset, int depth,
		     struct gh_strbuf *sb)
{
	struct gh_rfield field, in = {0};
	struct gh_rtype t, elem;
	const char *name;
	uint64_t len;

	if (depth > MAX_DEPTH || !gh_rtype_read(types->rt, rtype, &t) || offset >= t.size)
		return;
	if (t.kind == GH_KIND_ARRAY && gh_rtype_read(types->rt, t.elem, &elem) && elem.size) {
		gh_strbuf_printf(sb, "[%llu]", (unsigned long long)(offset / elem.size));
		of_rtype(types, t.elem, offset % elem.size, depth + 1, sb);
		return;
	}
	if (t.kind != GH_KIND_STRUCT)
		return;
	for (uint64_t i = 0; i < t.nfields && gh_rtype_field(types->rt, &t, i, &field); i++)
		if (field.offset <= offset && gh_rtype_read(types->rt, field.type, &elem) &&
		    offset - field.offset < elem.size)
			in = field;
	name = in.type ? gh_rtype_name_text(types->rt, in.name, &len) : NULL;
	if (!name)
		return;
	gh_strbuf_puts(sb, ".");
	gh_strbuf_add(sb, name, len);
	of_rtype(types, in.type, offset - in.offset, depth + 1, sb);
}

static void of_dwarf(const struct gh_types *types, gh_dtype type, uint64_t offset, int depth,
		     struct gh_strbuf *sb)
{
	struct gh_dwarf *dwarf = types->rt->dwarf;
	const struct gh_dtype_info *info = gh_dwarf_type(dwarf, type);
	gh_dtype elem = info ? info->elem : 0;
	gh_addr rtype = gh_types_dwarf_rtype(types, type);
	struct gh_dfield in = {0};
	uint64_t size;

	if (rtype) {
		of_rtype(types, rtype, offset, depth, sb);
		return;
	}
	if (depth > MAX_DEPTH || !info || offset >= info->size)
		return;
	if (info->kind == GH_DK_ARRAY && elem && info->count) {
		size = gh_max_u64(gh_dwarf_type(dwarf, elem)->size, 1);
		gh_strbuf_printf(sb, "[%llu]", (unsigned long long)(offset / size));
		of_dwarf(types, elem, offset % size, depth + 1, sb);
		return;
	}
	if (info->kind != GH_DK_STRUCT || info->go_kind == GH_KIND_STRING ||
	    info->go_kind == GH_KIND_SLICE || info->go_kind == GH_KIND_INTERFACE)
		return;
	for (uint32_t i = 0; i < info->nfields; i++)
		if (info->fields[i].offset <= offset)
			in = info->fields[i];
	if (!in.type)
		return;
	gh_strbuf_printf(sb, ".%s", in.name);
	of_dwarf(types, in.type, offset - in.offset, depth + 1, sb);
}

/* The field that the runtime's struct of that name has at the offset. */
static void of_layout(const struct gh_types *types, const char *struct_name, uint64_t offset,
		      struct gh_strbuf *sb)
{
	for (int f = 0; f < GH_F_COUNT; f++) {
		struct gh_layout_name name = gh_layout_field_name((enum gh_layout_field)f);

		if (gh_has(&types->rt->layout, (enum gh_layout_field)f) &&
		    (uint64_t)types->rt->layout.offset[f] == offset &&
		    strcmp(name.type, struct_name) == 0) {
			gh_strbuf_printf(sb, ".%s", name.path);
			return;
		}
	}
}

static void of_closure(const struct gh_types *types, gh_addr pc, uint64_t offset,
		       struct gh_strbuf *sb)
{
	struct gh_dcapture_vec captures = {0};
	struct gh_dcapture in = {0};
	_cleanup_error_ struct gh_error *err = NULL;

	if (types->rt->dwarf)
		err = gh_dwarf_captures(types->rt->dwarf, pc - types->rt->target->exe_bias,
					&captures);
	for (size_t i = 0; !err && i < captures.len; i++)
		if (captures.data[i].offset <= offset && captures.data[i].offset >= in.offset)
			in = captures.data[i];
	if (in.type) {
		gh_strbuf_printf(sb, ".%s", in.name);
		if (in.name[0] != '&')
			of_dwarf(types, in.type, offset - in.offset, 0, sb);
	}
	gh_dcapture_vec_deinit(&captures);
}

static void of_value(const struct gh_types *types, const struct gh_type *type, uint64_t offset,
		     struct gh_strbuf *sb)
{
	bool swiss = types->rt->map_kind != GH_MAP_HMAP;

	switch ((enum gh_shape)type->shape) {
	case GH_SHAPE_VALUE:
	case GH_SHAPE_GROUPS:
	case GH_SHAPE_TRIE_NODE:
		of_rtype(types, type->source, offset, 0, sb);
		break;
	case GH_SHAPE_DWARF:
		of_dwarf(types, (gh_dtype)type->source, offset, 0, sb);
		break;
	case GH_SHAPE_CHAN_BUFFER:
		of_value(types, &types->all.data[type->source], offset, sb);
		break;
	case GH_SHAPE_CLOSURE:
		of_closure(types, type->source, offset, sb);
		break;
	case GH_SHAPE_CHAN:
		of_layout(types, "runtime.hchan", offset, sb);
		break;
	case GH_SHAPE_MAP:
		of_layout(types, swiss ? "internal/runtime/maps.Map" : "runtime.hmap", offset, sb);
		break;
	case GH_SHAPE_TABLE:
		of_layout(types, "internal/runtime/maps.table", offset, sb);
		break;
	case GH_SHAPE_MAP_EXTRA:
		of_layout(types, "runtime.mapextra", offset, sb);
		break;
	case GH_SHAPE_STRING:
	case GH_SHAPE_DIRECTORY:
	case GH_SHAPE_OVERFLOW:
	case GH_SHAPE_OVERFLOWS:
	case GH_SHAPE_USER_ARENA:
	case GH_SHAPES:
		break;
	}
}

void gh_types_field_name(const struct gh_types *types, gh_type_id id, bool is_array,
			 uint64_t offset, struct gh_strbuf *sb)
{
	const struct gh_type *type = &types->all.data[id];
	uint64_t n = type->size ? offset / type->size : 0;

	if (is_array || (type->tiles && type->size)) {
		gh_strbuf_printf(sb, "[%llu]", (unsigned long long)n);
		offset -= n * type->size;
	}
	of_value(types, type, offset, sb);
}
