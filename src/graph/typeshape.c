// SPDX-License-Identifier: Apache-2.0
// What each word of a type points to. Shapes that only the runtime knows mirror runtime/chan.go,
// runtime/map.go (go1.22, go1.23) and internal/runtime/maps (go1.24+). See types.h.
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/goname.h"
#include "graph/types_table.h"

enum {
	MAX_WORDS = 1 << 20,	    // of one type
	MAX_TOTAL_WORDS = 64 << 20, // of all types
	MAX_DEPTH = 32,		    // of nested structs and arrays
	MAX_STEPS = 4 << 20,	    // of one layout: arrays of empty structs have no words
};

/* One layout in the making: words [0, n). */
struct layout {
	struct gh_types *types;
	struct gh_edge *edges;
	uint64_t n;
	uint64_t steps;
};

static void set(struct layout *l, uint64_t offset, enum gh_edge_kind kind, gh_type_id type)
{
	if (offset / 8 < l->n && offset % 8 == 0)
		l->edges[offset / 8] = (struct gh_edge){
			.type = type,
			.kind = type || kind == GH_EDGE_STRING || kind == GH_EDGE_FUNC ||
						kind == GH_EDGE_EFACE || kind == GH_EDGE_IFACE ||
						kind == GH_EDGE_REFLECT
					? kind
					: GH_EDGE_UNKNOWN};
}

static void set_field(struct layout *l, enum gh_layout_field field, uint64_t base,
		      enum gh_edge_kind kind, gh_type_id type)
{
	const struct gh_layout *layout = &l->types->rt->layout;

	if (gh_has(layout, field))
		set(l, base + (uint64_t)layout->offset[field], kind, type);
}

/* A pointer to a value without bytes (runtime.zerobase, an empty struct) says nothing. */
static gh_type_id pointee(struct gh_types *types, gh_addr rtype)
{
	gh_type_id id = gh_types_of_rtype(types, rtype);

	return id && types->all.data[id].size ? gh_types_behind(types, id) : 0;
}

static struct gh_edge map_edge(struct gh_types *types, gh_addr group)
{
	gh_type_id id = gh_types_map_part(types, group, GH_SHAPE_MAP);

	return (struct gh_edge){.type = id, .kind = id ? GH_EDGE_POINTER : GH_EDGE_UNKNOWN};
}

static struct gh_edge chan_edge(struct gh_types *types, gh_type_id elem)
{
	gh_type_id id = gh_types_chan(types, elem);

	return (struct gh_edge){.type = id, .kind = id ? GH_EDGE_ARRAY : GH_EDGE_UNKNOWN};
}

static void put_rtype(struct layout *l, gh_addr rtype, uint64_t offset, int depth);

static void repeat(struct layout *l, uint64_t first, uint64_t stride, uint64_t count)
{
	if (stride % 8)
		return;
	for (uint64_t i = 1; i < count; i++)
		for (uint64_t w = 0; w < stride / 8; w++) {
			uint64_t to = (first + i * stride) / 8 + w;

			if (to >= l->n)
				return;
			l->edges[to] = l->edges[first / 8 + w];
		}
}

static bool is_atomic_pointer(const char *name)
{
	static const char prefix[] = "sync/atomic.Pointer[";

	return strncmp(name, prefix, sizeof(prefix) - 1) == 0;
}

/*
 * sync/atomic.Pointer[T]: its first field, of type [0]*T, tells what the unsafe.Pointer behind it
 * points to. Others have such a field too and mean something else (weak.Pointer[T]: a handle).
 */
