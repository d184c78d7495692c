// SPDX-License-Identifier: Apache-2.0
// Stage HEAP of a session: spans, page table, allocation bits. See session.h.
#include "analysis/session.h"

struct gh_error *gh_session_spans(struct gh_session *session)
{
	struct gh_error *err;

	if (session->heap)
		return NULL;
	err = gh_session_runtime(session);
	if (!err)
		err = gh_target_check(session->target);
	if (!err)
		err = gh_heap_load(session->rt, &session->poll, &session->heap);
	gh_lap(&session->laps, "spans");
	return err;
}

struct gh_error *gh_session_heap(struct gh_session *session)
{
	struct gh_error *err = gh_session_spans(session);

	if (err || session->heap->is_open)
		return err;
	err = gh_heap_open(session->heap);
	gh_lap(&session->laps, "contents");
	return err;
}
