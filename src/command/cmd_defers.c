// SPDX-License-Identifier: Apache-2.0
// `defers`: what goroutines will still run before they return, and what it keeps until then.
#include <stdlib.h>

#include "analysis/defers.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "command/code_cells.h"
#include "command/command.h"
#include "command/heap_notes.h"
#include "report/format.h"

enum {
	LOOP_CHAIN = 16,	   // pending defers of one statement that make a loop of note
	DEFAULT_BIG = 1024 * 1024, // bytes
};

enum column {
	FUNCTION,
	FRAME,
	SITE,
	SITE_KIND,
	COUNT,
	CHAIN_MAX,
	CAPTURED,
	CAPTURED_STRENGTH,
	CAPTURED_BYTES,
	CAPTURED_BYTES_KIND,
	RETAINED,
	RETAINED_KIND,
	IN_FRAME_BYTES,
	FLAGS,
	KIND,
	GOIDS,
	NCOLUMNS
};

static const struct gh_column columns[NCOLUMNS] = {
	[FUNCTION] = {"function", GH_UNIT_TEXT, false},
	[FRAME] = {"frame", GH_UNIT_TEXT, true},
	[SITE] = {"site", GH_UNIT_TEXT, false},
	[SITE_KIND] = {"site_kind", GH_UNIT_TEXT, true},
	[COUNT] = {"count", GH_UNIT_COUNT, false},
	[CHAIN_MAX] = {"chain_max", GH_UNIT_COUNT, true},
	[CAPTURED] = {"captured", GH_UNIT_TEXT, true},
	[CAPTURED_STRENGTH] = {"captured_strength", GH_UNIT_TEXT, true},
	[CAPTURED_BYTES] = {"captured_bytes", GH_UNIT_BYTES, false},
	[CAPTURED_BYTES_KIND] = {"captured_bytes_kind", GH_UNIT_TEXT, true},
	[RETAINED] = {"retained", GH_UNIT_BYTES, false},
	[RETAINED_KIND] = {"retained_kind", GH_UNIT_TEXT, true},
	[IN_FRAME_BYTES] = {"in_frame_bytes", GH_UNIT_BYTES, true},
	[FLAGS] = {"flags", GH_UNIT_LIST, false},
	[KIND] = {"kind", GH_UNIT_TEXT, true},
	[GOIDS] = {"goids", GH_UNIT_LIST, true},
};

enum one_column {
	ONE_GOID,
	ONE_FUNCTION,
	ONE_FRAME,
	ONE_SITE,
	ONE_SITE_KIND,
	ONE_KIND,
	ONE_CAPTURED,
	ONE_CAPTURED_STRENGTH,
	ONE_CAPTURED_BYTES,
	ONE_CAPTURED_BYTES_KIND,
	ONE_RETAINED,
	ONE_RETAINED_KIND,
	ONE_IN_FRAME_BYTES,
	ONE_FLAGS,
	ONE_CHAIN,
	ONE_RECORD,
	ONE_CLOSURE,
	NONE_COLUMNS
};

static const struct gh_column one_columns[NONE_COLUMNS] = {
	[ONE_GOID] = {"goid", GH_UNIT_COUNT, false, .handle = 'g'},
	[ONE_FUNCTION] = {"function", GH_UNIT_TEXT, false},
	[ONE_FRAME] = {"frame", GH_UNIT_TEXT, false},
	[ONE_SITE] = {"site", GH_UNIT_TEXT, false},
	[ONE_SITE_KIND] = {"site_kind", GH_UNIT_TEXT, true},
	[ONE_KIND] = {"kind", GH_UNIT_TEXT, false},
	[ONE_CAPTURED] = {"captured", GH_UNIT_TEXT, true},
	[ONE_CAPTURED_STRENGTH] = {"captured_strength", GH_UNIT_TEXT, true},
	[ONE_CAPTURED_BYTES] = {"captured_bytes", GH_UNIT_BYTES, false},
	[ONE_CAPTURED_BYTES_KIND] = {"captured_bytes_kind", GH_UNIT_TEXT, true},
	[ONE_RETAINED] = {"retained", GH_UNIT_BYTES, false},
	[ONE_RETAINED_KIND] = {"retained_kind", GH_UNIT_TEXT, true},
	[ONE_IN_FRAME_BYTES] = {"in_frame_bytes", GH_UNIT_BYTES, true},
	[ONE_FLAGS] = {"flags", GH_UNIT_LIST, false},
	[ONE_CHAIN] = {"chain", GH_UNIT_COUNT, true},
	[ONE_RECORD] = {"record", GH_UNIT_ADDRESS, true},
	[ONE_CLOSURE] = {"closure", GH_UNIT_ADDRESS, true},
};