static gh_addr promised_pointee(const struct gh_runtime *rt, const struct gh_rtype *t)
{
	_cleanup_strbuf_ struct gh_strbuf name = {0};
	struct gh_rtype first, pointer;
	struct gh_rfield field;

	if (t->nfields < 2 || t->size != 8 || !gh_rtype_field(rt, t, 0, &field) ||
	    !gh_rtype_read(rt, field.type, &first) || first.kind != GH_KIND_ARRAY ||
	    first.len != 0 || !gh_rtype_read(rt, first.elem, &pointer) ||
	    pointer.kind != GH_KIND_POINTER)
		return 0;
	gh_rtype_name(rt, t->addr, &name);
	return is_atomic_pointer(gh_strbuf_str(&name)) ? pointer.elem : 0;
}

static void put_known_field(struct layout *l, const struct gh_rtype *t,
			    const struct gh_rfield *field, uint64_t offset)
{
	gh_type_id id = gh_types_of_rtype(l->types, t->addr);
	const char *struct_name = gh_types_name(l->types, id), *name;
	struct gh_edge edge;
	uint64_t len;

	name = gh_rtype_name_text(l->types->rt, field->name, &len);
	if (!name)
		return;
	edge = gh_types_known_field(l->types, struct_name, name, len);
	set(l, offset + field->offset, edge.kind, edge.type);
}

static void put_struct(struct layout *l, const struct gh_rtype *t, uint64_t offset, int depth)
{
	gh_addr promised = promised_pointee(l->types->rt, t);

	if (promised) {
		set(l, offset, GH_EDGE_POINTER, pointee(l->types, promised));
		return;
	}
	for (uint64_t i = 0; i < t->nfields; i++) {
		struct gh_rfield field;
		struct gh_rtype type;

		if (!gh_rtype_field(l->types->rt, t, i, &field) || field.offset >= t->size)
			continue;
		if (t->is_named && gh_rtype_read(l->types->rt, field.type, &type) &&
		    type.kind == GH_KIND_UNSAFE_POINTER)
			put_known_field(l, t, &field, offset);
		else
			put_rtype(l, field.type, offset + field.offset, depth + 1);
	}
}

static void put_rtype(struct layout *l, gh_addr rtype, uint64_t offset, int depth)
{
	struct gh_types *types = l->types;
	struct gh_rtype t, elem;
	struct gh_edge edge;

	if (depth > MAX_DEPTH || ++l->steps > MAX_STEPS || offset / 8 >= l->n ||
	    !gh_rtype_read(types->rt, rtype, &t) || t.ptr_bytes == 0)
		return;
	switch (t.kind) {
	case GH_KIND_POINTER:
		set(l, offset, GH_EDGE_POINTER, pointee(types, t.elem));
		break;
	case GH_KIND_FUNC:
		set(l, offset, GH_EDGE_FUNC, 0);
		break;
	case GH_KIND_MAP:
		edge = map_edge(types, t.group);
		set(l, offset, edge.kind, edge.type);
		break;
	case GH_KIND_CHAN:
		edge = chan_edge(types, gh_types_of_rtype(types, t.elem));
		set(l, offset, edge.kind, edge.type);
		break;
	case GH_KIND_STRING:
		set(l, offset, GH_EDGE_STRING, 0);
		break;
	case GH_KIND_SLICE:
		set(l, offset, GH_EDGE_SLICE, pointee(types, t.elem));
		break;
	case GH_KIND_INTERFACE:
		set(l, offset + 8, gh_rtype_has_methods(types->rt, rtype) ? GH_EDGE_IFACE : GH_EDGE_EFACE,
		    0);
		break;
	case GH_KIND_ARRAY:
		if (!t.len || !gh_rtype_read(types->rt, t.elem, &elem))
			break;
		put_rtype(l, t.elem, offset, depth + 1);
		repeat(l, offset, elem.size, t.len);
		break;
	case GH_KIND_STRUCT:
		put_struct(l, &t, offset, depth);
		break;
	default: // unsafe.Pointer
		break;
	}
}

static bool is_interface_with_methods(const struct gh_dtype_info *info)
{
	// a Go interface is a struct {_type or tab, data} in DWARF (runtime.eface, runtime.iface)
	return info->nfields && !strcmp(info->fields[0].name, "tab");
}

