// SPDX-License-Identifier: Apache-2.0
// Building the page table. See heap.h.
#include "graph/heap.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/bitmap.h"
#include "base/cleanup.h"
#include "base/vec.h"

/* Reserved, zero, and committed only where it is written: the heap may be sparse. */
static void *reserve(size_t bytes)
{
	void *p = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* What is written of the page table, and the arrays beside it. */
static uint64_t index_bytes(const struct gh_heap *heap, uint64_t narenas)
{
	uint64_t pages =
		gh_min_u64(heap->pages_bytes, heap->table.heap_pages * sizeof(*heap->pages) * 2);

	return pages + narenas * sizeof(*heap->delta) +
	       gh_bitmap_words(heap->table.nslots) * sizeof(uint64_t);
}

static struct gh_error *allocate(struct gh_heap *heap)
{
	const struct gh_span_vec *spans = &heap->table.spans;
	const struct gh_span *last = &spans->data[spans->len - 1];
	uint64_t narenas;

	heap->lo = spans->data[0].base & ~(uint64_t)(GH_ARENA_BYTES - 1);
	heap->hi = gh_align_up(last->base + gh_span_bytes(last), GH_ARENA_BYTES);
	narenas = (heap->hi - heap->lo) >> GH_ARENA_SHIFT;
	heap->pages_bytes = ((heap->hi - heap->lo) >> GH_PAGE_SHIFT) * sizeof(*heap->pages);
	heap->pages = reserve(heap->pages_bytes);
	if (!heap->pages)
		return gh_error_create(GH_ERR_LIMIT,
				       "cannot map the heap: it spreads over %llu GiB: the span "
				       "tables are probably damaged",
				       (unsigned long long)((heap->hi - heap->lo) >> 30));
	if (!gh_budget_take(gh_runtime_budget(heap->rt), index_bytes(heap, narenas),
			    "the tables of the heap's pages and slots"))
		return gh_error_nomem();
	heap->delta = gh_alloc_array(narenas, sizeof(*heap->delta));
	heap->allocated = gh_alloc_array(gh_bitmap_words(heap->table.nslots), 8);
	if (!heap->delta || !heap->allocated)
		return gh_error_nomem();
	return NULL;
}

/* Copy the heap pages of an arena to the place that is its own. */
static void copy_arena(struct gh_heap *heap, uint64_t arena, uint8_t *to)
{
	uint64_t from = arena << GH_ARENA_SHIFT;

	for (uint64_t at = from; at < from + GH_ARENA_BYTES; at += GH_PAGE_BYTES) {
		const struct gh_page *page = gh_heap_page(heap, heap->lo + at);
		const void *p = page && !page->is_lost
					? gh_image_at(heap->rt->image, heap->lo + at, GH_PAGE_BYTES)
					: NULL;

		if (p)
			memcpy(to + (at - from), p, GH_PAGE_BYTES);
	}
	heap->delta[arena] = (int64_t)((uint64_t)(uintptr_t)to - (heap->lo + from));
}

static void enter_span(struct gh_heap *heap, const struct gh_span *span)
{
	for (uint32_t i = 0; i < span->npages; i++) {
		gh_addr at = span->base + ((uint64_t)i << GH_PAGE_SHIFT);

		heap->pages[(at - heap->lo) >> GH_PAGE_SHIFT] = (struct gh_page){
			.slot0 = (uint32_t)span->slot0,
			.class = span->spanclass,
			.index = i,
			.is_heap = 1,
			.is_lost = span->host == NULL,
		};
	}
}

enum arena_state { ARENA_EMPTY, ARENA_WHOLE, ARENA_APART };

static void arenas_of(const struct gh_heap *heap, const struct gh_span *span, uint64_t *first_ret,
		      uint64_t *last_ret)
{
	*first_ret = (span->base - heap->lo) >> GH_ARENA_SHIFT;
	*last_ret = (span->base + gh_span_bytes(span) - 1 - heap->lo) >> GH_ARENA_SHIFT;
}

static void note_distance(struct gh_heap *heap, const struct gh_span *span, uint8_t *state)
{
	int64_t delta = (int64_t)((uint64_t)(uintptr_t)span->host - span->base);
	uint64_t first, last;

	arenas_of(heap, span, &first, &last);
	for (uint64_t a = first; a <= last; a++) {
		if (state[a] == ARENA_EMPTY)
			state[a] = ARENA_WHOLE;
		else if (heap->delta[a] != delta)
			state[a] = ARENA_APART;
		heap->delta[a] = delta;
	}
}

/* An arena that shares a span with one apart is apart too: a span stays in one piece. */
static bool spread_apart(const struct gh_heap *heap, uint8_t *state)
{
	bool changed = false;

	for (size_t i = 0; i < heap->table.spans.len; i++) {
		uint64_t first, last;

		arenas_of(heap, &heap->table.spans.data[i], &first, &last);
		for (uint64_t a = first; a < last; a++)
			if ((state[a] == ARENA_APART) != (state[a + 1] == ARENA_APART)) {
				state[a] = state[a + 1] = ARENA_APART;
				changed = true;
			}
	}
	return changed;
}

/*
 * Give each arena one local distance. Where the bytes of an arena lie apart locally (mappings that
 * are neighbours in the process but not in the file), copy it; rare, and only what is apart.
 */
static struct gh_error *place_arenas(struct gh_heap *heap)
{
	uint64_t narenas = (heap->hi - heap->lo) >> GH_ARENA_SHIFT, napart = 0;
	_cleanup_free_ uint8_t *state = gh_alloc_array(narenas, 1);

	if (!state)
		return gh_error_nomem();
	for (size_t i = 0; i < heap->table.spans.len; i++)
		if (heap->table.spans.data[i].host)
			note_distance(heap, &heap->table.spans.data[i], state);
	if (!memchr(state, ARENA_APART, narenas))
		return NULL;
	while (spread_apart(heap, state))
		;
	for (uint64_t a = 0; a < narenas; a++)
		napart += state[a] == ARENA_APART;
	if (!gh_budget_take(
		    gh_runtime_budget(heap->rt),
		    gh_min_u64(napart * GH_ARENA_BYTES, heap->table.heap_pages * GH_PAGE_BYTES),
		    "a copy of the heap, whose bytes lie apart in the core"))
		return gh_error_nomem();
	heap->copy_bytes = napart << GH_ARENA_SHIFT;
	heap->copy = reserve(heap->copy_bytes);
	if (!heap->copy)
		return gh_error_nomem();
	// neighbours stay neighbours; user arenas may lie 64 TiB from the rest
	for (uint64_t a = 0, n = 0; a < narenas; a++)
		if (state[a] == ARENA_APART)
			copy_arena(heap, a, heap->copy + (n++ << GH_ARENA_SHIFT));
	return NULL;
}

/* Place the span's bits at its first slot in the bitmap of all slots. */
static void merge_bits(uint64_t *all, uint64_t slot0, const uint64_t *bits, uint32_t n)
{
	uint64_t shift = slot0 % 64, at = slot0 / 64;

	for (uint32_t i = 0; i < gh_bitmap_words(n); i++) {
		all[at + i] |= bits[i] << shift;
		if (shift && bits[i] >> (64 - shift))
			all[at + i + 1] |= bits[i] >> (64 - shift);
	}
}

static struct gh_error *read_allocation(struct gh_heap *heap)
{
	uint64_t bits[GH_PAGE_BYTES / 64]; // more slots than any class has
	enum { MAX_SLOTS = sizeof(bits) * 8 };

	for (size_t i = 0; i < heap->table.spans.len; i++) {
		const struct gh_span *span = &heap->table.spans.data[i];
		size_t nwords = gh_bitmap_words(span->nelems);

		if (span->nelems > MAX_SLOTS || !gh_span_handed_out(heap->rt, span, bits)) {
			heap->bits_lost++;
			continue;
		}
		for (size_t w = 0; w < nwords; w++)
			heap->handed_out += (uint64_t)__builtin_popcountll(bits[w]);
		if (!gh_span_allocated(heap->rt, span, bits)) {
			heap->bits_lost++;
			continue;
		}
		for (size_t w = 0; w < nwords; w++)
			heap->nallocated += (uint64_t)__builtin_popcountll(bits[w]);
		merge_bits(heap->allocated, span->slot0, bits, span->nelems);
	}
	return NULL;
}

struct gh_error *gh_heap_load(const struct gh_runtime *rt, const struct gh_poll *poll,
			      struct gh_heap **ret)
{
	struct gh_heap *heap = calloc(1, sizeof(*heap));
	struct gh_error *err;

	if (!heap)
		return gh_error_nomem();
	heap->rt = rt;
	err = gh_span_table_load(rt, poll, &heap->table);
	if (!err && (heap->table.spans.len == 0 || heap->table.nslots > UINT32_MAX))
		err = gh_error_create(GH_ERR_LIMIT, "cannot number the heap: it has %llu slots",
				      (unsigned long long)heap->table.nslots);
	if (!err)
		err = allocate(heap);
	for (size_t i = 0; !err && i < heap->table.spans.len; i++)
		enter_span(heap, &heap->table.spans.data[i]);
	if (!err)
		err = read_allocation(heap);
	if (err) {
		gh_heap_destroy(heap);
		return err;
	}
	*ret = heap;
	return NULL;
}

struct gh_error *gh_heap_open(struct gh_heap *heap)
{
	struct gh_error *err;

	if (heap->is_open)
		return NULL;
	gh_span_table_open(heap->rt, &heap->table);
	for (size_t i = 0; i < heap->table.spans.len; i++)
		enter_span(heap, &heap->table.spans.data[i]);
	err = place_arenas(heap);
	heap->is_open = !err;
	return err;
}

void gh_heap_destroy(struct gh_heap *heap)
{
	if (!heap)
		return;
	if (heap->copy)
		munmap(heap->copy, heap->copy_bytes);
	if (heap->pages)
		munmap(heap->pages, heap->pages_bytes ? heap->pages_bytes : 1);
	free(heap->delta);
	free(heap->allocated);
	gh_span_table_deinit(&heap->table);
	free(heap);
}

bool gh_heap_find(const struct gh_heap *heap, gh_addr addr, struct gh_slot_ref *ret)
{
	const struct gh_page *page = gh_heap_page(heap, addr);
	const struct gh_span *span = page ? gh_span_find(&heap->table, addr) : NULL;
	uint64_t index;

	if (!span)
		return false;
	index = (addr - span->base) / span->elem_bytes;
	if (index >= span->nelems)
		return false;
	*ret = (struct gh_slot_ref){
		.slot = span->slot0 + index,
		.base = span->base + index * span->elem_bytes,
		.offset = (addr - span->base) % span->elem_bytes,
		.elem_bytes = span->elem_bytes,
		.class = span->spanclass,
	};
	return true;
}

gh_addr gh_heap_slot_base(const struct gh_heap *heap, uint64_t slot)
{
	const struct gh_span *span = gh_span_of_slot(&heap->table, slot);

	return span ? span->base + (slot - span->slot0) * span->elem_bytes : 0;
}
