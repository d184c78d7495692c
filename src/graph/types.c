// SPDX-License-Identifier: Apache-2.0
// The table of types and their names. What a type's words are: typeshape.c. See types.h.
#include "graph/types_table.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/goname.h"

enum { FIRST_BUCKETS = 1 << 12 };

struct gh_error *gh_types_create(const struct gh_runtime *rt, struct gh_types **ret)
{
	struct gh_types *types = calloc(1, sizeof(*types));

	if (!types)
		return gh_error_nomem();
	types->rt = rt;
	types->nbuckets = FIRST_BUCKETS;
	types->buckets = gh_alloc_array(types->nbuckets, sizeof(*types->buckets));
	if (!types->buckets ||
	    !gh_type_vec_push(&types->all, (struct gh_type){.name = "unknown"})) {
		gh_types_destroy(types);
		return gh_error_nomem();
	}
	*ret = types;
	return NULL;
}

void gh_types_destroy(struct gh_types *types)
{
	if (!types)
		return;
	free(types->buckets);
	free(types->named);
	gh_trie_vec_deinit(&types->tries);
	gh_closure_struct_vec_deinit(&types->closures);
	gh_type_vec_deinit(&types->all);
	gh_arena_deinit(&types->arena);
	free(types);
}

const struct gh_type *gh_types_get(const struct gh_types *types, gh_type_id id)
{
	return &types->all.data[id];
}

size_t gh_types_count(const struct gh_types *types)
{
	return types->all.len;
}

static size_t hash(uint64_t source, enum gh_shape shape)
{
	return (size_t)(((source ^ (uint64_t)shape << 56) * 0x9e3779b97f4a7c15ULL) >> 20);
}

/* Where the type stands or would stand in the table. */
static size_t bucket_of(const struct gh_types *types, uint64_t source, enum gh_shape shape)
{
	size_t mask = types->nbuckets - 1, i = hash(source, shape) & mask;

	for (gh_type_id id; (id = types->buckets[i]) != 0; i = (i + 1) & mask)
		if (types->all.data[id].source == source && types->all.data[id].shape == shape)
			break;
	return i;
}

static bool grow(struct gh_types *types)
{
	size_t n = types->nbuckets * 2;
	gh_type_id *buckets = gh_alloc_array(n, sizeof(*buckets)), *old = types->buckets;

	if (!buckets)
		return false;
	types->buckets = buckets;
	types->nbuckets = n;
	for (gh_type_id id = 1; id < types->all.len; id++)
		buckets[bucket_of(types, types->all.data[id].source, types->all.data[id].shape)] =
			id;
	free(old);
	return true;
}

gh_type_id gh_types_find(const struct gh_types *types, uint64_t source, enum gh_shape shape)
{
	return types->buckets[bucket_of(types, source, shape)];
}

gh_type_id gh_types_add(struct gh_types *types, const struct gh_type *type)
{
	gh_type_id id = (gh_type_id)types->all.len;

	if (id >= GH_TYPES_MAX || (id * 2 > types->nbuckets && !grow(types)) ||
	    !gh_type_vec_push(&types->all, *type))
		return 0;
	types->buckets[bucket_of(types, type->source, type->shape)] = id;
	return id;
}

/* Go prints "chan T" for the channel itself, whatever the direction of the type that led to it. */
static void name_of_elem(struct gh_types *types, const char *before, gh_type_id elem,
			 const char *after, struct gh_strbuf *sb)
{
	gh_strbuf_puts(sb, before);
	gh_strbuf_puts(sb, gh_types_name(types, elem));
	gh_strbuf_puts(sb, after);
}

static void append_name(struct gh_types *types, const struct gh_type *type, struct gh_strbuf *sb)
{
	const struct gh_runtime *rt = types->rt;
	struct gh_func func;
	const char *name;

	switch ((enum gh_shape)type->shape) {
	case GH_SHAPE_VALUE:
		if (gh_rtype_is_group(rt, type->source)) {
			gh_rtype_group_name(rt, type->source, sb);
			gh_strbuf_puts(sb, " groups");
		} else {
			gh_rtype_name(rt, type->source, sb);
		}
		break;
	case GH_SHAPE_DWARF:
		gh_strbuf_puts(sb, gh_dwarf_type(rt->dwarf, (gh_dtype)type->source)->name);
		break;
	case GH_SHAPE_STRING:
		gh_strbuf_puts(sb, "string");
		break;
	case GH_SHAPE_TRIE_NODE:
		gh_rtype_name(rt, type->source, sb);
		break;
	case GH_SHAPE_CLOSURE:
		name = gh_func_find(rt, type->source, &func) ? gh_func_name(rt, &func) : NULL;
		gh_strbuf_puts(sb, "func ");
		gh_goname_add(sb, name ? name : "?");
		break;
	case GH_SHAPE_CHAN:
		name_of_elem(types, "chan ", (gh_type_id)type->source, "", sb);
		break;
	case GH_SHAPE_CHAN_BUFFER:
		name_of_elem(types, "chan ", (gh_type_id)type->source, " buffer", sb);
		break;
	case GH_SHAPE_MAP:
		gh_rtype_group_name(rt, type->source, sb);
		break;
	case GH_SHAPE_GROUPS:
		gh_rtype_group_name(rt, type->source, sb);
		gh_strbuf_puts(sb, rt->map_kind == GH_MAP_HMAP ? " buckets" : " groups");
		break;
	case GH_SHAPE_TABLE:
		gh_rtype_group_name(rt, type->source, sb);
		gh_strbuf_puts(sb, " tables");
		break;
	case GH_SHAPE_DIRECTORY:
		gh_rtype_group_name(rt, type->source, sb);
		gh_strbuf_puts(sb, " directory");
		break;
	case GH_SHAPE_MAP_EXTRA:
		gh_strbuf_puts(sb, "runtime.mapextra");
		break;
	case GH_SHAPE_OVERFLOW:
	case GH_SHAPE_OVERFLOWS:
		gh_strbuf_puts(sb, "[]*runtime.bmap");
		break;
	case GH_SHAPE_USER_ARENA:
		gh_strbuf_puts(sb, "user arena chunk");
		break;
	case GH_SHAPES:
		break;
	}
}

