// SPDX-License-Identifier: Apache-2.0
// Names for objects that no pointer names. A pointer into an object, or one to its start that does
// not cover it, says what some of its words are. Together with the size class and the allocator's
// pointer bits that often leaves one type of all that the program has; then the object is inferred
// to be of it. Where it leaves two or none, the object stays unknown. See gh_mark_infer.
#include <stdlib.h>

#include "base/bitmap.h"
#include "goruntime/sizeclass.h"
#include "graph/mark_state.h"

enum {
	MAX_FACTS = 8,	      // of one object; more are not looked at
	MAX_ROUNDS = 8,	      // what is inferred leads to more
	MAX_DEPTH = 16,	      // of nested structs and arrays
	MAX_CANDIDATE = 1024, // bytes of a struct
	MEMO_SLOTS = 1 << 14,
	MAX_CHECKS = 50 << 20, // of candidates, one or two seconds: then objects stay unknown
	POLL_EVERY = 1 << 16,
};

/* A struct type that an object of some span class may be of. */
struct candidate {
	gh_addr rtype;
	uint64_t mask; // its pointer words
};
GH_VEC(candidate_vec, struct candidate);

struct memo {
	uint64_t key; // 0: free
	uint16_t code;
};

struct gh_inference {
	uint64_t checks; // of candidates so far
	struct candidate_vec of_class[NCLASSES];
	struct memo memo[MEMO_SLOTS];
};

/* A fact about the object at hand. */
struct part {
	uint32_t offset, bytes;
	uint16_t code;
};

struct object {
	uint64_t slot;
	gh_addr base; // of its data
	uint64_t bytes;
	uint64_t bits; // pointer words; 0 for noscan
	uint8_t class;
	struct part parts[MAX_FACTS]; // by offset, no two alike
	int nparts;
};

void gh_inference_destroy(struct gh_inference *inference)
{
	for (int i = 0; inference && i < NCLASSES; i++)
		candidate_vec_deinit(&inference->of_class[i]);
	free(inference);
}

static bool is_text(const struct gh_mark *m, uint16_t code)
{
	return gh_types_get(m->types, m->codes.data[code].type)->shape == GH_SHAPE_STRING;
}

/* Does the fact tell nothing that the slot's state does not? */
static bool is_told(const struct gh_mark *m, uint16_t state, uint16_t code)
{
	struct gh_code known = m->codes.data[state];

	if (gh_state_is_named(m, state))
		return true;
	return known.form == GH_FORM_LOOSE &&
	       (is_text(m, code) || known.type == m->codes.data[code].type);
}

/*
 * Where a parser cuts a text into strings, many lead into one slot, mostly one after the other, and
 * say the same: a struct has no text in it, so that one of them tells what all do.
 */
static bool is_more_of_a_text(struct gh_mark *m, uint64_t slot, uint16_t code)
{
	uint64_t *recent = &m->recent_texts[slot % GH_ARRAY_SIZE(m->recent_texts)];

	if (!is_text(m, code))
		return false;
	if (*recent == slot + 1)
		return true;
	*recent = slot + 1;
	return false;
}

/*
 * Bytes of an object without pointers, where there is no room for all that is told of it: text, as
 * text_code would have it if nothing else were told. False: not that, or not reached yet.
 */
static bool settle_text(struct gh_mark *m, const struct gh_slot_ref *ref, uint16_t code)
{
	uint16_t state = gh_state_at(&m->states, ref->slot);
	struct gh_code known = m->codes.data[state], told = m->codes.data[code];
	enum gh_strength strength = GH_STRENGTH_INFERRED;

	if (!(ref->class & 1) || ref->class == GH_TINY_SPAN_CLASS || !gh_state_is_live(state) ||
	    !gh_code_is_bytes(m, told))
		return false;
	if (known.form == GH_FORM_LOOSE) {
		if (!gh_code_is_bytes(m, known))
			return false;
		strength = (enum gh_strength)known.strength;
	}
	code = gh_code_for(m, told.type, GH_FORM_LOOSE, strength);
	if (code == GH_CODE_UNKNOWN)
		return false;
	gh_mark_put(m, ref->slot, code);
	m->counts.inferred++;
	return true;
}

