// SPDX-License-Identifier: Apache-2.0
// See procfs.h. Formats: proc(5), Documentation/admin-guide/mm/pagemap.rst, cgroup-v2.rst of Linux.
#include "target/procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

enum {
	PAGE = 4096,
	PAGEMAP_BATCH = 4096, // entries read at once
	MAX_LINE = 8192,
};
static const int64_t NS_PER_SECOND = 1000000000;
#define PAGEMAP_HAS_CONTENTS (3ULL << 62) // present, swapped
#define PAGEMAP_SWAPPED	     (1ULL << 62)
#define PAGEMAP_OF_FILE	     (1ULL << 61)
#define PAGEMAP_EXCLUSIVE    (1ULL << 56)
#define PAGEMAP_SOFT_DIRTY   (1ULL << 55)

static FILE *open_of(uint32_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	return fopen(path, "re");
}

static void close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}
#define _cleanup_file_ __attribute__((cleanup(close_file)))

static bool parse_map(const char *line, struct gh_proc_map *ret)
{
	char perms[5];
	int path = 0;

	*ret = (struct gh_proc_map){0};
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %n", &ret->lo, &ret->hi,
		   perms, &ret->file_offset, &path) < 4 ||
	    !path || ret->lo >= ret->hi)
		return false;
	ret->readable = perms[0] == 'r';
	ret->writable = perms[1] == 'w';
	ret->shared = perms[3] == 's';
	ret->path = strdup(line + path);
	return ret->path != NULL;
}

struct gh_error *gh_proc_maps(uint32_t pid, struct gh_proc_map_vec *ret)
{
	_cleanup_file_ FILE *file = open_of(pid, "maps");
	_cleanup_free_ char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	if (!file)
		return gh_error_errno(errno, "cannot look at process %u", pid);
	while ((n = getline(&line, &cap, file)) > 0) {
		struct gh_proc_map map;

		if (line[n - 1] == '\n')
			line[n - 1] = 0;
		if (!parse_map(line, &map))
			continue;
		if (!gh_proc_map_vec_push(ret, map)) {
			free(map.path);
			return gh_error_nomem();
		}
	}
	if (ferror(file))
		return gh_error_errno(errno, "cannot read the mappings of process %u", pid);
	return NULL;
}

void gh_proc_maps_deinit(struct gh_proc_map_vec *maps)
{
	for (size_t i = 0; i < maps->len; i++)
		free(maps->data[i].path);
	gh_proc_map_vec_deinit(maps);
}

struct gh_error *gh_proc_threads(uint32_t pid, struct gh_tid_vec *ret)
{
	struct gh_error *err = NULL;
	const struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	dir = opendir(path);
	if (!dir)
		return gh_error_errno(errno, "cannot list the threads of process %u", pid);
	while (!err && (entry = readdir(dir)) != NULL) {
		unsigned long tid = strtoul(entry->d_name, NULL, 10);

		if (tid && !gh_tid_vec_push(ret, (uint32_t)tid))
			err = gh_error_nomem();
	}
	closedir(dir);
	return err;
}

enum gh_page_state gh_page_state_of(uint64_t entry)
{
	if (!(entry & PAGEMAP_HAS_CONTENTS))
		return GH_PAGE_EMPTY;
	// a page given back and then read is the kernel's page of zeros, which is nobody's own and
	// not dirty either, whatever was there before
	if ((entry & PAGEMAP_SOFT_DIRTY) || !(entry & (PAGEMAP_EXCLUSIVE | PAGEMAP_SWAPPED)))
		return GH_PAGE_CHANGED;
	return GH_PAGE_CLEAN;
}

bool gh_page_is_written(uint64_t entry)
{
	return (entry & PAGEMAP_HAS_CONTENTS) && !(entry & PAGEMAP_OF_FILE);
}

static bool add_page(uint64_t entry, gh_addr at, struct gh_range_vec *ret,
		     struct gh_range_vec *clean_ret)
{
	enum gh_page_state state = gh_page_state_of(entry);

	if (state == GH_PAGE_EMPTY)
		return true;
	if (clean_ret && state == GH_PAGE_CLEAN && !gh_ranges_append(clean_ret, at, at + PAGE))
		return false;
	return gh_ranges_append(ret, at, at + PAGE);
}

