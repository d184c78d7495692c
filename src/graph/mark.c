// SPDX-License-Identifier: Apache-2.0
// The hot loop of the mark. Objects wait in a stack, pass a ring that gives their cache lines time
// to arrive, and are scanned; the pointers found are looked up in groups, so that the misses on the
// slots' states overlap too. What a fact means is decided in facts.c. See mark.h.
#include "base/bitmap.h"
#include "base/team.h"
#include "graph/mark_inline.h"

enum {
	POLL_EVERY = 1 << 16,	 // objects
	THREADS_FROM = 1 << 15,	 // objects: fewer are marked before a thread has started
	OBLET_BYTES = 128 << 10, // runtime/mgcmark.go: maxObletBytes
};

bool gh_mark_push_all(struct gh_mark *m, int stack, const uint64_t *entries, size_t n)
{
	struct mark_stack *to = &m->stacks[stack];

	if (!gh_mark_reserve(m, to, n))
		return false;
	if (n)
		memcpy(to->data + to->len, entries, n * sizeof(*entries));
	to->len += n;
	return true;
}

void gh_mark_push(struct gh_mark *m, gh_addr base, uint16_t code)
{
	struct mark_stack *stack = &m->stacks[code == GH_CODE_UNKNOWN];

	if (!gh_mark_reserve(m, stack, 1)) {
		m->nomem = true;
		return;
	}
	stack->data[stack->len++] = base << 16 | code;
}

static inline struct mark_target locate(struct gh_mark *m, uint64_t found, uint32_t bytes)
{
	struct mark_target t = gh_mark_locate(m, found);

	if (GH_UNLIKELY(!t.is_start)) { // an interior pointer names no object
		if (t.code >= GH_CODE_FIRST && t.slot != m->nslots)
			gh_mark_note_loose(m, t.slot, found, bytes);
		t.code = gh_code_of_middle(t.class, bytes);
	} else if (GH_UNLIKELY(m->hide_one_in) && gh_mark_hides(m, t.slot, t.code)) {
		t.code = GH_CODE_UNKNOWN;
	}
	return t;
}

/* What a fact makes of an empty slot; what it tells of a part of it is kept. */
static uint16_t cover(struct gh_mark *m, const struct mark_target *t, uint32_t bytes)
{
	uint16_t code = gh_fact_cover(m, t->code, bytes, t->class, t->slot);

	if (code != t->code && code != GH_CODE_TINY)
		gh_mark_note_loose(m, t->slot,
				   (t->base + m->classes[t->class].header) << 16 | t->code, bytes);
	return code;
}

static struct known_join join(struct gh_mark *m, uint16_t state, uint16_t code,
			      const struct mark_target *t)
{
	const struct known_join *known = gh_known_join(m, state, code, t->class);
	struct gh_mark_counts before = m->counts;
	struct known_join ret = {.key = gh_join_key(state, code, t->class)};

	if (known)
		return *known;
	ret.code = gh_fact_join(m, state, code, t->class, t->slot, &ret.rescan);
	if (m->counts.conflicts == before.conflicts &&
	    m->counts.codes_refused == before.codes_refused && !m->nomem)
		m->joins[gh_join_slot(ret.key)] = ret;
	return ret;
}

/* A slot that was reached before, or one that must not be. */
static void meet_again(struct gh_mark *m, const struct mark_target *t, uint32_t bytes)
{
	uint16_t state = gh_state_at(&m->states, t->slot);
	struct known_join found;

	if (!gh_state_is_live(state)) {
		m->counts.to_free += state == GH_SLOT_FREE;
		return;
	}
	found = join(m, state, cover(m, t, bytes), t);
	if (found.code == state || GH_UNLIKELY(!gh_mark_may_upgrade(m)))
		return;
	gh_mark_put(m, t->slot, found.code);
	m->counts.upgrades++;
	if (found.rescan)
		gh_mark_push(m, t->base, found.code);
}

