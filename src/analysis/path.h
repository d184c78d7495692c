// SPDX-License-Identifier: Apache-2.0
// A path from an owner to an object, hop by hop. Knows words and objects; path_name.h knows what
// people call them.
#pragma once

#include "analysis/session.h"

struct gh_path_hop {
	gh_addr at;	  // the word; 0: a register
	uint64_t value;	  // what it holds
	gh_addr object;	  // the slot that it leads to
	uint64_t repeats; // the same step so many times in a row: `at` is of the last one
};
GH_VEC(gh_path_hop_vec, struct gh_path_hop);

struct gh_path {
	gh_node owner;
	struct gh_path_hop_vec hops; // owned; from the owner on
	uint64_t length;	     // hops in all
	uint64_t cut;		     // of them: left out before hops.data[cut_at]
	size_t cut_at;
};
GH_VEC(gh_path_vec, struct gh_path);

void gh_path_deinit(struct gh_path *path);

/** A path in the making, from the object up to its owner. */
struct gh_path_builder {
	struct gh_session *session; // borrowed: stage SHORTEST is there
	struct up_hop *low, *high;  // owned: the first ones, and a ring of the last ones
	size_t nlow, nhigh, high_at;
	uint64_t length, cut;
	gh_node owner; // GH_NODE_ROOT until it was reached
	uint64_t slot; // of the node that was pushed last
};

/** The word that leads to the object in that slot. False: out of memory. */
bool gh_path_push(struct gh_path_builder *b, struct gh_shortest_link link,
		  uint64_t slot) GH_MUST_CHECK;

/** Go on along the shortest path from a node (an owner ends it). Errors: NOMEM, CANCELLED. */
struct gh_error *gh_path_push_shortest(struct gh_path_builder *b, gh_node node) GH_MUST_CHECK;

/** The path; leaves the builder empty. Errors: NOMEM. */
struct gh_error *gh_path_finish(struct gh_path_builder *b, struct gh_path *ret) GH_MUST_CHECK;
void gh_path_builder_deinit(struct gh_path_builder *b);
