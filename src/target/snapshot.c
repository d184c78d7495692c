// SPDX-License-Identifier: Apache-2.0
// A process that nobody debugs, by its number: copied while it stands still, or, for statistics,
// read while it runs. The copy holds what a core would: pages that can be written and have
// contents; the rest comes from the executable and the shared objects.
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "base/cleanup.h"
#include "target/attach.h"

enum {
	PAGE = 4096,
	COPY_BYTES = 64 << 20, // between two looks whether somebody wants to end this
	SPARE_SHARE = 10,      // a tenth of the available memory is left to others
	MAX_PATH = 4096,
};

/* Local memory for neighbouring mappings: they stay neighbours. */
struct block {
	gh_addr lo, hi;
	uint8_t *host; // owned
};
GH_VEC(block_vec, struct block);

struct gh_snapshot {
	struct block_vec blocks;
};

void gh_snapshot_destroy(struct gh_snapshot *snapshot)
{
	for (size_t i = 0; snapshot && i < snapshot->blocks.len; i++)
		munmap(snapshot->blocks.data[i].host,
		       snapshot->blocks.data[i].hi - snapshot->blocks.data[i].lo);
	if (snapshot)
		block_vec_deinit(&snapshot->blocks);
	free(snapshot);
}

struct taking {
	struct gh_target *target;
	const struct gh_target_options *options;
	struct gh_proc_map_vec maps;
	struct gh_proc_run_vec runs; // to copy
	struct gh_attachment attachment;
	uint64_t lost_bytes; // of pages that could not be read
};

/* Contents only memory has, and not a device's or the kernel's. */
static bool is_copied(const struct gh_proc_map *map)
{
	return map->readable && (map->writable || !*map->path) &&
	       strncmp(map->path, "/dev/", 5) != 0 && strncmp(map->path, "[v", 2) != 0;
}

static bool begins_object(const struct gh_proc_map *map)
{
	return map->readable && !is_copied(map) && map->file_offset == 0 && map->path[0] == '/';
}

static struct gh_error *add_runs(struct taking *t, gh_addr lo, gh_addr hi)
{
	return gh_proc_resident(t->target->pid, lo, hi, &t->runs);
}

/* What is to be copied at this moment: pages with contents, and the first page of each object,
 * whose build id it holds. */
static struct gh_error *list_runs(struct taking *t)
{
	struct gh_error *err;

	gh_proc_maps_deinit(&t->maps);
	t->maps = (struct gh_proc_map_vec){0};
	t->runs.len = 0;
	err = gh_proc_maps(t->target->pid, &t->maps);
	for (size_t i = 0; !err && i < t->maps.len; i++) {
		const struct gh_proc_map *map = &t->maps.data[i];

		if (is_copied(map))
			err = add_runs(t, map->lo, map->hi);
		else if (begins_object(map) &&
			 !gh_proc_run_vec_push(&t->runs,
					       (struct gh_proc_run){map->lo, map->lo + PAGE}))
			err = gh_error_nomem();
	}
	return err;
}

static uint64_t bytes_of(const struct gh_proc_run_vec *runs)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < runs->len; i++)
		bytes += runs->data[i].hi - runs->data[i].lo;
	return bytes;
}

/* Refuse before anything is stopped: running out of memory half-way would hurt both of us. */
static struct gh_error *check_room(const struct taking *t)
{
	uint64_t need = bytes_of(&t->runs), have = gh_memory_available();

	have -= have / SPARE_SHARE;
	if (t->options->max_mem_bytes)
		have = gh_min_u64(have, t->options->max_mem_bytes);
	if (need <= have)
		return gh_budget_charge(t->target->budget, need, "a copy of the process");
	return gh_error_create(GH_ERR_LIMIT,
			       "cannot copy process %u: its memory is %llu MiB and %llu MiB may be "
			       "used here: write "
			       "it to a disk with gcore %u, and look at that",
			       t->target->pid, (unsigned long long)(need >> 20),
			       (unsigned long long)(have >> 20), t->target->pid);
}

static struct block *block_of(struct gh_snapshot *snapshot, gh_addr addr)
{
	for (size_t i = 0; i < snapshot->blocks.len; i++)
		if (addr - snapshot->blocks.data[i].lo <
		    snapshot->blocks.data[i].hi - snapshot->blocks.data[i].lo)
			return &snapshot->blocks.data[i];
	return NULL;
}

