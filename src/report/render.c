// SPDX-License-Identifier: Apache-2.0
// Order and number of rows, and the way to the sink. How a format looks is in its own file.
#include "report/render.h"

#include <stdlib.h>

#include "base/cleanup.h"

enum { FLUSH_BYTES = 64 * 1024 };

void gh_out_flush(struct gh_out *out, bool all)
{
	if (out->sb.len == 0 || out->sb.failed || (!all && out->sb.len < FLUSH_BYTES))
		return;
	if (!out->stopped && !out->sink(out->ctx, out->sb.data, out->sb.len))
		out->stopped = true;
	out->sb.len = 0;
}

static const struct gh_cell *raw_row(const struct gh_table *table, size_t row,
				     struct gh_cell *scratch)
{
	if (!table->row)
		return table->cells + row * table->ncolumns;
	memset(scratch, 0, table->ncolumns * sizeof(*scratch));
	table->row(table->row_ctx, row, scratch);
	return scratch;
}

const struct gh_cell *gh_rows_at(struct gh_rows *rows, size_t i)
{
	size_t at = rows->first + i;
	size_t row = rows->order       ? (size_t)rows->order[at]
		     : rows->backwards ? rows->table->nrows - 1 - at
				       : at;

	return raw_row(rows->table, row, rows->scratch);
}

static const struct gh_column *find_column(const struct gh_table *table, const char *name,
					   size_t *index_ret)
{
	for (size_t i = 0; i < table->ncolumns; i++) {
		if (strcmp(table->columns[i].name, name) == 0) {
			*index_ret = i;
			return &table->columns[i];
		}
	}
	return NULL;
}

/* One row to sort: its key and where it stood, which decides between equals. */
struct sort_entry {
	struct gh_cell key;
	uint64_t row;
};

static int compare_numbers(const struct gh_cell *a, const struct gh_cell *b)
{
	if (a->kind == b->kind && a->kind == GH_CELL_U64)
		return (a->u64 > b->u64) - (a->u64 < b->u64);
	if (a->kind == b->kind && a->kind == GH_CELL_I64)
		return (a->i64 > b->i64) - (a->i64 < b->i64);
	long double x = a->kind == GH_CELL_U64	 ? a->u64
			: a->kind == GH_CELL_I64 ? a->i64
						 : (long double)a->real;
	long double y = b->kind == GH_CELL_U64	 ? b->u64
			: b->kind == GH_CELL_I64 ? b->i64
						 : (long double)b->real;

	return (x > y) - (x < y);
}

static int compare_lists(const struct gh_cell *a, const struct gh_cell *b)
{
	for (size_t i = 0; i < a->list.n && i < b->list.n; i++) {
		int order = strcmp(a->list.items[i], b->list.items[i]);

		if (order)
			return order;
	}
	return (a->list.n > b->list.n) - (a->list.n < b->list.n);
}

/* Ascending. Numbers before texts before lists, where one column has several kinds. */
static int compare_cells(const struct gh_cell *a, const struct gh_cell *b)
{
	int a_rank = a->kind == GH_CELL_LIST ? 2 : a->kind == GH_CELL_TEXT;
	int b_rank = b->kind == GH_CELL_LIST ? 2 : b->kind == GH_CELL_TEXT;

	if (a_rank != b_rank)
		return a_rank - b_rank;
	if (a_rank == 2)
		return compare_lists(a, b);
	return a_rank == 1 ? strcmp(a->text, b->text) : compare_numbers(a, b);
}

static int by_row(const struct sort_entry *a, const struct sort_entry *b)
{
	return (a->row > b->row) - (a->row < b->row);
}

/* Nulls last in either direction; equals as they stood. */
static int compare_entries(const struct sort_entry *a, const struct sort_entry *b, int sign)
{
	bool a_null = a->key.kind == GH_CELL_NULL, b_null = b->key.kind == GH_CELL_NULL;
	int order;

	if (a_null || b_null)
		return a_null == b_null ? by_row(a, b) : a_null - b_null;
	order = sign * compare_cells(&a->key, &b->key);
	return order ? order : by_row(a, b);
}

static int ascending(const void *a, const void *b)
{
	return compare_entries(a, b, 1);
}

static int descending(const void *a, const void *b)
{
	return compare_entries(a, b, -1);
}

/* Where people look first: large numbers and early words, addresses from low to high. */
static bool is_descending(enum gh_unit unit)
{
	return unit == GH_UNIT_BYTES || unit == GH_UNIT_COUNT || unit == GH_UNIT_NS ||
	       unit == GH_UNIT_SHARE;
}

typedef int (*compare_fn)(const void *a, const void *b);

/* Restore the heap, last row on top, below entry i of n. */
static void sift_down(struct sort_entry *entries, size_t i, size_t n, compare_fn compare)
{
	for (;;) {
		size_t child = 2 * i + 1;
		struct sort_entry entry = entries[i];

		if (child >= n)
			return;
		if (child + 1 < n && compare(&entries[child], &entries[child + 1]) < 0)
			child++;
		if (compare(&entry, &entries[child]) >= 0)
			return;
		entries[i] = entries[child];
		entries[child] = entry;
		i = child;
	}
}

