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
