// SPDX-License-Identifier: Apache-2.0
// One slot of the heap: what is in it, as far as the mark tells, what its places are called, where
// its value begins. For commands that show objects one by one.
#pragma once

#include "analysis/session.h"
#include "base/arena.h"
#include "graph/value.h"

enum gh_slot_state { GH_SLOT_IS_FREE, GH_SLOT_IS_DEAD, GH_SLOT_IS_LIVE };

struct gh_slot {
	struct gh_slot_ref ref;
	enum gh_slot_state state;
	const struct gh_mark *mark; // that knows it: of what is live, else of garbage
	struct gh_code code;	    // what it is; type 0: not known
	enum gh_strength strength;
	const char *name;     // of its type; "dead", "free slot"
	uint64_t header;      // bytes before the value
	uint64_t value_bytes; // of the value, without header and tail; 0: not known
	uint64_t bytes;	      // that may hold values: behind the header, of large ones as asked for
};

/** Does the address mean the object, and not a part of it? */
static inline bool gh_slot_is_whole(const struct gh_slot *slot)
{
	return slot->ref.offset == 0 || slot->ref.offset == slot->header;
}

/**
 * The slot that addr points into; false: into none. Stage MARK is there; garbage has its type only
 * after stage GARBAGE. Names are borrowed from the session or live in arena. Some binary searches.
 */
bool gh_slot_at(struct gh_session *session, gh_addr addr, struct gh_arena *arena,
		struct gh_slot *ret);

/**
 * Bytes that nothing would lead to without the object; false where nobody knows: it is not live, it
 * describes an owner, or stage DOMINATORS is not there.
 */
bool gh_slot_retained(const struct gh_session *session, const struct gh_slot *slot, uint64_t *ret);

/**
 * Append who owns the object: the owner without which nothing would lead to it, or "shared" by
 * several. False where nobody knows, as above. referrer: a word that leads to it, 0: not known; of
 * an object that is a leaf its holder's owner is meant.
 */
bool gh_slot_owner(const struct gh_session *session, uint64_t slot, gh_addr referrer,
		   struct gh_strbuf *sb);

/** What a reader of values needs to know of it. */
struct gh_value_place gh_slot_value(const struct gh_slot *slot);

/**
 * Append what the place at `offset` of the slot is called, without the type's name: ".next",
 * "[3].key", "[\"u42\"]" in a map's groups, "+16" where nobody knows.
 */
void gh_slot_name_place(struct gh_session *session, const struct gh_slot *slot, uint64_t offset,
			struct gh_strbuf *sb);

/** "main.node.next": the type and the place that holds the word at addr; NULL: in no slot. */
const char *gh_slot_describe(struct gh_session *session, gh_addr addr, struct gh_arena *arena);
