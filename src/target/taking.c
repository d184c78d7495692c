// SPDX-License-Identifier: Apache-2.0
// See taking.h. The copy holds what a core would: pages that can be written and have contents, less
// what the layers above can spare.
#include "target/taking.h"

#include <time.h>

enum {
	PAGE = 4096,
	SPARE_SHARE = 10,	 // a tenth of the available memory is left to others
	MAX_ROUNDS = 5,		 // of making room for a process that grows meanwhile
	ENOUGH_BYTES = 16 << 20, // of growth that is not worth another round
};

/* Contents only memory has, and not a device's or the kernel's. */
static bool is_copied(const struct gh_proc_map *map)
{
	return map->readable && (map->writable || !*map->path) &&
	       strncmp(map->path, "/dev/", 5) != 0 && strncmp(map->path, "[v", 2) != 0;
}

bool gh_taking_begins_object(const struct gh_proc_map *map)
{
	return map->readable && !is_copied(map) && map->file_offset == 0 && map->path[0] == '/';
}

/* Memory that others may write, too: the process's own bits do not tell. */
static bool is_its_own(const struct gh_proc_map *map)
{
	return !map->shared && map->path[0] != '/';
}

/*
 * Read-only contents of a file that are not the file's any more: the loader relocates what a
 * position-independent executable knows of its types and functions, and protects it then. All of
 * the mapping, as in a core: what the loader left as it was lies in between.
 */
static bool is_relocated(const struct gh_taking *t, const struct gh_proc_map *map)
{
	return map->readable && !map->shared && map->path[0] == '/' &&
	       strncmp(map->path, "/dev/", 5) != 0 &&
	       gh_proc_is_written(t->target->pid, map->lo, map->hi);
}

static gh_addr end_of(const struct gh_taking *t, const struct gh_proc_map *map)
{
	if (is_copied(map) || is_relocated(t, map))
		return map->hi;
	return gh_taking_begins_object(map) ? map->lo + PAGE : map->lo;
}

/* What has contents at this moment: pages of writable memory, what was relocated, and the first
 * page of each object, whose build id it holds. */
struct gh_error *gh_taking_list(struct gh_taking *t)
{
	struct gh_error *err;

	gh_proc_maps_deinit(&t->maps);
	t->maps = (struct gh_proc_map_vec){0};
	t->covered.len = t->resident.len = t->clean.len = 0;
	err = gh_proc_maps(t->target->pid, &t->maps);
	for (size_t i = 0; !err && i < t->maps.len; i++) {
		const struct gh_proc_map *map = &t->maps.data[i];
		gh_addr hi = end_of(t, map);

		if (!gh_ranges_append(&t->covered, map->lo, hi))
			err = gh_error_nomem();
		else if (is_copied(map))
			err = gh_proc_resident(t->target->pid, map->lo, map->hi, &t->resident,
					       t->has_dirty && is_its_own(map) ? &t->clean : NULL);
		else if (!gh_ranges_append(&t->resident, map->lo, hi))
			err = gh_error_nomem();
	}
	return err;
}

/* Refuse before anything is stopped: running out of memory half-way would hurt both of us. */
static struct gh_error *check_room(const struct gh_taking *t, const struct gh_range_vec *more,
				   const struct gh_range_vec *had)
{
	uint64_t ours = gh_ranges_bytes(had), need = ours + gh_ranges_bytes(more);
	uint64_t have = gh_memory_available();

	have -= have / SPARE_SHARE;
	have += ours;
	if (t->options->max_mem_bytes)
		have = gh_min_u64(have, t->options->max_mem_bytes);
	if (need <= have)
		return gh_budget_charge(t->target->budget, gh_ranges_bytes(more),
					"a copy of the process");
	return gh_error_create(GH_ERR_LIMIT,
			       "cannot copy process %u: its memory is %llu MiB and %llu MiB may be "
			       "used here: write "
			       "it to a disk with gcore %u, and look at that",
			       t->target->pid, (unsigned long long)(need >> 20),
			       (unsigned long long)(have >> 20), t->target->pid);
}

/*
 * Ask the layers above what need not be copied, whole pages only. Their failure costs nothing but
 * the time to copy all: what is wrong with the process is found, and said, by whoever reads it
 * next.
 */
