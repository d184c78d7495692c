// SPDX-License-Identifier: Apache-2.0
// Which channels are those that contexts close when they end: by the live objects that hold them. A
// context may be garbage by the time that only its channel is waited for; then nothing here tells, as
// what lies in freed memory may be of the time when the slot was another channel's. Mirrors
// context/context.go (cancelCtx{…, done atomic.Value, …}), go1.22 to go1.27.
#pragma once

#include "analysis/session.h"

enum gh_chan_origin {
	GH_ORIGIN_UNKNOWN, // no object but closures holds it: it was given from hand to hand
	GH_ORIGIN_CONTEXT, // it is that of a context
	GH_ORIGIN_OTHER,   // something else holds it, and no context does
};

/**
 * channels: n different ones, sorted. Writes n of enum gh_chan_origin to ret. Stage OWNERS is there.
 * One sweep over the live words of the heap. Errors: NOMEM, LIMIT, CANCELLED.
 */
struct gh_error *gh_contexts_find(struct gh_session *session, const gh_addr *channels, size_t n,
				  uint8_t *ret) GH_MUST_CHECK;