static int open_pagemap(uint32_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/pagemap", pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

struct gh_error *gh_proc_resident(uint32_t pid, gh_addr lo, gh_addr hi, struct gh_range_vec *ret,
				  struct gh_range_vec *clean_ret)
{
	_cleanup_free_ uint64_t *entries = gh_alloc_array(PAGEMAP_BATCH, sizeof(*entries));
	_cleanup_close_ int fd = open_pagemap(pid);

	if (!entries)
		return gh_error_nomem();
	for (gh_addr at = lo; at < hi;) {
		uint64_t want = gh_min_u64((hi - at) / PAGE, PAGEMAP_BATCH);
		ssize_t n = fd < 0 ? -1 : pread(fd, entries, want * 8, (off_t)(at / PAGE * 8));

		if (n < 8) // not known: take all of it
			return gh_ranges_append(ret, at, hi) ? NULL : gh_error_nomem();
		for (ssize_t i = 0; i < n / 8; i++, at += PAGE)
			if (!add_page(entries[i], at, ret, clean_ret))
				return gh_error_nomem();
	}
	return NULL;
}

bool gh_proc_is_written(uint32_t pid, gh_addr lo, gh_addr hi)
{
	uint64_t entries[512];
	_cleanup_close_ int fd = open_pagemap(pid);

	for (gh_addr at = lo; at < hi;) {
		uint64_t want = gh_min_u64((hi - at) / PAGE, GH_ARRAY_SIZE(entries));
		ssize_t n = fd < 0 ? -1 : pread(fd, entries, want * 8, (off_t)(at / PAGE * 8));

		if (n < 8)
			return true; // not known
		for (ssize_t i = 0; i < n / 8; i++, at += PAGE)
			if (gh_page_is_written(entries[i]))
				return true;
	}
	return false;
}

bool gh_proc_clear_dirty(uint32_t pid)
{
	_cleanup_close_ int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/clear_refs", pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, "4", 1) == 1;
}

static bool is_own_page_dirty(const volatile uint8_t *page)
{
	_cleanup_close_ int fd = open_pagemap((uint32_t)getpid());
	uint64_t entry;

	return fd >= 0 &&
	       pread(fd, &entry, 8, (off_t)((uintptr_t)page / PAGE * 8)) == sizeof(entry) &&
	       (entry & PAGEMAP_SOFT_DIRTY);
}

bool gh_proc_has_soft_dirty(void)
{
	volatile uint8_t *page =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool has;

	if (page == MAP_FAILED)
		return false;
	page[0] = 1;
	has = is_own_page_dirty(page) && gh_proc_clear_dirty((uint32_t)getpid()) &&
	      !is_own_page_dirty(page);
	page[0] = 2;
	has = has && is_own_page_dirty(page);
	munmap((void *)(uintptr_t)page, PAGE);
	return has;
}

/* The time namespace of a process. False: not known, or its children will have another, and then
 * the offsets that the kernel tells are theirs. */
static bool time_namespace(uint32_t pid, char *ret, size_t size)
{
	char path[64], next[64];
	ssize_t n, m;

	snprintf(path, sizeof(path), "/proc/%u/ns/time", pid);
	n = readlink(path, ret, size - 1);
	snprintf(path, sizeof(path), "/proc/%u/ns/time_for_children", pid);
	m = readlink(path, next, sizeof(next));
	if (n <= 0 || n != m || memcmp(ret, next, (size_t)n) != 0)
		return false;
	ret[n] = 0;
	return true;
}

static bool monotonic_offset(uint32_t pid, int64_t *ret)
{
	_cleanup_file_ FILE *file = open_of(pid, "timens_offsets");
	int64_t seconds, ns;

	if (!file || fscanf(file, "monotonic %" SCNd64 " %" SCNd64, &seconds, &ns) != 2 ||
	    seconds > INT32_MAX || seconds < -INT32_MAX)
		return false;
	*ret = seconds * NS_PER_SECOND + ns;
	return true;
}

/* How much further its clock is than ours. */
static bool clock_distance(uint32_t pid, int64_t *ret)
{
	char ours[64], theirs[64];
	int64_t our_offset, their_offset;

	*ret = 0;
	if (access("/proc/self/ns/time", F_OK) != 0)
		return errno == ENOENT; // before Linux 5.6 there is one clock
	if (!time_namespace((uint32_t)getpid(), ours, sizeof(ours)) ||
	    !time_namespace(pid, theirs, sizeof(theirs)))
		return false;
	if (strcmp(ours, theirs) == 0)
		return true;
	if (!monotonic_offset((uint32_t)getpid(), &our_offset) ||
	    !monotonic_offset(pid, &their_offset))
		return false;
	*ret = their_offset - our_offset;
	return true;
}

bool gh_proc_clock(uint32_t pid, uint64_t *ns_ret)
{
	struct timespec t;
	int64_t distance;

	if (!clock_distance(pid, &distance) || clock_gettime(CLOCK_MONOTONIC, &t) != 0)
		return false;
	*ns_ret = (uint64_t)(t.tv_sec * NS_PER_SECOND + t.tv_nsec + distance);
	return true;
}

ssize_t gh_proc_read(uint32_t pid, gh_addr addr, void *to, uint64_t len)
{
	uint64_t done = 0;

	while (done < len) {
		struct iovec local = {(uint8_t *)to + done, len - done};
		struct iovec remote = {(void *)(uintptr_t)(addr + done), len - done};
		ssize_t n = process_vm_readv((pid_t)pid, &local, 1, &remote, 1, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EFAULT && !done)
			return -1;
		if (n <= 0)
			break;
		done += (uint64_t)n;
	}
	return (ssize_t)done;
}

/* The number behind `field` in a file of "field number" lines; false when it is not there. */
static bool number_in(FILE *file, const char *field, uint64_t *ret)
{
	char line[MAX_LINE];

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, field, strlen(field)) == 0) {
			*ret = strtoull(line + strlen(field), NULL, 10);
			return true;
		}
	return false;
}

