// SPDX-License-Identifier: Apache-2.0
// One JSON document, on one line, in the contract's order of keys. Rows are written one by one, so
// that a table of millions of rows takes no memory. Values are jansson's; the punctuation between
// the pieces is ours.
#include "report/render.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "report/format.h"

#define SCHEMA "goheap/1"

/* JSON is UTF-8: other bytes become U+FFFD. */
static json_t *text_value(const char *text)
{
	_cleanup_strbuf_ struct gh_strbuf valid = {0};
	json_t *value;

	if (!text)
		return json_null();
	value = json_string(text);
	if (value)
		return value;
	while (*text) {
		uint32_t code;
		size_t len = gh_utf8_decode(text, &code);

		gh_strbuf_add(&valid, len ? text : "\xef\xbf\xbd", len ? len : 3);
		text += len ? len : 1;
	}
	return gh_strbuf_ok(&valid) ? json_string(gh_strbuf_str(&valid)) : NULL;
}

static json_t *address_value(uint64_t addr)
{
	return json_sprintf("0x%llx", (unsigned long long)addr);
}

static json_t *unsigned_value(uint64_t v, enum gh_unit unit)
{
	if (unit == GH_UNIT_ADDRESS)
		return address_value(v);
	if (unit == GH_UNIT_BOOL)
		return json_boolean(v != 0);
	// beyond 63 bits jansson has no integer; a Go program has no such number of anything
	return v > INT64_MAX ? json_real((double)v) : json_integer((json_int_t)v);
}

static json_t *list_value(const struct gh_cell *cell)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < cell->list.n; i++)
		json_array_append_new(array, text_value(cell->list.items[i]));
	return array;
}

static json_t *cell_value(const struct gh_cell *cell, enum gh_unit unit)
{
	switch (cell->kind) {
	case GH_CELL_NULL:
		return json_null();
	case GH_CELL_U64:
		return unsigned_value(cell->u64, unit);
	case GH_CELL_I64:
		return json_integer(cell->i64);
	case GH_CELL_REAL:
		return isfinite(cell->real) ? json_real(cell->real) : json_null();
	case GH_CELL_TEXT:
		return text_value(cell->text);
	case GH_CELL_LIST:
		return list_value(cell);
	}
	return NULL;
}

static int put_piece(const char *buffer, size_t size, void *ctx)
{
	gh_strbuf_add(ctx, buffer, size);
	return 0;
}

/* Takes the value over. */
static void put(struct gh_out *out, json_t *value)
{
	if (!value || json_dump_callback(value, put_piece, &out->sb,
					 JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)))
		out->sb.failed = true;
	json_decref(value);
}

static json_t *row_value(const struct gh_table *table, const struct gh_cell *cells)
{
	json_t *row = json_object();

	for (size_t c = 0; row && c < table->ncolumns; c++)
		json_object_set_new_nocheck(
			row, table->columns[c].name,
			cell_value(&cells[c], gh_cell_unit(&cells[c], &table->columns[c])));
	return row;
}

static json_t *columns_value(const struct gh_table *table)
{
	json_t *columns = json_array();

	for (size_t c = 0; columns && c < table->ncolumns; c++)
		json_array_append_new(columns,
				      json_pack("{s:s, s:s}", "name", table->columns[c].name,
						"unit", gh_unit_name(table->columns[c].unit)));
	return columns;
}

static struct gh_error *put_table(const struct gh_table *table,
				  const struct gh_render_options *options, struct gh_out *out)
{
	struct gh_rows rows;
	struct gh_error *err = gh_rows_init(table, options, &rows);

	if (err)
		return err;
	put(out, text_value(table->name));
	gh_strbuf_puts(&out->sb, ":{\"columns\":");
	put(out, columns_value(table));
	gh_strbuf_puts(&out->sb, ",\"rows\":[");
	for (size_t i = 0; i < rows.n && !out->stopped && !out->sb.failed; i++) {
		if (i)
			gh_strbuf_putc(&out->sb, ',');
		put(out, row_value(table, gh_rows_at(&rows, i)));
		gh_out_flush(out, false);
	}
	gh_strbuf_puts(&out->sb, "],\"total\":");
	put(out, table->total ? row_value(table, table->total) : json_null());
	gh_strbuf_putc(&out->sb, '}');
	gh_rows_deinit(&rows);
	return NULL;
}

