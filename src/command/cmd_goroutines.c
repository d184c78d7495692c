// SPDX-License-Identifier: Apache-2.0
// `goroutines`: who there is, in which state, waiting where and for how long. One a row.
#include <stdlib.h>

#include "base/cleanup.h"
#include "command/command.h"
#include "command/filter.h"
#include "goruntime/traceback.h"

enum column {
	GOID,
	STATE,
	WAIT_REASON,
	TOP,
	WAIT_SITE,
	CREATED_BY,
	WAIT_NS,
	WAIT_NS_KIND,
	SYSTEM,
	LABELS,
};

static const struct gh_column columns[] = {
	[GOID] = {"goid", GH_UNIT_COUNT, false, .handle = 'g'},
	[STATE] = {"state", GH_UNIT_TEXT, false},
	[WAIT_REASON] = {"wait_reason", GH_UNIT_TEXT, false},
	[TOP] = {"top", GH_UNIT_TEXT, false},
	[WAIT_SITE] = {"wait_site", GH_UNIT_TEXT, false},
	[CREATED_BY] = {"created_by", GH_UNIT_TEXT, false},
	[WAIT_NS] = {"wait_ns", GH_UNIT_NS, false},
	[WAIT_NS_KIND] = {"wait_ns_kind", GH_UNIT_TEXT, true},
	[SYSTEM] = {"system", GH_UNIT_BOOL, true},
	[LABELS] = {"labels", GH_UNIT_TEXT, true},
};

struct count {
	uint64_t shown, system, waiting, syscall, running, incomplete;
};

static struct gh_cell function_cell(struct gh_report *report, const char *name)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	if (!name)
		return (struct gh_cell){0};
	gh_function_print(&sb, name);
	return gh_cell_copy(report, gh_strbuf_str(&sb), sb.len);
}

static struct gh_cell site_cell(struct gh_report *report, const char *file, int32_t line)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	if (!file)
		return (struct gh_cell){0};
	gh_strbuf_printf(&sb, "%s:%d", file, line);
	return gh_cell_copy(report, gh_strbuf_str(&sb), sb.len);
}

static struct gh_cell labels_cell(const struct gh_session *session, struct gh_report *report,
				  const struct gh_goroutine *g)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	if (session->no_values || !gh_goroutine_labels(session->rt, g, &sb))
		return (struct gh_cell){0};
	return gh_cell_copy(report, gh_strbuf_str(&sb), sb.len);
}

static bool is_package_wanted(const struct gh_filter *filter, const struct gh_traceback *traceback)
{
	const char *names[] = {traceback->top, traceback->wait_function, traceback->created_by};

	if (!filter->has_package)
		return true;
	for (size_t i = 0; i < GH_ARRAY_SIZE(names); i++) {
		size_t len;
		const char *package = names[i] ? gh_name_package(names[i], &len) : NULL;

		if (package && gh_filter_package(filter, package, len))
			return true;
	}
	return false;
}

/* waitsince is the first collection that saw it blocked: a lower bound of the wait. */
static void fill_wait(const struct gh_session *session, const struct gh_goroutine *g,
		      struct gh_cell *row)
{
	bool waits =
		g->status == GH_G_WAITING || g->status == GH_G_SYSCALL || g->status == GH_G_LEAKED;

	if (!waits || g->wait_since_ns <= 0 || !session->has_now)
		return;
	row[WAIT_NS] = gh_cell_i64(
		session->now_ns > g->wait_since_ns ? session->now_ns - g->wait_since_ns : 0);
	row[WAIT_NS_KIND] = gh_cell_text("at_least");
}

static struct gh_error *add_row(const struct gh_session *session, struct gh_report *report,
				struct gh_table *table, const struct gh_goroutine *g,
				const struct gh_traceback *traceback)
{
	struct gh_cell *row = gh_table_row(table);

	if (!row)
		return gh_error_nomem();
	row[GOID] = gh_cell_u64(g->goid);
	row[STATE] = gh_cell_text(gh_gstatus_name(g->status));
	if (g->wait_reason && *g->wait_reason)
		row[WAIT_REASON] = gh_cell_text(g->wait_reason);
	row[TOP] = function_cell(report, traceback->top);
	row[WAIT_SITE] = site_cell(report, traceback->wait_file, traceback->wait_line);
	row[CREATED_BY] = function_cell(report, traceback->created_by);
	fill_wait(session, g, row);
	row[SYSTEM] = gh_cell_bool(g->system);
	row[LABELS] = labels_cell(session, report, g);
	return NULL;
}

static struct gh_error *add_goroutine(struct gh_session *session, const struct gh_filter *filter,
				      struct gh_report *report, const struct gh_goroutine *g,
				      struct count *count)
{
	struct gh_traceback traceback;
	struct gh_error *err = gh_traceback_summary(session->rt, g, &traceback);

