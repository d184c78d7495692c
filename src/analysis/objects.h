// SPDX-License-Identifier: Apache-2.0
// Heap objects one by one, in batches, by address. What a type is called and whether it is wanted
// is decided once a type and span class; nothing is kept per object.
#pragma once

#include "analysis/session.h"
#include "base/arena.h"

struct gh_object {
	gh_addr addr;	  // of the slot
	uint64_t bytes;	  // of the slot
	const char *type; // full name; equal pointers are equal types. See gh_objects_init
	enum gh_strength strength;
};

/**
 * What slots are called and whether they are wanted, by their class and state: each pair is judged
 * once. Filled by the caller up to `budget`, zeros elsewhere.
 */
struct gh_object_kinds {
	struct gh_session *session; // borrowed, as the mark
	const struct gh_mark *mark;
	/* Is a type of that full name wanted? NULL: all are. */
	bool (*wanted)(void *ctx, const char *type);
	void *ctx;		  // borrowed
	struct gh_arena *arena;	  // borrowed: names that no type table holds
	struct gh_budget *budget; // borrowed: what the arrays are taken from; NULL: nothing
	size_t ncodes;		  // of the arrays: later codes are no slot's state
	uint8_t *verdicts[GH_SPAN_CLASSES];  // owned: by state
	const char **names[GH_SPAN_CLASSES]; // owned: by state, of those asked for
};

/** Before slots of a class are asked for. False: out of memory, or of the budget. */
bool gh_object_kinds_prepare(struct gh_object_kinds *kinds, uint8_t class) GH_MUST_CHECK;

/** Is a slot of that class and (live) state wanted? Its name is in `names` then. */
bool gh_object_kinds_wanted(struct gh_object_kinds *kinds, uint8_t class, uint16_t state);

/** Without a budget also once session and mark are gone. */
void gh_object_kinds_deinit(struct gh_object_kinds *kinds);

/** Which objects, and where their names live. */
struct gh_objects_query {
	bool dead;	    // garbage instead of what is live
	uint64_t min_bytes; // slots from that size on
	/* Is a type of that full name wanted? NULL: all are. */
	bool (*wanted)(void *ctx, const char *type);
	void *ctx;		// borrowed
	struct gh_arena *arena; // borrowed: names that no type table holds
};

/** An iterator; embedded, its members are its own. */
struct gh_objects {
	struct gh_object_kinds kinds;
	uint64_t min_bytes;
	size_t span;	// where to go on
	uint32_t index; // in that span
};

/**
 * Compute the stage it needs and stand before the first object. Names live as long as both session
 * and query->arena. ret may be deinited in any case, also once the session is gone.
 * Errors: those of stage MARK, or GARBAGE.
 */
struct gh_error *gh_objects_init(struct gh_session *session, const struct gh_objects_query *query,
				 struct gh_objects *ret) GH_MUST_CHECK;
void gh_objects_deinit(struct gh_objects *objects);

/**
 * The next objects, at most max of them; *n_ret is 0 after the last one only. Errors: NOMEM,
 * CANCELLED; the iterator may be asked again after either.
 */
struct gh_error *gh_objects_next(struct gh_objects *objects, struct gh_object *ret, size_t max,
				 size_t *n_ret) GH_MUST_CHECK;
