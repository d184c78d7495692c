// SPDX-License-Identifier: Apache-2.0
// `timers`: what will fire and when, who could stop it, what it keeps until then.
#include <stdlib.h>

#include "analysis/timers.h"
#include "base/text.h"
#include "command/code_cells.h"
#include "command/command.h"
#include "command/heap_notes.h"
#include "command/timer_groups.h"
#include "goruntime/traceback.h"

enum group_column {
	KIND,
	CALLBACK,
	CHANNEL,
	PERIOD_NS,
	COUNT,
	DUE_NS_MIN,
	CAPTURED,
	VERDICT,
	OWNER,
	CREATED_BY,
	CREATED_SITE,
	RETAINED,
	RETAINED_KIND,
	DUE_NS_MAX,
	CLOCK,
	PERIOD_NS_MIN,
	PERIOD_NS_MAX,
	CAPTURED_STRENGTH,
	NGROUP_COLUMNS
};

static const struct gh_column group_columns[NGROUP_COLUMNS] = {
	[KIND] = {"kind", GH_UNIT_TEXT, false},
	[CALLBACK] = {"callback", GH_UNIT_TEXT, .below = true},
	[CHANNEL] = {"channel", GH_UNIT_TEXT, .below = true},
	[PERIOD_NS] = {"period_ns", GH_UNIT_NS, false},
	[COUNT] = {"count", GH_UNIT_COUNT, false},
	[DUE_NS_MIN] = {"due_ns_min", GH_UNIT_NS, false},
	[CAPTURED] = {"captured", GH_UNIT_TEXT, .below = true},
	[VERDICT] = {"verdict", GH_UNIT_TEXT, .below = true},
	[OWNER] = {"owner", GH_UNIT_TEXT, .below = true},
	[CREATED_BY] = {"created_by", GH_UNIT_TEXT, .below = true},
	[CREATED_SITE] = {"created_site", GH_UNIT_TEXT, .below = true},
	[RETAINED] = {"retained", GH_UNIT_BYTES, false},
	[RETAINED_KIND] = {"retained_kind", GH_UNIT_TEXT, true},
	[DUE_NS_MAX] = {"due_ns_max", GH_UNIT_NS, true},
	[CLOCK] = {"clock", GH_UNIT_TEXT, true},
	[PERIOD_NS_MIN] = {"period_ns_min", GH_UNIT_NS, true},
	[PERIOD_NS_MAX] = {"period_ns_max", GH_UNIT_NS, true},
	[CAPTURED_STRENGTH] = {"captured_strength", GH_UNIT_TEXT, true},
};

static struct gh_error *add_group_row(struct gh_timer_rows *rows, struct gh_report *report,
				      struct gh_table *table, const struct gh_timer_group *g)
{
	struct gh_cell *cells = gh_table_row(table);

	if (!cells)
		return gh_error_nomem();
	cells[KIND] = gh_cell_text(gh_timer_kind_name(g->key.kind));
	cells[CALLBACK] = gh_function_cell(report, g->key.callback);
	cells[CHANNEL] = gh_cell_text(g->key.channel);
	if (g->key.period_ns)
		cells[PERIOD_NS] = gh_cell_i64(g->key.period_ns);
	if (g->period_max) {
		cells[PERIOD_NS_MIN] = gh_cell_i64(g->period_min);
		cells[PERIOD_NS_MAX] = gh_cell_i64(g->period_max);
	}
	cells[COUNT] = gh_cell_u64(g->count);
	cells[CLOCK] = gh_cell_text(gh_timer_clock(g->key.is_fake));
	if (g->has_due) {
		cells[DUE_NS_MIN] = gh_cell_i64(g->due_min);
		cells[DUE_NS_MAX] = gh_cell_i64(g->due_max);
	}
	gh_timer_rows_captured(rows, g->first, &cells[CAPTURED], &cells[CAPTURED_STRENGTH]);
	cells[VERDICT] = gh_timer_rows_verdict(rows, g->first, g->count);
	cells[OWNER] = gh_timer_rows_owner(rows, g->first, g->count);
	if (g->created_elsewhere) {
		cells[CREATED_BY] = gh_cell_text("several places");
	} else if (g->created.function) {
		cells[CREATED_BY] = gh_function_cell(report, g->created.function);
		cells[CREATED_SITE] = gh_site_cell(report, g->created.file, g->created.line);
	}
	if (rows->view->facts[g->first].has_retained) {
		cells[RETAINED] = gh_cell_u64(g->retained);
		// what several keep together comes on top
		cells[RETAINED_KIND] = gh_cell_text(g->count > 1 ? "at_least" : "exact");
	}
	return NULL;
}

static struct gh_error *add_groups(struct gh_timer_rows *rows, const struct gh_args *args,
				   struct gh_report *report)
{
	struct gh_table *table =
		gh_report_table(report, "groups", group_columns, NGROUP_COLUMNS);
	struct gh_cell *total = table ? gh_table_total(table) : NULL;
	struct gh_timer_group_vec groups = {0};
	uint64_t count = 0, retained = 0;
	struct gh_error *err = total ? gh_timer_groups(rows, &groups) : gh_error_nomem();

	for (size_t i = 0; i < groups.len && !err; i++) {
		const struct gh_timer_group *g = &groups.data[i];

		if (g->retained < args->min_bytes)
			continue;
		count += g->count;
		retained += g->retained;
		err = add_group_row(rows, report, table, g);
	}
	gh_timer_group_vec_deinit(&groups);
	if (err)
		return err;
	total[KIND] = gh_cell_text("total");
	total[COUNT] = gh_cell_u64(count);
	total[RETAINED] = gh_cell_u64(retained);
	return NULL;
}