static struct gh_error *add_block(struct gh_snapshot *snapshot, gh_addr lo, gh_addr hi)
{
	void *p = mmap(NULL, hi - lo, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return gh_error_errno(errno, "cannot make room for %llu MiB",
				      (unsigned long long)((hi - lo) >> 20));
	if (block_vec_push(&snapshot->blocks, (struct block){lo, hi, p}))
		return NULL;
	munmap(p, hi - lo);
	return gh_error_nomem();
}

static gh_addr end_of(const struct gh_proc_map *map)
{
	return is_copied(map) ? map->hi : map->lo + PAGE;
}

/* Address space for all that may be copied; pages that were never touched read as zeros. */
static struct gh_error *make_blocks(struct taking *t)
{
	struct gh_snapshot *snapshot = t->target->snapshot;
	gh_addr lo = 0, hi = 0;
	struct gh_error *err = NULL;

	for (size_t i = 0; i < t->maps.len && !err; i++) {
		const struct gh_proc_map *map = &t->maps.data[i];

		if (!is_copied(map) && !begins_object(map))
			continue;
		if (map->lo != hi && hi)
			err = add_block(snapshot, lo, hi);
		if (map->lo != hi)
			lo = map->lo;
		hi = end_of(map);
	}
	return err || !hi ? err : add_block(snapshot, lo, hi);
}

/* [lo, hi) of one block. False: not all of it could be read; what could be is there. */
static bool copy(uint32_t pid, const struct block *block, gh_addr lo, gh_addr hi)
{
	return gh_proc_read(pid, lo, block->host + (lo - block->lo), hi - lo) == (ssize_t)(hi - lo);
}

static struct gh_error *copy_runs(struct taking *t)
{
	const struct gh_poll *poll = t->options->poll;
	uint64_t done = 0, total = bytes_of(&t->runs);

	for (size_t i = 0; i < t->runs.len; i++) {
		struct gh_proc_run run = t->runs.data[i];
		const struct block *block = block_of(t->target->snapshot, run.lo);

		while (block && run.lo < run.hi) {
			gh_addr end = gh_min_u64(run.hi, run.lo + COPY_BYTES);
			struct gh_error *err = gh_poll(poll, "copying", done, total);

			if (err)
				return err;
			if (!copy(t->target->pid, block, run.lo, gh_min_u64(end, block->hi)))
				t->lost_bytes += end - run.lo;
			done += end - run.lo;
			run.lo = end;
		}
	}
	return NULL;
}

/* Have the kernel find our pages before the process stands still, not while it does. */
static void populate(const struct taking *t)
{
	for (size_t i = 0; i < t->runs.len; i++) {
		struct gh_proc_run run = t->runs.data[i];
		const struct block *block = block_of(t->target->snapshot, run.lo);

		if (block)
			madvise(block->host + (run.lo - block->lo),
				gh_min_u64(run.hi, block->hi) - run.lo, MADV_POPULATE_WRITE);
	}
}

/* Mappings that came or grew since the blocks were made. */
static struct gh_error *add_missing_blocks(struct taking *t)
{
	for (size_t i = 0; i < t->maps.len; i++) {
		const struct gh_proc_map *map = &t->maps.data[i];
		gh_addr lo = map->lo;

		if (!is_copied(map) && !begins_object(map))
			continue;
		while (lo < end_of(map)) {
			const struct block *block = block_of(t->target->snapshot, lo);
			gh_addr hi = end_of(map);
			struct gh_error *err;

			if (block) {
				lo = block->hi;
				continue;
			}
			for (size_t k = 0; k < t->target->snapshot->blocks.len; k++)
				if (t->target->snapshot->blocks.data[k].lo > lo)
					hi = gh_min_u64(hi, t->target->snapshot->blocks.data[k].lo);
			err = add_block(t->target->snapshot, lo, hi);
			if (err)
				return err;
		}
	}
	return NULL;
}

/* Runs that cross the border of two blocks are cut there. */
static struct gh_error *split_runs(struct taking *t)
{
	struct gh_proc_run_vec cut = {0};

	for (size_t i = 0; i < t->runs.len; i++) {
		struct gh_proc_run run = t->runs.data[i];

		while (run.lo < run.hi) {
			const struct block *block = block_of(t->target->snapshot, run.lo);
			gh_addr end = block ? gh_min_u64(run.hi, block->hi) : run.hi;

			if (!gh_proc_run_vec_push(&cut, (struct gh_proc_run){run.lo, end})) {
				gh_proc_run_vec_deinit(&cut);
				return gh_error_nomem();
			}
			run.lo = end;
		}
	}
	gh_proc_run_vec_deinit(&t->runs);
	t->runs = cut;
	return NULL;
}

/* While it stands still. */
static struct gh_error *take_still(struct taking *t)
{
	struct gh_error *err = gh_attach(t->target->pid, t->options->poll, &t->attachment);