/* Look up a group of found pointers: mark what is new, hand the rest to the rules. */
static void look_up(struct gh_mark *m, const uint64_t *found, const uint32_t *bytes, size_t n)
{
	bool has_wide = m->codes.len > GH_STATE_WIDE;
	struct mark_target targets[GROUP];

	if (!gh_mark_reserve(m, &m->stacks[0], 2 * GROUP) || !gh_mark_reserve(m, &m->stacks[1], 2 * GROUP)) {
		m->nomem = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		targets[i] = locate(m, found[i], bytes[i]);
		__builtin_prefetch(&m->states.narrow[targets[i].slot], 1);
		if (GH_UNLIKELY(has_wide))
			__builtin_prefetch(&m->states.wide[targets[i].slot], 1);
	}
	for (size_t i = 0; i < n; i++) {
		const struct mark_target *t = &targets[i];
		const struct mark_class *k = &m->classes[t->class];
		uint8_t narrow = m->states.narrow[t->slot];
		uint16_t state = narrow != GH_STATE_WIDE ? narrow : m->states.wide[t->slot];
		uint16_t code = t->code;
		bool is_new = state == GH_SLOT_DEAD;
		struct mark_stack *stack;

		if (GH_UNLIKELY(is_new && (uint32_t)(bytes[i] - k->cover_lo - 1) >=
						  k->cover_hi - k->cover_lo) |
		    (is_new & (m->pointers[code] == (t->class & 1))))
			code = cover(m, t, bytes[i]);
		stack = &m->stacks[code == GH_CODE_UNKNOWN];
		stack->data[stack->len] = t->base << 16 | code;
		stack->len += is_new & (k->scan | (code == GH_CODE_FUNC));
		m->counts.live += is_new;
		m->states.narrow[t->slot] = is_new ? gh_state_narrow(code) : narrow;
		if (GH_UNLIKELY(is_new & (code >= GH_STATE_WIDE)))
			m->states.wide[t->slot] = code;
		if (GH_UNLIKELY(!is_new && state != code &&
				(code != GH_CODE_UNKNOWN || !gh_state_is_live(state))))
			meet_again(m, t, bytes[i]);
		if (GH_UNLIKELY(m->conservative & is_new)) {
			const struct gh_span *span = gh_span_of_slot(&m->heap->table, t->slot);

			m->counts.conservative++;
			m->counts.conservative_bytes += span ? span->elem_bytes : 0;
		}
	}
}

/*
 * The collector passes over pointers back into the object that it scans, which matters only here:
 * an object with a finalizer that refers to itself is not kept by that. It scans objects above
 * 128 KiB in pieces and passes over pointers into the same piece (runtime/mgcmark.go:scanobject).
 */
static void drop_pointers_to_itself(struct gh_mark *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->nfound; i++) {
		if ((m->found[i] >> 16) - m->contents_base < m->contents_bytes)
			continue;
		m->found[kept] = m->found[i];
		m->found_bytes[kept++] = m->found_bytes[i];
	}
	m->nfound = kept;
}

/* Full groups; all of them with `rest`. */
static void look_up_found(struct gh_mark *m, bool rest)
{
	size_t i = 0;

	if (m->contents_only)
		drop_pointers_to_itself(m);
	// the rules never add to what was found, they push
	for (; i + GROUP <= m->nfound; i += GROUP)
		look_up(m, m->found + i, m->found_bytes + i, GROUP);
	if (rest) {
		look_up(m, m->found + i, m->found_bytes + i, m->nfound - i);
		m->nfound = 0;
		return;
	}
	m->nfound -= i;
	memmove(m->found, m->found + i, m->nfound * sizeof(*m->found));
	memmove(m->found_bytes, m->found_bytes + i, m->nfound * sizeof(*m->found_bytes));
}

static void meet_static(void *ctx, const char *name, const struct gh_root *root)
{
	(void)name;
	gh_mark_root(ctx, root);
}

/* How many values of its type a typed pointer leads to; 0 when nobody knows. */
static uint64_t values_at(const struct gh_mark *m, struct mark_edge edge)
{
	struct gh_code c = m->codes.data[edge.code];
	uint64_t size = gh_types_get(m->types, c.type)->size;

	if (edge.code < GH_CODE_FIRST || !size)
		return 0;
	return c.form == GH_FORM_ARRAY ? edge.bytes / size : 1;
}