const char *gh_types_name(struct gh_types *types, gh_type_id id)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	struct gh_type copy;

	if (id == 0 || id >= types->all.len)
		return "unknown";
	if (types->all.data[id].name)
		return types->all.data[id].name;
	types->all.data[id].name = "?"; // a name that leads to itself ends here
	copy = types->all.data[id];
	append_name(types, &copy, &sb);
	types->all.data[id].name = gh_arena_strndup(&types->arena, gh_strbuf_str(&sb), sb.len);
	if (!types->all.data[id].name || !gh_strbuf_ok(&sb))
		types->all.data[id].name = "?";
	return types->all.data[id].name;
}

gh_type_id gh_types_of_rtype(struct gh_types *types, gh_addr rtype)
{
	gh_type_id id = gh_types_find(types, rtype, GH_SHAPE_VALUE);
	struct gh_rtype t;

	if (id || !rtype)
		return id;
	// a kind of 0 is a mask without a type (go1.22 and go1.23: unrolled GC programs)
	if (!gh_rtype_read(types->rt, rtype, &t) || t.kind == GH_KIND_INVALID)
		return 0;
	return gh_types_add(types, &(struct gh_type){
					   .size = t.size,
					   .nwords = t.ptr_bytes / 8,
					   .source = rtype,
					   .shape = GH_SHAPE_VALUE,
					   .kind = t.kind,
				   });
}

gh_type_id gh_types_string(struct gh_types *types)
{
	gh_type_id id = gh_types_find(types, 1, GH_SHAPE_STRING);

	return id ? id
		  : gh_types_add(types, &(struct gh_type){.source = 1,
							  .shape = GH_SHAPE_STRING,
							  .tiles = true});
}

gh_type_id gh_types_user_arena(struct gh_types *types)
{
	gh_type_id id = gh_types_find(types, 1, GH_SHAPE_USER_ARENA);

	return id ? id
		  : gh_types_add(types, &(struct gh_type){.source = 1,
							  .shape = GH_SHAPE_USER_ARENA,
							  .tiles = true});
}

gh_type_id gh_types_closure(struct gh_types *types, const struct gh_closure_object *object)
{
	gh_type_id id = gh_types_find(types, object->pc, GH_SHAPE_CLOSURE);
	struct gh_func func;

	if (id || !gh_func_find(types->rt, object->pc, &func) || func.entry != object->pc)
		return id;
	id = gh_types_add(
		types,
		&(struct gh_type){.source = object->pc, .shape = GH_SHAPE_CLOSURE, .tiles = true});
	if (id)
		gh_types_lay_out_closure(types, id, object);
	return id;
}

static gh_type_id of_elem(struct gh_types *types, gh_type_id elem, enum gh_shape shape,
			  struct gh_type type)
{
	gh_type_id id;

	if (!elem)
		return 0;
	id = gh_types_find(types, elem, shape);
	if (id)
		return id;
	type.source = elem;
	type.shape = (uint8_t)shape;
	type.tiles = true;
	return gh_types_add(types, &type);
}

gh_type_id gh_types_chan(struct gh_types *types, gh_type_id elem)
{
	int32_t size = types->rt->layout.struct_size[GH_S_hchan];

	// an hchan whose elements have no pointers carries its buffer behind it: any size
	return of_elem(types, elem, GH_SHAPE_CHAN,
		       (struct gh_type){.nwords = size > 0 ? (uint64_t)size / 8 : 0});
}

gh_type_id gh_types_chan_buffer(struct gh_types *types, gh_type_id elem)
{
	const struct gh_type *t = &types->all.data[elem];

	return of_elem(types, elem, GH_SHAPE_CHAN_BUFFER,
		       (struct gh_type){.size = t->size, .nwords = t->nwords, .kind = t->kind});
}

bool gh_types_is_group(const struct gh_types *types, gh_addr rtype)
{
	return gh_types_find(types, rtype, GH_SHAPE_GROUPS) || gh_rtype_is_group(types->rt, rtype);
}