static void add_notes(const struct gh_timer_view *view, struct gh_report *report)
{
	const struct gh_timers *timers = view->timers;
	uint64_t old_channels = 0, locked = 0, fake = 0;

	for (size_t i = 0; i < view->list.len; i++)
		old_channels += (view->list.data[i].kind == GH_TIMER_TIMER ||
				 view->list.data[i].kind == GH_TIMER_TICKER) &&
				!view->list.data[i].is_chan;
	for (size_t i = 0; i < timers->heaps.len; i++)
		locked += timers->heaps.data[i].is_locked;
	for (size_t i = 0; i < gh_timer_view_len(view); i++)
		fake += gh_timer_view_at(view, i)->is_fake;
	if (fake)
		gh_report_note(report,
			       "%llu timers are of synctest bubbles: due counts by the bubble's clock, "
			       "which stands still while anything in it can run",
			       (unsigned long long)fake);
	if (old_channels)
		gh_report_note(report,
			       "timers with channels stay in the timer heap until they fire or are "
			       "stopped, even if nobody can receive any more: %s",
			       timers->can_leave
				       ? "asynctimerchan is 1, by GODEBUG or by a go line below "
					 "1.23 in go.mod"
				       : "that ends with go1.23");
	if (locked)
		gh_report_note(report,
			       "%llu timer heaps were being changed: one timer each may be missing",
			       (unsigned long long)locked);
	gh_report_skip(report, "timers", timers->unreadable + view->skips.unreadable,
		       "they cannot be read from the target");
	gh_report_skip(report, "timers", view->skips.damaged,
		       "what the timer heap lists there is no timer of it");
	gh_report_skip(report, "timers", view->skips.doubles, "the timer heap lists them twice");
}

static void set_headline(const struct gh_timer_rows *rows, struct gh_report *report)
{
	uint64_t armed = 0, unstoppable = 0;
	size_t n = gh_timer_view_len(rows->view);
	const char *s = gh_plural(n);

	for (size_t i = 0; i < n; i++) {
		armed += gh_timer_view_at(rows->view, i)->state != GH_TIMER_STOPPED;
		unstoppable += rows->view->facts[i].verdict == GH_TIMER_UNSTOPPABLE;
	}
	if (unstoppable)
		report->headline = gh_arena_printf(
			&report->arena,
			"%llu timer%s, %llu of them armed; nothing can stop %llu of these",
			(unsigned long long)n, s, (unsigned long long)armed,
			(unsigned long long)unstoppable);
	else
		report->headline = gh_arena_printf(&report->arena, "%llu timer%s, %llu of them armed",
						   (unsigned long long)n, s,
						   (unsigned long long)armed);
}

static struct gh_error *fill(struct gh_timer_rows *rows, const struct gh_args *args,
			     struct gh_report *report)
{
	struct gh_error *err;

	set_headline(rows, report);
	add_notes(rows->view, report);
	if (!gh_args_option(args, "--all")) {
		err = add_groups(rows, args, report);
		gh_timer_rows_destroy(rows);
		return err;
	}
	return gh_timer_rows_table(rows, report); // takes them over
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	bool quick = gh_args_option(args, "--quick");
	struct gh_timer_rows *rows = NULL;
	struct gh_error *err = gh_timer_rows_create(session, quick, &report->arena, &rows);

	if (!err)
		err = fill(rows, args, report);
	if (!err && !quick)
		gh_heap_notes(session, report);
	return err;
}

static const struct gh_option options[] = {
	{"--all", NULL, NULL, "one timer a row, with its address and its time in full"},
	{"--quick", NULL, NULL, "only what timer heaps say: no verdict, nothing retained"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"groups", group_columns, NGROUP_COLUMNS},
	{"timers", gh_timer_columns, GH_TIMER_COLUMNS},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core timers", "timers by what they do, those that keep most first"},
	{"core timers --sort count", "those that there are most of"},
	{"core timers --all --sort due_ns", "one by one, as they will fire"},
	{"core timers --csv -n 0 | grep ,unstoppable,", "those that nobody can stop any more"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_timers = {
	.name = "timers",
	.summary = "Timers: what fires and when, who could stop it, what it keeps.",
	.usage = "timers [--all] [--quick]",
	.help = "kind is Timer, Ticker, AfterFunc, Sleep, context (a deadline), deadline (of a "
		"connection or file) or runtime. callback is what will be called, captured the "
		"variables of that closure, channel says who waits on the timer's channel. "
		"due_ns_min counts from the moment of the core; a core has no clock, so that less "
		"may be left than it says.\n"
		"\n"
		"verdict: `unstoppable` is proven: neither the timer nor its channel can be "
		"reached but through the timer heap and its own callback, so that nothing can stop "
		"it before it fires (a Ticker: ever). `unstoppable, in use by goroutine N`: it "
		"cannot be stopped either, but somebody receives from it (time.Tick, time.After) or "
		"sleeps by it. `held`: owner has a pointer to it and could stop it. `stopped`: or "
		"fired, and still referred to. No verdict: a number somewhere is its address, or "
		"memory is missing.\n"
		"\n"
		"created_by and created_site are known only where the memory profile sampled the "
		"allocation of one of them (see runtime.MemProfileRate); --all has it for each.\n"
		"\n"
		"Since go1.23 (and go 1.23 in go.mod) a timer with a channel stands in the timer "
		"heap only while somebody waits on the channel, and goes like any other object once "
		"nothing refers to it.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.needs_target = true,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_PACKAGE,
	.run = run,
};
