// SPDX-License-Identifier: Apache-2.0
// Loading spans and their allocation bits. See span.h.
#include "goruntime/span.h"

#include <stdlib.h>

#include "base/bitmap.h"
#include "goruntime/arena.h"
#include "goruntime/sizeclass.h"

enum {
	MAX_SPANS = 1 << 27, // 1 TiB of one-page spans
	MSPAN_IN_USE = 1,    // runtime/mheap.go, mSpanState
	MSPAN_MANUAL = 2,
	POLL_EVERY = 4096,
	HEAP_BITS_DIVISOR = 64,	   // one bit a word
	MIN_INLINE_MARK_ELEM = 16, // gcUsesSpanInlineMarkBits
};

/* What is read of an mspan in one go: all fields come from one checked range. */
static uint64_t span_field(const struct gh_layout *layout, const uint8_t *p,
			   enum gh_layout_field field)
{
	int32_t offset = layout->offset[field];

	if (offset < 0)
		return 0;
	p += offset;
	switch (layout->size[field]) {
	case 1:
		return *p;
	case 2:
		return gh_u16_at(p);
	case 4:
		return gh_u32_at(p);
	default:
		return gh_u64_at(p);
	}
}

/* Bytes at the end of a span that are not slots: heap bits, inline marks (runtime/mheap.go,
 * initSpan). */
static uint64_t reserved_bytes(const struct gh_span *span)
{
	uint64_t bytes = 0;

	if (gh_span_is_large(span) || span->elem_bytes > GH_HEAP_BITS_MAX)
		return 0;
	if (!gh_span_is_noscan(span))
		bytes += gh_span_bytes(span) / HEAP_BITS_DIVISOR;
	if (span->has_inline_marks)
		bytes += GH_INLINE_MARK_BYTES;
	return bytes;
}

static bool is_plausible(const struct gh_span *span)
{
	// spans of size classes have ten pages at most; of a large one all is its object, but for what
	// chunks of user arenas have behind it (runtime/sizeclasses.go, mheap.go:initSpan, arena.go)
	enum { CLASS_PAGES = 64, MAX_BEHIND = 64 << 20 };
	uint64_t bytes = gh_span_bytes(span), used;

	if (span->base == 0 || span->base % GH_PAGE_BYTES || span->npages == 0 ||
	    span->base + bytes < span->base || span->elem_bytes == 0 || span->elem_bytes % 8 ||
	    span->spanclass >= GH_SPAN_CLASSES)
		return false;
	if (gh_span_is_large(span))
		return span->nelems == 1 && span->elem_bytes <= bytes &&
		       bytes - span->elem_bytes < MAX_BEHIND;
	// runtime/mksizeclasses.go: class_to_divmagic
	if (span->npages > CLASS_PAGES || span->div_mul != UINT32_MAX / span->elem_bytes + 1 ||
	    span->elem_bytes != gh_size_class_bytes[span->spanclass / 2] ||
	    gh_mul((uint64_t)span->nelems, span->elem_bytes, &used))
		return false;
	return span->nelems > 0 && used <= bytes - gh_min_u64(bytes, reserved_bytes(span)) &&
	       span->freeindex <= span->nelems;
}

static bool page_has_inline_marks(const struct gh_runtime *rt, gh_addr page)
{
	uint64_t n = page / GH_PAGE_BYTES % GH_ARENA_PAGES;
	gh_addr arena;
	uint8_t byte;

	if (!gh_has(&rt->layout, GH_F_heapArena_pageUseSpanInlineMarkBits))
		return false;
	arena = gh_heap_arena(rt, page);
	return arena &&
	       gh_read_u8(rt->image,
			  arena +
				  (uint64_t)rt->layout
					  .offset[GH_F_heapArena_pageUseSpanInlineMarkBits] +
				  n / 8,
			  &byte) &&
	       (byte >> (n % 8) & 1);
}

