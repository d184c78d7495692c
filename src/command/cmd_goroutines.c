// SPDX-License-Identifier: Apache-2.0
// `goroutines`: who there is, in which state, waiting where and for how long. Those whose stacks say
// the same are a row; --all gives each a row of its own.
#include <stdlib.h>

#include "base/cleanup.h"
#include "command/goroutines_tables.h"

enum { EXACT_ROWS = 20 }; // groups whose bytes are found by marking without them

static void request_deinit(struct goroutines_request *r)
{
	gh_filter_deinit(&r->common);
	gh_function_filter_deinit(&r->func);
	gh_function_filter_deinit(&r->top);
	gh_function_filter_deinit(&r->created_by);
	gh_goroutine_node_vec_deinit(&r->nodes);
}

static bool is_asked_for(const struct goroutines_request *r, uint64_t goid)
{
	for (size_t i = 0; i < r->ngoids; i++)
		if (r->goids[i] == goid)
			return true;
	return r->ngoids == 0;
}

static bool is_wanted(void *ctx, const struct gh_goroutine *g)
{
	struct goroutines_request *r = ctx;
	int64_t wait_ns = -1;

	if (!is_asked_for(r, g->goid) ||
	    (r->state && strcmp(r->state, gh_gstatus_name(g->status)) != 0 &&
	     strcmp(r->state, g->wait_reason) != 0) ||
	    (r->min_wait_ns && (!gh_session_wait_ns(r->session, g, &wait_ns) ||
				wait_ns < r->min_wait_ns)))
		return false;
	if (!g->system || r->with_system)
		return true;
	r->hidden_system++;
	return false;
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

/* Does any frame match --func? */
static struct gh_error *find_frame(const struct goroutines_request *r,
				   const struct gh_stack_groups *groups,
				   const struct gh_stack_group *group, bool *found_ret)
{
	struct gh_trace_frame_vec frames = {0};
	struct gh_error *err = gh_stack_group_frames(r->session, groups, group, &frames);

	*found_ret = false;
	for (size_t i = 0; !err && i < frames.len && !*found_ret; i++)
		*found_ret = gh_function_filter(&r->func, frames.data[i].source.function);
	gh_trace_frame_vec_deinit(&frames);
	return err;
}

static struct gh_error *is_group_wanted(const struct goroutines_request *r,
					const struct gh_stack_groups *groups,
					const struct gh_stack_group *group, bool *ret)
{
	*ret = is_package_wanted(&r->common, &group->traceback) &&
	       gh_function_filter(&r->top, group->traceback.top) &&
	       gh_function_filter(&r->created_by, group->traceback.created_by);
	return *ret && r->func.given ? find_frame(r, groups, group, ret) : NULL;
}

/* Leave out the groups that the filters of functions leave out. */
static struct gh_error *filter_groups(const struct goroutines_request *r,
				      struct gh_stack_groups *groups)
{
	struct gh_error *err = NULL;
	size_t n = 0;

	for (size_t i = 0; !err && i < groups->len; i++) {
		bool wanted = false;

		if (i % 256 == 0)
			err = gh_poll(&r->session->poll, "comparing functions", i, groups->len);
		if (!err)
			err = is_group_wanted(r, groups, &groups->data[i], &wanted);
		if (wanted)
			groups->data[n++] = groups->data[i];
	}
	if (!err)
		groups->len = n;
	return err;
}

struct gh_cell gh_goroutine_reason_cell(const char *reason)
{
	return gh_cell_text(reason && *reason ? reason : NULL);
}

bool gh_goroutine_runtime_wait_ns(const struct gh_session *session, const struct gh_goroutine *g,
			    int64_t *ret)
{
	bool waits =
		g->status == GH_G_WAITING || g->status == GH_G_SYSCALL || g->status == GH_G_LEAKED;

	if (!waits || g->wait_since_ns <= 0 || !session->has_now)
		return false;
	*ret = session->now_ns > g->wait_since_ns ? session->now_ns - g->wait_since_ns : 0;
	return true;
}

struct gh_cell gh_goroutine_labels_cell(const struct gh_session *session, struct gh_report *report,
				  const struct gh_goroutine *g)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	if (session->no_values || !gh_goroutine_labels(session->rt, g, &sb))
		return (struct gh_cell){0};
	return gh_cell_copy(report, gh_strbuf_str(&sb), sb.len);
}

