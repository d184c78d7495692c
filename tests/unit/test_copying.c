// SPDX-License-Identifier: Apache-2.0
// Sets of addresses against a naive twin; what pagemap entries mean; a child copied by pieces.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "target/open.h"
#include "target/copying.h"

enum { SPACE = 200, ROUNDS = 2000, PAGE = 4096, PAGES = 3000, HOLE = 1700 };

struct twin {
	bool has[SPACE];
};

static void random_set(struct gh_range_vec *ret, struct twin *twin)
{
	*twin = (struct twin){0};
	for (int i = 0, n = rand() % 12; i < n; i++) {
		gh_addr lo = (gh_addr)(rand() % SPACE), hi = lo + (gh_addr)(rand() % 20);

		hi = gh_min_u64(hi, SPACE);
		assert_true(gh_range_vec_push(ret, (struct gh_range){lo, hi}));
		for (gh_addr at = lo; at < hi; at++)
			twin->has[at] = true;
	}
	gh_ranges_arrange(ret);
}

static void assert_same(const struct gh_range_vec *set, const struct twin *twin)
{
	struct twin own = {0};
	uint64_t n = 0;

	for (size_t i = 0; i < set->len; i++) {
		assert_true(set->data[i].lo < set->data[i].hi && set->data[i].hi <= SPACE);
		assert_true(i == 0 || set->data[i - 1].hi < set->data[i].lo);
		for (gh_addr at = set->data[i].lo; at < set->data[i].hi; at++, n++)
			own.has[at] = true;
	}
	assert_memory_equal(&own, twin, sizeof(own));
	assert_int_equal(gh_ranges_bytes(set), n);
}

static void test_sets(void **state)
{
	srand(1);
	for (int i = 0; i < ROUNDS; i++) {
		struct gh_range_vec a = {0}, b = {0}, both = {0}, rest = {0};
		struct twin twin_a, twin_b, twin_both, twin_rest;

		random_set(&a, &twin_a);
		random_set(&b, &twin_b);
		for (int k = 0; k < SPACE; k++) {
			twin_both.has[k] = twin_a.has[k] && twin_b.has[k];
			twin_rest.has[k] = twin_a.has[k] && !twin_b.has[k];
		}
		assert_null(gh_ranges_intersect(&a, &b, &both));
		assert_null(gh_ranges_subtract(&a, &b, &rest));
		assert_same(&a, &twin_a);
		assert_same(&both, &twin_both);
		assert_same(&rest, &twin_rest);
		gh_range_vec_deinit(&a);
		gh_range_vec_deinit(&b);
		gh_range_vec_deinit(&both);
		gh_range_vec_deinit(&rest);
	}
}

/* Documentation/admin-guide/mm/pagemap.rst: 63 present, 62 swapped, 56 exclusive, 55 dirty. */
static void test_pagemap_entries(void **state)
{
	const uint64_t present = 1ULL << 63, swapped = 1ULL << 62, own = 1ULL << 56,
		       of_file = 1ULL << 61, dirty = 1ULL << 55, frame = 12345;

	assert_int_equal(gh_page_state_of(0), GH_PAGE_EMPTY);
	assert_int_equal(gh_page_state_of(dirty), GH_PAGE_EMPTY); // of a new mapping
	assert_int_equal(gh_page_state_of(present | own | frame), GH_PAGE_CLEAN);
	assert_int_equal(gh_page_state_of(swapped | frame), GH_PAGE_CLEAN);
	assert_int_equal(gh_page_state_of(present | own | dirty), GH_PAGE_CHANGED);
	assert_int_equal(gh_page_state_of(swapped | dirty), GH_PAGE_CHANGED);
	assert_int_equal(gh_page_state_of(present), GH_PAGE_CHANGED); // the page of zeros
	assert_true(gh_page_is_written(present | own | frame));
	assert_true(gh_page_is_written(swapped | frame));
	assert_false(gh_page_is_written(present | of_file | own | frame));
	assert_false(gh_page_is_written(of_file | dirty));
}

