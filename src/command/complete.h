// SPDX-License-Identifier: Apache-2.0
// What may stand next on a command line. All faces complete with this.
#pragma once

#include "base/arena.h"
#include "base/vec.h"
#include "command/command.h"

GH_VEC(gh_choice_vec, const char *);

/** Words that may follow: borrowed from the tables of commands, or from the arena. */
struct gh_choices {
	struct gh_choice_vec words;
	struct gh_arena arena; // owned
};

/**
 * Append what begins with `token` and may follow the words before it: a command, an option, a
 * column after --sort, a command after help; of a session (may be NULL) also the handles of the
 * last answer and, once the heap is marked, the names of types, blanks in them escaped. Computes no
 * stage. False: out of memory.
 */
bool gh_command_complete(struct gh_session *session, const char *const *before, size_t nbefore,
			 const char *token, struct gh_choices *ret) GH_MUST_CHECK;
void gh_choices_deinit(struct gh_choices *choices);