static struct gh_error *list_spared(struct gh_taking *t, const struct gh_image *memory,
				    struct gh_range_vec *ret)
{
	const struct gh_target_spare *spare = t->options->spare;
	struct gh_error *err = spare->list(spare->ctx, memory, ret);

	for (size_t i = 0; i < ret->len; i++) {
		ret->data[i].lo = gh_align_up(ret->data[i].lo, PAGE);
		ret->data[i].hi &= ~(uint64_t)(PAGE - 1);
	}
	gh_ranges_arrange(ret);
	if (!err || err->code == GH_ERR_CANCELLED)
		return err;
	gh_error_destroy(err);
	ret->len = 0;
	return NULL;
}

bool gh_taking_read_running(void *ctx, gh_addr addr, void *to, uint64_t len)
{
	const uint32_t *pid = ctx;

	return gh_proc_read(*pid, addr, to, len) == (ssize_t)len;
}

/* Memory as it runs, none of it read yet. */
static struct gh_error *read_anew(struct gh_taking *t, struct gh_image **ret)
{
	struct gh_error *err = gh_image_create(ret);

	for (size_t i = 0; !err && i < t->covered.len; i++)
		err = gh_image_add_lazy(*ret, t->covered.data[i].lo,
					t->covered.data[i].hi - t->covered.data[i].lo,
					gh_taking_read_running, &t->target->pid, true);
	return err ? err : gh_image_seal(*ret);
}

/* Before it stops. False: those above cannot say what need not be copied. */
static struct gh_error *begin_sparing(struct gh_taking *t, bool *ret)
{
	const struct gh_target_spare *spare = t->options->spare;
	struct gh_error *err;

	*ret = false;
	if (!spare)
		return NULL;
	err = gh_target_open_pid(t->options, t->target->pid, /* running: */ true, &t->running);
	if (!err)
		err = spare->begin(spare->ctx, t->running);
	*ret = !err;
	if (!err || err->code == GH_ERR_CANCELLED)
		return err;
	gh_error_destroy(err);
	return NULL;
}

/* What is to be copied at this moment. */
static struct gh_error *list_wanted(struct gh_taking *t, bool is_sparing, struct gh_range_vec *ret)
{
	struct gh_image *image = NULL;
	struct gh_error *err = gh_taking_list(t);

	t->spared.len = 0;
	ret->len = 0;
	if (!err && is_sparing) {
		err = read_anew(t, &image);
		if (!err)
			err = list_spared(t, image, &t->spared);
		gh_image_destroy(image);
	}
	return err ? err : gh_ranges_subtract(&t->resident, &t->spared, ret);
}

/*
 * Room for all that will be copied, with pages behind it. That takes its time, in which the process
 * allocates what was free: again, until it does not matter any more.
 */
static struct gh_error *make_room(struct gh_taking *t, struct gh_range_vec *wanted)
{
	struct gh_range_vec had = {0}, more = {0};
	bool is_sparing;
	struct gh_error *err = begin_sparing(t, &is_sparing);

	for (int round = 0; round < MAX_ROUNDS && !err; round++) {
		err = list_wanted(t, is_sparing, wanted);
		more.len = 0;
		if (!err)
			err = gh_ranges_subtract(wanted, &had, &more);
		if (!err)
			err = check_room(t, &more, &had);
		if (!err)
			err = gh_snapshot_cover(t->target->snapshot, &t->covered);
		if (!err)
			err = gh_snapshot_populate(t->target->snapshot, &more, t->options->poll);
		if (!err && gh_ranges_bytes(&more) <= ENOUGH_BYTES)
			break;
		for (size_t i = 0; i < more.len && !err; i++)
			if (!gh_range_vec_push(&had, more.data[i]))
				err = gh_error_nomem();
		gh_ranges_arrange(&had);
	}
	gh_range_vec_deinit(&more);
	gh_range_vec_deinit(&had);
	return err;
}

/*
 * Where the kernel can tell what is written from now on, copy while it runs, and later only what
 * was written since.
 */
static struct gh_error *first_pass(struct gh_taking *t, const struct gh_range_vec *wanted)
{
	uint64_t lost = 0; // will be tried again

	if (!gh_proc_has_soft_dirty() || !gh_proc_clear_dirty(t->target->pid))
		return NULL;
	t->has_dirty = true;
	for (size_t i = 0; i < wanted->len; i++)
		if (!gh_range_vec_push(&t->early, wanted->data[i]))
			return gh_error_nomem();
	return gh_snapshot_copy(t->target->snapshot, t->target->pid, wanted, t->options->poll,
				&lost);
}