bool gh_span_marks_inline(const struct gh_runtime *rt, gh_addr base, uint64_t elem_bytes)
{
	return elem_bytes >= MIN_INLINE_MARK_ELEM && elem_bytes <= GH_HEAP_BITS_MAX &&
	       page_has_inline_marks(rt, base);
}

/* Does the runtime's table of pages know that the span at `addr` has these? */
static bool is_at_home(const struct gh_runtime *rt, gh_addr addr, const struct gh_span *span)
{
	return gh_heap_arena_span(rt, span->base) == addr &&
	       (span->npages == 1 ||
		gh_heap_arena_span(rt, span->base + gh_span_bytes(span) - 1) == addr);
}

/* Decode the mspan at addr. False: not in use, or not plausible (*damaged_ret says which). */
static bool decode(const struct gh_runtime *rt, gh_addr addr, const uint8_t *p, uint32_t sweepgen,
		   struct gh_span_table *table, struct gh_span *ret)
{
	const struct gh_layout *layout = &rt->layout;
	uint64_t state = span_field(layout, p, GH_F_mspan_state);
	uint64_t npages = span_field(layout, p, GH_F_mspan_npages);
	struct gh_span span;
	int32_t delta;

	if (state == MSPAN_MANUAL) {
		table->manual_pages += gh_min_u64(npages, UINT32_MAX);
		return false;
	}
	if (state != MSPAN_IN_USE) {
		table->damaged += state > MSPAN_MANUAL;
		return false;
	}
	delta = (int32_t)((uint32_t)span_field(layout, p, GH_F_mspan_sweepgen) - sweepgen);
	span = (struct gh_span){
		.base = span_field(layout, p, GH_F_mspan_startAddr),
		.limit = span_field(layout, p, GH_F_mspan_limit),
		.alloc_bits = span_field(layout, p, GH_F_mspan_allocBits),
		.mark_bits = span_field(layout, p, GH_F_mspan_gcmarkBits),
		.specials = span_field(layout, p, GH_F_mspan_specials),
		.large_type = span_field(layout, p, GH_F_mspan_largeType),
		.elem_bytes = span_field(layout, p, GH_F_mspan_elemsize),
		.npages = npages > UINT32_MAX ? 0 : (uint32_t)npages,
		.nelems = (uint32_t)span_field(layout, p, GH_F_mspan_nelems),
		.freeindex = (uint32_t)span_field(layout, p, GH_F_mspan_freeindex),
		.free_index_for_scan = (uint32_t)span_field(layout, p, GH_F_mspan_freeIndexForScan),
		.div_mul = (uint32_t)span_field(layout, p, GH_F_mspan_divMul),
		.alloc_count = (uint16_t)span_field(layout, p, GH_F_mspan_allocCount),
		.spanclass = (uint8_t)span_field(layout, p, GH_F_mspan_spanclass),
		// -2 not swept, -1 being swept, +1 cached before the sweep began (runtime/mheap.go)
		.sweep = delta == 0 || delta == 3 ? GH_SPAN_SWEPT : GH_SPAN_UNSWEPT,
		.is_user_arena = span_field(layout, p, GH_F_mspan_isUserArenaChunk) != 0,
	};
	span.has_inline_marks =
		!gh_span_is_large(&span) && gh_span_marks_inline(rt, span.base, span.elem_bytes);
	// runtime/mheap.go, mspan.sweepgen
	if (!is_plausible(&span) || delta < -2 || delta == 2 || delta > 3) {
		table->damaged++;
		return false;
	}
	if (span.has_inline_marks)
		span.mark_bits = span.base + GH_PAGE_BYTES - GH_INLINE_MARK_BYTES / 2;
	if (!gh_span_is_large(&span))
		span.limit = span.base + span.nelems * span.elem_bytes; // go1.22's reaches too far
	else
		span.limit =
			gh_max_u64(span.base, gh_min_u64(span.limit, span.base + span.elem_bytes));
	span.is_at_home = is_at_home(rt, addr, &span);
	*ret = span;
	return true;
}

