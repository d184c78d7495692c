// SPDX-License-Identifier: Apache-2.0
// Why an object has its type: for each live slot the one fact that suffices, so that the facts
// behind it, one after the other, end at a root or at something that tells its own type. Made by
// one more walk over the marked graph, strongest facts first; 28 bytes a slot meanwhile.
#pragma once

#include "graph/edges.h"
#include "graph/roots.h"

enum gh_fact_kind {
	GH_FACT_NONE,	 // reached by nothing that the walk sees
	GH_FACT_HEADER,	 // the allocator's header, or the span of a large object, tells its type
	GH_FACT_SPECIAL, // a special record tells it (a finalizer's)
	GH_FACT_TIMER,	 // a timer heap lists it: word.at is the entry
	GH_FACT_WORD,	 // a word of an object leads to it
	GH_FACT_ROOT,	 // a root leads to it
};

/** One link of the chain. */
struct gh_fact {
	enum gh_fact_kind kind;
	enum gh_claim claim;	      // of WORD and ROOT: what the word says of the object
	struct gh_word word;	      // of WORD and ROOT
	struct gh_header_type header; // of HEADER
	enum gh_root_kind root_kind;  // of ROOT
	bool is_guess; // of WORD: it says so whatever it lies in: the chain ends
	const char *root_name;	      // of ROOT; NULL for goroutines. Borrowed
	uint64_t goid;
	gh_addr holder; // of WORD: the object that the word lies in, on which the chain goes on
	size_t part;	// > 0: what the word says is known from this part: gh_why_part
};

struct gh_why;

/** All borrowed, as long as the result. */
struct gh_why_input {
	const struct gh_heap *heap;
	struct gh_mark *mark;
	struct gh_types *types;
	struct gh_statics *statics;
	const struct gh_goroutine_vec *goroutines;
	const struct gh_timers *timers; // NULL: there is no list of them
};

/** Errors: NOMEM, CANCELLED. */
struct gh_error *gh_why_create(const struct gh_why_input *input, const struct gh_poll *poll,
			       struct gh_why **ret) GH_MUST_CHECK;
void gh_why_destroy(struct gh_why *why);

/** The fact that gives the live object at `base` its type, or else leads to it. */
struct gh_fact gh_why_object(const struct gh_why *why, gh_addr base);

/** The fact that types part number `part` of an object whose own type is not known. */
struct gh_fact gh_why_part(const struct gh_why *why, size_t part);

/** Live objects with a type that no fact of the walk explains: 0 unless something is wrong. */
uint64_t gh_why_unexplained(const struct gh_why *why);
