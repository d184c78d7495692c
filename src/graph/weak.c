// SPDX-License-Identifier: Apache-2.0
// See weak.h.
#include "graph/weak.h"

enum { MAX_SPECIALS = 1 << 20 }; // of one span: a damaged list may be a ring

static bool is_of(const struct gh_runtime *rt, gh_addr record, uint64_t first, uint64_t bytes)
{
	uint64_t kind, offset;

	return gh_field(rt, record, GH_F_special_kind, &kind) &&
	       gh_field(rt, record, GH_F_special_offset, &offset) &&
	       kind < rt->release->nspecial_kinds &&
	       rt->release->special_kinds[kind] == GH_SPECIAL_WEAK_HANDLE &&
	       offset - first < bytes;
}

gh_addr gh_weak_handle(const struct gh_heap *heap, uint64_t slot)
{
	const struct gh_span *span = gh_span_of_slot(&heap->table, slot);
	const struct gh_runtime *rt = heap->rt;
	uint64_t record = span ? span->specials : 0;

	for (int i = 0; record && i < MAX_SPECIALS; i++) {
		if (is_of(rt, record, (slot - span->slot0) * span->elem_bytes, span->elem_bytes))
			return gh_field_or_zero(rt, record, GH_F_specialWeakHandle_handle);
		if (!gh_field(rt, record, GH_F_special_next, &record))
			break;
	}
	return 0;
}
