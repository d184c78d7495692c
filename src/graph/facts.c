// SPDX-License-Identifier: Apache-2.0
// What a pointer says of the slot that it leads to, and which of several facts wins. See mark.h.
#include <stdlib.h>

#include "base/bitmap.h"
#include "graph/mark_inline.h"
#include "graph/types_table.h"

enum {
	MAX_MASK_WORDS = 1 << 30, // of all types together: 128 MiB of mask bits
	ANY_POINTERS = 2,
};

const char *gh_strength_name(enum gh_strength strength)
{
	static const char *const names[GH_STRENGTHS] = {"unknown", "inferred", "declared", "exact"};

	return strength < GH_STRENGTHS ? names[strength] : "unknown";
}

/* Forms and strengths in one byte: codes of a type. */
static size_t code_index(enum gh_form form, enum gh_strength strength)
{
	switch (form) {
	case GH_FORM_PARTIAL:
		return strength == GH_STRENGTH_DECLARED;
	case GH_FORM_LOOSE:
		return 2 + (strength == GH_STRENGTH_DECLARED);
	case GH_FORM_HEADER:
		return 4;
	case GH_FORM_ARRAY:
		return 5 + (size_t)(strength - GH_STRENGTH_INFERRED);
	default:
		return 8 + (size_t)(strength - GH_STRENGTH_INFERRED);
	}
}

static bool grow_code_of(struct gh_mark *m, gh_type_id type)
{
	size_t cap = m->code_of_cap ? m->code_of_cap : 1024;
	void *p;

	while (cap <= type)
		cap *= 2;
	p = realloc(m->code_of, cap * sizeof(*m->code_of));
	if (!p)
		return false;
	m->code_of = p;
	memset(m->code_of + m->code_of_cap, 0, (cap - m->code_of_cap) * sizeof(*m->code_of));
	m->code_of_cap = cap;
	return true;
}

static uint8_t pointers_of(const struct gh_type *type)
{
	if (type->shape == GH_SHAPE_CLOSURE || type->shape == GH_SHAPE_CHAN ||
	    type->shape == GH_SHAPE_DWARF || type->shape == GH_SHAPE_TRIE_NODE ||
	    type->shape == GH_SHAPE_USER_ARENA)
		return ANY_POINTERS;
	return type->nwords != 0;
}

/* A channel whose elements have no pointers is allocated as if it had none itself
 * (runtime/chan.go). */
static bool is_hchan(struct gh_mark *m, gh_type_id type)
{
	const struct gh_type *t = gh_types_get(m->types, type);

	return t->shape == GH_SHAPE_VALUE &&
	       t->size == (uint64_t)m->heap->rt->layout.struct_size[GH_S_hchan] &&
	       !strcmp(gh_types_name(m->types, type), "runtime.hchan");
}

uint16_t gh_code_for(struct gh_mark *m, gh_type_id type, enum gh_form form,
		     enum gh_strength strength)
{
	const struct gh_type *t;
	uint16_t *code;

	if (!type)
		return GH_CODE_UNKNOWN;
	t = gh_types_get(m->types, type);
	if (t->tiles && form >= GH_FORM_HEADER)
		form = GH_FORM_ONE;
	if (form == GH_FORM_HEADER && strength == GH_STRENGTH_INFERRED)
		form = GH_FORM_ONE;
	if (form <= GH_FORM_LOOSE && strength > GH_STRENGTH_DECLARED)
		strength = GH_STRENGTH_DECLARED;
	if (type >= m->code_of_cap && !grow_code_of(m, type)) {
		m->nomem = true;
		return GH_CODE_UNKNOWN;
	}
	code = &m->code_of[type][code_index(form, strength)];
	if (*code)
		return *code;
	if (m->codes.len >= GH_CODES) {
		m->counts.codes_refused++;
		return GH_CODE_UNKNOWN;
	}
	if (!gh_code_vec_push(&m->codes,
			      (struct gh_code){type, (uint8_t)form, (uint8_t)strength})) {
		m->nomem = true;
		return GH_CODE_UNKNOWN;
	}
	*code = (uint16_t)(m->codes.len - 1);
	m->pointers[*code] = is_hchan(m, type) || gh_types_is_open_ended(m->types, type)
				     ? ANY_POINTERS
				     : pointers_of(t);
	return *code;
}

