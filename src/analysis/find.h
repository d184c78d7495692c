// SPDX-License-Identifier: Apache-2.0
// Bytes in live objects: where a pattern occurs. Looks at memory span by span; knows nothing of
// what the bytes mean.
#pragma once

#include "analysis/session.h"
#include "base/vec.h"

struct gh_pattern {
	const void *bytes; // borrowed
	size_t len;	   // > 0
};

struct gh_found {
	struct gh_addr_vec all; // of the first byte of each occurrence, by address
	uint64_t total;		// occurrences; with stopped: at least
	uint64_t objects;	// that have one, likewise
	bool stopped;		// at max
	uint64_t charged_bytes; // of the session's budget
};

/**
 * All occurrences, which do not overlap, each within one live slot; stops after max. Stage MARK is
 * there. About a second a GiB. Errors: NOMEM, LIMIT, CANCELLED.
 */
struct gh_error *gh_find(struct gh_session *session, struct gh_pattern pattern, uint64_t max,
			 struct gh_found *ret) GH_MUST_CHECK;
void gh_found_deinit(struct gh_session *session, struct gh_found *found);
