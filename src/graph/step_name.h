// SPDX-License-Identifier: Apache-2.0
// What a person would write for the step from a value to what one of its words leads to: ".conn",
// "[3].next", "[\"u42\"]" out of the parts of a map, ".<-[2]" out of a channel's buffer, ".func1·x"
// for what a closure captured. Steps inside the runtime's and the standard library's own
// structures (hmap, groups, sync.Map's entries, atomic.Pointer's field) have no text: people do not
// write them.
#pragma once

#include "graph/edges.h"

/** A word of a value, and how one came to the value. */
struct gh_step {
	gh_type_id type; // of the value; 0: not known
	bool is_array;	 // of values of the type
	gh_addr data;	 // where it begins
	gh_addr at;	 // the word
	const struct gh_word *via; // that leads to the value; NULL: not known
	gh_addr holder;	 // where the value that `via` lies in begins; 0: not known
	bool is_variable; // the step to it has named it: it is the variable, no pointer to follow
	bool merged;	 // indices and keys are "[…]": for many such steps together
	bool no_values;	 // keys are the program's own data: not shown
};

/**
 * Append it; nothing where people write nothing. mark: that the word was found by. True: the word
 * leads to a variable that was captured by reference, and the text is its name.
 */
bool gh_step_name(struct gh_mark *mark, const struct gh_step *step, struct gh_strbuf *sb);

/** Append ".(*main.T)" if the word is the data word of an interface that tells its type. */
void gh_step_assertion(struct gh_types *types, const struct gh_word *word, struct gh_strbuf *sb);

/** Is a value of the type a part of a map, a channel or the like, that people have no name for? */
bool gh_step_is_inside(struct gh_types *types, gh_type_id type);
