// SPDX-License-Identifier: Apache-2.0
// One object's words, with what they say. Not the hot loop (mark.c): the same rules, one object at
// a time. See edges.h.
#include "graph/edges.h"

#include "base/bitmap.h"
#include "graph/mark_state.h"

/* An object as the walk needs it. */
struct object {
	gh_addr base;
	const struct gh_page *page;
	const struct mark_class *k;
	const uint8_t *host;
	uint64_t slot;
};

struct walk {
	struct gh_mark *m;
	gh_word_fn fn;
	void *ctx;
};

static bool open_object(const struct gh_mark *m, gh_addr base, struct object *ret)
{
	const struct gh_page *page = gh_heap_page(m->heap, base);
	struct gh_slot_ref ref;

	if (!page || page->is_lost || !gh_heap_find(m->heap, base, &ref))
		return false;
	*ret = (struct object){.base = ref.base,
			       .page = gh_heap_page(m->heap, ref.base),
			       .k = &m->classes[page->class],
			       .host = gh_heap_host(m->heap, ref.base),
			       .slot = ref.slot};
	return true;
}

static bool leads_into_heap(const struct gh_mark *m, uint64_t value)
{
	return value - m->lo < m->span_bytes;
}

/* One word; before, after: words around it that belong to the same value. */
static void visit(const struct walk *w, gh_addr at, const uint8_t *host, uint32_t before,
		  uint32_t after, struct mark_edge edge, bool guessed)
{
	uint64_t value = gh_u64_at(host);
	struct gh_word word = {.at = at, .value = value, .kind = edge.kind, .guessed = guessed};

	if (!leads_into_heap(w->m, value))
		return;
	if (edge.kind > GH_EDGE_ARRAY && !guessed)
		edge = gh_edge_resolve(w->m, host, before, after, edge);
	word.code = edge.code;
	word.bytes = edge.bytes;
	w->fn(w->ctx, &word);
}

/* nwords: of the slot. */
static void visit_bits(const struct walk *w, gh_addr addr, const uint8_t *host, uint64_t bits,
		       uint32_t nwords, uint16_t code)
{
	const struct code_words *words = gh_code_words(w->m, code);
	bool is_untyped = code == GH_CODE_UNKNOWN;
	uint64_t behind_data = ~bits << 1;

	while (bits) {
		uint32_t i = (uint32_t)__builtin_ctzll(bits);
		struct mark_edge edge = gh_word_edge(words, i);
		bool guess = is_untyped && i && behind_data >> i & 1;

		bits &= bits - 1;
		if (i >= nwords)
			return;
		if (guess)
			edge = gh_edge_guess(w->m, host + i * 8);
		visit(w, addr + i * 8, host + i * 8, i, nwords - 1 - i, edge,
		      guess && edge.code != GH_CODE_UNKNOWN);
	}
}

struct gh_header_type gh_edges_header(struct gh_mark *m, gh_addr base)
{
	struct gh_header_type ret = {0};
	const struct tile *tile;
	struct object o;

	if (!open_object(m, base, &o) || !o.k->scan || o.k->heap_bits_offset)
		return ret;
	if (o.page->class < 2) {
		const struct gh_span *span = gh_span_find(&m->heap->table, base);

		ret.rtype = span ? span->large_type : 0;
	} else {
		ret.rtype = gh_u64_at(o.host);
		ret.at = o.base;
	}
	tile = ret.rtype ? gh_tile_of(m, ret.rtype) : NULL;
	if (tile)
		ret.type = tile->part ? tile->part : tile->type;
	else
		ret.rtype = 0;
	return ret;
}

bool gh_edges_closure(struct gh_mark *m, gh_addr base, struct gh_closure_object *ret)
{
	struct object o;
	gh_addr data;

	if (!open_object(m, base, &o))
		return false;
	data = o.base + o.k->header;
	if (data != base)
		return false;
	*ret = (struct gh_closure_object){
		.pc = gh_u64_at(o.host + o.k->header),
		.words = (o.k->elem_bytes - o.k->header) / 8,
		.bits = o.k->heap_bits_offset ? gh_heap_bits(o.host, o.base, o.page, o.k) : 0,
		.rtype = o.k->heap_bits_offset ? 0 : gh_edges_header(m, o.base).rtype,
	};
	return true;
}

