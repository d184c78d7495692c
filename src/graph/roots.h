// SPDX-License-Identifier: Apache-2.0
// The collector's roots of this release: package variables, goroutines' stacks, finalizers,
// cleanups, weak handles and their queues. Mirrors runtime/mgcmark.go:markroot (go1.22 to go1.27).
#pragma once

#include "goruntime/stack.h"
#include "graph/statics.h"

enum gh_root_kind {
	GH_ROOT_GLOBAL,
	GH_ROOT_GOROUTINE,
	GH_ROOT_TIMER,
	GH_ROOT_DEFER, // of the owner graph only, as TIMER: the collector reaches both otherwise
	GH_ROOT_FINALIZER,
	GH_ROOT_CLEANUP,
	GH_ROOT_WEAK,
	GH_ROOT_RUNTIME,
	GH_ROOT_KINDS,
};

/** As the contract prints it: "global", "goroutine", … */
const char *gh_root_kind_name(enum gh_root_kind kind);

/** Whose word it is. Valid during the call. */
struct gh_root_owner {
	enum gh_root_kind kind;
	const char *name; // package variable, or what it is; NULL for goroutines
	uint64_t goid;	  // goroutines
	const struct gh_goroutine *g;
};

/** What a visit reports. Any function may be NULL. */
struct gh_root_sink {
	void *ctx;
	bool names; // look up the names of package variables
	bool raw;   // only where words lie and lead: the edges of roots need not be right
	/* A goroutine's stack was scanned: its words come next. Valid during the call. */
	void (*scanned)(void *ctx, const struct gh_root_owner *owner,
			const struct gh_stack_scan *scan);
	/* A precise word. */
	void (*word)(void *ctx, const struct gh_root_owner *owner, const struct gh_root *root);
	/* A word that may be a pointer. Called after all precise ones. */
	void (*conservative)(void *ctx, const struct gh_root_owner *owner, uint64_t value);
	/* The collector follows this object's words, though the object itself is no root. */
	void (*contents)(void *ctx, const struct gh_root_owner *owner, gh_addr object,
			 struct gh_edge edge);
	/* A special record tells the type of this object. */
	void (*names_object)(void *ctx, gh_addr object, gh_type_id type);
};

struct gh_root_counts {
	uint64_t goroutines;		   // whose stacks were scanned
	uint64_t goroutines_skipped;	   // whose stacks could not be read
	uint64_t goroutines_off_safepoint; // that were running
	uint64_t goroutines_incomplete;	   // unwound only in part: the rest is conservative
	uint64_t conservative_frames;
	uint64_t stack_words, typed_stack_words;
	bool has_specials;	// some object's type is told by a special record or by its span
	uint64_t damaged_lists; // queues and special records that end in nowhere
};

/** Errors: NOMEM, CANCELLED. statics of the same runtime; goroutines: all of them. */
struct gh_error *gh_roots_visit(const struct gh_heap *heap, struct gh_types *types,
				struct gh_statics *statics,
				const struct gh_goroutine_vec *goroutines,
				const struct gh_poll *poll, const struct gh_root_sink *sink,
				struct gh_root_counts *counts_ret) GH_MUST_CHECK;