bool gh_mark_knows_static(const struct gh_mark *m, gh_addr addr, struct mark_edge edge)
{
	uint64_t n = values_at(m, edge);

	return !n || gh_statics_knows(m->statics, addr, m->codes.data[edge.code].type, n);
}

/* A typed pointer out of the heap into package variables: their words may be typed only now. */
static void follow_static(struct gh_mark *m, gh_addr addr, struct mark_edge edge)
{
	uint64_t n = values_at(m, edge);

	if (n)
		gh_statics_type(m->statics, addr, m->codes.data[edge.code].type, n, meet_static, m);
}

/* A word of an object: note where it leads. before, after: words of the object around it. */
static inline void follow(struct gh_mark *m, const uint8_t *word, uint32_t before, uint32_t after,
			  struct mark_edge edge)
{
	uint64_t value = gh_u64_at(word);

	if (edge.kind > GH_EDGE_ARRAY) {
		if (value - m->lo >= m->span_bytes && value - m->statics_lo >= m->statics_bytes)
			return;
		edge = gh_edge_resolve(m, word, before, after, edge);
	}
	if (GH_UNLIKELY(value - m->statics_lo < m->statics_bytes))
		follow_static(m, value, edge);
	m->found[m->nfound] = value << 16 | edge.code;
	m->found_bytes[m->nfound] = edge.bytes;
	m->nfound += value - m->lo < m->span_bytes;
}

void gh_mark_follow_part(struct gh_mark *m, gh_addr addr, uint16_t code, uint32_t bytes,
			 uint64_t bits)
{
	const struct code_words *w = gh_code_words(m, code);
	const uint8_t *host = gh_heap_host(m->heap, addr);
	uint32_t words = gh_min_u64(bytes / 8, 64);

	while (bits) {
		uint32_t i = (uint32_t)__builtin_ctzll(bits);

		bits &= bits - 1;
		if (i < words)
			follow(m, host + i * 8, i, words - 1 - i, gh_word_edge(w, i));
	}
	if (m->nfound >= FOUND_MAX - 64)
		look_up_found(m, false);
}

/* Type the words of one value, or array, in a chunk: of those that the chunk's own bitmap has. */
static void follow_inside(struct gh_mark *m, const struct user_arena *arena,
			  const struct loose_fact *fact)
{
	const struct code_words *w = gh_code_words(m, (uint16_t)fact->at);
	const struct tile *tile = gh_tile_of(m, arena->span->large_type);
	const uint8_t *host = gh_heap_host(m->heap, arena->span->base);
	uint64_t first = ((fact->at >> 16) - arena->span->base) / 8, n = fact->bytes / 8;
	uint64_t nwords = (arena->span->limit - arena->span->base) / 8; // of the chunk

	n = gh_min_u64(n, tile ? gh_min_u64(nwords, tile->nwords) : 0);
	for (uint64_t i = 0; i < n && first + i < gh_min_u64(nwords, tile->nwords); i++) {
		uint64_t word = first + i, in = w->stride ? i % w->stride : i;
		uint64_t after = gh_min_u64((w->stride ? w->stride : n) - in, nwords - word) - 1;

		if (!gh_bitmap_test(tile->mask, word) || gh_bitmap_test(arena->typed, word))
			continue;
		gh_bitmap_set(arena->typed, word);
		follow(m, host + word * 8, (uint32_t)gh_min_u64(in, UINT32_MAX),
		       (uint32_t)gh_min_u64(after, UINT32_MAX), gh_word_edge(w, in));
		if (m->nfound >= FOUND_MAX)
			look_up_found(m, false);
	}
}

/* False: nothing waits. */
static bool follow_user_arenas(struct gh_mark *m)
{
	const struct user_arena *arena;
	struct loose_fact fact;
	bool found = false;

	while ((arena = gh_user_arena_next(m, &fact)) != NULL) {
		follow_inside(m, arena, &fact);
		found = true;
	}
	return found;
}

