// SPDX-License-Identifier: Apache-2.0
// Which blocked goroutines can never run again: the fixed point that the runtime's goroutineleak
// profile computes (runtime/mgc.go, findMaybeRunnableGoroutines, go1.26 and later), for every
// release. From all owners but the goroutines that wait for channels and locks, what they reach is
// marked; a goroutine whose channel or lock was reached may go on, and what it reaches is marked
// too, until nothing changes. The state that the runtime left in a g is no input.
#pragma once

#include "analysis/blocked.h"
#include "analysis/goroutine_nodes.h"

/** A goroutine that waits for something that only another one can give. */
struct gh_leak_candidate {
	uint32_t g;   // index into session->goroutines
	uint8_t kind; // enum gh_wait_kind; WAIT_GROUP also where the runtime says semacquire
	bool is_range;	   // receives with `for range` or `v, ok :=`
	bool cannot_know;  // what it waits for was not found
	bool is_proven;
	uint32_t capacity; // of the channel it sends to
	uint32_t first, nobjects;	 // of objects
	uint32_t first_signal, nsignals; // of signals
};
GH_VEC(gh_leak_candidate_vec, struct gh_leak_candidate);

struct gh_leak_proof {
	struct gh_leak_candidate_vec all; // in the order of goroutines
	struct gh_addr_vec objects;	  // channels, locks' semaphores, notifyLists
	// channels of empty values without a buffer that they receive from, as a context's
	struct gh_addr_vec signals;
	struct gh_goroutine_node_vec nodes;
	uint64_t nproven;
	uint64_t proven_bytes; // what all proven ones together keep alive, themselves included
	bool is_incomplete;    // memory is missing: nothing is proven
	struct gh_blocked_counts counts;
	struct gh_budget *budget; // borrowed
	uint64_t charged_bytes;
};

/** Computes stage DOMINATORS. *ret is zeroed before. Errors: those of it; NOMEM, CANCELLED. */
struct gh_error *gh_leak_proof_make(struct gh_session *session,
				    struct gh_leak_proof *ret) GH_MUST_CHECK;
void gh_leak_proof_deinit(struct gh_leak_proof *proof);

/** The candidate that is this goroutine; NULL: it is none. */
const struct gh_leak_candidate *gh_leak_candidate_of(const struct gh_leak_proof *proof, uint32_t g);
