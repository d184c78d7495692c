// SPDX-License-Identifier: Apache-2.0
// A living process: a stopped child read by the kernel, through a callback, and with both refusing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "target/target.h"

enum { PAGE = 4096, PAGES = 1200, HOLE = 700 }; // more than two chunks

struct child {
	pid_t pid;
	uint8_t *memory; // of the parent; at the same address in the child, other bytes
};

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 2654435761u >> 16);
}

static struct child start_child(void)
{
	struct child child = {0};
	int ready[2];
	char c;

	assert_int_equal(pipe(ready), 0);
	child.memory = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(child.memory, MAP_FAILED);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		for (size_t i = 0; i < (size_t)PAGES * PAGE; i++)
			child.memory[i] = byte_at(i);
		munmap(child.memory + (size_t)HOLE * PAGE, PAGE);
		if (write(ready[1], "r", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return child;
}

static void stop_child(struct child *child)
{
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	munmap(child->memory, (size_t)PAGES * PAGE);
}

struct callback {
	struct child *child;
	size_t calls;
	bool wrong; // another process answers
};

static bool read_memory(void *ctx, gh_addr addr, void *to, uint64_t len)
{
	struct callback *callback = ctx;
	gh_addr lo = (uintptr_t)callback->child->memory, hole = lo + (uint64_t)HOLE * PAGE;

	callback->calls++;
	if (addr < lo || addr + len > lo + (uint64_t)PAGES * PAGE ||
	    (addr < hole + PAGE && addr + len > hole))
		return false;
	for (uint64_t i = 0; i < len; i++)
		((uint8_t *)to)[i] = (uint8_t)(byte_at(addr - lo + i) + callback->wrong);
	return true;
}

static struct gh_target *open_child(struct callback *callback, uint32_t pid, bool with_callback)
{
	const struct gh_mapping mapping = {.lo = (uintptr_t)callback->child->memory,
					   .hi = (uintptr_t)callback->child->memory +
						 (uint64_t)PAGES * PAGE,
					   .path = (char *)""};
	const struct gh_thread thread = {.tid = pid, .sp = mapping.lo + 64, .signal = 19};
	const bool writable = true;
	struct gh_target_callbacks callbacks = {
		.read_memory = with_callback ? read_memory : NULL,
		.ctx = callback,
		.pid = pid,
		.mappings = &mapping,
		.mapping_writable = &writable,
		.nmappings = 1,
		.threads = &thread,
		.nthreads = 1,
	};
	struct gh_target *target = NULL;
	struct gh_error *err =
		gh_target_open_live(&(struct gh_target_options){0}, &callbacks, &target);

	if (err)
		print_error("%s\n", err->message);
	assert_null(err);
	return target;
}

static void must_read_child(const struct gh_target *target, const struct child *child, int add)
{
	gh_addr lo = (uintptr_t)child->memory, hole = lo + (uint64_t)HOLE * PAGE;
	const uint8_t *p = gh_image_at(target->image, lo, (uint64_t)HOLE * PAGE);

	assert_non_null(p);
	for (size_t i = 0; i < (size_t)HOLE * PAGE; i += 511)
		assert_int_equal(p[i], (uint8_t)(byte_at(i) + add));
	assert_null(gh_image_at(target->image, hole, 1));
	assert_int_equal(gh_image_absence(target->image, hole, PAGE), GH_UNREADABLE);
	p = gh_image_at(target->image, hole + PAGE, (uint64_t)(PAGES - HOLE - 1) * PAGE);
	assert_non_null(p);
	assert_int_equal(p[5], (uint8_t)(byte_at((size_t)(HOLE + 1) * PAGE + 5) + add));
}

static void reads_by_the_kernel(void **state)
{
	struct child child = start_child();
	struct callback callback = {.child = &child};
	struct gh_target *target = open_child(&callback, (uint32_t)child.pid, false);
	char self[4096] = "";

	assert_int_equal(target->kind, GH_TARGET_LIVE);
	assert_int_equal(target->pid, child.pid);
	assert_int_equal(target->signal, 19);
	assert_int_equal(callback.calls, 0);
	must_read_child(target, &child, 0);

	// /proc/PID/exe is this very program
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	assert_non_null(target->exe);
	assert_string_equal(target->exe_path, self);
	assert_true(target->auxv_entry != 0);
	assert_int_equal(target->auxv_entry, gh_elf_entry(target->exe) + target->exe_bias);
	assert_null(gh_target_check(target));
	gh_target_destroy(target);
	stop_child(&child);
}

static void reads_through_the_debugger(void **state)
{
	struct child child = start_child();
	struct callback callback = {.child = &child};
	struct gh_target *target = open_child(&callback, 0, true);

	must_read_child(target, &child, 0);
	// three chunks, and the pages of the one with the hole
	assert_in_range(callback.calls, 3, 3 + GH_IMAGE_CHUNK / PAGE);
	assert_null(target->exe);
	gh_target_destroy(target);
	stop_child(&child);
}

/* The number of a remote process means another one here: what the debugger says counts. */
static void does_not_trust_the_number(void **state)
{
	struct child child = start_child();
	struct callback callback = {.child = &child, .wrong = true};
	struct gh_target *target = open_child(&callback, (uint32_t)child.pid, true);

	must_read_child(target, &child, 1);
	gh_target_destroy(target);
	stop_child(&child);
}

static void survives_a_process_that_is_gone(void **state)
{
	struct child child = start_child();
	struct callback callback = {.child = &child};
	struct gh_target *target = open_child(&callback, (uint32_t)child.pid, false);
	gh_addr lo = (uintptr_t)child.memory;

	assert_non_null(gh_image_at(target->image, lo, 8));
	kill(child.pid, SIGKILL);
	waitpid(child.pid, NULL, 0);
	assert_non_null(gh_image_at(target->image, lo + 100, 8)); // was copied
	assert_null(gh_image_at(target->image, lo + GH_IMAGE_CHUNK * 2, 8));
	assert_int_equal(gh_image_absence(target->image, lo + GH_IMAGE_CHUNK * 2, 8),
			 GH_UNREADABLE);
	gh_target_destroy(target);
	munmap(child.memory, (size_t)PAGES * PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_by_the_kernel),
		cmocka_unit_test(reads_through_the_debugger),
		cmocka_unit_test(does_not_trust_the_number),
		cmocka_unit_test(survives_a_process_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