bool gh_proc_descriptor(uint32_t pid, uint64_t fd, char *ret, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/fd/%llu", pid, (unsigned long long)fd);
	n = readlink(path, ret, size);
	if (n <= 0 || (size_t)n >= size)
		return false;
	ret[n] = 0;
	return true;
}

uint64_t gh_proc_status(uint32_t pid, const char *field)
{
	_cleanup_file_ FILE *file = open_of(pid, "status");
	uint64_t value = 0;

	number_in(file, field, &value);
	return value;
}

char gh_proc_state(uint32_t pid)
{
	_cleanup_file_ FILE *file = open_of(pid, "status");
	char line[MAX_LINE], state;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "State: %c", &state) == 1)
			return state;
	return 0;
}

static bool number_of_file(const char *dir, const char *name, uint64_t *ret)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_file_ FILE *file = NULL;

	if (asprintf(&path, "%s/%s", dir, name) < 0) {
		path = NULL;
		return false;
	}
	file = fopen(path, "re");
	return file && fscanf(file, "%" SCNu64, ret) == 1; // "max" is no number: no bound
}

/* Control groups, where they are mounted as usual: the unified hierarchy, and the old one. */
static const struct hierarchy {
	const char *root, *controllers; // as /proc/self/cgroup names them
	const char *max, *current, *inactive, *active;
} hierarchies[] = {
	{"/sys/fs/cgroup", "", "memory.max", "memory.current", "inactive_file", "active_file"},
	{"/sys/fs/cgroup/memory", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
	 "total_inactive_file", "total_active_file"},
};

/* Pages of files count as used, and are dropped when memory is short. */
static uint64_t file_pages_of(const char *dir, const struct hierarchy *g)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_file_ FILE *file = NULL;
	char name[MAX_LINE];
	uint64_t value, bytes = 0;

	if (asprintf(&path, "%s/memory.stat", dir) < 0)
		path = NULL;
	file = path ? fopen(path, "re") : NULL;
	while (file && fscanf(file, "%200s %" SCNu64, name, &value) == 2)
		if (!strcmp(name, g->inactive) || !strcmp(name, g->active))
			bytes += value;
	return bytes;
}

/* The control group of this process. */
static bool cgroup_dir(const struct hierarchy *g, char *dir, size_t size)
{
	_cleanup_file_ FILE *file = fopen("/proc/self/cgroup", "re");
	char line[MAX_LINE], *controllers, *path;

	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		controllers = strchr(line, ':');
		path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path)
			continue;
		*path = 0;
		if (strcmp(controllers + 1, g->controllers) == 0)
			return snprintf(dir, size, "%s%s", g->root, path + 1) < (int)size;
	}
	return false;
}

/* A group is bound by those above it, too. */
static uint64_t available_in(const struct hierarchy *g)
{
	uint64_t available = UINT64_MAX, max, current;
	char dir[MAX_LINE];

	if (!cgroup_dir(g, dir, sizeof(dir)))
		return available;
	for (;;) {
		char *slash;

		if (number_of_file(dir, g->max, &max) &&
		    number_of_file(dir, g->current, &current)) {
			current -= gh_min_u64(current, file_pages_of(dir, g));
			available = gh_min_u64(available, max > current ? max - current : 0);
		}
		slash = strrchr(dir, '/');
		if (!slash || strlen(dir) <= strlen(g->root))
			return available;
		*slash = 0;
	}
}

uint64_t gh_memory_available(void)
{
	_cleanup_file_ FILE *file = fopen("/proc/meminfo", "re");
	uint64_t kib, available;

	if (!number_in(file, "MemAvailable:", &kib))
		kib = UINT64_MAX >> 10;
	available = kib << 10;
	for (size_t i = 0; i < GH_ARRAY_SIZE(hierarchies); i++)
		available = gh_min_u64(available, available_in(&hierarchies[i]));
	return available;
}
