// SPDX-License-Identifier: Apache-2.0
// Counting slots by state and class, naming them, folding what prints alike. See histogram.h.
#include "analysis/histogram.h"

#include <stdlib.h>

#include "base/cleanup.h"

enum { POLL_EVERY = 1 << 14 }; // spans

/* Slots by state, one array a class, made when the class is met. */
struct tally {
	uint32_t *counts[GH_SPAN_CLASSES]; // owned
	uint64_t *large[2];		   // owned: bytes of large objects by state
	size_t nstates;
	uint64_t taken_bytes; // from the budget
};

static void tally_deinit(struct tally *t)
{
	for (size_t i = 0; i < GH_SPAN_CLASSES; i++)
		free(t->counts[i]);
	free(t->large[0]);
	free(t->large[1]);
}

static bool prepare(struct gh_budget *budget, struct tally *t, uint8_t class)
{
	uint64_t bytes = t->nstates * sizeof(*t->counts[class]);

	if (!t->counts[class] && !gh_budget_take(budget, bytes, "counting objects"))
		return false;
	t->taken_bytes += t->counts[class] ? 0 : bytes;
	if (!t->counts[class])
		t->counts[class] = gh_alloc_array(t->nstates, sizeof(*t->counts[class]));
	if (class < 2 && !t->large[class])
		t->large[class] = gh_alloc_array(t->nstates, sizeof(*t->large[class]));
	return t->counts[class] && (class >= 2 || t->large[class]);
}

static struct gh_error *count_slots(const struct gh_session *session, const struct gh_mark *mark,
				    struct tally *t)
{
	const struct gh_span_vec *spans = &session->heap->table.spans;
	struct gh_states states = gh_mark_states(mark);
	struct gh_error *err = NULL;

	for (size_t i = 0; !err && i < spans->len; i++) {
		const struct gh_span *span = &spans->data[i];
		uint16_t first = gh_state_at(&states, span->slot0);
		uint32_t *counts;

		if (!prepare(session->target->budget, t, span->spanclass))
			return gh_error_nomem();
		counts = t->counts[span->spanclass];
		for (uint32_t k = 0; k < span->nelems; k++) {
			uint16_t state = gh_state_at(&states, span->slot0 + k);

			if (gh_state_is_live(state))
				counts[state]++;
		}
		if (span->spanclass < 2 && gh_state_is_live(first))
			t->large[span->spanclass][first] += span->elem_bytes;
		if (i % POLL_EVERY == 0)
			err = gh_poll(&session->poll, "counting", i, spans->len);
	}
	return err;
}

enum gh_strength gh_object_strength(const struct gh_mark *mark, uint16_t state)
{
	struct gh_code code = gh_mark_code(mark, state);

	return gh_code_names(code) ? (enum gh_strength)code.strength : GH_STRENGTH_UNKNOWN;
}

static const char *unknown_name(const struct gh_session *session, uint8_t class,
				struct gh_arena *arena)
{
	const char *scan = class & 1 ? "noscan" : "scan";

	if (class < 2)
		return class ? "unknown noscan large" : "unknown scan large";
	return gh_arena_printf(arena, "unknown %s %u", scan,
			       session->heap->table.classes[class].elem_bytes);
}

const char *gh_object_name(struct gh_session *session, const struct gh_mark *mark, uint16_t state,
			   uint8_t spanclass, struct gh_arena *arena)
{
	struct gh_code code = gh_mark_code(mark, state);
	const char *name;

	if (code.form == GH_FORM_TINY)
		return "tiny block";
	if (gh_object_strength(mark, state) == GH_STRENGTH_UNKNOWN)
		return unknown_name(session, spanclass, arena);
	name = gh_types_name(session->types, code.type);
	if (code.form == GH_FORM_ARRAY ||
	    (code.form == GH_FORM_LOOSE &&
	     gh_types_get(session->types, code.type)->shape != GH_SHAPE_STRING))
		return gh_arena_printf(arena, "[]%s", name);
	return name;
}

static const char *kind_name(const struct gh_session *session, struct gh_code code)
{
	static const char *const kinds[GH_KIND_COUNT] = {
		[GH_KIND_ARRAY] = "array",	  [GH_KIND_CHAN] = "chan variable",
		[GH_KIND_FUNC] = "func variable", [GH_KIND_INTERFACE] = "interface",
		[GH_KIND_MAP] = "map variable",	  [GH_KIND_POINTER] = "pointer",
		[GH_KIND_SLICE] = "slice header", [GH_KIND_STRING] = "string header",
		[GH_KIND_STRUCT] = "struct",	  [GH_KIND_UNSAFE_POINTER] = "pointer",
	};
	const struct gh_type *type = gh_types_get(session->types, code.type);

	if (!code.type)
		return code.form == GH_FORM_TINY ? "tiny block" : "unknown";
	switch ((enum gh_shape)type->shape) {
	case GH_SHAPE_STRING:
		return "string";
	case GH_SHAPE_CLOSURE:
		return "closure";
	case GH_SHAPE_CHAN:
	case GH_SHAPE_CHAN_BUFFER:
		return "chan";
	case GH_SHAPE_VALUE:
	case GH_SHAPE_DWARF:
		if (code.form == GH_FORM_ARRAY || code.form == GH_FORM_LOOSE)
			return "slice";
		return type->kind < GH_KIND_COUNT && kinds[type->kind] ? kinds[type->kind]
								       : "basic";
	default:
		return "map";
	}
}

