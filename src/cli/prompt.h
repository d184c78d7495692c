// SPDX-License-Identifier: Apache-2.0
// Lines from a terminal, with editing, completion and a history that outlives the program, where
// this build has libedit. Internal to cli/.
#pragma once

#include "analysis/session.h"

struct prompt;

/** begin: a line, or after an interrupt or a completion the rest of one, is read now. */
struct prompt_hooks {
	void (*begin)(void *ctx);
	void (*before_completion)(void *ctx);
	void *ctx;
};

/** session: whose types and handles are completed; both borrowed. NULL: out of memory. */
struct prompt *prompt_create(struct gh_session *session, const struct prompt_hooks *hooks);

/** The next line without its end, owned by the caller; NULL at the end of input. An interrupt drops
 * what was typed. */
char *prompt_read(struct prompt *prompt);

/** Also writes the history down. */
void prompt_destroy(struct prompt *prompt);
