// SPDX-License-Identifier: Apache-2.0
// The inside of struct gh_mark, shared by the hot loop (mark.c) and the rules that decide what a
// fact makes of a slot (facts.c). Others use mark.h.
#pragma once

#include "graph/mark.h"
#include "graph/statics.h"

enum {
	GROUP = 32,	  // pointers looked up together, so that their cache misses overlap
	RING = 32,	  // objects whose lines are on their way
	FOUND_MAX = 4096, // pointers waiting to be looked up
	DYNAMIC_SLOTS = 1024,
	JOIN_SLOTS = 1024,
	RECENT_TEXTS = 4096,
	NCLASSES = GH_SPAN_CLASSES,
	GH_CODES = 1 << 16,   // at most
	GH_CODES_A_TYPE = 11, // forms by strengths
};

/** A type's word as the scan uses it: what to say of the target without asking anybody. */
struct mark_edge {
	uint16_t code;	// of one value or the array; of the group for DIRECTORY
	uint8_t kind;	// enum gh_edge_kind
	bool inferred;	// what it says is inferred, as its object is
	uint32_t bytes; // of one value; of an element for SLICE; 0: any size
};

/** Words of one code. */
struct code_words {
	const struct mark_edge *edges; // owned by the arena; NULL: no typed words
	uint32_t nedges;
	uint32_t stride;      // words of one value, 0: one value that may be of any size
	uint64_t mask, check; // pointer bits that the type promises, of the first words
	bool ready;
	bool deferred; // the object tells its type itself: gh_code_look
};

/** A size class as the mark sees it. */
struct mark_class {
	uint32_t elem_bytes, div_mul, nelems;
	uint32_t words;		     // of a slot, at most 64 for heap bits
	uint32_t heap_bits_offset;   // from the span's base; 0: none
	uint32_t cover_lo, cover_hi; // a fact of (lo, hi] bytes fills the slot
	uint8_t header;		     // bytes of the malloc header
	bool scan;
};

/** The masks of a type that stands in malloc headers and large spans. */
struct tile {
	gh_addr rtype;
	gh_type_id type; // 0: a mask without a type
	gh_type_id part; // the map's groups when the type is one, else 0
	uint64_t *mask;	 // owned by the arena
	uint64_t nwords; // words that can hold pointers
	uint64_t stride; // words of one value
	uint64_t size;
};

/** A pointer that tells a type of a part of its slot only: infer.c. */
struct loose_fact {
	uint64_t at; // address << 16 | code
	uint32_t bytes;
};
GH_VEC(loose_fact_vec, struct loose_fact);

struct gh_inference;

/** A chunk of a user arena: which of its words were typed by pointers into it. */
struct user_arena {
	uint64_t slot;
	const struct gh_span *span;
	uint64_t *typed; // owned: bit a word; NULL until needed
};
GH_VEC(user_arena_vec, struct user_arena);

struct mark_stack {
	uint64_t *data; // owned mapping: address << 16 | code
	size_t len, cap;
};

struct dynamic_edge {
	gh_addr key; // rtype or itab
	struct mark_edge edge;
};

/** What gh_fact_join made of a state and a fact, where it was no conflict. */
struct known_join {
	uint64_t key; // class << 32 | state << 16 | code, 0: free
	uint16_t code;
	bool rescan;
};

struct gh_round;

struct gh_mark {
	const struct gh_heap *heap;
	struct gh_types *types;
	struct gh_statics *statics; // may be NULL
	gh_addr lo;
	uint64_t span_bytes; // of the heap's address range
	gh_addr modules_lo;  // all modules' text, types and data lie in one range
	uint64_t modules_bytes;
	gh_addr statics_lo;
	uint64_t statics_bytes;
	const struct gh_page *pages;
	struct gh_states states; // owned mappings: one a slot, and one for what is no slot
	size_t narrow_bytes, wide_bytes;
	uint64_t nslots;
	struct mark_class classes[NCLASSES];

	struct gh_code_vec codes;
	uint8_t *pointers;	  // owned: 0 the code's type has none, 1 it has, 2 either
	struct code_words *words; // owned mapping: one a code; never moves
	uint16_t (*code_of)[GH_CODES_A_TYPE]; // owned, one a type: code by form and strength, 0
					      // none yet
	size_t code_of_cap;
	struct tile *tiles; // owned: open addressing by rtype
	size_t ntiles, tiles_cap;
	uint64_t mask_words;   // of all tiles
	struct gh_arena arena; // edges and masks
	struct dynamic_edge eface[DYNAMIC_SLOTS], iface[DYNAMIC_SLOTS];
	uint16_t string_code;
	struct known_join joins[JOIN_SLOTS];

	unsigned int nthreads;	// that a drain may use
	struct gh_team *team;	// of the drain at hand; NULL: the caller is alone
	struct gh_round *round; // owned; NULL until needed

