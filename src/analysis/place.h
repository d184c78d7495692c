// SPDX-License-Identifier: Apache-2.0
// What an address is: in an object, in the frame of a goroutine, in a package variable, in code. One
// question for everything that a person may paste.
#pragma once

#include "analysis/referrers.h"
#include "analysis/slot.h"

enum gh_place_kind {
	GH_PLACE_UNMAPPED, // no memory of the process
	GH_PLACE_HEAP,
	GH_PLACE_STACK,
	GH_PLACE_GLOBAL,
	GH_PLACE_CODE,
	GH_PLACE_OTHER, // constants, the runtime's own memory, files
};

/** "heap", "stack", … */
const char *gh_place_kind_name(enum gh_place_kind kind);

struct gh_place {
	enum gh_place_kind kind;
	const char *name;      // "main.cache.sessions", "goroutine 7 main.f.buf[3]"; NULL: nothing
	struct gh_slot slot;   // HEAP
	uint64_t goid;	       // STACK
	gh_addr addr;	       // of the whole variable; 0: not known
	struct gh_gotype type; // of the variable; unknown where DWARF does not tell
	uint64_t bytes;	       // likewise
};

/** Remembers stacks between questions. */
struct gh_places {
	struct gh_session *session; // borrowed
	struct gh_arena *arena;	    // borrowed: names live there
	uint32_t *by_stack;	    // owned: goroutines by stack; NULL until needed
	size_t nstacks;
	const struct gh_goroutine *unwound; // whose frames these are
	struct gh_frame_vec frames;
	struct gh_dlocal_vec locals;
};
void gh_places_deinit(struct gh_places *places);

/** Stage MARK is there. Errors: NOMEM. */
struct gh_error *gh_place_find(struct gh_places *places, gh_addr addr,
			       struct gh_place *ret) GH_MUST_CHECK;

/** Where a referrer's word lies: "main.Session.Conn", "goroutine 7 main.f.c". NULL: out of memory. */
const char *gh_places_referrer(struct gh_places *places, const struct gh_referrer *referrer);
