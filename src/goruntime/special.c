// SPDX-License-Identifier: Apache-2.0
// See special.h.
#include "goruntime/special.h"

enum { MAX_RECORDS = 1 << 20 }; // of one span: several an object, thousands of cleanups of one

static bool read_special(const struct gh_runtime *rt, const struct gh_span *span, gh_addr record,
			 struct gh_special *ret)
{
	uint64_t number, offset;

	if (!gh_field(rt, record, GH_F_special_kind, &number) ||
	    !gh_field(rt, record, GH_F_special_offset, &offset) ||
	    number >= rt->release->nspecial_kinds || offset >= gh_span_bytes(span))
		return false;
	*ret = (struct gh_special){
		.record = record,
		.kind = rt->release->special_kinds[number],
		.object = span->base + offset / span->elem_bytes * span->elem_bytes,
	};
	return true;
}

static bool step(const struct gh_runtime *rt, const struct gh_span *span,
		 struct gh_special_walk *walk)
{
	uint64_t next = span->specials;

	if (walk->steps && !gh_field(rt, walk->record, GH_F_special_next, &next))
		walk->is_damaged = true;
	if (walk->is_damaged || !next)
		return false;
	walk->is_damaged = walk->steps++ >= MAX_RECORDS || gh_ring_closes(&walk->ring, next);
	walk->record = next;
	return !walk->is_damaged;
}

bool gh_special_next(const struct gh_runtime *rt, const struct gh_span *span,
		     struct gh_special_walk *walk, struct gh_special *ret)
{
	while (step(rt, span, walk))
		if (read_special(rt, span, walk->record, ret))
			return true;
	return false;
}

bool gh_special_find(const struct gh_runtime *rt, const struct gh_span *span, gh_addr base,
		     enum gh_special_kind kind, struct gh_special *ret)
{
	struct gh_special_walk walk = {0};
	struct gh_special special;

	while (gh_special_next(rt, span, &walk, &special)) {
		if (special.object == base && special.kind == kind) {
			*ret = special;
			return true;
		}
		if (special.object > base) // runtime/mheap.go: specialFindSplicePoint
			return false;
	}
	return false;
}