/* Forget what is told of objects that have got their name since, and settle what is text; false:
 * that frees too little. */
static bool make_room(struct gh_mark *m)
{
	struct loose_fact *facts = m->loose.data;
	struct gh_slot_ref ref;
	size_t kept = 0;

	if (m->loose_is_full)
		return false;
	for (size_t i = 0; i < m->loose.len; i++) {
		uint16_t code = (uint16_t)facts[i].at;

		if (gh_heap_find(m->heap, facts[i].at >> 16, &ref) &&
		    !is_told(m, gh_state_at(&m->states, ref.slot), code) &&
		    !settle_text(m, &ref, code))
			facts[kept++] = facts[i];
	}
	m->loose_is_full = kept > m->max_loose - m->max_loose / 4;
	m->loose.len = kept;
	return kept < m->max_loose;
}

void gh_mark_note_loose(struct gh_mark *m, uint64_t slot, uint64_t at, uint32_t bytes)
{
	if (GH_UNLIKELY(m->arenas.len) && gh_user_arena_note(m, slot, at, bytes))
		return;
	if (is_told(m, gh_state_at(&m->states, slot), (uint16_t)at) ||
	    is_more_of_a_text(m, slot, (uint16_t)at))
		return;
	if (m->loose.len >= m->max_loose && !make_room(m)) {
		m->counts.loose_dropped++;
		return;
	}
	if (m->loose.len == m->loose.cap &&
	    !gh_budget_take(gh_runtime_budget(m->heap->rt),
			    gh_max_u64(m->loose.cap, 16) * sizeof(*m->loose.data),
			    "pointers into objects"))
		m->nomem = true;
	else
		m->nomem |= !loose_fact_vec_push(&m->loose, (struct loose_fact){at, bytes});
}

/* ---- candidates ---- */

static int size_class(uint64_t bytes)
{
	int class = 1;

	while (class < GH_SIZE_CLASSES && gh_size_class_bytes[class] < bytes)
		class ++;
	return class;
}

static void add_candidate(void *ctx, gh_addr rtype)
{
	struct gh_mark *m = ctx;
	struct gh_inference *inference = m->inference;
	struct candidate c = {.rtype = rtype};
	bool noscan;
	struct gh_rtype t;

	if (!gh_rtype_read(m->heap->rt, rtype, &t) || t.kind != GH_KIND_STRUCT || !t.size ||
	    t.size > MAX_CANDIDATE || (t.ptr_bytes && t.size > GH_HEAP_BITS_MAX))
		return;
	noscan = !t.ptr_bytes;
	if (!noscan && !gh_rtype_mask(m->heap->rt, &t, t.ptr_bytes / 8, &c.mask))
		return;
	m->nomem |= !candidate_vec_push(&inference->of_class[size_class(t.size) << 1 | noscan], c);
}

/* Is the part at `offset` of the type what the fact says? */
static bool contains(const struct gh_mark *m, gh_addr type, uint64_t offset, struct part part)
{
	const struct gh_runtime *rt = m->heap->rt;
	struct gh_code code = m->codes.data[part.code];
	const struct gh_type *wanted = gh_types_get(m->types, code.type);
	bool is_array = code.form == GH_FORM_ARRAY;

	for (int depth = 0; depth < MAX_DEPTH; depth++) {
		struct gh_rtype t, elem;
		struct gh_rfield field, in = {0};

		if (!gh_rtype_read(rt, type, &t) || offset >= t.size)
			return false;
		if (offset == 0 && type == wanted->source && !is_array)
			return true; // a slice is of an array, not of a field
		if (t.kind == GH_KIND_ARRAY && gh_rtype_read(rt, t.elem, &elem) && elem.size) {
			if (is_array && t.elem == wanted->source && offset % elem.size == 0 &&
			    part.bytes <= t.size - offset)
				return true;
			offset %= elem.size;
			type = t.elem;
			continue;
		}
		if (t.kind != GH_KIND_STRUCT)
			return false;
		for (uint64_t i = 0; i < t.nfields && gh_rtype_field(rt, &t, i, &field); i++)
			if (field.offset <= offset && gh_rtype_read(rt, field.type, &elem) &&
			    offset - field.offset < elem.size)
				in = field;
		if (!in.type)
			return false;
		offset -= in.offset;
		type = in.type;
	}
	return false;
}