void gh_mark_follow(struct gh_mark *m, const uint8_t *word, uint32_t before, uint32_t after,
		    struct mark_edge edge)
{
	follow(m, word, before, after, edge);
	if (m->nfound >= GROUP)
		look_up_found(m, false);
}

void gh_mark_meet(struct gh_mark *m, uint64_t found, uint32_t bytes)
{
	m->found[m->nfound] = found;
	m->found_bytes[m->nfound++] = bytes;
	if (m->nfound >= GROUP)
		look_up_found(m, false);
}

static uint64_t slot_of(struct gh_mark *m, gh_addr base)
{
	return gh_mark_locate(m, base << 16).slot;
}

static void set_state(struct gh_mark *m, gh_addr base, uint16_t code)
{
	if (!m->contents_only)
		gh_mark_put(m, slot_of(m, base), code);
}

static uint16_t scan_closure(struct gh_mark *m, gh_addr base, const uint8_t *host, uint64_t bits,
			     const struct mark_class *k)
{
	struct gh_closure_object object = {.pc = gh_u64_at(host), .words = k->words, .bits = bits};
	uint16_t code = gh_closure_code(m, &object);

	set_state(m, base, code);
	return code;
}

/* Words of an object that nobody has named: its interfaces show. */
static void scan_untyped(struct gh_mark *m, const uint8_t *host, uint64_t bits, uint32_t words)
{
	uint64_t behind_data = ~bits << 1; // words behind one that is no pointer

	while (bits) {
		uint32_t i = (uint32_t)__builtin_ctzll(bits);
		struct mark_edge edge = {.code = GH_CODE_UNKNOWN};

		bits &= bits - 1;
		if (i && behind_data >> i & 1)
			edge = gh_edge_guess(m, host + i * 8);
		follow(m, host + i * 8, i, words - 1 - i, edge);
	}
}

/*
 * The pointer bits of an object contradict its code. Where only those behind the value do, the
 * value is the beginning of a larger one (an embedded struct) of the same size class.
 */
static uint16_t beginning(struct gh_mark *m, gh_addr base, uint16_t code, uint64_t bits)
{
	struct gh_code c = m->codes.data[code];
	uint64_t size = gh_types_get(m->types, c.type)->size;
	const struct code_words *w;
	uint16_t part = GH_CODE_UNKNOWN;

	if (c.type && c.form == GH_FORM_ONE && size < GH_HEAP_BITS_MAX) {
		part = gh_code_for(m, c.type, GH_FORM_PARTIAL, (enum gh_strength)c.strength);
		w = gh_code_words(m, part);
		if (!w->check || ((bits ^ w->mask) & w->check))
			part = GH_CODE_UNKNOWN;
	}
	if (part == GH_CODE_UNKNOWN)
		gh_mark_note_conflict(m, slot_of(m, base), code, 0);
	else
		gh_mark_note_loose(m, slot_of(m, base), base << 16 | code, (uint32_t)size);
	return part;
}

/* Objects up to 512 bytes. */
static void scan_inline(struct gh_mark *m, gh_addr base, uint16_t code, const uint8_t *host,
			const struct gh_page *page, const struct mark_class *k)
{
	uint64_t bits = gh_heap_bits(host, base, page, k);
	const struct code_words *w;

	if (GH_UNLIKELY(code == GH_CODE_FUNC))
		code = scan_closure(m, base, host, bits, k);
	w = m->words[code].ready ? &m->words[code] : gh_code_words(m, code);
	if (GH_UNLIKELY(w->deferred)) {
		code = gh_code_look(m, code, gh_u64_at(host));
		set_state(m, base, code);
		w = gh_code_words(m, code);
	}
	if (GH_UNLIKELY((bits ^ w->mask) & w->check)) {
		uint16_t claimed = code;

		code = beginning(m, base, claimed, bits);
		// meanwhile a better fact may have come, for which the object will be scanned again
		if (gh_state_at(&m->states, slot_of(m, base)) == claimed)
			set_state(m, base, code);
		w = gh_code_words(m, code);
	}
	if (code == GH_CODE_UNKNOWN) {
		scan_untyped(m, host, bits, k->words);
		return;
	}
	while (bits) {
		uint32_t i = (uint32_t)__builtin_ctzll(bits);

		bits &= bits - 1;
		follow(m, host + i * 8, i, k->words - 1 - i, gh_word_edge(w, i));
	}
}

