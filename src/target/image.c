// SPDX-License-Identifier: Apache-2.0
// Memory as an image: see image.h. What is added is kept as pieces; sealing resolves their overlaps
// by one sweep over addresses, moves neighbours side by side and makes the regions of them.
#include "target/image.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "base/vec.h"

enum {
	PAGE = 4096, // of the target, for what a debugger refuses
	CHUNK_PAGES = GH_IMAGE_CHUNK / PAGE,
	CHUNK_WORDS = CHUNK_PAGES / 64,
	MAP_MIN = 64 << 10,	// shorter pieces are copied: a mapping costs more
	COPY_ALWAYS = 64 << 20, // bytes that may be copied however small the files are
};

/* A range as it was added; after the sweep, the part of it that counts. */
struct piece {
	gh_addr lo, hi;
	const uint8_t *host;	    // of lo
	const struct gh_file *file; // that host lies in; NULL: not known
	gh_image_fill_fn fill;	    // lazy
	void *ctx;
	enum gh_absence absence;
	bool writable;
	uint32_t order;
};
GH_VEC(piece_vec, struct piece);
GH_VEC(region_vec, struct gh_region);

struct owned_mapping {
	void *start;
	size_t len;
};
GH_VEC(owned_vec, struct owned_mapping);

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
	struct piece_vec pieces; // until sealed
	struct region_vec regions;
	struct lazy **lazies; // owned: one a region, NULL for those that are not lazy
	struct owned_vec owned;
	uint64_t copy_budget; // bytes that sealing may still copy
	size_t last;	      // region of the last read: a hint, atomic and relaxed
};

struct gh_error *gh_image_create(struct gh_image **ret)
{
	struct gh_image *image = calloc(1, sizeof(*image));

	if (!image)
		return gh_error_nomem();
	image->copy_budget = COPY_ALWAYS;
	*ret = image;
	return NULL;
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
	for (size_t i = 0; i < image->owned.len; i++)
		munmap(image->owned.data[i].start, image->owned.data[i].len);
	free(image->lazies);
	owned_vec_deinit(&image->owned);
	region_vec_deinit(&image->regions);
	piece_vec_deinit(&image->pieces);
	free(image);
}

static struct gh_error *add(struct gh_image *image, gh_addr lo, uint64_t len, struct piece piece)
{
	if (len == 0)
		return NULL;
	piece.lo = lo;
	if (gh_add(lo, len, &piece.hi))
		piece.hi = UINT64_MAX;
	piece.order = (uint32_t)image->pieces.len;
	if (image->pieces.len == UINT32_MAX || !piece_vec_push(&image->pieces, piece))
		return gh_error_nomem();
	return NULL;
}

struct gh_error *gh_image_add(struct gh_image *image, gh_addr lo, uint64_t len, const void *host,
			      bool writable)
{
	return add(image, lo, len, (struct piece){.host = host, .writable = writable});
}

struct gh_error *gh_image_add_file(struct gh_image *image, gh_addr lo, uint64_t len,
				   const struct gh_file *file, uint64_t offset, bool writable)
{
	return add(
		image, lo, len,
		(struct piece){.host = file->bytes + offset, .file = file, .writable = writable});
}

struct gh_error *gh_image_add_absent(struct gh_image *image, gh_addr lo, uint64_t len,
				     enum gh_absence why, bool writable)
{
	return add(image, lo, len, (struct piece){.absence = why, .writable = writable});
}

struct gh_error *gh_image_add_lazy(struct gh_image *image, gh_addr lo, uint64_t len,
				   gh_image_fill_fn fill, void *ctx, bool writable)
{
	return add(image, lo, len, (struct piece){.fill = fill, .ctx = ctx, .writable = writable});
}

/* ---- the sweep ---- */

static bool is_better(const struct piece *a, const struct piece *b)
{
	bool absent_a = a->absence != GH_PRESENT, absent_b = b->absence != GH_PRESENT;

	return absent_a != absent_b ? absent_b : a->order < b->order;
}