/* Whatever the kernel can do, what it says of pages of ours agrees with what we did to them. */
static void test_soft_dirty(void **state)
{
	volatile uint8_t *p =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	gh_addr at = (uintptr_t)p;
	struct gh_range_vec resident = {0}, clean = {0};
	bool has = gh_proc_has_soft_dirty();

	assert_ptr_not_equal(p, MAP_FAILED);
	p[0] = p[PAGE] = 1;
	if (!has) {
		munmap((void *)(uintptr_t)p, 2 * PAGE);
		print_message("this kernel keeps no soft-dirty bits\n");
		skip();
	}
	assert_true(gh_proc_clear_dirty((uint32_t)getpid()));
	p[PAGE] = 2;
	assert_null(gh_proc_resident((uint32_t)getpid(), at, at + 2 * PAGE, &resident, &clean));
	assert_int_equal(gh_ranges_bytes(&resident), 2 * PAGE);
	assert_int_equal(clean.len, 1);
	assert_int_equal(clean.data[0].lo, at);
	assert_int_equal(clean.data[0].hi, at + PAGE);
	gh_range_vec_deinit(&resident);
	gh_range_vec_deinit(&clean);
	munmap((void *)(uintptr_t)p, 2 * PAGE);
}

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 2654435761u >> 16);
}

static pid_t start_child(uint8_t *memory)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (size_t i = 0; i < (size_t)PAGES * PAGE; i++)
			memory[i] = byte_at(i);
		munmap(memory + (size_t)HOLE * PAGE, PAGE);
		if (write(ready[1], "r", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void assert_copied(const struct gh_snapshot *snapshot, const struct gh_range_vec *ranges,
			  gh_addr lo)
{
	gh_addr hole = lo + (gh_addr)HOLE * PAGE;

	for (size_t i = 0; i < ranges->len; i++)
		for (gh_addr at = ranges->data[i].lo; at < ranges->data[i].hi; at++) {
			const struct gh_block *block = gh_snapshot_block(snapshot, at);

			assert_non_null(block);
			if (at - hole >= PAGE)
				assert_int_equal(block->host[at - block->lo], byte_at(at - lo));
		}
}

/* Many small ranges and large ones, over a hole; then what is no more. */
static void test_copy(void **state)
{
	uint8_t *memory = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	gh_addr lo = (uintptr_t)memory;
	struct gh_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	struct gh_range_vec ranges = {0}, all = {0};
	_cleanup_error_ struct gh_error *gone = NULL;
	uint64_t lost = 0;
	pid_t pid;

	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_non_null(snapshot);
	pid = start_child(memory);
	for (gh_addr i = 0; i < 1200; i += 2) // every other page
		assert_true(gh_ranges_append(&ranges, lo + i * PAGE, lo + (i + 1) * PAGE));
	assert_true(gh_ranges_append(&ranges, lo + 1300 * PAGE, lo + (gh_addr)PAGES * PAGE));
	assert_true(gh_ranges_append(&all, lo, lo + (gh_addr)PAGES * PAGE));
	assert_null(gh_snapshot_cover(snapshot, &ranges));
	assert_int_equal(snapshot->blocks.len, 1);
	assert_null(gh_snapshot_cover(snapshot, &all)); // grown: still one block
	assert_int_equal(snapshot->blocks.len, 1);
	assert_null(gh_snapshot_populate(snapshot, &ranges, NULL));
	assert_null(gh_snapshot_copy(snapshot, (uint32_t)pid, &ranges, NULL, &lost));
	assert_int_equal(lost, PAGE); // the hole alone
	assert_copied(snapshot, &ranges, lo);
	gh_snapshot_zero(snapshot, &ranges);
	assert_int_equal(snapshot->blocks.data[0].host[lo - snapshot->blocks.data[0].lo], 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	gone = gh_snapshot_copy(snapshot, (uint32_t)pid, &ranges, NULL, &lost);
	assert_non_null(gone);
	assert_int_equal(gone->code, GH_ERR_IO);
	gh_range_vec_deinit(&all);
	gh_range_vec_deinit(&ranges);
	gh_snapshot_destroy(snapshot);
	munmap(memory, (size_t)PAGES * PAGE);
}

static void test_clock(void **state)
{
	struct timespec before, after;
	uint64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_true(gh_proc_clock((uint32_t)getpid(), &ns));
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(ns >= (uint64_t)before.tv_sec * 1000000000 + (uint64_t)before.tv_nsec);
	assert_true(ns <= (uint64_t)after.tv_sec * 1000000000 + (uint64_t)after.tv_nsec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sets),	   cmocka_unit_test(test_pagemap_entries),
		cmocka_unit_test(test_soft_dirty), cmocka_unit_test(test_copy),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
