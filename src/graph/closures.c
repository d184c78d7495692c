// SPDX-License-Identifier: Apache-2.0
// Which structs a closure may be of. A closure that escapes is allocated as struct { F uintptr;
// X0 T0; X1 T1; … }, one for a method value as struct { F uintptr; R T }
// (cmd/compile/internal/typecheck/func.go: ClosureType, MethodValueType; go1.22 to go1.27). All of
// these types have descriptors, but nothing links them to functions. Knows nothing of edges.
#include "base/cleanup.h"
#include "goruntime/callcode.h"
#include "goruntime/sizeclass.h"
#include "graph/types_table.h"

enum {
	MAX_BYTES = 512,      // above that the allocator notes the descriptor in a header
	MAX_CANDIDATES = 256, // of one object: more will not agree
	MAX_CLOSURE_STRUCTS = 1 << 20,
	MAX_DEPTH = 8, // of fields and pointers compared
	MAX_ON_STACK = 1 << 16, // bytes of a closure there
};

bool gh_rtype_is_closure_struct(const struct gh_runtime *rt, const struct gh_rtype *type)
{
	struct gh_rfield field;
	struct gh_rtype first;
	const char *name;
	uint64_t len;

	// no source can spell a struct with F first that holds the entry of a function
	return type->kind == GH_KIND_STRUCT && !type->is_named &&
	       gh_rtype_field(rt, type, 0, &field) && gh_rtype_read(rt, field.type, &first) &&
	       first.kind == GH_KIND_UINTPTR &&
	       (name = gh_rtype_name_text(rt, field.name, &len)) != NULL && len == 1 &&
	       *name == 'F';
}

static void add(void *ctx, gh_addr rtype)
{
	struct gh_types *types = ctx;
	struct gh_closure_struct c = {.rtype = rtype};
	struct gh_rtype t;

	if (!gh_rtype_read(types->rt, rtype, &t) || t.size > MAX_BYTES || !t.ptr_bytes ||
	    types->closures.len >= MAX_CLOSURE_STRUCTS ||
	    !gh_rtype_is_closure_struct(types->rt, &t) ||
	    !gh_rtype_mask(types->rt, &t, t.ptr_bytes / 8, &c.mask))
		return;
	c.size = t.size;
	if (!gh_closure_struct_vec_push(&types->closures, c))
		types->has_closures = false;
}

static bool fits_slot(uint64_t size, uint64_t slot_bytes)
{
	for (size_t i = 1; i < GH_SIZE_CLASSES; i++)
		if (gh_size_class_bytes[i] >= size)
			return gh_size_class_bytes[i] == slot_bytes;
	return false;
}

static bool is_of(const struct gh_types *types, gh_addr field, gh_dtype type, int depth);

/* A struct of generic code has the fields of those that it stands for, some of them as shapes. */
static bool has_fields(const struct gh_types *types, const struct gh_rtype *t, gh_dtype type,
		       int depth)
{
	struct gh_dwarf *dwarf = types->rt->dwarf;
	uint32_t n = gh_dwarf_type(dwarf, type)->nfields;

	if (t->nfields != n)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		struct gh_dfield dfield = gh_dwarf_type(dwarf, type)->fields[i];
		struct gh_rfield field;

		if (!gh_rtype_field(types->rt, t, i, &field) || field.offset != dfield.offset ||
		    !is_of(types, field.type, dfield.type, depth))
			return false;
	}
	return true;
}

/*
 * Can a field be a variable that DWARF gives this type? Types of generic code have no descriptor:
 * go.shape.T stands for all types whose underlying type is T, go.shape.*uint8 for all pointers.
 */
static bool is_of(const struct gh_types *types, gh_addr field, gh_dtype type, int depth)
{
	const struct gh_dtype_info *info = gh_dwarf_type(types->rt->dwarf, type);
	gh_addr rtype = gh_types_dwarf_rtype(types, type);
	struct gh_rtype t;

	if (rtype || depth == MAX_DEPTH)
		return rtype == field || !rtype;
	if (!gh_rtype_read(types->rt, field, &t) || t.size != info->size)
		return false;
	if (info->go_kind && info->go_kind != t.kind)
		return false;
	if (info->kind == GH_DK_STRUCT && t.kind == GH_KIND_STRUCT)
		return has_fields(types, &t, type, depth + 1);
	if (info->kind == GH_DK_POINTER && t.kind == GH_KIND_POINTER && info->elem &&
	    strncmp(info->name, "go.shape.", 9) != 0)
		return is_of(types, t.elem, info->elem, depth + 1);
	return true;
}

/* "&x" of type *T: x lies elsewhere and the field is a *T, or it lies here and is a T. */
static bool may_be(const struct gh_types *types, gh_addr field, const struct gh_dcapture *capture)
{
	const struct gh_dtype_info *info = gh_dwarf_type(types->rt->dwarf, capture->type);

	if (is_of(types, field, capture->type, 0))
		return true;
	return capture->name[0] == '&' && info && info->kind == GH_DK_POINTER && info->elem &&
	       is_of(types, field, info->elem, 0);
}