static void put_dwarf(struct layout *l, gh_dtype type, uint64_t offset, int depth);

/* promised_pointee by DWARF: a variable's atomic.Pointer[T] often has no descriptor. */
static gh_dtype promised_by_dwarf(struct gh_dwarf *dwarf, gh_dtype type)
{
	const struct gh_dtype_info *info = gh_dwarf_type(dwarf, type), *first;

	if (info->nfields < 2 || info->size != 8 || !is_atomic_pointer(info->name))
		return 0;
	first = gh_dwarf_type(dwarf, info->fields[0].type);
	if (!first || first->kind != GH_DK_ARRAY || first->count != 0)
		return 0;
	first = gh_dwarf_type(dwarf, first->elem);
	return first && first->kind == GH_DK_POINTER ? first->elem : 0;
}

static void put_dwarf_pointer(struct layout *l, uint64_t offset, gh_dtype elem)
{
	gh_type_id id = gh_types_of_dwarf(l->types, elem);

	set(l, offset, GH_EDGE_POINTER, id ? gh_types_behind(l->types, id) : 0);
}

static void put_dwarf_fields(struct layout *l, gh_dtype type, uint64_t offset, int depth)
{
	struct gh_dwarf *dwarf = l->types->rt->dwarf;
	gh_dtype promised = promised_by_dwarf(dwarf, type);
	const struct gh_dtype_info *info = gh_dwarf_type(dwarf, type);
	uint32_t n = info ? info->nfields : 0;

	if (promised) {
		put_dwarf_pointer(l, offset, promised);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct gh_dtype_info *inner;
		struct gh_dfield field;
		struct gh_edge edge;
		const char *name;

		info = gh_dwarf_type(dwarf, type);
		field = info->fields[i];
		name = info->name; // loading a field's type may move what info points to
		if (field.offset >= info->size)
			continue;
		inner = gh_dwarf_type(dwarf, field.type);
		if (!inner || inner->go_kind != GH_KIND_UNSAFE_POINTER) {
			put_dwarf(l, field.type, offset + field.offset, depth + 1);
			continue;
		}
		edge = gh_types_known_field(l->types, name, field.name, strlen(field.name));
		set(l, offset + field.offset, edge.kind, edge.type);
	}
}

static void put_dwarf(struct layout *l, gh_dtype type, uint64_t offset, int depth)
{
	struct gh_types *types = l->types;
	struct gh_dwarf *dwarf = types->rt->dwarf;
	const struct gh_dtype_info *info = gh_dwarf_type(dwarf, type);
	gh_addr rtype;
	gh_dtype elem;
	uint64_t count;
	struct gh_edge edge;

	if (depth > MAX_DEPTH || ++l->steps > MAX_STEPS || offset / 8 >= l->n || !info)
		return;
	rtype = gh_types_dwarf_rtype(types, type);
	if (rtype) {
		put_rtype(l, rtype, offset, depth);
		return;
	}
	elem = info->elem;
	switch (info->go_kind) {
	case GH_KIND_STRING:
		set(l, offset, GH_EDGE_STRING, 0);
		return;
	case GH_KIND_SLICE:
		set(l, offset, GH_EDGE_SLICE, gh_types_of_dwarf(types, elem));
		return;
	case GH_KIND_INTERFACE:
		set(l, offset + 8, is_interface_with_methods(info) ? GH_EDGE_IFACE : GH_EDGE_EFACE,
		    0);
		return;
	case GH_KIND_CHAN:
		edge = chan_edge(types, gh_types_of_dwarf(types, elem));
		set(l, offset, edge.kind, edge.type);
		return;
	case GH_KIND_FUNC:
		set(l, offset, GH_EDGE_FUNC, 0);
		return;
	case GH_KIND_MAP: // without its descriptor the shape of its groups is not known
	case GH_KIND_UNSAFE_POINTER:
		return;
	default:
		break;
	}
	switch (info->kind) {
	case GH_DK_POINTER:
		put_dwarf_pointer(l, offset, elem);
		break;
	case GH_DK_FUNC:
		set(l, offset, GH_EDGE_FUNC, 0);
		break;
	case GH_DK_STRUCT:
		put_dwarf_fields(l, type, offset, depth);
		break;
	case GH_DK_ARRAY:
		count = info->count;
		if (!count || !elem)
			break;
		put_dwarf(l, elem, offset, depth + 1);
		info = gh_dwarf_type(dwarf, elem);
		repeat(l, offset, info ? info->size : 0, count);
		break;
	default:
		break;
	}
}

