// SPDX-License-Identifier: Apache-2.0
// The mark: from root words to the live set, by the collector's own rules, typing what it reaches
// on the way. A byte a slot; nothing per object. Re-entrant: several marks of one heap may
// coexist.
//
// A pointer is a fact about the slot that it leads to: one value of T, an array of T, bytes of a
// string. The strongest fact names the slot (see enum gh_form); what its type's descriptor promises
// must agree with the collector's own pointer bits, or the fact is refused and counted.
#pragma once

#include "base/poll.h"
#include "graph/heap.h"
#include "graph/types.h"

/** How a slot is filled. Weaker first: of two facts that both cover the slot the later form wins.
 */
enum gh_form {
	GH_FORM_UNKNOWN, // reached, nothing more is known
	GH_FORM_TINY,	 // several values below 16 bytes share the slot
	GH_FORM_PARTIAL, // begins with the type, goes on beyond it: types its words, not the slot
	GH_FORM_LOOSE,	 // bytes of strings or byte slices that end before the slot does
	GH_FORM_HEADER,	 // one value, known by its malloc header; no typed pointer came yet
	GH_FORM_ARRAY,	 // a backing array
	GH_FORM_ONE,	 // one value
};

enum gh_strength {
	GH_STRENGTH_UNKNOWN,
	GH_STRENGTH_INFERRED,
	GH_STRENGTH_DECLARED,
	GH_STRENGTH_EXACT,
	GH_STRENGTHS,
};

const char *gh_strength_name(enum gh_strength strength);

/** What a slot is: a state of the mark. Many slots share one code. */
struct gh_code {
	gh_type_id type;
	uint8_t form;	  // enum gh_form
	uint8_t strength; // enum gh_strength
};
GH_VEC(gh_code_vec, struct gh_code);

/** Does the code say what a slot is, and not only what some of its words are? */
static inline bool gh_code_names(struct gh_code code)
{
	return code.form != GH_FORM_UNKNOWN && code.form != GH_FORM_PARTIAL;
}

/** Values of gh_mark.state that are no code. */
enum {
	GH_SLOT_DEAD = 0,    // allocated (or looked for), not reached
	GH_SLOT_FREE = 1,    // neither
	GH_SLOT_NO_HEAP = 2, // the state of what is no slot
	GH_CODE_UNKNOWN = 3, // reached, nothing more is known: the first that is live
	GH_CODE_FUNC = 4,    // a closure that was not looked into yet; none is left after the mark
	GH_CODE_TINY = 5,    // a tiny block
	GH_CODE_FIRST = 6,   // of the codes with a type
};

struct gh_mark_counts {
	uint64_t live, conservative; // slots; conservative: those reached that way only
	uint64_t conservative_bytes;
	uint64_t to_free;     // pointers to free slots
	uint64_t conflicts;   // facts refused: they contradict the pointer bits or a stronger fact
	uint64_t upgrades;    // slots that got a better type after they were reached
	uint64_t lost;	      // live slots whose bytes the core lacks: what they refer to is missed
	uint64_t bad_headers; // headers that lead to no type
	uint64_t codes_refused; // facts that found no code left
	uint64_t inferred;	// objects that gh_mark_infer named
	uint64_t loose_dropped; // facts that it could not keep
};

/** A fact that was refused: something claims that the slot holds one type, it holds another. */
struct gh_conflict {
	gh_addr addr;	    // of the slot
	gh_type_id claimed; // by a pointer
	gh_type_id found;   // 0: what the pointer bits or the size tell is no type
};
enum { GH_CONFLICTS_KEPT = 16 };

struct gh_mark;

/** A word to start from. */
struct gh_root {
	uint64_t value;
	gh_addr at; // where the word lies; 0: a register, or not known
	struct gh_edge edge;
	const uint8_t *host;	// where the word lies locally; NULL when its neighbours are unknown
	uint32_t before, after; // readable words around it that belong to the same value
	bool exact;		// the edge is known for sure, not only declared
};