bool gh_part_fits(const struct gh_mark *m, struct gh_code is, uint64_t offset, uint16_t code,
		  uint32_t bytes)
{
	struct part part = {.offset = (uint32_t)offset, .bytes = bytes, .code = code};
	struct gh_code claimed = m->codes.data[code];
	const struct gh_type *type = gh_types_get(m->types, is.type);

	if (gh_code_is_bytes(m, is))
		return gh_code_is_bytes(m, claimed);
	if (is.form == GH_FORM_ARRAY)
		return claimed.type == is.type && type->size && offset % type->size == 0;
	return type->shape == GH_SHAPE_VALUE && contains(m, type->source, offset, part);
}

static bool fits(const struct gh_mark *m, const struct object *o, struct candidate c)
{
	if (c.mask != o->bits)
		return false;
	for (int i = 0; i < o->nparts; i++)
		if (!contains(m, c.rtype, o->parts[i].offset, o->parts[i]))
			return false;
	return true;
}

/* Could the object be an array of what its facts tell of? */
static bool fits_array(struct gh_mark *m, const struct object *o)
{
	gh_type_id type = m->codes.data[o->parts[0].code].type;
	const struct gh_type *t = gh_types_get(m->types, type);
	const struct mark_class *k = &m->classes[o->class];
	const struct tile *tile;
	uint64_t expected = 0, n;

	if (!t->size || (t->shape != GH_SHAPE_VALUE && t->shape != GH_SHAPE_GROUPS) ||
	    t->size * 2 > o->bytes)
		return false;
	for (int i = 0; i < o->nparts; i++)
		if (m->codes.data[o->parts[i].code].type != type ||
		    o->parts[i].offset % t->size != 0)
			return false;
	if (o->class & 1)
		return t->nwords == 0;
	tile = gh_tile_of(m, t->source);
	if (!tile || !tile->nwords || tile->stride > 32)
		return false;
	for (n = 0; (n + 1) * tile->stride <= k->words; n++)
		expected |= tile->mask[0] << (n * tile->stride);
	for (; n >= 2 && n * t->size > k->cover_lo; n--) {
		if (expected == o->bits)
			return true;
		expected &= ~(tile->mask[0] << ((n - 1) * tile->stride));
	}
	return false;
}

/* Some of the facts is a slice: then the object may well be the slice's array. */
static bool has_slice(const struct gh_mark *m, const struct object *o)
{
	for (int i = 0; i < o->nparts; i++)
		if (m->codes.data[o->parts[i].code].form == GH_FORM_ARRAY)
			return true;
	return false;
}

static uint16_t choose(struct gh_mark *m, const struct object *o)
{
	const struct candidate_vec *all = &m->inference->of_class[o->class];
	bool is_array = fits_array(m, o);
	gh_type_id found = 0;

	if (m->inference->checks + all->len > MAX_CHECKS) {
		m->counts.loose_dropped += (uint64_t)o->nparts;
		return GH_CODE_UNKNOWN;
	}
	m->inference->checks += all->len;
	for (size_t i = 0; i < all->len; i++) {
		if (!fits(m, o, all->data[i]))
			continue;
		if (found || is_array)
			return GH_CODE_UNKNOWN; // more than one
		found = gh_types_of_rtype(m->types, all->data[i].rtype);
	}
	if (is_array && has_slice(m, o))
		return gh_code_for(m, m->codes.data[o->parts[0].code].type, GH_FORM_ARRAY,
				   GH_STRENGTH_INFERRED);
	return gh_code_for(m, found, GH_FORM_ONE, GH_STRENGTH_INFERRED);
}

