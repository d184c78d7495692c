// SPDX-License-Identifier: Apache-2.0
// Statistics over a toy runtime built byte by byte: two Ps with caches, a stale span, free stacks.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "goruntime/allocstack.h"
#include "goruntime/special.h"
#include "goruntime/stats.h"

enum {
	BASE = 0x10000000,
	BYTES = 16 << 20,
	MHEAP = BASE,
	ARENA = BASE + 0x400000,
	ARENA_L2 = BASE + 0x800000, // one entry: the arena of HEAP
	MEMSTATS = BASE + 0x900000,
	CONTROLLER = BASE + 0x910000,
	ALLP = BASE + 0x920000,
	PROCS = BASE + 0x930000,
	CACHES = BASE + 0x950000,
	SPANS = BASE + 0x960000,
	ALLSPANS = BASE + 0x970000,
	BITS = BASE + 0x980000,
	GCPHASE = BASE + 0x990000,
	STACKS = BASE + 0xa00000, // of HEAP's arena: the toy's arena is all of the toy
	HEAP = BASE + 0xb00000,
	SWEEPGEN = 20,
	GAP = 0x8000, // between structs of one kind
};

struct toy {
	uint8_t *bytes;
	struct gh_image *image;
	struct gh_runtime rt;
};

static void put(struct toy *toy, gh_addr at, uint64_t value, uint8_t size)
{
	memcpy(toy->bytes + (at - BASE), &value, size ? size : 8);
}

static void put_field(struct toy *toy, gh_addr base, enum gh_layout_field field, uint64_t value)
{
	const struct gh_layout *layout = &toy->rt.layout;

	put(toy, base + (uint64_t)layout->offset[field], value, layout->size[field]);
}

static gh_addr field_at(const struct toy *toy, gh_addr base, enum gh_layout_field field)
{
	return base + (uint64_t)toy->rt.layout.offset[field];
}

static gh_addr span_at(int i)
{
	return SPANS + (gh_addr)i * 0x400;
}

/* A span of 64-byte noscan slots without inline marks, as before Green Tea. */
static void put_span(struct toy *toy, int i, uint32_t sweepgen, uint32_t count, uint32_t before)
{
	gh_addr span = span_at(i), base = HEAP + (gh_addr)i * GH_PAGE_BYTES;

	put_field(toy, span, GH_F_mspan_startAddr, base);
	put_field(toy, span, GH_F_mspan_npages, 1);
	put_field(toy, span, GH_F_mspan_nelems, 128);
	put_field(toy, span, GH_F_mspan_freeindex, count);
	put_field(toy, span, GH_F_mspan_allocCount, count);
	put_field(toy, span, GH_F_mspan_allocCountBeforeCache, before);
	put_field(toy, span, GH_F_mspan_elemsize, 64);
	put_field(toy, span, GH_F_mspan_divMul, UINT32_MAX / 64 + 1);
	put_field(toy, span, GH_F_mspan_limit, base + GH_PAGE_BYTES);
	put_field(toy, span, GH_F_mspan_spanclass, 6 << 1 | 1);
	put_field(toy, span, GH_F_mspan_state, 1);
	put_field(toy, span, GH_F_mspan_sweepgen, sweepgen);
	put_field(toy, span, GH_F_mspan_allocBits, BITS + (gh_addr)i * 64);
	put_field(toy, span, GH_F_mspan_gcmarkBits, BITS + 0x1000 + (gh_addr)i * 64);
	put(toy, ALLSPANS + (gh_addr)i * 8, span, 8);
	put(toy, field_at(toy, MHEAP, GH_F_mheap_allspans) + 8, (uint64_t)i + 1, 8);
}

static void cache_span(struct toy *toy, int p, int i)
{
	gh_addr mcache = CACHES + (gh_addr)p * GAP;

	put(toy, field_at(toy, mcache, GH_F_mcache_alloc) + (6 << 1 | 1) * 8, span_at(i), 8);
}

static gh_addr delta_at(const struct toy *toy, int copy)
{
	return field_at(toy, MEMSTATS, GH_F_mstats_heapStats) +
	       (uint64_t)toy->rt.layout.offset[GH_F_heapStatsAggregate_stats] +
	       (uint64_t)copy * (uint64_t)toy->rt.layout.struct_size[GH_S_heapStatsDelta];
}

