// SPDX-License-Identifier: Apache-2.0
// Memory as an image: see image.h. What is added is kept as pieces (pieces.h); sealing makes
// regions of them.
#include "target/image.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "target/pieces.h"

enum {
	PAGE = 4096, // of the target, for what a debugger refuses
	CHUNK_PAGES = GH_IMAGE_CHUNK / PAGE,
	CHUNK_WORDS = CHUNK_PAGES / 64,
};

GH_VEC(region_vec, struct gh_region);

enum chunk_state { CHUNK_UNTOUCHED, CHUNK_FULL, CHUNK_PARTIAL };

/* The filling of one lazy region. */
struct lazy {
	gh_image_fill_fn fill;
	void *ctx;
	uint8_t *state;	     // owned: enum chunk_state a chunk
	uint64_t **readable; // owned, and its members: a bit a page, for partial chunks
	size_t nchunks;
};

struct gh_image {
	struct gh_piece_vec pieces; // until sealed
	struct region_vec regions;
	struct lazy **lazies;  // owned: one a region, NULL for those that are not lazy
	struct gh_space space; // local ranges made for regions
	size_t last;	       // region of the last read: a hint, atomic and relaxed
};

struct gh_error *gh_image_create(struct gh_image **ret)
{
	struct gh_image *image = calloc(1, sizeof(*image));

	if (!image)
		return gh_error_nomem();
	*ret = image;
	return NULL;
}

void gh_image_set_budget(struct gh_image *image, struct gh_budget *budget)
{
	image->space.budget = budget;
}

static void lazy_destroy(struct lazy *lazy)
{
	if (!lazy)
		return;
	for (size_t i = 0; lazy->readable && i < lazy->nchunks; i++)
		free(lazy->readable[i]);
	free(lazy->readable);
	free(lazy->state);
	free(lazy);
}

void gh_image_destroy(struct gh_image *image)
{
	if (!image)
		return;
	for (size_t i = 0; image->lazies && i < image->regions.len; i++)
		lazy_destroy(image->lazies[i]);
	free(image->lazies);
	gh_space_deinit(&image->space);
	region_vec_deinit(&image->regions);
	gh_piece_vec_deinit(&image->pieces);
	free(image);
}

static struct gh_error *add(struct gh_image *image, gh_addr lo, uint64_t len, struct gh_piece piece)
{
	if (len == 0)
		return NULL;
	piece.lo = lo;
	if (gh_add(lo, len, &piece.hi))
		piece.hi = UINT64_MAX;
	piece.order = (uint32_t)image->pieces.len;
	if (image->pieces.len == UINT32_MAX || !gh_piece_vec_push(&image->pieces, piece))
		return gh_error_nomem();
	return NULL;
}

struct gh_error *gh_image_add(struct gh_image *image, gh_addr lo, uint64_t len, const void *host,
			      bool writable)
{
	return add(image, lo, len, (struct gh_piece){.host = host, .writable = writable});
}

struct gh_error *gh_image_add_file(struct gh_image *image, gh_addr lo, uint64_t len,
				   const struct gh_file *file, uint64_t offset, bool writable)
{
	return add(image, lo, len,
		   (struct gh_piece){
			   .host = file->bytes + offset, .file = file, .writable = writable});
}

struct gh_error *gh_image_add_absent(struct gh_image *image, gh_addr lo, uint64_t len,
				     enum gh_absence why, bool writable)
{
	return add(image, lo, len, (struct gh_piece){.absence = why, .writable = writable});
}

struct gh_error *gh_image_add_lazy(struct gh_image *image, gh_addr lo, uint64_t len,
				   gh_image_fill_fn fill, void *ctx, bool writable)
{
	return add(image, lo, len,
		   (struct gh_piece){.fill = fill, .ctx = ctx, .writable = writable});
}

/* ---- regions ---- */

static struct lazy *lazy_create(const struct gh_region *region, const struct gh_piece *piece)
{
	struct lazy *lazy = calloc(1, sizeof(*lazy));

	if (!lazy)
		return NULL;
	lazy->fill = piece->fill;
	lazy->ctx = piece->ctx;
	lazy->nchunks = (size_t)((region->hi - region->lo - 1) / GH_IMAGE_CHUNK + 1);
	lazy->state = gh_alloc_array(lazy->nchunks, 1);
	lazy->readable = gh_alloc_array(lazy->nchunks, sizeof(*lazy->readable));
	if (lazy->state && lazy->readable)
		return lazy;
	lazy_destroy(lazy);
	return NULL;
}