/* Of its words `n` from `first` on. */
static void visit_headed(const struct walk *w, const struct object *o, uint16_t code,
			 uint64_t first, uint64_t n)
{
	const struct gh_span *span = gh_span_find(&w->m->heap->table, o->base);
	const struct code_words *words = gh_code_words(w->m, code); // never moves
	uint64_t nwords = (o->k->elem_bytes - o->k->header) / 8;
	struct gh_header_type header = gh_edges_header(w->m, o->base);
	const struct tile *found = header.rtype ? gh_tile_of(w->m, header.rtype) : NULL;
	struct tile tile;

	if (!found || !found->stride || !found->nwords)
		return;
	tile = *found; // the table may move
	if (o->page->class < 2)
		nwords = span ? gh_span_large_bytes(span) / 8 : 0;
	n = first < nwords ? gh_min_u64(n, nwords - first) : 0;
	for (uint64_t at = first; at < first + n; at++) {
		uint64_t i = at % tile.stride, offset = o->k->header + at * 8;

		if (i >= tile.nwords) {
			at += tile.stride - 1 - i; // the rest of a value has no pointers
			continue;
		}
		if (!(tile.mask[i / 64] >> (i % 64) & 1))
			continue;
		visit(w, o->base + offset, o->host + offset,
		      (uint32_t)gh_min_u64(i, UINT32_MAX),
		      (uint32_t)gh_min_u64(gh_min_u64(nwords - 1 - at, tile.stride - 1 - i),
					   UINT32_MAX),
		      gh_word_edge(words, i), false);
	}
}

static void visit_object(const struct walk *w, const struct object *o, uint16_t code)
{
	if (!o->k->scan)
		return;
	if (o->k->heap_bits_offset)
		visit_bits(w, o->base, o->host, gh_heap_bits(o->host, o->base, o->page, o->k),
			   o->k->words, code);
	else
		visit_headed(w, o, code, 0, UINT64_MAX);
}

void gh_edges_of(struct gh_mark *m, gh_addr base, gh_word_fn fn, void *ctx)
{
	struct walk w = {.m = m, .fn = fn, .ctx = ctx};
	struct object o;

	if (open_object(m, base, &o) && gh_state_is_live(gh_state_at(&m->states, o.slot)))
		visit_object(&w, &o, gh_state_at(&m->states, o.slot));
}

void gh_edges_as_unknown(struct gh_mark *m, gh_addr base, gh_word_fn fn, void *ctx)
{
	struct walk w = {.m = m, .fn = fn, .ctx = ctx};
	struct object o;

	if (open_object(m, base, &o) && gh_state_is_live(gh_state_at(&m->states, o.slot)))
		visit_object(&w, &o, GH_CODE_UNKNOWN);
}

void gh_edges_of_contents(struct gh_mark *m, gh_addr object, struct gh_edge edge, gh_word_fn fn,
			  void *ctx)
{
	struct walk w = {.m = m, .fn = fn, .ctx = ctx};
	struct object o;

	if (open_object(m, object, &o))
		visit_object(&w, &o, gh_edge_compile(m, edge, GH_STRENGTH_EXACT).code);
}

/* Words of a value in a chunk of a user arena, of those that the chunk's own bitmap has. */
static void visit_inside(const struct walk *w, const struct object *o, gh_addr addr, uint16_t code,
			 uint64_t bytes)
{
	const struct code_words *words = gh_code_words(w->m, code);
	struct gh_header_type header = gh_edges_header(w->m, o->base);
	const struct tile *found = header.rtype ? gh_tile_of(w->m, header.rtype) : NULL;
	uint64_t first = (addr - o->base) / 8, n = bytes / 8, size;
	struct tile tile;

	if (!found || first >= found->nwords)
		return;
	tile = *found; // the table may move
	if (!n) {      // an array of unknown length: its first element
		size = gh_types_get(w->m->types, w->m->codes.data[code].type)->size;
		n = size / 8;
	}
	n = gh_min_u64(n, tile.nwords - first);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t in = words->stride ? i % words->stride : i;
		uint64_t after = gh_min_u64((words->stride ? words->stride : n) - in, n - i) - 1;

		if (gh_bitmap_test(tile.mask, first + i))
			visit(w, addr + i * 8, o->host + (first + i) * 8,
			      (uint32_t)gh_min_u64(in, UINT32_MAX),
			      (uint32_t)gh_min_u64(after, UINT32_MAX), gh_word_edge(words, i),
			      false);
	}
}

static bool is_user_arena(const struct gh_mark *m, const struct object *o)
{
	return gh_edges_is_open(m, gh_mark_code(m, gh_state_at(&m->states, o->slot))) &&
	       o->page->class == 0;
}

void gh_edges_of_part(struct gh_mark *m, gh_addr addr, uint16_t code, uint32_t bytes, gh_word_fn fn,
		      void *ctx)
{
	struct walk w = {.m = m, .fn = fn, .ctx = ctx};
	uint64_t bits, first;
	struct object o;

	if (!open_object(m, addr, &o) || addr % 8)
		return;
	if (is_user_arena(m, &o))
		visit_inside(&w, &o, addr, code, bytes);
	if (!o.k->heap_bits_offset)
		return;
	first = (addr - o.base) / 8;
	bits = gh_heap_bits(o.host, o.base, o.page, o.k) >> first;
	visit_bits(&w, addr, o.host + first * 8, bits,
		   (uint32_t)gh_min_u64(bytes ? bytes / 8 : 64, o.k->words - first), code);
}