	uint64_t found[FOUND_MAX + 128]; // address << 16 | code
	uint32_t found_bytes[FOUND_MAX + 128];
	size_t nfound;
	struct mark_stack stacks[2]; // typed objects first; [1]: of unknown type
	uint64_t ring[RING];
	uint64_t ring_at;

	struct loose_fact_vec loose;
	size_t max_loose;
	bool loose_is_full; // of facts about objects without a name
	uint64_t recent_texts[RECENT_TEXTS]; // slot + 1 of what strings lead into, by slot
	struct gh_inference *inference; // owned; NULL until needed

	struct user_arena_vec arenas; // by slot
	struct loose_fact_vec inside; // of them: facts that wait
	uint64_t inside_steps;	      // words looked at, of a bounded number

	struct gh_mark_counts counts;
	struct gh_conflict conflicts[GH_CONFLICTS_KEPT];
	bool conservative;     // count what is marked now
	bool contents_only;    // scanning an object that is not marked:
	gh_addr contents_base; // this one
	uint64_t contents_bytes;
	bool hide_header_types;
	uint32_t hide_one_in; // 0: nothing is hidden
	bool nomem;
};

/**
 * Pointer words of an object up to 512 bytes: one bit a word at the end of its span
 * (runtime/mbitmap.go: heapBitsSmallForAddr). host: of base.
 */
static inline uint64_t gh_heap_bits(const uint8_t *host, gh_addr base, const struct gh_page *page,
				    const struct mark_class *k)
{
	uint64_t offset = (uint64_t)page->index << GH_PAGE_SHIFT | (base & (GH_PAGE_BYTES - 1));
	uint64_t first = offset / 8, shift = first % 64;
	const uint8_t *bitmap = host - offset + k->heap_bits_offset + first / 64 * 8;
	uint64_t bits = gh_u64_at(bitmap) >> shift;

	if (shift + k->words > 64)
		bits |= gh_u64_at(bitmap + 8) << (64 - shift);
	return k->words < 64 ? bits & ((1ULL << k->words) - 1) : bits;
}

static inline uint8_t gh_state_narrow(uint16_t code)
{
	return code < GH_STATE_WIDE ? (uint8_t)code : GH_STATE_WIDE;
}

static inline void gh_mark_put(struct gh_mark *m, uint64_t slot, uint16_t code)
{
	m->states.narrow[slot] = gh_state_narrow(code);
	if (GH_UNLIKELY(code >= GH_STATE_WIDE))
		m->states.wide[slot] = code;
}

/**
 * May slots get better types? Each gets few. In damaged memory objects may lead to themselves as
 * what their words say they are not: that would never end.
 */
static inline bool gh_mark_may_upgrade(const struct gh_mark *m)
{
	enum { OF_ALL = 1 << 16, EACH = 64 };

	return m->counts.upgrades < OF_ALL + EACH * m->counts.live;
}

/** Needs what is in the slot no more facts to be told what it is? */
static inline bool gh_state_is_named(const struct gh_mark *m, uint16_t state)
{
	return state == GH_CODE_TINY || state == GH_CODE_FUNC || state == GH_SLOT_FREE ||
	       state == GH_SLOT_NO_HEAP || m->codes.data[state].form > GH_FORM_LOOSE;
}

static inline uint64_t gh_join_key(uint16_t state, uint16_t code, uint8_t class)
{
	return (uint64_t) class << 32 | (uint64_t)state << 16 | code;
}

static inline size_t gh_join_slot(uint64_t key)
{
	return (size_t)(key * 0x9e3779b97f4a7c15ULL >> 32) % JOIN_SLOTS;
}

/** NULL: gh_fact_join has to say. */
static inline const struct known_join *gh_known_join(const struct gh_mark *m, uint16_t state,
						     uint16_t code, uint8_t class)
{
	uint64_t key = gh_join_key(state, code, class);
	const struct known_join *join = &m->joins[gh_join_slot(key)];

	return join->key == key ? join : NULL;
}

/** Code of a type in a form; GH_CODE_UNKNOWN when there is none left or no type. */
uint16_t gh_code_for(struct gh_mark *m, gh_type_id type, enum gh_form form,
		     enum gh_strength strength);

/** Words of a code, made on first use. Never NULL. */
const struct code_words *gh_code_words(struct gh_mark *m, uint16_t code);

/** What word i of an object with such words says; a type's words repeat. */
static inline struct mark_edge gh_word_edge(const struct code_words *words, uint64_t i)
{
	if (i >= words->stride && words->stride)
		i %= words->stride;
	return i < words->nedges ? words->edges[i] : (struct mark_edge){.code = GH_CODE_UNKNOWN};
}

/** What an edge says, as the scan uses it. */
struct mark_edge gh_edge_compile(struct gh_mark *m, struct gh_edge edge, enum gh_strength strength);

/** A word of kind SLICE … DIRECTORY: look at its neighbours. */
struct mark_edge gh_edge_resolve(struct gh_mark *m, const uint8_t *word, uint32_t before,
				 uint32_t after, struct mark_edge edge);