/* The first `keep` rows in order: of a table of many millions people see twenty. */
static void select_rows(struct gh_rows *rows, size_t column, struct sort_entry *entries,
			size_t keep, compare_fn compare)
{
	for (size_t i = 0; i < rows->table->nrows; i++) {
		struct sort_entry entry = {
			.key = raw_row(rows->table, i, rows->scratch)[column],
			.row = i,
		};

		if (i < keep) {
			entries[i] = entry;
			for (size_t k = keep / 2; i + 1 == keep && k-- > 0;)
				sift_down(entries, k, keep, compare);
		} else if (keep && compare(&entry, &entries[0]) < 0) {
			entries[0] = entry;
			sift_down(entries, 0, keep, compare);
		}
	}
	qsort(entries, keep, sizeof(*entries), compare);
}

static struct gh_error *sort_rows(struct gh_rows *rows, size_t column, bool down)
{
	const struct gh_table *table = rows->table;
	size_t keep = rows->first + rows->n;
	uint64_t bytes = keep * (sizeof(struct sort_entry) + sizeof(*rows->order));
	_cleanup_free_ struct sort_entry *entries = NULL;

	if (!gh_budget_take(table->budget, bytes, "sorting rows"))
		return gh_error_nomem();
	entries = gh_alloc_array(keep, sizeof(struct sort_entry));
	rows->order = gh_alloc_array(keep, sizeof(*rows->order));
	if (entries && rows->order)
		select_rows(rows, column, entries, keep, down ? descending : ascending);
	for (size_t i = 0; entries && rows->order && i < keep; i++)
		rows->order[i] = entries[i].row;
	gh_budget_give(table->budget, bytes);
	return entries && rows->order ? NULL : gh_error_nomem();
}

struct gh_error *gh_rows_init(const struct gh_table *table, const struct gh_render_options *options,
			      struct gh_rows *ret)
{
	const struct gh_column *column = NULL;
	struct gh_rows rows = {.table = table, .backwards = options->reverse};
	struct gh_error *err = NULL;
	size_t index = 0;

	rows.first = table->first;
	rows.n = (size_t)gh_min_u64(table->nrows - table->first, options->limit);
	rows.scratch = gh_alloc_array(table->ncolumns, sizeof(*rows.scratch));
	if (!rows.scratch)
		return gh_error_nomem();
	if (options->sort)
		column = find_column(table, options->sort, &index);
	if (column)
		err = sort_rows(&rows, index, is_descending(column->unit) != options->reverse);
	if (err) {
		gh_rows_deinit(&rows);
		return err;
	}
	*ret = rows;
	return NULL;
}

void gh_rows_deinit(struct gh_rows *rows)
{
	free(rows->order);
	free(rows->scratch);
	*rows = (struct gh_rows){0};
}

static struct gh_error *check_sort(const struct gh_report *report, const char *name)
{
	_cleanup_strbuf_ struct gh_strbuf known = {0};
	size_t index;

	for (size_t t = 0; t < report->tables.len; t++) {
		const struct gh_table *table = report->tables.data[t];

		if (find_column(table, name, &index))
			return NULL;
		for (size_t i = 0; i < table->ncolumns; i++)
			gh_strbuf_printf(&known, "%s%s", known.len ? ", " : "",
					 table->columns[i].name);
	}
	return gh_error_create(GH_ERR_USAGE, "cannot sort by '%s': there is no such column: use %s",
			       name, known.len ? gh_strbuf_str(&known) : "--sort on a table");
}

static struct gh_error *render(const struct gh_report *report,
			       const struct gh_render_options *options, struct gh_out *out)
{
	switch (options->format) {
	case GH_FORMAT_TEXT:
		return gh_render_text(report, options, out);
	case GH_FORMAT_JSON:
		return gh_render_json(report, options, out);
	case GH_FORMAT_CSV:
		return gh_render_csv(report, options, out);
	case GH_FORMAT_SHORT:
		return gh_render_short(report, options, out);
	}
	return NULL;
}

struct gh_error *gh_report_render(const struct gh_report *report,
				  const struct gh_render_options *options, gh_sink_fn sink,
				  void *ctx)
{
	struct gh_out out = {.sink = sink, .ctx = ctx};
	struct gh_error *err = options->sort ? check_sort(report, options->sort) : NULL;

	if (!err)
		err = render(report, options, &out);
	if (!err) {
		gh_out_flush(&out, true);
		if (out.sb.failed)
			err = gh_error_nomem();
	}
	gh_strbuf_deinit(&out.sb);
	return err;
}

static bool count_lines(void *ctx, const char *text, size_t len)
{
	size_t *lines = ctx;

	for (size_t i = 0; i < len; i++)
		*lines += text[i] == '\n';
	return true;
}

uint64_t gh_report_fit(const struct gh_report *report, const struct gh_render_options *options,
		       size_t lines)
{
	struct gh_render_options trial = *options;
	uint64_t n;

	trial.handles = NULL; // nobody sees these rows
	for (n = 1; n < options->limit; n++) {
		size_t used = 0;

		trial.limit = n + 1;
		gh_error_destroy(gh_report_render(report, &trial, count_lines, &used));
		if (used > lines)
			break;
	}
	return n;
}
