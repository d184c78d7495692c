// SPDX-License-Identifier: Apache-2.0
// `objects`: one heap object a row.
#include <stdlib.h>

#include "analysis/histogram.h"
#include "analysis/objects.h"
#include "base/cleanup.h"
#include "command/command.h"
#include "command/filter.h"
#include "command/heap_notes.h"

enum column { ADDRESS, TYPE, BYTES, STRENGTH, NCOLUMNS };

static const struct gh_column columns[NCOLUMNS] = {
	[ADDRESS] = {"address", GH_UNIT_ADDRESS, false, .handle = 'o'},
	[TYPE] = {"type", GH_UNIT_TEXT, false},
	[BYTES] = {"bytes", GH_UNIT_BYTES, false},
	[STRENGTH] = {"strength", GH_UNIT_TEXT, false},
};

/*
 * What the table stands on: numbers of slots. Cells are made when a row is shown, so that an object
 * costs four bytes.
 */
struct listing {
	struct gh_session *session;
	struct gh_object_kinds parts[2]; // live ones, garbage; without a mark: not asked for
	uint32_t *slots;		 // owned: of parts[0], then of parts[1]
	uint64_t counts[2];		 // objects of each part
	uint64_t bytes;			 // of all
	uint64_t slots_bytes;		 // taken from the budget
	const struct gh_span *span;	 // of the row before
};

static void listing_destroy(void *ctx)
{
	struct listing *l = ctx;

	for (int p = 0; l && p < 2; p++)
		gh_object_kinds_deinit(&l->parts[p]);
	if (l) {
		gh_budget_give(l->session->target->budget, l->slots_bytes);
		free(l->slots);
	}
	free(l);
}

static void fill_row(void *ctx, size_t row, struct gh_cell *cells)
{
	struct listing *l = ctx;
	const struct gh_object_kinds *part = &l->parts[row >= l->counts[0]];
	const struct gh_span *span = l->span;
	uint64_t slot = l->slots[row];
	uint16_t state = gh_mark_state(part->mark, slot);

	if (!span || slot < span->slot0 || slot - span->slot0 >= span->nelems)
		span = gh_span_of_slot(&l->session->heap->table, slot);
	if (!span)
		return;
	l->span = span;
	cells[ADDRESS] = gh_cell_u64(span->base + (slot - span->slot0) * span->elem_bytes);
	cells[TYPE] = gh_cell_text(part->names[span->spanclass][state]);
	cells[BYTES] = gh_cell_u64(span->elem_bytes);
	cells[STRENGTH] = gh_cell_text(gh_strength_name(gh_object_strength(part->mark, state)));
}

/* What is looked for. */
struct search {
	struct listing *listing;
	struct gh_object_kinds *part;
	const struct gh_filter *filter;
	const char *type; // wanted name; NULL: any
	bool one;	  // only the object that holds addr
	gh_addr addr;
	uint32_t *to; // where slots go; NULL: they are counted only
	uint64_t n;
};

static bool is_wanted(void *ctx, const char *type)
{
	const struct search *s = ctx;

	return (!s->type || !strcmp(s->type, type)) && gh_filter_type(s->filter, type);
}

static void take(struct search *s, const struct gh_span *span, uint32_t from, uint32_t to)
{
	struct gh_states states = gh_mark_states(s->part->mark);

	for (uint32_t k = from; k < to; k++) {
		uint16_t state = gh_state_at(&states, span->slot0 + k);

		if (!gh_state_is_live(state) ||
		    !gh_object_kinds_wanted(s->part, span->spanclass, state))
			continue;
		if (s->to)
			s->to[s->n] = (uint32_t)(span->slot0 + k);
		else
			s->listing->bytes += span->elem_bytes;
		s->n++;
	}
}

/* The object at one address, or all. */
static struct gh_error *look_through(struct search *s)
{
	const struct gh_span_vec *spans = &s->listing->session->heap->table.spans;
	struct gh_error *err = NULL;

