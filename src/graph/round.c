// SPDX-License-Identifier: Apache-2.0
// A round of the mark: many objects at once, by as many threads as there are, with an answer that
// does not depend on how many. The heap is cut into regions. In a round each region scans objects
// of its own, last come first, and meets what it finds of its own at once; a pointer into another
// region is a letter, which is read there in the next round. A region's round is a matter of what
// lies in it and of its letters, so that it does not matter which thread does it, or when.
// What has to make something (words of a type, a code, a closure's type) or to judge waits, and is
// done by the caller at the end: rare, as what was made once is only read from then on. Threads
// touch memory that is there already, and never the target. See mark_state.h.
#include <stdlib.h>
#include <sys/mman.h>

#include "base/team.h"
#include "graph/mark_inline.h"

enum {
	REGIONS = 8,
	REGION_SHIFT = 11,    // pages: 16 MiB of each region follow one another
	STEP_OBJECTS = 4096,  // of a region, before it reads letters again
	STEP_FACTS = 1 << 14, // of its own that it meets meanwhile
	LETTERS = 1024,	      // of one region to another, and a few more
	TEAM_MIN = 2048,      // objects and letters: fewer are not worth waking anybody
	WORDS_MAX = 64,	      // of an object that a region scans
	AHEAD = 32,	      // objects
	LARGE_STACK = 1 << 16, // entries: not kept when it is empty
	FOUND = GROUP + WORDS_MAX,
	BOX_MAX = LETTERS + 2 * FOUND,
	LIST_MAX = REGIONS * BOX_MAX + STEP_FACTS + 4 * FOUND,
};

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
	bool scan;  // the object is scanned, if this finds it first
	bool judge; // what the code makes of the slot is not plain
};

/* Facts whose states are on their way. */
struct facts {
	struct fact data[FOUND];
	uint32_t n;
};

/* A pointer into another region: address << 16 | code. */
struct letter {
	uint32_t bytes;
	uint64_t found;
} __attribute__((packed));

struct box {
	uint32_t n;
	struct letter letters[BOX_MAX];
};

