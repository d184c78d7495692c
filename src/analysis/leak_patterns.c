// SPDX-License-Identifier: Apache-2.0
// See leak_patterns.h.
#include "analysis/leak_patterns.h"

static const struct gh_leak_pattern
	premature_return = {"premature return",
			    "give the channel room for the result (make(chan T, 1)), or send in a "
			    "select with the context's Done"},
	double_send = {"double send", "send once, or in a select with the context's Done"},
	missing_receiver = {"missing receiver",
			    "keep receiving until all senders are done, or let them give up in a "
			    "select"},
	range_never_closed = {"range over a channel never closed",
			      "close the channel when nothing more is sent"},
	missing_sender = {"missing sender",
			  "close the channel on every path of the sender, or receive in a select "
			  "with the context's Done"},
	forgotten_context = {"forgotten context",
			     "call the context's cancel function (defer cancel()), or close the "
			     "done channel"},
	done_never_closed = {"done channel never closed",
			     "close the done channel on every path of what it belongs to"},
	no_way_out = {"select without a way out",
		      "add a case that ends it: the context's Done"},
	unknown_send = {"unknown", "find who should have received, and why the buffer is full"},
	unknown_result = {"unknown", "keep receiving until all senders are done, or give the channel "
				     "room for the result"},
	unknown_receive = {"unknown", "close the channel when nothing more is sent, on every path of "
				      "the sender"},
	unknown_end = {"unknown", "call the context's cancel function (defer cancel()), or close the "
				  "done channel, whichever it is"};

/*
 * One result that nobody takes is the work of a receiver that returned; who sends again and again,
 * or whose place in the buffer another one took, needs somebody who goes on receiving. Where a way
 * leads there from another send on the same channel, that is taken to have been received.
 */
static struct gh_leak_pattern of_send(const struct gh_leak_evidence *e)
{
	uint32_t capacity = e->candidate->capacity;

	if (e->shared || capacity > 1 || e->code.in_loop)
		return missing_receiver;
	if (!e->code.is_known)
		return capacity ? unknown_send : unknown_result;
	if (capacity)
		return e->code.sent_before ? double_send : missing_receiver;
	return e->code.sent_there_before ? double_send : premature_return;
}

/*
 * A live context has the channel; or the code that waits got it from a method like Done, and nothing
 * else is seen to hold it.
 */
static bool is_of_context(const struct gh_leak_evidence *e)
{
	return e->context || (e->candidate->nsignals && e->code.is_result && !e->other);
}

static struct gh_leak_pattern of_receive(const struct gh_leak_evidence *e)
{
	const struct gh_leak_candidate *c = e->candidate;

	if (is_of_context(e))
		return forgotten_context;
	if (c->is_range && !e->code.is_known)
		return unknown_receive;
	if (c->is_range && e->code.in_loop)
		return range_never_closed;
	// a channel that is only closed, and nothing tells whose it was
	return c->nsignals && !e->other && !e->code.is_known ? unknown_end : missing_sender;
}

static struct gh_leak_pattern of_select(const struct gh_leak_evidence *e)
{
	if (is_of_context(e))
		return forgotten_context;
	if (!e->candidate->nsignals)
		return no_way_out;
	return e->other ? done_never_closed : unknown_end;
}

struct gh_leak_pattern gh_leak_pattern(const struct gh_leak_evidence *e)
{
	switch ((enum gh_wait_kind)e->candidate->kind) {
	case GH_WAIT_SEND:
		return of_send(e);
	case GH_WAIT_RECEIVE:
		return of_receive(e);
	case GH_WAIT_SELECT:
		return of_select(e);
	case GH_WAIT_FOREVER:
		return (struct gh_leak_pattern){"wait that nothing ends",
						"make the channel before it is used (that of "
						"context.Background() is nil); end the "
						"goroutine instead of select {}"};
	case GH_WAIT_MUTEX:
	case GH_WAIT_READ_LOCK:
	case GH_WAIT_WRITE_LOCK:
		return (struct gh_leak_pattern){"lock never released",
						"unlock on every path: defer Unlock right after "
						"Lock"};
	case GH_WAIT_WAIT_GROUP:
		return (struct gh_leak_pattern){"missing Done",
						"defer Done first thing in each goroutine that "
						"was added; if these wait, too, end that"};
	case GH_WAIT_COND:
		return (struct gh_leak_pattern){"missing Signal",
						"call Signal or Broadcast whenever the condition "
						"changes"};
	case GH_WAIT_NONE:
	case GH_WAIT_SEMAPHORE:
	case GH_WAIT_SLEEP:
	case GH_WAIT_IO:
	case GH_WAIT_COROUTINE:
	case GH_WAIT_RUNTIME:
		break;
	}
	return (struct gh_leak_pattern){NULL, NULL};
}
