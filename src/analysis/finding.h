// SPDX-License-Identifier: Apache-2.0
// Suspects: what is likely wrong with the program, why we think so, and what to change. A rule is
// one const object in a file of its own in analysis/rules/, named in analysis/meson.build; it finds
// and never prints.
#pragma once

#include "analysis/session.h"
#include "base/arena.h"
#include "base/vec.h"

/** A verdict is as strong as its weakest link. */
enum gh_level {
	GH_LEVEL_POSSIBLE, // worth a look
	GH_LEVEL_LIKELY,   // pattern, size and age speak for it
	GH_LEVEL_PROVEN,   // it cannot be anything else
};
const char *gh_level_name(enum gh_level level);

struct gh_rule;

/** All texts live as long as the findings. */
struct gh_finding {
	enum gh_level level;
	const struct gh_rule *rule;
	const char *title;	// one sentence, without a full stop: what it is
	uint64_t bytes;		// of the heap that it keeps
	const char *bytes_kind; // "exact", "at_least", "at_most"; NULL: bytes are not known
	const char *site;	// file:line; NULL: not known
	const char *evidence;	// why we believe it
	const char *fix;	// what to change
	const char *more;	// the command that shows more: "goheap dom main.cache"
	const char *key;	// what makes it this finding in another core of the same program,
				// without addresses and numbers
	gh_node owner;		// that it is about; 0: none. The surest finding of an owner stays
	bool is_outdone;	// another one says more: set when all are there
	uint64_t fingerprint;	// of rule and key; gh_findings_add makes it
};
GH_VEC(gh_finding_vec, struct gh_finding);

struct gh_locks;
struct gh_defer_list;
struct gh_conns;
struct gh_goroutine_node_vec;

struct gh_findings {
	struct gh_session *session; // borrowed
	struct gh_locks *locks;	    // owned, as the next three: what several rules ask for
	struct gh_defer_list *defers;
	struct gh_conns *conns;
	struct gh_goroutine_node_vec *nodes;
	struct gh_finding_vec all;  // most bytes first, then the surer ones
	struct gh_arena arena;	    // texts
	bool nomem;		    // sticky
};

struct gh_rule {
	const char *id;	   // "largest-owner"
	const char *title; // "Owners that keep much of the heap"
	const char *help;  // what it looks for, and what deceives it
	bool is_general;   // gives way to any other rule's finding about the same owner
	/* Errors: those of the stages it asks for. Adds by gh_findings_add. */
	struct gh_error *(*find)(struct gh_findings *findings);
};

/** All rules, in the order of their files. */
const struct gh_rule *const *gh_rules(size_t *n_ret);

/** Run all rules. Errors: those of a rule; CANCELLED: what was found so far is there, sorted. */
struct gh_error *gh_findings_create(struct gh_session *session,
				    struct gh_findings *ret) GH_MUST_CHECK;
void gh_findings_deinit(struct gh_findings *findings);

/** For rules: take a finding in. */
void gh_findings_add(struct gh_findings *findings, const struct gh_rule *rule,
		     struct gh_finding finding);

/** For rules: a text that lives as long as the findings; "" when memory ran out. */
const char *gh_findings_text(struct gh_findings *findings, const char *fmt, ...) GH_PRINTF(2, 3);

/** For rules: the node of a goroutine; 0: it is no owner. Stage OWNERS is there. */
gh_node gh_findings_goroutine(const struct gh_findings *findings, uint64_t goid);

/**
 * For rules: what several of them look at, made once. The findings' own. Errors: those of
 * gh_locks_find, gh_defer_list_create, gh_conns_find, gh_goroutine_nodes_load.
 */
struct gh_error *gh_findings_locks(struct gh_findings *findings,
				   const struct gh_locks **ret) GH_MUST_CHECK;
struct gh_error *gh_findings_defers(struct gh_findings *findings,
				    const struct gh_defer_list **ret) GH_MUST_CHECK;
struct gh_error *gh_findings_conns(struct gh_findings *findings,
				   const struct gh_conns **ret) GH_MUST_CHECK;
struct gh_error *gh_findings_nodes(struct gh_findings *findings,
				   const struct gh_goroutine_node_vec **ret) GH_MUST_CHECK;
