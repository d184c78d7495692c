// SPDX-License-Identifier: Apache-2.0
// Statistics out of memory. See stats.h.
#include "goruntime/stats.h"

#include "base/bitmap.h"
#include "goruntime/arena.h"
#include "goruntime/special.h"

enum {
	DELTAS = 3,		   // consistentHeapStats.stats
	MAX_PROCS = 1 << 16,	   // a bound on what may be damaged
	MAX_STACKS = 1 << 16,	   // free stacks in one P's cache: 32 KiB an order hold 16
	STACK_ORDERS = 4,	   // runtime/malloc.go, _NumStackOrders on linux
	STACK_FREELIST_BYTES = 16, // stackfreelist {list, size}
	MAX_SLOT_WORDS = 32,	   // slots of a cached span: at most 1024, of 8 bytes
	MIN_HEADROOM = 1 << 20,	   // runtime/mgcpacer.go, memoryLimitMinHeapGoalHeadroom
	HEADROOM_PERCENT = 3,	   // memoryLimitHeapGoalHeadroomPercent
	MIN_RUNWAY = 64 << 10,
};

/* heapStatsDelta, summed over its copies. */
struct deltas {
	bool known;
	uint64_t in_stacks, in_work_bufs, in_ptr_scalar_bits;
	uint64_t tiny, large_alloc, large_allocs, large_free, large_frees;
	uint64_t small_allocs[GH_SIZE_CLASSES], small_frees[GH_SIZE_CLASSES];
};

/* What giving the caches back changes (mcache.releaseAll, stackcache_clear). */
struct flush {
	const struct gh_runtime *rt;
	const struct gh_span_table *table;
	uint32_t sweepgen;
	bool gc_off;
	uint64_t small_allocs[GH_SIZE_CLASSES], small_frees[GH_SIZE_CLASSES];
	uint64_t tiny, alloc_bytes, free_bytes;
	uint64_t heap_freed_bytes, stack_freed_bytes;
	uint64_t caches, spans, unread, stale; // spans: cached ones
};

const char *gh_stat_name(enum gh_stat_id id)
{
	static const char *const names[] = {
#define X(name, unit) [GH_STAT_##name] = #name,
		GH_STATS(X)
#undef X
	};
	return names[id];
}

enum gh_stat_unit gh_stat_unit(enum gh_stat_id id)
{
	static const uint8_t units[] = {
#define X(name, unit) [GH_STAT_##name] = GH_STAT_UNIT_##unit,
		GH_STATS(X)
#undef X
	};
	return units[id];
}

/* A run of counters, one u64 a size class. */
static bool add_classes(const struct gh_runtime *rt, gh_addr delta, enum gh_layout_field field,
			uint64_t *sums)
{
	const uint8_t *p = gh_image_at(rt->image, delta + (uint64_t)rt->layout.offset[field],
				       GH_SIZE_CLASSES * 8);

	for (uint32_t i = 0; p && i < GH_SIZE_CLASSES; i++)
		sums[i] += gh_u64_at(p + i * 8);
	return p != NULL;
}

