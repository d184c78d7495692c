// SPDX-License-Identifier: Apache-2.0
// See timer_numbers.h.
#include "analysis/timer_numbers.h"

#include <stdlib.h>

#include "analysis/place.h"
#include "base/cleanup.h"
#include "graph/words.h"

enum {
	SPANS_A_POLL = 1024,
	STACKS_A_POLL = 1024,
	MAX_DEPTH = 8,
	STATIC_CHUNK = 1 << 16, // bytes asked for at a time
};

/* Of objects of one code. */
struct content {
	uint64_t bytes; // of one value
	struct gh_gotype type;
	bool is_known, is_many, has_number;
};

struct search {
	struct gh_session *session;
	struct gh_mark *m;
	const uint64_t *bits;
	gh_timer_number_fn fn;
	void *ctx;
	struct content *contents; // owned: by code
};

/* What the runtime saves in its own variables (registers, arguments) is no number of a program. */
static bool is_runtimes(const struct search *s, gh_addr at)
{
	return gh_is_runtime_variable(gh_statics_owner_name(s->session->statics, at, ""));
}

/* Two small numbers side by side look like an address inside now and then. */
static bool is_wanted(const struct search *s, uint64_t value, uint64_t *slot_ret)
{
	struct gh_word_slot t = gh_word_slot(s->m, value);

	*slot_ret = t.slot;
	return t.slot != GH_SLOT_NONE && t.base == value && gh_bitmap_test(s->bits, t.slot);
}

static void look_at_data(const struct search *s, const uint8_t *host, gh_addr addr,
			 uint64_t bytes)
{
	uint64_t wanted;

	for (uint64_t i = 0; i + 8 <= bytes; i += 8)
		if (is_wanted(s, gh_u64_at(host + i), &wanted) && !is_runtimes(s, addr + i))
			s->fn(s->ctx, wanted, GH_SLOT_NONE);
}

/* Smaller fields and the room behind them: copying a value leaves there what it found. */
static bool fills_word(const struct gh_types *types, struct gh_gotype type, uint64_t offset,
		       int depth)
{
	struct gh_gotype_info info, part;
	struct gh_gofield field;

	if (depth > MAX_DEPTH || !gh_gotype_read(types, type, &info))
		return true;
	if (info.kind == GH_KIND_ARRAY)
		return !gh_gotype_read(types, info.elem, &part) ||
		       (part.size && fills_word(types, info.elem, offset % part.size, depth + 1));
	if (info.kind != GH_KIND_STRUCT)
		return offset + 8 <= info.size;
	for (uint64_t i = 0; i < info.nfields && gh_gotype_field(types, type, i, &field); i++)
		if (field.offset <= offset && gh_gotype_read(types, field.type, &part) &&
		    offset - field.offset < part.size)
			return fills_word(types, field.type, offset - field.offset, depth + 1);
	return false;
}

static void look_at_object(const struct search *s, const struct content *content,
			   const uint8_t *host, uint64_t bytes, uint64_t slot)
{
	uint64_t wanted;

	for (uint64_t i = 0; i + 8 <= bytes; i += 8)
		if (is_wanted(s, gh_u64_at(host + i), &wanted) &&
		    fills_word(s->session->types, content->type, i % content->bytes, 0))
			s->fn(s->ctx, wanted, slot);
}

static void look_at_static(const struct search *s, gh_addr lo, gh_addr hi)
{
	for (gh_addr at = gh_align_up(lo, 8); at < hi; at += STATIC_CHUNK) {
		uint64_t bytes = gh_min_u64(hi - at, STATIC_CHUNK);
		const uint8_t *host;

		bytes = gh_min_u64(bytes, gh_image_readable(s->session->rt->image, at, bytes));
		host = bytes ? gh_image_at(s->session->rt->image, at, bytes) : NULL;
		if (host)
			look_at_data(s, host, at, bytes);
	}
}

static bool has_number(const struct gh_types *types, struct gh_gotype type, int depth)
{
	struct gh_gotype_info info;
	struct gh_gofield field;

	if (depth > MAX_DEPTH || !gh_gotype_read(types, type, &info))
		return true;
	if (info.kind == GH_KIND_ARRAY)
		return has_number(types, info.elem, depth + 1);
	if (info.kind != GH_KIND_STRUCT)
		return info.kind == GH_KIND_UINTPTR;
	for (uint64_t i = 0; i < info.nfields && gh_gotype_field(types, type, i, &field); i++)
		if (has_number(types, field.type, depth + 1))
			return true;
	return false;
}

/* A closure's variables end where its function's code stops reading. */
static uint64_t value_bytes(const struct search *s, const struct gh_type *type)
{
	return type->shape == GH_SHAPE_CLOSURE
		       ? gh_types_closure_words(s->session->types, type->source, false) * 8
		       : type->size;
}

/* What objects of a code may hold; asked once. */
static const struct content *content_of(const struct search *s, uint16_t code)
{
	struct content *content = &s->contents[code];
	struct gh_code c = gh_mark_code(s->m, code);
	const struct gh_type *type = gh_types_get(s->session->types, c.type);

	if (content->is_known)
		return content;
	*content = (struct content){.is_known = true};
	if (!gh_code_names(c))
		return content;
	content->bytes = value_bytes(s, type);
	content->type = type->shape == GH_SHAPE_GROUPS
				? (struct gh_gotype){.rtype = type->source}
				: gh_gotype_of(s->session->types, c.type);
	content->is_many = type->shape != GH_SHAPE_CLOSURE && (type->tiles || c.form == GH_FORM_ARRAY);
	content->has_number = type->shape == GH_SHAPE_CLOSURE ||
			      (type->shape == GH_SHAPE_VALUE &&
			       has_number(s->session->types,
					 (struct gh_gotype){.rtype = type->source}, 0));
	return content;
}

