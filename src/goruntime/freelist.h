// SPDX-License-Identifier: Apache-2.0
// What the runtime keeps in the Go heap to use again: free sudogs and defer records. They are its
// own, and hold nothing. Mirrors runtime/proc.go (acquireSudog), panic.go (newdefer), go1.22 to
// go1.27.
#pragma once

#include "goruntime/runtime.h"

struct gh_freelists {
	struct gh_addr_vec sudogs, defers; // addresses; owned
	uint64_t damaged;		   // lists that were not followed to their end
};

/** *ret is zeroed before. Errors: NOMEM. */
struct gh_error *gh_freelists_load(const struct gh_runtime *rt,
				   struct gh_freelists *ret) GH_MUST_CHECK;
void gh_freelists_deinit(struct gh_freelists *lists);