/* Can the piece go on where the region ends, as part of it? */
static bool continues(const struct gh_region *region, const struct gh_piece *last,
		      const struct gh_piece *piece)
{
	if (region->hi != piece->lo || region->writable != piece->writable ||
	    region->absence != piece->absence || region->lazy != (piece->fill != NULL))
		return false;
	if (piece->fill)
		return last->fill == piece->fill && last->ctx == piece->ctx;
	return piece->absence != GH_PRESENT || gh_piece_follows(last, piece);
}

static bool make_regions(struct gh_image *image)
{
	struct region_vec *regions = &image->regions;

	for (size_t i = 0; i < image->pieces.len; i++) {
		const struct gh_piece *p = &image->pieces.data[i];
		struct gh_region region = {.lo = p->lo,
					   .hi = p->hi,
					   .host = p->host,
					   .absence = p->absence,
					   .lazy = p->fill != NULL,
					   .writable = p->writable};

		if (regions->len && continues(&regions->data[regions->len - 1], p - 1, p))
			regions->data[regions->len - 1].hi = p->hi;
		else if (!region_vec_push(regions, region))
			return false;
	}
	return true;
}

static const struct gh_piece *piece_at(const struct gh_image *image, gh_addr addr)
{
	const struct gh_piece *p = image->pieces.data;
	size_t lo = 0, hi = image->pieces.len;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (p[mid].lo <= addr)
			lo = mid;
		else
			hi = mid;
	}
	return &p[lo];
}

/* Lazy regions side by side share one reservation, so that reads go across. */
static bool reserve_lazy(struct gh_image *image)
{
	struct gh_region *r = image->regions.data;
	size_t n = image->regions.len, end;

	image->lazies = gh_alloc_array(n, sizeof(*image->lazies));
	if (!image->lazies)
		return false;
	for (size_t i = 0; i < n; i = end) {
		const uint8_t *base;

		for (end = i + 1;
		     end < n && r[i].lazy && r[end].lazy && r[end].lo == r[end - 1].hi;)
			end++;
		if (!r[i].lazy)
			continue;
		base = gh_space_reserve(&image->space, r[end - 1].hi - r[i].lo);
		for (size_t k = i; k < end; k++) {
			if (base)
				image->lazies[k] = lazy_create(&r[k], piece_at(image, r[k].lo));
			if (image->lazies[k]) {
				r[k].host = base + (r[k].lo - r[i].lo);
			} else {
				r[k].lazy = false;
				r[k].absence = GH_UNREADABLE;
			}
		}
	}
	return true;
}

static void find_runs(struct gh_image *image)
{
	struct gh_region *r = image->regions.data;

	for (size_t i = image->regions.len; i-- > 0;) {
		bool goes_on = i + 1 < image->regions.len && r[i].hi == r[i + 1].lo && r[i].host &&
			       r[i + 1].host && r[i].lazy == r[i + 1].lazy &&
			       r[i].host + (r[i].hi - r[i].lo) == r[i + 1].host;

		r[i].run_hi = goes_on ? r[i + 1].run_hi : r[i].hi;
	}
}

struct gh_error *gh_image_seal(struct gh_image *image)
{
	gh_space_set_budget(&image->space, &image->pieces);
	if (!gh_pieces_resolve(&image->pieces))
		return gh_error_nomem();
	gh_pieces_join(&image->pieces, &image->space);
	if (!make_regions(image) || !reserve_lazy(image))
		return gh_error_nomem();
	find_runs(image);
	gh_piece_vec_deinit(&image->pieces);
	return NULL;
}

/* ---- reads ---- */

const struct gh_region *gh_image_region(const struct gh_image *image, gh_addr addr)
{
	const struct gh_region *r = image->regions.data;
	size_t lo = 0, hi = image->regions.len, last;

	last = __atomic_load_n(&image->last, __ATOMIC_RELAXED);
	if (last < hi && addr >= r[last].lo && addr < r[last].hi)
		return &r[last];
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (r[mid].lo <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0 || addr >= r[lo - 1].hi)
		return NULL;
	// images come from gh_image_create only, so the object itself is never const
	__atomic_store_n(&((struct gh_image *)(uintptr_t)image)->last, lo - 1, __ATOMIC_RELAXED);
	return &r[lo - 1];
}

/* Page by page, after the whole chunk was refused. */
static void fill_pages(struct lazy *lazy, size_t chunk, gh_addr addr, uint8_t *to, uint64_t len)
{
	uint64_t *bits = gh_alloc_array(CHUNK_WORDS, sizeof(*bits));
	uint64_t n = 0;

	// without bits nothing of the chunk counts as readable
	for (uint64_t at = 0; bits && at < len; at += PAGE, n++)
		if (lazy->fill(lazy->ctx, addr + at, to + at, gh_min_u64(PAGE, len - at)))
			gh_bitmap_set(bits, n);
	lazy->readable[chunk] = bits;
	lazy->state[chunk] = CHUNK_PARTIAL;
}