	s->n = 0;
	for (size_t i = 0; !err && i < spans->len; i++) {
		const struct gh_span *span = &spans->data[i];
		uint64_t at = s->one ? (s->addr - span->base) / span->elem_bytes : 0;

		if (s->one && (s->addr < span->base || at >= span->nelems))
			continue;
		if (!gh_object_kinds_prepare(s->part, span->spanclass))
			return gh_error_nomem();
		if (span->elem_bytes < s->filter->min_bytes)
			continue;
		take(s, span, (uint32_t)at, s->one ? (uint32_t)at + 1 : span->nelems);
		if (i % 1024 == 0)
			err = gh_poll(&s->listing->session->poll, "listing", i, spans->len);
	}
	return err;
}

/* Twice: first to know how many. */
static struct gh_error *list(struct listing *l, struct search *s)
{
	struct gh_error *err = NULL;

	for (int p = 0; !err && p < 2; p++) {
		s->part = &l->parts[p];
		if (l->parts[p].mark)
			err = look_through(s);
		if (l->parts[p].mark)
			l->counts[p] = s->n;
	}
	if (err)
		return err;
	l->slots_bytes = (l->counts[0] + l->counts[1]) * sizeof(*l->slots);
	err = gh_budget_charge(l->session->target->budget, l->slots_bytes, "the list of objects");
	if (err) {
		l->slots_bytes = 0;
		return err;
	}
	l->slots = gh_alloc_array(l->counts[0] + l->counts[1], sizeof(*l->slots));
	if (!l->slots)
		return gh_error_nomem();
	for (int p = 0; !err && p < 2; p++) {
		s->part = &l->parts[p];
		s->to = l->slots + (p ? l->counts[0] : 0);
		if (l->parts[p].mark)
			err = look_through(s);
	}
	return err;
}

static struct gh_error *enter(struct listing *l, struct gh_report *report)
{
	struct gh_table *table = gh_report_table(report, "objects", columns, NCOLUMNS);
	struct gh_cell *total = table ? gh_table_total(table) : NULL;

	if (!total) {
		listing_destroy(l);
		return gh_error_nomem();
	}
	table->row = fill_row;
	table->row_ctx = l;
	table->row_ctx_destroy = listing_destroy;
	table->nrows = l->counts[0] + l->counts[1];
	total[BYTES] = gh_cell_u64(l->bytes);
	report->headline =
		gh_arena_printf(&report->arena, "%llu objects", (unsigned long long)table->nrows);
	return NULL;
}

static struct gh_error *fill(struct gh_session *session, const struct gh_args *args,
			     const struct gh_filter *filter, struct gh_report *report)
{
	const char *what = args->npositional ? args->positional[0] : NULL;
	bool dead = gh_args_option(args, "--dead"), all = gh_args_option(args, "--all");
	struct gh_error *err = dead || all ? gh_session_garbage(session) : gh_session_mark(session);
	struct listing *l = err ? NULL : calloc(1, sizeof(*l));
	struct search s = {.listing = l, .filter = filter};

	if (err)
		return err;
	if (!l)
		return gh_error_nomem();
	s.one = what && gh_parse_address(what, &s.addr);
	s.type = s.one ? NULL : what;
	l->session = session;
	for (int p = 0; p < 2; p++)
		l->parts[p] = (struct gh_object_kinds){
			.session = session,
			.mark = p ? (dead || all ? session->garbage : NULL)
				  : (dead ? NULL : session->mark),
			.wanted = is_wanted,
			.ctx = &s,
			.arena = &report->arena,
			.budget = session->target->budget,
		};
	err = list(l, &s);
	if (err) {
		listing_destroy(l);
		return err;
	}
	for (int p = 0; p < 2; p++) { // all are judged; the report may go over to another
		l->parts[p].arena = NULL;
		l->parts[p].ctx = NULL;
	}
	return enter(l, report);
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
	.usage = "objects [TYPE|ADDRESS] [--dead|--all]",
	.help = "TYPE is a type's full name as `top` prints it; --type takes a regular expression. "
		"address and bytes are those of its heap slot; above 512 bytes an object with "
		"pointers starts 8 bytes into its slot, behind the runtime's header. Objects come "
		"by address. With an ADDRESS (0xc000012345, or a handle such as $o3) it is the one "
		"object that holds it.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.max_positional = 1,
	.needs_target = true,
	.run = run,
};