struct listing {
	struct gh_defer_list list;
	struct gh_report *report; // borrowed: texts go to its arena
	uint64_t big_bytes;
};

/* Rows [from, to) of the list in the order of groups. */
struct group {
	size_t from, to;
	uint64_t captured_bytes, retained, in_frame_bytes;
	uint32_t chain;
	enum gh_bound captured;
	bool is_big, refers_to_frame;
};
GH_VEC(group_vec, struct group);

static int compare_text(const char *a, const char *b)
{
	if (a == b)
		return 0;
	return !a ? -1 : !b ? 1 : strcmp(a, b);
}

static int by_meaning(const void *a, const void *b)
{
	const struct gh_defer_row *x = a, *y = b;
	int order = compare_text(x->file, y->file);

	if (order)
		return order;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->code != y->code)
		return x->code < y->code ? -1 : 1;
	order = compare_text(x->frame, y->frame);
	return order ? order : (x->kind > y->kind) - (x->kind < y->kind);
}

static int by_group(const void *a, const void *b)
{
	const struct gh_defer_row *x = a, *y = b;
	int order = by_meaning(a, b);

	if (order)
		return order;
	return x->goid != y->goid ? (x->goid < y->goid ? -1 : 1)
				  : (x->closure > y->closure) - (x->closure < y->closure);
}

static int by_weight(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->retained != y->retained)
		return x->retained < y->retained ? 1 : -1;
	if (x->to - x->from != y->to - y->from)
		return x->to - x->from < y->to - y->from ? 1 : -1;
	return x->from < y->from ? -1 : x->from > y->from;
}

static bool is_big(const struct listing *l, const struct gh_defer_row *row)
{
	return gh_max_u64(row->captured_bytes, row->retained) > l->big_bytes;
}

/* A sum is as sure as its weakest part; bounds in both directions leave a guess from below. */
static enum gh_bound add_bounds(enum gh_bound a, enum gh_bound b)
{
	if (a == GH_EXACT || a == b)
		return b;
	return b == GH_EXACT ? a : GH_BOUND_UNKNOWN;
}

static bool group_rows(struct listing *l, struct group_vec *ret)
{
	struct gh_defer_row_vec *rows = &l->list.rows;

	if (rows->len)
		qsort(rows->data, rows->len, sizeof(*rows->data), by_group);
	for (size_t i = 0; i < rows->len; i++) {
		const struct gh_defer_row *row = &rows->data[i];
		struct group *last = ret->len ? &ret->data[ret->len - 1] : NULL;

		if (!last || by_meaning(&rows->data[last->from], row)) {
			if (!group_vec_push(ret, (struct group){.from = i, .captured = GH_EXACT}))
				return false;
			last = &ret->data[ret->len - 1];
		}
		last->to = i + 1;
		last->captured_bytes += row->captured_bytes;
		last->captured = add_bounds(last->captured, row->captured);
		last->retained += row->retained;
		last->chain = row->chain > last->chain ? row->chain : last->chain;
		last->is_big |= is_big(l, row);
		last->in_frame_bytes += row->in_frame_bytes;
		last->refers_to_frame |= row->refers_to_frame;
	}
	if (ret->len)
		qsort(ret->data, ret->len, sizeof(*ret->data), by_weight);
	return true;
}

static struct gh_cell flags_cell(struct listing *l, uint32_t chain, bool big, bool frame)
{
	const char **flags = gh_arena_alloc(&l->report->arena, 3 * sizeof(*flags));
	size_t n = 0;

	if (!flags)
		return (struct gh_cell){0};
	if (chain >= LOOP_CHAIN)
		flags[n++] = "defer in loop";
	if (big)
		flags[n++] = "oversized capture";
	if (frame)
		flags[n++] = "variables of the frame";
	return gh_cell_list(flags, n);
}

static struct gh_cell captured_cell(const struct listing *l, const struct gh_defer_row *row)
{
	return gh_cell_text(l->list.codes.data[row->code].captured.text);
}

static struct gh_cell strength_cell(const struct listing *l, const struct gh_defer_row *row)
{
	const struct gh_captured *c = &l->list.codes.data[row->code].captured;

	return gh_cell_text(c->text ? gh_strength_name(c->strength) : NULL);
}

/* Goroutines of rows [from, to), each once: they are sorted; the first few of many. */
static struct gh_cell goids_cell(struct listing *l, const struct group *g)
{
	enum { SHOWN = 20 };
	const char **items = gh_arena_alloc(&l->report->arena, SHOWN * sizeof(*items));
	const struct gh_defer_row *rows = l->list.rows.data;
	size_t n = 0;