static void conclude(const struct goroutines_request *r, const struct gh_stack_groups *groups)
{
	uint64_t shown = 0, waiting = 0, syscall = 0, running = 0, incomplete = 0;

	for (size_t i = 0; i < groups->len; i++) {
		const struct gh_stack_group *group = &groups->data[i];
		bool runs = group->status == GH_G_RUNNING || group->status == GH_G_RUNNABLE;

		shown += group->count;
		waiting += group->status == GH_G_WAITING ? group->count : 0;
		syscall += group->status == GH_G_SYSCALL ? group->count : 0;
		running += runs ? group->count : 0;
		incomplete += group->traceback.complete ? 0 : group->count;
	}
	r->report->headline = gh_arena_printf(
		&r->report->arena,
		"%llu goroutines in %zu groups: %llu waiting, %llu in system calls, %llu running "
		"or runnable",
		(unsigned long long)shown, groups->len, (unsigned long long)waiting,
		(unsigned long long)syscall, (unsigned long long)running);
	if (r->hidden_system)
		gh_report_note(r->report,
			       "%llu goroutines of the runtime itself are not shown: "
			       "--system shows them",
			       (unsigned long long)r->hidden_system);
	gh_report_skip(r->report, "goroutines", r->session->unreadable_goroutines,
		       "they cannot be read from the target");
	gh_report_skip(r->report, "stacks", incomplete,
		       "they could not be walked to their end: functions may be missing");
}

static struct gh_error *parse_numbers(const struct gh_args *args, struct goroutines_request *r)
{
	for (size_t i = 0; i < args->npositional; i++) {
		const char *word = args->positional[i];
		char *end;

		r->goids[r->ngoids++] = strtoull(word, &end, 10);
		if (*word < '0' || *word > '9' || *end)
			return gh_error_create(
				GH_ERR_USAGE,
				"goroutines: '%s' is no number of a goroutine: 17, or "
				"a handle such as $g17",
				word);
	}
	return NULL;
}

/* Errors: USAGE, naming what is near or all states. */
static struct gh_error *check_state(const struct gh_session *session, const char *word)
{
	static const char *const states[] = {"runnable",  "running",   "syscall", "waiting",
					     "preempted", "copystack", "leaked"};
	const struct gh_release *release = session->rt->release;
	const char *names[128] = {0};
	const char *nearest;
	size_t n = 0;

	for (size_t i = 0; i < GH_ARRAY_SIZE(states); i++)
		names[n++] = states[i];
	for (size_t i = 1; i < release->nwait_reasons && n + 1 < GH_ARRAY_SIZE(names); i++)
		if (release->wait_reasons[i])
			names[n++] = release->wait_reasons[i];
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], word) == 0)
			return NULL;
	nearest = gh_nearest(word, names);
	if (nearest)
		return gh_error_create(GH_ERR_USAGE,
				       "goroutines: there is no state '%s': did you mean '%s'?",
				       word, nearest);
	return gh_error_create(GH_ERR_USAGE,
			       "goroutines: there is no state '%s': runnable, running, syscall, "
			       "waiting, preempted, or a wait reason such as 'chan receive'",
			       word);
}

static struct gh_error *parse_wait(const struct gh_args *args, struct goroutines_request *r)
{
	const char *word = gh_args_option(args, "--min-wait");

	if (!word || gh_parse_duration(word, &r->min_wait_ns))
		return NULL;
	return gh_error_create(GH_ERR_USAGE,
			       "goroutines: --min-wait cannot be '%s': give a duration: 90s, 10m, "
			       "1h30m, 2d",
			       word);
}

static struct gh_error *parse(const struct gh_args *args, struct goroutines_request *r)
{
	struct gh_error *err = gh_filter_init(args, &r->common);