static int compare_base(const void *a, const void *b)
{
	gh_addr x = ((const struct gh_span *)a)->base, y = ((const struct gh_span *)b)->base;

	return x < y ? -1 : x > y;
}

static struct gh_span_class class_of(const struct gh_span *span)
{
	uint64_t offset = 0;

	if (!gh_span_is_noscan(span) && span->elem_bytes <= GH_HEAP_BITS_MAX)
		offset = gh_span_bytes(span) - gh_span_bytes(span) / HEAP_BITS_DIVISOR -
			 (span->has_inline_marks ? GH_INLINE_MARK_BYTES : 0);
	return (struct gh_span_class){
		.elem_bytes = (uint32_t)span->elem_bytes,
		.div_mul = span->div_mul,
		.nelems = span->nelems,
		.npages = span->npages,
		.heap_bits_offset = (uint32_t)offset,
	};
}

static bool is_same_class(const struct gh_span_class *a, const struct gh_span_class *b)
{
	return a->elem_bytes == b->elem_bytes && a->div_mul == b->div_mul &&
	       a->nelems == b->nelems && a->npages == b->npages &&
	       a->heap_bits_offset == b->heap_bits_offset;
}

/* Spans of one class are alike in one process: what most of them say is so. */
static void elect_classes(struct gh_span_table *table)
{
	uint64_t votes[GH_SPAN_CLASSES] = {0};

	for (size_t i = 0; i < table->spans.len; i++) {
		const struct gh_span *span = &table->spans.data[i];
		struct gh_span_class *class = &table->classes[span->spanclass], says;

		if (gh_span_is_large(span))
			continue;
		says = class_of(span);
		if (!votes[span->spanclass]) // Boyer and Moore: who is left has the majority
			*class = says;
		votes[span->spanclass] += is_same_class(class, &says) ? 1 : UINT64_MAX;
	}
}

static bool agrees_with_class(const struct gh_span_table *table, const struct gh_span *span)
{
	struct gh_span_class says;

	if (gh_span_is_large(span))
		return true;
	says = class_of(span);
	return is_same_class(&table->classes[span->spanclass], &says);
}

/*
 * A record that says another place than the runtime's table of pages has for it would stand in the way
 * of others, or far away from the heap. If it is the table that is lost, it says nothing.
 */
static void drop_strangers(struct gh_span_table *table)
{
	struct gh_span_vec *spans = &table->spans;
	size_t nhome = 0, kept = 0;

	for (size_t i = 0; i < spans->len; i++)
		nhome += spans->data[i].is_at_home;
	if (nhome * 2 < spans->len)
		return;
	table->damaged += spans->len - nhome;
	for (size_t i = 0; i < spans->len; i++)
		if (spans->data[i].is_at_home)
			spans->data[kept++] = spans->data[i];
	spans->len = kept;
}

/* Sort, drop overlaps and misfits, number the slots. */
static void arrange(struct gh_span_table *table)
{
	struct gh_span_vec *spans = &table->spans;
	gh_addr end = 0;
	size_t kept = 0;

	drop_strangers(table);
	elect_classes(table);
	if (spans->len)
		qsort(spans->data, spans->len, sizeof(*spans->data), compare_base);
	for (size_t i = 0; i < spans->len; i++) {
		struct gh_span span = spans->data[i];

		if (span.base < end || !agrees_with_class(table, &span)) {
			table->damaged++;
			continue;
		}
		end = span.base + gh_span_bytes(&span);
		if (gh_span_is_freed_arena(&span))
			table->freed_arena_pages += span.npages;
		span.slot0 = table->nslots;
		table->nslots += span.nelems;
		table->heap_pages += span.npages;
		table->alloc_count += span.alloc_count;
		spans->data[kept++] = span;
	}
	spans->len = kept;
}

