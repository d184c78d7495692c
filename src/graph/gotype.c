// SPDX-License-Identifier: Apache-2.0
// See gotype.h.
#include "graph/gotype.h"

#include "graph/types_table.h"

static struct gh_gotype of_rtype(gh_addr rtype)
{
	return (struct gh_gotype){.rtype = rtype};
}

struct gh_gotype gh_gotype_of_dwarf(const struct gh_types *types, gh_dtype type)
{
	gh_addr rtype = type && types->rt->dwarf ? gh_types_dwarf_rtype(types, type) : 0;

	return rtype ? of_rtype(rtype) : (struct gh_gotype){.dwarf = type};
}

struct gh_gotype gh_gotype_of(const struct gh_types *types, gh_type_id id)
{
	const struct gh_type *type = &types->all.data[id];

	if (type->shape == GH_SHAPE_DWARF)
		return gh_gotype_of_dwarf(types, (gh_dtype)type->source);
	if (type->shape == GH_SHAPE_VALUE || type->shape == GH_SHAPE_TRIE_NODE)
		return of_rtype(type->source);
	return (struct gh_gotype){0};
}

static bool read_rtype(const struct gh_types *types, gh_addr rtype, struct gh_gotype_info *ret)
{
	struct gh_rtype t;

	if (!gh_rtype_read(types->rt, rtype, &t) || t.kind == GH_KIND_INVALID)
		return false;
	*ret = (struct gh_gotype_info){
		.kind = (enum gh_kind)t.kind,
		.size = t.size,
		.len = t.len,
		.nfields = t.nfields,
		.elem = of_rtype(t.elem),
		.key = of_rtype(t.key),
		.group = t.group,
		.is_direct = t.is_direct,
		.has_methods = t.kind == GH_KIND_INTERFACE && gh_rtype_has_methods(types->rt, rtype),
	};
	return true;
}

/* Go's compiler gives each type its kind; what C left behind has none. */
static bool read_dwarf(const struct gh_types *types, gh_dtype type, struct gh_gotype_info *ret)
{
	const struct gh_dtype_info *info = gh_dwarf_type(types->rt->dwarf, type);

	if (!info->go_kind || info->go_kind >= GH_KIND_COUNT)
		return false;
	*ret = (struct gh_gotype_info){
		.kind = (enum gh_kind)info->go_kind,
		.size = info->size,
		.len = info->count,
		.nfields = info->go_kind == GH_KIND_STRUCT ? info->nfields : 0,
		.elem = gh_gotype_of_dwarf(types, info->elem),
		.key = gh_gotype_of_dwarf(types, info->key),
		.has_methods = info->nfields && !strcmp(info->fields[0].name, "tab"),
	};
	return true;
}

bool gh_gotype_read(const struct gh_types *types, struct gh_gotype type, struct gh_gotype_info *ret)
{
	if (type.rtype)
		return read_rtype(types, type.rtype, ret);
	return type.dwarf && types->rt->dwarf && read_dwarf(types, type.dwarf, ret);
}

static bool field_of_rtype(const struct gh_types *types, gh_addr rtype, uint64_t i,
			   struct gh_gofield *ret)
{
	struct gh_rfield field;
	struct gh_rtype t;

	if (!gh_rtype_read(types->rt, rtype, &t) || t.kind != GH_KIND_STRUCT ||
	    !gh_rtype_field(types->rt, &t, i, &field))
		return false;
	ret->name = gh_rtype_name_text(types->rt, field.name, &ret->name_len);
	ret->offset = field.offset;
	ret->type = of_rtype(field.type);
	return ret->name != NULL;
}

static bool field_of_dwarf(const struct gh_types *types, gh_dtype type, uint64_t i,
			   struct gh_gofield *ret)
{
	const struct gh_dtype_info *info = gh_dwarf_type(types->rt->dwarf, type);
	const struct gh_dfield *field;

	if (i >= info->nfields)
		return false;
	field = &info->fields[i];
	ret->name = field->name;
	ret->name_len = strlen(field->name);
	ret->offset = field->offset;
	ret->type = gh_gotype_of_dwarf(types, field->type);
	return true;
}

bool gh_gotype_field(const struct gh_types *types, struct gh_gotype type, uint64_t i,
		     struct gh_gofield *ret)
{
	struct gh_gotype_info outer, inner;

	if (!gh_gotype_read(types, type, &outer) || i >= outer.nfields ||
	    !(type.rtype ? field_of_rtype(types, type.rtype, i, ret)
			 : field_of_dwarf(types, type.dwarf, i, ret)))
		return false;
	return gh_gotype_read(types, ret->type, &inner) && ret->offset <= outer.size &&
	       inner.size <= outer.size - ret->offset;
}

bool gh_gotype_field_named(const struct gh_types *types, struct gh_gotype type, const char *name,
			   struct gh_gofield *ret)
{
	struct gh_gotype_info info;

	if (!gh_gotype_read(types, type, &info))
		return false;
	for (uint64_t i = 0; i < info.nfields; i++)
		if (gh_gotype_field(types, type, i, ret) && ret->name_len == strlen(name) &&
		    !memcmp(ret->name, name, ret->name_len))
			return true;
	return false;
}

const char *gh_gotype_name(struct gh_types *types, struct gh_gotype type)
{
	const char *name;
	struct gh_rtype t;
	gh_type_id id;

	if (type.rtype && gh_rtype_read(types->rt, type.rtype, &t)) {
		id = gh_types_of_rtype(types, type.rtype);
		return id ? gh_types_name(types, id) : "?";
	}
	name = type.dwarf && types->rt->dwarf ? gh_dwarf_type(types->rt->dwarf, type.dwarf)->name
					      : NULL;
	return name && *name ? name : "unknown";
}