/**
 * allocated: bit a slot that may be marked (normally heap->allocated). All borrowed.
 * Errors: NOMEM.
 */
struct gh_error *gh_mark_create(const struct gh_heap *heap, struct gh_types *types,
				const uint64_t *allocated, struct gh_mark **ret) GH_MUST_CHECK;
void gh_mark_destroy(struct gh_mark *mark);

/** Follow a precise root word. Errors are sticky: gh_mark_drain tells. */
void gh_mark_root(struct gh_mark *mark, const struct gh_root *root);

/** Follow a word that may be a pointer: only to slots that the conservative scanner accepts. */
void gh_mark_conservative(struct gh_mark *mark, uint64_t value);

/** Follow the words of an object without marking it (finalizers keep what their object refers to).
 */
void gh_mark_contents(struct gh_mark *mark, gh_addr object, struct gh_edge edge);

/** Mark all that is reachable from what was given. Errors: NOMEM, CANCELLED (the mark is unusable).
 */
struct gh_error *gh_mark_drain(struct gh_mark *mark, const struct gh_poll *poll) GH_MUST_CHECK;

/**
 * Name objects that no pointer names, by what pointers into them say, their size and their pointer
 * bits, where all of that leaves one type: strength INFERRED. What their words say spreads in turn.
 * After the drain; marks nothing new. Errors: as gh_mark_drain.
 */
struct gh_error *gh_mark_infer(struct gh_mark *mark, const struct gh_poll *poll) GH_MUST_CHECK;

/** What is marked from now on is counted as reached conservatively. */
void gh_mark_count_conservative(struct gh_mark *mark);

/** The slot's state: below heap->table.nslots. */
uint16_t gh_mark_state(const struct gh_mark *mark, uint64_t slot);
static inline bool gh_state_is_live(uint16_t state)
{
	return state >= GH_CODE_UNKNOWN;
}

/**
 * All states, one a slot: a byte each, and two more for those that do not fit. The codes met first
 * are few and stand for most slots, so that the second array is hardly ever touched and takes no
 * memory.
 */
struct gh_states {
	uint8_t *narrow; // GH_STATE_WIDE: look at wide
	uint16_t *wide;
};
enum { GH_STATE_WIDE = 0xff };
struct gh_states gh_mark_states(const struct gh_mark *mark);

static inline uint16_t gh_state_at(const struct gh_states *states, uint64_t slot)
{
	uint8_t narrow = states->narrow[slot];

	return narrow != GH_STATE_WIDE ? narrow : states->wide[slot];
}

/** Meaning of a state that is live. */
struct gh_code gh_mark_code(const struct gh_mark *mark, uint16_t state);
size_t gh_mark_ncodes(const struct gh_mark *mark);

/** If the slot is live, let the type name it for sure (special records). */
void gh_mark_name(struct gh_mark *mark, gh_addr object, gh_type_id type);

struct gh_mark_counts gh_mark_counts(const struct gh_mark *mark);

/** The first conflicts, at most GH_CONFLICTS_KEPT of counts.conflicts. */
const struct gh_conflict *gh_mark_conflicts(const struct gh_mark *mark, size_t *n_ret);

/** Bytes of anonymous memory in use. */
uint64_t gh_mark_memory(const struct gh_mark *mark);

/**
 * For proofs: types in malloc headers and large spans tell where the pointers are, and no longer
 * what an object is. Before the first root.
 */
void gh_mark_hide_header_types(struct gh_mark *mark);

/** For proofs: nobody declares what one slot in `one_in` is; what is exact stays. */
void gh_mark_hide_declared(struct gh_mark *mark, uint32_t one_in);

/** Threads that a drain may use (1 at first); the answer is the same with any number. */
void gh_mark_set_threads(struct gh_mark *mark, unsigned int nthreads);

/** Types that pointers into static data tell of (graph/statics.h); may be NULL. */
struct gh_statics;
void gh_mark_set_statics(struct gh_mark *mark, struct gh_statics *statics);
