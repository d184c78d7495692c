// SPDX-License-Identifier: Apache-2.0
// What fills the heap: objects and bytes by type, with how sure we are. One pass over the slots'
// states, nothing per object.
#pragma once

#include "analysis/session.h"

/** Which objects. */
enum gh_which { GH_WHICH_LIVE, GH_WHICH_DEAD, GH_WHICH_ALL };

/** All objects that print alike: one row. */
struct gh_type_row {
	const char *name;     // full; the histogram's
	const char *kind;     // "struct", "slice array", "string", "map", "chan", "func", …
	uint64_t count;	      // slots
	uint64_t bytes;	      // of the slots
	uint64_t value_bytes; // of the values themselves, where known; else 0
	uint64_t by_strength[GH_STRENGTHS]; // bytes
	enum gh_strength strength;	    // the weakest that holds at least 1 % of the bytes
};
GH_VEC(gh_type_row_vec, struct gh_type_row);

/** Add counts and bytes of a row to another; its name and strength stay. */
void gh_type_row_add(struct gh_type_row *to, const struct gh_type_row *row);

/** Objects of one span class. */
struct gh_class_tally {
	uint64_t count, bytes;
};

struct gh_histogram {
	struct gh_type_row_vec rows; // most bytes first, then by name
	struct gh_class_tally classes[GH_SPAN_CLASSES];
	struct gh_type_row total; // name NULL
	struct gh_arena arena;	  // names
};

/** Errors: those of the stages it needs. */
struct gh_error *gh_histogram_build(struct gh_session *session, enum gh_which which,
				    struct gh_histogram *ret) GH_MUST_CHECK;
void gh_histogram_deinit(struct gh_histogram *histogram);

/** Name of what is in a slot of that state; borrowed from types or static storage (small buffer).
 */
const char *gh_object_name(struct gh_session *session, const struct gh_mark *mark, uint16_t state,
			   uint8_t spanclass, struct gh_arena *arena);

/** How sure the name is. */
enum gh_strength gh_object_strength(const struct gh_mark *mark, uint16_t state);
