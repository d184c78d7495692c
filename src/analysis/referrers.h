// SPDX-License-Identifier: Apache-2.0
// Who refers to some addresses: roots and live objects, each with its first word and how many there
// are. Names are for those who show them: analysis/place.h.
#pragma once

#include "analysis/session.h"
#include "base/vec.h"
#include "graph/referrers.h"

struct gh_referrer {
	gh_addr at;	   // the first word; 0: a register, or a word that is not known
	uint64_t value;	   // of that word
	uint32_t count;	   // words, as far as 32 bits go
	bool is_root;	   // else `at` lies in a live object
	bool conservative; // a word of a root that may be a pointer
	uint8_t kind;	   // enum gh_root_kind, of roots
	uint64_t goid;	   // of goroutines
};
GH_VEC(gh_referrer_vec, struct gh_referrer);

struct gh_referrers {
	struct gh_referrer_vec all; // roots, then objects by address
	uint64_t nroots;
	uint64_t charged_bytes; // of the session's budget
};

/**
 * Referrers of what lies in the range, at most `max` of them: 1 stops at the first. Stage MARK is
 * there. Errors: NOMEM, LIMIT, CANCELLED.
 */
struct gh_error *gh_referrers_find(struct gh_session *session, struct gh_range range, uint64_t max,
				   struct gh_referrers *ret) GH_MUST_CHECK;
/** Append one, and charge it. False: out of memory, or of the budget. */
bool gh_referrers_push(struct gh_session *session, struct gh_referrers *referrers,
		       const struct gh_referrer *referrer) GH_MUST_CHECK;
void gh_referrers_deinit(struct gh_session *session, struct gh_referrers *referrers);

/**
 * For each of n disjoint sorted ranges the first referrer; its count is 0 where nobody refers to
 * it. One visit of the roots and one sweep. Errors: as gh_referrers_find.
 */
struct gh_error *gh_referrers_first(struct gh_session *session, const struct gh_range *ranges,
				    size_t n, struct gh_referrer *ret) GH_MUST_CHECK;

/** Is this one of no interest? */
typedef bool (*gh_referrer_skip_fn)(void *ctx, size_t range, const struct gh_referrer *referrer);

/**
 * For each of n disjoint sorted ranges the first k referrers: ret[range * k], …; their count is 0
 * behind the last one. counts_ret: how many there are. A goroutine counts once: `at` is the word of
 * its outermost frame. One visit of the roots and one sweep. Errors: as gh_referrers_find.
 */
struct gh_referrers_few {
	size_t k;
	gh_referrer_skip_fn skip;
	void *ctx; // of skip
	struct gh_referrer *ret;
	uint64_t *counts_ret;
};
struct gh_error *gh_referrers_few(struct gh_session *session, const struct gh_range *ranges,
				  size_t n, const struct gh_referrers_few *few) GH_MUST_CHECK;