void gh_span_table_open(const struct gh_runtime *rt, struct gh_span_table *table)
{
	for (size_t i = 0; i < table->spans.len; i++) {
		struct gh_span *span = &table->spans.data[i];
		uint64_t bytes = gh_span_bytes(span);

		span->host = gh_image_at(rt->image, span->base, bytes);
		if (!span->host && !gh_span_is_freed_arena(span) &&
		    gh_image_absence(rt->image, span->base, bytes) != GH_NOT_COPIED)
			table->lost_pages += span->npages;
	}
}

/* mheap_.allspans, as far as it can be believed. */
static bool read_allspans(const struct gh_runtime *rt, struct gh_slice *ret)
{
	gh_addr mheap = rt->var[GH_V_mheap_];

	if (!mheap || !gh_read_slice(rt->image,
				     mheap + (uint64_t)rt->layout.offset[GH_F_mheap_allspans], ret))
		return false;
	ret->len = gh_min_u64(ret->len, MAX_SPANS);
	return true;
}

struct gh_error *gh_span_extents(const struct gh_runtime *rt, struct gh_span_extent_vec *ret)
{
	uint64_t record_bytes = (uint64_t)rt->layout.struct_size[GH_S_mspan];
	struct gh_slice all;

	if (!read_allspans(rt, &all))
		return gh_error_create(GH_ERR_MISSING, "cannot read the heap: no runtime.mheap_");
	for (uint64_t i = 0; i < all.len; i++) {
		const uint8_t *p = NULL;
		struct gh_span_extent span;
		uint64_t state;
		gh_addr addr;

		if (gh_read_u64(rt->image, all.data + i * 8, &addr))
			p = gh_image_at(rt->image, addr, record_bytes);
		if (!p)
			return gh_error_create(
				GH_ERR_MISSING,
				"cannot read the heap: span %llu of %llu is not there",
				(unsigned long long)i, (unsigned long long)all.len);
		state = span_field(&rt->layout, p, GH_F_mspan_state);
		span = (struct gh_span_extent){
			.base = span_field(&rt->layout, p, GH_F_mspan_startAddr),
			.npages = span_field(&rt->layout, p, GH_F_mspan_npages),
			.elem_bytes = span_field(&rt->layout, p, GH_F_mspan_elemsize),
			.spanclass = (uint8_t)span_field(&rt->layout, p, GH_F_mspan_spanclass),
			.is_manual = state == MSPAN_MANUAL,
		};
		if ((state == MSPAN_MANUAL || state == MSPAN_IN_USE) && span.npages <= UINT32_MAX &&
		    span.base % GH_PAGE_BYTES == 0 && !gh_span_extent_vec_push(ret, span))
			return gh_error_nomem();
	}
	return NULL;
}

struct gh_error *gh_span_table_load(const struct gh_runtime *rt, const struct gh_poll *poll,
				    struct gh_span_table *ret)
{
	struct gh_span_table table = {0};
	gh_addr mheap = rt->var[GH_V_mheap_];
	struct gh_slice all;
	struct gh_error *err = NULL;
	uint64_t sweepgen, readable;