	if (!err)
		err = parse_numbers(args, r);
	if (!err)
		err = parse_wait(args, r);
	if (!err)
		err = gh_function_filter_init(args, "--func", &r->func);
	if (!err)
		err = gh_function_filter_init(args, "--top", &r->top);
	if (!err)
		err = gh_function_filter_init(args, "--created-by", &r->created_by);
	r->state = gh_args_option(args, "--state");
	r->each = r->ngoids || gh_args_option(args, "--all");
	r->with_system = r->each || gh_args_option(args, "--system");
	r->exact_rows = gh_args_option(args, "--retained") ? EXACT_ROWS : 0;
	return err;
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	_cleanup_(request_deinit)
	struct goroutines_request r = {.session = session, .report = report};
	_cleanup_(gh_stack_groups_deinit) struct gh_stack_groups groups = {0};
	struct gh_error *err = parse(args, &r);

	if (!err)
		err = gh_session_goroutines(session);
	if (!err && (session->domtree || gh_args_option(args, "--retained")))
		err = gh_goroutine_nodes_load(session, &r.nodes);
	if (!err && r.state)
		err = check_state(session, r.state);
	if (!err)
		err = gh_stack_groups_load(session, is_wanted, &r, &groups);
	if (!err)
		err = filter_groups(&r, &groups);
	if (err)
		return err;
	conclude(&r, &groups);
	return r.each ? gh_goroutines_each(&r, &groups) : gh_goroutines_groups(&r, &groups);
}

static const struct gh_option options[] = {
	{"--all", NULL, NULL, "one goroutine a row, the runtime's own too"},
	{"--system", NULL, NULL, "also the runtime's own goroutines"},
	{"--state", NULL, "STATE", "only that state (running) or wait reason ('chan receive')"},
	{"--func", "--any", "RE", "only where any frame's function matches"},
	{"--top", NULL, "RE", "only where the first frame's function matches"},
	{"--created-by", NULL, "RE", "only those that a matching function started"},
	{"--min-wait", NULL, "DUR", "only those that have waited for at least 10m, 1h30m, 2d"},
	{"--retained", NULL, NULL, "what would go with them: marks the heap first"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"groups", gh_goroutines_group_columns, GH_GOROUTINES_NGROUP},
	{"goroutines", gh_goroutines_columns, GH_GOROUTINES_NCOLUMNS},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core goroutines", "which kinds there are, most first"},
	{"core goroutines --min-wait 10m --sort wait_ns_max", "those that hang, longest first"},
	{"core goroutines --all --func 'net/http[.]' --state 'IO wait'",
	 "each that waits for the network in a frame of net/http"},
	{"core goroutines 17", "only goroutine 17; at the prompt and in gdb also: $g17"},
	{"core goroutines --json | jq '.tables.groups.rows[].wait_site'",
	 "where in the program each group waits"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_goroutines = {
	.name = "goroutines",
	.summary = "Goroutines: state, why and where they wait, who started them.",
	.usage = "goroutines [GOID ...] [--all] [--system] [--state STATE] [--func RE] [--top RE] "
		 "[--created-by RE] [--min-wait DUR] [--retained]",
	.max_positional = GH_ARRAY_SIZE(((struct gh_args *)0)->positional),
	.help = "Goroutines whose state, wait reason, frames (functions and lines) and go "
		"statement are the same are one row, most first. state and wait_reason are the "
		"runtime's own words. top is the first frame that runtime.Stack prints, wait_site "
		"the first one outside the runtime and the standard library, created_by and "
		"created_site the go statement, goid the first of them.\n\n"
		"Waits are lower bounds: what is known is a collection that saw the goroutine "
		"blocked, and a core has no clock (a process that --pid stopped has one). "
		"runtime_wait_ns is what the runtime's own tracebacks say in minutes; it begins "
		"when the collection before ended, and can be too long by the time between the "
		"two. `goheap goroutine 17` shows one of them in full.\n\n"
		"retained (--retained) is what would go with the whole group, of the first 20 "
		"exactly, by marking without it; of the others what each of them alone keeps "
		"alive, summed up: a lower bound, as what several share is not in it.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.needs_target = true,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_MIN,
	.reads = GH_READS_VALUES,
	.run = run,
};
