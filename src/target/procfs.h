// SPDX-License-Identifier: Apache-2.0
// What /proc tells of a process and of this machine. Linux only, as goheap is.
#pragma once

#include "base/error.h"
#include "base/vec.h"

struct gh_proc_map {
	gh_addr lo, hi;
	uint64_t file_offset;
	bool readable, writable, shared;
	char *path; // owned; "" for anonymous memory
};
GH_VEC(gh_proc_map_vec, struct gh_proc_map);

/** A run of pages that have contents: [lo, hi). */
struct gh_proc_run {
	gh_addr lo, hi;
};
GH_VEC(gh_proc_run_vec, struct gh_proc_run);

GH_VEC(gh_tid_vec, uint32_t);

/** Errors: IO (no such process, not permitted), NOMEM. The caller frees with the deinit below. */
struct gh_error *gh_proc_maps(uint32_t pid, struct gh_proc_map_vec *ret) GH_MUST_CHECK;
void gh_proc_maps_deinit(struct gh_proc_map_vec *maps);

/** Threads at this moment, appended. Errors: IO, NOMEM. */
struct gh_error *gh_proc_threads(uint32_t pid, struct gh_tid_vec *ret) GH_MUST_CHECK;

/**
 * Pages of [lo, hi) that are in memory or swapped out, appended as runs; the others were never
 * touched and read as zeros. Where /proc/PID/pagemap cannot be read, all of them. Errors: NOMEM.
 */
struct gh_error *gh_proc_resident(uint32_t pid, gh_addr lo, gh_addr hi,
				  struct gh_proc_run_vec *ret) GH_MUST_CHECK;

/**
 * Copy [addr, addr + len) of a process. Returns the bytes that came from its start; fewer than len:
 * what follows cannot be read. < 0: not permitted, or gone (errno).
 */
ssize_t gh_proc_read(uint32_t pid, gh_addr addr, void *to, uint64_t len);

/** A number of /proc/PID/status, such as "TracerPid:"; 0 when it is not there. */
uint64_t gh_proc_status(uint32_t pid, const char *field);

/** Bytes that may be allocated: of the machine, and of the control group if that has a bound. */
uint64_t gh_memory_available(void);