	for (size_t i = g->from; items && i < g->to && n < SHOWN; i++)
		if (i == g->from || rows[i].goid != rows[i - 1].goid)
			items[n++] = gh_arena_printf(&l->report->arena, "%llu",
						     (unsigned long long)rows[i].goid);
	return items ? gh_cell_list(items, n) : (struct gh_cell){0};
}

static const char *site_kind(const struct gh_defer_row *row)
{
	return !row->file ? NULL : row->is_statement ? "statement" : "function";
}

static struct gh_error *add_group(struct listing *l, struct gh_table *table, const struct group *g)
{
	const struct gh_defer_row *row = &l->list.rows.data[g->from];
	struct gh_cell *cells = gh_table_row(table);

	if (!cells)
		return gh_error_nomem();
	cells[FUNCTION] = gh_function_cell(l->report, l->list.codes.data[row->code].function);
	cells[FRAME] = gh_function_cell(l->report, row->frame);
	cells[SITE] = gh_site_cell(l->report, row->file, row->line);
	cells[SITE_KIND] = gh_cell_text(site_kind(row));
	cells[COUNT] = gh_cell_u64(g->to - g->from);
	cells[CHAIN_MAX] = gh_cell_u64(g->chain);
	cells[CAPTURED] = captured_cell(l, row);
	cells[CAPTURED_STRENGTH] = strength_cell(l, row);
	if (gh_bound_name(g->captured)) {
		cells[CAPTURED_BYTES] = gh_cell_u64(g->captured_bytes);
		cells[CAPTURED_BYTES_KIND] = gh_cell_text(gh_bound_name(g->captured));
	}
	if (row->has_retained) {
		cells[RETAINED] = gh_cell_u64(g->retained);
		cells[RETAINED_KIND] = gh_cell_text(
			g->to - g->from > 1 || !row->retained_exactly ? "at_least" : "exact");
	}
	if (g->refers_to_frame)
		cells[IN_FRAME_BYTES] = gh_cell_u64(g->in_frame_bytes);
	cells[FLAGS] = flags_cell(l, g->chain, g->is_big, g->refers_to_frame);
	cells[KIND] = gh_cell_text(gh_defer_kind_name(row->kind));
	cells[GOIDS] = goids_cell(l, g);
	return NULL;
}

static struct gh_error *add_groups(struct listing *l, const struct gh_args *args)
{
	struct gh_table *table = gh_report_table(l->report, "groups", columns, NCOLUMNS);
	struct gh_cell *total = table ? gh_table_total(table) : NULL;
	struct group_vec groups = {0};
	uint64_t count = 0, retained = 0;
	struct gh_error *err = total && group_rows(l, &groups) ? NULL : gh_error_nomem();

	for (size_t i = 0; i < groups.len && !err; i++) {
		const struct group *g = &groups.data[i];

		if (g->retained < args->min_bytes)
			continue;
		count += g->to - g->from;
		retained += g->retained;
		err = add_group(l, table, g);
	}
	group_vec_deinit(&groups);
	if (err)
		return err;
	total[FUNCTION] = gh_cell_text("total");
	total[COUNT] = gh_cell_u64(count);
	total[RETAINED] = gh_cell_u64(retained);
	return NULL;
}

static struct gh_cell address_cell(gh_addr addr)
{
	return addr ? gh_cell_u64(addr) : (struct gh_cell){0};
}

static void fill_one(void *ctx, size_t index, struct gh_cell *cells)
{
	struct listing *l = ctx;
	const struct gh_defer_row *row = &l->list.rows.data[index];

	cells[ONE_GOID] = gh_cell_u64(row->goid);
	cells[ONE_FUNCTION] =
		gh_function_cell(l->report, l->list.codes.data[row->code].function);
	cells[ONE_FRAME] = gh_function_cell(l->report, row->frame);
	cells[ONE_SITE] = gh_site_cell(l->report, row->file, row->line);
	cells[ONE_SITE_KIND] = gh_cell_text(site_kind(row));
	cells[ONE_KIND] = gh_cell_text(gh_defer_kind_name(row->kind));
	cells[ONE_CAPTURED] = captured_cell(l, row);
	cells[ONE_CAPTURED_STRENGTH] = strength_cell(l, row);
	if (row->captured != GH_BOUND_UNKNOWN) {
		cells[ONE_CAPTURED_BYTES] = gh_cell_u64(row->captured_bytes);
		cells[ONE_CAPTURED_BYTES_KIND] = gh_cell_text(gh_bound_name(row->captured));
	}
	if (row->has_retained) {
		cells[ONE_RETAINED] = gh_cell_u64(row->retained);
		cells[ONE_RETAINED_KIND] =
			gh_cell_text(row->retained_exactly ? "exact" : "at_least");
	}
	if (row->has_in_frame)
		cells[ONE_IN_FRAME_BYTES] = gh_cell_u64(row->in_frame_bytes);
	cells[ONE_FLAGS] = flags_cell(l, row->chain, is_big(l, row), row->refers_to_frame);
	cells[ONE_CHAIN] = gh_cell_u64(row->chain);
	cells[ONE_RECORD] = address_cell(row->record);
	cells[ONE_CLOSURE] = address_cell(row->closure);
}