static void keep_if_at(void *ctx, const struct gh_word *word)
{
	struct gh_word *wanted = ctx;

	if (word->at == wanted->at)
		*wanted = *word;
}

/* as_unknown: whatever the object's type. */
static struct gh_word word_at(struct gh_mark *m, gh_addr at, bool as_unknown)
{
	struct gh_word word = {.at = at};
	struct walk w = {.m = m, .fn = keep_if_at, .ctx = &word};
	uint16_t code;
	struct object o;

	if (!open_object(m, at, &o) || !o.k->scan)
		return (struct gh_word){0};
	code = gh_state_at(&m->states, o.slot);
	if (!gh_state_is_live(code))
		return (struct gh_word){0};
	if (as_unknown)
		code = GH_CODE_UNKNOWN;
	if (o.k->heap_bits_offset)
		visit_object(&w, &o, code);
	else if (at >= o.base + o.k->header)
		visit_headed(&w, &o, code, (at - o.base - o.k->header) / 8, 1);
	return word.value ? word : (struct gh_word){0};
}

struct gh_word gh_edges_word(struct gh_mark *m, gh_addr at)
{
	return word_at(m, at, false);
}

struct gh_word gh_edges_word_as_unknown(struct gh_mark *m, gh_addr at)
{
	return word_at(m, at, true);
}

struct gh_word gh_edges_of_root(struct gh_mark *m, const struct gh_root *root)
{
	struct mark_edge edge = gh_edge_of_root(m, root);

	return (struct gh_word){
		.at = root->at,
		.value = root->value,
		.code = edge.code,
		.bytes = edge.bytes,
		.kind = root->edge.kind,
		.guessed = edge.inferred,
	};
}

/* What the word claims of the target's start, in the terms of the target's code. */
static bool same_type(struct gh_mark *m, struct gh_code claimed, struct gh_code is,
		      const uint8_t *host)
{
	const struct gh_type *c = gh_types_get(m->types, claimed.type);
	const struct gh_type *t = gh_types_get(m->types, is.type);

	if (c->shape == GH_SHAPE_TRIE_NODE)
		return host && gh_types_trie_part(m->types, claimed.type, *host) == is.type;
	if (t->shape == GH_SHAPE_CHAN_BUFFER && claimed.type == t->source)
		return true;
	return claimed.type == is.type;
}

/* Does the word's length fill the slot as an object of the form does? */
static bool covers(const struct gh_mark *m, const struct gh_word *word, struct gh_code is,
		   const struct object *o)
{
	if (!word->bytes || o->page->class < 2 || is.form == GH_FORM_LOOSE)
		return true;
	return word->bytes > o->k->cover_lo && word->bytes <= o->k->cover_hi;
}

bool gh_edges_is_open(const struct gh_mark *m, struct gh_code code)
{
	return !gh_code_names(code) ||
	       gh_types_get(m->types, code.type)->shape == GH_SHAPE_USER_ARENA;
}

enum gh_claim gh_edges_claim(struct gh_mark *m, const struct gh_word *word)
{
	struct gh_code claimed = gh_mark_code(m, word->code), is;
	struct object o;
	bool at_start;

	if (!open_object(m, word->value, &o) || !gh_state_is_live(gh_state_at(&m->states, o.slot)))
		return GH_CLAIM_NOTHING;
	is = gh_mark_code(m, gh_state_at(&m->states, o.slot));
	at_start = word->value == o.base + o.k->header;
	if (is.form == GH_FORM_TINY)
		return GH_CLAIM_TYPE;
	if (word->code == GH_CODE_FUNC)
		return at_start && gh_types_get(m->types, is.type)->shape == GH_SHAPE_CLOSURE
			       ? GH_CLAIM_TYPE
			       : GH_CLAIM_NOTHING;
	if (!claimed.type)
		return GH_CLAIM_NOTHING;
	if (is.type && gh_edges_is_open(m, is) && o.page->class == 0)
		return GH_CLAIM_PART;
	if (at_start && is.type && same_type(m, claimed, is, o.host + o.k->header) &&
	    covers(m, word, is, &o))
		return claimed.strength >= is.strength ? GH_CLAIM_TYPE : GH_CLAIM_WEAKER;
	if (gh_edges_is_open(m, is))
		return GH_CLAIM_PART;
	return is.strength == GH_STRENGTH_INFERRED &&
			       gh_part_fits(m, is, word->value - o.base - o.k->header, word->code,
					    word->bytes)
		       ? GH_CLAIM_PART
		       : GH_CLAIM_NOTHING;
}