/**
 * A pointer word whose type nobody knows; the word before it is readable and no pointer. If that is
 * the address of a type descriptor or an itab, both are an interface (the collector does not look
 * at its first word): the edge of its data word, inferred. Else kind UNKNOWN.
 */
struct mark_edge gh_edge_guess(struct gh_mark *m, const uint8_t *word);

/** What a root word says of its target. */
struct mark_edge gh_edge_of_root(struct gh_mark *m, const struct gh_root *root);

/** Does it say bytes: of a string, or of an array of uint8? */
bool gh_code_is_bytes(const struct gh_mark *m, struct gh_code c);

/** What a fact makes of an empty slot: the code itself, a weaker form of it, or UNKNOWN. */
uint16_t gh_fact_cover(struct gh_mark *m, uint16_t code, uint32_t bytes, uint8_t class,
		       uint64_t slot);

/** A second fact about a live slot. Returns the slot's new code; *rescan: scan it again. */
uint16_t gh_fact_join(struct gh_mark *m, uint16_t state, uint16_t code, uint8_t class,
		      uint64_t slot, bool *rescan);

/** Count a conflict, unless what claims is only inferred, and keep the first ones. */
void gh_mark_note_conflict(struct gh_mark *m, uint64_t slot, uint16_t claimed, gh_type_id found);

/** The masks of a header's type; NULL when it leads to none. */
const struct tile *gh_tile_of(struct gh_mark *m, gh_addr rtype);

/** What a header's type makes of a slot in `state`; bytes: of the data, first_word: its first. */
uint16_t gh_fact_header(struct gh_mark *m, uint64_t slot, uint16_t state, const struct tile *tile,
			uint64_t bytes, uint64_t first_word);

/** Keep a fact about a part of the slot for gh_mark_infer. at: address << 16 | code. */
void gh_mark_note_loose(struct gh_mark *m, uint64_t slot, uint64_t at, uint32_t bytes);

/**
 * Follow the words at `addr`, in a live slot, of which a pointer there says that they are of this
 * code; bits: pointer words from addr on.
 */
void gh_mark_follow_part(struct gh_mark *m, gh_addr addr, uint16_t code, uint32_t bytes,
			 uint64_t bits);

/** Could a pointer to the part at `offset` be what an object is inferred from? */
bool gh_part_fits(const struct gh_mark *m, struct gh_code is, uint64_t offset, uint16_t code,
		  uint32_t bytes);

/** Mark an object of that code to be scanned. */
void gh_mark_push(struct gh_mark *m, gh_addr base, uint16_t code);

/**
 * User arenas (userarena.c). Values in their chunks have types that only pointers to them tell.
 * _note: is the slot such a chunk? Then the fact is kept. _next: a fact that waits, and its chunk;
 * NULL: none.
 */
void gh_user_arenas_init(struct gh_mark *m);
void gh_user_arenas_deinit(struct gh_mark *m);
bool gh_user_arena_note(struct gh_mark *m, uint64_t slot, uint64_t at, uint32_t bytes);
const struct user_arena *gh_user_arena_next(struct gh_mark *m, struct loose_fact *ret);

void gh_inference_destroy(struct gh_inference *inference);

/** The code that a deferred one becomes when the object's first word is read. */
uint16_t gh_code_look(struct gh_mark *m, uint16_t code, uint64_t first_word);

/** The code of a closure. */
uint16_t gh_closure_code(struct gh_mark *m, const struct gh_closure_object *object);

/** One object, one word, one fact (address << 16 | code) as they come: see mark.c. */
void gh_mark_scan(struct gh_mark *m, uint64_t entry);
void gh_mark_follow(struct gh_mark *m, const uint8_t *word, uint32_t before, uint32_t after,
		    struct mark_edge edge);
void gh_mark_meet(struct gh_mark *m, uint64_t found, uint32_t bytes);

/** Objects for m->stacks[stack]. False: out of memory. */
bool gh_mark_push_all(struct gh_mark *m, int stack, const uint64_t *entries, size_t n);

/** Would a typed pointer to static data tell nothing new? Changes nothing. */
bool gh_mark_knows_static(const struct gh_mark *m, gh_addr addr, struct mark_edge edge);

/** Room for so many more. False: out of memory. */
bool gh_mark_reserve(struct gh_mark *m, struct mark_stack *stack, size_t more);

void gh_mark_free_stack(struct gh_mark *m, struct mark_stack *stack);

/**
 * A round (round.c): scan many of the objects that wait, and meet what they refer to, by m->team.
 * Which ones a round takes and what it makes of them depends on the mark alone, never on the
 * threads. _run returns how many it took or somewhat more; 0: too few wait, and all of them are on
 * m->stacks. _prepare comes first; false: out of memory.
 */
enum { GH_ROUND_MIN = 64 }; // objects
bool gh_round_prepare(struct gh_mark *m) GH_MUST_CHECK;
uint32_t gh_round_run(struct gh_mark *m);
void gh_round_destroy(struct gh_round *round);