	if (!err)
		err = gh_attached_registers(&t->attachment, t->target->machine,
					    &t->target->threads);
	if (!err)
		err = list_runs(t);
	if (!err)
		err = add_missing_blocks(t);
	if (!err)
		err = split_runs(t);
	return err ? err : copy_runs(t);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static struct gh_error *take(struct taking *t)
{
	uint64_t start;
	struct gh_error *err = list_runs(t);

	if (!err)
		err = check_room(t);
	if (!err)
		err = make_blocks(t);
	if (err)
		return err;
	populate(t);
	start = now_ns();
	err = take_still(t);
	gh_detach(&t->attachment);
	if (err)
		return err;
	gh_target_note(t->target,
		       "process %u stood still for %.3f s while %llu MiB of it were copied",
		       t->target->pid, (double)(now_ns() - start) / 1e9,
		       (unsigned long long)(bytes_of(&t->runs) >> 20));
	if (t->lost_bytes)
		gh_target_note(t->target, "%llu bytes of process %u could not be read",
			       (unsigned long long)t->lost_bytes, t->target->pid);
	return NULL;
}

/* ---- the target ---- */

static struct gh_error *add_mappings(struct gh_target *target, const struct gh_proc_map_vec *maps)
{
	for (size_t i = 0; i < target->mappings.len; i++) // those of an earlier moment
		free(target->mappings.data[i].path);
	target->mappings.len = 0;
	for (size_t i = 0; i < maps->len; i++) {
		const struct gh_proc_map *map = &maps->data[i];
		struct gh_mapping m = {
			.lo = map->lo, .hi = map->hi, .file_offset = map->file_offset};

		m.path = strdup(map->path);
		if (!m.path || !gh_mapping_vec_push(&target->mappings, m)) {
			free(m.path);
			return gh_error_nomem();
		}
	}
	return NULL;
}

static struct gh_error *add_memory(struct gh_target *target, const struct gh_proc_map_vec *maps)
{
	struct gh_error *err = NULL;

	for (size_t i = 0; i < maps->len && !err; i++) {
		const struct gh_proc_map *map = &maps->data[i];

		for (gh_addr lo = map->lo; !err && lo < end_of(map);) {
			const struct block *block = is_copied(map) || begins_object(map)
							    ? block_of(target->snapshot, lo)
							    : NULL;
			gh_addr end = block ? gh_min_u64(end_of(map), block->hi) : end_of(map);

			if (block)
				err = gh_image_add(target->image, lo, end - lo,
						   block->host + (lo - block->lo), map->writable);
			lo = end;
		}
	}
	return err;
}

static const void *copied_at(const void *ctx, gh_addr addr, uint64_t len)
{
	const struct gh_target *target = ctx;
	const struct block *block = block_of(target->snapshot, addr);

	return block && len <= block->hi - addr ? block->host + (addr - block->lo) : NULL;
}

/* Files are where the process sees them, which may be in a container. */
static struct gh_error *add_files(struct taking *t)
{
	const struct gh_memory memory = {.at = copied_at, .ctx = t->target};
	struct gh_target_options options = *t->options;
	char root[64];

	snprintf(root, sizeof(root), "/proc/%u/root", t->target->pid);
	if (!options.sysroot)
		options.sysroot = root;
	return gh_target_lend_pages(t->target, &options, &memory);
}

static bool read_running(void *ctx, gh_addr addr, void *to, uint64_t len)
{
	const uint32_t *pid = ctx;

	return gh_proc_read(*pid, addr, to, len) == (ssize_t)len;
}

static const void *running_at(const void *ctx, gh_addr addr, uint64_t len)
{
	return gh_image_at(ctx, addr, len);
}

/* The heads of the mapped objects, which do not change while it runs: their build ids. */
static struct gh_error *heads_of_objects(struct taking *t, struct gh_image **ret)
{
	struct gh_error *err = gh_image_create(ret);

