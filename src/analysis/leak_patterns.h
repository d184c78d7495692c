// SPDX-License-Identifier: Apache-2.0
// What usually causes a wait that does not end, and what to change: by what a goroutine waits for,
// by what holds the channel, and by the code that waits. Where that leaves it open, "unknown".
#pragma once

#include "analysis/leak_proof.h"
#include "goruntime/chancode.h"

struct gh_leak_pattern {
	const char *pattern, *fix; // static; NULL: nothing is to be said
};

/** What is known of goroutines with one stack that wait. */
struct gh_leak_evidence {
	const struct gh_leak_candidate *candidate; // one of them
	bool shared;	// several of them wait for one object
	bool context;	// a channel of theirs is that of a context
	bool other;	// something else holds a channel of empty values of theirs
	struct gh_chancode code;
};

struct gh_leak_pattern gh_leak_pattern(const struct gh_leak_evidence *evidence);
