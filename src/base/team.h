// SPDX-License-Identifier: Apache-2.0
// Threads that share the tasks of short phases. A phase ends when all of its tasks are done: what
// one phase wrote the next one may read. Threads that got no task hold nothing up. One that the
// kernel takes the processor from in the middle of a task does: then the team rests for a while,
// so that a busy machine costs little more than one thread would.
#pragma once

#include "base/defs.h"

enum {
	GH_TEAM_MAX = 64, // threads
	GH_TEAM_TASKS = 1 << 15,
};

struct gh_team;

/** Processors that this process may use: at least 1. */
unsigned int gh_processors(void);

/**
 * nthreads - 1 threads that wait; the caller is one, too. All signals are blocked in them. NULL:
 * there are none, because nthreads is below 2 or the system gives none.
 */
struct gh_team *gh_team_create(unsigned int nthreads);
/** Joins the threads. team may be NULL. */
void gh_team_destroy(struct gh_team *team);

/** The team, or NULL while it rests: what is to do then is better done by the caller alone. */
struct gh_team *gh_team_awake(struct gh_team *team);

/**
 * Call task(ctx, i) once for each i below n (at most GH_TEAM_TASKS), in any thread and order. team
 * may be NULL: then the caller does all of them, by number. Returns when all are done.
 */
void gh_team_run(struct gh_team *team, void (*task)(void *ctx, unsigned int i), void *ctx,
		 unsigned int n);