/* Rows that print alike are one, unless they are types with descriptors of their own. */
struct keyed_row {
	struct gh_type_row row;
	gh_addr rtype; // 0: made by hand
};
GH_VEC(keyed_row_vec, struct keyed_row);

static struct keyed_row make_row(struct gh_session *session, const struct gh_mark *mark,
				 uint16_t state, uint8_t class, uint64_t count, uint64_t bytes,
				 struct gh_arena *arena)
{
	struct gh_code code = gh_mark_code(mark, state);
	enum gh_strength strength = gh_object_strength(mark, state);
	const struct gh_type *type;
	struct keyed_row k = {0};

	if (strength == GH_STRENGTH_UNKNOWN)
		code = (struct gh_code){0};
	k.row.name = gh_object_name(session, mark, state, class, arena);
	k.row.kind = kind_name(session, code);
	k.row.count = count;
	k.row.bytes = bytes;
	k.row.by_strength[strength] = bytes;
	type = gh_types_get(session->types, code.type);
	if (code.type && type->shape == GH_SHAPE_VALUE)
		k.rtype = type->source;
	if (code.form == GH_FORM_ONE || code.form == GH_FORM_HEADER)
		k.row.value_bytes = type->size * count;
	return k;
}

static struct gh_error *add_class(struct gh_session *session, const struct gh_mark *mark,
				  const struct tally *t, uint8_t class, struct gh_histogram *h,
				  struct keyed_row_vec *rows)
{
	uint64_t elem = session->heap->table.classes[class].elem_bytes;

	for (size_t state = 1; t->counts[class] && state < t->nstates; state++) {
		uint64_t count = t->counts[class][state];
		uint64_t bytes = class < 2 ? t->large[class][state] : count * elem;
		struct keyed_row k;

		if (!count)
			continue;
		k = make_row(session, mark, (uint16_t)state, class, count, bytes, &h->arena);
		if (!k.row.name || !keyed_row_vec_push(rows, k))
			return gh_error_nomem();
		h->classes[class].count += count;
		h->classes[class].bytes += bytes;
	}
	return NULL;
}

static struct gh_error *add_mark(struct gh_session *session, const struct gh_mark *mark,
				 struct gh_histogram *h, struct keyed_row_vec *rows)
{
	struct tally t = {.nstates = gh_mark_ncodes(mark)};
	struct gh_error *err = count_slots(session, mark, &t);

	for (int class = 0; !err && class < GH_SPAN_CLASSES; class ++)
		err = add_class(session, mark, &t, (uint8_t) class, h, rows);
	gh_budget_give(session->target->budget, t.taken_bytes);
	tally_deinit(&t);
	return err;
}

static int by_name(const void *a, const void *b)
{
	const struct keyed_row *x = a, *y = b;
	int order = strcmp(x->row.name, y->row.name);

	return order ? order : x->rtype < y->rtype ? -1 : x->rtype > y->rtype;
}

static int by_bytes(const void *a, const void *b)
{
	const struct gh_type_row *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return strcmp(x->name, y->name);
}

void gh_type_row_add(struct gh_type_row *to, const struct gh_type_row *row)
{
	to->count += row->count;
	to->bytes += row->bytes;
	to->value_bytes += row->value_bytes;
	for (int i = 0; i < GH_STRENGTHS; i++)
		to->by_strength[i] += row->by_strength[i];
}

static void judge(struct gh_type_row *row)
{
	row->strength = GH_STRENGTH_EXACT;
	for (int i = GH_STRENGTHS - 1; i >= 0; i--)
		if (row->by_strength[i] && row->by_strength[i] >= row->bytes / 100)
			row->strength = (enum gh_strength)i;
}

static struct gh_error *fold(struct keyed_row_vec *rows, struct gh_histogram *h)
{
	struct keyed_row *last = NULL;

	if (rows->len)
		qsort(rows->data, rows->len, sizeof(*rows->data), by_name);
	for (size_t i = 0; i < rows->len; i++) {
		struct keyed_row *k = &rows->data[i];

		gh_type_row_add(&h->total, &k->row);
		if (last && !strcmp(last->row.name, k->row.name) &&
		    (last->rtype == k->rtype || !last->rtype || !k->rtype)) {
			gh_type_row_add(&h->rows.data[h->rows.len - 1], &k->row);
			continue;
		}
		if (!gh_type_row_vec_push(&h->rows, k->row))
			return gh_error_nomem();
		last = k;
	}
	for (size_t i = 0; i < h->rows.len; i++)
		judge(&h->rows.data[i]);
	judge(&h->total);
	if (h->rows.len)
		qsort(h->rows.data, h->rows.len, sizeof(*h->rows.data), by_bytes);
	return NULL;
}

struct gh_error *gh_histogram_build(struct gh_session *session, enum gh_which which,
				    struct gh_histogram *ret)
{
	struct gh_error *err =
		which == GH_WHICH_LIVE ? gh_session_mark(session) : gh_session_garbage(session);
	struct keyed_row_vec rows = {0};
	struct gh_histogram h = {0};

	if (!err && which != GH_WHICH_DEAD)
		err = add_mark(session, session->mark, &h, &rows);
	if (!err && which != GH_WHICH_LIVE)
		err = add_mark(session, session->garbage, &h, &rows);
	if (!err)
		err = fold(&rows, &h);
	keyed_row_vec_deinit(&rows);
	if (err) {
		gh_histogram_deinit(&h);
		return err;
	}
	*ret = h;
	return NULL;
}

void gh_histogram_deinit(struct gh_histogram *histogram)
{
	gh_type_row_vec_deinit(&histogram->rows);
	gh_arena_deinit(&histogram->arena);
}
