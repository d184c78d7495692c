// SPDX-License-Identifier: Apache-2.0
// The doctor's checks of spans, pages and counters. Mirrors invariants of runtime/mheap.go,
// mpagealloc.go, mpagecache.go and mstats.go (go1.22 to go1.27). See doctor_checks.h.
#include "analysis/doctor_checks.h"
#include "base/bitmap.h"
#include "goruntime/arena.h"
#include "goruntime/stats.h"

enum {
	HEAP_BITS_DIVISOR = 64, // of span bytes: one bit a word (runtime/mbitmap.go)
	CHUNK_SHIFT = 22, // runtime/mpagealloc.go: 4 MiB, 512 pages
	CHUNKS_L2 = 1 << 13,
	CHUNK_WORDS = 8,
	PALLOC_DATA_BYTES = 128, // pallocData {alloc, scavenged}, 64 bytes each
	MAX_CHUNKS = 1 << 26,	 // all of a 48-bit address space
	MAX_RANGES = 1 << 20,
	MAX_PROCS = 1 << 16,
};

static const char *const stop_advice =
	"the core was taken in the middle of a change, or is damaged: see which rows disagree";

/* What every span must satisfy; each counts the spans that do not. */
struct span_faults {
	uint64_t popcount, no_bits, nelems, lookup, lookup_unread;
};

/* Slots of a span by its size (runtime/mheap.go, initSpan; mgcmark_greenteagc.go). */
static uint64_t expected_nelems(const struct gh_span *span)
{
	uint64_t bytes = gh_span_bytes(span);

	if (gh_span_is_large(span))
		return 1;
	if (span->elem_bytes <= GH_HEAP_BITS_MAX && !gh_span_is_noscan(span))
		bytes -= bytes / HEAP_BITS_DIVISOR;
	if (span->has_inline_marks)
		bytes -= GH_INLINE_MARK_BYTES;
	return bytes / span->elem_bytes;
}

static void check_count(const struct gh_heap *heap, const struct gh_span *span,
			struct span_faults *faults)
{
	uint64_t bits[GH_PAGE_BYTES / 64], n = 0;

	if (span->nelems > sizeof(bits) * 8 || !gh_span_handed_out(heap->rt, span, bits)) {
		faults->no_bits++;
		return;
	}
	for (size_t w = 0; w < gh_bitmap_words(span->nelems); w++)
		n += (uint64_t)__builtin_popcountll(bits[w]);
	faults->popcount += n != span->alloc_count;
}

/* Every page of a span leads back to it. */
static void check_lookup(const struct gh_heap *heap, const struct gh_span *span,
			 struct span_faults *faults)
{
	gh_addr record, checked = 0;
	uint64_t base = 0;

	for (uint32_t i = 0; i < span->npages; i++) {
		gh_addr page = span->base + ((uint64_t)i << GH_PAGE_SHIFT);

		record = gh_heap_arena_span(heap->rt, page);
		if (!record && !gh_heap_arena(heap->rt, page)) {
			faults->lookup_unread++;
			return;
		}
		if (record != checked || i == 0)
			base = gh_field_or_zero(heap->rt, record, GH_F_mspan_startAddr);
		checked = record;
		if (base != span->base) {
			faults->lookup++;
			return;
		}
	}
}

static void add_fault(struct gh_doctor *doctor, const char *name, uint64_t nfaults, uint64_t unread,
		      uint64_t nspans)
{
	if (nfaults)
		gh_doctor_add(doctor, name, GH_HEALTH_BAD, stop_advice,
			      "%llu of %llu spans are not so", (unsigned long long)nfaults,
			      (unsigned long long)nspans);
	else if (unread)
		gh_doctor_add(doctor, name, GH_HEALTH_UNKNOWN, NULL,
			      "%llu of %llu spans could not be checked", (unsigned long long)unread,
			      (unsigned long long)nspans);
	else
		gh_doctor_add(doctor, name, GH_HEALTH_OK, NULL, "%llu spans",
			      (unsigned long long)nspans);
}

static void check_left_out(struct gh_doctor *doctor, const struct gh_span_table *table)
{
	uint64_t out = table->unreadable + table->damaged;

	if (out || table->lost_pages)
		gh_doctor_add(doctor, "spans read", GH_HEALTH_BAD,
			      "what they hold is missing from all answers: take a whole core",
			      "%llu unreadable, %llu damaged, %llu pages without their bytes",
			      (unsigned long long)table->unreadable,
			      (unsigned long long)table->damaged,
			      (unsigned long long)table->lost_pages);
	else
		gh_doctor_add(doctor, "spans read", GH_HEALTH_OK, NULL, "%zu, %llu slots",
			      table->spans.len, (unsigned long long)table->nslots);
}

void gh_doctor_heap(struct gh_doctor *doctor, const struct gh_heap *heap)
{
	const struct gh_span_table *table = &heap->table;
	struct span_faults faults = {0};

	for (size_t i = 0; i < table->spans.len; i++) {
		const struct gh_span *span = &table->spans.data[i];

		check_count(heap, span, &faults);
		check_lookup(heap, span, &faults);
		if (!span->is_user_arena)
			faults.nelems += expected_nelems(span) != span->nelems;
	}
	check_left_out(doctor, table);
	add_fault(doctor, "allocation bits equal allocCount", faults.popcount, faults.no_bits,
		  table->spans.len);
	add_fault(doctor, "pages lead back to their span", faults.lookup, faults.lookup_unread,
		  table->spans.len);
	add_fault(doctor, "nelems by size", faults.nelems, 0, table->spans.len);
	gh_doctor_equal(doctor, "pages of spans equal pagesInUse", table->heap_pages,
			"pages in spans", table->pages_in_use, "in mheap_.pagesInUse");
}

