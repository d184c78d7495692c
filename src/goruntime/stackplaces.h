// SPDX-License-Identifier: Apache-2.0
// Where on a stack the scan found precise pointers: questions about a few words at a time, in
// logarithmic time. A deep recursion has as many closures on its stack as it has frames.
#pragma once

#include "goruntime/stack.h"

/** Zeroed before the first use; serves one goroutine after the other. */
struct gh_stack_places {
	struct gh_addr_vec at; // owned; sorted, once asked
	bool known;
};

/** Forget the last goroutine. */
static inline void gh_stack_places_reset(struct gh_stack_places *places)
{
	places->at.len = 0;
	places->known = false;
}

static inline void gh_stack_places_deinit(struct gh_stack_places *places)
{
	gh_addr_vec_deinit(&places->at);
}

/**
 * Bit a word from addr on, 64 of them: the collector follows it, and it is no nil. False: out of
 * memory.
 */
bool gh_stack_places_bits(struct gh_stack_places *places, const struct gh_stack_scan *scan,
			  gh_addr addr, uint64_t *ret);
