// SPDX-License-Identifier: Apache-2.0
// What every report about the live set says of itself: comparisons with the runtime's own counters,
// and what was missed.
#pragma once

#include "analysis/session.h"
#include "report/report.h"

/** session: stage MARK is done. */
void gh_heap_notes(const struct gh_session *session, struct gh_report *report);