/* hchan{…, buf, …, recvq, sendq, …} (runtime/chan.go). */
static void put_chan(struct layout *l, gh_type_id elem)
{
	gh_type_id buffer = gh_types_chan_buffer(l->types, elem);

	set_field(l, GH_F_hchan_buf, 0, GH_EDGE_ARRAY, buffer);
}

/* maps.Map and maps.table (internal/runtime/maps/map.go, table.go), hmap (runtime/map.go). */
static void put_map(struct layout *l, gh_addr group)
{
	gh_type_id groups = gh_types_map_part(l->types, group, GH_SHAPE_GROUPS);

	if (l->types->rt->map_kind != GH_MAP_HMAP) {
		set_field(l, GH_F_Map_dirPtr, 0, GH_EDGE_DIRECTORY, groups);
		return;
	}
	set_field(l, GH_F_hmap_buckets, 0, GH_EDGE_ARRAY, groups);
	set_field(l, GH_F_hmap_oldbuckets, 0, GH_EDGE_ARRAY, groups);
	set_field(l, GH_F_hmap_extra, 0, GH_EDGE_POINTER,
		  gh_types_map_part(l->types, group, GH_SHAPE_MAP_EXTRA));
}

static void put_table(struct layout *l, gh_addr group)
{
	const struct gh_layout *layout = &l->types->rt->layout;

	if (gh_has(layout, GH_F_table_groups))
		set_field(l, GH_F_groupsReference_data, (uint64_t)layout->offset[GH_F_table_groups],
			  GH_EDGE_ARRAY, gh_types_map_part(l->types, group, GH_SHAPE_GROUPS));
}

static void put_map_extra(struct layout *l, gh_addr group)
{
	gh_type_id slice = gh_types_map_part(l->types, group, GH_SHAPE_OVERFLOW);

	set_field(l, GH_F_mapextra_overflow, 0, GH_EDGE_POINTER, slice);
	set_field(l, GH_F_mapextra_oldoverflow, 0, GH_EDGE_POINTER, slice);
	set_field(l, GH_F_mapextra_nextOverflow, 0, GH_EDGE_ARRAY,
		  gh_types_map_part(l->types, group, GH_SHAPE_GROUPS));
}

/* The keys or the values of a bucket that says nothing of its fields. */
static void put_slots(struct layout *l, gh_addr type, bool is_pointer, uint64_t offset,
		      uint64_t stride)
{
	for (int i = 0; i < GH_MAP_SLOTS; i++, offset += stride)
		if (is_pointer)
			set(l, offset, GH_EDGE_POINTER, pointee(l->types, type));
		else
			put_rtype(l, type, offset, 0);
}

