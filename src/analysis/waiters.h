// SPDX-License-Identifier: Apache-2.0
// Goroutines by the address of their g, as queues name them: their number and the function of the
// program in which they wait.
#pragma once

#include "analysis/session.h"

struct gh_waiter;

struct gh_waiters {
	struct gh_session *session; // borrowed
	struct gh_waiter *by_addr;  // owned
	size_t n;
	uint64_t charged_bytes;
};

/** After stage GOROUTINES. False: out of memory, or of the budget. */
bool gh_waiters_init(struct gh_session *session, struct gh_waiters *ret) GH_MUST_CHECK;
void gh_waiters_deinit(struct gh_waiters *waiters);

/** The goroutine of a g; NULL: none. */
const struct gh_goroutine *gh_waiters_find(const struct gh_waiters *waiters, gh_addr g);

/**
 * Where it waits: a function of the program, else the first of its frames; "somebody" when nothing
 * tells. Each stack is walked once. Borrowed from the runtime. Errors: NOMEM.
 */
struct gh_error *gh_waiters_place(struct gh_waiters *waiters, gh_addr g,
				  const char **ret) GH_MUST_CHECK;
