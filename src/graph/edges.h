// SPDX-License-Identifier: Apache-2.0
// The pointer words of one object after the mark: where each lies, where it leads, what it says of
// what is there. By the object's final type, so that everything which walks the graph once more
// (reasons, paths, owners) sees the edges that the collector sees, with types.
#pragma once

#include "graph/mark.h"

/** A pointer word and what it says of its target. */
struct gh_word {
	gh_addr at; // 0: a register, or not known
	uint64_t value;
	uint16_t code;	// of what it claims: see gh_mark_code; GH_CODE_UNKNOWN: nothing
	uint32_t bytes; // that it claims to cover; 0: all
	uint8_t kind;	// enum gh_edge_kind
	bool guessed;	// an interface seen in an object whose type nobody knows
};
typedef void (*gh_word_fn)(void *ctx, const struct gh_word *word);

/**
 * Call fn for all pointer words of the slot that starts at `base`, in the live set of the mark.
 * Values that lead out of the heap are left out. The mark's types may grow; its live set does not.
 */
void gh_edges_of(struct gh_mark *mark, gh_addr base, gh_word_fn fn, void *ctx);

/** The same by what the words say whatever the object is: what looks like an interface. */
void gh_edges_as_unknown(struct gh_mark *mark, gh_addr base, gh_word_fn fn, void *ctx);

/** The same for an object that need not be live, as the edge says of it (finalizers). */
void gh_edges_of_contents(struct gh_mark *mark, gh_addr object, struct gh_edge edge, gh_word_fn fn,
			  void *ctx);

/**
 * The same for a part of an object whose own type is not known: `bytes` from addr on, of the type
 * of `code`, as some pointer there says.
 */
void gh_edges_of_part(struct gh_mark *mark, gh_addr addr, uint16_t code, uint32_t bytes,
		      gh_word_fn fn, void *ctx);

/** The pointer word at that address of a live object; at is 0 when there is none. */
struct gh_word gh_edges_word(struct gh_mark *mark, gh_addr at);
struct gh_word gh_edges_word_as_unknown(struct gh_mark *mark, gh_addr at);

/** The word of a root. */
struct gh_word gh_edges_of_root(struct gh_mark *mark, const struct gh_root *root);

/** The type of what stands in the object's header, or in the span of a large one. */
struct gh_header_type {
	gh_addr rtype;	 // 0: none there
	gh_addr at;	 // where the header lies; 0: in the span's record
	gh_type_id type; // 0: a mask without a type
};
struct gh_header_type gh_edges_header(struct gh_mark *mark, gh_addr base);

/** What is seen of the closure whose words begin at addr. False: no object begins there. */
bool gh_edges_closure(struct gh_mark *mark, gh_addr addr, struct gh_closure_object *ret);

/** Do pointers to parts tell what is in such an object: of unknown type, or a user arena's chunk?
 */
bool gh_edges_is_open(const struct gh_mark *mark, struct gh_code code);

/** What a word makes of its target. */
enum gh_claim {
	GH_CLAIM_NOTHING, // of the object's type
	GH_CLAIM_PART,	  // the type of a part of it
	GH_CLAIM_WEAKER,  // its type, less sure than it is known
	GH_CLAIM_TYPE,	  // its type, as sure as it is known
};
enum gh_claim gh_edges_claim(struct gh_mark *mark, const struct gh_word *word);
