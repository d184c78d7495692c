// SPDX-License-Identifier: Apache-2.0
// An argument that names a node of the owner graph: an address, a goroutine's number, an owner's
// name.
#pragma once

#include "analysis/slot.h"

/**
 * Stage OWNERS is there. *node_ret: GH_NODE_NONE for an object without pointers that only one word
 * refers to. *slot_ret: of an object. An address in what describes an owner means the owner.
 * Errors: USAGE, MISSING (nothing live is there; no owner has that name).
 */
struct gh_error *gh_owner_arg(struct gh_session *session, const char *word, struct gh_arena *arena,
			      gh_node *node_ret, struct gh_slot *slot_ret) GH_MUST_CHECK;

/** Does an owner have this name: the variable's, or all of gh_owner_describe? */
bool gh_owner_is_named(const struct gh_owner_graph *graph, gh_node owner, const char *name);
