// SPDX-License-Identifier: Apache-2.0
// Special records of a span's objects: finalizers, cleanups, weak handles, samples of the memory
// profile. Mirrors runtime/mheap.go (special), go1.22 to go1.27.
#pragma once

#include "base/ring.h"
#include "goruntime/span.h"

struct gh_special {
	gh_addr record;
	enum gh_special_kind kind;
	gh_addr object; // the slot that it is about
};

/** A walk over the records of one span, sorted by object. Begins zeroed. */
struct gh_special_walk {
	struct gh_ring ring;
	gh_addr record; // the one at hand
	uint32_t steps;
	bool is_damaged; // it ended before the list did
};

/**
 * The next record. Those that are damaged or of no known kind are passed over; false: there is none,
 * or the list leads nowhere or into itself.
 */
bool gh_special_next(const struct gh_runtime *rt, const struct gh_span *span,
		     struct gh_special_walk *walk, struct gh_special *ret);

/** The record of that kind of the object at base. False: it has none. */
bool gh_special_find(const struct gh_runtime *rt, const struct gh_span *span, gh_addr base,
		     enum gh_special_kind kind, struct gh_special *ret);