	for (size_t i = 0; !err && i < t->maps.len; i++) {
		const struct gh_proc_map *map = &t->maps.data[i];

		if (begins_object(map))
			err = gh_image_add_lazy(*ret, map->lo, map->hi - map->lo, read_running,
						&t->target->pid, false);
	}
	return err ? err : gh_image_seal(*ret);
}

static struct gh_error *compare_exe(struct taking *t, const char *proc_exe)
{
	struct gh_image *heads = NULL;
	struct gh_error *err = list_runs(t);

	if (!err)
		err = add_mappings(t->target, &t->maps);
	if (!err)
		err = heads_of_objects(t, &heads);
	if (!err)
		err = gh_target_find_exe(t->target, t->options,
					 &(struct gh_memory){running_at, heads}, proc_exe);
	gh_image_destroy(heads);
	return err;
}

/* Is it ours to read? Asked before anything is stopped. */
static struct gh_error *find_exe(struct taking *t)
{
	struct gh_target *target = t->target;
	char proc_exe[64], path[MAX_PATH];
	struct gh_error *err;
	ssize_t n;

	snprintf(proc_exe, sizeof(proc_exe), "/proc/%u/exe", target->pid);
	n = readlink(proc_exe, path, sizeof(path) - 1);
	if (n < 0 && (errno == ENOENT || errno == ESRCH))
		return gh_error_create(GH_ERR_IO,
				       "cannot look at process %u: there is no such process, or it "
				       "is one of the kernel's",
				       target->pid);
	if (n < 0)
		return gh_error_errno(errno,
				      "cannot look at process %u: run goheap as its user or as "
				      "root",
				      target->pid);
	path[n] = 0;
	gh_target_read_auxv_of(target, target->pid);
	err = compare_exe(t, proc_exe);
	if (err || !target->exe)
		return err;
	free(target->exe_path);
	target->exe_path = strdup(path);
	if (!target->exe_path)
		return gh_error_nomem();
	err = gh_target_check_machine(target->machine, target->exe_path);
	if (!err && !gh_elf_section(target->exe, ".gopclntab") &&
	    !gh_elf_section(target->exe, ".data.rel.ro.gopclntab"))
		err = gh_error_create(GH_ERR_MISSING,
				      "cannot read process %u: %s was not made by Go", target->pid,
				      target->exe_path);
	return err;
}

static struct gh_error *load(struct taking *t)
{
	struct gh_error *err = find_exe(t);

	if (!err)
		err = take(t);
	if (!err)
		err = add_mappings(t->target, &t->maps);
	if (!err)
		err = add_memory(t->target, &t->maps);
	if (!err)
		err = add_files(t);
	return err ? err : gh_image_seal(t->target->image);
}

static struct gh_error *open_running(const struct gh_target_options *options, uint32_t pid,
				     struct gh_target **ret)
{
	struct gh_proc_map_vec maps = {0};
	struct gh_mapping_vec mappings = {0};
	struct gh_error *err = gh_proc_maps(pid, &maps);

	for (size_t i = 0; !err && i < maps.len; i++) {
		const struct gh_proc_map *map = &maps.data[i];

		if (map->readable && strncmp(map->path, "[v", 2) != 0 &&
		    !gh_mapping_vec_push(
			    &mappings,
			    (struct gh_mapping){map->lo, map->hi, map->file_offset, map->path}))
			err = gh_error_nomem();
	}
	if (!err)
		err = gh_target_open_live(options,
					  &(struct gh_target_callbacks){
						  .pid = pid,
						  .mappings = mappings.data,
						  .nmappings = mappings.len,
					  },
					  ret);
	gh_mapping_vec_deinit(&mappings);
	gh_proc_maps_deinit(&maps);
	if (!err)
		gh_target_note(*ret,
			       "process %u was read while it ran: numbers may be of moments "
			       "some microseconds apart",
			       pid);
	return err;
}

struct gh_error *gh_target_open_pid(const struct gh_target_options *options, uint32_t pid,
				    bool running, struct gh_target **ret)
{
	struct taking t = {.options = options};
	struct gh_error *err;

	if (running)
		return open_running(options, pid, ret);
	err = gh_target_create(GH_TARGET_LIVE, options, &t.target);
	if (err)
		return err;
	t.target->pid = pid;
	t.target->snapshot = calloc(1, sizeof(*t.target->snapshot));
	err = t.target->snapshot ? load(&t) : gh_error_nomem();
	gh_proc_maps_deinit(&t.maps);
	gh_proc_run_vec_deinit(&t.runs);
	if (err) {
		gh_target_destroy(t.target);
		return err;
	}
	*ret = t.target;
	return NULL;
}