/* An object whose lines are on their way. */
struct ready {
	uint64_t entry;	       // 0: none
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

struct region {
	struct mark_stack stack; // owned: grown by the caller, between rounds
	size_t stack_limit;
	struct box *out; // one a region, of this round
	unsigned int number;
	bool is_full; // some box is
	uint32_t nscanned, nmet;
	struct ready ring[AHEAD];
	uint64_t found[FOUND]; // address << 16 | code
	uint32_t found_bytes[FOUND];
	uint32_t nfound;
	struct facts facts[2], *coming, *arrived;
	struct counts counts;
	// what waits for the caller
	uint64_t unknown[LIST_MAX]; // objects of no known type
	uint64_t slow[STEP_OBJECTS + AHEAD];
	struct waiting_word words[LIST_MAX];
	struct loose_fact middles[LIST_MAX];
	struct loose_fact later[LIST_MAX];
	uint32_t nunknown, nslow, nwords, nmiddles, nlater;
};

struct gh_round {
	struct gh_mark *m;
	unsigned int side;  // of mail: what is written now
	uint64_t nwaiting;  // objects on the regions' stacks, and letters
	struct box mail[2][REGIONS][REGIONS]; // from, to
	struct region regions[REGIONS];
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
	for (unsigned int i = 0; i < REGIONS; i++)
		m->round->regions[i].number = i;
	return true;
}

void gh_round_destroy(struct gh_round *round)
{
	if (!round)
		return;
	for (int i = 0; i < REGIONS; i++)
		gh_mark_free_stack(round->m, &round->regions[i].stack);
	munmap(round, sizeof(*round));
}

/* A span lies in one region. */
static inline unsigned int region_of(const struct gh_mark *m, gh_addr addr)
{
	uint64_t page = (addr - m->lo) >> GH_PAGE_SHIFT;

	return (page - m->pages[page].index) >> REGION_SHIFT & (REGIONS - 1);
}

/* ---- what a fact makes of its slot ---- */

/* What a fact makes of an empty slot, where that is plain; else false. As gh_fact_cover. */
static bool cover(const struct gh_mark *m, uint16_t *code, uint32_t bytes, uint8_t class)
{
	if (m->pointers[*code] == (class & 1))
		return false;
	if (bytes == 0 && class != GH_TINY_SPAN_CLASS)
		return true;
	if (bytes == 0 && m->codes.data[*code].strength != GH_STRENGTH_INFERRED)
		return true;
	if (class != GH_TINY_SPAN_CLASS || !bytes || bytes >= m->classes[class].cover_hi)
		return false;
	*code = GH_CODE_TINY;
	return true;
}

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
	if (join->code == state || !gh_mark_may_upgrade(m))
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

static void keep_later(const struct gh_mark *m, struct region *region, const struct fact *fact)
{
	uint64_t header = m->classes[fact->class].header;

	region->later[region->nlater++] =
		(struct loose_fact){fact->entry + (header << 16), fact->bytes};
}

/* Those whose states have arrived. */
static void meet_arrived(struct gh_mark *m, struct region *region)
{
	struct facts *facts = region->arrived;
	struct counts counts = region->counts;
	uint64_t *data = region->stack.data;
	size_t len = region->stack.len;

	for (uint32_t i = 0; i < facts->n; i++) {
		struct fact *fact = &facts->data[i];
		enum outcome outcome = meet(m, &counts, fact);
		bool is_typed = (uint16_t)fact->entry != GH_CODE_UNKNOWN;

		data[len] = fact->entry;
		len += (outcome == FRESH) & is_typed;
		if (GH_UNLIKELY(!is_typed & (outcome == FRESH)))
			region->unknown[region->nunknown++] = fact->entry;
		if (GH_UNLIKELY(outcome == LATER))
			keep_later(m, region, fact);
	}
	region->stack.len = len;
	region->nmet += facts->n;
	region->counts = counts;
	facts->n = 0;
}

/* A pointer into the middle of an object. */
static uint16_t note_middle(const struct gh_mark *m, struct region *region,
			    const struct mark_target *t, uint64_t found, uint32_t bytes)
{
	if (t->code >= GH_CODE_FIRST && t->slot != m->nslots)
		region->middles[region->nmiddles++] = (struct loose_fact){found, bytes};
	return gh_code_of_middle(t->class, bytes);
}

static inline void add_fact(const struct gh_mark *m, struct region *region, uint64_t found,
			    uint32_t bytes)
{
	struct mark_target t = gh_mark_locate(m, found);
	const struct mark_class *k = &m->classes[t.class];
	struct fact *fact = &region->coming->data[region->coming->n++];
	bool judge = false;

	__builtin_prefetch(&m->states.narrow[t.slot], 1);
	if (GH_UNLIKELY(!t.is_start))
		t.code = note_middle(m, region, &t, found, bytes);
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

/* What was found becomes facts and letters; the facts before these are met. */
static void take_found(struct gh_mark *m, struct region *region)
{
	struct facts *arrived = region->coming;

	region->coming = region->arrived;
	region->arrived = arrived;
	for (uint32_t i = 0; i < region->nfound; i++) {
		uint64_t found = region->found[i];
		unsigned int to = region_of(m, found >> 16);
		struct box *box = &region->out[to];

		if (to == region->number) {
			add_fact(m, region, found, region->found_bytes[i]);
			continue;
		}
		box->letters[box->n++] = (struct letter){region->found_bytes[i], found};
		region->is_full |= box->n >= LETTERS;
	}
	region->nfound = 0;
	meet_arrived(m, region);
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
	case GH_EDGE_STRING:
		return gh_edge_of_array(word, after, edge);
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

static void wait_for_caller(struct region *region, const uint8_t *word, uint32_t before,
			    uint32_t after, struct mark_edge edge)
{
	region->words[region->nwords++] = (struct waiting_word){word, before, after, edge, false};
}

static inline void add_found(const struct gh_mark *m, struct region *region, uint64_t value,
			     struct mark_edge edge)
{
	region->found[region->nfound] = value << 16 | edge.code;
	region->found_bytes[region->nfound] = edge.bytes;
	region->nfound += value - m->lo < m->span_bytes;
}

/* A word whose neighbours tell what it is, or one that leads out of the heap. */
__attribute__((noinline)) static void follow_special(struct gh_mark *m, struct region *region,
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
		wait_for_caller(region, word, before, after, *edge);
	else if (leads_to_static && resolved.code >= GH_CODE_FIRST &&
		 !gh_mark_knows_static(m, value, resolved))
		wait_for_caller(region, word, before, after, *edge);
	else
		add_found(m, region, value, resolved);
}

/* An object without a type: a word before a pointer may tell that both are an interface. */
static void follow_untyped(struct gh_mark *m, struct region *region, const struct ready *r,
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
			wait_for_caller(region, word, i, r->words - 1 - i, unknown);
			region->words[region->nwords - 1].guess = true;
		} else {
			add_found(m, region, gh_u64_at(word), unknown);
		}
	}
}

static void follow_typed(struct gh_mark *m, struct region *region, const struct ready *r,
			 uint64_t bits, const struct code_words *w)
{
	static const struct mark_edge unknown = {.code = GH_CODE_UNKNOWN};
	uint32_t stride = w->stride ? w->stride : UINT32_MAX, first = 0, n = region->nfound;
	uint64_t *found = region->found;
	uint32_t *bytes = region->found_bytes;

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
			region->nfound = n;
			follow_special(m, region, word, i, r->words - 1 - i, edge);
			n = region->nfound;
			continue;
		}
		found[n] = value << 16 | edge->code;
		bytes[n] = edge->bytes;
		n += value - m->lo < m->span_bytes;
	}
	region->nfound = n;
}

