// SPDX-License-Identifier: Apache-2.0
// The result model: building reports. Rendering is in render.c, text.c, json.c and csv.c.
#include "report/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void gh_table_destroy(struct gh_table *table)
{
	if (!table)
		return;
	if (table->row_ctx_destroy)
		table->row_ctx_destroy(table->row_ctx);
	gh_budget_give(table->budget, table->cap * sizeof(struct gh_cell));
	free(table->cells);
	free(table->total);
	free(table);
}

struct gh_report *gh_report_create(void)
{
	return calloc(1, sizeof(struct gh_report));
}

void gh_report_destroy(struct gh_report *report)
{
	if (!report)
		return;
	for (size_t i = 0; i < report->tables.len; i++)
		gh_table_destroy(report->tables.data[i]);
	gh_table_vec_deinit(&report->tables);
	gh_check_vec_deinit(&report->checks);
	gh_skip_vec_deinit(&report->skipped);
	gh_note_vec_deinit(&report->notes);
	gh_arena_deinit(&report->arena);
	free(report);
}

struct gh_table *gh_report_table(struct gh_report *report, const char *name,
				 const struct gh_column *columns, size_t ncolumns)
{
	struct gh_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->name = name;
	table->columns = columns;
	table->ncolumns = ncolumns;
	table->budget = report->budget;
	if (!gh_table_vec_push(&report->tables, table)) {
		gh_table_destroy(table);
		return NULL;
	}
	return table;
}

struct gh_cell *gh_table_row(struct gh_table *table)
{
	struct gh_cell *row;
	size_t need;

	if (gh_mul(table->nrows + 1, table->ncolumns, &need) ||
	    (need > table->cap &&
	     !gh_budget_take(table->budget, gh_max_u64(table->cap, need) * sizeof(struct gh_cell),
			     "the rows of a table")) ||
	    !gh_vec_reserve((void **)&table->cells, &table->cap, need, sizeof(struct gh_cell)))
		return NULL;
	row = table->cells + table->nrows * table->ncolumns;
	memset(row, 0, table->ncolumns * sizeof(*row));
	table->nrows++;
	return row;
}

struct gh_cell *gh_table_total(struct gh_table *table)
{
	if (!table->total)
		table->total = gh_alloc_array(table->ncolumns, sizeof(*table->total));
	return table->total;
}

struct gh_cell gh_cell_u64(uint64_t v)
{
	return (struct gh_cell){.kind = GH_CELL_U64, .u64 = v};
}

struct gh_cell gh_cell_i64(int64_t v)
{
	return (struct gh_cell){.kind = GH_CELL_I64, .i64 = v};
}

struct gh_cell gh_cell_real(double v)
{
	return (struct gh_cell){.kind = GH_CELL_REAL, .real = v};
}

struct gh_cell gh_cell_bool(bool v)
{
	return gh_cell_in(gh_cell_u64(v), GH_UNIT_BOOL);
}

struct gh_cell gh_cell_text(const char *text)
{
	if (!text)
		return (struct gh_cell){0};
	return (struct gh_cell){.kind = GH_CELL_TEXT, .text = text};
}

struct gh_cell gh_cell_copy(struct gh_report *report, const char *text, size_t len)
{
	return gh_cell_text(text ? gh_arena_strndup(&report->arena, text, len) : NULL);
}

struct gh_cell gh_cell_list(const char *const *items, size_t n)
{
	return (struct gh_cell){.kind = GH_CELL_LIST, .list = {items, n}};
}

struct gh_cell gh_cell_in(struct gh_cell cell, enum gh_unit unit)
{
	cell.own_unit = (uint32_t)unit + 1;
	return cell;
}

static bool has_note(const struct gh_report *report, const char *text)
{
	for (size_t i = 0; i < report->notes.len; i++)
		if (strcmp(report->notes.data[i].text, text) == 0)
			return true;
	return false;
}

void gh_report_note(struct gh_report *report, const char *fmt, ...)
{
	char *raw = NULL;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&raw, fmt, ap);
	va_end(ap);
	if (len >= 0 && !has_note(report, raw)) {
		const char *text = gh_arena_strndup(&report->arena, raw, (size_t)len);
		bool kept = text && gh_note_vec_push(&report->notes, (struct gh_note){text});

		(void)kept;
	}
	if (len >= 0)
		free(raw);
}

void gh_report_skip(struct gh_report *report, const char *what, uint64_t count, const char *why)
{
	struct gh_skip skip = {.what = what, .why = why, .count = count};
	bool kept = count == 0 || gh_skip_vec_push(&report->skipped, skip);

	(void)kept;
}

void gh_report_check(struct gh_report *report, const char *name, uint64_t ours, uint64_t theirs)
{
	struct gh_check check = {
		.name = name,
		.has_values = true,
		.ours = ours,
		.theirs = theirs,
		.ok = ours == theirs,
	};
	bool kept = gh_check_vec_push(&report->checks, check);

	(void)kept;
}

const char *gh_unit_name(enum gh_unit unit)
{
	switch (unit) {
	case GH_UNIT_BYTES:
		return "bytes";
	case GH_UNIT_COUNT:
		return "count";
	case GH_UNIT_NS:
		return "ns";
	case GH_UNIT_SHARE:
		return "share";
	case GH_UNIT_ADDRESS:
		return "address";
	case GH_UNIT_TEXT:
		return "text";
	case GH_UNIT_BOOL:
		return "bool";
	case GH_UNIT_LIST:
		return "list";
	}
	return "text";
}

void gh_report_drop_empty(struct gh_report *report, struct gh_table *table)
{
	struct gh_table_vec *tables = &report->tables;

	if (table->nrows || tables->data[tables->len - 1] != table)
		return;
	tables->len--;
	gh_table_destroy(table);
}

bool gh_table_named(struct gh_table *table, const char *name, struct gh_cell value)
{
	struct gh_cell *row = gh_table_row(table);

	if (!row)
		return false;
	row[0] = gh_cell_text(name);
	row[1] = value;
	return true;
}
