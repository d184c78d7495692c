// SPDX-License-Identifier: Apache-2.0
// What would go if something went: by owner out of the dominator tree, by type or package out of
// the tree (at least) or by marking without it (exactly); and what several owners hold together.
#pragma once

#include "analysis/objects.h"

/** Objects of one group: that print alike, or whatever the caller groups types by. */
struct gh_retained_group {
	const char *name;  // the result's
	uint64_t count;	   // objects
	uint64_t shallow;  // bytes of their slots
	uint64_t retained; // bytes
	bool exact;	   // else at least
	bool has_pointers; // else nothing can hang on it, and it is exact from the start
	uint64_t own_bytes; // of those that describe owners: they go with these
};
GH_VEC(gh_retained_group_vec, struct gh_retained_group);

/** What types are grouped by: a part of the type's name, len bytes. NULL: by the whole name. */
typedef const char *(*gh_group_fn)(const char *type, size_t *len_ret);

struct gh_retained_groups {
	struct gh_retained_group_vec rows; // most retained first, then by name
	struct gh_arena arena;		   // names
	gh_group_fn group;
};

/** At least, for all groups: out of the dominator tree. Errors: those of stage DOMINATORS. */
struct gh_error *gh_retained_groups(struct gh_session *session, gh_group_fn group,
				    struct gh_retained_groups *ret) GH_MUST_CHECK;
void gh_retained_groups_deinit(struct gh_retained_groups *groups);

/** Make a row exact: one more mark, without its objects. Errors: NOMEM, LIMIT, CANCELLED. */
struct gh_error *gh_retained_exact(struct gh_session *session, gh_group_fn group,
				   struct gh_retained_group *row) GH_MUST_CHECK;

/** Most retained first, then by name: again, once rows became exact. */
void gh_retained_sort(struct gh_retained_groups *groups);

/** What an owner retains, found without dominators. */
struct gh_marked_owner {
	gh_node owner;
	uint64_t retained, count; // bytes, objects: at most
	bool exact;
};
GH_VEC(gh_marked_owner_vec, struct gh_marked_owner);

/** At most, for all owners, most first: one mark. Errors: those of stage OWNERS. */
struct gh_error *gh_retained_at_most(struct gh_session *session,
				     struct gh_marked_owner_vec *ret) GH_MUST_CHECK;

/** Make one exact: two marks more. Errors: NOMEM, LIMIT, CANCELLED. */
struct gh_error *gh_retained_without(struct gh_session *session,
				     struct gh_marked_owner *owner) GH_MUST_CHECK;

/** Most first: again, once some became exact. */
void gh_marked_owners_sort(struct gh_marked_owner_vec *all);

enum { GH_SHARERS_KEPT = 4 };

/** An object that several owners hold: none of them alone would take it along. */
struct gh_shared {
	gh_addr addr; // of its slot
	gh_node owners[GH_SHARERS_KEPT]; // some of them: variables first, then goroutines, …
	uint32_t nowners;		 // of these
	bool more;			 // there are further ones
	uint64_t bytes, objects;	 // that it retains
	uint32_t place;			 // in the dominator tree
};
GH_VEC(gh_shared_vec, struct gh_shared);

/** Something below the root of the dominator tree holds an object below the root. Places. */
struct gh_hold {
	uint32_t to, from;
};
GH_VEC(gh_hold_vec, struct gh_hold);

struct gh_sharing {
	struct gh_shared_vec all; // most bytes first
	struct gh_hold_vec holds; // by `to`
	uint64_t *seen;		  // owned: by place, for walks; empty in between
	struct gh_session *session;
	uint64_t charged_bytes;
	uint32_t *by_place; // owned: index in `all`, and one more; 0: not shared. Made when asked for
};

/** Errors: those of stage DOMINATORS. */
struct gh_error *gh_sharing_create(struct gh_session *session,
				   struct gh_sharing *ret) GH_MUST_CHECK;
void gh_sharing_deinit(struct gh_sharing *sharing);

/** Prepare gh_sharing_of: 4 bytes a node. Errors: NOMEM. */
struct gh_error *gh_sharing_index(struct gh_sharing *sharing) GH_MUST_CHECK;

/** The shared object without which nothing would lead to the node, or the node itself; NULL: none. */
const struct gh_shared *gh_sharing_of(const struct gh_sharing *sharing, gh_node node);

/**
 * Append the names of some owners, those that print alike once: "main.cache, goroutine 1 and
 * others". The same ones whatever way they lead there; with `nearest` instead those that hold it
 * over the fewest objects that are shared themselves, and of all how many there are more ("and 17
 * others"): that is a walk.
 */
void gh_sharing_describe(const struct gh_sharing *sharing, const struct gh_shared *shared,
			 bool nearest, struct gh_strbuf *sb);

/** An owner that holds something over `step` objects that are shared themselves. False: enough. */
typedef bool (*gh_sharer_fn)(void *ctx, gh_node owner, uint32_t step);

/** Call fn for the owners that hold it, nearest first. False: some were left out; it is bounded. */
bool gh_sharing_owners(const struct gh_sharing *sharing, const struct gh_shared *shared,
		       gh_sharer_fn fn, void *ctx);