/* Of a slot, as far as values lie in it: behind them is what was there before. */
static uint64_t bytes_of(const struct content *content, const struct gh_span *span)
{
	uint64_t room = span->elem_bytes - gh_span_header_bytes(span);

	if (!content->bytes || content->bytes > room)
		return 0;
	return content->is_many ? room - room % content->bytes : content->bytes;
}

static void look_at_span(const struct search *s, const struct gh_span *span)
{
	static const struct content anything = {
		.bytes = 8, .is_known = true, .is_many = true, .has_number = true};
	bool noscan = gh_span_is_noscan(span);

	for (uint32_t i = 0; i < span->nelems; i++) {
		gh_addr value = span->base + i * span->elem_bytes + gh_span_header_bytes(span);
		uint16_t state = gh_mark_state(s->m, span->slot0 + i);
		const struct content *content;
		const uint8_t *host;
		uint64_t bytes;

		// what describes owners, as the heaps of timers do, is no node
		if (!gh_state_is_live(state) ||
		    (!noscan && !gh_slot_is_node(s->session->owners, span->slot0 + i)))
			continue;
		content = noscan && state == GH_CODE_UNKNOWN ? &anything : content_of(s, state);
		bytes = !noscan || content->has_number ? bytes_of(content, span) : 0;
		host = bytes ? gh_image_at(s->session->rt->image, value, bytes) : NULL;
		if (host)
			look_at_object(s, content, host, bytes, span->slot0 + i);
	}
}

/* A word of a frame is the address of a slot that is looked for: is it a variable, and a number? */
static struct gh_error *look_at_variable(const struct search *s, struct gh_places *places,
					 gh_addr at, uint64_t slot)
{
	struct gh_place place;
	struct gh_error *err = gh_place_find(places, at, &place);

	if (!err && place.kind == GH_PLACE_STACK && gh_gotype_is_known(place.type) &&
	    has_number(s->session->types, place.type, 0))
		s->fn(s->ctx, slot, GH_SLOT_NONE);
	return err;
}

static struct gh_error *look_at_stack(const struct search *s, struct gh_places *places,
				      const struct gh_goroutine *g)
{
	gh_addr sp = g->status == GH_G_RUNNING || g->in_syscall ? 0 : g->sched_sp;
	gh_addr lo = sp >= g->stack_lo && sp < g->stack_hi ? gh_align_up(sp, 8) : g->stack_lo;
	const struct gh_image *image = s->session->rt->image;
	uint64_t bytes = g->stack_hi > lo ? gh_image_readable(image, lo, g->stack_hi - lo) : 0;
	const uint8_t *host = bytes ? gh_image_at(image, lo, bytes) : NULL;
	struct gh_error *err = NULL;

	for (uint64_t i = 0; host && i + 8 <= bytes && !err; i += 8) {
		struct gh_word_slot t = gh_word_slot(s->m, gh_u64_at(host + i));

		if (t.slot != GH_SLOT_NONE && t.base == gh_u64_at(host + i) &&
		    gh_bitmap_test(s->bits, t.slot))
			err = look_at_variable(s, places, lo + i, t.slot);
	}
	return err;
}

/* Variables alone: frames are full of words that were left there. */
static struct gh_error *look_at_stacks(const struct search *s)
{
	const struct gh_goroutine_vec *gs = &s->session->goroutines;
	struct gh_arena names = {0};
	struct gh_places places = {.session = s->session, .arena = &names};
	struct gh_error *err = NULL;

	for (size_t i = 0; s->session->rt->dwarf && i < gs->len && !err; i++) {
		if (i % STACKS_A_POLL == 0)
			err = gh_poll(&s->session->poll, "looking for timers kept as numbers", i,
				      gs->len);
		if (!err && !gh_goroutine_is_dead(&gs->data[i]))
			err = look_at_stack(s, &places, &gs->data[i]);
	}
	gh_places_deinit(&places);
	gh_arena_deinit(&names);
	return err;
}

struct gh_error *gh_timer_numbers(struct gh_session *session, const uint64_t *bits,
				  gh_timer_number_fn fn, void *ctx)
{
	struct search s = {
		.session = session, .m = session->mark, .bits = bits, .fn = fn, .ctx = ctx};
	const struct gh_span_vec *spans = &session->heap->table.spans;
	struct gh_error *err = NULL;

	s.contents = gh_alloc_array(gh_mark_ncodes(s.m), sizeof(*s.contents));
	if (!s.contents)
		return gh_error_nomem();
	for (size_t i = 0; i < session->rt->modules.len; i++) {
		const struct gh_module *m = &session->rt->modules.data[i];

		look_at_static(&s, m->noptrdata, m->enoptrdata);
		look_at_static(&s, m->data, m->edata);
		look_at_static(&s, m->bss, m->ebss);
		look_at_static(&s, m->noptrbss, m->enoptrbss);
	}
	for (size_t i = 0; i < spans->len && !err; i++) {
		if (i % SPANS_A_POLL == 0)
			err = gh_poll(&session->poll, "looking for timers kept as numbers", i,
				      spans->len);
		if (!err)
			look_at_span(&s, &spans->data[i]);
	}
	if (!err)
		err = look_at_stacks(&s);
	free(s.contents);
	return err;
}
