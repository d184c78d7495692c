// SPDX-License-Identifier: Apache-2.0
// An owner graph in the making: owners and the words that they hold, in the order in which they are
// found. Shared by the files that find owners; others use owners.h.
#pragma once

#include "goruntime/defer.h"
#include "goruntime/stackplaces.h"
#include "goruntime/wait.h"
#include "graph/owners.h"
#include "graph/words.h"

GH_VEC(owner_word_vec, struct gh_owner_word);

/** Words that were found one after the other for one owner; up to the next run. */
struct owner_run {
	gh_node owner;
	uint32_t first; // of the words
};
GH_VEC(owner_run_vec, struct owner_run);

/** A goroutine by the address of its g. */
struct g_owner {
	gh_addr g;
	gh_node owner; // GH_NODE_ROOT: it is dead
};

/** Words of a stack that belong to an owner inside the goroutine. */
struct owner_range {
	gh_addr lo, hi;
	gh_node owner;
};
GH_VEC(owner_range_vec, struct owner_range);

struct owner_build {
	const struct gh_owner_input *in;
	struct gh_owner_graph *graph;
	struct gh_mark *m;
	struct owner_word_vec found;
	struct owner_run_vec runs;
	struct g_owner *by_g; // owned: one a goroutine of the input, sorted
	uint64_t *own;	      // owned: bit a slot that describes an owner
	struct owner_range_vec ranges; // of the goroutine at hand, by lo
	struct gh_defer_vec defers;    // likewise
	struct gh_stack_places places; // likewise
	struct gh_wait wait;	       // likewise
	struct gh_semaphores semaphores;
	const char *names[256]; // copied last, by hash
	gh_node recent[GH_ROOT_KINDS]; // owner found last for a root of that kind
	bool nomem;	      // sticky
};

/** A new owner, its name copied. GH_NODE_ROOT when memory ran out. */
gh_node gh_owner_add(struct owner_build *b, struct gh_owner owner);

/** The part of the runtime of that name, made on first use. */
gh_node gh_owner_runtime(struct owner_build *b, const char *name);

/** The owner holds this word, if it leads into the heap. */
void gh_owner_hold(struct owner_build *b, gh_node owner, gh_addr at, uint64_t value);

/** The live slot that addr lies in describes the owner, unless it describes one already. */
void gh_owner_describe_slot(struct owner_build *b, gh_node owner, gh_addr addr);

/** The same of an array that only lists other owners: what is in it holds nothing. */
void gh_owner_describe_list(struct owner_build *b, gh_node owner, gh_addr addr);

/** Owner of the goroutine whose g lies at addr; GH_NODE_ROOT: none that lives. */
gh_node gh_owner_of_g(const struct owner_build *b, gh_addr g);

/** The code that pc is in, by its full name; NULL: none is known. */
const char *gh_owner_function(const struct owner_build *b, gh_addr pc);

/** Find the objects behind goroutines, threads, processors and what they keep to use again. */
struct gh_error *gh_owner_find_bookkeeping(struct owner_build *b) GH_MUST_CHECK;

/** Timers in heaps, as owners of what they will call. */
struct gh_error *gh_owner_find_timers(struct owner_build *b,
				      const struct gh_poll *poll) GH_MUST_CHECK;

/** The pending defers of a goroutine that was just scanned, as owners inside it. */
void gh_owner_find_defers(struct owner_build *b, gh_node goroutine, const struct gh_goroutine *g,
			  const struct gh_stack_scan *scan);

/** All that wait for semaphores: before gh_owner_find_waits. */
struct gh_error *gh_owner_load_semaphores(struct owner_build *b) GH_MUST_CHECK;

/** The records by which a goroutine that was just scanned waits: they describe it. */
void gh_owner_find_waits(struct owner_build *b, gh_node goroutine, const struct gh_goroutine *g,
			 const struct gh_stack_scan *scan);

/** Whose a word at that place is: a defer's of the goroutine scanned last, or the goroutine's. */
gh_node gh_owner_of_word(const struct owner_build *b, gh_node goroutine, gh_addr at);

/** Number the nodes: graph->groups. own: slots that are none. */
struct gh_error *gh_nodes_number(struct gh_owner_graph *graph, const uint64_t *own,
				 const struct gh_poll *poll) GH_MUST_CHECK;
