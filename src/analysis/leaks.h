// SPDX-License-Identifier: Apache-2.0
// Goroutines that hang, in three tiers: proven never to run again, likely never to, and parked by
// design; grouped by their stacks, with what usually causes such a wait and what to change.
#pragma once

#include "analysis/leak_proof.h"
#include "analysis/stackgroups.h"

enum gh_leak_tier { GH_LEAK_PROVEN, GH_LEAK_LIKELY, GH_LEAK_PARKED };

/** "proven", "likely", "parked". */
const char *gh_leak_tier_name(enum gh_leak_tier tier);

struct gh_leak {
	enum gh_leak_tier tier;
	size_t group;		// index into groups
	size_t first, count;	// members[first], …: indices into session->goroutines
	uint64_t retained;	// each alone keeps it alive, summed
	int64_t wait_ns_max;	// -1: not known
	const char *pattern;	// what causes it; of parked ones why they are no leak. Static
	const char *fix;	// what to change; NULL: nothing
};
GH_VEC(gh_leak_vec, struct gh_leak);

struct gh_leaks {
	struct gh_session *session; // borrowed
	struct gh_leak_proof proof;
	struct gh_stack_groups groups;
	struct gh_leak_vec all; // proven ones first, then by what they keep, then by count
	uint32_t *members;	// owned
};

/** What makes a group likely: so many at one place, half of which wait at least so long. */
struct gh_leaks_query {
	uint64_t count;
	int64_t wait_ns;
};
extern const struct gh_leaks_query gh_leaks_query;

/** Computes stage DOMINATORS. *ret is zeroed before. Errors: those of it; NOMEM, CANCELLED. */
struct gh_error *gh_leaks_find(struct gh_session *session, const struct gh_leaks_query *query,
			       struct gh_leaks *ret) GH_MUST_CHECK;
void gh_leaks_deinit(struct gh_leaks *leaks);
