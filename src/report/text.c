// SPDX-License-Identifier: Apache-2.0
// Reports for people: aligned tables no wider than asked, the total first, what was left out after.
#include "report/render.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "report/format.h"
#include "report/layout.h"

enum {
	FOLDED_INDENT = 8,
	MAX_LIST = 60, // columns that a list takes at most when there is no limit
};

struct printer {
	const struct gh_table *table;
	const struct gh_render_options *options;
	struct gh_rows rows;
	struct gh_layout layout;
	size_t handle;		 // column whose values get handles; ncolumns: none
	uint64_t number;	 // of the handle at hand
	struct gh_strbuf cell;	 // of the value at hand
	struct gh_strbuf fitted; // the same, as wide as its column
	struct gh_out *out;
};

static bool is_number(enum gh_unit unit)
{
	return unit == GH_UNIT_BYTES || unit == GH_UNIT_COUNT || unit == GH_UNIT_NS ||
	       unit == GH_UNIT_SHARE;
}

static const char *format_value(struct printer *p, const struct gh_cell *cells, size_t c)
{
	p->cell.len = 0;
	gh_strbuf_add(&p->cell, "", 0);
	gh_format_cell(&p->cell, &cells[c], gh_cell_unit(&cells[c], &p->table->columns[c]),
		       p->options->exact_bytes);
	return gh_strbuf_str(&p->cell);
}

/* The total row says so in its first column, unless that has a sum of its own. */
static const char *format_total(struct printer *p, size_t c)
{
	const struct gh_cell *total = p->table->total;

	if (total[c].kind == GH_CELL_NULL)
		return c == 0 ? "total" : "";
	return format_value(p, total, c);
}

static bool has_handles(const struct printer *p)
{
	return p->handle < p->table->ncolumns;
}

/* The handle of the i-th row shown; false: it gets none. */
static bool format_handle(struct printer *p, size_t i, const struct gh_cell *cells)
{
	const struct gh_column *column = &p->table->columns[p->handle];
	uint64_t value = cells[p->handle].u64;

	if (i >= GH_HANDLES_A_TABLE || cells[p->handle].kind != GH_CELL_U64)
		return false;
	p->number = column->unit == GH_UNIT_ADDRESS ? p->options->handles->next + i : value;
	p->cell.len = 0;
	gh_strbuf_printf(&p->cell, "$%c%llu", column->handle, (unsigned long long)p->number);
	return true;
}

static void measure(struct printer *p)
{
	const struct gh_table *table = p->table;

	for (size_t c = 0; c < table->ncolumns; c++) {
		p->layout.columns[c].right = is_number(table->columns[c].unit);
		p->layout.columns[c].flexible = table->columns[c].unit == GH_UNIT_TEXT ||
					 table->columns[c].unit == GH_UNIT_LIST;
		gh_layout_widen(&p->layout, c, table->columns[c].name);
		if (table->total)
			gh_layout_widen(&p->layout, c, format_total(p, c));
	}
	for (size_t i = 0; i < p->rows.n; i++) {
		const struct gh_cell *cells = gh_rows_at(&p->rows, i);

		for (size_t c = 0; c < table->ncolumns; c++) {
			const char *text = format_value(p, cells, c);

			gh_layout_widen(&p->layout, c, text);
			p->layout.columns[c].filled |= cells[c].kind != GH_CELL_NULL && *text;
		}
		if (has_handles(p) && format_handle(p, i, cells))
			p->layout.handle_width = gh_max_u64(p->layout.handle_width, p->cell.len);
	}
	for (size_t c = 0; c < table->ncolumns; c++)
		if (table->columns[c].unit == GH_UNIT_LIST && p->layout.columns[c].width > MAX_LIST)
			p->layout.columns[c].width = MAX_LIST;
}

static bool is_last(const struct printer *p, size_t c)
{
	for (size_t i = c + 1; i < p->table->ncolumns; i++)
		if (p->layout.columns[i].width)
			return false;
	return true;
}

/* Blanks before a column. */
static size_t gap_of(const struct printer *p, size_t c)
{
	return c || p->layout.handle_width ? GH_COLUMN_GAP : 0;
}

/* In as many lines as it needs, each of which begins where the column does. */
static void put_wrapped(struct printer *p, size_t c, const char *text)
{
	size_t width = p->layout.columns[c].width, indent = p->layout.handle_width + gap_of(p, c);

	for (size_t i = 0; i < c; i++)
		if (p->layout.columns[i].width)
			indent += gap_of(p, i) + p->layout.columns[i].width;
	gh_put_spaces(&p->out->sb, gap_of(p, c));
	gh_put_lines(&p->out->sb, text, width, width, indent);
}

