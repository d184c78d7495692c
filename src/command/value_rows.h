// SPDX-License-Identifier: Apache-2.0
// The table `value`: a readable value, one row a part, named as people write Go.
#pragma once

#include "analysis/place.h"
#include "command/command.h"

/* What --depth and --elements of a command do. */
#define GH_VALUE_DEPTH_HELP    "follow N pointers in a row (1)"
#define GH_VALUE_ELEMENTS_HELP "of slices, arrays, maps, channels show N (10), 0 all"

enum { GH_VALUE_COLUMNS = 5 };
extern const struct gh_column gh_value_columns[GH_VALUE_COLUMNS];

/** One command's values. */
struct gh_value_rows {
	struct gh_session *session; // borrowed
	struct gh_report *report;   // borrowed
	struct gh_table *table;	    // the report's
	struct gh_value_limits limits;
	struct gh_places *places; // borrowed: names what untyped pointers lead to
	uint64_t cut;		  // values left out so far
};

/** Make the table and read the options. Errors: USAGE, NOMEM. */
struct gh_error *gh_value_rows_begin(struct gh_value_rows *rows, const struct gh_args *args) GH_MUST_CHECK;

/** Rows of what lies in a slot, or of a variable. object: its address. Errors: NOMEM. */
struct gh_error *gh_value_rows_slot(struct gh_value_rows *rows,
				    const struct gh_slot *slot) GH_MUST_CHECK;
struct gh_error *gh_value_rows_variable(struct gh_value_rows *rows,
					const struct gh_place *place) GH_MUST_CHECK;

/** Say what was left out. */
void gh_value_rows_end(struct gh_value_rows *rows);