/* The same, said by an object whose own type is inferred. */
static uint16_t weaken(struct gh_mark *m, uint16_t code)
{
	struct gh_code c = m->codes.data[code];

	return code < GH_CODE_FIRST
		       ? code
		       : gh_code_for(m, c.type, (enum gh_form)c.form, GH_STRENGTH_INFERRED);
}

static uint32_t saturate(uint64_t bytes)
{
	return bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
}

struct mark_edge gh_edge_compile(struct gh_mark *m, struct gh_edge edge, enum gh_strength strength)
{
	struct mark_edge ret = {.code = GH_CODE_UNKNOWN, .kind = edge.kind};
	uint64_t size = gh_types_get(m->types, edge.type)->size;

	if (edge.is_inferred)
		strength = GH_STRENGTH_INFERRED;
	ret.inferred = strength == GH_STRENGTH_INFERRED;

	switch ((enum gh_edge_kind)edge.kind) {
	case GH_EDGE_POINTER:
		ret.code = gh_code_for(m, edge.type, GH_FORM_ONE, strength);
		if (!gh_types_is_open_ended(m->types, edge.type))
			ret.bytes = saturate(size);
		break;
	case GH_EDGE_ARRAY:
		ret.code = gh_code_for(m, edge.type, GH_FORM_ARRAY, strength);
		break;
	case GH_EDGE_SLICE:
		ret.code = gh_code_for(m, edge.type, GH_FORM_ARRAY, strength);
		ret.bytes = saturate(size);
		break;
	case GH_EDGE_DIRECTORY:
		ret.code = gh_code_for(m, edge.type, GH_FORM_ARRAY, strength);
		ret.bytes = saturate(size);
		break;
	case GH_EDGE_STRING:
		ret.code = ret.inferred ? weaken(m, m->string_code) : m->string_code;
		break;
	case GH_EDGE_FUNC:
		ret.code = GH_CODE_FUNC;
		break;
	case GH_EDGE_EFACE:
	case GH_EDGE_IFACE:
	case GH_EDGE_REFLECT:
	case GH_EDGE_UNKNOWN:
		break;
	}
	return ret;
}

static const struct mark_edge *compile_words(struct gh_mark *m, gh_type_id type,
					     enum gh_strength strength, uint32_t *n_ret)
{
	const struct gh_edge *edges = gh_types_edges(m->types, type);
	uint64_t n = edges ? gh_types_get(m->types, type)->nwords : 0;
	struct mark_edge *ret;

	ret = n && n <= UINT32_MAX ? gh_arena_alloc(&m->arena, n * sizeof(*ret)) : NULL;
	for (uint64_t i = 0; ret && i < n; i++)
		ret[i] = gh_edge_compile(m, edges[i], strength);
	*n_ret = ret ? (uint32_t)n : 0;
	return ret;
}

/* The descriptor whose mask the allocator used for objects of the type; 0 when we do not know it.
 */
static gh_addr mask_source(const struct gh_mark *m, const struct gh_type *type)
{
	if (type->shape == GH_SHAPE_VALUE)
		return type->source;
	if (type->shape == GH_SHAPE_GROUPS)
		return gh_map_allocated_as(m->heap->rt, type->source);
	if (type->shape == GH_SHAPE_CHAN_BUFFER)
		return mask_source(m, gh_types_get(m->types, (gh_type_id)type->source));
	return 0;
}

