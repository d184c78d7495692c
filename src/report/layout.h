// SPDX-License-Identifier: Apache-2.0
// The columns of a table as wide as a terminal allows: what is not shown, what is cut, and what
// stands below its row.
#pragma once

#include "report/report.h"

enum { GH_COLUMN_GAP = 2 }; // spaces between columns

struct gh_column_layout {
	size_t width; // 0: not shown
	size_t least; // without folders, which nobody misses much
	bool right;
	bool flexible; // texts, which can be cut
	bool folded;   // it has no room: its values stand in a line below their row
	bool filled;   // some row has a value in it
};

struct gh_layout {
	const struct gh_table *table;	  // borrowed
	struct gh_column_layout *columns; // owned by whoever fills them: as many as the table has
	size_t width;			  // of the terminal; 0: no limit
	size_t handle_width;		  // 0: no handles are shown
	bool has_rows;
};

/** The column shows that text. */
void gh_layout_widen(struct gh_layout *layout, size_t column, const char *text);

/** Once all texts are known: take, cut and fold until a row has room. */
void gh_layout_fit(struct gh_layout *layout);