static void fill_chunk(const struct gh_region *region, struct lazy *lazy, size_t chunk)
{
	uint64_t skip = (uint64_t)chunk * GH_IMAGE_CHUNK;
	uint64_t len = gh_min_u64(GH_IMAGE_CHUNK, region->hi - region->lo - skip);
	uint8_t *to = (uint8_t *)(uintptr_t)region->host + skip; // our own reservation

	if (lazy->fill(lazy->ctx, region->lo + skip, to, len))
		lazy->state[chunk] = CHUNK_FULL;
	else
		fill_pages(lazy, chunk, region->lo + skip, to, len);
}

/* Readable bytes of a partial chunk from `skip` (below len) on. */
static uint64_t readable_pages(const uint64_t *bits, uint64_t skip, uint64_t len)
{
	uint64_t at = skip;

	while (bits && at < len && gh_bitmap_test(bits, at / PAGE))
		at = (at / PAGE + 1) * PAGE;
	return gh_min_u64(at, len) - skip;
}

/* Bytes readable from addr on within the region, up to max; fills what was not touched before. */
static uint64_t lazy_readable(const struct gh_image *image, const struct gh_region *region,
			      gh_addr addr, uint64_t max)
{
	struct lazy *lazy = image->lazies[region - image->regions.data];
	uint64_t done = 0;

	max = gh_min_u64(max, region->hi - addr);
	while (done < max) {
		uint64_t skip = addr + done - region->lo;
		size_t chunk = (size_t)(skip / GH_IMAGE_CHUNK);
		uint64_t start = (uint64_t)chunk * GH_IMAGE_CHUNK, n;
		uint64_t len = gh_min_u64(GH_IMAGE_CHUNK, region->hi - region->lo - start);

		if (lazy->state[chunk] == CHUNK_UNTOUCHED)
			fill_chunk(region, lazy, chunk);
		n = len - (skip - start);
		if (lazy->state[chunk] == CHUNK_PARTIAL)
			n = readable_pages(lazy->readable[chunk], skip - start, len);
		done += n;
		if (n < len - (skip - start))
			break;
	}
	return gh_min_u64(done, max);
}

uint64_t gh_image_readable(const struct gh_image *image, gh_addr addr, uint64_t max)
{
	const struct gh_region *region = gh_image_region(image, addr);
	uint64_t done = 0;

	if (!region || !region->host)
		return 0;
	max = gh_min_u64(max, region->run_hi - addr);
	if (!region->lazy)
		return max;
	while (done < max) {
		uint64_t part = gh_min_u64(max - done, region->hi - (addr + done));
		uint64_t n = lazy_readable(image, region, addr + done, part);

		done += n;
		if (n < part)
			break;
		region++; // of the same run, as done < run_hi
	}
	return done;
}

const void *gh_image_at(const struct gh_image *image, gh_addr addr, uint64_t len)
{
	const struct gh_region *region = gh_image_region(image, addr);

	if (!region || !region->host || len > region->run_hi - addr)
		return NULL;
	if (region->lazy && gh_image_readable(image, addr, len) < len)
		return NULL;
	return region->host + (addr - region->lo);
}

enum gh_absence gh_image_absence(const struct gh_image *image, gh_addr addr, uint64_t len)
{
	gh_addr end;

	if (gh_image_at(image, addr, len))
		return GH_PRESENT;
	if (gh_add(addr, len, &end))
		return GH_UNMAPPED;
	do {
		const struct gh_region *region = gh_image_region(image, addr);

		if (!region)
			return GH_UNMAPPED;
		if (!region->host)
			return region->absence;
		if (region->lazy && gh_image_readable(image, addr, end - addr) <
					    gh_min_u64(end, region->run_hi) - addr)
			return GH_UNREADABLE;
		addr = region->run_hi;
	} while (addr < end);
	return GH_UNREADABLE; // all there, but in ranges that could not be joined
}

const char *gh_absence_text(enum gh_absence why)
{
	switch (why) {
	case GH_PRESENT:
		return "present";
	case GH_UNMAPPED:
		return "not mapped";
	case GH_NOT_IN_CORE:
		return "not in the core";
	case GH_TRUNCATED:
		return "beyond the end of the truncated core";
	case GH_UNREADABLE:
		return "not readable";
	case GH_NOT_COPIED:
		return "left out of the copy of the process";
	}
	return "not readable";
}

const struct gh_region *gh_image_regions(const struct gh_image *image, size_t *n_ret)
{
	*n_ret = image->regions.len;
	return image->regions.data;
}
