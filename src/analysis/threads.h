// SPDX-License-Identifier: Apache-2.0
// Threads with what stands around them: where in the program, which file or connection, for how long,
// and what kind of call each is blocked in. Many threads of one kind are a verdict.
#pragma once

#include "analysis/session.h"
#include "base/arena.h"
#include "goruntime/descriptor.h"
#include "goruntime/thread.h"
#include "goruntime/traceback.h"

struct gh_thread_info {
	struct gh_mthread t;
	const char *site_file; // where in the program, cgo's own code aside; NULL: not known
	int32_t site_line;
	const char *cgo;	       // C function that Go called; NULL: none
	const char *function;	       // at its pc, Go's or C's; NULL: not known
	bool has_fd;		       // of the system call
	uint64_t fd;
	enum gh_descriptor_kind fd_kind;
	const char *path;    // or peer, of the descriptor; NULL: not known
	const char *blocked; // "pipe read", "fsync", "DNS", …; NULL: it is not
	bool has_wait;
	int64_t wait_ns; // at least, by its goroutine
};
GH_VEC(gh_thread_info_vec, struct gh_thread_info);

/** Many threads are blocked in one kind of call. */
struct gh_thread_verdict {
	const char *kind; // of info.blocked
	const char *call; // of most of them; NULL: several, or not known
	const char *cgo;  // likewise
	bool has_fd;	  // all are about one descriptor
	uint64_t fd;
	enum gh_descriptor_kind fd_kind;
	const char *path; // of all of them; NULL: several, or not known
	uint64_t count;
	uint64_t raw;	// of these: in calls that the scheduler was not told of: each keeps a P
	bool is_likely; // half of them for a second at least, or they keep half of the Ps; else it
			// is possible
	bool has_wait;
	int64_t wait_ns_max;
};
GH_VEC(gh_thread_verdict_vec, struct gh_thread_verdict);

struct gh_threads {
	struct gh_thread_info_vec infos; // in the order of runtime.allm, foreign ones last
	struct gh_thread_verdict_vec verdicts; // most threads first
	uint64_t gomaxprocs; // 0: not known
	uint64_t damaged;    // Ms that cannot be
	struct gh_arena arena;
};

/** *ret is to be deinit in any case. Computes stage GOROUTINES. Errors: NOMEM, CANCELLED. */
struct gh_error *gh_threads_load(struct gh_session *session, struct gh_threads *ret) GH_MUST_CHECK;

/** Append "read (in C from f) of file descriptor 5, which nothing in memory names". */
void gh_thread_verdict_describe(const struct gh_thread_verdict *verdict, struct gh_strbuf *sb);

void gh_threads_deinit(struct gh_threads *threads);
