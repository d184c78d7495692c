// SPDX-License-Identifier: Apache-2.0
// `top`: which types fill the heap.
#include <stdlib.h>

#include "analysis/histogram.h"
#include "base/cleanup.h"
#include "command/command.h"
#include "command/filter.h"
#include "command/heap_notes.h"

enum column { TYPE, COUNT, BYTES, SHARE, AVG, STRENGTH, EXACT, DECLARED, INFERRED, VALUE };

static const struct gh_column type_columns[] = {
	[TYPE] = {"type", GH_UNIT_TEXT, false},
	[COUNT] = {"count", GH_UNIT_COUNT, false},
	[BYTES] = {"bytes", GH_UNIT_BYTES, false},
	[SHARE] = {"share", GH_UNIT_SHARE, false},
	[AVG] = {"avg_bytes", GH_UNIT_BYTES, false},
	[STRENGTH] = {"strength", GH_UNIT_TEXT, false},
	[EXACT] = {"exact_bytes", GH_UNIT_BYTES, true},
	[DECLARED] = {"declared_bytes", GH_UNIT_BYTES, true},
	[INFERRED] = {"inferred_bytes", GH_UNIT_BYTES, true},
	[VALUE] = {"value_bytes", GH_UNIT_BYTES, false},
};

static const struct gh_column package_columns[] = {
	{"package", GH_UNIT_TEXT, false},
	{"count", GH_UNIT_COUNT, false},
	{"bytes", GH_UNIT_BYTES, false},
	{"share", GH_UNIT_SHARE, false},
};

static const struct gh_column kind_columns[] = {
	{"kind", GH_UNIT_TEXT, false},
	{"count", GH_UNIT_COUNT, false},
	{"bytes", GH_UNIT_BYTES, false},
	{"share", GH_UNIT_SHARE, false},
};

static const struct gh_column class_columns[] = {
	{"sizeclass", GH_UNIT_COUNT, false}, {"elem_bytes", GH_UNIT_BYTES, false},
	{"noscan", GH_UNIT_BOOL, false},     {"count", GH_UNIT_COUNT, false},
	{"bytes", GH_UNIT_BYTES, false},     {"share", GH_UNIT_SHARE, false},
};

static struct gh_cell share(uint64_t part, uint64_t whole)
{
	return whole ? gh_cell_real((double)part / (double)whole) : (struct gh_cell){0};
}

static void fill_type(struct gh_cell *cells, const struct gh_type_row *row, uint64_t whole,
		      bool with_value)
{
	cells[COUNT] = gh_cell_u64(row->count);
	cells[BYTES] = gh_cell_u64(row->bytes);
	cells[SHARE] = share(row->bytes, whole);
	if (row->count)
		cells[AVG] = gh_cell_u64(row->bytes / row->count);
	cells[STRENGTH] = gh_cell_text(gh_strength_name(row->strength));
	cells[EXACT] = gh_cell_u64(row->by_strength[GH_STRENGTH_EXACT]);
	cells[DECLARED] = gh_cell_u64(row->by_strength[GH_STRENGTH_DECLARED]);
	cells[INFERRED] = gh_cell_u64(row->by_strength[GH_STRENGTH_INFERRED]);
	if (with_value && row->value_bytes)
		cells[VALUE] = gh_cell_u64(row->value_bytes);
}

static struct gh_error *by_type(const struct gh_histogram *h, const struct gh_filter *filter,
				bool with_value, struct gh_report *report)
{
	size_t ncolumns = with_value ? VALUE + 1 : VALUE;
	struct gh_table *table = gh_report_table(report, "types", type_columns, ncolumns);
	struct gh_type_row total = {.strength = h->total.strength};
	struct gh_cell *cells;

	if (!table)
		return gh_error_nomem();
	for (size_t i = 0; i < h->rows.len; i++) {
		const struct gh_type_row *row = &h->rows.data[i];

		if (row->bytes < filter->min_bytes || !gh_filter_type(filter, row->name))
			continue;
		cells = gh_table_row(table);
		if (!cells)
			return gh_error_nomem();
		cells[TYPE] = gh_cell_copy(report, row->name, strlen(row->name));
		fill_type(cells, row, h->total.bytes, with_value);
		gh_type_row_add(&total, row);
	}
	cells = gh_table_total(table);
	if (!cells)
		return gh_error_nomem();
	cells[TYPE] = gh_cell_text("total");
	fill_type(cells, &total, h->total.bytes, with_value);
	if (!total.count)
		cells[STRENGTH] = (struct gh_cell){0};
	return NULL;
}

