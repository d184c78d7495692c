// SPDX-License-Identifier: Apache-2.0
// A round of the mark: many objects at once, by as many threads as there are, with an answer that
// does not depend on how many. Objects are scanned, a piece of the stack a task, and each piece
// notes what it found. What that makes of the slots is found part by part: a part has slots of its
// own, and takes what was found of them in the order of the pieces. Neither changes what the other
// reads, so that a thread alone does both at once, while the lines are near. What has to make
// something (words of a type, a code, a closure's type) or to judge waits, and is done by the
// caller at the end: rare, as what was made once is only read from then on. Threads touch memory
// that is there already, and never the target. See mark_state.h.
#include <stdlib.h>
#include <sys/mman.h>

#include "base/team.h"
#include "graph/mark_inline.h"

enum {
	ROUND_MAX = 4096, // objects
	PIECES = 32,
	PIECE_MIN = 32, // objects: fewer are not worth a task
	PIECE_MAX = ROUND_MAX / PIECES,
	PIECE_FACTS = 1024, // after which a piece leaves its other objects to the next round
	TEAM_MIN = 256,	    // objects: fewer are not worth waking anybody
	PARTS = 16,
	PART_SHIFT = 6, // slots: a part owns whole cache lines of states
	WORDS_MAX = 64, // of an object that a piece scans
	AHEAD = 32,	// objects
	STATES_AHEAD = 16,
	FACTS_MAX = PIECE_FACTS + 2 * WORDS_MAX, // of a piece
};
_Static_assert(PIECE_MAX >= PIECE_MIN, "a round fits its pieces");

/* What comes of a fact. */
enum outcome {
	NOTHING,
	FRESH, // its entry is an object to scan
	LATER, // the caller judges it
};

/* A pointer and what it says. */
struct fact {
	uint64_t entry; // start of the object << 16 | code
	uint32_t slot, bytes;
	uint8_t class;
	bool scan;	 // the object is scanned, if this finds it first
	bool judge;	 // what the code makes of the slot is not plain
	uint8_t outcome; // enum outcome
};

/* An object whose lines are on their way. */
struct ready {
	const uint8_t *host;   // NULL: nothing here scans it
	const uint8_t *bitmap; // word of its first heap bit
	uint32_t words;
	uint8_t shift;
	uint16_t code;
};

struct waiting_word {
	const uint8_t *word;
	uint32_t before, after;
	struct mark_edge edge;
	bool guess; // its edge is not known: gh_edge_guess
};

struct counts {
	uint64_t live, to_free, upgrades;
};

struct piece {
	const uint64_t *objects;
	uint32_t nobjects, ndone;
	struct ready ring[AHEAD];
	uint64_t found[GROUP + WORDS_MAX]; // address << 16 | code
	uint32_t found_bytes[GROUP + WORDS_MAX];
	uint32_t nfound, nfacts, nmet;
	struct fact facts[FACTS_MAX];
	uint16_t by_part[FACTS_MAX]; // numbers of facts, part by part
	uint32_t part_end[PARTS];
	struct counts counts;
	// what came of it
	uint64_t fresh[FACTS_MAX], unknown[FACTS_MAX]; // objects to scan
	uint32_t nfresh, nunknown;
	// what waits for the caller
	struct waiting_word words[FACTS_MAX];
	struct loose_fact middles[FACTS_MAX];
	struct loose_fact later[FACTS_MAX];
	uint64_t slow[PIECE_MAX];
	uint32_t nwords, nmiddles, nlater, nslow;
};

struct gh_round {
	struct gh_mark *m;
	uint64_t objects[ROUND_MAX];
	uint32_t npieces;
	bool alone; // no team: a piece meets what it finds at once
	struct piece pieces[PIECES];
	struct counts part_counts[PARTS];
};

