// SPDX-License-Identifier: Apache-2.0
// Walks of linked lists in memory that may be damaged: has the list bitten its tail? Brent's way: a
// tortoise that jumps in powers of two; a cycle is seen after at most three times its length.
#pragma once

#include "base/defs.h"

/** Begins zeroed. */
struct gh_ring {
	gh_addr tortoise;
	uint64_t step, limit;
};

/** True when the walk was at `node` before: it must end. Called once for each node. */
static inline bool gh_ring_closes(struct gh_ring *ring, gh_addr node)
{
	if (ring->limit && node == ring->tortoise)
		return true;
	if (ring->step++ == ring->limit) {
		ring->tortoise = node;
		ring->limit = ring->limit ? ring->limit * 2 : 1;
		ring->step = 0;
	}
	return false;
}