static json_t *target_value(const struct gh_report_target *target)
{
	if (!target->kind)
		return json_null();
	return json_pack(
		"{s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:o}", "kind", target->kind,
		"go_version", text_value(target->go_version), "goarch", text_value(target->goarch),
		"pid", target->has_pid ? json_integer((json_int_t)target->pid) : json_null(),
		"build_id", text_value(target->build_id), "exe", text_value(target->exe),
		"truncated", target->truncated, "forced", target->forced, "now_ns",
		target->has_now ? json_integer(target->now_ns) : json_null(), "now_error_ns",
		target->has_now_error ? json_integer(target->now_error_ns) : json_null());
}

static json_t *check_value(const struct gh_check *check)
{
	bool has = check->has_values;

	return json_pack("{s:o, s:o, s:b, s:o}", "ours",
			 has ? unsigned_value(check->ours, GH_UNIT_COUNT) : json_null(), "theirs",
			 has ? unsigned_value(check->theirs, GH_UNIT_COUNT) : json_null(), "ok",
			 check->ok, "detail", text_value(check->detail));
}

static json_t *selfcheck_value(const struct gh_report *report)
{
	json_t *checks = json_object();

	for (size_t i = 0; i < report->checks.len; i++)
		json_object_set_new(checks, report->checks.data[i].name,
				    check_value(&report->checks.data[i]));
	return checks;
}

static json_t *skipped_value(const struct gh_report *report)
{
	json_t *array = json_array();

	for (size_t i = 0; i < report->skipped.len; i++) {
		const struct gh_skip *skip = &report->skipped.data[i];

		json_array_append_new(array,
				      json_pack("{s:o, s:o, s:o}", "what", text_value(skip->what),
						"count", unsigned_value(skip->count, GH_UNIT_COUNT),
						"why", text_value(skip->why)));
	}
	return array;
}

static json_t *notes_value(const struct gh_report *report)
{
	json_t *array = json_array();

	for (size_t i = 0; i < report->notes.len; i++)
		json_array_append_new(array, text_value(report->notes.data[i].text));
	return array;
}

static json_t *args_value(const struct gh_report *report)
{
	json_t *array = json_array();

	for (size_t i = 0; i < report->nargs; i++)
		json_array_append_new(array, text_value(report->args[i]));
	return array;
}

struct gh_error *gh_render_json(const struct gh_report *report,
				const struct gh_render_options *options, struct gh_out *out)
{
	struct gh_error *err = NULL;

	gh_strbuf_puts(&out->sb, "{\"schema\":\"" SCHEMA "\",\"command\":");
	put(out, text_value(report->command));
	gh_strbuf_puts(&out->sb, ",\"args\":");
	put(out, args_value(report));
	gh_strbuf_puts(&out->sb, ",\"target\":");
	put(out, target_value(&report->target));
	gh_strbuf_puts(&out->sb, ",\"tables\":{");
	for (size_t t = 0; !err && t < report->tables.len; t++) {
		if (t)
			gh_strbuf_putc(&out->sb, ',');
		err = put_table(report->tables.data[t], options, out);
	}
	if (err)
		return err;
	gh_strbuf_puts(&out->sb, "},\"selfcheck\":");
	put(out, selfcheck_value(report));
	gh_strbuf_puts(&out->sb, ",\"skipped\":");
	put(out, skipped_value(report));
	gh_strbuf_puts(&out->sb, ",\"notes\":");
	put(out, notes_value(report));
	gh_strbuf_puts(&out->sb, "}\n");
	return NULL;
}