/* Group: what its descriptor says. Bucket: its last word leads to the next bucket. */
static void put_group(struct layout *l, gh_addr group)
{
	const struct gh_runtime *rt = l->types->rt;
	struct gh_map_slots slots;
	struct gh_rtype t;

	if (!gh_rtype_read(rt, gh_map_allocated_as(rt, group), &t))
		return;
	if (t.is_bare && gh_map_slots(rt, group, &slots)) {
		put_slots(l, slots.key, slots.key_is_pointer, slots.key_offset, slots.key_stride);
		put_slots(l, slots.elem, slots.elem_is_pointer, slots.elem_offset,
			  slots.elem_stride);
	} else {
		put_rtype(l, group, 0, 0);
	}
	if (rt->map_kind == GH_MAP_HMAP && t.ptr_bytes == t.size)
		set(l, t.size - 8, GH_EDGE_ARRAY,
		    gh_types_map_part(l->types, group, GH_SHAPE_GROUPS));
}

static void put(struct layout *l, const struct gh_type *type)
{
	struct gh_types *types = l->types;

	switch ((enum gh_shape)type->shape) {
	case GH_SHAPE_VALUE:
		put_rtype(l, type->source, 0, 0);
		break;
	case GH_SHAPE_DWARF:
		put_dwarf(l, (gh_dtype)type->source, 0, 0);
		break;
	case GH_SHAPE_CHAN:
		put_chan(l, (gh_type_id)type->source);
		break;
	case GH_SHAPE_MAP:
		put_map(l, type->source);
		break;
	case GH_SHAPE_GROUPS:
		put_group(l, type->source);
		break;
	case GH_SHAPE_TABLE:
		put_table(l, type->source);
		break;
	case GH_SHAPE_DIRECTORY:
		set(l, 0, GH_EDGE_POINTER, gh_types_map_part(types, type->source, GH_SHAPE_TABLE));
		break;
	case GH_SHAPE_MAP_EXTRA:
		put_map_extra(l, type->source);
		break;
	case GH_SHAPE_OVERFLOW:
		set(l, 0, GH_EDGE_SLICE,
		    gh_types_map_part(types, type->source, GH_SHAPE_OVERFLOWS));
		break;
	case GH_SHAPE_OVERFLOWS:
		set(l, 0, GH_EDGE_ARRAY, gh_types_map_part(types, type->source, GH_SHAPE_GROUPS));
		break;
	case GH_SHAPE_CHAN_BUFFER:
	case GH_SHAPE_CLOSURE: // gh_types_lay_out_closure
	case GH_SHAPE_STRING:
	case GH_SHAPE_USER_ARENA:
	case GH_SHAPE_TRIE_NODE: // gh_types_trie_part
	case GH_SHAPES:
		break;
	}
}

/* Room for the words of a type; false when it has none, or too many. */
static bool make_room(struct layout *l)
{
	struct gh_types *types = l->types;

	if (l->n == 0 || l->n > MAX_WORDS || types->edge_words + l->n > MAX_TOTAL_WORDS)
		return false;
	l->edges = gh_arena_alloc(&types->arena, l->n * sizeof(*l->edges));
	if (l->edges)
		types->edge_words += l->n;
	return l->edges != NULL;
}

const struct gh_edge *gh_types_edges(struct gh_types *types, gh_type_id id)
{
	struct gh_type type = types->all.data[id];
	struct layout l = {.types = types, .n = type.nwords};

	if (id == 0 || type.edges || type.no_edges)
		return type.edges;
	if (type.shape == GH_SHAPE_CHAN_BUFFER) {
		const struct gh_edge *edges = gh_types_edges(types, (gh_type_id)type.source);

		types->all.data[id].edges = (struct gh_edge *)edges;
		types->all.data[id].no_edges = !edges;
		return edges;
	}
	types->all.data[id].no_edges = true;
	if (!make_room(&l))
		return NULL;
	put(&l, &type);
	types->all.data[id].edges = l.edges;
	types->all.data[id].no_edges = false;
	return l.edges;
}