/* Words of [data, data + bytes) by the mask of a type, repeated. */
static void scan_tiles(struct gh_mark *m, const uint8_t *data, uint64_t bytes,
		       const struct tile *tile, const struct code_words *w)
{
	uint64_t nwords = bytes / 8;

	if (tile->nwords == 0 || tile->stride == 0)
		return;
	for (uint64_t elem = 0; elem < nwords; elem += tile->stride)
		for (uint64_t i = 0; i < tile->nwords; i += 64) {
			uint64_t bits = tile->mask[i / 64];

			while (bits) {
				uint64_t j = i + (uint64_t)__builtin_ctzll(bits), at = elem + j;

				bits &= bits - 1;
				if (at >= nwords)
					return;
				follow(m, data + at * 8, (uint32_t)gh_min_u64(j, UINT32_MAX),
				       (uint32_t)gh_min_u64(
					       gh_min_u64(nwords - 1 - at, tile->stride - 1 - j),
					       UINT32_MAX),
				       gh_word_edge(w, m->hide_header_types ? at : j));
			}
			if (m->nfound >= FOUND_MAX - 64)
				look_up_found(m, false);
		}
}

/* Larger objects: the type stands in the object's header, or in the span of a large one. */
static void scan_headed(struct gh_mark *m, gh_addr base, const uint8_t *host,
			const struct gh_page *page, const struct mark_class *k)
{
	uint64_t bytes = k->elem_bytes - k->header;
	const struct tile *found;
	struct tile tile;
	uint16_t code = GH_CODE_UNKNOWN;
	gh_addr rtype;

	if (page->class < 2) {
		const struct gh_span *span = gh_span_find(&m->heap->table, base);

		rtype = span ? span->large_type : 0;
		bytes = span ? gh_span_large_bytes(span) : 0;
	} else {
		rtype = gh_u64_at(host);
	}
	if (!rtype)
		return; // just allocated: the collector does not look at it either
	found = gh_tile_of(m, rtype);
	if (!found) {
		m->counts.bad_headers++;
		return;
	}
	tile = *found; // the table may move
	if (!m->contents_only)
		code = gh_state_at(&m->states, slot_of(m, base));
	if (!m->hide_header_types) {
		code = gh_fact_header(m, slot_of(m, base), code, &tile, bytes,
				      gh_u64_at(host + k->header));
		set_state(m, base, code);
	} else if (code == GH_CODE_FUNC) {
		code = scan_closure(m, base, host + k->header, 0, k);
	}
	gh_code_words(m, code);
	scan_tiles(m, host + k->header, bytes, &tile, &m->words[code]);
}

static inline void scan(struct gh_mark *m, uint64_t entry)
{
	gh_addr base = entry >> 16;
	const struct gh_page *page = &m->pages[(base - m->lo) >> GH_PAGE_SHIFT];
	const struct mark_class *k = &m->classes[page->class];
	const uint8_t *host;

	if (GH_UNLIKELY(page->is_lost)) {
		m->counts.lost += !m->contents_only;
		return;
	}
	host = gh_heap_host(m->heap, base);
	if (k->heap_bits_offset)
		scan_inline(m, base, (uint16_t)entry, host, page, k);
	else if (k->scan)
		scan_headed(m, base, host, page, k);
	else if ((uint16_t)entry == GH_CODE_FUNC)
		scan_closure(m, base, host, 0, k);
}

/* The next object to scan, or 0. Of unknown type only when no typed one is left. */
static uint64_t pop(struct gh_mark *m)
{
	while (!m->stacks[0].len && m->stacks[1].len) {
		uint64_t entry = m->stacks[1].data[--m->stacks[1].len];

		if (gh_state_at(&m->states, slot_of(m, entry >> 16)) == GH_CODE_UNKNOWN)
			return entry;
		// it got a type while it waited, and was pushed again with it
	}
	return m->stacks[0].len ? m->stacks[0].data[--m->stacks[0].len] : 0;
}

