// SPDX-License-Identifier: Apache-2.0
// See captured.h.
#include "analysis/captured.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "goruntime/callcode.h"
#include "graph/gotype.h"

enum {
	CODE_WORD = 8, // of a closure
	MAX_FIELDS = 256,
};

/* One variable in the closure. */
struct field {
	const char *name; // NULL: not known
	uint64_t offset, size;
	struct gh_gotype type;
	bool is_declared; // DWARF puts it there
};
GH_VEC(field_vec, struct field);

/* Functions of the compiler's that call another one with what their closure holds. */
enum wrapper { WRAPPER_NONE, WRAPPER_DEFER, WRAPPER_METHOD_VALUE };

struct reader {
	struct gh_session *session;
	struct gh_types *types;
	struct gh_dwarf *dwarf;		 // NULL: there is none
	struct gh_dcapture_vec captures; // with places
	struct gh_dcapture_vec names;	 // without: one of them may be a field
	struct field_vec fields;
	uint64_t read_bytes; // of the closure, by the function's code
	enum wrapper wrapper;
	bool is_whole; // all fields are there
};

static int by_offset(const void *a, const void *b)
{
	const struct gh_dcapture *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* `defer f(x)` and a deferred call of a method through an interface; a method value, x.f. */
static enum wrapper wrapper_of(const struct gh_runtime *rt, gh_addr pc, struct gh_func *ret)
{
	static const char method_value[] = "-fm";
	const char *name = gh_func_find(rt, pc, ret) ? gh_func_name(rt, ret) : NULL;
	size_t len = name ? strlen(name) : 0, tail = sizeof(method_value) - 1;

	if (len > tail && !strcmp(name + len - tail, method_value))
		return WRAPPER_METHOD_VALUE;
	return name && strstr(name, ".deferwrap") ? WRAPPER_DEFER : WRAPPER_NONE;
}

/* What f is called with, by f's own names: of a method value the receiver alone. */
static struct gh_error *read_arguments(struct reader *r, const struct gh_func *wrapper)
{
	const struct gh_runtime *rt = r->session->rt;
	struct gh_func callee;
	struct gh_error *err;
	bool inlined;

	if (!gh_code_only_callee(rt, wrapper, &callee, &inlined))
		return NULL;
	err = gh_dwarf_parameters(r->dwarf, callee.entry - rt->target->exe_bias, inlined, &r->names);
	if (!err && r->wrapper == WRAPPER_METHOD_VALUE)
		r->names.len = gh_min_u64(r->names.len, 1);
	return err;
}

static struct gh_error *read_dwarf(struct reader *r, gh_addr pc)
{
	gh_addr at = pc - r->session->rt->target->exe_bias;
	struct gh_func func;
	struct gh_error *err;

	r->wrapper = wrapper_of(r->session->rt, pc, &func);
	if (!r->dwarf)
		return NULL;
	err = gh_dwarf_captures(r->dwarf, at, &r->captures);
	if (!err && r->wrapper)
		err = read_arguments(r, &func);
	else if (!err && !r->captures.len)
		err = gh_dwarf_other_variables(r->dwarf, at, &r->names);
	if (r->captures.len)
		qsort(r->captures.data, r->captures.len, sizeof(*r->captures.data), by_offset);
	return err;
}

static bool is_type(struct gh_gotype a, struct gh_gotype b)
{
	return a.rtype && a.rtype == b.rtype;
}

/* "&x" of type *T: the field is a *T, or x lies in the closure itself and is a T. */
static const char *name_in_place(const struct reader *r, const struct gh_dcapture *c,
				 struct gh_gotype field)
{
	struct gh_gotype type = gh_gotype_of_dwarf(r->types, c->type);
	struct gh_gotype_info info;

	if (c->name[0] != '&' || is_type(type, field) || !gh_gotype_read(r->types, type, &info) ||
	    !is_type(info.elem, field))
		return c->name;
	return c->name + 1;
}

/* The one variable of that type, if the struct has one such field only. */
static const char *name_by_type(const struct reader *r, gh_addr rtype, struct gh_gotype field,
				uint64_t nfields)
{
	const char *found = NULL;
	struct gh_rfield other;
	struct gh_rtype t;
	uint64_t alike = 0;

	for (size_t i = 0; i < r->names.len; i++) {
		if (!is_type(gh_gotype_of_dwarf(r->types, r->names.data[i].type), field))
			continue;
		if (found)
			return NULL;
		found = r->names.data[i].name;
	}
	if (!found || !gh_rtype_read(r->session->rt, rtype, &t))
		return NULL;
	for (uint64_t i = 1; i < nfields && gh_rtype_field(r->session->rt, &t, i, &other); i++)
		alike += other.type == field.rtype;
	return alike == 1 ? found : NULL;
}

/* What the compiler made for itself has a name that nobody can write. */
static const char *name_of_program(const char *name)
{
	return name && name[name[0] == '&'] == '.' ? NULL : name;
}

/* Fields of the struct that such closures are, with names where DWARF has some. */
static bool add_struct_fields(struct reader *r, gh_addr rtype)
{
	const struct gh_runtime *rt = r->session->rt;
	struct gh_rfield f;
	struct gh_rtype t, of_field;

	if (!gh_rtype_read(rt, rtype, &t) || t.nfields > MAX_FIELDS)
		return true;
	for (uint64_t i = 1; i < t.nfields; i++) {
		struct field field = {0};

		if (!gh_rtype_field(rt, &t, i, &f) || !gh_rtype_read(rt, f.type, &of_field)) {
			r->fields.len = 0;
			return true;
		}
		field.offset = f.offset;
		field.size = of_field.size;
		field.type.rtype = f.type;
		for (size_t k = 0; k < r->captures.len; k++)
			if (r->captures.data[k].offset == f.offset) {
				field.name = name_in_place(r, &r->captures.data[k], field.type);
				field.is_declared = true;
			}
		if (!field.name)
			field.name = name_by_type(r, rtype, field.type, t.nfields);
		field.name = name_of_program(field.name);
		if (!field_vec_push(&r->fields, field))
			return false;
	}
	r->is_whole = true;
	return true;
}

/* "&x" that lies in the closure itself: its code reads beyond a pointer, and nothing else is there. */
static void take_value(const struct reader *r, uint64_t next, struct field *field)
{
	struct gh_gotype_info info, elem;

	if (field->name[0] != '&' || !gh_gotype_read(r->types, field->type, &info) ||
	    info.kind != GH_KIND_POINTER || !gh_gotype_read(r->types, info.elem, &elem) ||
	    elem.size <= 8 || next < field->offset + elem.size ||
	    r->read_bytes <= field->offset + 8)
		return;
	field->name++;
	field->type = info.elem;
	field->size = elem.size;
}

/*
 * Only what DWARF places. Else what the call of a wrapper takes, one after the other, or the one
 * variable that the function has, if that is what its code reads of the closure: constants and what
 * is nobody's to capture are not there.
 */
static bool add_dwarf_fields(struct reader *r, bool with_places)
{
	const struct gh_dcapture_vec *from = with_places ? &r->captures : &r->names;
	uint64_t end = CODE_WORD;

	for (size_t i = 0; i < from->len && r->fields.len < MAX_FIELDS; i++) {
		const struct gh_dcapture *c = &from->data[i];
		const struct gh_dtype_info *info = gh_dwarf_type(r->dwarf, c->type);
		struct field field = {.name = c->name,
				      .offset = with_places ? c->offset : gh_align_up(end, 8),
				      .size = info->size,
				      .type = gh_gotype_of_dwarf(r->types, c->type),
				      .is_declared = with_places};

		if (with_places)
			take_value(r, i + 1 < from->len ? from->data[i + 1].offset : UINT64_MAX,
				   &field);
		field.name = name_of_program(field.name);
		end = field.offset + field.size;
		if (!field_vec_push(&r->fields, field))
			return false;
	}
	if (!with_places && (gh_align_up(end, 8) != gh_align_up(r->read_bytes, 8) ||
			     (!r->wrapper && from->len != 1)))
		r->fields.len = 0;
	r->is_whole = r->fields.len && gh_align_up(end, 8) >= r->read_bytes;
	return true;
}

/* Pointers to variables: "&x", and fields of the compiler's own making. */
static bool add_refs(const struct reader *r, struct gh_arena *arena, struct gh_captured *ret)
{
	struct gh_captured_ref *refs =
		gh_arena_alloc(arena, (r->fields.len + 1) * sizeof(*refs));
	struct gh_gotype_info info, elem;

	for (size_t i = 0; refs && i < r->fields.len; i++) {
		const struct field *f = &r->fields.data[i];
		struct gh_captured_ref ref = {.offset = f->offset};

		if (!f->name || f->name[0] != '&' || !gh_gotype_read(r->types, f->type, &info) ||
		    info.kind != GH_KIND_POINTER || !gh_gotype_read(r->types, info.elem, &elem))
			continue;
		ref.size = elem.size;
		ref.type = info.elem.rtype ? gh_types_of_rtype(r->types, info.elem.rtype)
					   : gh_types_of_dwarf(r->types, info.elem.dwarf);
		refs[ret->nrefs++] = ref;
	}
	ret->refs = refs;
	return refs != NULL;
}

static void describe(const struct reader *r, bool is_noted, struct gh_arena *arena,
		     struct gh_captured *ret)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	bool declared = true;

	for (size_t i = 0; i < r->fields.len; i++) {
		const struct field *f = &r->fields.data[i];

		ret->has_gaps |= !r->is_whole && f->offset >= gh_align_up(ret->end, 8) + 8;
		ret->end = f->offset + f->size;
		ret->bytes += f->size;
		declared &= f->is_declared;
		gh_strbuf_puts(&sb, sb.len ? ", " : "");
		if (f->name)
			gh_strbuf_printf(&sb, "%s ", f->name);
		gh_strbuf_puts(&sb, gh_gotype_name(r->types, f->type));
	}
	ret->is_whole = r->is_whole && !ret->has_gaps;
	ret->text = gh_arena_strndup(arena, gh_strbuf_str(&sb), sb.len);
	ret->strength = is_noted   ? GH_STRENGTH_EXACT
			: declared ? GH_STRENGTH_DECLARED
				   : GH_STRENGTH_INFERRED;
}

