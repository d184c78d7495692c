// SPDX-License-Identifier: Apache-2.0
// What a place inside a value is called: ".conn.buf", "[3].key". See types.h.
#include "base/cleanup.h"
#include "graph/gotype.h"
#include "graph/types_table.h"

enum { MAX_DEPTH = 32 };

/* The field that holds the byte; false: padding, or nothing that can be read. */
static bool field_at(const struct gh_types *types, struct gh_gotype type, uint64_t n,
		     uint64_t offset, struct gh_gofield *ret)
{
	struct gh_gotype_info info;
	struct gh_gofield field;
	bool found = false;

	for (uint64_t i = 0; i < n; i++)
		if (gh_gotype_field(types, type, i, &field) && field.offset <= offset &&
		    gh_gotype_read(types, field.type, &info) && offset - field.offset < info.size) {
			*ret = field;
			found = true;
		}
	return found;
}

/* The innermost named place that holds the word at `offset`. */
static void of_gotype(const struct gh_types *types, struct gh_gotype type, uint64_t offset,
		      int depth, struct gh_strbuf *sb)
{
	struct gh_gotype_info info, elem;
	struct gh_gofield field;

	if (depth > MAX_DEPTH || !gh_gotype_read(types, type, &info) || offset >= info.size)
		return;
	if (info.kind == GH_KIND_ARRAY && gh_gotype_read(types, info.elem, &elem) && elem.size) {
		gh_strbuf_printf(sb, "[%llu]", (unsigned long long)(offset / elem.size));
		of_gotype(types, info.elem, offset % elem.size, depth + 1, sb);
	} else if (info.kind == GH_KIND_STRUCT &&
		   field_at(types, type, info.nfields, offset, &field)) {
		gh_strbuf_puts(sb, ".");
		gh_strbuf_add(sb, field.name, field.name_len);
		of_gotype(types, field.type, offset - field.offset, depth + 1, sb);
	}
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
			of_gotype(types, gh_gotype_of_dwarf(types, in.type), offset - in.offset, 0,
				  sb);
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
		of_gotype(types, (struct gh_gotype){.rtype = type->source}, offset, 0, sb);
		break;
	case GH_SHAPE_DWARF:
		of_gotype(types, gh_gotype_of_dwarf(types, (gh_dtype)type->source), offset, 0, sb);
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