/* Does the struct have all that DWARF puts at some offset? */
static bool has_captures(const struct gh_types *types, const struct gh_rtype *t,
			 const struct gh_dcapture_vec *captures)
{
	for (size_t i = 0; i < captures->len; i++) {
		const struct gh_dcapture *c = &captures->data[i];
		bool found = c->offset == (uint64_t)GH_NO_OFFSET;
		struct gh_rfield field;

		for (uint64_t k = 1; !found && k < t->nfields; k++)
			found = gh_rtype_field(types->rt, t, k, &field) &&
				field.offset == c->offset && may_be(types, field.type, c);
		if (!found)
			return false;
	}
	return true;
}

/* Up to go1.22: is each field with pointers a variable of the function, as far as types tell? */
static bool is_made_of(const struct gh_types *types, const struct gh_rtype *t,
		       const struct gh_dcapture_vec *captures)
{
	for (size_t i = 0; i < captures->len; i++)
		if (captures->data[i].offset != (uint64_t)GH_NO_OFFSET)
			return false;
	for (uint64_t k = 1; k < t->nfields; k++) {
		bool found = false;
		struct gh_rfield field;
		struct gh_rtype type;

		if (!gh_rtype_field(types->rt, t, k, &field) ||
		    !gh_rtype_read(types->rt, field.type, &type))
			return false;
		if (!type.ptr_bytes)
			continue;
		for (size_t i = 0; !found && i < captures->len; i++)
			found = may_be(types, field.type, &captures->data[i]);
		if (!found)
			return false;
	}
	return true;
}

bool gh_types_closure_structs(struct gh_types *types, const struct gh_closure_object *object,
			      const struct gh_dcapture_vec *captures, struct gh_rtype_vec *ret)
{
	bool is_narrow = false, too_many = false;

	if (!types->has_closures) {
		types->closures.len = 0;
		types->has_closures = true;
		gh_rtype_scan(types->rt, add, types);
	}
	for (size_t i = 0; i < types->closures.len; i++) {
		const struct gh_closure_struct *c = &types->closures.data[i];
		bool made_of;
		struct gh_rtype t;

		if (c->mask != object->bits || !fits_slot(c->size, object->words * 8) ||
		    !gh_rtype_read(types->rt, c->rtype, &t) || !has_captures(types, &t, captures))
			continue;
		// what consists of the function's variables leaves the others behind
		made_of = captures->len && is_made_of(types, &t, captures);
		if (is_narrow && !made_of)
			continue;
		if (made_of && !is_narrow)
			ret->len = 0;
		is_narrow = made_of;
		too_many = ret->len == MAX_CANDIDATES;
		if (!too_many && !gh_rtype_vec_push(ret, c->rtype))
			return false;
	}
	if (too_many)
		ret->len = 0;
	return true;
}

gh_addr gh_types_closure_struct(struct gh_types *types, const struct gh_closure_object *object)
{
	const struct gh_runtime *rt = types->rt;
	gh_addr pc = object->pc - rt->target->exe_bias, ret = 0;
	struct gh_dcapture_vec captures = {0};
	struct gh_rtype_vec candidates = {0};
	struct gh_error *err = NULL;
	struct gh_rtype t;

	if (object->on_stack)
		return 0;
	if (object->rtype)
		return gh_rtype_read(rt, object->rtype, &t) && gh_rtype_is_closure_struct(rt, &t)
			       ? object->rtype
			       : 0;
	if (rt->dwarf)
		err = gh_dwarf_captures(rt->dwarf, pc, &captures);
	if (!err && rt->dwarf)
		err = gh_dwarf_other_variables(rt->dwarf, pc, &captures);
	if (!err && gh_types_closure_structs(types, object, &captures, &candidates) &&
	    candidates.len == 1)
		ret = candidates.data[0];
	gh_error_destroy(err);
	gh_dcapture_vec_deinit(&captures);
	gh_rtype_vec_deinit(&candidates);
	return ret;
}

/* "&x" is a pointer, or x in the closure itself: see put_address_of in typeshape.c. */
static uint64_t size_of_capture(const struct gh_types *types, const struct gh_dcapture *c,
				bool widest)
{
	const struct gh_dtype_info *info = gh_dwarf_type(types->rt->dwarf, c->type);

	if (!widest || c->name[0] != '&' || info->kind != GH_DK_POINTER || !info->elem)
		return info->size;
	return gh_max_u64(info->size, gh_dwarf_type(types->rt->dwarf, info->elem)->size);
}

uint64_t gh_types_closure_words(struct gh_types *types, gh_addr pc, bool widest)
{
	const struct gh_runtime *rt = types->rt;
	struct gh_dcapture_vec captures = {0};
	uint64_t end = 8;
	struct gh_func func;

	if (gh_func_find(rt, pc, &func))
		end = gh_code_closure_bytes(rt, &func);
	if (rt->dwarf)
		gh_error_destroy(
			gh_dwarf_captures(rt->dwarf, pc - rt->target->exe_bias, &captures));
	for (size_t i = 0; i < captures.len; i++)
		if (captures.data[i].offset < MAX_ON_STACK)
			end = gh_max_u64(end,
					 captures.data[i].offset +
						 size_of_capture(types, &captures.data[i], widest));
	gh_dcapture_vec_deinit(&captures);
	return (gh_min_u64(end, MAX_ON_STACK) + 7) / 8;
}
