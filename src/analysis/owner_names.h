// SPDX-License-Identifier: Apache-2.0
// Several owners in a few words: "main.cache, goroutines of main.serve and 3 others".
#pragma once

#include "analysis/session.h"

enum { GH_OWNER_NAMES_MAX = 64, GH_OWNER_NAMES_TOLD = 3 };

struct gh_owner_name {
	gh_addr key;
	gh_node node;
	int rank;
	const char *name; // the arena's
};

/** Owners that were met, goroutines that start at one place once. Zeroed but for what is borrowed. */
struct gh_owner_names {
	struct gh_session *session;		  // borrowed
	struct gh_arena *arena;			  // borrowed
	bool (*is_servant)(const char *function); // by where it starts a goroutine comes last; NULL: none
	struct gh_owner_name all[GH_OWNER_NAMES_MAX];
	size_t n;
};

/** One more owner. False: there are too many. A gh_sharer_fn (analysis/sharing.h). */
bool gh_owner_names_add(void *names, gh_node owner, uint32_t step);

/**
 * What people know best comes first: variables of the program's own, goroutines, variables of the
 * standard library. is_all: there are no others. The arena's; NULL: none was met, or out of memory.
 */
const char *gh_owner_names_join(struct gh_owner_names *names, bool is_all);

/** The function in which a goroutine starts; NULL: not known. */
const char *gh_function_of_start(const struct gh_session *session, gh_addr start_pc);

/** Append one owner; goroutines that start in the same function are one to people. */
void gh_owner_name(const struct gh_session *session, gh_node owner, struct gh_strbuf *sb);