static int compare_lo(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Pieces that may cover the place of the sweep: a heap, the best one first. */
struct active {
	const struct piece **heap;
	size_t n;
};

static void active_push(struct active *a, const struct piece *piece)
{
	size_t i = a->n++;

	while (i && is_better(piece, a->heap[(i - 1) / 2])) {
		a->heap[i] = a->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	a->heap[i] = piece;
}

static void active_pop(struct active *a)
{
	const struct piece *last = a->heap[--a->n];
	size_t i = 0, child;

	while ((child = i * 2 + 1) < a->n) {
		if (child + 1 < a->n && is_better(a->heap[child + 1], a->heap[child]))
			child++;
		if (!is_better(a->heap[child], last))
			break;
		a->heap[i] = a->heap[child];
		i = child;
	}
	if (a->n)
		a->heap[i] = last;
}

/* [lo, hi) of a piece, joined to the last one where that is the same piece going on. */
static bool emit(struct piece_vec *out, const struct piece *from, gh_addr lo, gh_addr hi)
{
	struct piece part = *from;

	if (out->len && out->data[out->len - 1].order == from->order &&
	    out->data[out->len - 1].hi == lo) {
		out->data[out->len - 1].hi = hi;
		return true;
	}
	if (part.host)
		part.host += lo - part.lo;
	part.lo = lo;
	part.hi = hi;
	return piece_vec_push(out, part);
}

/* Replace the pieces by parts that are sorted and do not overlap. */
static bool resolve(struct gh_image *image)
{
	struct piece_vec *in = &image->pieces, out = {0};
	struct active active = {.heap = gh_alloc_array(in->len, sizeof(*active.heap))};
	bool ok = active.heap != NULL;
	gh_addr at = 0;
	size_t next = 0;

	if (in->len)
		qsort(in->data, in->len, sizeof(*in->data), compare_lo);
	while (ok && (next < in->len || active.n)) {
		gh_addr end;

		if (active.n && active.heap[0]->hi <= at) {
			active_pop(&active);
			continue;
		}
		if (!active.n && next < in->len)
			at = gh_max_u64(at, in->data[next].lo);
		while (next < in->len && in->data[next].lo <= at)
			active_push(&active, &in->data[next++]);
		if (!active.n || active.heap[0]->hi <= at)
			continue;
		end = active.heap[0]->hi;
		if (next < in->len)
			end = gh_min_u64(end, in->data[next].lo);
		ok = emit(&out, active.heap[0], at, end);
		at = end;
	}
	free(active.heap);
	piece_vec_deinit(in);
	*in = out;
	return ok;
}

/* ---- side by side ---- */

static bool is_present(const struct piece *p)
{
	return p->absence == GH_PRESENT && !p->fill;
}

/* Do the local bytes of b follow those of a? */
static bool follows(const struct piece *a, const struct piece *b)
{
	return a->hi == b->lo && a->host && b->host && a->host + (a->hi - a->lo) == b->host;
}

static bool keep_mapping(struct gh_image *image, void *start, uint64_t len)
{
	if (owned_vec_push(&image->owned, (struct owned_mapping){start, len}))
		return true;
	munmap(start, len);
	return false;
}

/* Address space without memory behind it, until something is written there. NULL: refused. */
static uint8_t *reserve(struct gh_image *image, uint64_t len)
{
	void *p;

	if (len == 0 || len > SIZE_MAX / 2)
		return NULL;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		 0);
	return p != MAP_FAILED && keep_mapping(image, p, len) ? p : NULL;
}

static uint64_t file_offset(const struct piece *p)
{
	return (uint64_t)(p->host - p->file->bytes);
}

/* Can pages of its file stand at `to`? */
static bool is_mappable(const struct piece *p, const uint8_t *to, uint64_t page)
{
	return p->file && p->file->mapped && p->hi - p->lo >= MAP_MIN &&
	       ((uintptr_t)to - file_offset(p)) % page == 0;
}

static bool copy(struct gh_image *image, uint8_t *to, const uint8_t *from, uint64_t len)
{
	if (len > image->copy_budget)
		return false;
	image->copy_budget -= len;
	memcpy(to, from, len);
	return true;
}

/* Whole pages are mapped, the ends copied. */
static bool place(struct gh_image *image, const struct piece *p, uint8_t *to, uint64_t page)
{
	uint64_t len = p->hi - p->lo, head, body;

	if (!is_mappable(p, to, page))
		return copy(image, to, p->host, len);
	head = gh_align_up((uintptr_t)to, page) - (uintptr_t)to;
	body = (len - head) & ~(page - 1);
	if (body == 0)
		return copy(image, to, p->host, len);
	if (mmap(to + head, body, PROT_READ, MAP_PRIVATE | MAP_FIXED, p->file->fd,
		 (off_t)(file_offset(p) + head)) == MAP_FAILED)
		return false;
	return copy(image, to, p->host, head) &&
	       copy(image, to + head + body, p->host + head + body, len - head - body);
}

/* Where in a page the run has to begin for its largest piece to be mappable. */
static uint64_t phase_of(const struct piece *run, size_t n, uint64_t page)
{
	uint64_t best = 0, phase = 0;

	for (size_t i = 0; i < n; i++) {
		const struct piece *p = &run[i];

		if (!p->file || !p->file->mapped || p->hi - p->lo <= best)
			continue;
		best = p->hi - p->lo;
		phase = (file_offset(p) - (p->lo - run[0].lo)) & (page - 1);
	}
	return phase;
}

/* Bytes that moving the run would copy, but for the ends of pages; saturates. */
static uint64_t copy_cost(const struct piece *run, size_t n, uint64_t phase, uint64_t page)
{
	uint64_t cost = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t at = phase + (run[i].lo - run[0].lo);

		if (!is_mappable(&run[i], (const uint8_t *)(uintptr_t)at, page) &&
		    gh_add(cost, run[i].hi - run[i].lo, &cost))
			return UINT64_MAX;
	}
	return cost;
}

