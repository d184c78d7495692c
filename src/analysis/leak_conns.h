// SPDX-License-Identifier: Apache-2.0
// Goroutines that go with an open connection each: what watches one, or takes what it sends, waits
// as long as it is open and nothing comes. Many of them at one place are no sign of a leak.
#pragma once

#include "analysis/goroutine_nodes.h"
#include "base/radix.h"

struct gh_leak_conns {
	struct gh_session *session; // borrowed
	struct gh_key_vec sockets;  // by slot: those that are open
};

/** Computes stage DOMINATORS. *ret is zeroed before. Errors: those of gh_conns_find. */
struct gh_error *gh_leak_conns_find(struct gh_session *session,
				    struct gh_leak_conns *ret) GH_MUST_CHECK;
void gh_leak_conns_deinit(struct gh_leak_conns *conns);

/**
 * Do half of these goroutines (indices) lead to an open socket to which less than a quarter of the
 * others lead? Looks at 16 of them, and at the 2,048 objects that are nearest to each. Errors: NOMEM.
 */
struct gh_error *gh_leak_conns_are_own(const struct gh_leak_conns *conns,
				       const struct gh_goroutine_node_vec *nodes,
				       const uint32_t *goroutines, size_t n,
				       bool *ret) GH_MUST_CHECK;
