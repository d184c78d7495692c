// SPDX-License-Identifier: Apache-2.0
// Where the program made an object, in one line: of those that the memory profile sampled.
#pragma once

#include "analysis/session.h"
#include "goruntime/allocstack.h"

/**
 * The first frame of the program's own in the stack of the allocation at addr, or where the standard
 * library alone was at work, the first one outside of the runtime. Needs stage HEAP. False: it was
 * not sampled, or nothing describes the code; else ret->function is known.
 */
bool gh_alloc_site(const struct gh_session *session, gh_addr addr, struct gh_source_frame *ret);