/* Rows that share a text: a package or a kind. */
struct group {
	const char *text; // borrowed, len bytes
	size_t len;
	uint64_t count, bytes;
};
GH_VEC(group_vec, struct group);

static int by_text(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	int order = memcmp(x->text, y->text, gh_min_u64(x->len, y->len));

	return order ? order : x->len < y->len ? -1 : x->len > y->len;
}

static int by_bytes(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return by_text(a, b);
}

static void fold(struct group_vec *groups)
{
	size_t kept = 0;

	if (groups->len)
		qsort(groups->data, groups->len, sizeof(*groups->data), by_text);
	for (size_t i = 0; i < groups->len; i++) {
		struct group *last = kept ? &groups->data[kept - 1] : NULL;

		if (last && !by_text(last, &groups->data[i])) {
			last->count += groups->data[i].count;
			last->bytes += groups->data[i].bytes;
		} else {
			groups->data[kept++] = groups->data[i];
		}
	}
	groups->len = kept;
	if (kept)
		qsort(groups->data, kept, sizeof(*groups->data), by_bytes);
}

static struct group group_of(const struct gh_type_row *row, bool packages)
{
	struct group g = {row->kind, strlen(row->kind), row->count, row->bytes};

	if (packages)
		g.text = gh_name_package_or_not(row->name, &g.len);
	return g;
}

static struct gh_error *by_group(const struct gh_histogram *h, const struct gh_filter *filter,
				 bool packages, struct gh_report *report)
{
	struct gh_table *table = packages ? gh_report_table(report, "packages", package_columns, 4)
					  : gh_report_table(report, "kinds", kind_columns, 4);
	struct group_vec groups = {0};
	struct group total = {0};
	struct gh_cell *cells = NULL;
	bool ok = table != NULL;

	for (size_t i = 0; ok && i < h->rows.len; i++)
		if (gh_filter_type(filter, h->rows.data[i].name))
			ok = group_vec_push(&groups, group_of(&h->rows.data[i], packages));
	fold(&groups);
	for (size_t i = 0; ok && i < groups.len; i++) {
		const struct group *g = &groups.data[i];

		if (g->bytes < filter->min_bytes)
			continue;
		cells = gh_table_row(table);
		ok = cells != NULL;
		if (!ok)
			break;
		cells[0] = gh_cell_copy(report, g->text, g->len);
		cells[1] = gh_cell_u64(g->count);
		cells[2] = gh_cell_u64(g->bytes);
		cells[3] = share(g->bytes, h->total.bytes);
		total.count += g->count;
		total.bytes += g->bytes;
	}
	group_vec_deinit(&groups);
	cells = ok ? gh_table_total(table) : NULL;
	if (!cells)
		return gh_error_nomem();
	cells[0] = gh_cell_text("total");
	cells[1] = gh_cell_u64(total.count);
	cells[2] = gh_cell_u64(total.bytes);
	cells[3] = share(total.bytes, h->total.bytes);
	return NULL;
}

static struct gh_error *by_class(const struct gh_session *session, const struct gh_histogram *h,
				 const struct gh_filter *filter, struct gh_report *report)
{
	struct gh_table *table = gh_report_table(report, "sizeclasses", class_columns, 6);
	struct gh_class_tally total = {0};
	struct gh_cell *cells;

	if (!table)
		return gh_error_nomem();
	for (uint32_t i = 0; i < GH_SPAN_CLASSES; i++) {
		const struct gh_class_tally *t = &h->classes[i];

		if (!t->count || t->bytes < filter->min_bytes)
			continue;
		cells = gh_table_row(table);
		if (!cells)
			return gh_error_nomem();
		cells[0] = gh_cell_u64(i >> 1);
		if (i >> 1) // large objects have each a size of their own
			cells[1] = gh_cell_u64(session->heap->table.classes[i].elem_bytes);
		cells[2] = gh_cell_bool(i & 1);
		cells[3] = gh_cell_u64(t->count);
		cells[4] = gh_cell_u64(t->bytes);
		cells[5] = share(t->bytes, h->total.bytes);
		total.count += t->count;
		total.bytes += t->bytes;
	}
	cells = gh_table_total(table);
	if (!cells)
		return gh_error_nomem();
	cells[3] = gh_cell_u64(total.count);
	cells[4] = gh_cell_u64(total.bytes);
	cells[5] = share(total.bytes, h->total.bytes);
	return NULL;
}