static void put_globals(struct toy *toy)
{
	gh_addr emptymspan = SPANS + 0xf000; // all zero

	put_field(toy, MHEAP, GH_F_mheap_sweepgen, SWEEPGEN);
	put(toy, field_at(toy, MHEAP, GH_F_mheap_allspans), ALLSPANS, 8);
	put(toy, field_at(toy, MHEAP, GH_F_mheap_arenas), ARENA_L2 - (BASE >> 26) * 8, 8);
	put(toy, ARENA_L2, ARENA, 8);
	put(toy, ALLP, PROCS - 0x100, 8);
	put(toy, ALLP + 8, 2, 8);
	for (gh_addr p = 0; p < 2; p++) {
		put(toy, PROCS - 0x100 + p * 8, PROCS + p * GAP, 8);
		put_field(toy, PROCS + p * GAP, GH_F_p_mcache, CACHES + p * GAP);
		for (uint64_t c = 0; c < GH_SPAN_CLASSES; c++)
			put(toy, field_at(toy, CACHES + p * GAP, GH_F_mcache_alloc) + c * 8,
			    emptymspan, 8);
	}
	put_field(toy, CONTROLLER, GH_F_gcController_triggered, UINT64_MAX);
	put_field(toy, CONTROLLER, GH_F_gcController_memoryLimit, INT64_MAX);
	put_field(toy, CONTROLLER, GH_F_gcController_gcPercentHeapGoal, 4 << 20);
}

static int setup(void **state)
{
	struct toy *toy = calloc(1, sizeof(*toy));
	_cleanup_error_ struct gh_error *err = NULL;

	assert_non_null(toy);
	toy->bytes = calloc(1, BYTES);
	assert_non_null(toy->bytes);
	toy->rt.release = gh_release_find("go1.25.0");
	toy->rt.layout = *toy->rt.release->amd64;
	toy->rt.goarch = "arm64"; // arenas count from 0
	toy->rt.var[GH_V_mheap_] = MHEAP;
	toy->rt.var[GH_V_memstats] = MEMSTATS;
	toy->rt.var[GH_V_gcController] = CONTROLLER;
	toy->rt.var[GH_V_allp] = ALLP;
	toy->rt.var[GH_V_gcphase] = GCPHASE;
	err = gh_image_create(&toy->image);
	assert_null(err);
	toy->rt.image = toy->image;
	put_globals(toy);
	err = gh_image_add(toy->image, BASE, BYTES, toy->bytes, true);
	assert_null(err);
	err = gh_image_seal(toy->image);
	assert_null(err);
	*state = toy;
	return 0;
}

static int teardown(void **state)
{
	struct toy *toy = *state;

	gh_image_destroy(toy->image);
	free(toy->bytes);
	free(toy);
	return 0;
}

static struct gh_memstats read_stats(struct toy *toy)
{
	_cleanup_error_ struct gh_error *err = NULL;
	struct gh_span_table table = {0};
	struct gh_memstats stats;

	err = gh_span_table_load(&toy->rt, NULL, &table);
	gh_memstats_read(&toy->rt, err ? NULL : &table, &stats);
	gh_span_table_deinit(&table);
	return stats;
}

static uint64_t value(const struct gh_memstats *stats, enum gh_stat_id id)
{
	assert_true(stats->stat[id].known);
	return stats->stat[id].value;
}

/* Counters are sums over three copies, and may be "negative" in one of them. */
static void test_deltas_are_summed(void **state)
{
	struct toy *toy = *state;
	struct gh_memstats stats;

	put_field(toy, delta_at(toy, 0), GH_F_heapStatsDelta_inStacks, 3 * 32768);
	put_field(toy, delta_at(toy, 2), GH_F_heapStatsDelta_inStacks, (uint64_t)-32768);
	for (int i = 0; i < 3; i++) {
		put_field(toy, delta_at(toy, i), GH_F_heapStatsDelta_largeAlloc, 40960);
		put_field(toy, delta_at(toy, i), GH_F_heapStatsDelta_largeAllocCount, 1);
		put_field(toy, delta_at(toy, i), GH_F_heapStatsDelta_tinyAllocCount, 10);
	}
	put(toy, field_at(toy, delta_at(toy, 1), GH_F_heapStatsDelta_smallAllocCount) + 6 * 8, 7,
	    8);
	put(toy, field_at(toy, delta_at(toy, 1), GH_F_heapStatsDelta_smallFreeCount) + 6 * 8, 2, 8);
	stats = read_stats(toy);
	assert_int_equal(value(&stats, GH_STAT_StackInuse), 2 * 32768);
	assert_int_equal(value(&stats, GH_STAT_TotalAlloc), 3 * 40960 + 7 * 64);
	assert_int_equal(value(&stats, GH_STAT_Mallocs), 3 + 30 + 7);
	assert_int_equal(value(&stats, GH_STAT_Frees), 30 + 2);
	assert_int_equal(value(&stats, GH_STAT_HeapObjects), 3 + 5);
	assert_int_equal(stats.mallocs[6], 7);
}