/* Does the object have at [offset, offset + size of type) the pointers that the type has? */
static bool may_hold(struct gh_types *types, const struct gh_closure_object *object,
		     uint64_t offset, gh_dtype type)
{
	const struct gh_dtype_info *info = gh_dwarf_type(types->rt->dwarf, type);
	uint64_t words = info ? (info->size + 7) / 8 : 0, first = offset / 8, mask = 0, all;
	struct gh_rtype t;

	if (!words || first >= 64 || words > object->words || first > object->words - words)
		return false;
	if (words > 64 - first || !gh_rtype_read(types->rt, gh_types_dwarf_rtype(types, type), &t))
		return true;
	all = words == 64 ? UINT64_MAX : (1ULL << words) - 1;
	return !gh_rtype_mask(types->rt, &t, t.ptr_bytes / 8, &mask) ||
	       (object->bits >> first & all) == mask;
}

/*
 * "&x" is captured by reference, a pointer to x, or by value: then the function holds the address
 * of x inside the closure, and DWARF gives the place of x as that of &x
 * (cmd/compile/internal/ssagen/ssa.go: setHeapaddr, cmd/compile/internal/dwarfgen/dwarf.go). Put
 * what the object's own pointers allow; nothing when they allow both.
 */
static void put_address_of(struct layout *l, const struct gh_closure_object *object,
			   struct gh_dcapture capture, uint64_t end)
{
	const struct gh_dtype_info *info = gh_dwarf_type(l->types->rt->dwarf, capture.type);
	gh_dtype x = info && info->kind == GH_DK_POINTER ? info->elem : 0;
	const struct gh_dtype_info *x_info = x ? gh_dwarf_type(l->types->rt->dwarf, x) : NULL;
	bool by_ref, by_value;

	if (!x_info)
		return;
	by_ref = may_hold(l->types, object, capture.offset, capture.type);
	by_value = x_info->size <= end - capture.offset &&
		   may_hold(l->types, object, capture.offset, x);
	if (by_ref && !by_value)
		put_dwarf(l, capture.type, capture.offset, 0);
	if (by_value && !by_ref)
		put_dwarf(l, x, capture.offset, 0);
}

/* Where the first capture behind `offset` begins; at most `end`. */
static uint64_t next_capture(const struct gh_dcapture_vec *captures, uint64_t offset, uint64_t end)
{
	for (size_t i = 0; i < captures->len; i++)
		if (captures->data[i].offset > offset)
			end = gh_min_u64(end, captures->data[i].offset);
	return end;
}

/* From DWARF: go1.23 and later, not optimised away. */
static void put_captures(struct layout *l, const struct gh_closure_object *object,
			 const struct gh_dcapture_vec *captures)
{
	for (size_t i = 0; i < captures->len; i++) {
		struct gh_dcapture c = captures->data[i];

		if (c.offset >= l->n * 8)
			continue;
		if (c.name[0] == '&')
			put_address_of(l, object, c, next_capture(captures, c.offset, l->n * 8));
		else
			put_dwarf(l, c.type, c.offset, 0);
	}
}

/* Keep of `agreed` what this candidate says too; words of which nobody spoke yet are its own. */
static bool agree(const struct layout *l, gh_addr candidate, bool is_first, struct gh_edge *agreed)
{
	struct layout one = {.types = l->types, .n = l->n};

	one.edges = gh_alloc_array(l->n, sizeof(*one.edges));
	if (!one.edges)
		return false;
	put_rtype(&one, candidate, 0, 0);
	for (uint64_t i = 0; i < l->n; i++) {
		if (is_first)
			agreed[i] = one.edges[i];
		else if (agreed[i].kind != one.edges[i].kind || agreed[i].type != one.edges[i].type)
			agreed[i] = (struct gh_edge){0};
	}
	free(one.edges);
	return true;
}

/* Does DWARF put a variable just there? Then the structs only tell "&x" and x apart. */
static bool is_captured(const struct gh_dcapture_vec *captures, uint64_t offset)
{
	for (size_t i = 0; i < captures->len; i++)
		if (captures->data[i].offset == offset)
			return true;
	return false;
}