/* False: the object has to wait. */
static inline bool scan(struct gh_mark *m, struct region *region, const struct ready *r)
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
		follow_untyped(m, region, r, bits);
	else
		follow_typed(m, region, r, bits, w);
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
	ret->entry = entry;
	ret->code = (uint16_t)entry;
}

/* The next object to scan, or 0. */
static uint64_t pop(const struct gh_mark *m, struct region *region)
{
	struct mark_stack *stack = &region->stack;

	while (stack->len) {
		uint64_t entry = stack->data[--stack->len];

		if (GH_LIKELY((uint16_t)entry != GH_CODE_UNKNOWN) ||
		    gh_state_at(&m->states, gh_mark_locate(m, entry).slot) == GH_CODE_UNKNOWN)
			return entry;
		// it got a type while it waited, and was pushed again with it
	}
	return 0;
}

/* For what GROUP objects more may find. */
static bool has_room(const struct region *region)
{
	return region->nmet < STEP_FACTS && !region->is_full && region->nwords < STEP_FACTS &&
	       region->stack.len < region->stack_limit;
}

static void scan_objects(struct gh_mark *m, struct region *region)
{
	uint32_t idle = 0, n = 0;

	for (uint32_t at = 0; idle <= AHEAD + 2 && n < STEP_OBJECTS; at++) {
		struct ready *place = &region->ring[at % AHEAD], ready = *place;
		uint64_t entry = pop(m, region);

		place->entry = 0;
		if (GH_LIKELY(entry))
			prepare(m, entry, place);
		if (GH_LIKELY(ready.entry)) {
			if (!scan(m, region, &ready))
				region->slow[region->nslow++] = ready.entry;
			n++;
		}
		if (region->nfound >= GROUP || !entry) {
			take_found(m, region);
			if (GH_UNLIKELY(!has_room(region)))
				break;
		}
		idle = entry || region->stack.len ? 0 : idle + 1;
	}
	region->nscanned = n;
	for (int i = 0; i < AHEAD; i++) {
		if (region->ring[i].entry)
			region->stack.data[region->stack.len++] = region->ring[i].entry;
		region->ring[i].entry = 0;
	}
}

static void read_letters(struct gh_mark *m, struct region *region, const struct box *box)
{
	for (uint32_t i = 0; i < box->n; i++) {
		region->found[region->nfound] = box->letters[i].found;
		region->found_bytes[region->nfound++] = box->letters[i].bytes;
		if (region->nfound == GROUP)
			take_found(m, region);
	}
}

/* The caller does not need those of objects that have a name. */
static void forget_middles(const struct gh_mark *m, struct region *region)
{
	uint32_t kept = 0;

	if (m->arenas.len) // they name no object, and are kept
		return;
	for (uint32_t i = 0; i < region->nmiddles; i++) {
		uint64_t slot = gh_mark_locate(m, region->middles[i].at).slot;

		region->middles[kept] = region->middles[i];
		kept += !gh_state_is_named(m, gh_state_at(&m->states, slot));
	}
	region->nmiddles = kept;
}

static void step(void *ctx, unsigned int number)
{
	struct gh_round *round = ctx;
	struct region *region = &round->regions[number];
	struct gh_mark *m = round->m;

	region->out = round->mail[round->side][number];
	region->coming = &region->facts[0];
	region->arrived = &region->facts[1];
	region->is_full = false;
	region->nmet = region->nfound = 0;
	region->nunknown = region->nslow = region->nwords = region->nmiddles = region->nlater = 0;
	region->counts = (struct counts){0};
	for (int i = 0; i < REGIONS; i++)
		region->out[i].n = 0;
	for (int i = 0; i < REGIONS; i++)
		read_letters(m, region, &round->mail[!round->side][i][number]);
	region->nmet = 0;
	scan_objects(m, region);
	take_found(m, region);
	take_found(m, region);
	forget_middles(m, region);
}