/* What cached spans handed out since they were cached is not in the counters yet. */
static void test_caches_are_flushed(void **state)
{
	struct toy *toy = *state;
	struct gh_memstats stats;

	put_span(toy, 0, SWEEPGEN + 3, 30, 10);
	put_span(toy, 1, SWEEPGEN + 3, 5, 0);
	put_span(toy, 2, SWEEPGEN, 100, 50); // not cached: a left-over that means nothing
	cache_span(toy, 0, 0);
	cache_span(toy, 1, 1);
	put_field(toy, CACHES + GAP, GH_F_mcache_tinyAllocs, 9);
	put(toy, field_at(toy, delta_at(toy, 0), GH_F_heapStatsDelta_smallAllocCount) + 6 * 8, 110,
	    8);
	stats = read_stats(toy);
	assert_int_equal(value(&stats, GH_STAT_HeapObjects), 135);
	assert_int_equal(value(&stats, GH_STAT_HeapAlloc), 135 * 64);
	assert_int_equal(value(&stats, GH_STAT_Mallocs), 135 + 9);
	assert_int_equal(value(&stats, GH_STAT_Frees), 9);
	assert_true(stats.has_spans);
	assert_int_equal(stats.span_objects, 135);
	assert_int_equal(stats.cached_objects, 25);
	assert_null(stats.stat[GH_STAT_HeapAlloc].why);
	assert_non_null(stats.stat[GH_STAT_GCSys].why);
}

/* A span that was cached before the last mark ended is swept on its way out. */
static void test_stale_spans_are_swept(void **state)
{
	struct toy *toy = *state;
	gh_addr special = BITS + 0x4000;
	struct gh_memstats stats;

	put_span(toy, 0, SWEEPGEN + 1, 30, 30);
	put_span(toy, 1, SWEEPGEN + 1, 8, 8); // nothing of it is marked: it goes back whole
	cache_span(toy, 0, 0);
	cache_span(toy, 1, 1);
	put(toy, BITS + 0x1000, 0x0f, 8);
	put_field(toy, span_at(0), GH_F_mspan_specials, special); // on slot 9: a finalizer
	put_field(toy, special, GH_F_special_offset, 9 * 64 + 8);
	put_field(toy, special, GH_F_special_kind, 2);
	put_field(toy, special, GH_F_special_next, special); // a list that never ends
	put_field(toy, CONTROLLER, GH_F_gcController_heapInUse, 2 * GH_PAGE_BYTES);
	put(toy, field_at(toy, delta_at(toy, 0), GH_F_heapStatsDelta_smallAllocCount) + 6 * 8, 38,
	    8);
	stats = read_stats(toy);
	assert_int_equal(stats.stale_spans, 2);
	assert_int_equal(value(&stats, GH_STAT_HeapObjects), 5);
	assert_int_equal(value(&stats, GH_STAT_Frees), 33);
	assert_int_equal(value(&stats, GH_STAT_HeapInuse), GH_PAGE_BYTES);
	assert_int_equal(value(&stats, GH_STAT_HeapIdle), GH_PAGE_BYTES);
	assert_int_equal(stats.span_objects, 5);
}

static gh_addr put_special(struct toy *toy, int i, uint64_t offset, uint8_t kind, int next)
{
	gh_addr special = BITS + 0x4000 + (gh_addr)i * 0x80;

	put_field(toy, special, GH_F_special_offset, offset);
	put_field(toy, special, GH_F_special_kind, kind);
	put_field(toy, special, GH_F_special_next,
		  next < 0 ? 0 : BITS + 0x4000 + (gh_addr)next * 0x80);
	return special;
}

/* A list of records that bites its tail; one that says nothing; one that is not there. */
static void test_special_records(void **state)
{
	enum { FINALIZER = 2, NONE = 0xff, TIMES = 100000 };
	struct toy *toy = *state;
	struct gh_special_walk walk = {0};
	struct gh_special special;
	struct gh_alloc_stack stack;
	struct gh_span span = {.base = HEAP, .npages = 1, .nelems = 128, .elem_bytes = 64};
	int n = 0;

	span.specials = put_special(toy, 0, 64, FINALIZER, 1);
	put_special(toy, 1, 64, NONE, 2);
	put_special(toy, 2, 2 * 64 + 8, FINALIZER, 3);
	put_special(toy, 3, 3 * 64, FINALIZER, 1);
	for (; gh_special_next(&toy->rt, &span, &walk, &special); n++)
		if (n < 3)
			assert_int_equal(special.object, HEAP + (gh_addr)(n + 1) * 64);
	assert_true(walk.is_damaged);
	assert_in_range(n, 3, 9);
	assert_true(gh_special_find(&toy->rt, &span, HEAP + 128, GH_SPECIAL_FINALIZER, &special));
	for (int i = 0; i < TIMES; i++) // none of these goes round for long
		assert_false(gh_alloc_stack_find(&toy->rt, &span, HEAP + 10 * 64, &stack));
	walk = (struct gh_special_walk){0};
	put_special(toy, 3, 3 * 64, FINALIZER, -1);
	for (n = 0; gh_special_next(&toy->rt, &span, &walk, &special);)
		n++;
	assert_int_equal(n, 3);
	assert_false(walk.is_damaged);
	walk = (struct gh_special_walk){0};
	span.specials = 0xdead0000;
	assert_false(gh_special_next(&toy->rt, &span, &walk, &special));
	assert_true(walk.is_damaged);
}

