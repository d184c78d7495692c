// SPDX-License-Identifier: Apache-2.0
// Everything about one opened target, computed lazily in stages, once each. A command asks for the
// stage it needs and no more. A stage that was cancelled or failed leaves the session usable.
#pragma once

#include "base/laps.h"
#include "goruntime/gctimes.h"
#include "goruntime/runtime.h"
#include "goruntime/stackkinds.h"
#include "goruntime/timer.h"
#include "graph/domtree.h"
#include "graph/backedges.h"
#include "graph/roots.h"
#include "graph/shortest.h"
#include "graph/why.h"
#include "target/target.h"

struct gh_shown;
struct gh_sharing;

struct gh_session {
	struct gh_target *target;	    // owned
	struct gh_poll poll;		    // progress and cancel of the face
	struct gh_laps laps;		    // what the stages of this command took
	struct gh_runtime *rt;		    // stage RUNTIME; owned
	struct gh_goroutine_vec goroutines; // stage GOROUTINES
	uint64_t unreadable_goroutines;
	struct gh_gc_times gc_times; // stage GOROUTINES
	bool has_goroutines;
	struct gh_stack_kinds *stacks; // stage STACKS; owned
	struct gh_timers timers;       // stage TIMERS
	bool has_timers;
	struct gh_heap *heap;		   // stage HEAP; owned
	struct gh_types *types;		   // stage TYPES; owned
	struct gh_statics *statics;	   // stage TYPES; owned
	struct gh_mark *mark;		   // stage MARK: what is live; owned
	struct gh_root_counts root_counts; // stage MARK
	uint64_t lost_timers;		   // likewise: what heaps of timers list and nobody can read
	struct gh_mark *garbage;	   // stage GARBAGE: what is dead, typed; owned
	struct gh_why *why;		   // stage WHY: what gives each live object its type
	struct gh_owner_graph *owners;	   // stage OWNERS; owned
	struct gh_domtree *domtree;	   // stage DOMINATORS; owned
	struct gh_sharing *sharing;	   // stage SHARING; owned
	struct gh_shortest *shortest;	   // stage SHORTEST; owned
	struct gh_backedges *backedges;	   // stage BACKEDGES; owned
	struct gh_shown *shown;		   // what a dialogue remembers (command/shown.h); owned
	void (*shown_destroy)(struct gh_shown *shown);
	bool hide_header_types;	     // see gh_mark_hide_header_types; set before stage MARK
	unsigned int threads;	     // that a stage may use; 0: what the machine has
	uint32_t hide_one_in;	     // see gh_mark_hide_declared; likewise
	bool no_values;		     // keep the program's data out of what is printed
	bool has_now, has_now_error; // known since stage RUNTIME
	int64_t now_ns;		     // the latest nanotime found in memory: durations end here
	int64_t now_error_ns;	     // at most so much later was it in fact
};

/** Takes the target over. */
struct gh_error *gh_session_create(struct gh_target *target, struct gh_session **ret) GH_MUST_CHECK;
void gh_session_destroy(struct gh_session *session);

/** Stages. Errors: those of the stage; CANCELLED. Asking twice is cheap. */
struct gh_error *gh_session_runtime(struct gh_session *session) GH_MUST_CHECK;
/** DWARF, where there is any: types, variables, a check of the layout. */
struct gh_error *gh_session_dwarf(struct gh_session *session) GH_MUST_CHECK;
struct gh_error *gh_session_goroutines(struct gh_session *session) GH_MUST_CHECK;
/** Where all goroutines are, for who asks that of more than one. */
struct gh_error *gh_session_stacks(struct gh_session *session) GH_MUST_CHECK;
/** As gh_stack_unwind, of a goroutine by its index: out of stage STACKS, if that is there. */
struct gh_error *gh_session_unwind(const struct gh_session *session, size_t g,
				   struct gh_frame_vec *ret,
				   enum gh_unwind_end *end_ret) GH_MUST_CHECK;
/** Where timers stand. MISSING where the core has no list of processors. */
struct gh_error *gh_session_timers(struct gh_session *session) GH_MUST_CHECK;
/** The same for those who do without: *ret is NULL then. */
struct gh_error *gh_session_timers_if_any(struct gh_session *session,
					  const struct gh_timers **ret) GH_MUST_CHECK;
/**
 * How long the goroutine has waited at least; false when it does not wait, or when that is not
 * known. Needs stage GOROUTINES.
 */
bool gh_session_wait_ns(const struct gh_session *session, const struct gh_goroutine *g,
			int64_t *ret);
/** Spans, page table, allocation bits. MISSING where the core lost the span tables. */
struct gh_error *gh_session_spans(struct gh_session *session) GH_MUST_CHECK;
/** The same, and where the objects' bytes are: all of them are copied out of a live process. */
struct gh_error *gh_session_heap(struct gh_session *session) GH_MUST_CHECK;
/** Type table and package variables. */
struct gh_error *gh_session_types(struct gh_session *session) GH_MUST_CHECK;
/** The live set. */
struct gh_error *gh_session_mark(struct gh_session *session) GH_MUST_CHECK;
/** The chains of facts behind the types of live objects. */
struct gh_error *gh_session_why(struct gh_session *session) GH_MUST_CHECK;
/** The owner graph: who holds what, with the runtime's bookkeeping resolved. */
struct gh_error *gh_session_owners(struct gh_session *session) GH_MUST_CHECK;
/** What every owner and every object retains. */
struct gh_error *gh_session_dominators(struct gh_session *session) GH_MUST_CHECK;
/** Was everything seen that can hold an object? Else nothing is proven by what was not found. */
bool gh_session_saw_all(const struct gh_session *session);
/** What several owners hold together, and who (analysis/sharing.h). */
struct gh_error *gh_session_sharing(struct gh_session *session) GH_MUST_CHECK;
/** For each object the word by which a shortest path from an owner comes to it. */
struct gh_error *gh_session_shortest(struct gh_session *session) GH_MUST_CHECK;
/** The edges of the owner graph by target. */
struct gh_error *gh_session_backedges(struct gh_session *session) GH_MUST_CHECK;
/** Slots handed out and not live, and their types as far as they tell. */
struct gh_error *gh_session_garbage(struct gh_session *session) GH_MUST_CHECK;
