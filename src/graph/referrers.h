// SPDX-License-Identifier: Apache-2.0
// Who points here: one sweep over the live heap in the order of its addresses. Raw words first: a
// span is looked through for values in a range, and only an object with such a word is looked at by
// its pointer bits. Nothing is kept per object.
#pragma once

#include "graph/mark.h"
#include "target/ranges.h"

/** A pointer word of a live object into range number `range`. False: stop. */
typedef bool (*gh_referrer_fn)(void *ctx, size_t range, gh_addr at, uint64_t value);

/**
 * Call fn for each pointer word of a live object that leads into one of the n sorted ranges, by
 * address. Errors: CANCELLED, NOMEM.
 */
struct gh_error *gh_referrers_sweep(struct gh_mark *mark, const struct gh_range *ranges, size_t n,
				    const struct gh_poll *poll, gh_referrer_fn fn,
				    void *ctx) GH_MUST_CHECK;
