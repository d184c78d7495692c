// SPDX-License-Identifier: Apache-2.0
// Sentences for people: breaking lines, and tables whose rows are paragraphs.
#include "base/text.h"
#include "report/format.h"
#include "report/render.h"

void gh_put_spaces(struct gh_strbuf *sb, size_t n)
{
	while (n-- > 0)
		gh_strbuf_putc(sb, ' ');
}

void gh_end_line(struct gh_strbuf *sb)
{
	while (sb->len && !sb->failed && sb->data[sb->len - 1] == ' ')
		sb->len--;
	gh_strbuf_putc(sb, '\n');
}

void gh_put_rest(struct gh_out *out, const struct gh_render_options *options, size_t nrows)
{
	if (nrows == 0)
		return;
	gh_strbuf_printf(&out->sb, "… %zu more row%s: ", nrows, gh_plural(nrows));
	if (options->how_next)
		gh_strbuf_printf(&out->sb, "`%s`\n", options->how_next);
	else
		gh_strbuf_puts(&out->sb, "-n 0 shows all\n");
}

/* Bytes of the text up to where a line of `width` should break; all of it when it fits. */
static size_t break_at(const char *text, size_t width)
{
	size_t at = 0, columns = 0, last_blank = 0;

	while (text[at]) {
		uint32_t code = 0;
		size_t len = gh_utf8_decode(text + at, &code);

		if (text[at] == ' ')
			last_blank = at;
		if (++columns > width)
			return last_blank ? last_blank : at;
		at += len ? len : 1;
	}
	return at;
}

void gh_put_lines(struct gh_strbuf *sb, const char *text, size_t first, size_t width, size_t indent)
{
	size_t len = break_at(text, first);

	gh_strbuf_add(sb, text, len);
	for (;;) {
		text += len;
		text += strspn(text, " ");
		if (!*text)
			return;
		gh_end_line(sb);
		gh_put_spaces(sb, indent);
		len = break_at(text, width);
		gh_strbuf_add(sb, text, len);
	}
}

void gh_put_sentence(struct gh_out *out, uint32_t width, size_t indent, const char *sentence)
{
	if (!*sentence)
		return;
	gh_put_lines(&out->sb, sentence, width > 8 ? width : SIZE_MAX,
		     width > indent + 8 ? width - indent : SIZE_MAX, indent);
	gh_end_line(&out->sb);
}

enum { INDENT = 3 };

static void add_cell(struct gh_strbuf *sb, const struct gh_table *table,
		     const struct gh_cell *cells, size_t c, bool exact_bytes)
{
	gh_format_cell(sb, &cells[c], gh_cell_unit(&cells[c], &table->columns[c]), exact_bytes);
}

/* "3. proven, 62.0 MiB at_least, 31.2 %: the sentence". */
static void put_first(const struct gh_table *table, const struct gh_cell *cells, size_t number,
		      const struct gh_render_options *options, struct gh_out *out)
{
	struct gh_strbuf sb = {0};
	const char *between = " ";

	gh_strbuf_printf(&sb, "%zu.", number);
	for (size_t c = 0; c < table->ncolumns; c++) {
		if (table->columns[c].prose != GH_PROSE_HEAD || cells[c].kind == GH_CELL_NULL)
			continue;
		gh_strbuf_puts(&sb, between);
		add_cell(&sb, table, cells, c, options->exact_bytes);
		between = ", ";
	}
	for (size_t c = 0; c < table->ncolumns; c++) {
		if (table->columns[c].prose != GH_PROSE_SENTENCE || cells[c].kind == GH_CELL_NULL)
			continue;
		gh_strbuf_puts(&sb, ": ");
		add_cell(&sb, table, cells, c, options->exact_bytes);
	}
	out->sb.failed |= !gh_strbuf_ok(&sb);
	gh_put_sentence(out, options->width, INDENT, gh_strbuf_str(&sb));
	gh_strbuf_deinit(&sb);
}

static void put_lines(const struct gh_table *table, const struct gh_cell *cells,
		      const struct gh_render_options *options, struct gh_out *out)
{
	for (size_t c = 0; c < table->ncolumns; c++) {
		struct gh_strbuf sb = {0};

		if (table->columns[c].prose != GH_PROSE_LINE || cells[c].kind == GH_CELL_NULL)
			continue;
		gh_put_spaces(&sb, INDENT);
		gh_strbuf_printf(&sb, "%s: ", table->columns[c].name);
		add_cell(&sb, table, cells, c, options->exact_bytes);
		out->sb.failed |= !gh_strbuf_ok(&sb);
		gh_put_sentence(out, options->width, 2 * INDENT, gh_strbuf_str(&sb));
		gh_strbuf_deinit(&sb);
	}
}

struct gh_error *gh_put_prose(const struct gh_table *table, const struct gh_render_options *options,
			      struct gh_out *out)
{
	struct gh_rows rows;
	struct gh_error *err = gh_rows_init(table, options, &rows);

	if (err)
		return err;
	for (size_t i = 0; i < rows.n && !out->stopped; i++) {
		const struct gh_cell *cells = gh_rows_at(&rows, i);

		put_first(table, cells, rows.first + i + 1, options, out);
		put_lines(table, cells, options, out);
		gh_out_flush(out, false);
	}
	gh_put_rest(out, options, table->nrows - rows.first - rows.n);
	gh_rows_deinit(&rows);
	return NULL;
}
