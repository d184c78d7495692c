// SPDX-License-Identifier: Apache-2.0
// See alloc_site.h.
#include "analysis/alloc_site.h"

#include <string.h>

#include "goruntime/traceback.h"

static bool is_of_runtime(const char *function)
{
	return strncmp(function, "runtime.", 8) == 0 || strncmp(function, "internal/runtime/", 17) == 0;
}

bool gh_alloc_site(const struct gh_session *session, gh_addr addr, struct gh_source_frame *ret)
{
	const struct gh_runtime *rt = session->rt;
	const struct gh_span *span;
	struct gh_alloc_stack stack;
	struct gh_slot_ref ref;
	bool found = false;

	if (!gh_heap_find(session->heap, addr, &ref))
		return false;
	span = gh_span_of_slot(&session->heap->table, ref.slot);
	if (!span || !span->specials || !gh_alloc_stack_find(rt, span, ref.base, &stack))
		return false;
	for (uint32_t i = 0; i < stack.depth; i++) {
		struct gh_source_frame frame;

		if (!gh_alloc_stack_frame(rt, &stack, i, &frame) || !frame.function ||
		    is_of_runtime(frame.function))
			continue;
		if (!gh_is_standard(rt, frame.function)) {
			*ret = frame;
			return true;
		}
		if (!found)
			*ret = frame;
		found = true;
	}
	return found;
}