void gh_mark_scan(struct gh_mark *m, uint64_t entry)
{
	scan(m, entry);
	if (m->nfound >= GROUP)
		look_up_found(m, false);
}

static struct gh_error *drain(struct gh_mark *m, const struct gh_poll *poll)
{
	uint64_t steps = 0, idle = 0;
	struct gh_error *err;

	look_up_found(m, true);
	while (idle < RING && !m->nomem) {
		// what is met conservatively is counted by class: one by one
		uint32_t n = m->conservative ? 0 : gh_round_run(m);
		uint64_t entry, ready, *at;

		if (n) {
			steps += n;
			if (steps >= POLL_EVERY) {
				steps = 0;
				err = gh_poll(poll, "marking", m->counts.live,
					      m->heap->nallocated);
				if (err)
					return err;
			}
			continue;
		}
		entry = pop(m);
		at = &m->ring[m->ring_at++ % RING];
		ready = *at;

		*at = entry;
		if (entry)
			gh_mark_prefetch(m, entry);
		idle = entry ? 0 : idle + 1;
		if (ready)
			scan(m, ready);
		if (!entry || m->nfound >= GROUP)
			look_up_found(m, !entry);
		if (m->stacks[0].len || m->stacks[1].len ||
		    (GH_UNLIKELY(m->inside.len) && idle == RING && follow_user_arenas(m)))
			idle = 0;
		if (++steps >= POLL_EVERY) {
			steps = 0;
			err = gh_poll(poll, "marking", m->counts.live, m->heap->nallocated);
			if (err)
				return err;
		}
	}
	return m->nomem ? gh_error_nomem() : NULL;
}

struct gh_error *gh_mark_drain(struct gh_mark *m, const struct gh_poll *poll)
{
	struct gh_error *err;

	if (!gh_round_prepare(m))
		return gh_error_nomem();
	if (m->heap->nallocated >= THREADS_FROM)
		m->team = gh_team_create(m->nthreads);
	err = drain(m, poll);
	gh_team_destroy(m->team);
	m->team = NULL;
	return err;
}

struct mark_edge gh_edge_of_root(struct gh_mark *m, const struct gh_root *root)
{
	struct mark_edge edge = gh_edge_compile(
		m, root->edge, root->exact ? GH_STRENGTH_EXACT : GH_STRENGTH_DECLARED);

	if (edge.kind > GH_EDGE_ARRAY)
		edge = gh_edge_resolve(m, root->host, root->host ? root->before : 0,
				       root->host ? root->after : 0, edge);
	if (edge.kind == GH_EDGE_UNKNOWN && root->host && root->before &&
	    root->value - m->lo < m->span_bytes)
		edge = gh_edge_guess(m, root->host);
	return edge;
}

void gh_mark_root(struct gh_mark *m, const struct gh_root *root)
{
	struct mark_edge edge = gh_edge_of_root(m, root);

	if (root->value - m->lo >= m->span_bytes)
		return;
	m->found[m->nfound] = root->value << 16 | edge.code;
	m->found_bytes[m->nfound++] = edge.bytes;
	if (m->nfound >= FOUND_MAX)
		look_up_found(m, true);
}

/* runtime/mgcmark.go:scanConservative: a slot that is allocated, as far as the scanner may know. */
void gh_mark_conservative(struct gh_mark *m, uint64_t value)
{
	const struct gh_span *span;
	struct gh_slot_ref ref;
	uint64_t free_from;

	if (value - m->lo >= m->span_bytes || !gh_heap_find(m->heap, value, &ref) ||
	    gh_state_at(&m->states, ref.slot) != GH_SLOT_DEAD)
		return;
	span = gh_span_find(&m->heap->table, value);
	free_from = span ? span->free_index_for_scan : 0;
	if (!span ||
	    (ref.slot - span->slot0 >= free_from && ref.slot - span->slot0 < span->freeindex))
		return; // handed out, but not initialised yet
	m->found[m->nfound] = value << 16 | GH_CODE_UNKNOWN;
	m->found_bytes[m->nfound++] = 0;
	if (m->nfound >= FOUND_MAX)
		look_up_found(m, true);
}

