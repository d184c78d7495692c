// SPDX-License-Identifier: Apache-2.0
// Sets of addresses: sorted ranges that do not overlap.
#pragma once

#include "base/error.h"
#include "base/vec.h"

struct gh_range {
	gh_addr lo, hi; // [lo, hi), not empty
};
GH_VEC(gh_range_vec, struct gh_range);

/** Append a range that begins at or behind the end of the last one: what touches is joined. */
bool gh_ranges_append(struct gh_range_vec *set, gh_addr lo, gh_addr hi) GH_MUST_CHECK;

/** Make a set of ranges in any order, which may overlap; empty ones are dropped. */
void gh_ranges_arrange(struct gh_range_vec *ranges);

/** The one of n sorted ranges that holds addr; n: none does. Binary search. */
size_t gh_ranges_find(const struct gh_range *sorted, size_t n, gh_addr addr);

uint64_t gh_ranges_bytes(const struct gh_range_vec *set);

/** What is in a and not in b; what is in both. Appended to *ret, a new set. Errors: NOMEM. */
struct gh_error *gh_ranges_subtract(const struct gh_range_vec *a, const struct gh_range_vec *b,
				    struct gh_range_vec *ret) GH_MUST_CHECK;
struct gh_error *gh_ranges_intersect(const struct gh_range_vec *a, const struct gh_range_vec *b,
				     struct gh_range_vec *ret) GH_MUST_CHECK;