	if (!mheap || !gh_field(rt, mheap, GH_F_mheap_sweepgen, &sweepgen) ||
	    !read_allspans(rt, &all))
		return gh_error_create(
			GH_ERR_MISSING,
			"cannot read the heap: runtime.mheap_ is not in the core: take a "
			"whole core, or ask for info and goroutines");
	table.pages_in_use = gh_field_or_zero(rt, mheap, GH_F_mheap_pagesInUse);
	readable = gh_image_readable(rt->image, all.data, all.len * 8) / 8;
	if (!gh_budget_take(gh_runtime_budget(rt), readable * sizeof(*table.spans.data), "spans") ||
	    !gh_vec_reserve_exactly((void **)&table.spans.data, &table.spans.cap, readable,
				    sizeof(*table.spans.data)))
		err = gh_error_nomem();
	table.unreadable = all.len - readable;
	for (uint64_t i = 0; i < readable && !err; i++) {
		gh_addr addr;
		const uint8_t *p = NULL;
		struct gh_span span;

		if (i % POLL_EVERY == 0)
			err = gh_poll(poll, "reading spans", i, readable);
		if (gh_read_u64(rt->image, all.data + i * 8, &addr))
			p = gh_image_at(rt->image, addr,
					(uint64_t)rt->layout.struct_size[GH_S_mspan]);
		if (!p)
			table.unreadable++;
		else if (decode(rt, addr, p, (uint32_t)sweepgen, &table, &span) &&
			 !gh_span_vec_push(&table.spans, span))
			err = gh_error_nomem();
	}
	if (!err && table.spans.len == 0)
		err = gh_error_create(GH_ERR_MISSING,
				      "cannot read the heap: none of its %llu spans can be read "
				      "(the core ends before their table): take a whole core",
				      (unsigned long long)all.len);
	if (err) {
		gh_span_table_deinit(&table);
		return err;
	}
	arrange(&table);
	*ret = table;
	return NULL;
}

void gh_span_table_deinit(struct gh_span_table *table)
{
	gh_span_vec_deinit(&table->spans);
	*table = (struct gh_span_table){0};
}

const struct gh_span *gh_span_find(const struct gh_span_table *table, gh_addr addr)
{
	const struct gh_span *spans = table->spans.data;
	size_t lo = 0, hi = table->spans.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (spans[mid].base <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && addr < spans[lo - 1].limit ? &spans[lo - 1] : NULL;
}

const struct gh_span *gh_span_of_slot(const struct gh_span_table *table, uint64_t slot)
{
	const struct gh_span *spans = table->spans.data;
	size_t lo = 0, hi = table->spans.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (spans[mid].slot0 <= slot)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &spans[lo - 1] : NULL;
}

/* Bits [0, nelems) of a byte array in the target, as words. False: not in the core. */
static bool read_bits(const struct gh_image *image, gh_addr addr, uint32_t nelems, uint64_t *words)
{
	size_t nbytes = (nelems + 7) / 8;
	const void *p = addr ? gh_image_at(image, addr, nbytes) : NULL;

	if (!p)
		return false;
	memset(words, 0, gh_bitmap_words(nelems) * 8);
	memcpy(words, p, nbytes);
	if (nelems % 64)
		words[nelems / 64] &= (1ULL << (nelems % 64)) - 1;
	return true;
}

bool gh_span_handed_out(const struct gh_runtime *rt, const struct gh_span *span, uint64_t *bits)
{
	uint32_t i;

	if (!read_bits(rt->image, span->alloc_bits, span->nelems, bits))
		return false;
	for (i = 0; i + 64 <= span->freeindex; i += 64)
		bits[i / 64] = UINT64_MAX;
	if (span->freeindex % 64)
		bits[i / 64] |= (1ULL << (span->freeindex % 64)) - 1;
	return true;
}

bool gh_span_allocated(const struct gh_runtime *rt, const struct gh_span *span, uint64_t *bits)
{
	enum { MAX_WORDS = GH_PAGE_BYTES / 8 / 64 + 1 }; // of a one-page span of 8-byte slots
	uint64_t marks[MAX_WORDS * 2];
	size_t nwords = gh_bitmap_words(span->nelems);

	if (!gh_span_handed_out(rt, span, bits))
		return false;
	if (span->sweep == GH_SPAN_SWEPT)
		return true;
	if (nwords > GH_ARRAY_SIZE(marks) ||
	    !read_bits(rt->image, span->mark_bits, span->nelems, marks))
		return false;
	for (size_t i = 0; i < nwords; i++)
		bits[i] &= marks[i];
	return true;
}