static void listing_destroy(void *ctx)
{
	struct listing *l = ctx;

	if (l)
		gh_defer_list_deinit(&l->list);
	free(l);
}

/* Takes the listing over. */
static struct gh_error *add_all(struct listing *l)
{
	struct gh_table *table = gh_report_table(l->report, "defers", one_columns, NONE_COLUMNS);

	if (!table) {
		listing_destroy(l);
		return gh_error_nomem();
	}
	table->row = fill_one;
	table->row_ctx = l;
	table->row_ctx_destroy = listing_destroy;
	table->nrows = l->list.rows.len;
	return NULL;
}

static void add_notes(const struct listing *l)
{
	const struct gh_defer_list *list = &l->list;
	_cleanup_strbuf_ struct gh_strbuf limit = {0};
	uint64_t loops = 0, big = 0;

	for (size_t i = 0; i < list->rows.len; i++) {
		loops += list->rows.data[i].chain >= LOOP_CHAIN;
		big += is_big(l, &list->rows.data[i]);
	}
	gh_format_bytes(&limit, l->big_bytes);
	l->report->headline = gh_arena_printf(
		&l->report->arena,
		"%llu pending defer%s: %llu pile%s up in loops, %llu keep%s over %s",
		(unsigned long long)list->rows.len, gh_plural(list->rows.len),
		(unsigned long long)loops, loops == 1 ? "s" : "", (unsigned long long)big,
		big == 1 ? "s" : "", gh_strbuf_str(&limit));
	gh_report_skip(l->report, "defers", list->skips.unreadable,
		       "they cannot be read from the target");
	gh_report_skip(l->report, "defers", list->skips.damaged,
		       "what a goroutine's list or frame has there is none");
	gh_report_skip(l->report, "stacks", list->incomplete,
		       "they could not be walked to their end: defers without a record may be "
		       "missing");
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	const char *big = gh_args_option(args, "--big");
	bool quick = gh_args_option(args, "--quick");
	struct listing *l = calloc(1, sizeof(*l));
	struct gh_error *err = NULL;

	if (!l)
		return gh_error_nomem();
	l->report = report;
	l->big_bytes = DEFAULT_BIG;
	if (big && !gh_parse_size(big, &l->big_bytes))
		err = gh_error_create(GH_ERR_USAGE, "--big: '%s' is no size: 512, 64K, 1M, 2GiB",
				      big);
	if (!err)
		err = gh_defer_list_create(session, quick, &report->arena, &l->list);
	if (err) {
		free(l);
		return err;
	}
	add_notes(l);
	if (gh_args_option(args, "--all")) {
		err = add_all(l);
	} else {
		err = add_groups(l, args);
		listing_destroy(l);
	}
	if (!err && !quick)
		gh_heap_notes(session, report);
	return err;
}

static const struct gh_option options[] = {
	{"--all", NULL, NULL, "one defer a row, in the order in which they would run"},
	{"--big", NULL, "SIZE", "call a capture oversized from there on (1M)"},
	{"--quick", NULL, NULL, "only what stacks and records say: no bytes"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"groups", columns, NCOLUMNS},
	{"defers", one_columns, NONE_COLUMNS},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core defers", "pending defers by statement, those that keep most first"},
	{"core defers --sort count", "statements with most of them: loops"},
	{"core defers --all --sort retained", "one by one"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_defers = {
	.name = "defers",
	.summary = "Pending defers: what will run, from which statement, what it keeps.",
	.usage = "defers [--all] [--big SIZE] [--quick]",
	.help = "function is what was deferred, frame the function that deferred it, site the "
		"defer statement; where the runtime keeps no record of it (site_kind is "
		"`function`: a few defers and no loop, or the body of a range over a function) the "
		"first line of what was deferred, which for a func literal is the same. captured "
		"are the variables of its closure, captured_bytes they and the objects directly "
		"behind them, retained what would go if the defer went.\n"
		"\n"
		"flags: `defer in loop`: 16 and more of one statement are pending in one call: they "
		"run when the function returns, not when the loop goes round. `oversized capture`: "
		"over 1 MiB (--big) stays until then. `variables of the frame`: it refers to variables "
		"that live in the frame: what they hold (in_frame_bytes, with --json) is the "
		"goroutine's, and in no retained of a defer.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.needs_target = true,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_PACKAGE,
	.run = run,
};
