// SPDX-License-Identifier: Apache-2.0
// Progress and cancellation: the one way in which long work talks to a face. The library never
// prints and never looks at signals; a face gives callbacks.
#pragma once

#include "base/error.h"

struct gh_poll {
	/* Say how far a stage is: done of total units (total 0: not known). May be NULL. */
	void (*progress)(void *ctx, const char *stage, uint64_t done, uint64_t total);
	/* True to stop. Called at least every tenth of a second in long work. May be NULL. */
	bool (*cancelled)(void *ctx);
	void *ctx; // borrowed
};

/** Report progress and look for a wish to stop. Errors: CANCELLED. poll may be NULL. */
static inline struct gh_error *gh_poll(const struct gh_poll *poll, const char *stage, uint64_t done,
				       uint64_t total)
{
	if (!poll)
		return NULL;
	if (poll->progress)
		poll->progress(poll->ctx, stage, done, total);
	if (poll->cancelled && poll->cancelled(poll->ctx))
		return gh_error_cancelled();
	return NULL;
}