struct gh_error *gh_captured_read(struct gh_session *session,
				  const struct gh_closure_object *closure, struct gh_arena *arena,
				  struct gh_captured *ret)
{
	struct reader r = {
		.session = session, .types = session->types, .dwarf = session->rt->dwarf};
	gh_addr rtype = gh_types_closure_struct(session->types, closure);
	gh_type_id id = gh_types_closure(session->types, closure);
	struct gh_error *err = read_dwarf(&r, closure->pc);
	bool ok = true;

	r.read_bytes = gh_types_closure_words(session->types, closure->pc, false) * 8;
	if (closure->on_stack && id) // the stack's own pointers told, where DWARF leaves it open
		r.read_bytes = gh_max_u64(r.read_bytes,
					  gh_types_get(session->types, id)->nwords * 8);
	*ret = (struct gh_captured){.end = CODE_WORD, .read = r.read_bytes};
	if (!err && rtype)
		ok = add_struct_fields(&r, rtype);
	if (!err && ok && !r.fields.len && r.captures.len)
		ok = add_dwarf_fields(&r, true);
	if (!err && ok && !r.fields.len && (closure->on_stack || r.wrapper))
		ok = add_dwarf_fields(&r, false);
	if (!err && ok)
		ok = add_refs(&r, arena, ret);
	if (!err && !ok)
		err = gh_error_nomem();
	if (!err && r.fields.len)
		describe(&r, closure->rtype && closure->rtype == rtype, arena, ret);
	gh_dcapture_vec_deinit(&r.captures);
	gh_dcapture_vec_deinit(&r.names);
	field_vec_deinit(&r.fields);
	return err;
}
