// SPDX-License-Identifier: Apache-2.0
// Immediate dominators of a flow graph, by semi-NCA (Georgiadis, Tarjan, Werneck: "Finding
// Dominators in Practice"): the input is a depth-first tree and the edges that are not in it.
// Vertices are preorder numbers, 0 the root. Knows nothing of heaps.
#pragma once

#include "base/error.h"
#include "base/poll.h"

/** Bytes of scratch a vertex. */
enum { GH_DOMINATORS_SCRATCH = 8 };

/** An edge that is not in the tree; more than once, or from a vertex to itself, does no harm. */
struct gh_flow_edge {
	uint32_t to, from;
};

/**
 * parent: of n vertices, one that is smaller; parent[0] is 0. Turned into immediate dominators.
 * offset: n + 1 long: the edges to vertex v come from sources[offset[v]] to sources[offset[v + 1]]
 * (less one). Used up.
 * scratch: GH_DOMINATORS_SCRATCH bytes a vertex, aligned for any of them; the caller's, who may go on
 * to use its pages: what is in it before and after means nothing.
 *
 * O(m log n) at worst, nearly linear in fact.
 * Errors: NOMEM, CANCELLED.
 */
struct gh_error *gh_dominators(uint32_t n, uint32_t *parent, uint32_t *offset,
			       const uint32_t *sources, void *scratch,
			       const struct gh_poll *poll) GH_MUST_CHECK;