	if (err || !is_package_wanted(filter, &traceback))
		return err;
	count->shown++;
	count->waiting += g->status == GH_G_WAITING;
	count->syscall += g->status == GH_G_SYSCALL;
	count->running += g->status == GH_G_RUNNING || g->status == GH_G_RUNNABLE;
	count->incomplete += !traceback.complete;
	return add_row(session, report, report->tables.data[0], g, &traceback);
}

static void conclude(const struct gh_session *session, const struct count *count,
		     struct gh_report *report)
{
	report->headline = gh_arena_printf(
		&report->arena,
		"%llu goroutines: %llu waiting, %llu in system calls, %llu running or runnable",
		(unsigned long long)count->shown, (unsigned long long)count->waiting,
		(unsigned long long)count->syscall, (unsigned long long)count->running);
	if (count->system)
		gh_report_note(report,
			       "%llu goroutines of the runtime itself are not shown: "
			       "--system shows them",
			       (unsigned long long)count->system);
	gh_report_skip(report, "goroutines", session->unreadable_goroutines,
		       "they cannot be read from the target");
	gh_report_skip(report, "stacks", count->incomplete,
		       "they could not be walked to their end: functions may be missing");
}

/* Numbers that were asked for; none: all goroutines. */
struct numbers {
	uint64_t goids[GH_ARRAY_SIZE(((struct gh_args *)0)->positional)];
	size_t n;
};

static struct gh_error *parse_numbers(const struct gh_args *args, struct numbers *ret)
{
	for (size_t i = 0; i < args->npositional; i++) {
		const char *word = args->positional[i];
		char *end;

		ret->goids[ret->n++] = strtoull(word, &end, 10);
		if (*word < '0' || *word > '9' || *end)
			return gh_error_create(
				GH_ERR_USAGE,
				"goroutines: '%s' is no number of a goroutine: 17, or "
				"a handle such as $g17",
				word);
	}
	return NULL;
}

static bool is_asked_for(const struct numbers *numbers, uint64_t goid)
{
	for (size_t i = 0; i < numbers->n; i++)
		if (numbers->goids[i] == goid)
			return true;
	return numbers->n == 0;
}

static struct gh_error *fill(struct gh_session *session, const struct gh_filter *filter,
			     const struct numbers *numbers, bool with_system,
			     struct gh_report *report)
{
	const struct gh_goroutine_vec *gs = &session->goroutines;
	struct count count = {0};

	for (size_t i = 0; i < gs->len; i++) {
		const struct gh_goroutine *g = &gs->data[i];
		struct gh_error *err = NULL;

		if (i % 1024 == 0)
			err = gh_poll(&session->poll, "walking stacks", i, gs->len);
		if (err)
			return err;
		if (gh_goroutine_is_dead(g) || !is_asked_for(numbers, g->goid))
			continue;
		if (g->system && !with_system) {
			count.system++;
			continue;
		}
		err = add_goroutine(session, filter, report, g, &count);
		if (err)
			return err;
	}
	conclude(session, &count, report);
	return NULL;
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	_cleanup_filter_ struct gh_filter filter = {0};
	struct gh_error *err = gh_filter_init(args, &filter);
	struct numbers numbers = {0};
	bool with_system;

	if (!err)
		err = parse_numbers(args, &numbers);
	if (!err)
		err = gh_session_goroutines(session);
	if (err)
		return err;
	if (!gh_report_table(report, "goroutines", columns, GH_ARRAY_SIZE(columns)))
		return gh_error_nomem();
	with_system =
		numbers.n || gh_args_option(args, "--all") || gh_args_option(args, "--system");
	return fill(session, &filter, &numbers, with_system, report);
}

static const struct gh_option options[] = {
	{"--all", NULL, NULL, "one goroutine a row (so far the only form), the runtime's own too"},
	{"--system", NULL, NULL, "also the runtime's own goroutines"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"goroutines", columns, GH_ARRAY_SIZE(columns)},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core goroutines --sort wait_ns", "those that wait longest first"},
	{"core goroutines 17", "only goroutine 17; at the prompt and in gdb also: $g17"},
	{"core goroutines --package 'net/http'", "those whose frames or creator are of net/http"},
	{"core goroutines --json | jq '.tables.goroutines.rows[].wait_site'",
	 "where in the program each of them waits"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_goroutines = {
	.name = "goroutines",
	.summary = "Goroutines: state, why and where they wait, who started them.",
	.usage = "goroutines [GOID ...] [--all] [--system]",
	.max_positional = GH_ARRAY_SIZE(((struct gh_args *)0)->positional),
	.help = "state and wait_reason are the runtime's own words. top is the first frame that "
		"runtime.Stack prints, wait_site the first one outside the runtime and the "
		"standard "
		"library, created_by the function with the go statement. wait_ns is a lower bound: "
		"the runtime notes the first collection that saw a goroutine blocked, and a core "
		"has "
		"no clock (a process that --pid stopped has one).\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.needs_target = true,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_MIN,
	.reads_values = true,
	.run = run,
};
