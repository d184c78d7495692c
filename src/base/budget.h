// SPDX-License-Identifier: Apache-2.0
// How much memory of our own may be taken. Stages take from it before they allocate what grows with
// the heap; a look at what the process really has (anonymous pages: mapped files can be dropped at
// any time) catches the rest. What does not fit is refused with a sentence, before the kernel kills
// somebody.
#pragma once

#include "base/error.h"

struct gh_budget {
	uint64_t limit_bytes;  // UINT64_MAX: no bound
	bool is_asked_for;     // --max-mem; else what the machine has
	uint64_t taken_bytes;  // by stages, and not given back
	uint64_t start_bytes;  // anonymous memory of the process that is not ours
	uint64_t seen_bytes;   // ours when last looked at
	uint64_t unseen_bytes; // taken since then
	uint64_t peak_bytes;   // of ours, since gh_budget_begin
	struct gh_error *why;  // owned: the first refusal since then; NULL: none
};

/** What the process has now is not ours; no bound. */
void gh_budget_init(struct gh_budget *budget);
void gh_budget_deinit(struct gh_budget *budget);

/**
 * A command begins: what came to the process since gh_budget_end is not ours. limit_bytes: of all
 * that we hold, with what is held already; 0: none was asked for, `available` more may be taken,
 * less what the kernel and the pages of files need.
 */
void gh_budget_begin(struct gh_budget *budget, uint64_t limit_bytes, uint64_t available);
void gh_budget_end(struct gh_budget *budget);

/**
 * Take bytes before they are allocated. False: refused, and gh_budget_why says so; the caller
 * fails as if out of memory. what: "the states of 1000 slots". budget may be NULL. Reads /proc now
 * and then: not for single objects.
 */
bool gh_budget_take(struct gh_budget *budget, uint64_t bytes, const char *what) GH_MUST_CHECK;
void gh_budget_give(struct gh_budget *budget, uint64_t bytes);

/** As gh_budget_take. Errors: LIMIT. */
struct gh_error *gh_budget_charge(struct gh_budget *budget, uint64_t bytes,
				  const char *what) GH_MUST_CHECK;

/** Have we more than we may? Looks at the process: for each tenth of a second. */
bool gh_budget_is_exceeded(struct gh_budget *budget, const char *what);

/** The refusal, in place of an error that came of it; else err. Consumes err. */
struct gh_error *gh_budget_why(struct gh_budget *budget, struct gh_error *err) GH_MUST_CHECK;
