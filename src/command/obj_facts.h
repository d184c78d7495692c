// SPDX-License-Identifier: Apache-2.0
// The table `facts` of `obj --why-type`: how the type of an object is known, link by link.
#pragma once

#include "analysis/slot.h"
#include "command/command.h"

enum { GH_FACT_COLUMNS = 8 };
extern const struct gh_column gh_fact_columns[GH_FACT_COLUMNS];

struct gh_fact_rows {
	struct gh_session *session; // borrowed; stage WHY is there
	struct gh_report *report;   // borrowed
	struct gh_table *table;	    // the report's
	uint64_t cut;		    // chains that were too long
};

/** Compute stage WHY and make the table. Errors: those of the stage. */
struct gh_error *gh_fact_rows_begin(struct gh_fact_rows *rows) GH_MUST_CHECK;

/** From a live object to what needs no reason. Errors: NOMEM. */
struct gh_error *gh_fact_rows_add(struct gh_fact_rows *rows, gh_addr object) GH_MUST_CHECK;

/** Say what was left out. */
void gh_fact_rows_end(struct gh_fact_rows *rows);