static uint64_t key_of(const struct object *o)
{
	uint64_t h = o->bits ^ (uint64_t)o->class << 56;

	for (int i = 0; i < o->nparts; i++) {
		const struct part *p = &o->parts[i];

		h = (h ^ p->offset ^ (uint64_t)p->code << 32) * 0x9e3779b97f4a7c15ULL;
		h = (h ^ h >> 29 ^ p->bytes) * 0xbf58476d1ce4e5b9ULL;
	}
	return h ^ h >> 32 ? h ^ h >> 32 : 1;
}

/* ---- objects ---- */

/* Text that strings and byte slices share: UNKNOWN when some fact says otherwise. A pointer to its
 * start may have told of it before. */
static uint16_t text_code(struct gh_mark *m, const struct object *o)
{
	struct gh_code known = m->codes.data[gh_state_at(&m->states, o->slot)];
	enum gh_strength strength = GH_STRENGTH_INFERRED;
	uint16_t bytes = 0;

	for (int i = 0; i < o->nparts; i++) {
		struct gh_code c = m->codes.data[o->parts[i].code];
		bool is_string = gh_types_get(m->types, c.type)->shape == GH_SHAPE_STRING;

		if (!gh_code_is_bytes(m, c))
			return GH_CODE_UNKNOWN;
		if (!is_string || !bytes)
			bytes = o->parts[i].code;
	}
	if (known.form == GH_FORM_LOOSE)
		strength = (enum gh_strength)known.strength;
	return gh_code_for(m, m->codes.data[bytes].type, GH_FORM_LOOSE, strength);
}

/* Known as text by a pointer into its middle, of which no more is kept: no type can be held against
 * that. */
static bool is_settled(const struct gh_mark *m, uint64_t slot)
{
	struct gh_code known = m->codes.data[gh_state_at(&m->states, slot)];

	return known.form == GH_FORM_LOOSE && known.strength == GH_STRENGTH_INFERRED;
}

static uint16_t infer_one(struct gh_mark *m, const struct object *o)
{
	const struct mark_class *k = &m->classes[o->class];
	uint16_t code = o->class & 1 ? text_code(m, o) : GH_CODE_UNKNOWN;
	struct memo *memo;
	uint64_t key;

	if (code != GH_CODE_UNKNOWN || o->class < 2 || (k->scan && !k->heap_bits_offset))
		return code; // of large objects and those with a header the allocator knows
	if (is_settled(m, o->slot))
		return code;
	key = key_of(o);
	memo = &m->inference->memo[key % MEMO_SLOTS];
	if (memo->key != key)
		*memo = (struct memo){key, choose(m, o)};
	return memo->code;
}

/* The length of a slice, rounded down to a power of two: a weaker fact, which many objects share.
 */
static uint32_t quantised(const struct gh_mark *m, const struct loose_fact *fact)
{
	if (!fact->bytes || m->codes.data[(uint16_t)fact->at].form != GH_FORM_ARRAY)
		return fact->bytes;
	return 1U << (31 - __builtin_clz(fact->bytes));
}

static void add_part(const struct gh_mark *m, struct object *o, const struct loose_fact *fact)
{
	struct part part = {.offset = (uint32_t)((fact->at >> 16) - o->base),
			    .bytes = quantised(m, fact),
			    .code = (uint16_t)fact->at};
	struct part *last = o->nparts ? &o->parts[o->nparts - 1] : NULL;

	// sorted by address and code: the largest of equal ones counts
	if (last && last->offset == part.offset && last->code == part.code)
		last->bytes = part.bytes > last->bytes ? part.bytes : last->bytes;
	else if (o->nparts < MAX_FACTS)
		o->parts[o->nparts++] = part;
}

