// SPDX-License-Identifier: Apache-2.0
// Who could stop a timer, and what it keeps: out of the owner graph.
#pragma once

#include "analysis/timers.h"

/**
 * Fill the facts of all timers that are armed. A timer can be stopped by who reaches the
 * *time.Timer behind it by another way than the timer heap and the channel (which leads back to its
 * timer since go1.23, but lets nobody stop it). After stage DOMINATORS. Errors: NOMEM, CANCELLED.
 */
struct gh_error *gh_timer_verdicts(struct gh_session *session,
				   struct gh_timer_view *view) GH_MUST_CHECK;