/*
 * What DWARF leaves open is as all structs say that the object can be of. Words of which it says
 * nothing are inferred.
 */
static void put_candidates(struct layout *l, const struct gh_closure_object *object,
			   const struct gh_dcapture_vec *captures)
{
	struct gh_rtype_vec candidates = {0};
	_cleanup_free_ struct gh_edge *agreed = gh_alloc_array(l->n, sizeof(*agreed));
	bool ok = agreed && gh_types_closure_structs(l->types, object, captures, &candidates);

	for (size_t i = 0; ok && i < candidates.len; i++)
		ok = agree(l, candidates.data[i], i == 0, agreed);
	for (uint64_t i = 0; ok && i < l->n; i++)
		if (l->edges[i].kind == GH_EDGE_UNKNOWN && agreed[i].kind != GH_EDGE_UNKNOWN) {
			l->edges[i] = agreed[i];
			l->edges[i].is_inferred = !is_captured(captures, i * 8);
		}
	gh_rtype_vec_deinit(&candidates);
}

/* The words of a closure whose struct the allocator did not note. */
static void put_closure(struct layout *l, const struct gh_closure_object *object)
{
	const struct gh_runtime *rt = l->types->rt;
	_cleanup_error_ struct gh_error *err = NULL;
	struct gh_dcapture_vec captures = {0};
	gh_addr pc = object->pc - rt->target->exe_bias;

	if (rt->dwarf)
		err = gh_dwarf_captures(rt->dwarf, pc, &captures);
	put_captures(l, object, &captures);
	if (!err && rt->dwarf)
		err = gh_dwarf_other_variables(rt->dwarf, pc, &captures);
	if (!err && !object->on_stack)
		put_candidates(l, object, &captures);
	gh_dcapture_vec_deinit(&captures);
}

/*
 * "a/b%2ev2.(*T).M-fm" -> "a/b.v2.T", "a/b.T.M-fm" -> "a/b.T": the receiver's type; false: neither.
 */
static bool receiver_of(const char *func, struct gh_strbuf *type, bool *is_pointer_ret)
{
	static const char wrapper[] = "-fm";
	size_t len = strlen(func), tail = sizeof(wrapper) - 1;
	_cleanup_strbuf_ struct gh_strbuf raw = {0};
	const char *slash = strrchr(func, '/'), *dot, *open;

	if (len <= tail || strcmp(func + len - tail, wrapper) != 0 || strchr(func, '['))
		return false;			 // of a generic type the name tells the shape only
	dot = strchr(slash ? slash : func, '.'); // behind the package
	if (!dot)
		return false;
	gh_strbuf_add(&raw, func, (size_t)(dot + 1 - func));
	open = dot + 1;
	*is_pointer_ret = open[0] == '(' && open[1] == '*';
	open += *is_pointer_ret ? 2 : 0;
	gh_strbuf_add(&raw, open, strcspn(open, ".)"));
	gh_goname_add(type, gh_strbuf_str(&raw));
	return gh_strbuf_ok(&raw) && gh_strbuf_ok(type);
}

/*
 * A method value x.M is a closure struct { F uintptr; R T } of the wrapper M-fm
 * (cmd/compile/internal/walk/closure.go: methodValueWrapper).
 */
static void put_receiver(struct layout *l, const struct gh_closure_object *object)
{
	_cleanup_strbuf_ struct gh_strbuf name = {0};
	const char *func_name;
	struct gh_func func;
	bool is_pointer;
	gh_addr rtype;

	func_name = gh_func_find(l->types->rt, object->pc, &func)
			    ? gh_func_name(l->types->rt, &func)
			    : NULL;
	rtype = func_name ? gh_types_known_closure(l->types, func_name) : 0;
	if (rtype)
		put_rtype(l, rtype, 0, 0);
	if (!func_name || !receiver_of(func_name, &name, &is_pointer))
		return;
	rtype = gh_types_rtype_named(l->types, gh_strbuf_str(&name));
	if (rtype && is_pointer)
		set(l, 8, GH_EDGE_POINTER, pointee(l->types, rtype));
	else if (rtype)
		put_rtype(l, rtype, 8, 0);
}

