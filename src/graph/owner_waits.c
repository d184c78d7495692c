// SPDX-License-Identifier: Apache-2.0
// The records by which a goroutine stands in queues (sudog) describe the goroutine, whoever's queue
// it is. Where types are known bookkeeping.c would find them too; without DWARF they have none. See
// owners.h.
#include "graph/owner_build.h"

struct gh_error *gh_owner_load_semaphores(struct owner_build *b)
{
	return gh_semaphores_load(b->in->heap->rt, &b->semaphores);
}

void gh_owner_find_waits(struct owner_build *b, gh_node goroutine, const struct gh_goroutine *g,
			 const struct gh_stack_scan *scan)
{
	struct gh_error *err = gh_wait_load(b->in->heap->rt, g, &b->semaphores, &scan->frames,
					    &b->wait);

	b->nomem |= err != NULL;
	gh_error_destroy(err);
	for (size_t i = 0; i < b->wait.sudogs.len; i++)
		gh_owner_describe_slot(b, goroutine, b->wait.sudogs.data[i].addr);
}