/* ---- between steps, alone ---- */

/* Entries of a stack go to their regions. */
static bool deal_out(struct gh_mark *m, struct mark_stack *from, size_t n)
{
	n = (size_t)gh_min_u64(n, from->len);
	m->round->nwaiting += n;
	for (; n; n--) {
		uint64_t entry = from->data[--from->len];
		struct mark_stack *to = &m->round->regions[region_of(m, entry >> 16)].stack;

		if (!gh_mark_reserve(m, to, 1))
			return false;
		to->data[to->len++] = entry;
	}
	if (!from->len && from->cap >= LARGE_STACK)
		gh_mark_free_stack(m, from);
	return true;
}

/* The few objects and letters that are left are better taken one by one. */
static void give_back(struct gh_round *round)
{
	struct gh_mark *m = round->m;

	for (int i = 0; i < REGIONS; i++) {
		struct mark_stack *stack = &round->regions[i].stack;

		m->nomem |= !gh_mark_push_all(m, 0, stack->data, stack->len);
		stack->len = 0;
	}
	for (int i = 0; i < REGIONS * REGIONS; i++) {
		struct box *box = &round->mail[!round->side][i / REGIONS][i % REGIONS];

		for (uint32_t k = 0; k < box->n; k++)
			gh_mark_meet(m, box->letters[k].found, box->letters[k].bytes);
		box->n = 0;
	}
	round->nwaiting = 0;
}

static bool make_room(struct gh_mark *m)
{
	for (int i = 0; i < REGIONS; i++) {
		struct region *region = &m->round->regions[i];

		if (!gh_mark_reserve(m, &region->stack, LIST_MAX + AHEAD))
			return false;
		region->stack_limit = region->stack.len + REGIONS * BOX_MAX + STEP_FACTS;
	}
	return true;
}

static void do_what_waits(struct gh_mark *m, const struct region *region)
{
	for (uint32_t i = 0; i < region->nmiddles; i++)
		gh_mark_note_loose(m, gh_mark_locate(m, region->middles[i].at).slot,
				   region->middles[i].at, region->middles[i].bytes);
	for (uint32_t i = 0; i < region->nlater; i++)
		gh_mark_meet(m, region->later[i].at, region->later[i].bytes);
	for (uint32_t i = 0; i < region->nwords; i++) {
		const struct waiting_word *w = &region->words[i];

		gh_mark_follow(m, w->word, w->before, w->after,
			       w->guess ? gh_edge_guess(m, w->word) : w->edge);
	}
	for (uint32_t i = 0; i < region->nslow; i++)
		gh_mark_scan(m, region->slow[i]);
}

/* Returns how many objects were scanned. */
static uint32_t end_round(struct gh_round *round)
{
	struct gh_mark *m = round->m;
	uint32_t nscanned = 0;

	round->nwaiting = 0;
	for (int i = 0; i < REGIONS; i++) {
		const struct region *region = &round->regions[i];

		m->counts.live += region->counts.live;
		m->counts.to_free += region->counts.to_free;
		m->counts.upgrades += region->counts.upgrades;
		m->nomem |= !gh_mark_push_all(m, 1, region->unknown, region->nunknown);
		round->nwaiting += region->stack.len;
		for (int k = 0; k < REGIONS; k++)
			round->nwaiting += region->out[k].n;
		nscanned += region->nscanned;
	}
	for (int i = 0; i < REGIONS; i++)
		do_what_waits(m, &round->regions[i]);
	round->side = !round->side;
	return nscanned + 1;
}

uint32_t gh_round_run(struct gh_mark *m)
{
	struct gh_round *round = m->round;
	struct gh_team *team = NULL;

	if (round->nwaiting + m->stacks[0].len >= GH_ROUND_MIN) {
		m->nomem |= !deal_out(m, &m->stacks[0], SIZE_MAX);
	} else if (round->nwaiting) {
		give_back(round);
		return 0;
	} else if (!m->stacks[0].len && m->stacks[1].len >= GH_ROUND_MIN) {
		// no typed object is left
		m->nomem |= !deal_out(m, &m->stacks[1], REGIONS * STEP_OBJECTS);
	} else {
		return 0;
	}
	m->nomem |= !make_room(m);
	if (m->nomem)
		return 0;
	if (round->nwaiting >= TEAM_MIN)
		team = gh_team_awake(m->team);
	gh_team_run(team, step, round, REGIONS);
	return end_round(round);
}
