// SPDX-License-Identifier: Apache-2.0
// What runtime.ReadMemStats would have said, from the runtime's own counters in memory. Mirrors
// runtime/mstats.go (readmemstats_m), mcache.go (releaseAll), stack.go (stackcache_clear),
// mgcsweep.go (what a stale cached span frees) and mgcpacer.go (heapGoal), go1.22 to go1.27.
#pragma once

#include "goruntime/span.h"
#include "goruntime/sizeclass.h"

/** The scalar fields of runtime.MemStats, in its order: name, unit. */
#define GH_STATS(X)                                                                                \
	X(Alloc, BYTES)                                                                            \
	X(TotalAlloc, BYTES)                                                                       \
	X(Sys, BYTES)                                                                              \
	X(Lookups, COUNT)                                                                          \
	X(Mallocs, COUNT)                                                                          \
	X(Frees, COUNT)                                                                            \
	X(HeapAlloc, BYTES)                                                                        \
	X(HeapSys, BYTES)                                                                          \
	X(HeapIdle, BYTES)                                                                         \
	X(HeapInuse, BYTES)                                                                        \
	X(HeapReleased, BYTES)                                                                     \
	X(HeapObjects, COUNT)                                                                      \
	X(StackInuse, BYTES)                                                                       \
	X(StackSys, BYTES)                                                                         \
	X(MSpanInuse, BYTES)                                                                       \
	X(MSpanSys, BYTES)                                                                         \
	X(MCacheInuse, BYTES)                                                                      \
	X(MCacheSys, BYTES)                                                                        \
	X(BuckHashSys, BYTES)                                                                      \
	X(GCSys, BYTES)                                                                            \
	X(OtherSys, BYTES)                                                                         \
	X(NextGC, BYTES)                                                                           \
	X(LastGC, UNIX_NS)                                                                         \
	X(PauseTotalNs, NS)                                                                        \
	X(NumGC, COUNT)                                                                            \
	X(NumForcedGC, COUNT)                                                                      \
	X(GCCPUFraction, SHARE)                                                                    \
	X(EnableGC, BOOL)                                                                          \
	X(DebugGC, BOOL)

enum gh_stat_id {
#define X(name, unit) GH_STAT_##name,
	GH_STATS(X)
#undef X
		GH_STAT_COUNT
};

enum gh_stat_unit {
	GH_STAT_UNIT_BYTES,
	GH_STAT_UNIT_COUNT,
	GH_STAT_UNIT_NS,
	GH_STAT_UNIT_UNIX_NS, // ns since 1970
	GH_STAT_UNIT_SHARE,   // in .real
	GH_STAT_UNIT_BOOL,
};

struct gh_stat {
	bool known;
	uint64_t value;
	double real;	 // UNIT_SHARE
	const char *why; // static; NULL: exact. Else why it is not known, or what it leaves out
};

enum {
	GH_PAUSES = 256,
	GH_BY_SIZE = 61, // entries of MemStats.BySize; the larger classes are not in it
};

struct gh_memstats {
	struct gh_stat stat[GH_STAT_COUNT];

	/* As MemStats.PauseNs and PauseEnd: the latest is at (NumGC + 255) % 256. */
	bool has_pauses;
	uint64_t pause_ns[GH_PAUSES], pause_end[GH_PAUSES];

	/* Of every size class, 0 (large objects) being left out as in the runtime. */
	bool has_by_size;
	uint64_t mallocs[GH_SIZE_CLASSES], frees[GH_SIZE_CLASSES];

	/* What the pacer knows; false where it cannot be read. */
	bool has_pacer;
	int32_t gc_percent;    // GOGC; -1 off
	int64_t memory_limit;  // GOMEMLIMIT; INT64_MAX none
	uint64_t heap_marked;  // bytes that the last mark found alive
	uint64_t heap_live;    // heap_marked and what was allocated since, whole cached spans
	uint64_t percent_goal; // heap size at which GOGC alone would collect
	uint64_t phase;	       // runtime.gcphase: 0 off, 1 marking, 2 mark termination

	/* The spans' own word on HeapAlloc and HeapObjects; valid when has_spans. */
	bool has_spans;
	uint64_t span_bytes, span_objects;

	uint64_t caches;	// per-P caches that were read
	uint64_t unread_caches; // that could not be (whole or in part)
	uint64_t
		cached_objects; // handed out since the caches' last refill: not in the raw counters
	uint64_t stale_spans;	// cached before the last mark ended: ReadMemStats would sweep them
};

const char *gh_stat_name(enum gh_stat_id id);
enum gh_stat_unit gh_stat_unit(enum gh_stat_id id);

/**
 * All statistics as ReadMemStats would give them in this very state: it first returns each P's
 * cached spans and stacks (sweeping what is stale), and so does this, without changing anything.
 *
 * table: the spans, or NULL where the core lost them: then the caches are lost too, and what lags
 *        says so in `why`.
 * Never fails: what cannot be read is not known. ret is written whole.
 */
void gh_memstats_read(const struct gh_runtime *rt, const struct gh_span_table *table,
		      struct gh_memstats *ret);