const struct code_words *gh_code_words(struct gh_mark *m, uint16_t code)
{
	struct gh_code c = m->codes.data[code];
	struct code_words w = {.ready = true};
	const struct tile *tile;
	struct gh_type type; // a copy: laying out words makes new types
	gh_addr source;

	if (m->words[code].ready)
		return &m->words[code];
	if (c.type) {
		type = *gh_types_get(m->types, c.type);
		w.deferred = type.shape == GH_SHAPE_TRIE_NODE;
		w.stride = c.form == GH_FORM_ARRAY || type.tiles ? saturate(type.size / 8) : 0;
		source = mask_source(m, &type);
		w.edges = compile_words(m, c.type,
					c.strength == GH_STRENGTH_INFERRED ? GH_STRENGTH_INFERRED
									   : GH_STRENGTH_DECLARED,
					&w.nedges);
		tile = source ? gh_tile_of(m, source) : NULL;
		if (tile && tile->stride && tile->stride <= 64) {
			w.mask = tile->nwords ? tile->mask[0] : 0;
			w.check = tile->stride == 64 ? UINT64_MAX : (1ULL << tile->stride) - 1;
			if (c.form == GH_FORM_ONE && !type.tiles)
				w.check = UINT64_MAX;
		}
	}
	m->words[code] = w;
	return &m->words[code];
}

static size_t tile_bucket(const struct gh_mark *m, gh_addr rtype)
{
	size_t mask = m->tiles_cap - 1, i = (size_t)((rtype * 0x9e3779b97f4a7c15ULL) >> 24) & mask;

	while (m->tiles[i].rtype && m->tiles[i].rtype != rtype)
		i = (i + 1) & mask;
	return i;
}

static bool grow_tiles(struct gh_mark *m)
{
	size_t old_cap = m->tiles_cap;
	struct tile *old = m->tiles;

	m->tiles_cap = old_cap ? old_cap * 2 : 1024;
	m->tiles = gh_alloc_array(m->tiles_cap, sizeof(*m->tiles));
	if (!m->tiles) {
		m->tiles = old;
		m->tiles_cap = old_cap;
		return false;
	}
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].rtype)
			m->tiles[tile_bucket(m, old[i].rtype)] = old[i];
	free(old);
	return true;
}

static struct tile make_tile(struct gh_mark *m, gh_addr rtype)
{
	const struct gh_runtime *rt = m->heap->rt;
	struct tile tile = {.rtype = rtype};
	struct gh_rtype t;

	if (!gh_rtype_read(rt, rtype, &t) || t.size == 0 ||
	    t.ptr_bytes / 8 > MAX_MASK_WORDS - m->mask_words)
		return tile;
	tile.nwords = t.ptr_bytes / 8;
	m->mask_words += tile.nwords;
	tile.mask = gh_arena_alloc(&m->arena, gh_bitmap_words(tile.nwords ? tile.nwords : 1) * 8);
	if (!tile.mask || !gh_rtype_mask(rt, &t, tile.nwords, tile.mask))
		return tile;
	tile.size = t.size;
	tile.stride = t.size / 8;
	tile.type = t.is_bare ? 0 : gh_types_of_rtype(m->types, rtype);
	if (tile.type && t.kind == GH_KIND_STRUCT && gh_types_is_group(m->types, rtype))
		tile.part = gh_types_map_part(m->types, rtype, GH_SHAPE_GROUPS);
	return tile;
}

const struct tile *gh_tile_of(struct gh_mark *m, gh_addr rtype)
{
	struct tile made;
	size_t i;

	if (m->ntiles * 2 >= m->tiles_cap && !grow_tiles(m)) {
		m->nomem = true;
		return NULL;
	}
	i = tile_bucket(m, rtype);
	if (!m->tiles[i].rtype) {
		made = make_tile(m, rtype);
		m->tiles[i] = made;
		m->ntiles++;
	}
	return m->tiles[i].size ? &m->tiles[i] : NULL;
}

static struct mark_edge dynamic(struct gh_mark *m, gh_addr rtype)
{
	struct gh_edge edge = {0};

	// a descriptor outside the modules was made by reflect; anything else there is no type
	if (rtype && (gh_module_of_types(m->heap->rt, rtype) || rtype - m->lo < m->span_bytes))
		edge = gh_types_dynamic(m->types, rtype);
	return gh_edge_compile(m, edge, GH_STRENGTH_EXACT);
}