static struct gh_error *copy(struct gh_taking *t, const struct gh_range_vec *ranges)
{
	t->copied_bytes += gh_ranges_bytes(ranges);
	return gh_snapshot_copy(t->target->snapshot, t->target->pid, ranges, t->options->poll,
				&t->lost_bytes);
}

/* All but what may be spared, and what was copied before and not written since. */
static struct gh_error *copy_needed(struct gh_taking *t)
{
	struct gh_range_vec wanted = {0}, had = {0}, changed = {0};
	struct gh_error *err = gh_ranges_subtract(&t->resident, &t->spared, &wanted);

	if (!err)
		err = gh_ranges_intersect(&t->early, &t->clean, &had);
	if (!err)
		err = gh_ranges_subtract(&wanted, &had, &changed);
	if (!err)
		err = copy(t, &changed);
	gh_range_vec_deinit(&changed);
	gh_range_vec_deinit(&had);
	gh_range_vec_deinit(&wanted);
	return err;
}

/* [lo, hi) of one mapping as far as it was copied, which may be from several blocks. */
static struct gh_error *add_present(struct gh_image *image, const struct gh_snapshot *snapshot,
				    gh_addr lo, gh_addr hi, bool writable)
{
	struct gh_error *err = NULL;

	while (lo < hi && !err) {
		const struct gh_block *block = gh_snapshot_block(snapshot, lo);
		gh_addr end = block ? gh_min_u64(hi, block->hi) : hi;

		if (block)
			err = gh_image_add(image, lo, end - lo, block->host + (lo - block->lo),
					   writable);
		lo = end;
	}
	return err;
}

/* [lo, hi) of a mapping: what was copied, or never had contents; and what was left out. */
static struct gh_error *add_covered(struct gh_image *image, const struct gh_taking *t,
				    const struct gh_proc_map *map, gh_addr lo, gh_addr hi,
				    size_t *spared)
{
	const struct gh_range_vec *s = &t->spared;
	struct gh_error *err = NULL;

	while (*spared < s->len && s->data[*spared].hi <= lo)
		++*spared;
	for (size_t i = *spared; !err && i < s->len && s->data[i].lo < hi; i++) {
		gh_addr from = gh_max_u64(lo, s->data[i].lo), to = gh_min_u64(hi, s->data[i].hi);

		if (from > lo)
			err = add_present(image, t->target->snapshot, lo, from, map->writable);
		if (!err)
			err = gh_image_add_absent(image, from, to - from, GH_NOT_COPIED,
						  map->writable);
		lo = to;
	}
	return err ? err : add_present(image, t->target->snapshot, lo, hi, map->writable);
}

struct gh_error *gh_taking_add_memory(struct gh_image *image, const struct gh_taking *t)
{
	struct gh_error *err = NULL;
	size_t spared = 0, covered = 0;

	for (size_t i = 0; i < t->maps.len && !err; i++) {
		const struct gh_proc_map *map = &t->maps.data[i];
		const struct gh_range_vec *c = &t->covered;

		while (covered < c->len && c->data[covered].hi <= map->lo)
			covered++;
		for (size_t k = covered; !err && k < c->len && c->data[k].lo < map->hi; k++)
			err = add_covered(image, t, map, gh_max_u64(map->lo, c->data[k].lo),
					  gh_min_u64(map->hi, c->data[k].hi), &spared);
	}
	return err;
}

/* Only what is covered was opened: the rest of a block must not be touched. */
const void *gh_taking_at(const void *ctx, gh_addr addr, uint64_t len)
{
	const struct gh_taking *t = ctx;
	const struct gh_range *r = t->covered.data;
	const struct gh_block *block = gh_snapshot_block(t->target->snapshot, addr);
	size_t lo = 0, hi = t->covered.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (r[mid].hi <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == t->covered.len || addr < r[lo].lo || len > r[lo].hi - addr || !block ||
	    len > block->hi - addr)
		return NULL;
	return block->host + (addr - block->lo);
}

static struct gh_error *spared_by_copy(struct gh_taking *t, struct gh_range_vec *ret)
{
	struct gh_image *image;
	struct gh_error *err = gh_image_create(&image);

