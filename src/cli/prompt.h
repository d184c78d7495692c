// SPDX-License-Identifier: Apache-2.0
// Lines from a terminal, with editing, completion and a history that outlives the program, where
// this build has libedit. Internal to cli/.
#pragma once

#include "analysis/session.h"

struct prompt;

/** session: whose types and handles are completed; borrowed. NULL: out of memory. */
struct prompt *prompt_create(struct gh_session *session);

/** The next line without its end, owned by the caller; NULL at the end of input. */
char *prompt_read(struct prompt *prompt);

/** Also writes the history down. */
void prompt_destroy(struct prompt *prompt);
