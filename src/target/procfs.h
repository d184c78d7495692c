// SPDX-License-Identifier: Apache-2.0
// What /proc tells of a process and of this machine. Linux only, as goheap is.
#pragma once

#include "target/ranges.h"

struct gh_proc_map {
	gh_addr lo, hi;
	uint64_t file_offset;
	bool readable, writable, shared;
	char *path; // owned; "" for anonymous memory
};
GH_VEC(gh_proc_map_vec, struct gh_proc_map);

GH_VEC(gh_tid_vec, uint32_t);

/** Errors: IO (no such process, not permitted), NOMEM. The caller frees with the deinit below. */
struct gh_error *gh_proc_maps(uint32_t pid, struct gh_proc_map_vec *ret) GH_MUST_CHECK;
void gh_proc_maps_deinit(struct gh_proc_map_vec *maps);

/** Threads at this moment, appended. Errors: IO, NOMEM. */
struct gh_error *gh_proc_threads(uint32_t pid, struct gh_tid_vec *ret) GH_MUST_CHECK;

/** What an entry of /proc/PID/pagemap says of a page. */
enum gh_page_state {
	GH_PAGE_EMPTY, // never touched, or given back: reads as zeros
	GH_PAGE_CLEAN, // has contents, and they are those of when the soft-dirty bits were cleared
	GH_PAGE_CHANGED, // has contents, which may have been written since
};
enum gh_page_state gh_page_state_of(uint64_t pagemap_entry);

/** Of a page in a private mapping of a file: was it written, so that it is a copy of its own? */
bool gh_page_is_written(uint64_t pagemap_entry);

/**
 * Pages of [lo, hi) that are in memory or swapped out, appended to *ret; the others were never
 * touched and read as zeros. Where /proc/PID/pagemap cannot be read, all of them.
 * clean_ret (may be NULL): appended, those among them that were not written since
 * gh_proc_clear_dirty. Errors: NOMEM.
 */
struct gh_error *gh_proc_resident(uint32_t pid, gh_addr lo, gh_addr hi, struct gh_range_vec *ret,
				  struct gh_range_vec *clean_ret) GH_MUST_CHECK;

/**
 * Was any page of [lo, hi), in a private mapping of a file, ever written, so that it is not the
 * file's any more? Where /proc/PID/pagemap cannot be read: true.
 */
bool gh_proc_is_written(uint32_t pid, gh_addr lo, gh_addr hi);

/**
 * Does this kernel keep soft-dirty bits? Tried on a page of ours: a kernel without them accepts
 * the request and shows the same bit for ever.
 */
bool gh_proc_has_soft_dirty(void);

/** Let the kernel forget what was written so far. False: refused. */
bool gh_proc_clear_dirty(uint32_t pid);

/**
 * CLOCK_MONOTONIC at this moment as the process sees it, which may be in a time namespace of its
 * own. False: not known.
 */
bool gh_proc_clock(uint32_t pid, uint64_t *ns_ret);

/**
 * Copy [addr, addr + len) of a process. Returns the bytes that came from its start; fewer than len:
 * what follows cannot be read. < 0: not permitted, or gone (errno).
 */
ssize_t gh_proc_read(uint32_t pid, gh_addr addr, void *to, uint64_t len);

/**
 * What descriptor fd of a process is at this moment: "/var/log/x", "pipe:[12]". False: not known, or
 * it does not fit.
 */
bool gh_proc_descriptor(uint32_t pid, uint64_t fd, char *ret, size_t size);

/**
 * The socket with that inode: "tcp 127.0.0.1:80 -> 127.0.0.1:4711", "unix /run/x". False: not known.
 * Reads the kernel's lists, which are as long as there are sockets.
 */
bool gh_proc_socket(uint32_t pid, uint64_t inode, char *ret, size_t size);

/** A number of /proc/PID/status, such as "TracerPid:"; 0 when it is not there. */
uint64_t gh_proc_status(uint32_t pid, const char *field);

/** R, S, D, Z, … as in proc(5); 0: there is no such process. */
char gh_proc_state(uint32_t pid);

/** Bytes that may be allocated: of the machine, and of the control group if that has a bound. */
uint64_t gh_memory_available(void);
