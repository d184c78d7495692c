// SPDX-License-Identifier: Apache-2.0
// `objects`: one heap object a row.
#include "analysis/objects.h"
#include "base/cleanup.h"
#include "command/command.h"
#include "command/filter.h"
#include "command/heap_notes.h"

enum column { ADDRESS, TYPE, BYTES, STRENGTH, NCOLUMNS };

static const struct gh_column columns[NCOLUMNS] = {
	[ADDRESS] = {"address", GH_UNIT_ADDRESS, false},
	[TYPE] = {"type", GH_UNIT_TEXT, false},
	[BYTES] = {"bytes", GH_UNIT_BYTES, false},
	[STRENGTH] = {"strength", GH_UNIT_TEXT, false},
};

enum { BATCH = 256 };

struct wish {
	const struct gh_filter *filter;
	const char *type; // wanted name; NULL: any
};

static bool is_wanted(void *ctx, const char *type)
{
	const struct wish *wish = ctx;

	return (!wish->type || !strcmp(wish->type, type)) && gh_filter_type(wish->filter, type);
}

static bool add_object(const struct gh_object *object, struct gh_table *table)
{
	struct gh_cell *cells = gh_table_row(table), *total = table->total;

	if (!cells)
		return false;
	cells[ADDRESS] = gh_cell_u64(object->addr);
	cells[TYPE] = gh_cell_text(object->type);
	cells[BYTES] = gh_cell_u64(object->bytes);
	cells[STRENGTH] = gh_cell_text(gh_strength_name(object->strength));
	total[BYTES] = gh_cell_u64(total[BYTES].u64 + object->bytes);
	return true;
}

static struct gh_error *add_objects(struct gh_objects *objects, struct gh_table *table)
{
	struct gh_object batch[BATCH];
	struct gh_error *err;
	size_t n;

	while (!(err = gh_objects_next(objects, batch, BATCH, &n)) && n)
		for (size_t i = 0; i < n; i++)
			if (!add_object(&batch[i], table))
				return gh_error_nomem();
	return err;
}

static struct gh_error *list(struct gh_session *session, bool dead, const struct gh_args *args,
			     const struct gh_filter *filter, struct gh_report *report)
{
	struct wish wish = {filter, args->npositional ? args->positional[0] : NULL};
	struct gh_objects_query query = {
		.dead = dead,
		.min_bytes = filter->min_bytes,
		.wanted = is_wanted,
		.ctx = &wish,
		.arena = &report->arena,
	};
	struct gh_objects objects;
	struct gh_error *err = gh_objects_init(session, &query, &objects);

	if (!err)
		err = add_objects(&objects, report->tables.data[0]);
	gh_objects_deinit(&objects);
	return err;
}

static struct gh_error *fill(struct gh_session *session, const struct gh_args *args,
			     const struct gh_filter *filter, struct gh_report *report)
{
	bool dead = gh_args_option(args, "--dead"), all = gh_args_option(args, "--all");
	struct gh_error *err = NULL;
	struct gh_table *table;
	struct gh_cell *total;

	table = gh_report_table(report, "objects", columns, NCOLUMNS);
	total = table ? gh_table_total(table) : NULL;
	if (!total)
		return gh_error_nomem();
	total[BYTES] = gh_cell_u64(0);
	if (!dead)
		err = list(session, false, args, filter, report);
	if (!err && (dead || all))
		err = list(session, true, args, filter, report);
	if (!err)
		report->headline = gh_arena_printf(&report->arena, "%llu objects",
						   (unsigned long long)table->nrows);
	return err;
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	_cleanup_filter_ struct gh_filter filter = {0};
	struct gh_error *err = gh_filter_init(args, &filter);

	if (!err && gh_args_option(args, "--dead") && gh_args_option(args, "--all"))
		err = gh_error_create(GH_ERR_USAGE,
				      "--dead and --all exclude each other: give one of them");
	if (!err)
		err = fill(session, args, &filter, report);
	if (!err)
		gh_heap_notes(session, report);
	return err;
}

static const struct gh_option options[] = {
	{"--dead", NULL, NULL, "garbage instead: allocated, no longer reachable"},
	{"--all", NULL, NULL, "live objects, then garbage"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"objects", columns, NCOLUMNS},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core objects main.Session", "every live main.Session"},
	{"core objects --min 1M --sort bytes", "objects of 1 MiB and more, largest first"},
	{"core objects '[]uint8' --short -n 0", "addresses only, for another program"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_objects = {
	.name = "objects",
	.summary = "Heap objects one by one: address, type, bytes.",
	.usage = "objects [TYPE] [--dead|--all]",
	.help = "TYPE is a type's full name as `top` prints it; --type takes a regular expression. "
		"address and bytes are those of its heap slot; above 512 bytes an object with "
		"pointers starts 8 bytes into its slot, behind the runtime's header. Objects come "
		"by address.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.max_positional = 1,
	.needs_target = true,
	.run = run,
};