/* Give n pieces without holes between them one local range. Refusals leave them as they were. */
static void join_run(struct gh_image *image, struct piece *run, size_t n)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), phase = phase_of(run, n, page);
	uint64_t len = run[n - 1].hi - run[0].lo, budget = image->copy_budget, span;
	uint8_t *base = NULL;
	size_t done = 0;

	if (copy_cost(run, n, phase, page) <= budget && !gh_add(len, page * 2, &span))
		base = reserve(image, span);
	if (base) {
		base += phase;
		while (done < n &&
		       place(image, &run[done], base + (run[done].lo - run[0].lo), page))
			done++;
	}
	for (size_t i = 0; i < n && base && done == n; i++) {
		run[i].host = base + (run[i].lo - run[0].lo);
		run[i].file = NULL;
	}
	if (base && done < n) {
		struct owned_mapping *last = &image->owned.data[--image->owned.len];

		munmap(last->start, last->len);
		image->copy_budget = budget;
	}
}

/* Pieces [i, end) that lie side by side in the target and are present. */
static size_t run_end(const struct piece_vec *pieces, size_t i, bool *apart_ret)
{
	const struct piece *p = pieces->data;

	*apart_ret = false;
	for (i++; i < pieces->len && is_present(&p[i]) && p[i].lo == p[i - 1].hi; i++)
		*apart_ret |= !follows(&p[i - 1], &p[i]);
	return i;
}

static void join_all(struct gh_image *image)
{
	struct piece_vec *pieces = &image->pieces;

	for (size_t i = 0; i < pieces->len;) {
		bool apart;
		size_t end;

		if (!is_present(&pieces->data[i])) {
			i++;
			continue;
		}
		end = run_end(pieces, i, &apart);
		if (apart)
			join_run(image, &pieces->data[i], end - i);
		i = end;
	}
}

/* ---- regions ---- */

static struct lazy *lazy_create(const struct gh_region *region, const struct piece *piece)
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
static bool continues(const struct gh_region *region, const struct piece *last,
		      const struct piece *piece)
{
	if (region->hi != piece->lo || region->writable != piece->writable ||
	    region->absence != piece->absence || region->lazy != (piece->fill != NULL))
		return false;
	if (piece->fill)
		return last->fill == piece->fill && last->ctx == piece->ctx;
	return piece->absence != GH_PRESENT || follows(last, piece);
}

static bool make_regions(struct gh_image *image)
{
	struct region_vec *regions = &image->regions;

	for (size_t i = 0; i < image->pieces.len; i++) {
		const struct piece *p = &image->pieces.data[i];
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

static const struct piece *piece_at(const struct gh_image *image, gh_addr addr)
{
	const struct piece *p = image->pieces.data;
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
		base = reserve(image, r[end - 1].hi - r[i].lo);
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

/* What is added once may be copied once: more is a file that names the same bytes over and over. */
static void set_budget(struct gh_image *image)
{
	const struct gh_file *last = NULL;

	for (size_t i = 0; i < image->pieces.len; i++) {
		const struct gh_file *file = image->pieces.data[i].file;

		if (file && file != last &&
		    gh_add(image->copy_budget, file->size, &image->copy_budget))
			image->copy_budget = UINT64_MAX;
		last = file;
	}
}

struct gh_error *gh_image_seal(struct gh_image *image)
{
	set_budget(image);
	if (!resolve(image))
		return gh_error_nomem();
	join_all(image);
	if (!make_regions(image) || !reserve_lazy(image))
		return gh_error_nomem();
	find_runs(image);
	piece_vec_deinit(&image->pieces);
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
	}
	return "not readable";
}

const struct gh_region *gh_image_regions(const struct gh_image *image, size_t *n_ret)
{
	*n_ret = image->regions.len;
	return image->regions.data;
}
