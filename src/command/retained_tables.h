// SPDX-License-Identifier: Apache-2.0
// What the tables of `retained` have in common. Internal to the command.
#pragma once

#include "command/command.h"
#include "command/filter.h"
#include "graph/owners.h"

struct retained_request {
	struct gh_session *session;
	struct gh_report *report;
	struct gh_filter filter;
	const char *named; // only this one; NULL: all
};

enum { RETAINED_OWNER, RETAINED_KIND, RETAINED_BYTES, RETAINED_BYTES_KIND, RETAINED_SHARE,
       RETAINED_SHALLOW, RETAINED_COUNT, GH_RETAINED_NCOLUMNS };
enum { GH_RETAINED_NSHARED = 7 };
extern const struct gh_column gh_retained_columns[GH_RETAINED_NCOLUMNS];
extern const struct gh_column gh_retained_shared_columns[GH_RETAINED_NSHARED];

/** Of all that is live. */
struct gh_cell gh_retained_share(const struct gh_session *session, uint64_t bytes);

/** Is a row of this owner wanted, that retains so much? kind: GH_ROOT_KINDS for all. */
bool gh_retained_is_wanted(const struct retained_request *r, gh_node owner,
			   enum gh_root_kind kind, uint64_t bytes);

/** The error for a name that nobody has: "owner", "type", "package". */
struct gh_error *gh_retained_nobody(const struct retained_request *r,
				    const char *what) GH_MUST_CHECK;

/** What several owners hold together. All owners and this are all that is live. */
struct gh_error *gh_retained_list_shared(const struct retained_request *r) GH_MUST_CHECK;

/**
 * Owners without their dominators, by marking: the first `exact` rows exactly, the others at most.
 * why: the note's, taken over.
 */
struct gh_error *gh_retained_list_marked(const struct retained_request *r, enum gh_root_kind kind,
					 uint64_t exact, struct gh_error *why) GH_MUST_CHECK;
