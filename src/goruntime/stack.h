// SPDX-License-Identifier: Apache-2.0
// Stacks: unwinding by pclntab, and the pointer words that the collector would scan: locals and
// arguments by their maps, stack objects by the runtime's own liveness traversal, conservatively
// only where the runtime (or an unsafe point) demands it. Mirrors runtime/traceback.go, stack.go,
// mgcmark.go:scanstack, mgcstack.go (go1.22 to go1.27).
#pragma once

#include "goruntime/goroutine.h"

/** One physical frame. */
struct gh_frame {
	struct gh_func func;
	gh_addr pc;	// in the frame
	gh_addr sym_pc; // to symbolise: pc - 1 after a call, pc where interrupted
	gh_addr contpc; // where the frame would go on; 0: dead for the collector
	gh_addr sp, fp; // fp: the caller's sp
	gh_addr varp, argp;
	gh_addr lr;	// return pc, 0 at the end
	uint32_t index; // 0 innermost
};
GH_VEC(gh_frame_vec, struct gh_frame);

enum gh_unwind_end {
	GH_UNWIND_COMPLETE, // reached a top frame
	GH_UNWIND_NO_FUNC,  // a return pc outside Go's text
	GH_UNWIND_BAD_SP,
	GH_UNWIND_UNREADABLE,
	GH_UNWIND_TOO_DEEP,
};

/** Appends all frames of g, innermost first. Errors: NOMEM only; *end_ret says how it ended. */
struct gh_error *gh_stack_unwind(const struct gh_runtime *rt, const struct gh_goroutine *g,
				 struct gh_frame_vec *ret,
				 enum gh_unwind_end *end_ret) GH_MUST_CHECK;

/**
 * Ask for the memory of g's innermost frames, so that it is there when g is walked soon. Where all are
 * walked, waiting for it is most of the work.
 */
void gh_stack_prefetch(const struct gh_runtime *rt, const struct gh_goroutine *g);

/**
 * A word that the collector would look at. Pointers into the goroutine's own stack are not
 * reported: they were followed to the stack objects behind them. Nor are values that can't be
 * pointers.
 */
struct gh_stack_word {
	gh_addr at; // where it lies; 0 for a register
	uint64_t value;
	uint32_t
		frame; // index into frames; UINT32_MAX: none (registers, defer records, sched.ctxt)
	bool conservative;
};
GH_VEC(gh_stack_word_vec, struct gh_stack_word);

struct gh_stack_scratch;

struct gh_stack_scan {
	struct gh_frame_vec frames;	// at most 65536; words of deeper ones have frame UINT32_MAX
	struct gh_stack_word_vec words; // in a deterministic order; precise ones first
	struct gh_stack_word_vec inner; // precise pointers into this stack, as they were followed
	enum gh_unwind_end end;
	uint64_t nframes;	      // all of them
	uint64_t conservative_frames; // frames scanned conservatively
	bool whole_stack;   // (the rest of) the stack was scanned conservatively, not by frames
	bool off_safepoint; // innermost frame and registers conservative: it was running
	bool skipped;	    // the stack could not be read at all
	struct gh_stack_scratch *scratch; // owned
};

/**
 * All root words of one goroutine (dead ones have none). *ret is zeroed before the first call and
 * may serve for one goroutine after the other on one thread, which spares allocations and remembers
 * pcs; results are replaced. Errors: NOMEM.
 */
struct gh_error *gh_stack_scan(const struct gh_runtime *rt, const struct gh_goroutine *g,
			       struct gh_stack_scan *ret) GH_MUST_CHECK;
void gh_stack_scan_deinit(struct gh_stack_scan *scan);