/* The object that facts [i, …) of `facts` are about, and where the facts about the next one begin.
 * False: there is nothing to infer. */
static bool gather(const struct gh_mark *m, const struct loose_fact_vec *facts, size_t *i,
		   struct object *o)
{
	struct gh_slot_ref ref;
	const struct gh_page *page;
	gh_addr end;

	if (!gh_heap_find(m->heap, facts->data[*i].at >> 16, &ref)) {
		++*i;
		return false;
	}
	page = gh_heap_page(m->heap, ref.base);
	end = ref.base + ref.elem_bytes;
	*o = (struct object){
		.slot = ref.slot,
		.base = ref.base + m->classes[ref.class].header,
		.bytes = ref.elem_bytes - m->classes[ref.class].header,
		.class = ref.class,
	};
	for (; *i < facts->len && facts->data[*i].at >> 16 < end; ++*i)
		if (facts->data[*i].at >> 16 >= o->base)
			add_part(m, o, &facts->data[*i]);
	if (gh_state_is_named(m, gh_state_at(&m->states, o->slot)) || !o->nparts ||
	    (page->is_lost && !(o->class & 1))) // what has no pointers is not read
		return false;
	if (m->classes[o->class].heap_bits_offset)
		o->bits = gh_heap_bits(gh_heap_host(m->heap, ref.base), ref.base, page,
				       &m->classes[o->class]);
	return true;
}

/* Its type is not known, but that of some of its words is. */
static void follow_parts(struct gh_mark *m, const struct object *o)
{
	for (int i = 0; i < o->nparts && o->bits; i++) {
		const struct part *p = &o->parts[i];
		uint32_t bytes = (uint32_t)gh_min_u64(p->bytes, o->bytes - p->offset);

		if (p->offset % 8 == 0)
			gh_mark_follow_part(m, o->base + p->offset, p->code, bytes,
					    o->bits >> (p->offset / 8));
	}
}

static int compare(const void *a, const void *b)
{
	const struct loose_fact *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

/* One pass over the facts that came since the last one. */
static struct gh_error *one_round(struct gh_mark *m, const struct gh_poll *poll, uint64_t *named)
{
	struct loose_fact_vec facts = m->loose;
	struct gh_error *err = NULL;
	size_t i = 0;

	m->loose = (struct loose_fact_vec){0};
	if (facts.len)
		qsort(facts.data, facts.len, sizeof(*facts.data), compare);
	for (uint64_t n = 0; i < facts.len && !err && !m->nomem; n++) {
		struct object o;
		uint16_t code;

		if (n % POLL_EVERY == 0)
			err = gh_poll(poll, "inferring types", i, facts.len);
		if (!gather(m, &facts, &i, &o))
			continue;
		code = infer_one(m, &o);
		if (code == GH_CODE_UNKNOWN || code == gh_state_at(&m->states, o.slot)) {
			follow_parts(m, &o);
			continue;
		}
		gh_mark_put(m, o.slot, code);
		++*named;
		if (!(o.class & 1))
			gh_mark_push(m, o.base, code);
	}
	gh_budget_give(gh_runtime_budget(m->heap->rt), facts.cap * sizeof(*facts.data));
	loose_fact_vec_deinit(&facts);
	return err;
}

struct gh_error *gh_mark_infer(struct gh_mark *m, const struct gh_poll *poll)
{
	struct gh_error *err = NULL;

	if (!m->inference && m->loose.len) {
		m->inference = calloc(1, sizeof(*m->inference));
		if (!m->inference)
			return gh_error_nomem();
		gh_rtype_scan(m->heap->rt, add_candidate, m);
	}
	for (int i = 0; i < MAX_ROUNDS && !err && m->loose.len && !m->nomem; i++) {
		uint64_t named = 0;

		err = one_round(m, poll, &named);
		m->counts.inferred += named;
		if (!err)
			err = gh_mark_drain(m, poll);
	}
	return m->nomem && !err ? gh_error_nomem() : err;
}
