// SPDX-License-Identifier: Apache-2.0
// What a deferred closure captured: variables in the order of their places, with types and sizes.
//
// DWARF names them with their places from go1.23 on, as far as the function's code keeps them whole.
// The struct that such closures are allocated as tells all fields and no names; nothing links it to
// the function, but often only one of the program fits. `defer f(x, y)` is a closure of the
// compiler's own that DWARF says nothing of: its variables are what f is called with.
#pragma once

#include "analysis/session.h"

/** A variable that is captured by reference: the closure has a pointer to it. */
struct gh_captured_ref {
	uint64_t offset; // of the pointer in the closure
	uint64_t size;	 // of the variable
	gh_type_id type; // of the variable; 0: not known
};

struct gh_captured {
	const char *text; // "p *main.item, &buf []uint8"; a type alone where no name is known. NULL:
			  // nothing is known, "": nothing was captured
	uint8_t strength; // enum gh_strength; UNKNOWN without a text
	uint64_t bytes;	  // of what is named there
	uint64_t end;	  // of the last of it in the closure; 8: there is none
	uint64_t read;	  // bytes of the closure, its code included, that its code is seen to read
	bool has_gaps;	  // between them: there is more than is named
	bool is_whole;	  // nothing else was captured
	struct gh_captured_ref *refs; // the arena's
	size_t nrefs;
};

/**
 * closure: what is seen of the first one of that code; on_stack: nothing but its code is.
 * The text is the arena's. Errors: NOMEM, CANCELLED.
 */
struct gh_error *gh_captured_read(struct gh_session *session,
				  const struct gh_closure_object *closure, struct gh_arena *arena,
				  struct gh_captured *ret) GH_MUST_CHECK;
