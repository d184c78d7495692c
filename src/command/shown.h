// SPDX-License-Identifier: Apache-2.0
// What a dialogue (the prompt, gdb) remembers of its answers: the rows that were left out, for
// `next`, and the handles of those that were shown ($o3, $g12), for the arguments of later
// commands.
#pragma once

#include "base/arena.h"
#include "command/command.h"

enum { GH_HANDLES_KEPT = 8192 }; // objects; older handles are forgotten

/** A row that was shown, under the name that it got. */
struct gh_handle {
	char letter; // 'o': an object, value is its address; 'g': a goroutine, value is its number
	uint64_t number, value;
};
GH_VEC(gh_handle_vec, struct gh_handle);

struct gh_shown {
	struct gh_report *rest;	   // owned: the last answer, if rows of it were left out
	const char *command;	   // that gave it; NULL: none yet
	char *sort;		   // owned: as it was asked for
	bool reverse, exact_bytes; // likewise
	uint64_t limit;
	uint64_t *objects;	   // owned: address of handle n at n % GH_HANDLES_KEPT
	struct gh_handle_vec last; // handles of the last answer
	struct gh_handles handles; // what the renderer takes
};

/** What the session's dialogue remembers; made on first use, ends with the session. NULL: out of
 * memory. */
struct gh_shown *gh_shown_of(struct gh_session *session);

/** Remember an answer that was just rendered. Takes the report over. */
void gh_shown_keep(struct gh_shown *shown, struct gh_report *report,
		   const struct gh_render_options *options);

/** The order and number of rows that the last answer had, where `args` do not say. */
void gh_shown_resume(const struct gh_shown *shown, struct gh_args *args);

/**
 * Put what a handle stands for in its place: an address, a goroutine's number. Other words stay.
 * *ret borrows from word or arena. Errors: USAGE (no row has that handle), NOMEM.
 */
struct gh_error *gh_shown_expand(struct gh_session *session, const char *word,
				 struct gh_arena *arena, const char **ret) GH_MUST_CHECK;

/** What a debugger needs to show what a handle stands for. */
struct gh_handle_target {
	gh_addr addr;	  // of the value, behind a header that the runtime put before it
	uint64_t bytes;	  // 0: as the type says
	const char *type; // Go's name of it, borrowed from session or arena; NULL: not known
};

/** False: it is gone or unknown. Needs no stage that is not there. */
bool gh_handle_describe(struct gh_session *session, const struct gh_handle *handle,
			struct gh_arena *arena, struct gh_handle_target *ret);
