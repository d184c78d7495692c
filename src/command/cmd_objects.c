// SPDX-License-Identifier: Apache-2.0
// `objects`: one heap object a row.
#include <regex.h>
#include <stdlib.h>

#include "analysis/histogram.h"
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

/* Slots are wanted or not by their class and state: each pair is judged once. */
enum verdict { UNDECIDED, WANTED, UNWANTED };

struct search {
	struct gh_session *session;
	const struct gh_mark *mark;
	const struct gh_filter *filter;
	const char *type; // wanted name; NULL: any
	struct gh_arena *arena;
	uint8_t *verdicts[GH_SPAN_CLASSES];  // owned: by state
	const char **names[GH_SPAN_CLASSES]; // owned: by state
};

static void search_deinit(struct search *s)
{
	for (int i = 0; i < GH_SPAN_CLASSES; i++) {
		free(s->verdicts[i]);
		free(s->names[i]);
	}
}

static bool prepare(struct search *s, uint8_t class)
{
	size_t n = gh_mark_ncodes(s->mark);

	if (!s->verdicts[class])
		s->verdicts[class] = gh_alloc_array(n, 1);
	if (!s->names[class])
		s->names[class] = gh_alloc_array(n, sizeof(**s->names));
	return s->verdicts[class] && s->names[class];
}

static bool is_wanted(struct search *s, uint8_t class, uint16_t state)
{
	uint8_t *verdict = &s->verdicts[class][state];

	if (*verdict == UNDECIDED) {
		const char *name = gh_object_name(s->session, s->mark, state, class, s->arena);

		s->names[class][state] = name ? name : "?";
		*verdict = name && (!s->type || !strcmp(s->type, name)) &&
					   gh_filter_type(s->filter, name)
				   ? WANTED
				   : UNWANTED;
	}
	return *verdict == WANTED;
}

static struct gh_error *add_object(struct search *s, const struct gh_span *span, uint32_t index,
				   uint16_t state, struct gh_report *report)
{
	struct gh_table *table = report->tables.data[0];
	struct gh_cell *cells = gh_table_row(table), *total = table->total;

	if (!cells)
		return gh_error_nomem();
	cells[ADDRESS] = gh_cell_u64(span->base + index * span->elem_bytes);
	cells[TYPE] = gh_cell_text(s->names[span->spanclass][state]);
	cells[BYTES] = gh_cell_u64(span->elem_bytes);
	cells[STRENGTH] = gh_cell_text(gh_strength_name(gh_object_strength(s->mark, state)));
	total[BYTES] = gh_cell_u64(total[BYTES].u64 + span->elem_bytes);
	return NULL;
}

static struct gh_error *add_objects(struct search *s, struct gh_report *report)
{
	const struct gh_span_vec *spans = &s->session->heap->table.spans;
	const uint16_t *states = gh_mark_states(s->mark);
	struct gh_error *err = NULL;

	for (size_t i = 0; !err && i < spans->len; i++) {
		const struct gh_span *span = &spans->data[i];

		if (!prepare(s, span->spanclass))
			return gh_error_nomem();
		if (span->elem_bytes < s->filter->min_bytes)
			continue;
		for (uint32_t k = 0; !err && k < span->nelems; k++) {
			uint16_t state = states[span->slot0 + k];

			if (gh_state_is_live(state) && is_wanted(s, span->spanclass, state))
				err = add_object(s, span, k, state, report);
		}
		if (!err && i % 1024 == 0)
			err = gh_poll(&s->session->poll, "listing", i, spans->len);
	}
	return err;
}

static struct gh_error *list(struct gh_session *session, const struct gh_mark *mark,
			     const struct gh_args *args, const struct gh_filter *filter,
			     struct gh_report *report)
{
	struct search s = {
		.session = session,
		.mark = mark,
		.filter = filter,
		.type = args->npositional ? args->positional[0] : NULL,
		.arena = &report->arena,
	};
	struct gh_error *err = add_objects(&s, report);

	search_deinit(&s);
	return err;
}

static struct gh_error *fill(struct gh_session *session, const struct gh_args *args,
			     const struct gh_filter *filter, struct gh_report *report)
{
	bool dead = gh_args_option(args, "--dead"), all = gh_args_option(args, "--all");
	struct gh_error *err = dead || all ? gh_session_garbage(session) : gh_session_mark(session);
	struct gh_table *table;
	struct gh_cell *total;

	if (err)
		return err;
	table = gh_report_table(report, "objects", columns, NCOLUMNS);
	total = table ? gh_table_total(table) : NULL;
	if (!total)
		return gh_error_nomem();
	total[BYTES] = gh_cell_u64(0);
	if (!dead)
		err = list(session, session->mark, args, filter, report);
	if (!err && (dead || all))
		err = list(session, session->garbage, args, filter, report);
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