static struct mark_edge resolve_dynamic(struct gh_mark *m, struct dynamic_edge *cache, gh_addr key,
					bool is_itab)
{
	struct dynamic_edge *entry = gh_dynamic_slot(cache, key);
	struct mark_edge edge;

	if (entry->key == key)
		return entry->edge;
	edge = dynamic(m, is_itab ? gh_itab_type(m->heap->rt, key) : key);
	*entry = (struct dynamic_edge){key, edge};
	return edge;
}

/* reflect.Value{typ_, ptr, flag}: flagIndir says that ptr leads to the value (reflect/value.go). */
static struct mark_edge resolve_reflect(struct gh_mark *m, const uint8_t *word)
{
	enum { FLAG_INDIR = 1 << 7 };
	gh_addr rtype = gh_u64_at(word - 8);
	struct gh_edge edge = {.kind = GH_EDGE_POINTER};

	if (!(gh_u64_at(word + 8) & FLAG_INDIR))
		return resolve_dynamic(m, m->eface, rtype, false);
	if (!gh_module_of_types(m->heap->rt, rtype) && rtype - m->lo >= m->span_bytes)
		return (struct mark_edge){.code = GH_CODE_UNKNOWN};
	edge.type = gh_types_of_rtype(m->types, rtype);
	return edge.type ? gh_edge_compile(m, edge, GH_STRENGTH_EXACT)
			 : (struct mark_edge){.code = GH_CODE_UNKNOWN};
}

/* maps.Map.dirPtr: one group, or dirLen tables (internal/runtime/maps/map.go). */
static struct mark_edge resolve_directory(struct gh_mark *m, const uint8_t *word,
					  struct mark_edge edge)
{
	uint64_t n = gh_u64_at(word + 8);
	gh_type_id groups = m->codes.data[edge.code].type;

	if (n == 0 || edge.code < GH_CODE_FIRST)
		return edge;
	groups = gh_types_map_part(m->types, gh_types_get(m->types, groups)->source,
				   GH_SHAPE_DIRECTORY);
	return (struct mark_edge){
		.code = gh_code_for(m, groups, GH_FORM_ARRAY, GH_STRENGTH_DECLARED),
		.kind = GH_EDGE_ARRAY,
		.bytes = n > UINT32_MAX / 8 ? UINT32_MAX : (uint32_t)n * 8,
	};
}

static struct mark_edge resolve(struct gh_mark *m, const uint8_t *word, uint32_t before,
				uint32_t after, struct mark_edge edge)
{
	struct mark_edge unknown = {.code = GH_CODE_UNKNOWN};

	switch ((enum gh_edge_kind)edge.kind) {
	case GH_EDGE_SLICE:
	case GH_EDGE_STRING:
		if (gh_edge_of_array(word, after, &edge))
			return edge;
		edge.bytes = 0;
		edge.code = weaken(m, edge.code);
		return edge;
	case GH_EDGE_EFACE:
		return before ? resolve_dynamic(m, m->eface, gh_u64_at(word - 8), false) : unknown;
	case GH_EDGE_IFACE:
		return before ? resolve_dynamic(m, m->iface, gh_u64_at(word - 8), true) : unknown;
	case GH_EDGE_REFLECT:
		return before && after ? resolve_reflect(m, word) : unknown;
	case GH_EDGE_DIRECTORY:
		return after >= 1 ? resolve_directory(m, word, edge) : unknown;
	default:
		return edge;
	}
}

struct mark_edge gh_edge_resolve(struct gh_mark *m, const uint8_t *word, uint32_t before,
				 uint32_t after, struct mark_edge edge)
{
	struct mark_edge ret = resolve(m, word, before, after, edge);

	if (edge.inferred)
		ret.code = weaken(m, ret.code);
	return ret;
}

