// SPDX-License-Identifier: Apache-2.0
// What the copy of a living process may go without: pages of the heap that are free, or hold
// contents without pointers. Mirrors runtime/mheap.go (go1.22 to go1.27).
#pragma once

#include "goruntime/runtime.h"

enum {
	// Slots without pointers up to this size are copied all the same: they may be closures
	// over plain numbers, whose first word is their type, or pointer masks that package
	// reflect made.
	GH_SPARE_MIN_ELEM = 128,
	// A channel without pointers begins with its runtime.hchan, its buffer follows.
	GH_SPARE_CHANNEL = 128,
};

/** State of gh_target_spare: begins zeroed, and is put back to that by its end. */
struct gh_spare {
	const struct gh_poll *poll;
	bool needs_channels;   // the beginning of each slot is copied
	struct gh_runtime *rt; // owned, between begin and end
};

/** The callbacks over a state that outlives them. */
struct gh_target_spare gh_spare_callbacks(struct gh_spare *spare);