/* As far as something is known to be there. */
static uint64_t words_on_stack(const struct layout *l, gh_addr pc)
{
	uint64_t n = gh_types_closure_words(l->types, pc, false);

	for (uint64_t i = n; i < l->n; i++)
		if (l->edges[i].kind != GH_EDGE_UNKNOWN)
			n = i + 1;
	return gh_min_u64(n, l->n);
}

void gh_types_lay_out_closure(struct gh_types *types, gh_type_id id,
			      const struct gh_closure_object *object)
{
	struct layout l = {.types = types, .n = object->words};
	struct gh_rtype t;

	types->all.data[id].no_edges = true;
	if (gh_rtype_read(types->rt, object->rtype, &t))
		l.n = t.ptr_bytes / 8;
	else if (object->on_stack)
		l.n = gh_min_u64(l.n, gh_types_closure_words(types, object->pc, true));
	if (!object->rtype && !object->bits) {
		if (object->on_stack) // where it ends, no more
			types->all.data[id].nwords =
				gh_types_closure_words(types, object->pc, false);
		return;
	}
	if (!make_room(&l))
		return;
	put_receiver(&l, object);
	if (object->rtype)
		put_rtype(&l, object->rtype, 0, 0);
	else
		put_closure(&l, object);
	types->all.data[id].nwords = object->on_stack ? words_on_stack(&l, object->pc) : l.n;
	types->all.data[id].edges = l.edges;
	types->all.data[id].no_edges = false;
}

struct gh_edge gh_types_dynamic(struct gh_types *types, gh_addr rtype)
{
	const struct gh_edge *edges;
	struct gh_rtype t;
	gh_type_id id;

	id = gh_types_of_rtype(types, rtype);
	if (!id || !gh_rtype_read(types->rt, rtype, &t))
		return (struct gh_edge){0};
	if (!t.is_direct)
		return (struct gh_edge){.type = t.size ? id : 0,
					.kind = t.size ? GH_EDGE_POINTER : GH_EDGE_UNKNOWN};
	edges = gh_types_edges(types, id); // the data word is the value: its only word
	return edges ? edges[0] : (struct gh_edge){0};
}

gh_addr gh_types_dwarf_rtype(const struct gh_types *types, gh_dtype type)
{
	const struct gh_dtype_info *info = gh_dwarf_type(types->rt->dwarf, type);
	gh_addr rtype = info && info->rtype ? info->rtype + types->rt->target->exe_bias : 0;
	struct gh_rtype t;

	// the linker drops descriptors that nobody uses and leaves the reference: compare
	if (!rtype || !gh_module_of_types(types->rt, rtype) ||
	    !gh_rtype_read(types->rt, rtype, &t) || t.size != info->size ||
	    (info->go_kind && t.kind != info->go_kind))
		return 0;
	return rtype;
}

gh_type_id gh_types_of_dwarf(struct gh_types *types, gh_dtype type)
{
	const struct gh_dtype_info *info = type ? gh_dwarf_type(types->rt->dwarf, type) : NULL;
	gh_addr rtype = info ? gh_types_dwarf_rtype(types, type) : 0;
	gh_type_id id;

	if (!info || info->size == 0 || strstr(info->name, "go.shape."))
		return 0; // as in gh_types_behind
	if (rtype)
		return gh_types_of_rtype(types, rtype);
	id = gh_types_find(types, type, GH_SHAPE_DWARF);
	return id ? id
		  : gh_types_add(types, &(struct gh_type){
						.size = info->size,
						.nwords = info->size / 8,
						.source = type,
						.shape = GH_SHAPE_DWARF,
						.kind = info->go_kind,
					});
}
