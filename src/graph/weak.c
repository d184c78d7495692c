// SPDX-License-Identifier: Apache-2.0
// See weak.h.
#include "graph/weak.h"

#include "goruntime/special.h"

gh_addr gh_weak_handle(const struct gh_heap *heap, uint64_t slot)
{
	const struct gh_span *span = gh_span_of_slot(&heap->table, slot);
	struct gh_special special;
	gh_addr base = span ? span->base + (slot - span->slot0) * span->elem_bytes : 0;

	if (!span || !gh_special_find(heap->rt, span, base, GH_SPECIAL_WEAK_HANDLE, &special))
		return 0;
	return gh_field_or_zero(heap->rt, special.record, GH_F_specialWeakHandle_handle);
}
