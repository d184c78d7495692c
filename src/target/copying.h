// SPDX-License-Identifier: Apache-2.0
// Local memory for the copy of a process, and the copying itself: made ready before the process
// stands still, and done by several threads while it does. Not for other layers.
#pragma once

#include "base/poll.h"
#include "target/procfs.h"

/** Local memory for neighbouring mappings: they stay neighbours. */
struct gh_block {
	gh_addr lo, hi;
	uint8_t *host; // owned mapping of [lo, hi); only what was opened can be used
};
GH_VEC(gh_block_vec, struct gh_block);

struct gh_snapshot {
	struct gh_block_vec blocks; // sorted, disjoint
};

/** The block that holds addr; NULL: none. */
const struct gh_block *gh_snapshot_block(const struct gh_snapshot *snapshot, gh_addr addr);

/**
 * Have room for all ranges. Ranges that lie within 1 GiB of each other share a block, so that a
 * heap that grows meanwhile stays in one piece; what lies between costs nothing. Errors: IO, NOMEM.
 */
struct gh_error *gh_snapshot_cover(struct gh_snapshot *snapshot,
				   const struct gh_range_vec *ranges) GH_MUST_CHECK;

/** Have the kernel find pages for what will be copied. Only of what is covered. */
struct gh_error *gh_snapshot_populate(const struct gh_snapshot *snapshot,
				      const struct gh_range_vec *ranges,
				      const struct gh_poll *poll) GH_MUST_CHECK;

/**
 * Copy ranges, all of them covered. *lost_ret grows by the bytes that could not be read.
 * Errors: IO (the process has ended), NOMEM, CANCELLED.
 */
struct gh_error *gh_snapshot_copy(const struct gh_snapshot *snapshot, uint32_t pid,
				  const struct gh_range_vec *ranges, const struct gh_poll *poll,
				  uint64_t *lost_ret) GH_MUST_CHECK;

/** Pages that were copied and have no contents any more. */
void gh_snapshot_zero(const struct gh_snapshot *snapshot, const struct gh_range_vec *ranges);
