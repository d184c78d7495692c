// SPDX-License-Identifier: Apache-2.0
// Several ways from owners to one object: the shortest that differ in the objects on them, or one
// from each owner.
#pragma once

#include "graph/backedges.h"

/** From an owner to the object: nodes[0] is the owner. */
struct gh_route {
	gh_node *nodes; // owned
	size_t n;
};
GH_VEC(gh_route_vec, struct gh_route);

/** Frees the routes, too. */
void gh_routes_deinit(struct gh_route_vec *routes);

/**
 * Append the k shortest ways to a node, none through the same object twice; fewer if there are no
 * more. *is_cut_ret: the search was given up, as it took too long. Errors: NOMEM, LIMIT, CANCELLED.
 */
struct gh_error *gh_routes_shortest(const struct gh_shortest *shortest,
				    const struct gh_backedges *backedges, gh_node node, size_t k,
				    const struct gh_poll *poll, struct gh_route_vec *ret,
				    bool *is_cut_ret) GH_MUST_CHECK;

/**
 * Append a shortest way from each owner that leads to the node, at most k, in the order of
 * gh_shortest_turn and then of length. *more_ret: owners beyond k. Errors: NOMEM, LIMIT, CANCELLED.
 */
struct gh_error *gh_routes_of_owners(const struct gh_backedges *backedges, gh_node node, size_t k,
				     const struct gh_poll *poll, struct gh_route_vec *ret,
				     uint64_t *more_ret) GH_MUST_CHECK;