static void put_cell(struct printer *p, size_t c, const char *text)
{
	const struct gh_column_layout *column = &p->layout.columns[c];
	size_t pad;

	if (!column->width)
		return;
	if (p->table->columns[c].wraps && is_last(p, c)) {
		put_wrapped(p, c, text);
		return;
	}
	p->fitted.len = 0;
	gh_strbuf_add(&p->fitted, "", 0);
	gh_text_fit(&p->fitted, text, column->width);
	pad = column->width - gh_min_u64(column->width, gh_text_width(gh_strbuf_str(&p->fitted)));
	gh_put_spaces(&p->out->sb, gap_of(p, c));
	if (column->right)
		gh_put_spaces(&p->out->sb, pad);
	gh_strbuf_puts(&p->out->sb, gh_strbuf_str(&p->fitted));
	if (!column->right && !is_last(p, c))
		gh_put_spaces(&p->out->sb, pad);
}

static void put_header(struct printer *p)
{
	struct gh_strbuf *sb = &p->out->sb;

	if (p->options->colour)
		gh_strbuf_puts(sb, "\x1b[1m");
	gh_put_spaces(sb, p->layout.handle_width);
	for (size_t c = 0; c < p->table->ncolumns; c++)
		put_cell(p, c, p->table->columns[c].name);
	if (p->options->colour)
		gh_strbuf_puts(sb, "\x1b[0m");
	gh_end_line(sb);
}

static void put_handle(struct printer *p, size_t i, const struct gh_cell *cells)
{
	struct gh_handles *handles = p->options->handles;
	size_t width = 0;

	if (!p->layout.handle_width)
		return;
	if (format_handle(p, i, cells)) {
		gh_strbuf_puts(&p->out->sb, gh_strbuf_str(&p->cell));
		width = p->cell.len;
		handles->shown(handles->ctx, p->table->columns[p->handle].handle, p->number,
			       cells[p->handle].u64);
	}
	gh_put_spaces(&p->out->sb, p->layout.handle_width - width);
}

/* A sentence that is longer than a line of its own takes several: nothing of it is cut. */
static bool put_long(struct printer *p, size_t c, const char *text)
{
	const struct gh_column *column = &p->table->columns[c];
	size_t least = gh_text_least(text);
	struct gh_strbuf sb = {0};

	if (!column->below || !strchr(text, ' ') ||
	    FOLDED_INDENT + strlen(column->name) + 1 + least <= p->options->width)
		return false;
	gh_put_spaces(&sb, FOLDED_INDENT);
	gh_strbuf_printf(&sb, "%s %s", column->name, text);
	p->out->sb.failed |= !gh_strbuf_ok(&sb);
	gh_put_sentence(p->out, p->options->width, FOLDED_INDENT + 2, gh_strbuf_str(&sb));
	gh_strbuf_deinit(&sb);
	return true;
}

/* "name value" of each column that had no room, as many a line as fit. */
static void put_folded(struct printer *p, const struct gh_cell *cells)
{
	struct gh_strbuf *sb = &p->out->sb;
	size_t used = 0;

	for (size_t c = 0; c < p->table->ncolumns; c++) {
		const char *name = p->table->columns[c].name, *text;
		size_t width, room;

		if (!p->layout.columns[c].folded || cells[c].kind == GH_CELL_NULL)
			continue;
		text = format_value(p, cells, c);
		if (!*text) // an empty list
			continue;
		width = strlen(name) + 1 + gh_text_width(text);
		if (used && used + GH_COLUMN_GAP + width > p->options->width) {
			gh_end_line(sb);
			used = 0;
		}
		if (!used && put_long(p, c, text))
			continue;
		gh_put_spaces(sb, used ? GH_COLUMN_GAP : FOLDED_INDENT);
		used += used ? GH_COLUMN_GAP : FOLDED_INDENT;
		room = p->options->width - used - strlen(name) - 1;
		gh_strbuf_puts(sb, name);
		gh_strbuf_putc(sb, ' ');
		gh_text_fit(sb, text, room);
		used += gh_min_u64(width, strlen(name) + 1 + room);
	}
	if (used)
		gh_end_line(sb);
}

static void put_rows(struct printer *p)
{
	struct gh_out *out = p->out;

	if (p->table->total && p->table->first == 0) {
		gh_put_spaces(&out->sb, p->layout.handle_width);
		for (size_t c = 0; c < p->table->ncolumns; c++)
			put_cell(p, c, format_total(p, c));
		gh_end_line(&out->sb);
	}
	for (size_t i = 0; i < p->rows.n && !out->stopped; i++) {
		const struct gh_cell *cells = gh_rows_at(&p->rows, i);

		put_handle(p, i, cells);
		for (size_t c = 0; c < p->table->ncolumns; c++)
			if (p->layout.columns[c].width)
				put_cell(p, c, format_value(p, cells, c));
		gh_end_line(&out->sb);
		put_folded(p, cells);
		gh_out_flush(out, false);
	}
	gh_put_rest(out, p->options, p->table->nrows - p->rows.first - p->rows.n);
}

/* The column by which rows get handles, where somebody takes them. */
static size_t find_handle(const struct gh_table *table, const struct gh_render_options *options)
{
	size_t c = 0;

	while (options->handles && c < table->ncolumns && !table->columns[c].handle)
		c++;
	return options->handles ? c : table->ncolumns;
}

