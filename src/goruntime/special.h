// SPDX-License-Identifier: Apache-2.0
// Special records of a span's objects: finalizers, cleanups, weak handles. Mirrors runtime/mheap.go
// (special), go1.22 to go1.27.
#pragma once

#include "goruntime/span.h"

struct gh_special {
	gh_addr record;
	enum gh_special_kind kind;
	gh_addr object; // the slot that it is about
	gh_addr next;	// record; 0: none
};

/** The record of one of the span's objects. False: it is damaged, or of no known kind. */
bool gh_special_read(const struct gh_runtime *rt, const struct gh_span *span, gh_addr record,
		     struct gh_special *ret);