/* An itab of the program begins with its interface's descriptor and that of the type
 * (internal/abi/iface.go); a descriptor begins with two sizes. Both lie among the descriptors, or
 * behind them: where is the linker's choice. */
static bool is_itab(const struct gh_runtime *rt, gh_addr addr)
{
	struct gh_rtype inter;
	gh_addr at;

	return gh_module_of_types(rt, gh_itab_type(rt, addr)) &&
	       gh_read_u64(rt->image, addr, &at) && gh_module_of_types(rt, at) &&
	       gh_rtype_read(rt, at, &inter) && inter.kind == GH_KIND_INTERFACE;
}

struct mark_edge gh_edge_guess(struct gh_mark *m, const uint8_t *word)
{
	const struct gh_runtime *rt = m->heap->rt;
	struct mark_edge edge = {.code = GH_CODE_UNKNOWN};
	gh_addr first = gh_u64_at(word - 8);

	if (first - m->modules_lo >= m->modules_bytes || first % 8)
		return edge;
	if (gh_dynamic_slot(m->iface, first)->key == first || is_itab(rt, first))
		edge = resolve_dynamic(m, m->iface, first, true);
	else if (gh_module_of_types(rt, first))
		edge = resolve_dynamic(m, m->eface, first, false);
	edge.code = weaken(m, edge.code);
	edge.inferred = true;
	return edge;
}

uint16_t gh_code_look(struct gh_mark *m, uint16_t code, uint64_t first_word)
{
	struct gh_code c = m->codes.data[code];

	return gh_code_for(m, gh_types_trie_part(m->types, c.type, (uint8_t)first_word),
			   GH_FORM_ONE, (enum gh_strength)c.strength);
}

uint16_t gh_closure_code(struct gh_mark *m, const struct gh_closure_object *object)
{
	return gh_code_for(m, gh_types_closure(m->types, object), GH_FORM_ONE, GH_STRENGTH_EXACT);
}

bool gh_code_is_bytes(const struct gh_mark *m, struct gh_code c)
{
	const struct gh_type *type = gh_types_get(m->types, c.type);

	return type->shape == GH_SHAPE_STRING ||
	       (type->kind == GH_KIND_UINT8 && c.form != GH_FORM_ONE);
}

/* Does the fact fill a large object? Its requested size is known (mspan.limit). */
static bool covers_large(const struct gh_mark *m, struct gh_code c, uint64_t bytes, uint64_t slot,
			 bool *beyond)
{
	const struct gh_span *span = gh_span_of_slot(&m->heap->table, slot);
	uint64_t requested = span ? span->limit - span->base : 0;
	uint64_t size = gh_types_get(m->types, c.type)->size;

	*beyond = bytes > requested && bytes != UINT32_MAX;
	if (bytes == UINT32_MAX)
		return requested >= UINT32_MAX;
	// append rounds the array up to whole pages: less than one element may be left over
	return !*beyond && requested - bytes < gh_max_u64(size, 8);
}

void gh_mark_note_conflict(struct gh_mark *m, uint64_t slot, uint16_t claimed, gh_type_id found)
{
	struct gh_code c = m->codes.data[claimed];

	if (c.strength == GH_STRENGTH_INFERRED)
		return;
	if (m->counts.conflicts < GH_CONFLICTS_KEPT)
		m->conflicts[m->counts.conflicts] =
			(struct gh_conflict){gh_heap_slot_base(m->heap, slot), c.type, found};
	m->counts.conflicts++;
}

