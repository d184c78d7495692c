// SPDX-License-Identifier: Apache-2.0
// Marking the owner graph again, from some owners and without some objects: what would be left if
// these were gone, what does a set of goroutines reach. One bit a slot; grows as owners are added.
#pragma once

#include "graph/owners.h"

struct gh_reach;

/** cut: bit a slot that is not there; NULL: none. Borrowed, as the graph. Errors: NOMEM, LIMIT. */
struct gh_error *gh_reach_create(const struct gh_owner_graph *graph, const uint64_t *cut,
				 struct gh_reach **ret) GH_MUST_CHECK;
void gh_reach_destroy(struct gh_reach *reach);

/**
 * Add what an owner holds, and what describes it; of the owners inside it only those that are added
 * themselves. Twice is once too often: its own bytes would count twice.
 */
void gh_reach_owner(struct gh_reach *reach, gh_node owner);

/** Follow all that was added. Errors: NOMEM, CANCELLED. */
struct gh_error *gh_reach_drain(struct gh_reach *reach, const struct gh_poll *poll) GH_MUST_CHECK;

/** Was the slot reached? */
bool gh_reach_has(const struct gh_reach *reach, uint64_t slot);

/** Reached so far: bytes of slots, what describes owners included; objects likewise. */
struct gh_reached {
	uint64_t bytes, objects;
};
struct gh_reached gh_reach_sum(const struct gh_reach *reach);

/** All owners: with `cut` what stays, without it all that is live but for orphans that no
 * gh_domtree has found yet.
 */
struct gh_error *gh_reach_all(const struct gh_owner_graph *graph, const uint64_t *cut,
			      const struct gh_poll *poll, struct gh_reached *ret) GH_MUST_CHECK;