void gh_mark_contents(struct gh_mark *m, gh_addr object, struct gh_edge edge)
{
	struct mark_edge compiled = gh_edge_compile(m, edge, GH_STRENGTH_EXACT);
	struct gh_slot_ref ref;
	const struct gh_page *page;

	if (!gh_heap_find(m->heap, object, &ref))
		return;
	page = gh_heap_page(m->heap, ref.base);
	if (page->class & 1)
		return;
	if (ref.offset != m->classes[page->class].header)
		compiled.code = GH_CODE_UNKNOWN;
	look_up_found(m, true);
	m->contents_base = ref.base;
	m->contents_bytes = ref.elem_bytes <= OBLET_BYTES ? ref.elem_bytes : 0;
	m->contents_only = true;
	scan(m, ref.base << 16 | compiled.code);
	look_up_found(m, true);
	m->contents_only = false;
}

void gh_mark_count_conservative(struct gh_mark *m)
{
	m->conservative = true;
}

uint16_t gh_mark_state(const struct gh_mark *mark, uint64_t slot)
{
	return gh_state_at(&mark->states, slot);
}

struct gh_states gh_mark_states(const struct gh_mark *mark)
{
	return mark->states;
}

struct gh_code gh_mark_code(const struct gh_mark *mark, uint16_t state)
{
	return state < mark->codes.len ? mark->codes.data[state] : (struct gh_code){0};
}

size_t gh_mark_ncodes(const struct gh_mark *mark)
{
	return mark->codes.len;
}

void gh_mark_name(struct gh_mark *m, gh_addr object, gh_type_id type)
{
	struct mark_edge edge = gh_edge_compile(
		m, (struct gh_edge){.type = type, .kind = GH_EDGE_POINTER}, GH_STRENGTH_EXACT);
	struct gh_slot_ref ref;

	if (!gh_heap_find(m->heap, object, &ref) ||
	    !gh_state_is_live(gh_state_at(&m->states, ref.slot)) || edge.code < GH_CODE_FIRST)
		return;
	m->found[m->nfound] = object << 16 | edge.code;
	m->found_bytes[m->nfound++] = edge.bytes;
	look_up_found(m, true);
}

struct gh_mark_counts gh_mark_counts(const struct gh_mark *mark)
{
	return mark->counts;
}

const struct gh_conflict *gh_mark_conflicts(const struct gh_mark *mark, size_t *n_ret)
{
	*n_ret = (size_t)gh_min_u64(mark->counts.conflicts, GH_CONFLICTS_KEPT);
	return mark->conflicts;
}

void gh_mark_set_statics(struct gh_mark *mark, struct gh_statics *statics)
{
	mark->statics = statics;
	mark->statics_lo = 0;
	mark->statics_bytes = statics ? gh_statics_range(statics, &mark->statics_lo) : 0;
}

void gh_mark_set_threads(struct gh_mark *mark, unsigned int nthreads)
{
	mark->nthreads = nthreads;
}

void gh_mark_hide_declared(struct gh_mark *mark, uint32_t one_in)
{
	mark->hide_one_in = one_in;
}

void gh_mark_hide_header_types(struct gh_mark *mark)
{
	mark->hide_header_types = true;
}

uint64_t gh_mark_memory(const struct gh_mark *mark)
{
	return mark->narrow_bytes + mark->arena.total + mark->tiles_cap * sizeof(*mark->tiles) +
	       mark->codes.cap * (sizeof(*mark->words) + sizeof(*mark->codes.data)) +
	       (mark->stacks[0].cap + mark->stacks[1].cap) * sizeof(uint64_t) +
	       mark->code_of_cap * sizeof(*mark->code_of) + sizeof(*mark);
}
