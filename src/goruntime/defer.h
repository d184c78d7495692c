// SPDX-License-Identifier: Apache-2.0
// Pending defers of a goroutine, and its panics in progress. Mirrors runtime/panic.go, runtime2.go
// (_defer, _panic), cmd/compile's open-coded defers (FUNCDATA_OpenCodedDeferInfo), go1.22 to
// go1.27.
#pragma once

#include "goruntime/stack.h"

enum gh_defer_kind {
	GH_DEFER_HEAP,	     // its record lies in the heap: a defer in a loop
	GH_DEFER_STACK,	     // its record lies in the frame
	GH_DEFER_OPEN_CODED, // no record: a bit and a slot of the frame
	GH_DEFER_RANGE_FUNC, // in the body of a range over a function: a list of its own
};

enum { GH_DEFER_NO_FRAME = UINT32_MAX };

struct gh_defer {
	gh_addr record;	    // its runtime._defer; 0: open-coded
	gh_addr record_at;  // the word that leads there: g._defer or a link
	gh_addr holder;	    // range over a function: the record in whose list it stands; else 0
	gh_addr head;	    // is_list: the heap object that holds the head of the list
	gh_addr fn, fn_at;  // its closure (nil: 0; it may lie on the stack), and the word that holds it
	gh_addr code;	    // of the closure; 0: not readable
	gh_addr sp;	    // of the frame that deferred it
	gh_addr pc;	    // return address of the defer statement; 0: nothing tells
	uint32_t frame;	    // index into the frames; GH_DEFER_NO_FRAME: none has this sp
	uint8_t kind;	    // enum gh_defer_kind
	bool is_heap;	    // the record lies in the Go heap
	bool is_list; // no defer itself: holds the list of a range over a function, maybe empty
};
GH_VEC(gh_defer_vec, struct gh_defer);

/** A panic or a Goexit in progress; it always lies on the stack. */
struct gh_panic {
	gh_addr addr;		// of the runtime._panic
	gh_addr arg_type, arg;	// the value, as an interface
	bool is_recovered;	// and the goroutine goes on once the deferred call returns
	bool is_goexit;
};
GH_VEC(gh_panic_vec, struct gh_panic);

/** What was left out, by why. Counts add up over calls. */
struct gh_defer_skips {
	uint64_t unreadable; // records or slots whose memory is missing
	uint64_t damaged;    // records that cannot be: cycles, frames that are none, code that is none
};

/**
 * Append the pending defers of g in the order in which they would run; those of range over a
 * function stand where their loop does. frames: of g, innermost first. Records are read to the end
 * of the list, or to where it is damaged. Errors: NOMEM.
 */
struct gh_error *gh_defers_load(const struct gh_runtime *rt, const struct gh_goroutine *g,
				const struct gh_frame_vec *frames, struct gh_defer_vec *ret,
				struct gh_defer_skips *skips) GH_MUST_CHECK;

/** Append the panics of g, innermost first. Errors: NOMEM. */
struct gh_error *gh_panics_load(const struct gh_runtime *rt, const struct gh_goroutine *g,
				struct gh_panic_vec *ret,
				struct gh_defer_skips *skips) GH_MUST_CHECK;

/** "heap", "stack", "open-coded", "range-over-func". */
const char *gh_defer_kind_name(enum gh_defer_kind kind);

/**
 * The defer statement, where the record tells; else the first line of what was deferred, and false.
 * ret->file is NULL where neither is known.
 */
bool gh_defer_site(const struct gh_runtime *rt, const struct gh_defer *defer,
		   struct gh_source_frame *ret);
