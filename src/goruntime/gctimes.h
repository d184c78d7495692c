// SPDX-License-Identifier: Apache-2.0
// When collections ended, and what that says of how long goroutines have waited. Mirrors
// runtime/mgc.go (gcMark, gcMarkTermination) and mgcmark.go (markroot), go1.22 to go1.27.
//
// g.waitsince is no time at which the goroutine waited. The collection that first finds it blocked
// copies work.tstart there, and that is when the mark of the collection before ended. The goroutine
// was blocked by the end of the later one: that is what this file looks for.
#pragma once

#include "goruntime/goroutine.h"

enum { GH_GC_RING = 256 }; // pauses that the runtime remembers

/** Times are nanotime, like g.waitsince. */
struct gh_gc_times {
	int64_t latest;		       // work.tstart: the latest end of a mark; 0: none, or not known
	int64_t ended[GH_GC_RING];     // ends of the latest collections, oldest first
	int64_t paused_ns[GH_GC_RING]; // how long each stopped the world
	uint32_t n;
	bool steady;   // the ring is in order: the clock of the wall was not set back meanwhile
	int64_t *seen; // owned: what all goroutines have in waitsince, each value once, ascending
	size_t nseen;
};

/** Errors: NOMEM. What cannot be read is left out. */
struct gh_error *gh_gc_times_load(const struct gh_runtime *rt, const struct gh_goroutine_vec *gs,
				  struct gh_gc_times *ret) GH_MUST_CHECK;
void gh_gc_times_deinit(struct gh_gc_times *times);

/**
 * The earliest time at which a goroutine with that waitsince is known to have been blocked already;
 * false when nothing is known (waitsince is 0, or its collection is still at work).
 *
 * Evidence is any later end of a mark: in another goroutine's waitsince, in work.tstart, in the ring.
 * The ring is of the wall clock's times: entries count if the collection before is found there too,
 * or if all of a ring in order is later. One case is beyond all this: a goroutine that helped the
 * collector mark was seen as waiting meanwhile, and may have run on for a time slice before it
 * blocked.
 */
bool gh_gc_times_blocked(const struct gh_gc_times *times, int64_t wait_since, int64_t *ret);