uint16_t gh_fact_cover(struct gh_mark *m, uint16_t code, uint32_t bytes, uint8_t class,
		       uint64_t slot)
{
	const struct mark_class *k = &m->classes[class];
	struct gh_code c = m->codes.data[code];
	bool covers, beyond;

	if (code < GH_CODE_FIRST)
		return code;
	if (!bytes && class == GH_TINY_SPAN_CLASS && c.strength == GH_STRENGTH_INFERRED)
		return GH_CODE_UNKNOWN; // of any length: alone in its slot, or one of several values
	covers = bytes == 0 || (bytes > k->cover_lo && bytes <= k->cover_hi);
	beyond = bytes > k->cover_hi;
	if (class < 2 && bytes)
		covers = covers_large(m, c, bytes, slot, &beyond);
	if (beyond || (m->pointers[code] == (class & 1) && covers)) {
		gh_mark_note_conflict(m, slot, code, 0);
		return GH_CODE_UNKNOWN;
	}
	if (covers)
		return code;
	if (class == GH_TINY_SPAN_CLASS)
		return GH_CODE_TINY;
	if (gh_code_is_bytes(m, c) && (class & 1))
		return gh_code_for(m, c.type, GH_FORM_LOOSE, (enum gh_strength)c.strength);
	if (m->pointers[code] && !(class & 1))
		return gh_code_for(m, c.type, GH_FORM_PARTIAL, (enum gh_strength)c.strength);
	return GH_CODE_UNKNOWN;
}

/* The buffer of a channel of T is an array of T; the channel knows better. */
static bool is_buffer_of(const struct gh_mark *m, gh_type_id buffer, gh_type_id elem)
{
	const struct gh_type *t = gh_types_get(m->types, buffer);

	return t->shape == GH_SHAPE_CHAN_BUFFER && t->source == elem;
}

static int level(struct gh_code c)
{
	return c.form <= GH_FORM_LOOSE ? c.form : GH_FORM_ONE + c.strength;
}

/* Both name the whole slot, with different types of the program. */
static bool second_type_wins(struct gh_mark *m, uint16_t first, uint16_t second, uint64_t slot)
{
	struct gh_code a = m->codes.data[first], b = m->codes.data[second];
	uint64_t size_a = gh_types_get(m->types, a.type)->size;
	uint64_t size_b = gh_types_get(m->types, b.type)->size;
	bool a_is_dwarf = gh_types_get(m->types, a.type)->shape == GH_SHAPE_DWARF;
	bool b_is_dwarf = gh_types_get(m->types, b.type)->shape == GH_SHAPE_DWARF;

	if (gh_types_begins_with(m->types, b.type, a.type))
		return true;
	if (gh_types_begins_with(m->types, a.type, b.type))
		return false;
	if (a.strength != GH_STRENGTH_INFERRED &&
	    !gh_types_same_underlying(m->types, a.type, b.type))
		gh_mark_note_conflict(m, slot, second, a.type);
	if (level(a) != level(b))
		return level(b) > level(a);
	if (a_is_dwarf != b_is_dwarf) // what is allocated by its name has a descriptor
		return a_is_dwarf;
	if (size_a != size_b)
		return size_b > size_a;
	return b.type < a.type;
}

/* What only the runtime knows (parts of maps, channels, closures) is more than its Go struct. */
static bool is_made_by_hand(const struct gh_mark *m, gh_type_id type)
{
	uint8_t shape = gh_types_get(m->types, type)->shape;

	return shape != GH_SHAPE_VALUE && shape != GH_SHAPE_DWARF;
}

/* Both name the whole slot, with different types. */
static bool second_wins(struct gh_mark *m, uint16_t first, uint16_t second, uint64_t slot)
{
	struct gh_code a = m->codes.data[first], b = m->codes.data[second];
	uint8_t shape_a = gh_types_get(m->types, a.type)->shape;
	uint8_t shape_b = gh_types_get(m->types, b.type)->shape;

	if (shape_a == GH_SHAPE_TRIE_NODE || shape_b == GH_SHAPE_TRIE_NODE)
		return shape_a == GH_SHAPE_TRIE_NODE; // the other says which kind of node
	if (is_made_by_hand(m, a.type) != is_made_by_hand(m, b.type))
		return is_made_by_hand(m, b.type);
	return second_type_wins(m, first, second, slot);
}

