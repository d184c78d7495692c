// SPDX-License-Identifier: Apache-2.0
// See spare.h.
#include "goruntime/spare.h"

#include "goruntime/arena.h"

enum {
	MAX_ARENAS = 1 << 22,
	MAX_SLOTS = 64, // of GH_PAGE_BYTES and more; no span of a class has so many
};

static struct gh_error *begin(void *ctx, const struct gh_target *running)
{
	struct gh_spare *spare = ctx;

	return gh_runtime_open(running, spare->poll, &spare->rt);
}

static void end(void *ctx)
{
	struct gh_spare *spare = ctx;

	gh_runtime_destroy(spare->rt);
	spare->rt = NULL;
}

static gh_addr end_of(const struct gh_span_extent *span)
{
	return span->base + (span->npages << GH_PAGE_SHIFT);
}

/* The arenas of the heap: a list of indexes (runtime/mheap.go, arenaIdx: uint). */
static struct gh_error *list_arenas(const struct gh_runtime *rt, struct gh_range_vec *ret)
{
	struct gh_slice list;

	if (!gh_has(&rt->layout, GH_F_mheap_heapArenas) ||
	    !gh_read_slice(rt->image,
			   rt->var[GH_V_mheap_] +
				   (uint64_t)rt->layout.offset[GH_F_mheap_heapArenas],
			   &list))
		return NULL;
	for (uint64_t i = 0; i < list.len && i < MAX_ARENAS; i++) {
		struct gh_range arena;
		uint64_t index;

		if (!gh_read_u64(rt->image, list.data + i * 8, &index))
			continue;
		arena.lo = gh_heap_arena_base(rt) + (index << GH_ARENA_SHIFT);
		arena.hi = arena.lo + GH_ARENA_BYTES;
		if (arena.lo && arena.lo < arena.hi && !gh_range_vec_push(ret, arena))
			return gh_error_nomem();
	}
	gh_ranges_arrange(ret);
	return NULL;
}

/* Pages of the heap that no span holds. used: in any order, and arranged here. */
static struct gh_error *list_free(const struct gh_runtime *rt, struct gh_range_vec *used,
				  struct gh_range_vec *ret)
{
	struct gh_range_vec arenas = {0};
	struct gh_error *err = list_arenas(rt, &arenas);

	gh_ranges_arrange(used);
	if (!err)
		err = gh_ranges_subtract(&arenas, used, ret);
	gh_range_vec_deinit(&arenas);
	return err;
}

/* All but where channels would begin: of slots that may hold a whole page more than that. */
static bool add_behind_channels(const struct gh_span_extent *span, struct gh_range_vec *ret)
{
	gh_addr hi = end_of(span);
	bool ok = true;

	if (span->elem_bytes < GH_PAGE_BYTES || (hi - span->base) / span->elem_bytes > MAX_SLOTS)
		return true;
	for (gh_addr slot = span->base; ok && hi - slot >= span->elem_bytes;
	     slot += span->elem_bytes)
		ok = gh_range_vec_push(ret, (struct gh_range){slot + GH_SPARE_CHANNEL,
							      slot + span->elem_bytes});
	return ok;
}

/* A span's part that nobody reads: all of it but for marks at its end. */
static bool add_noscan(const struct gh_spare *spare, const struct gh_runtime *rt,
		       const struct gh_span_extent *span, struct gh_range_vec *ret)
{
	bool is_noscan = !span->is_manual && (span->spanclass & 1);
	gh_addr hi = end_of(span);

	if (!is_noscan || span->elem_bytes <= GH_SPARE_MIN_ELEM)
		return true;
	if (spare->needs_channels)
		return add_behind_channels(span, ret);
	if (gh_span_marks_inline(rt, span->base, span->elem_bytes))
		hi -= GH_INLINE_MARK_BYTES;
	return gh_range_vec_push(ret, (struct gh_range){span->base, hi});
}

static struct gh_error *list_of(const struct gh_spare *spare, const struct gh_runtime *rt,
				const struct gh_span_extent_vec *spans, struct gh_range_vec *ret)
{
	struct gh_range_vec used = {0}, free_pages = {0};
	struct gh_error *err = NULL;

	for (size_t i = 0; i < spans->len && !err; i++) {
		const struct gh_span_extent *span = &spans->data[i];

		if (end_of(span) <= span->base)
			continue;
		if (!gh_range_vec_push(&used, (struct gh_range){span->base, end_of(span)}) ||
		    !add_noscan(spare, rt, span, ret))
			err = gh_error_nomem();
	}
	if (!err)
		err = list_free(rt, &used, &free_pages);
	for (size_t i = 0; i < free_pages.len && !err; i++)
		if (!gh_range_vec_push(ret, free_pages.data[i]))
			err = gh_error_nomem();
	gh_range_vec_deinit(&free_pages);
	gh_range_vec_deinit(&used);
	gh_ranges_arrange(ret);
	return err;
}

static struct gh_error *list(void *ctx, const struct gh_image *memory, struct gh_range_vec *ret)
{
	const struct gh_spare *spare = ctx;
	struct gh_span_extent_vec spans = {0};
	struct gh_runtime rt = *spare->rt; // the same process, other bytes
	struct gh_error *err;

	rt.image = memory;
	err = gh_span_extents(&rt, &spans);
	if (!err)
		err = list_of(spare, &rt, &spans, ret);
	gh_span_extent_vec_deinit(&spans);
	return err;
}

struct gh_target_spare gh_spare_callbacks(struct gh_spare *spare)
{
	return (struct gh_target_spare){.begin = begin, .list = list, .end = end, .ctx = spare};
}
