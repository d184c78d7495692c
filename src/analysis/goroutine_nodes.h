// SPDX-License-Identifier: Apache-2.0
// Goroutines as owners: the node of each in the owner graph, and what it retains.
#pragma once

#include "analysis/session.h"

struct gh_goroutine_node {
	gh_addr g;
	gh_node node;
};
GH_VEC(gh_goroutine_node_vec, struct gh_goroutine_node);

/** All of them, by address. Computes stage DOMINATORS. Errors: those of the stage, NOMEM. */
struct gh_error *gh_goroutine_nodes_load(struct gh_session *session,
					 struct gh_goroutine_node_vec *ret) GH_MUST_CHECK;

/** Its node; GH_NODE_NONE: it is no owner. */
gh_node gh_goroutine_node(const struct gh_goroutine_node_vec *nodes, const struct gh_goroutine *g);

/** Bytes that g alone keeps alive; false when it is no owner. Needs stage DOMINATORS. */
bool gh_goroutine_retained(const struct gh_session *session,
			   const struct gh_goroutine_node_vec *nodes,
			   const struct gh_goroutine *g, uint64_t *ret);

/**
 * Bytes that nothing would lead to without n goroutines (indices) together: what several of them
 * share is among it. Exact: one mark. What is no owner keeps nothing. Needs
 * stage DOMINATORS. Errors: NOMEM, LIMIT, CANCELLED.
 */
struct gh_error *gh_goroutines_retained(struct gh_session *session,
					const struct gh_goroutine_node_vec *nodes,
					const uint32_t *goroutines, size_t n,
					uint64_t *ret) GH_MUST_CHECK;