static bool add_delta(const struct gh_runtime *rt, gh_addr at, struct deltas *sum)
{
	uint64_t value;

#define ADD(field, to)                                                                             \
	do {                                                                                       \
		if (!gh_field(rt, at, GH_F_heapStatsDelta_##field, &value))                        \
			return false;                                                              \
		sum->to += value;                                                                  \
	} while (0)
	ADD(inStacks, in_stacks);
	ADD(inWorkBufs, in_work_bufs);
	ADD(tinyAllocCount, tiny);
	ADD(largeAlloc, large_alloc);
	ADD(largeAllocCount, large_allocs);
	ADD(largeFree, large_free);
	ADD(largeFreeCount, large_frees);
	if (gh_has(&rt->layout, GH_F_heapStatsDelta_inPtrScalarBits)) // up to go1.24
		ADD(inPtrScalarBits, in_ptr_scalar_bits);
#undef ADD
	return add_classes(rt, at, GH_F_heapStatsDelta_smallAllocCount, sum->small_allocs) &&
	       add_classes(rt, at, GH_F_heapStatsDelta_smallFreeCount, sum->small_frees);
}

static void read_deltas(const struct gh_runtime *rt, struct deltas *ret)
{
	gh_addr at = rt->var[GH_V_memstats];
	uint64_t size = (uint64_t)rt->layout.struct_size[GH_S_heapStatsDelta];

	*ret = (struct deltas){0};
	if (!at)
		return;
	at += (uint64_t)(rt->layout.offset[GH_F_mstats_heapStats] +
			 rt->layout.offset[GH_F_heapStatsAggregate_stats]);
	ret->known = true;
	for (uint64_t i = 0; i < DELTAS; i++)
		ret->known = add_delta(rt, at + i * size, ret) && ret->known;
}

/* Slots of an unswept span that the last mark left dead but that a finalizer brings back. */
static uint64_t count_revived(const struct flush *flush, const struct gh_span *span,
			      const uint64_t *alive)
{
	uint64_t revived[MAX_SLOT_WORDS] = {0}, n = 0;
	const struct gh_runtime *rt = flush->rt;
	struct gh_special_walk walk = {0};
	struct gh_special special;

	while (gh_special_next(rt, span, &walk, &special)) {
		uint64_t slot = (special.object - span->base) / span->elem_bytes;

		if (special.kind == GH_SPECIAL_FINALIZER && slot < span->nelems &&
		    !gh_bitmap_test(alive, slot) && !gh_bitmap_test_and_set(revived, slot))
			n++;
	}
	return n;
}

/* A span that was cached when the last mark ended is swept on its way out (mcentral.uncacheSpan).
 */
static bool flush_stale(struct flush *flush, gh_addr base, uint64_t alloc_count, uint32_t sizeclass)
{
	const struct gh_span *span = flush->table ? gh_span_find(flush->table, base) : NULL;
	uint64_t alive[MAX_SLOT_WORDS], n = 0, freed;

	if (!span || span->base != base || gh_bitmap_words(span->nelems) > MAX_SLOT_WORDS ||
	    !gh_span_allocated(flush->rt, span, alive))
		return false;
	for (size_t w = 0; w < gh_bitmap_words(span->nelems); w++)
		n += (uint64_t)__builtin_popcountll(alive[w]);
	n += count_revived(flush, span, alive);
	freed = alloc_count - gh_min_u64(n, alloc_count);
	flush->stale++;
	flush->small_frees[sizeclass] += freed;
	flush->free_bytes += freed * span->elem_bytes;
	if (n == 0)
		flush->heap_freed_bytes += gh_span_bytes(span);
	return true;
}

/* One cached span. False: it cannot be read. */
static bool flush_span(struct flush *flush, gh_addr at, uint32_t sizeclass)
{
	const struct gh_runtime *rt = flush->rt;
	uint64_t base, count, before, used, elem_bytes, sweepgen;

	if (!gh_field(rt, at, GH_F_mspan_startAddr, &base) ||
	    !gh_field(rt, at, GH_F_mspan_allocCount, &count) ||
	    !gh_field(rt, at, GH_F_mspan_allocCountBeforeCache, &before) ||
	    !gh_field(rt, at, GH_F_mspan_elemsize, &elem_bytes) ||
	    !gh_field(rt, at, GH_F_mspan_sweepgen, &sweepgen))
		return false;
	if (base == 0) // runtime.emptymspan: nothing cached
		return true;
	if (count < before || elem_bytes != gh_size_class_bytes[sizeclass])
		return false;
	used = count - before;
	flush->spans++;
	flush->small_allocs[sizeclass] += used;
	flush->alloc_bytes += used * elem_bytes;
	if ((uint32_t)sweepgen == flush->sweepgen + 1)
		return flush_stale(flush, base, count, sizeclass);
	return true;
}

/* A stack span that loses its last user. Spans are few and short: looked up, not stored. */
struct stack_span {
	gh_addr span;
	uint64_t returned;
};
GH_VEC(stack_span_vec, struct stack_span);

static bool note_stack(const struct gh_runtime *rt, gh_addr stack, struct stack_span_vec *spans)
{
	gh_addr span = gh_heap_arena_span(rt, stack);

	if (!span)
		return false;
	for (size_t i = 0; i < spans->len; i++)
		if (spans->data[i].span == span) {
			spans->data[i].returned++;
			return true;
		}
	return stack_span_vec_push(spans, (struct stack_span){.span = span, .returned = 1});
}

/* The free stacks of one P (stackcache: one list an order), linked through their first word. */
static bool collect_stacks(const struct flush *flush, gh_addr mcache, struct stack_span_vec *spans)
{
	const struct gh_runtime *rt = flush->rt;
	gh_addr lists = mcache + (uint64_t)rt->layout.offset[GH_F_mcache_stackcache], stack;
	uint32_t n = 0;

	for (uint32_t order = 0; order < STACK_ORDERS; order++) {
		if (!gh_read_u64(rt->image, lists + order * STACK_FREELIST_BYTES, &stack))
			return false;
		while (stack) {
			if (n++ == MAX_STACKS || !note_stack(rt, stack, spans) ||
			    !gh_read_u64(rt->image, stack, &stack))
				return false;
		}
	}
	return true;
}

/* Outside of a collection a stack span without users goes back to the heap (stackpoolfree). */
static void free_stack_spans(struct flush *flush, const struct stack_span_vec *spans)
{
	for (size_t i = 0; i < spans->len && flush->gc_off; i++) {
		uint64_t count =
			gh_field_or_zero(flush->rt, spans->data[i].span, GH_F_mspan_allocCount);
		uint64_t npages =
			gh_field_or_zero(flush->rt, spans->data[i].span, GH_F_mspan_npages);

		if (count == spans->data[i].returned && npages <= UINT32_MAX)
			flush->stack_freed_bytes += npages << GH_PAGE_SHIFT;
	}
}

/* One P's cache. False: some of it cannot be read. */
static bool flush_cache(struct flush *flush, gh_addr mcache, struct stack_span_vec *stacks)
{
	const struct gh_runtime *rt = flush->rt;
	gh_addr alloc = mcache + (uint64_t)rt->layout.offset[GH_F_mcache_alloc];
	bool whole = true;
	uint64_t tiny;

	for (uint32_t i = 0; i < GH_SPAN_CLASSES; i++) {
		gh_addr span;

		if (!gh_read_u64(rt->image, alloc + i * 8, &span) ||
		    !flush_span(flush, span, i / 2))
			whole = false;
	}
	if (gh_field(rt, mcache, GH_F_mcache_tinyAllocs, &tiny))
		flush->tiny += tiny;
	else
		whole = false;
	return collect_stacks(flush, mcache, stacks) && whole;
}

static void flush_all(struct flush *flush)
{
	const struct gh_runtime *rt = flush->rt;
	struct stack_span_vec stacks = {0};
	uint64_t sweepgen = 0;
	struct gh_slice allp;

	if (!rt->var[GH_V_allp] || !rt->var[GH_V_mheap_] ||
	    !gh_read_slice(rt->image, rt->var[GH_V_allp], &allp) ||
	    !gh_field(rt, rt->var[GH_V_mheap_], GH_F_mheap_sweepgen, &sweepgen)) {
		flush->unread++;
		return;
	}
	flush->sweepgen = (uint32_t)sweepgen;
	allp.len = gh_min_u64(allp.len, MAX_PROCS);
	for (uint64_t i = 0; i < allp.len; i++) {
		gh_addr p;
		uint64_t mcache;

		if (!gh_read_u64(rt->image, allp.data + i * 8, &p) ||
		    !gh_field(rt, p, GH_F_p_mcache, &mcache)) {
			flush->unread++;
			continue;
		}
		if (mcache == 0) // of a P that was never used, or is being destroyed
			continue;
		flush->caches++;
		if (!flush_cache(flush, mcache, &stacks))
			flush->unread++;
	}
	free_stack_spans(flush, &stacks);
	stack_span_vec_deinit(&stacks);
}

/* Everything that the formulas of readmemstats_m start from. */
struct inputs {
	const struct gh_runtime *rt;
	struct deltas deltas;
	struct flush flush;
	struct gh_memstats *out;
	const char *lags;  // why what the caches hold is missing; NULL: nothing is
	const char *lists; // what giving back spans may cost; NULL: there are none
};

static void set(struct inputs *in, enum gh_stat_id id, bool known, uint64_t value, const char *why)
{
	in->out->stat[id] =
		(struct gh_stat){.known = known, .value = known ? value : 0, .why = why};
}

static const char *const not_in_core = "the runtime's counter is not in the core";

/* A counter of a package variable that ReadMemStats hands on as it is. */
static bool counter(const struct inputs *in, enum gh_layout_var var, enum gh_layout_field field,
		    uint64_t *ret)
{
	*ret = 0;
	return in->rt->var[var] && gh_field(in->rt, in->rt->var[var], field, ret);
}

static void set_counter(struct inputs *in, enum gh_stat_id id, enum gh_layout_var var,
			enum gh_layout_field field)
{
	uint64_t value;
	bool known = counter(in, var, field, &value);

	set(in, id, known, value, known ? NULL : not_in_core);
}

static void set_allocations(struct inputs *in)
{
	const struct deltas *d = &in->deltas;
	const struct flush *f = &in->flush;
	uint64_t alloc = d->large_alloc, freed = d->large_free;
	uint64_t mallocs = d->large_allocs + d->tiny + f->tiny;
	uint64_t frees = d->large_frees + d->tiny + f->tiny;
	const char *why = d->known ? in->lags : not_in_core;

	for (uint32_t i = 0; i < GH_SIZE_CLASSES; i++) {
		uint64_t a = d->small_allocs[i] + f->small_allocs[i];
		uint64_t r = d->small_frees[i] + f->small_frees[i];

		in->out->mallocs[i] = a;
		in->out->frees[i] = r;
		alloc += a * gh_size_class_bytes[i];
		freed += r * gh_size_class_bytes[i];
		mallocs += a;
		frees += r;
		in->out->cached_objects += f->small_allocs[i];
	}
	in->out->has_by_size = d->known;
	set(in, GH_STAT_TotalAlloc, d->known, alloc, why);
	set(in, GH_STAT_Mallocs, d->known, mallocs, why);
	set(in, GH_STAT_Frees, d->known, frees, why);
	set(in, GH_STAT_HeapAlloc, d->known, alloc - freed, why);
	set(in, GH_STAT_HeapObjects, d->known, mallocs - frees, why);
	set(in, GH_STAT_Alloc, d->known, alloc - freed, why);
}

/* The spans know what they handed out even where a cache could not be read. */
static void prefer_spans(struct inputs *in)
{
	const struct gh_memstats *out = in->out;
	static const char *const from_spans = "counted in the spans, since the counters lag";

	if (!out->has_spans || (in->deltas.known && !in->lags))
		return;
	set(in, GH_STAT_HeapAlloc, true, out->span_bytes, from_spans);
	set(in, GH_STAT_Alloc, true, out->span_bytes, from_spans);
	set(in, GH_STAT_HeapObjects, true, out->span_objects, from_spans);
}

static void set_memory(struct inputs *in)
{
	static const enum gh_layout_field parts[] = {
		GH_F_mstats_stacks_sys,	  GH_F_mstats_mspan_sys, GH_F_mstats_mcache_sys,
		GH_F_mstats_buckhash_sys, GH_F_mstats_gcMiscSys, GH_F_mstats_other_sys,
	};
	const struct deltas *d = &in->deltas;
	const struct flush *f = &in->flush;
	uint64_t inuse = 0, idle = 0, released = 0, stacks_sys = 0, gc_misc = 0, sys, part;
	uint64_t stacks = d->in_stacks - f->stack_freed_bytes;
	uint64_t gc_bufs = d->in_work_bufs + d->in_ptr_scalar_bits;
	bool heap = counter(in, GH_V_gcController, GH_F_gcController_heapInUse, &inuse) &&
		    counter(in, GH_V_gcController, GH_F_gcController_heapFree, &idle) &&
		    counter(in, GH_V_gcController, GH_F_gcController_heapReleased, &released);
	bool own = counter(in, GH_V_memstats, GH_F_mstats_stacks_sys, &stacks_sys) &&
		   counter(in, GH_V_memstats, GH_F_mstats_gcMiscSys, &gc_misc);
	const char *heap_why = heap ? in->lags : not_in_core;
	const char *own_why = own && d->known ? in->lags : not_in_core;

	if (heap) {
		inuse -= f->heap_freed_bytes;
		idle += released + f->heap_freed_bytes + f->stack_freed_bytes;
	}
	set(in, GH_STAT_HeapInuse, heap, inuse, heap_why);
	set(in, GH_STAT_HeapIdle, heap, idle, heap_why);
	set(in, GH_STAT_HeapReleased, heap, released, heap ? NULL : not_in_core);
	set(in, GH_STAT_HeapSys, heap, inuse + idle, heap_why);
	set(in, GH_STAT_StackInuse, d->known, stacks, d->known ? in->lags : not_in_core);
	set(in, GH_STAT_StackSys, own && d->known, stacks + stacks_sys, own_why);
	set(in, GH_STAT_GCSys, own && d->known, gc_misc + gc_bufs,
	    own && d->known ? in->lists : not_in_core);
	sys = inuse + idle + stacks + gc_bufs;
	for (size_t i = 0; i < GH_ARRAY_SIZE(parts); i++) {
		own = counter(in, GH_V_memstats, parts[i], &part) && own;
		sys += part;
	}
	own = own && heap && d->known;
	// what a flush frees moves from stacks to the heap: the sum stays
	set(in, GH_STAT_Sys, own, sys, own ? in->lists : not_in_core);
}

/* fixalloc.inuse of an allocator embedded in mheap_. */
static void set_fixalloc(struct inputs *in, enum gh_stat_id id, enum gh_layout_field allocator)
{
	gh_addr mheap = in->rt->var[GH_V_mheap_];
	uint64_t value = 0;
	bool known = mheap && gh_has(&in->rt->layout, allocator) &&
		     gh_field(in->rt, mheap + (uint64_t)in->rt->layout.offset[allocator],
			      GH_F_fixalloc_inuse, &value);

	set(in, id, known, value, known ? NULL : not_in_core);
}

struct pacer {
	uint64_t percent_goal, sweep_trigger, triggered, heap_free, total_alloc, total_free,
		mapped_ready, memory_limit, heap_marked;
};

/* gcControllerState.memoryLimitHeapGoal. */
static uint64_t limit_goal(const struct pacer *c)
{
	uint64_t heap_alloc = c->total_alloc - c->total_free;
	uint64_t non_heap = c->mapped_ready - c->heap_free - heap_alloc, overage = 0, goal,
		 headroom;

	if (c->mapped_ready > c->memory_limit)
		overage = c->mapped_ready - c->memory_limit;
	if (non_heap + overage >= c->memory_limit)
		return c->heap_marked;
	goal = c->memory_limit - (non_heap + overage);
	headroom = gh_max_u64(goal / 100 * HEADROOM_PERCENT, MIN_HEADROOM);
	goal = goal < headroom || goal - headroom < headroom ? headroom : goal - headroom;
	return gh_max_u64(goal, c->heap_marked);
}

/* gcControllerState.heapGoalInternal. */
static uint64_t heap_goal(const struct pacer *c)
{
	uint64_t goal = c->percent_goal, limit = limit_goal(c);

	if (limit < goal)
		return limit;
	goal = gh_max_u64(goal, c->sweep_trigger);
	if (c->triggered != UINT64_MAX && goal < c->triggered + MIN_RUNWAY)
		goal = c->triggered + MIN_RUNWAY;
	return goal;
}

static void set_goal(struct inputs *in)
{
	struct gh_memstats *out = in->out;
	struct pacer c = {0};
	uint64_t percent = 0, live = 0;
	bool known =
		counter(in, GH_V_gcController, GH_F_gcController_gcPercentHeapGoal,
			&c.percent_goal) &&
		counter(in, GH_V_gcController, GH_F_gcController_sweepDistMinTrigger,
			&c.sweep_trigger) &&
		counter(in, GH_V_gcController, GH_F_gcController_triggered, &c.triggered) &&
		counter(in, GH_V_gcController, GH_F_gcController_heapFree, &c.heap_free) &&
		counter(in, GH_V_gcController, GH_F_gcController_totalAlloc, &c.total_alloc) &&
		counter(in, GH_V_gcController, GH_F_gcController_totalFree, &c.total_free) &&
		counter(in, GH_V_gcController, GH_F_gcController_mappedReady, &c.mapped_ready) &&
		counter(in, GH_V_gcController, GH_F_gcController_memoryLimit, &c.memory_limit) &&
		counter(in, GH_V_gcController, GH_F_gcController_heapMarked, &c.heap_marked) &&
		counter(in, GH_V_gcController, GH_F_gcController_gcPercent, &percent) &&
		counter(in, GH_V_gcController, GH_F_gcController_heapLive, &live);

	if (!known) {
		set(in, GH_STAT_NextGC, false, 0, not_in_core);
		return;
	}
	out->has_pacer = true;
	out->gc_percent = (int32_t)(uint32_t)percent;
	out->memory_limit = (int64_t)c.memory_limit;
	out->heap_marked = c.heap_marked;
	out->heap_live = live;
	out->percent_goal = c.percent_goal;
	c.heap_free += in->flush.heap_freed_bytes + in->flush.stack_freed_bytes;
	c.total_alloc += in->flush.alloc_bytes;
	c.total_free += in->flush.free_bytes;
	// without a limit the goal does not depend on what the caches hold
	set(in, GH_STAT_NextGC, true, heap_goal(&c),
	    c.memory_limit == INT64_MAX ? NULL
	    : in->lags			? in->lags
					: in->lists);
}

static void set_fraction(struct inputs *in)
{
	uint64_t bits;
	bool known = counter(in, GH_V_memstats, GH_F_mstats_gc_cpu_fraction, &bits);
	struct gh_stat *stat = &in->out->stat[GH_STAT_GCCPUFraction];

	set(in, GH_STAT_GCCPUFraction, known, bits, known ? NULL : not_in_core);
	memcpy(&stat->real, &stat->value, sizeof(stat->real));
}

static void set_pauses(struct inputs *in)
{
	gh_addr at = in->rt->var[GH_V_memstats];
	const uint8_t *ns, *end;

	if (!at)
		return;
	ns = gh_image_at(in->rt->image, at + (uint64_t)in->rt->layout.offset[GH_F_mstats_pause_ns],
			 GH_PAUSES * 8);
	end = gh_image_at(in->rt->image,
			  at + (uint64_t)in->rt->layout.offset[GH_F_mstats_pause_end],
			  GH_PAUSES * 8);
	if (!ns || !end)
		return;
	in->out->has_pauses = true;
	memcpy(in->out->pause_ns, ns, sizeof(in->out->pause_ns));
	memcpy(in->out->pause_end, end, sizeof(in->out->pause_end));
}

/* HeapAlloc and HeapObjects by the allocation bits, as they would be after the flush. */
static void count_spans(struct inputs *in, const struct gh_span_table *table)
{
	uint64_t bits[GH_PAGE_BYTES / 64]; // more slots than any class has
	struct gh_memstats *out = in->out;

	if (!table || table->unreadable || table->damaged)
		return;
	for (size_t i = 0; i < table->spans.len; i++) {
		const struct gh_span *span = &table->spans.data[i];
		uint64_t n = 0;

		if (span->nelems > sizeof(bits) * 8 || !gh_span_handed_out(in->rt, span, bits))
			return;
		for (size_t w = 0; w < gh_bitmap_words(span->nelems); w++)
			n += (uint64_t)__builtin_popcountll(bits[w]);
		out->span_objects += n;
		out->span_bytes += n * span->elem_bytes;
	}
	for (uint32_t i = 0; i < GH_SIZE_CLASSES; i++)
		out->span_objects -= in->flush.small_frees[i];
	out->span_bytes -= in->flush.free_bytes;
	out->has_spans = true;
}

static void read_flush(struct inputs *in, const struct gh_span_table *table)
{
	struct flush *flush = &in->flush;

	flush->rt = in->rt;
	flush->table = table;
	flush->gc_off = true;
	if (in->rt->var[GH_V_gcphase]) {
		uint32_t phase = 0;

		gh_read_u32(in->rt->image, in->rt->var[GH_V_gcphase], &phase);
		in->out->phase = phase;
		flush->gc_off = phase == 0;
	}
	flush_all(flush);
	in->out->caches = flush->caches;
	in->out->unread_caches = flush->unread;
	in->out->stale_spans = flush->stale;
	// measured: GCSys grows by 2 to 18 KiB out of OtherSys, and OtherSys now and then by 256
	// KiB
	if (flush->spans)
		in->lists =
			"as in memory; to give the caches back, ReadMemStats may take a few KiB "
			"of GCSys out of OtherSys";
	if (flush->unread)
		in->lags = "may lag: what Ps handed out of their caches since the last refill is "
			   "not in the core";
}

void gh_memstats_read(const struct gh_runtime *rt, const struct gh_span_table *table,
		      struct gh_memstats *ret)
{
	struct inputs in = {.rt = rt, .out = ret};

	*ret = (struct gh_memstats){0};
	read_deltas(rt, &in.deltas);
	read_flush(&in, table);
	count_spans(&in, table);
	set_allocations(&in);
	prefer_spans(&in);
	set_memory(&in);
	set_goal(&in);
	set_fixalloc(&in, GH_STAT_MSpanInuse, GH_F_mheap_spanalloc);
	set_fixalloc(&in, GH_STAT_MCacheInuse, GH_F_mheap_cachealloc);
	set_counter(&in, GH_STAT_MSpanSys, GH_V_memstats, GH_F_mstats_mspan_sys);
	set_counter(&in, GH_STAT_MCacheSys, GH_V_memstats, GH_F_mstats_mcache_sys);
	set_counter(&in, GH_STAT_BuckHashSys, GH_V_memstats, GH_F_mstats_buckhash_sys);
	set_counter(&in, GH_STAT_OtherSys, GH_V_memstats, GH_F_mstats_other_sys);
	if (ret->stat[GH_STAT_OtherSys].known)
		ret->stat[GH_STAT_OtherSys].why = in.lists;
	if (ret->stat[GH_STAT_MSpanInuse].known &&
	    in.flush.heap_freed_bytes + in.flush.stack_freed_bytes)
		ret->stat[GH_STAT_MSpanInuse].why = "as in memory; ReadMemStats may free the "
						    "records of spans that it gives back";
	set_counter(&in, GH_STAT_LastGC, GH_V_memstats, GH_F_mstats_last_gc_unix);
	set_counter(&in, GH_STAT_PauseTotalNs, GH_V_memstats, GH_F_mstats_pause_total_ns);
	set_counter(&in, GH_STAT_NumGC, GH_V_memstats, GH_F_mstats_numgc);
	set_counter(&in, GH_STAT_NumForcedGC, GH_V_memstats, GH_F_mstats_numforcedgc);
	set_fraction(&in);
	set_pauses(&in);
	// constants of readmemstats_m
	set(&in, GH_STAT_Lookups, true, 0, NULL);
	set(&in, GH_STAT_EnableGC, true, 1, NULL);
	set(&in, GH_STAT_DebugGC, true, 0, NULL);
}
