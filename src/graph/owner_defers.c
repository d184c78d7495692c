// SPDX-License-Identifier: Apache-2.0
// Pending defers as owners inside their goroutine: of the record, of the closure, and of what that
// captured, on the stack too. See owners.h.
#include <stdlib.h>

#include "graph/owner_build.h"

enum { CLOSURE_WORDS = 64 }; // looked at, of one on the stack

static int by_lo(const void *a, const void *b)
{
	const struct owner_range *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* The last range that starts at or below the address; they do not overlap but in damaged cores. */
gh_node gh_owner_of_word(const struct owner_build *b, gh_node goroutine, gh_addr at)
{
	size_t lo = 0, hi = b->ranges.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (b->ranges.data[mid].lo <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && at < b->ranges.data[lo - 1].hi ? b->ranges.data[lo - 1].owner : goroutine;
}

static void add_range(struct owner_build *b, gh_node owner, gh_addr lo, uint64_t bytes)
{
	b->nomem |= !owner_range_vec_push(&b->ranges, (struct owner_range){lo, lo + bytes, owner});
}

/* The words of a closure that lies on the stack. */
static void add_closure(struct owner_build *b, gh_node owner, const struct gh_goroutine *g,
			const struct gh_stack_scan *scan, const struct gh_defer *d)
{
	struct gh_closure_object object = {.pc = d->code, .on_stack = true};
	gh_type_id type;

	if (d->fn < g->stack_lo || d->fn >= g->stack_hi)
		return;
	object.words = gh_min_u64(CLOSURE_WORDS, (g->stack_hi - d->fn) / 8);
	if (!gh_stack_places_bits(&b->places, scan, d->fn, &object.bits)) {
		b->nomem = true;
		return;
	}
	type = gh_types_closure(b->in->types, &object);
	if (type)
		add_range(b, owner, d->fn, gh_types_get(b->in->types, type)->nwords * 8);
}

static void add_defer(struct owner_build *b, gh_node goroutine, const struct gh_goroutine *g,
		      const struct gh_stack_scan *scan, const struct gh_defer *d)
{
	int32_t size = b->in->heap->rt->layout.struct_size[GH_S__defer];
	gh_node owner;

	if (d->is_list) { // describes how the goroutine runs, and no defer
		gh_owner_describe_slot(b, goroutine, d->record);
		gh_owner_describe_slot(b, goroutine, d->head);
		return;
	}
	owner = gh_owner_add(b, (struct gh_owner){.kind = GH_ROOT_DEFER,
						  .name = gh_owner_function(b, d->code),
						  .goid = g->goid,
						  .addr = d->record ? d->record : d->fn_at,
						  .parent = goroutine});
	if (owner == GH_NODE_ROOT)
		return;
	if (d->is_heap)
		gh_owner_describe_slot(b, owner, d->record);
	if (d->record && size > 0) // the scan of a stack reads records in the heap, too
		add_range(b, owner, d->record, (uint64_t)size);
	if (!d->record)
		add_range(b, owner, d->fn_at, 8);
	add_closure(b, owner, g, scan, d);
}

void gh_owner_find_defers(struct owner_build *b, gh_node goroutine, const struct gh_goroutine *g,
			  const struct gh_stack_scan *scan)
{
	struct gh_defer_skips skips = {0};
	struct gh_error *err;

	b->ranges.len = b->defers.len = 0;
	gh_stack_places_reset(&b->places);
	err = gh_defers_load(b->in->heap->rt, g, &scan->frames, &b->defers, &skips);
	b->nomem |= err != NULL;
	gh_error_destroy(err);
	for (size_t i = 0; i < b->defers.len; i++)
		add_defer(b, goroutine, g, scan, &b->defers.data[i]);
	if (b->ranges.len)
		qsort(b->ranges.data, b->ranges.len, sizeof(*b->ranges.data), by_lo);
}
