// SPDX-License-Identifier: Apache-2.0
// See laps.h.
#include "base/laps.h"

#include <time.h>

static int64_t ns_of(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) != 0)
		return 0;
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct gh_moment gh_moment_now(void)
{
	return (struct gh_moment){ns_of(CLOCK_MONOTONIC), ns_of(CLOCK_PROCESS_CPUTIME_ID)};
}

static struct gh_moment between(struct gh_moment from, struct gh_moment to)
{
	return (struct gh_moment){to.wall_ns - from.wall_ns, to.cpu_ns - from.cpu_ns};
}

struct gh_moment gh_moment_since(struct gh_moment then)
{
	return between(then, gh_moment_now());
}

void gh_laps_start(struct gh_laps *laps)
{
	laps->n = 0;
	laps->start = laps->last = gh_moment_now();
}

void gh_lap(struct gh_laps *laps, const char *name)
{
	struct gh_moment now = gh_moment_now(), took = between(laps->last, now);
	size_t i = 0;

	laps->last = now;
	while (i < laps->n && strcmp(laps->laps[i].name, name) != 0)
		i++;
	if (i == GH_LAPS)
		return;
	if (i == laps->n)
		laps->laps[laps->n++] = (struct gh_lap){.name = name};
	laps->laps[i].took.wall_ns += took.wall_ns;
	laps->laps[i].took.cpu_ns += took.cpu_ns;
}