	if (err)
		return err;
	err = gh_taking_add_memory(image, t);
	if (!err)
		err = gh_image_seal(image);
	if (!err)
		err = list_spared(t, image, ret);
	gh_image_destroy(image);
	return err;
}

/* What was not copied has to be, unless it is still not needed. */
static struct gh_error *check_spared(struct gh_taking *t)
{
	struct gh_range_vec now = {0}, both = {0}, turned = {0}, wanted = {0};
	struct gh_error *err;

	if (t->spared.len == 0)
		return NULL;
	err = spared_by_copy(t, &now);
	if (!err)
		err = gh_ranges_intersect(&t->spared, &now, &both);
	if (!err)
		err = gh_ranges_subtract(&t->spared, &now, &turned);
	if (!err)
		err = gh_ranges_intersect(&turned, &t->resident, &wanted);
	if (!err)
		err = copy(t, &wanted);
	gh_range_vec_deinit(&wanted);
	gh_range_vec_deinit(&turned);
	gh_range_vec_deinit(&now);
	gh_range_vec_deinit(&t->spared);
	t->spared = both;
	return err;
}

/* While it stands still. */
static struct gh_error *take_still(struct gh_taking *t)
{
	struct gh_target *target = t->target;
	struct gh_error *err = gh_attach(target->pid, t->options->poll, &t->attachment);

	if (err)
		return err;
	target->has_clock = gh_proc_clock(target->pid, &target->clock_ns);
	err = gh_attached_registers(&t->attachment, target->machine, &target->threads);
	if (!err)
		err = gh_taking_list(t);
	if (!err)
		err = gh_snapshot_cover(target->snapshot, &t->covered);
	if (!err)
		err = copy_needed(t);
	return err ? err : check_spared(t);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Pages that were copied while it ran, and that it has given back since, read as zeros. */
static struct gh_error *drop_stale(struct gh_taking *t)
{
	struct gh_range_vec stale = {0};
	struct gh_error *err = gh_ranges_subtract(&t->early, &t->resident, &stale);

	if (!err)
		gh_snapshot_zero(t->target->snapshot, &stale);
	gh_range_vec_deinit(&stale);
	return err;
}

static struct gh_error *say_how_long(struct gh_taking *t, uint64_t stood_ns)
{
	struct gh_range_vec left_out = {0};
	struct gh_error *err = gh_ranges_intersect(&t->spared, &t->resident, &left_out);
	uint64_t bytes = gh_ranges_bytes(&left_out);

	gh_range_vec_deinit(&left_out);
	gh_target_note(t->target,
		       "process %u stood still for %.3f s while %llu MiB of it were copied",
		       t->target->pid, (double)stood_ns / 1e9,
		       (unsigned long long)(t->copied_bytes >> 20));
	if (t->has_dirty)
		gh_target_note(t->target, "%llu MiB were copied before, while it ran",
			       (unsigned long long)(gh_ranges_bytes(&t->early) >> 20));
	if (bytes)
		gh_target_note(t->target,
			       "%llu MiB were not copied: free, or contents without pointers, "
			       "which nobody asked for",
			       (unsigned long long)(bytes >> 20));
	if (t->lost_bytes)
		gh_target_note(t->target, "%llu bytes of process %u could not be read",
			       (unsigned long long)t->lost_bytes, t->target->pid);
	return err;
}

struct gh_error *gh_taking_take(struct gh_taking *t)
{
	struct gh_range_vec wanted = {0};
	uint64_t start;
	struct gh_error *err = make_room(t, &wanted);

	if (!err)
		err = first_pass(t, &wanted);
	gh_range_vec_deinit(&wanted);
	if (err)
		return err;
	start = now_ns();
	err = take_still(t);
	gh_detach(&t->attachment);
	start = now_ns() - start;
	if (!err)
		err = drop_stale(t);
	return err ? err : say_how_long(t, start);
}

void gh_taking_deinit(struct gh_taking *t)
{
	if (t->options->spare && t->running)
		t->options->spare->end(t->options->spare->ctx);
	gh_target_destroy(t->running);
	gh_proc_maps_deinit(&t->maps);
	gh_range_vec_deinit(&t->covered);
	gh_range_vec_deinit(&t->resident);
	gh_range_vec_deinit(&t->spared);
	gh_range_vec_deinit(&t->early);
	gh_range_vec_deinit(&t->clean);
}
