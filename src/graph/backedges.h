// SPDX-License-Identifier: Apache-2.0
// Who refers to whom, backwards: the edges of the owner graph by target, for questions that walk up
// by all ways and not by one. 8 bytes a node and 4 an edge.
#pragma once

#include "graph/shortest.h"

struct gh_backedges {
	const struct gh_owner_graph *graph; // borrowed
	uint64_t *first; // owned: by node, less the owners: of `from`; one more at the end
	gh_node *from;	 // owned: one a word; a holder's words for one target come in a row
	uint64_t nedges;
	uint64_t charged_bytes;
};

/** Two sweeps over all live words. Errors: NOMEM, LIMIT, CANCELLED. */
struct gh_error *gh_backedges_create(const struct gh_owner_graph *graph,
				     const struct gh_poll *poll,
				     struct gh_backedges **ret) GH_MUST_CHECK;
void gh_backedges_destroy(struct gh_backedges *backedges);

/** The first word of a node (or owner) that leads to the slot; from is GH_NODE_ROOT: none does. */
struct gh_shortest_link gh_backedges_link(const struct gh_owner_graph *graph, gh_node from,
					  uint64_t slot);
