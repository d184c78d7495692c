// SPDX-License-Identifier: Apache-2.0
// What every report about the live set says of itself: comparisons with the runtime's own counters,
// and what was missed.
#pragma once

#include "analysis/session.h"
#include "report/report.h"

/** session: stage MARK is done. */
void gh_heap_notes(const struct gh_session *session, struct gh_report *report);

/**
 * A part of the answer was cancelled, or does not fit the budget: a note says that it is `missing`,
 * and the rest is told. Consumes err; returns what is worse.
 */
struct gh_error *gh_settle_part(const struct gh_session *session, struct gh_report *report,
				struct gh_error *err, const char *missing) GH_MUST_CHECK;
