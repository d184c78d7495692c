// SPDX-License-Identifier: Apache-2.0
// Table `defers` of `goroutine ID`. See goroutine_tables.h.
#include "command/code_cells.h"
#include "command/goroutine_tables.h"
#include "goruntime/defer.h"

enum defer_column {
	D_FUNCTION,
	D_SITE,
	D_KIND,
	D_FRAME,
	D_CLOSURE,
	D_RECORD,
	D_SITE_KIND,
	D_FRAME_FUNCTION,
	NDEFER,
};

const struct gh_column gh_goroutine_defer_columns[GH_GOROUTINE_NDEFER] = {
	[D_FUNCTION] = {"function", GH_UNIT_TEXT, false},
	[D_SITE] = {"site", GH_UNIT_TEXT, false},
	[D_KIND] = {"kind", GH_UNIT_TEXT, false},
	[D_FRAME] = {"frame", GH_UNIT_COUNT, false},
	[D_CLOSURE] = {"closure", GH_UNIT_ADDRESS, true},
	[D_RECORD] = {"record", GH_UNIT_ADDRESS, true},
	[D_SITE_KIND] = {"site_kind", GH_UNIT_TEXT, true},
	[D_FRAME_FUNCTION] = {"frame_function", GH_UNIT_TEXT, true},
};
_Static_assert((int)NDEFER == (int)GH_GOROUTINE_NDEFER, "the header tells others");

enum { DEFERS_SHOWN = 50 }; // of a deep stack that people see: the first to run

static struct gh_error *add_defer(const struct goroutine_request *r, struct gh_table *table,
				  const struct gh_defer *d)
{
	const struct gh_runtime *rt = r->session->rt;
	struct gh_cell *row = gh_table_row(table);
	struct gh_source_frame line;
	struct gh_func func;
	bool is_statement = gh_defer_site(rt, d, &line);

	if (!row)
		return gh_error_nomem();
	if (d->code && gh_func_find(rt, d->code, &func))
		row[D_FUNCTION] = gh_function_cell(r->report, gh_func_name(rt, &func));
	row[D_SITE] = gh_site_cell(r->report, line.file, line.line);
	if (line.file)
		row[D_SITE_KIND] = gh_cell_text(is_statement ? "statement" : "function");
	row[D_KIND] = gh_cell_text(gh_defer_kind_name((enum gh_defer_kind)d->kind));
	if (d->frame != GH_DEFER_NO_FRAME) {
		row[D_FRAME] = gh_cell_u64(d->frame);
		row[D_FRAME_FUNCTION] = gh_function_cell(
			r->report, gh_func_name(rt, &r->frames.data[d->frame].func));
	}
	if (d->fn)
		row[D_CLOSURE] = gh_cell_u64(d->fn);
	if (d->record)
		row[D_RECORD] = gh_cell_u64(d->record);
	return NULL;
}

struct gh_error *gh_goroutine_defers(const struct goroutine_request *r)
{
	struct gh_defer_vec defers = {0};
	struct gh_defer_skips skips = {0};
	uint64_t left_out = 0;
	struct gh_error *err =
		gh_defers_load(r->session->rt, r->g, &r->frames, &defers, &skips);
	struct gh_table *table =
		err ? NULL : gh_report_table(r->report, "defers", gh_goroutine_defer_columns, NDEFER);

	if (!err && !table)
		err = gh_error_nomem();
	for (size_t i = 0; !err && i < defers.len; i++) {
		if (defers.data[i].is_list)
			continue;
		if (r->ends && table->nrows == DEFERS_SHOWN)
			left_out++;
		else
			err = add_defer(r, table, &defers.data[i]);
	}
	gh_report_skip(r->report, "defers", left_out,
		       "they would run after these: -n 0 shows all, `goheap defers` groups them");
	if (!err && r->text)
		gh_report_drop_empty(r->report, table);
	gh_defer_vec_deinit(&defers);
	gh_report_skip(r->report, "defers", skips.unreadable + skips.damaged,
		       "their records are damaged or cannot be read");
	return err;
}