static struct gh_error *which_of(const struct gh_args *args, enum gh_which *ret)
{
	bool dead = gh_args_option(args, "--dead"), all = gh_args_option(args, "--all");

	if (dead && all)
		return gh_error_create(GH_ERR_USAGE,
				       "--dead and --all exclude each other: give one of them");
	*ret = dead ? GH_WHICH_DEAD : all ? GH_WHICH_ALL : GH_WHICH_LIVE;
	return NULL;
}

static struct gh_error *tabulate(struct gh_session *session, const struct gh_args *args,
				 const struct gh_histogram *h, const struct gh_filter *filter,
				 struct gh_report *report)
{
	const char *by = gh_args_option(args, "--by");

	if (!by || !strcmp(by, "types"))
		return by_type(h, filter, gh_args_option(args, "--exact") != NULL, report);
	if (!strcmp(by, "packages"))
		return by_group(h, filter, true, report);
	if (!strcmp(by, "kinds"))
		return by_group(h, filter, false, report);
	if (!strcmp(by, "sizeclasses"))
		return by_class(session, h, filter, report);
	return gh_error_create(GH_ERR_USAGE,
			       "cannot group by '%s': types, packages, kinds or sizeclasses", by);
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	_cleanup_filter_ struct gh_filter filter = {0};
	static const char *const words[] = {"live", "dead", "allocated"};
	struct gh_error *err = gh_filter_init(args, &filter);
	struct gh_histogram h = {0};
	enum gh_which which = GH_WHICH_LIVE;

	if (!err)
		err = which_of(args, &which);
	if (!err)
		err = gh_histogram_build(session, which, &h);
	if (err)
		return err;
	report->headline = gh_arena_printf(&report->arena, "%llu %s objects",
					   (unsigned long long)h.total.count, words[which]);
	err = tabulate(session, args, &h, &filter, report);
	gh_histogram_deinit(&h);
	if (!err)
		gh_heap_notes(session, report);
	return err;
}

static const struct gh_option options[] = {
	{"--by", NULL, "WHAT", "types (as given), packages, kinds or sizeclasses"},
	{"--dead", NULL, NULL, "garbage instead: allocated, no longer reachable"},
	{"--all", NULL, NULL, "live objects and garbage"},
	{"--exact", NULL, NULL, "also the values' own size, without the slots' slack"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"types", type_columns, VALUE},
	{"packages", package_columns, 4},
	{"kinds", kind_columns, 4},
	{"sizeclasses", class_columns, 6},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core top", "the 20 types that fill most of the heap"},
	{"core top --package '^myapp/' --min 1M", "the program's own types from 1 MiB on"},
	{"core top --by packages", "whose types they are"},
	{"core top --dead", "what a burst of garbage was made of"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_top = {
	.name = "top",
	.summary = "Which types fill the heap: objects and bytes, most first.",
	.usage = "top [--by types|packages|kinds|sizeclasses] [--dead|--all] [--exact]",
	.help = "An object is live when the collector of this Go release would keep it. Bytes are "
		"those of the heap slots, which is what the process pays. `T` is one value, `[]T` "
		"a "
		"backing array, `string` bytes that only strings point to, `tiny block` a slot "
		"that "
		"several values below 16 bytes share.\n"
		"\n"
		"strength says how a type is known: exact by what the runtime wrote down, declared "
		"by a pointer of that type from something typed, unknown when nothing tells. A "
		"row's strength is the weakest that holds at least 1 % of its bytes.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.needs_target = true,
	.run = run,
};