static uint64_t layout_size(const struct gh_types *types, enum gh_layout_struct s)
{
	int32_t size = types->rt->layout.struct_size[s];

	return size > 0 ? (uint64_t)size : 0;
}

gh_type_id gh_types_map_part(struct gh_types *types, gh_addr group, enum gh_shape part)
{
	bool swiss = types->rt->map_kind != GH_MAP_HMAP;
	gh_type_id id = gh_types_find(types, group, part);
	struct gh_type type = {.source = group, .shape = (uint8_t)part, .kind = GH_KIND_STRUCT};
	struct gh_rtype t;

	if (id || !group ||
	    !gh_rtype_read(types->rt, gh_map_allocated_as(types->rt, group), &t) ||
	    t.kind != GH_KIND_STRUCT)
		return id;
	switch (part) {
	case GH_SHAPE_MAP:
		type.size = layout_size(types, swiss ? GH_S_Map : GH_S_hmap);
		break;
	case GH_SHAPE_TABLE:
		type.size = layout_size(types, GH_S_table);
		break;
	case GH_SHAPE_MAP_EXTRA:
		type.size = layout_size(types, GH_S_mapextra);
		break;
	case GH_SHAPE_OVERFLOW:
		type.size = 24;
		break;
	case GH_SHAPE_DIRECTORY:
	case GH_SHAPE_OVERFLOWS:
		type.size = 8;
		type.tiles = true;
		break;
	default: // groups
		type.size = t.size;
		type.tiles = true;
		break;
	}
	type.nwords = part == GH_SHAPE_GROUPS ? t.ptr_bytes / 8 : type.size / 8;
	return gh_types_add(types, &type);
}

bool gh_types_begins_with(const struct gh_types *types, gh_type_id outer, gh_type_id inner)
{
	enum { MAX_STEPS = 8 }; // from a struct to the innermost first field
	const struct gh_type *in = &types->all.data[inner], *out = &types->all.data[outer];
	gh_addr at = out->source;

	if ((in->shape != GH_SHAPE_VALUE && in->shape != GH_SHAPE_TRIE_NODE) ||
	    out->shape != GH_SHAPE_VALUE)
		return false;
	for (int i = 0; i < MAX_STEPS; i++) {
		struct gh_rfield field;
		struct gh_rtype t;

		if (!gh_rtype_read(types->rt, at, &t))
			return false;
		if (t.kind == GH_KIND_ARRAY && t.len)
			at = t.elem;
		else if (t.kind == GH_KIND_STRUCT && gh_rtype_field(types->rt, &t, 0, &field))
			at = field.type;
		else
			return false;
		if (at == in->source)
			return true;
	}
	return false;
}

/* One struct like the other, tags and the exported names' packages aside (spec: Conversions). */
static bool same_fields(const struct gh_runtime *rt, const struct gh_rtype *a,
			const struct gh_rtype *b)
{
	if (a->nfields != b->nfields)
		return false;
	for (uint64_t i = 0; i < a->nfields; i++) {
		struct gh_rfield x, y;

		if (!gh_rtype_field(rt, a, i, &x) || !gh_rtype_field(rt, b, i, &y) ||
		    x.type != y.type || x.offset != y.offset)
			return false;
	}
	return true;
}

/* Do both say the same of every word? Edges of the words that only one has must say nothing. */
static bool same_words(struct gh_types *types, gh_type_id a, gh_type_id b)
{
	const struct gh_edge *x = gh_types_edges(types, a), *y = gh_types_edges(types, b);
	uint64_t nx = x ? types->all.data[a].nwords : 0, ny = y ? types->all.data[b].nwords : 0;

	if (!x || !y)
		return false;
	for (uint64_t i = 0; i < gh_max_u64(nx, ny); i++) {
		struct gh_edge ex = i < nx ? x[i] : (struct gh_edge){0};
		struct gh_edge ey = i < ny ? y[i] : (struct gh_edge){0};

		if (ex.kind != ey.kind || ex.type != ey.type)
			return false;
	}
	return true;
}

bool gh_types_same_underlying(struct gh_types *types, gh_type_id a, gh_type_id b)
{
	struct gh_type ta = types->all.data[a], tb = types->all.data[b];
	bool is_value = ta.shape == GH_SHAPE_VALUE || ta.shape == GH_SHAPE_DWARF;
	struct gh_rtype x, y;

	if (!is_value || (tb.shape != GH_SHAPE_VALUE && tb.shape != GH_SHAPE_DWARF) ||
	    ta.size != tb.size || ta.kind != tb.kind)
		return false;
	if (ta.shape == GH_SHAPE_DWARF || tb.shape == GH_SHAPE_DWARF)
		return same_words(types, a, b); // nobody allocates such a type by its name
	return gh_rtype_read(types->rt, ta.source, &x) && gh_rtype_read(types->rt, tb.source, &y) &&
	       x.ptr_bytes == y.ptr_bytes && x.elem == y.elem && x.key == y.key && x.len == y.len &&
	       (x.kind != GH_KIND_STRUCT || same_fields(types->rt, &x, &y));
}