bool gh_round_prepare(struct gh_mark *m)
{
	void *p;

	if (m->round)
		return true;
	// most of it is for the worst case, and never touched
	p = mmap(NULL, sizeof(*m->round), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return false;
	m->round = p;
	m->round->m = m;
	return true;
}

void gh_round_destroy(struct gh_round *round)
{
	if (round)
		munmap(round, sizeof(*round));
}

/* ---- facts ---- */

/* What a fact makes of an empty slot, where that is plain; else false. As gh_fact_cover. */
static bool cover(const struct gh_mark *m, uint16_t *code, uint32_t bytes, uint8_t class)
{
	if (m->pointers[*code] == (class & 1))
		return false;
	if (bytes == 0)
		return true;
	if (class != GH_TINY_SPAN_CLASS || bytes >= m->classes[class].cover_hi)
		return false;
	*code = GH_CODE_TINY;
	return true;
}

/* A pointer into the middle of an object. */
static uint16_t note_middle(const struct gh_mark *m, struct piece *piece,
			    const struct mark_target *t, uint64_t found, uint32_t bytes)
{
	if (t->code >= GH_CODE_FIRST && t->slot != m->nslots)
		piece->middles[piece->nmiddles++] = (struct loose_fact){found, bytes};
	return gh_code_of_middle(t->class, bytes);
}

/* Turn what was found into facts. */
__attribute__((always_inline)) static inline void add_facts(const struct gh_mark *m,
							   struct piece *piece, bool alone)
{
	struct fact *fact = &piece->facts[piece->nfacts];

	for (uint32_t i = 0; i < piece->nfound; i++, fact++) {
		uint32_t bytes = piece->found_bytes[i];
		struct mark_target t = gh_mark_locate(m, piece->found[i]);
		const struct mark_class *k = &m->classes[t.class];
		bool judge = false;

		if (alone)
			__builtin_prefetch(&m->states.narrow[t.slot], 1);
		if (GH_UNLIKELY(!t.is_start))
			t.code = note_middle(m, piece, &t, piece->found[i], bytes);
		else if (GH_UNLIKELY(m->hide_one_in) && gh_mark_hides(m, t.slot, t.code))
			t.code = GH_CODE_UNKNOWN;
		if (GH_UNLIKELY((t.code >= GH_CODE_FIRST) &
				((bytes - k->cover_lo - 1 >= k->cover_hi - k->cover_lo) |
				 (m->pointers[t.code] == (t.class & 1)))))
			judge = !cover(m, &t.code, bytes, t.class);
		fact->entry = t.base << 16 | t.code;
		fact->slot = (uint32_t)t.slot;
		fact->bytes = bytes;
		fact->class = t.class;
		fact->scan = k->scan | (t.code == GH_CODE_FUNC);
		fact->judge = judge;
	}
	piece->nfacts += piece->nfound;
	piece->nfound = 0;
}

static unsigned int part_of(const struct fact *fact)
{
	return fact->slot >> PART_SHIFT & (PARTS - 1);
}

/* Numbers of the facts, by the part that they are about. */
static void sort_facts(struct piece *piece)
{
	uint32_t end = 0;

	memset(piece->part_end, 0, sizeof(piece->part_end));
	for (uint32_t i = 0; i < piece->nfacts; i++)
		piece->part_end[part_of(&piece->facts[i])]++;
	for (int i = 0; i < PARTS; i++) {
		uint32_t n = piece->part_end[i];

		piece->part_end[i] = end; // so far: where it begins
		end += n;
	}
	for (uint32_t i = 0; i < piece->nfacts; i++)
		piece->by_part[piece->part_end[part_of(&piece->facts[i])]++] = (uint16_t)i;
}

/* ---- what a fact makes of its slot ---- */

/* A slot that was reached before, or one that must not be. */
__attribute__((noinline)) static enum outcome meet_again(struct gh_mark *m, struct counts *counts,
							 struct fact *fact)
{
	uint16_t state = gh_state_at(&m->states, fact->slot), code = (uint16_t)fact->entry;
	const struct known_join *join;

	if (!gh_state_is_live(state)) {
		counts->to_free += state == GH_SLOT_FREE;
		return NOTHING;
	}
	if (state == code || code == GH_CODE_UNKNOWN)
		return NOTHING;
	join = gh_known_join(m, state, code, fact->class);
	if (fact->judge || !join)
		return LATER;
	if (join->code == state)
		return NOTHING;
	gh_mark_put(m, fact->slot, join->code);
	counts->upgrades++;
	fact->entry = (fact->entry & ~(uint64_t)UINT16_MAX) | join->code;
	return join->rescan ? FRESH : NOTHING;
}

/* As look_up in mark.c. What is plain of it has no branch that could go either way. */
__attribute__((always_inline)) static inline enum outcome
meet(struct gh_mark *m, struct counts *counts, struct fact *fact)
{
	uint8_t *state = &m->states.narrow[fact->slot], was = *state;
	uint16_t code = (uint16_t)fact->entry;
	bool is_new = was == GH_SLOT_DEAD;

	if (GH_UNLIKELY(is_new & fact->judge))
		return LATER;
	if (GH_UNLIKELY(!is_new & (was != code)))
		return meet_again(m, counts, fact);
	if (GH_UNLIKELY(code >= GH_STATE_WIDE)) {
		m->states.wide[fact->slot] = code;
		code = GH_STATE_WIDE;
	}
	counts->live += is_new;
	*state = (uint8_t)code;
	return is_new & fact->scan ? FRESH : NOTHING;
}

static void keep_later(const struct gh_mark *m, struct piece *piece, const struct fact *fact)
{
	uint64_t header = m->classes[fact->class].header;

	piece->later[piece->nlater++] =
		(struct loose_fact){fact->entry + (header << 16), fact->bytes};
}

static inline void keep(const struct gh_mark *m, struct piece *piece, const struct fact *fact,
			enum outcome outcome)
{
	bool is_typed = (uint16_t)fact->entry != GH_CODE_UNKNOWN;

	piece->fresh[piece->nfresh] = fact->entry;
	piece->nfresh += (outcome == FRESH) & is_typed;
	if (GH_UNLIKELY(!is_typed & (outcome == FRESH)))
		piece->unknown[piece->nunknown++] = fact->entry;
	if (GH_UNLIKELY(outcome == LATER))
		keep_later(m, piece, fact);
}

/* Those of the piece that were not met yet. */
static void meet_piece(struct gh_mark *m, struct piece *piece, uint32_t end)
{
	struct counts counts = piece->counts;

	for (uint32_t i = piece->nmet; i < end; i++)
		keep(m, piece, &piece->facts[i], meet(m, &counts, &piece->facts[i]));
	piece->nmet = end;
	piece->counts = counts;
}

static void prefetch_state(const struct gh_mark *m, const struct piece *piece, uint16_t number)
{
	__builtin_prefetch(&m->states.narrow[piece->facts[number].slot], 1);
}

static void meet_part(void *ctx, unsigned int number)
{
	struct gh_round *round = ctx;
	struct counts counts = {0};

	for (uint32_t i = 0; i < round->npieces; i++) {
		struct piece *piece = &round->pieces[i];
		uint32_t first = number ? piece->part_end[number - 1] : 0;
		const uint16_t *numbers = piece->by_part + first;
		uint32_t n = piece->part_end[number] - first;

		for (uint32_t k = 0; k < n; k++) {
			struct fact *fact = &piece->facts[numbers[k]];

			if (k + STATES_AHEAD < n)
				prefetch_state(round->m, piece, numbers[k + STATES_AHEAD]);
			fact->outcome = (uint8_t)meet(round->m, &counts, fact);
		}
	}
	round->part_counts[number] = counts;
}

/* The caller does not need those of objects that have a name. */
static void forget_middles(const struct gh_mark *m, struct piece *piece)
{
	uint32_t kept = 0;

	if (m->arenas.len) // they name no object, and are kept
		return;
	for (uint32_t i = 0; i < piece->nmiddles; i++) {
		uint64_t slot = gh_mark_locate(m, piece->middles[i].at).slot;

		piece->middles[kept] = piece->middles[i];
		kept += !gh_state_is_named(m, gh_state_at(&m->states, slot));
	}
	piece->nmiddles = kept;
}

static void keep_piece(void *ctx, unsigned int number)
{
	struct gh_round *round = ctx;
	struct piece *piece = &round->pieces[number];

	for (uint32_t i = 0; i < piece->nfacts; i++)
		keep(round->m, piece, &piece->facts[i], (enum outcome)piece->facts[i].outcome);
	forget_middles(round->m, piece);
}

/* ---- scanning ---- */

/* What a word says, where nothing has to be made for it. */
static bool resolve(struct gh_mark *m, const uint8_t *word, uint32_t before, uint32_t after,
		    struct mark_edge *edge)
{
	struct dynamic_edge *dynamic = NULL;
	struct mark_edge none = {.code = GH_CODE_UNKNOWN};

	switch ((enum gh_edge_kind)edge->kind) {
	case GH_EDGE_SLICE:
		if (after >= 2)
			*edge = gh_edge_of_slice(word, *edge);
		else
			edge->bytes = 0;
		return true;
	case GH_EDGE_STRING:
		if (after >= 1)
			*edge = gh_edge_of_string(word, *edge);
		else
			edge->bytes = 0;
		return true;
	case GH_EDGE_EFACE:
	case GH_EDGE_IFACE:
		if (!before)
			*edge = none;
		if (!before || edge->inferred)
			return !before;
		dynamic = gh_dynamic_slot(edge->kind == GH_EDGE_EFACE ? m->eface : m->iface,
					  gh_u64_at(word - 8));
		if (dynamic->key != gh_u64_at(word - 8))
			return false;
		*edge = dynamic->edge;
		return true;
	case GH_EDGE_DIRECTORY:
		return after >= 1 && !edge->inferred && gh_u64_at(word + 8) == 0;
	case GH_EDGE_FUNC:
		return true;
	default:
		return false;
	}
}

static void wait_for_caller(struct piece *piece, const uint8_t *word, uint32_t before,
			    uint32_t after, struct mark_edge edge)
{
	piece->words[piece->nwords++] = (struct waiting_word){word, before, after, edge, false};
}

static inline void add_found(const struct gh_mark *m, struct piece *piece, uint64_t value,
			     struct mark_edge edge)
{
	piece->found[piece->nfound] = value << 16 | edge.code;
	piece->found_bytes[piece->nfound] = edge.bytes;
	piece->nfound += value - m->lo < m->span_bytes;
}

/* A word whose neighbours tell what it is, or one that leads out of the heap. */
__attribute__((noinline)) static void follow_special(struct gh_mark *m, struct piece *piece,
						     const uint8_t *word, uint32_t before,
						     uint32_t after,
						     const struct mark_edge *edge)
{
	uint64_t value = gh_u64_at(word);
	bool leads_to_static = value - m->statics_lo < m->statics_bytes;
	struct mark_edge resolved = *edge;

	if (value - m->lo >= m->span_bytes && !leads_to_static)
		return;
	if (edge->kind > GH_EDGE_ARRAY && !resolve(m, word, before, after, &resolved))
		wait_for_caller(piece, word, before, after, *edge);
	else if (leads_to_static && resolved.code >= GH_CODE_FIRST &&
		 !gh_mark_knows_static(m, value, resolved))
		wait_for_caller(piece, word, before, after, *edge);
	else
		add_found(m, piece, value, resolved);
}

/* An object without a type: a word before a pointer may tell that both are an interface. */
static void follow_untyped(struct gh_mark *m, struct piece *piece, const struct ready *r,
			   uint64_t bits)
{
	const struct mark_edge unknown = {.code = GH_CODE_UNKNOWN};
	uint64_t behind_data = ~bits << 1;

	while (bits) {
		uint32_t i = (uint32_t)__builtin_ctzll(bits);
		const uint8_t *word = r->host + i * 8;

		bits &= bits - 1;
		if (GH_UNLIKELY(i && behind_data >> i & 1 &&
				gh_u64_at(word - 8) - m->modules_lo < m->modules_bytes)) {
			wait_for_caller(piece, word, i, r->words - 1 - i, unknown);
			piece->words[piece->nwords - 1].guess = true;
		} else {
			add_found(m, piece, gh_u64_at(word), unknown);
		}
	}
}

static void follow_typed(struct gh_mark *m, struct piece *piece, const struct ready *r,
			 uint64_t bits, const struct code_words *w)
{
	static const struct mark_edge unknown = {.code = GH_CODE_UNKNOWN};
	uint32_t stride = w->stride ? w->stride : UINT32_MAX, first = 0, n = piece->nfound;
	uint64_t *found = piece->found;
	uint32_t *bytes = piece->found_bytes;

	while (bits) {
		uint32_t i = (uint32_t)__builtin_ctzll(bits);
		const struct mark_edge *edge = &unknown;
		const uint8_t *word = r->host + i * 8ULL;
		uint64_t value = gh_u64_at(word);

		bits &= bits - 1;
		while (i - first >= stride)
			first += stride;
		if (GH_LIKELY(i - first < w->nedges))
			edge = &w->edges[i - first];
		if ((edge->kind > GH_EDGE_ARRAY) | (value - m->statics_lo < m->statics_bytes)) {
			piece->nfound = n;
			follow_special(m, piece, word, i, r->words - 1 - i, edge);
			n = piece->nfound;
			continue;
		}
		found[n] = value << 16 | edge->code;
		bytes[n] = edge->bytes;
		n += value - m->lo < m->span_bytes;
	}
	piece->nfound = n;
}

/* False: the object has to wait. */
static inline bool scan(struct gh_mark *m, struct piece *piece, const struct ready *r)
{
	const struct code_words *w = &m->words[r->code];
	uint64_t bits;

	if (GH_UNLIKELY(!r->host || !w->ready || w->deferred))
		return false;
	bits = gh_u64_at(r->bitmap) >> r->shift;
	if (r->shift + r->words > 64)
		bits |= gh_u64_at(r->bitmap + 8) << (64 - r->shift);
	if (r->words < 64)
		bits &= (1ULL << r->words) - 1;
	if (GH_UNLIKELY((bits ^ w->mask) & w->check))
		return false;
	if (GH_UNLIKELY(r->code == GH_CODE_UNKNOWN))
		follow_untyped(m, piece, r, bits);
	else
		follow_typed(m, piece, r, bits, w);
	return true;
}

/* Find an object's lines, and ask for them. */
__attribute__((always_inline)) static inline void prepare(const struct gh_mark *m, uint64_t entry,
							  struct ready *ret)
{
	gh_addr base = entry >> 16;
	const struct gh_page *page = &m->pages[(base - m->lo) >> GH_PAGE_SHIFT];
	const struct mark_class *k = &m->classes[page->class];
	const uint8_t *host = gh_heap_host(m->heap, base);
	uint64_t offset = (uint64_t)page->index << GH_PAGE_SHIFT | (base & (GH_PAGE_BYTES - 1));
	const uint8_t *bitmap = host - offset + k->heap_bits_offset + offset / 512 * 8;
	bool waits = (k->heap_bits_offset == 0) | page->is_lost | ((uint16_t)entry == GH_CODE_FUNC);

	__builtin_prefetch(host);
	__builtin_prefetch(host + GH_PREFETCH_AHEAD);
	__builtin_prefetch(bitmap);
	ret->host = waits ? NULL : host;
	ret->bitmap = bitmap;
	ret->words = k->words;
	ret->shift = offset / 8 % 64;
	ret->code = (uint16_t)entry;
}

/* Facts wait for a group, so that their states have arrived when they are met. */
static void take_found(struct gh_round *round, struct piece *piece)
{
	uint32_t arrived = piece->nfacts;

	if (!round->alone) {
		add_facts(round->m, piece, false);
		return;
	}
	add_facts(round->m, piece, true);
	meet_piece(round->m, piece, arrived);
}

static void scan_objects(struct gh_round *round, struct piece *piece)
{
	uint32_t i;

	for (i = 0; i < AHEAD && i < piece->nobjects; i++)
		prepare(round->m, piece->objects[i], &piece->ring[i % AHEAD]);
	for (i = 0; i < piece->nobjects; i++) {
		struct ready ready = piece->ring[i % AHEAD];

		if (i + AHEAD < piece->nobjects)
			prepare(round->m, piece->objects[i + AHEAD], &piece->ring[i % AHEAD]);
		if (!scan(round->m, piece, &ready))
			piece->slow[piece->nslow++] = piece->objects[i];
		if (piece->nfound >= GROUP)
			take_found(round, piece);
		if (GH_UNLIKELY(piece->nfacts + piece->nfound + piece->nwords >= PIECE_FACTS))
			break;
	}
	piece->ndone = (uint32_t)gh_min_u64(i + 1ULL, piece->nobjects);
}

static void scan_piece(void *ctx, unsigned int number)
{
	struct gh_round *round = ctx;
	struct piece *piece = &round->pieces[number];

	piece->nfound = piece->nfacts = piece->nmet = 0;
	piece->nfresh = piece->nunknown = 0;
	piece->nwords = piece->nmiddles = piece->nlater = piece->nslow = 0;
	piece->counts = (struct counts){0};
	scan_objects(round, piece);
	take_found(round, piece);
	if (round->alone)
		meet_piece(round->m, piece, piece->nfacts);
	else
		sort_facts(piece);
}

/* ---- at last, alone: what had to wait ---- */

static void add_counts(struct gh_mark *m, const struct counts *counts)
{
	m->counts.live += counts->live;
	m->counts.to_free += counts->to_free;
	m->counts.upgrades += counts->upgrades;
}

/* Back to their stacks: what the piece did not come to, and what it found. */
static bool keep_objects(struct gh_mark *m, const struct piece *piece, int stack)
{
	return gh_mark_push_all(m, stack, piece->objects + piece->ndone,
				piece->nobjects - piece->ndone) &&
	       gh_mark_push_all(m, 0, piece->fresh, piece->nfresh) &&
	       gh_mark_push_all(m, 1, piece->unknown, piece->nunknown);
}

static void note_middles(struct gh_mark *m, const struct piece *piece)
{
	for (uint32_t i = 0; i < piece->nmiddles; i++)
		gh_mark_note_loose(m, gh_mark_locate(m, piece->middles[i].at).slot,
				   piece->middles[i].at, piece->middles[i].bytes);
}

static void do_what_waits(struct gh_mark *m, const struct piece *piece)
{
	for (uint32_t i = 0; i < piece->nwords; i++) {
		const struct waiting_word *w = &piece->words[i];

		gh_mark_follow(m, w->word, w->before, w->after,
			       w->guess ? gh_edge_guess(m, w->word) : w->edge);
	}
	for (uint32_t i = 0; i < piece->nslow; i++)
		gh_mark_scan(m, piece->slow[i]);
}

static void meet_later(struct gh_mark *m, const struct piece *piece)
{
	for (uint32_t i = 0; i < piece->nlater; i++)
		gh_mark_meet(m, piece->later[i].at, piece->later[i].bytes);
}

static void end_round(struct gh_round *round, int stack)
{
	struct gh_mark *m = round->m;

	for (uint32_t i = 0; i < round->npieces; i++) {
		add_counts(m, &round->pieces[i].counts);
		m->nomem |= !keep_objects(m, &round->pieces[i], stack);
	}
	for (int i = 0; i < PARTS && !round->alone; i++)
		add_counts(m, &round->part_counts[i]);
	for (uint32_t i = 0; i < round->npieces; i++)
		note_middles(m, &round->pieces[i]);
	for (uint32_t i = 0; i < round->npieces; i++)
		meet_later(m, &round->pieces[i]);
	for (uint32_t i = 0; i < round->npieces; i++)
		do_what_waits(m, &round->pieces[i]);
}

static void cut_into_pieces(struct gh_round *round, uint32_t n)
{
	uint32_t size = n / PIECES + (n % PIECES != 0);

	size = size < PIECE_MIN ? PIECE_MIN : size;
	round->npieces = 0;
	for (uint32_t i = 0; i < n; i += size) {
		struct piece *piece = &round->pieces[round->npieces++];

		piece->objects = round->objects + i;
		piece->nobjects = n - i < size ? n - i : size;
	}
}

uint32_t gh_round_run(struct gh_mark *m, int stack)
{
	struct gh_round *round = m->round;
	struct mark_stack *from = &m->stacks[stack];
	uint32_t n = (uint32_t)gh_min_u64(from->len, ROUND_MAX), kept = 0;
	struct gh_team *team = n >= TEAM_MIN ? gh_team_awake(m->team) : NULL;

	from->len -= n;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t entry = from->data[from->len + i];

		// what got a type while it waited was pushed again with it
		round->objects[kept] = entry;
		kept += stack == 0 || gh_state_at(&m->states, gh_mark_locate(m, entry).slot) ==
					      GH_CODE_UNKNOWN;
	}
	cut_into_pieces(round, kept);
	round->alone = !team;
	gh_team_run(team, scan_piece, round, round->npieces);
	if (team) {
		gh_team_run(team, meet_part, round, PARTS);
		gh_team_run(team, keep_piece, round, round->npieces);
	}
	end_round(round, stack);
	return n;
}