uint16_t gh_fact_join(struct gh_mark *m, uint16_t state, uint16_t code, uint8_t class,
		      uint64_t slot, bool *rescan)
{
	struct gh_code a = m->codes.data[state], b = m->codes.data[code];
	enum gh_strength strength = a.strength > b.strength ? a.strength : b.strength;
	bool wins;

	*rescan = false;
	if (state == code || code == GH_CODE_UNKNOWN || state == GH_CODE_FUNC ||
	    (code == GH_CODE_FUNC && gh_types_get(m->types, a.type)->shape == GH_SHAPE_CLOSURE))
		return state;
	if (a.type && a.type == b.type && a.form > GH_FORM_LOOSE && b.form > GH_FORM_LOOSE) {
		// what it refers to was inferred with it, and is not any more
		*rescan =
			!(class & 1) && a.strength < strength && a.strength == GH_STRENGTH_INFERRED;
		return gh_code_for(m, a.type, a.form > b.form ? a.form : b.form, strength);
	}
	if (a.type && is_buffer_of(m, a.type, b.type))
		return gh_code_for(m, a.type, GH_FORM_ONE, strength);
	if (b.type && is_buffer_of(m, b.type, a.type))
		return gh_code_for(m, b.type, GH_FORM_ONE, strength);
	if (gh_code_is_bytes(m, a) && gh_code_is_bytes(m, b) && a.type != b.type)
		wins = gh_types_get(m->types, b.type)->shape != GH_SHAPE_STRING;
	else if (a.form > GH_FORM_LOOSE && b.form > GH_FORM_LOOSE)
		wins = second_wins(m, state, code, slot);
	else
		wins = level(b) > level(a) || code == GH_CODE_FUNC;
	if (!wins)
		return state;
	*rescan = !(class & 1) || code == GH_CODE_FUNC;
	return code;
}

/* Arrays of pointers that only a map has: the map's own name tells more than the element's. */
static bool is_array_of_map(const struct gh_mark *m, gh_type_id type)
{
	uint8_t shape = gh_types_get(m->types, type)->shape;

	return shape == GH_SHAPE_DIRECTORY || shape == GH_SHAPE_OVERFLOWS;
}

static bool is_closure_struct(const struct gh_mark *m, const struct tile *tile)
{
	struct gh_rtype t;

	return gh_rtype_read(m->heap->rt, tile->rtype, &t) &&
	       gh_rtype_is_closure_struct(m->heap->rt, &t);
}

uint16_t gh_fact_header(struct gh_mark *m, uint64_t slot, uint16_t state, const struct tile *tile,
			uint64_t bytes, uint64_t first_word)
{
	struct gh_code a = m->codes.data[state];
	gh_type_id type = tile->part ? tile->part : tile->type;
	bool is_array = bytes / tile->size >= 2;
	enum gh_form form = is_array ? GH_FORM_ARRAY : GH_FORM_HEADER;

	if (!type)
		return state;
	if (gh_types_get(m->types, a.type)->shape == GH_SHAPE_CLOSURE)
		return state;
	if (state == GH_CODE_FUNC || (!is_array && is_closure_struct(m, tile))) {
		struct gh_closure_object object = {
			.pc = first_word, .words = bytes / 8, .rtype = tile->rtype};
		uint16_t closure = gh_closure_code(m, &object);

		if (closure != GH_CODE_UNKNOWN)
			return closure;
	}
	if (a.type && is_buffer_of(m, a.type, type))
		return gh_code_for(m, a.type, GH_FORM_ONE, GH_STRENGTH_EXACT);
	if (is_array_of_map(m, a.type)) // the header says pointers, to tables or to buckets
		return gh_code_for(m, a.type, (enum gh_form)a.form, GH_STRENGTH_EXACT);
	if (a.type == type && !is_array && a.form > GH_FORM_LOOSE)
		form = a.form;
	else if (a.type && a.type != type && a.form > GH_FORM_LOOSE &&
		 !gh_types_begins_with(m->types, type, a.type) &&
		 !gh_types_same_underlying(m->types, type, a.type))
		gh_mark_note_conflict(m, slot, state, type);
	return gh_code_for(m, type, form, GH_STRENGTH_EXACT);
}
