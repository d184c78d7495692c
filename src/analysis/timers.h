// SPDX-License-Identifier: Apache-2.0
// Timers as a person asks for them: those in heaps and those that live objects hold outside of any,
// who could stop each, what it keeps. See goruntime/timer.h for what a timer is.
#pragma once

#include "analysis/session.h"
#include "goruntime/timer.h"

enum gh_timer_verdict {
	GH_TIMER_UNJUDGED,    // of the runtime, of a deadline, or nothing tells
	GH_TIMER_UNSTOPPABLE, // nothing but the timer heap and its own callback leads to it
	GH_TIMER_IN_USE,      // nobody can stop it, but somebody has its channel, or sleeps
	GH_TIMER_HELD,	      // somebody could stop it
	GH_TIMER_IS_STOPPED,
};

/** What the heap says of one timer. */
struct gh_timer_fact {
	uint8_t verdict; // enum gh_timer_verdict
	bool has_retained;
	bool has_more;	 // owners than are kept here
	gh_node owner;	 // who alone leads to something that holds the timer (HELD) or its channel
			 // (IN_USE); GH_NODE_NONE: nobody alone, or not known
	gh_node others[2]; // the next ones; GH_NODE_NONE: none
	uint32_t place;	   // of the shared object by which others have it, in the dominator tree; 0: none
	uint32_t receivers; // goroutines in the queue of its channel
	uint64_t goid;	 // of the goroutine that has its channel or sleeps; 0: none
	gh_addr receiver;   // the g of the first of them; 0: none
	uint64_t retained;  // bytes that go with it
};

struct gh_timer_view {
	const struct gh_timers *timers; // borrowed: the session's
	struct gh_timer_vec list;    // all of them, by address
	uint64_t listed_bytes;       // charged for that
	struct gh_budget *budget;    // borrowed
	struct gh_timer_skips skips;
	size_t near; // index into list of what was looked for last
	struct gh_timer_vec outside; // of live objects, in no heap: by address
	struct gh_timer_fact *facts; // owned: of list, then of outside
};

/**
 * Timers of all heaps, then those that live objects hold. Needs stages GOROUTINES, and MARK and
 * DOMINATORS unless `quick`: then there is neither `outside` nor verdict. Errors: theirs, MISSING.
 */
struct gh_error *gh_timer_view_create(struct gh_session *session, bool quick,
				      struct gh_timer_view *ret) GH_MUST_CHECK;
void gh_timer_view_deinit(struct gh_timer_view *view);

static inline size_t gh_timer_view_len(const struct gh_timer_view *view)
{
	return view->list.len + view->outside.len;
}

static inline const struct gh_timer *gh_timer_view_at(const struct gh_timer_view *view, size_t i)
{
	return i < view->list.len ? &view->list.data[i] : &view->outside.data[i - view->list.len];
}

/** Nanotime by which it counts: its bubble's, or the session's. False: not known. */
bool gh_timer_view_now(const struct gh_session *session, const struct gh_timer_view *view,
		       const struct gh_timer *timer, int64_t *ret);
