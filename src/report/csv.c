// SPDX-License-Identifier: Apache-2.0
// CSV (RFC 4180) and the one-column form for pipes. Exact values: bytes, nanoseconds, shares of 1;
// null is empty. Totals are left out: a row that is a sum of the others spoils every sum.
#include "report/render.h"

#include <math.h>

#include "report/format.h"

/* Exact, not for people; lists are joined by spaces. */
static void put_value(struct gh_strbuf *sb, const struct gh_cell *cell, enum gh_unit unit)
{
	switch (cell->kind) {
	case GH_CELL_NULL:
		return;
	case GH_CELL_U64:
		if (unit == GH_UNIT_BOOL)
			gh_strbuf_puts(sb, cell->u64 ? "true" : "false");
		else if (unit == GH_UNIT_ADDRESS)
			gh_strbuf_printf(sb, "0x%llx", (unsigned long long)cell->u64);
		else
			gh_strbuf_printf(sb, "%llu", (unsigned long long)cell->u64);
		return;
	case GH_CELL_I64:
		gh_strbuf_printf(sb, "%lld", (long long)cell->i64);
		return;
	case GH_CELL_REAL:
		if (isfinite(cell->real))
			gh_format_real(sb, cell->real);
		return;
	case GH_CELL_TEXT:
		gh_format_escaped(sb, cell->text);
		return;
	case GH_CELL_LIST:
		gh_format_list(sb, cell, " ");
		return;
	}
}

static void put_quoted(struct gh_strbuf *sb, const char *text)
{
	if (!text[strcspn(text, ",\"\r\n")]) {
		gh_strbuf_puts(sb, text);
		return;
	}
	gh_strbuf_putc(sb, '"');
	for (; *text; text++) {
		if (*text == '"')
			gh_strbuf_putc(sb, '"');
		gh_strbuf_putc(sb, *text);
	}
	gh_strbuf_putc(sb, '"');
}

static struct gh_error *put_table(const struct gh_table *table,
				  const struct gh_render_options *options, struct gh_out *out)
{
	_cleanup_strbuf_ struct gh_strbuf value = {0};
	struct gh_rows rows;
	struct gh_error *err = gh_rows_init(table, options, &rows);

	if (err)
		return err;
	for (size_t c = 0; c < table->ncolumns; c++) {
		gh_strbuf_puts(&out->sb, c ? "," : "");
		put_quoted(&out->sb, table->columns[c].name);
	}
	gh_strbuf_puts(&out->sb, "\r\n");
	for (size_t i = 0; i < rows.n && !out->stopped; i++) {
		const struct gh_cell *cells = gh_rows_at(&rows, i);

		for (size_t c = 0; c < table->ncolumns; c++) {
			value.len = 0;
			gh_strbuf_add(&value, "", 0);
			put_value(&value, &cells[c], gh_cell_unit(&cells[c], &table->columns[c]));
			gh_strbuf_puts(&out->sb, c ? "," : "");
			put_quoted(&out->sb, gh_strbuf_str(&value));
		}
		gh_strbuf_puts(&out->sb, "\r\n");
		gh_out_flush(out, false);
	}
	gh_rows_deinit(&rows);
	return gh_strbuf_ok(&value) ? NULL : gh_error_nomem();
}

struct gh_error *gh_render_csv(const struct gh_report *report,
			       const struct gh_render_options *options, struct gh_out *out)
{
	for (size_t t = 0; t < report->tables.len; t++) {
		const struct gh_table *table = report->tables.data[t];
		struct gh_error *err;

		if (report->tables.len > 1)
			gh_strbuf_printf(&out->sb, "%s# table %s\r\n", t ? "\r\n" : "",
					 table->name);
		err = put_table(table, options, out);
		if (err)
			return err;
	}
	return NULL;
}

struct gh_error *gh_render_short(const struct gh_report *report,
				 const struct gh_render_options *options, struct gh_out *out)
{
	const struct gh_table *table;
	const struct gh_column *column;
	struct gh_rows rows;
	struct gh_error *err;

	if (report->tables.len == 0 || report->tables.data[0]->ncolumns == 0)
		return NULL;
	table = report->tables.data[0];
	column = &table->columns[table->key < table->ncolumns ? table->key : 0];
	err = gh_rows_init(table, options, &rows);
	if (err)
		return err;
	for (size_t i = 0; i < rows.n && !out->stopped; i++) {
		const struct gh_cell *cell = &gh_rows_at(&rows, i)[column - table->columns];

		put_value(&out->sb, cell, gh_cell_unit(cell, column));
		gh_strbuf_putc(&out->sb, '\n');
		gh_out_flush(out, false);
	}
	gh_rows_deinit(&rows);
	return NULL;
}
