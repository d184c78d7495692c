// SPDX-License-Identifier: Apache-2.0
// The table `objects` of `refs` and `referrers`: pointers of or to one object, a row each. Cells are
// made when a row is shown.
#pragma once

#include "analysis/place.h"
#include "analysis/referrers.h"
#include "command/command.h"

enum { GH_POINTER_COLUMNS = 8 };
extern const struct gh_column gh_pointer_columns[GH_POINTER_COLUMNS];

#define GH_POINTER_RETAINED_HELP "compute retained bytes of the rows"

/** What both commands begin with: stages, and the slot that a word of the command line names. */
struct gh_error *gh_pointer_rows_object(struct gh_session *session, const struct gh_args *args,
					struct gh_report *report,
					struct gh_slot *ret) GH_MUST_CHECK;

/**
 * Make the table of the referrers, or of the words of an object that lead somewhere (then is_refs,
 * and `value` is where to). Takes them over. Errors: NOMEM.
 */
struct gh_error *gh_pointer_rows(struct gh_session *session, struct gh_report *report,
				 struct gh_referrers *pointers, bool is_refs) GH_MUST_CHECK;
