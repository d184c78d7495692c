// SPDX-License-Identifier: Apache-2.0
// Where the time went: a stopwatch that is read at the end of each stage.
#pragma once

#include "base/defs.h"

/** Clocks at one moment, or the time between two. */
struct gh_moment {
	int64_t wall_ns, cpu_ns; // cpu: of all threads of the process
};

struct gh_lap {
	const char *name; // static
	struct gh_moment took;
};

enum { GH_LAPS = 16 }; // more are not kept

struct gh_laps {
	struct gh_moment start, last;
	struct gh_lap laps[GH_LAPS];
	size_t n;
};

struct gh_moment gh_moment_now(void);
struct gh_moment gh_moment_since(struct gh_moment then);

/** Forget all laps and start at this moment. */
void gh_laps_start(struct gh_laps *laps);

/** What passed since the last lap belongs to the stage; laps of one name add up. */
void gh_lap(struct gh_laps *laps, const char *name);