static struct gh_error *put_table(const struct gh_table *table,
				  const struct gh_render_options *options, struct gh_out *out)
{
	struct printer p = {.table = table, .options = options, .out = out};
	struct gh_error *err = gh_rows_init(table, options, &p.rows);

	if (err)
		return err;
	p.handle = find_handle(table, options);
	p.layout.table = table;
	p.layout.width = options->width;
	p.layout.has_rows = p.rows.n != 0;
	p.layout.columns = gh_alloc_array(table->ncolumns, sizeof(*p.layout.columns));
	if (!p.layout.columns) {
		err = gh_error_nomem();
	} else {
		measure(&p);
		gh_layout_fit(&p.layout);
		put_header(&p);
		put_rows(&p);
		if (p.layout.handle_width && table->columns[p.handle].unit == GH_UNIT_ADDRESS)
			options->handles->next += gh_min_u64(p.rows.n, GH_HANDLES_A_TABLE);
	}
	if (p.cell.failed || p.fitted.failed)
		err = gh_error_nomem();
	gh_rows_deinit(&p.rows);
	gh_strbuf_deinit(&p.cell);
	gh_strbuf_deinit(&p.fitted);
	free(p.layout.columns);
	return err;
}

static void put_escaped_sentence(struct gh_out *out, uint32_t width, const char *raw)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	gh_format_escaped(&sb, raw);
	gh_put_sentence(out, width, 2, gh_strbuf_str(&sb));
}

static void format_check(struct gh_strbuf *sb, const struct gh_check *check)
{
	gh_strbuf_puts(sb, check->name);
	if (check->has_values)
		gh_strbuf_printf(sb, ": %llu %s %llu", (unsigned long long)check->ours,
				 check->ours == check->theirs ? "=" : "≠",
				 (unsigned long long)check->theirs);
	if (check->detail)
		gh_strbuf_printf(sb, " (%s)", check->detail);
}

/* One line for all that agree, one for each that does not, or that has something to say. */
static void put_checks(struct gh_out *out, uint32_t width, const struct gh_report *report)
{
	size_t good = 0;

	for (size_t i = 0; i < report->checks.len; i++) {
		const struct gh_check *check = &report->checks.data[i];
		_cleanup_strbuf_ struct gh_strbuf sb = {0};

		good += check->ok;
		if (check->ok && !check->detail)
			continue;
		gh_strbuf_puts(&sb, check->ok ? "self-check ok: " : "self-check DIFFERS: ");
		format_check(&sb, check);
		put_escaped_sentence(out, width, gh_strbuf_str(&sb));
	}
	if (good) {
		_cleanup_strbuf_ struct gh_strbuf sb = {0};

		gh_strbuf_printf(&sb, "self-check ok: %zu totals agree with the runtime's own", good);
		put_escaped_sentence(out, width, gh_strbuf_str(&sb));
	}
}

static void put_skip(struct gh_out *out, uint32_t width, const struct gh_skip *skip)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	gh_strbuf_printf(&sb, "skipped: %llu %s: %s", (unsigned long long)skip->count, skip->what,
			 skip->why);
	put_escaped_sentence(out, width, gh_strbuf_str(&sb));
}

static void put_note(struct gh_out *out, uint32_t width, const char *note)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	gh_strbuf_printf(&sb, "note: %s", note);
	put_escaped_sentence(out, width, gh_strbuf_str(&sb));
}

/* Line by line; help keeps the shape that it has. */
static void put_headline(const struct gh_report *report, uint32_t width, struct gh_out *out)
{
	const char *line = report->headline;

	if (line && report->headline_only) {
		gh_strbuf_printf(&out->sb, "%s\n", line);
		return;
	}
	while (line) {
		size_t len = strcspn(line, "\n");
		struct gh_strbuf sb = {0};

		gh_strbuf_add(&sb, line, len);
		if (len)
			put_escaped_sentence(out, width, gh_strbuf_str(&sb));
		else
			gh_strbuf_putc(&out->sb, '\n');
		gh_strbuf_deinit(&sb);
		line = line[len] ? line + len + 1 : NULL;
	}
}

struct gh_error *gh_render_text(const struct gh_report *report,
				const struct gh_render_options *options, struct gh_out *out)
{
	struct gh_error *err;

	put_headline(report, options->width, out);
	for (size_t t = 0; !report->headline_only && t < report->tables.len; t++) {
		const struct gh_table *table = report->tables.data[t];

		if (t)
			gh_strbuf_putc(&out->sb, '\n');
		if (report->tables.len > 1)
			gh_strbuf_printf(&out->sb, "%s:%s\n", table->name,
					 table->nrows ? "" : " none");
		if (!table->nrows) {
			if (report->tables.len == 1 && !report->headline)
				gh_strbuf_puts(&out->sb, "no rows\n");
			continue;
		}
		err = table->is_prose ? gh_put_prose(table, options, out)
				      : put_table(table, options, out);
		if (err)
			return err;
	}
	put_checks(out, options->width, report);
	for (size_t i = 0; i < report->skipped.len; i++)
		put_skip(out, options->width, &report->skipped.data[i]);
	for (size_t i = 0; i < report->notes.len; i++)
		put_note(out, options->width, report->notes.data[i].text);
	return NULL;
}