/* Free stacks of the caches: a stack span goes back to the heap when the last one returns. */
static void test_stacks_are_returned(void **state)
{
	struct toy *toy = *state;
	gh_addr list = field_at(toy, CACHES, GH_F_mcache_stackcache), span = span_at(0);
	struct gh_memstats stats;

	put_span(toy, 1, SWEEPGEN, 1, 0);
	put_field(toy, span, GH_F_mspan_state, 2);
	put_field(toy, span, GH_F_mspan_npages, 4);
	put_field(toy, span, GH_F_mspan_allocCount, 2);
	put(toy, list, STACKS, 8);
	put(toy, STACKS, STACKS + 2048, 8);
	put(toy, field_at(toy, ARENA, GH_F_heapArena_spans) + STACKS / GH_PAGE_BYTES % 8192 * 8,
	    span, 8);
	put_field(toy, delta_at(toy, 0), GH_F_heapStatsDelta_inStacks, 2 * 32768);
	stats = read_stats(toy);
	assert_int_equal(value(&stats, GH_STAT_StackInuse), 32768);
	assert_int_equal(value(&stats, GH_STAT_HeapIdle), 32768);
	assert_int_equal(value(&stats, GH_STAT_Sys), 2 * 32768);
	put(toy, GCPHASE, 1, 4); // while marking they stay
	stats = read_stats(toy);
	assert_int_equal(value(&stats, GH_STAT_StackInuse), 2 * 32768);
	put(toy, GCPHASE, 0, 4);
	put(toy, STACKS, STACKS, 8); // a list that never ends
	stats = read_stats(toy);
	assert_int_equal(stats.unread_caches, 1);
}

static uint64_t goal(struct toy *toy)
{
	struct gh_memstats stats = read_stats(toy);

	return value(&stats, GH_STAT_NextGC);
}

/* runtime/mgcpacer.go, heapGoalInternal and memoryLimitHeapGoal. */
static void test_goal(void **state)
{
	struct toy *toy = *state;

	assert_int_equal(goal(toy), 4 << 20);
	put_field(toy, CONTROLLER, GH_F_gcController_sweepDistMinTrigger, 5 << 20);
	assert_int_equal(goal(toy), 5 << 20);
	put_field(toy, CONTROLLER, GH_F_gcController_triggered, 5 << 20);
	assert_int_equal(goal(toy), (5 << 20) + (64 << 10));
	put_field(toy, CONTROLLER, GH_F_gcController_gcPercentHeapGoal, UINT64_MAX); // GOGC=off
	put_field(toy, CONTROLLER, GH_F_gcController_memoryLimit, 100 << 20);
	put_field(toy, CONTROLLER, GH_F_gcController_mappedReady, 30 << 20);
	put_field(toy, CONTROLLER, GH_F_gcController_totalAlloc, 20 << 20);
	assert_int_equal(goal(toy), (90 << 20) - (90 << 20) / 100 * 3);
	put_field(toy, CONTROLLER, GH_F_gcController_mappedReady,
		  300 << 20); // far beyond the limit
	put_field(toy, CONTROLLER, GH_F_gcController_heapMarked, 77);
	assert_int_equal(goal(toy), 77);
}

/* Without the caches the counters still answer, and say that they may lag. */
static void test_lost_caches(void **state)
{
	struct toy *toy = *state;
	struct gh_memstats stats;

	put(toy, ALLP, 0xdead0000, 8);
	stats = read_stats(toy);
	assert_int_equal(stats.unread_caches, 2);
	assert_non_null(stats.stat[GH_STAT_Mallocs].why);
	assert_true(stats.stat[GH_STAT_Mallocs].known);
	toy->rt.var[GH_V_memstats] = 0;
	toy->rt.var[GH_V_gcController] = 0x1234;
	stats = read_stats(toy);
	assert_false(stats.stat[GH_STAT_Mallocs].known);
	assert_false(stats.stat[GH_STAT_NextGC].known);
	assert_non_null(stats.stat[GH_STAT_NextGC].why);
	assert_false(stats.has_by_size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_deltas_are_summed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_caches_are_flushed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale_spans_are_swept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_special_records, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stacks_are_returned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_goal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_caches, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