/* Sums over the page allocator's bitmaps. */
struct page_counts {
	uint64_t scavenged, free; // free: neither allocated nor scavenged
	bool whole;
};

/* A chunk {alloc, scavenged}: a page that is allocated before a random heap start stays scavenged.
 */
static void count_chunk(const struct gh_runtime *rt, gh_addr l1, uint64_t chunk,
			struct page_counts *counts)
{
	const uint8_t *p;
	gh_addr l2;

	if (!gh_read_u64(rt->image, l1 + chunk / CHUNKS_L2 * 8, &l2) || !l2) {
		counts->whole = false;
		return;
	}
	p = gh_image_at(rt->image, l2 + chunk % CHUNKS_L2 * PALLOC_DATA_BYTES, PALLOC_DATA_BYTES);
	if (!p) {
		counts->whole = false;
		return;
	}
	for (int w = 0; w < CHUNK_WORDS; w++) {
		uint64_t alloc = gh_u64_at(p + w * 8), scav = gh_u64_at(p + 64 + w * 8);

		counts->scavenged += (uint64_t)__builtin_popcountll(scav);
		counts->free += (uint64_t)__builtin_popcountll(~(alloc | scav));
	}
}

/* Pages that a P has taken for itself: allocated in the bitmaps, but free. */
static void count_caches(const struct gh_runtime *rt, struct page_counts *counts)
{
	struct gh_slice allp;

	if (!rt->var[GH_V_allp] || !gh_read_slice(rt->image, rt->var[GH_V_allp], &allp)) {
		counts->whole = false;
		return;
	}
	allp.len = gh_min_u64(allp.len, MAX_PROCS);
	for (uint64_t i = 0; i < allp.len; i++) {
		uint64_t cache, scav;
		gh_addr p;

		if (!gh_read_u64(rt->image, allp.data + i * 8, &p) ||
		    !gh_field(rt, p + (uint64_t)rt->layout.offset[GH_F_p_pcache],
			      GH_F_pageCache_cache, &cache) ||
		    !gh_field(rt, p + (uint64_t)rt->layout.offset[GH_F_p_pcache],
			      GH_F_pageCache_scav, &scav)) {
			counts->whole = false;
			continue;
		}
		counts->scavenged += (uint64_t)__builtin_popcountll(scav);
		counts->free += (uint64_t)__builtin_popcountll(cache & ~scav);
	}
}

/* pageAlloc.inUse.ranges: address ranges, whole chunks. */
static void count_pages(const struct gh_runtime *rt, struct page_counts *counts)
{
	uint64_t base_offset = gh_heap_arena_base(rt);
	gh_addr pages = rt->var[GH_V_mheap_] + (uint64_t)rt->layout.offset[GH_F_mheap_pages];
	gh_addr l1 = pages + (uint64_t)rt->layout.offset[GH_F_pageAlloc_chunks];
	struct gh_slice ranges;
	uint64_t nchunks = 0;

	if (!gh_read_slice(rt->image, pages + (uint64_t)rt->layout.offset[GH_F_pageAlloc_inUse],
			   &ranges)) {
		counts->whole = false;
		return;
	}
	ranges.len = gh_min_u64(ranges.len, MAX_RANGES);
	for (uint64_t i = 0; i < ranges.len; i++) {
		gh_addr lo, hi;

		if (!gh_read_u64(rt->image, ranges.data + i * 16, &lo) ||
		    !gh_read_u64(rt->image, ranges.data + i * 16 + 8, &hi) || hi < lo) {
			counts->whole = false;
			continue;
		}
		for (; lo < hi && counts->whole; lo += 1ULL << CHUNK_SHIFT) {
			count_chunk(rt, l1, (lo - base_offset) >> CHUNK_SHIFT, counts);
			if (++nchunks == MAX_CHUNKS)
				counts->whole = false;
		}
	}
}

static void check_counter(struct gh_doctor *doctor, const struct gh_runtime *rt, const char *name,
			  enum gh_layout_field field, uint64_t pages, bool whole)
{
	gh_addr controller = rt->var[GH_V_gcController];
	uint64_t bytes;

	if (!whole || !controller || !gh_field(rt, controller, field, &bytes))
		gh_doctor_add(doctor, name, GH_HEALTH_UNKNOWN, NULL,
			      "not all of the page allocator's tables are in the core");
	else
		gh_doctor_equal(doctor, name, pages << GH_PAGE_SHIFT, "bytes", bytes,
				"in the runtime's counter");
}

void gh_doctor_pages(struct gh_doctor *doctor, const struct gh_runtime *rt,
		     uint64_t freed_arena_pages)
{
	struct page_counts counts = {.whole = true};
	uint64_t in_use = 0;
	bool known = rt->var[GH_V_mheap_] &&
		     gh_field(rt, rt->var[GH_V_mheap_], GH_F_mheap_pagesInUse, &in_use);

	// a freed user arena chunk is a span in use without memory
	check_counter(doctor, rt, "heapInUse equals pagesInUse", GH_F_gcController_heapInUse,
		      in_use - gh_min_u64(in_use, freed_arena_pages), known);
	if (rt->var[GH_V_mheap_]) {
		count_pages(rt, &counts);
		count_caches(rt, &counts);
	}
	check_counter(doctor, rt, "heapReleased equals scavenged pages",
		      GH_F_gcController_heapReleased, counts.scavenged, known && counts.whole);
	check_counter(doctor, rt, "heapFree equals free pages", GH_F_gcController_heapFree,
		      counts.free, known && counts.whole);
}
