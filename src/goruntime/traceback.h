// SPDX-License-Identifier: Apache-2.0
// A goroutine's traceback, and what it says in one line: where it is, where in the program it waits,
// who started it. Mirrors runtime/traceback.go (showfuncinfo), go1.22 to go1.27.
#pragma once

#include "base/strbuf.h"
#include "goruntime/stack.h"

/** Borrowed from the runtime; NULL or 0 where not known. */
struct gh_traceback {
	const char *top;	   // function of the first frame that runtime.Stack prints
	const char *wait_function; // of the first frame outside runtime and standard library
	const char *wait_file;
	int32_t wait_line;
	const char *created_by; // function with the go statement
	const char *created_file;
	int32_t created_line;
	bool complete; // the stack was walked to its end
};

/** A frame as a traceback has it: inlined calls are frames of their own. */
struct gh_trace_frame {
	struct gh_source_frame source;
	uint32_t physical; // index of the frame that it lies in
	bool shown;	   // runtime.Stack prints it
};
GH_VEC(gh_trace_frame_vec, struct gh_trace_frame);

/** Appends the frames of a stack that was unwound, innermost first. Errors: NOMEM. */
struct gh_error *gh_traceback_frames(const struct gh_runtime *rt, const struct gh_frame_vec *frames,
				     struct gh_trace_frame_vec *ret) GH_MUST_CHECK;

/** What the frames of g say in one line. complete is false: the unwinder knows. */
void gh_traceback_of(const struct gh_runtime *rt, const struct gh_goroutine *g,
		     const struct gh_trace_frame_vec *frames, struct gh_traceback *ret);

/** All of it for one goroutine. Errors: NOMEM. */
struct gh_error *gh_traceback_summary(const struct gh_runtime *rt, const struct gh_goroutine *g,
				      struct gh_traceback *ret) GH_MUST_CHECK;

/** Does the function belong to the runtime or the standard library? By name and module list. */
bool gh_is_standard(const struct gh_runtime *rt, const char *function);

/**
 * Append a function's name as tracebacks print it: type arguments are "[...]", and runtime.gopanic
 * is "panic".
 */
void gh_function_print(struct gh_strbuf *sb, const char *name);
