// SPDX-License-Identifier: Apache-2.0
// Objects of known types that the mark left without one. Where nobody says what a package variable
// points to, an *http.Response that only such a variable has may stay untyped. Its fields do not:
// an interface says itself what it leads to, by its first word, which is that of an itab or a type.
// And what leads to a database/sql.driverConn is of package sql: its size says what.
#include "analysis/conn_look.h"
#include "analysis/histogram.h"
#include "goruntime/rtype.h"

enum { LOWEST = 4096, CHARGED = 4096 }; // CHARGED: taken from the budget at a time

/* What a value in an interface of that dynamic type points to; 0: it is no pointer. */
static gh_addr pointee(const struct gh_runtime *rt, gh_addr rtype)
{
	struct gh_rfield field;
	struct gh_rtype t;

	if (!gh_module_of_types(rt, rtype) || !gh_rtype_read(rt, rtype, &t))
		return 0;
	// a struct of one pointer, such as http2transportResponseBody, is stored as that pointer
	if (t.kind == GH_KIND_STRUCT && t.is_direct && t.nfields == 1 &&
	    (!gh_rtype_field(rt, &t, 0, &field) || !gh_rtype_read(rt, field.type, &t)))
		return 0;
	return t.kind == GH_KIND_POINTER ? t.elem : 0;
}

static const struct gh_conn_type *look_up(const struct gh_conn_finder *f, uint64_t word)
{
	const struct gh_runtime *rt = f->session->rt;
	struct gh_slot_ref ref;
	gh_addr elem;

	if (word < LOWEST || word % 8 || gh_heap_find(f->session->heap, word, &ref))
		return NULL;
	elem = pointee(rt, gh_module_of_types(rt, word) ? word : gh_itab_type(rt, word));
	if (!elem)
		elem = pointee(rt, gh_itab_type(rt, word)); // itabs may lie among types
	for (size_t i = 0; elem && i < f->ntypes; i++)
		if (f->types[i].rtype == elem)
			return &f->types[i];
	return NULL;
}

static const struct gh_conn_type *type_behind(struct gh_conn_finder *f, uint64_t word)
{
	struct gh_conn_word *known = &f->words[(word >> 3) * 0x9e3779b97f4a7c15 >> 54];

	if (known->word != word)
		*known = (struct gh_conn_word){word, look_up(f, word)};
	return known->type;
}

static bool is_one_of(const struct gh_conn_finder *f, gh_addr addr, const struct gh_conn_type *type)
{
	struct gh_types *types = f->session->types;
	struct gh_slot_ref ref;
	uint16_t state;

	if (!type || !gh_heap_find(f->session->heap, addr, &ref))
		return false;
	state = gh_mark_state(f->session->mark, ref.slot);
	return gh_state_is_live(state) && addr == ref.base &&
	       gh_mark_code(f->session->mark, state).type == gh_types_of_rtype(types, type->rtype);
}

static bool leads_where_it_should(const struct gh_conn_finder *f, const struct gh_conn_type *type,
				  gh_addr addr)
{
	size_t i;

	for (i = 0; i < GH_CONN_LEADS && type->known->leads[i].type; i++) {
		bool ok = true;
		gh_addr to = gh_conn_read(f, type, addr, type->known->leads[i].field, &ok);

		if (!ok || !is_one_of(f, to, gh_conn_type_named(f, type->known->leads[i].type)))
			return false;
	}
	return i > 0;
}

static struct gh_error *push(struct gh_conn_finder *f, struct gh_conn_hidden hidden)
{
	uint64_t bytes = CHARGED * sizeof(hidden);

	if (f->hidden.len % CHARGED == 0) {
		struct gh_error *err = gh_budget_charge(f->session->target->budget, bytes,
							"connections without a type");

		if (err)
			return err;
		f->charged_bytes += bytes;
	}
	return gh_conn_hidden_vec_push(&f->hidden, hidden) ? NULL : gh_error_nomem();
}

/* Only what the mark has no type for: the others are met by their types. */
static struct gh_error *note(struct gh_conn_finder *f, const struct gh_conn_type *type,
			     gh_addr addr)
{
	struct gh_slot_ref ref;
	uint16_t state;

	if (!gh_heap_find(f->session->heap, addr, &ref))
		return NULL;
	state = gh_mark_state(f->session->mark, ref.slot);
	if (!gh_state_is_live(state) ||
	    gh_object_strength(f->session->mark, state) != GH_STRENGTH_UNKNOWN)
		return NULL;
	return push(f, (struct gh_conn_hidden){addr, type});
}

struct gh_error *gh_conn_search_untyped(struct gh_conn_finder *f, gh_addr addr, uint64_t bytes)
{
	const struct gh_image *image = f->session->rt->image;
	struct gh_error *err = NULL;
	const uint8_t *p = gh_image_at(image, addr, bytes);

	for (uint64_t at = 0; p && at + 16 <= bytes && !err; at += 8) {
		uint64_t word = gh_u64_at(p + at), data = gh_u64_at(p + at + 8);
		const struct gh_conn_type *type = word && data ? type_behind(f, word) : NULL;

		if (type)
			err = note(f, type, data);
	}
	for (size_t i = 0; i < f->ntypes && !err; i++)
		if (f->types[i].slot_bytes == bytes && leads_where_it_should(f, &f->types[i], addr))
			err = note(f, &f->types[i], addr);
	return err;
}

static int by_address(const void *a, const void *b)
{
	const struct gh_conn_hidden *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

struct gh_error *gh_conn_look_at_hidden(struct gh_conn_finder *f)
{
	struct gh_error *err = NULL;

	if (f->hidden.len)
		qsort(f->hidden.data, f->hidden.len, sizeof(*f->hidden.data), by_address);
	for (size_t i = 0; i < f->hidden.len && !err; i++) {
		const struct gh_conn_hidden *h = &f->hidden.data[i];

		if (!i || h->addr != h[-1].addr)
			err = h->type->known->look(f, h->type, h->addr);
	}
	return err;
}
