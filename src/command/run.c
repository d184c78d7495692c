// SPDX-License-Identifier: Apache-2.0
// One command from words to text: parse, run, add what every report says of its target, render.
#include "command/command.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "analysis/sharing.h"
#include "base/cleanup.h"
#include "command/shown.h"
#include "report/format.h"
#include "target/procfs.h"

enum { DEFAULT_ROWS = 20, PAGE_LINES = 24 };

static void cleanup_report(struct gh_report **report)
{
	gh_report_destroy(*report);
}

/* What the face wants where the words say nothing. */
static void apply_defaults(struct gh_args *args, const struct gh_render_options *defaults)
{
	struct gh_render_options *render = &args->render;

	if (render->format == GH_FORMAT_TEXT)
		render->format = defaults->format;
	render->width = defaults->width;
	render->colour = defaults->colour;
	render->exact_bytes |= defaults->exact_bytes;
	render->how_next = defaults->how_next;
	if (args->command->counts_itself) {
		args->limit = args->limit_given ? render->limit : 0;
		render->limit = UINT64_MAX;
		return;
	}
	if (args->limit_given)
		return;
	render->limit = UINT64_MAX;
	if (render->format == GH_FORMAT_TEXT && !args->command->all_rows)
		render->limit = args->command->people_rows ? args->command->people_rows
							   : DEFAULT_ROWS;
}

static const char *goarch_name(uint16_t machine)
{
	return machine == EM_X86_64 ? "amd64" : machine == EM_AARCH64 ? "arm64" : NULL;
}

static void describe_target(const struct gh_session *session, struct gh_report *report)
{
	const struct gh_target *target = session->target;
	struct gh_report_target *ret = &report->target;

	*ret = (struct gh_report_target){
		.kind = target->kind == GH_TARGET_CORE ? "core" : "live",
		.go_version = session->rt ? session->rt->version : NULL,
		.goarch = goarch_name(target->machine),
		.build_id = target->build_id,
		.exe = target->exe_path,
		.pid = target->pid,
		.has_pid = target->pid != 0,
		.truncated = target->truncated,
		.forced = target->forced,
		.has_now = session->has_now,
		.now_ns = session->now_ns,
		.has_now_error = session->has_now_error,
		.now_error_ns = session->now_error_ns,
	};
	for (size_t i = 0; i < target->nnotes; i++)
		gh_report_note(report, "%s", target->notes[i]);
}

static void note_ignored(const struct gh_args *args, struct gh_report *report)
{
	const struct {
		uint32_t bit;
		bool given;
		const char *name;
	} options[] = {
		{GH_IGNORES_TYPE, args->type_re != NULL, "--type"},
		{GH_IGNORES_PACKAGE, args->package_re != NULL, "--package"},
		{GH_IGNORES_MIN, args->min_bytes != 0, "--min"},
	};

	for (size_t i = 0; i < GH_ARRAY_SIZE(options); i++)
		if (options[i].given && (args->command->ignores & options[i].bit))
			gh_report_note(report, "%s means nothing to %s: all rows are shown",
				       options[i].name, args->command->name);
}

/* The words of the command line that choose rows. */
static void put_filters(const struct gh_args *args, struct gh_strbuf *sb)
{
	for (size_t i = 0; i < args->npositional; i++)
		gh_strbuf_printf(sb, " %s", args->positional[i]);
	for (size_t i = 0; i < args->nown; i++)
		gh_strbuf_printf(sb, " %s%s%s", args->own[i].option->name,
				 args->own[i].option->value ? " " : "", args->own[i].value);
	if (args->type_re && !(args->command->ignores & GH_IGNORES_TYPE))
		gh_strbuf_printf(sb, " --type %s", args->type_re);
	if (args->package_re && !(args->command->ignores & GH_IGNORES_PACKAGE))
		gh_strbuf_printf(sb, " --package %s", args->package_re);
	if (args->min_bytes && !(args->command->ignores & GH_IGNORES_MIN)) {
		gh_strbuf_puts(sb, " --min ");
		gh_format_bytes(sb, args->min_bytes);
	}
}

/* Nothing to show may be the fault of what was asked for. */
static void note_empty(const struct gh_args *args, struct gh_report *report)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	size_t nrows = 0;

	for (size_t i = 0; i < report->tables.len; i++)
		nrows += report->tables.data[i]->nrows;
	if (nrows || !report->tables.len)
		return;
	put_filters(args, &sb);
	if (sb.len)
		gh_report_note(report, "no row fits%s", gh_strbuf_str(&sb));
}

static double seconds(int64_t ns)
{
	return (double)ns / 1e9;
}

static void note_stages(const struct gh_laps *laps, struct gh_report *report)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	for (size_t i = 0; i < laps->n; i++)
		gh_strbuf_printf(&sb, "%s%s %.3f (%.3f)", i ? ", " : "", laps->laps[i].name,
				 seconds(laps->laps[i].took.wall_ns),
				 seconds(laps->laps[i].took.cpu_ns));
	if (laps->n)
		gh_report_note(report, "stages, seconds (of CPU): %s", gh_strbuf_str(&sb));
}

/* What is ours at most, and what the kernel counts with the files that are mapped. */
static void note_cost(struct gh_session *session, struct gh_report *report)
{
	struct gh_moment took = gh_moment_since(session->laps.start);
	uint64_t peak = session->target->budget->peak_bytes;
	uint64_t live = session->mark ? gh_mark_counts(session->mark).live : 0;
	_cleanup_strbuf_ struct gh_strbuf each = {0}, size = {0};
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	if (live)
		gh_strbuf_printf(&each, ", %.1f bytes a live object", (double)peak / (double)live);
	if (session->domtree)
		gh_strbuf_printf(&each, ", %.1f a node", (double)peak / session->domtree->n);
	gh_format_bytes(&size, peak);
	gh_report_note(
		report,
		"stats: %.3f s, %.3f s of CPU; memory: at most %s (%llu bytes) of our own%s; %ld "
		"MiB resident with mapped files",
		seconds(took.wall_ns), seconds(took.cpu_ns), gh_strbuf_str(&size),
		(unsigned long long)peak, gh_strbuf_str(&each), usage.ru_maxrss / 1024);
	gh_lap(&session->laps, "answer");
	note_stages(&session->laps, report);
}

/* The face's own poll, and a look at our memory now and then. */
struct bound {
	struct gh_poll face;
	struct gh_budget *budget;
	const char *command;
};

static void on_bound_progress(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
	struct bound *bound = ctx;

	if (bound->face.progress)
		bound->face.progress(bound->face.ctx, stage, done, total);
}

static bool on_bound_cancelled(void *ctx)
{
	struct bound *bound = ctx;

	if (gh_budget_is_exceeded(bound->budget, bound->command))
		return true;
	return bound->face.cancelled && bound->face.cancelled(bound->face.ctx);
}

/* Run with the session's poll in our hands, and give it back. */
static struct gh_error *run_bounded(struct gh_session *session, const struct gh_args *args,
				    struct gh_report *report)
{
	struct gh_budget *budget = session->target->budget;
	struct bound bound = {
		.face = session->poll, .budget = budget, .command = args->command->name};
	struct gh_error *err;

	report->budget = budget;
	gh_budget_begin(budget, args->max_mem_bytes, gh_memory_available());
	session->poll = (struct gh_poll){
		.progress = on_bound_progress, .cancelled = on_bound_cancelled, .ctx = &bound};
	err = args->command->run(session, args, report);
	session->poll = bound.face;
	// a command that answered although a part of it was refused has not answered
	if (!err && gh_budget_is_exceeded(budget, args->command->name))
		err = gh_error_nomem();
	return gh_budget_why(budget, err);
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	const struct gh_command *command = args->command;
	struct gh_error *err;

	if (!command->needs_target)
		return command->run(NULL, args, report);
	if (!session)
		return gh_error_create(GH_ERR_USAGE,
				       "%s needs a core or a process: goheap CORE [EXE] %s",
				       command->name, command->name);
	gh_laps_start(&session->laps);
	session->no_values = args->no_values;
	session->threads = args->threads;
	err = run_bounded(session, args, report);
	if (err)
		return err;
	describe_target(session, report);
	note_ignored(args, report);
	note_empty(args, report);
	if (args->stats)
		note_cost(session, report);
	return NULL;
}

static struct gh_error *print_help(const struct gh_command *command, gh_sink_fn sink, void *ctx)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	gh_command_help(command, &sb);
	if (!gh_strbuf_ok(&sb))
		return gh_error_nomem();
	sink(ctx, gh_strbuf_str(&sb), sb.len);
	return NULL;
}

/* Words of a command line with what their handles stand for. */
struct expanded {
	struct gh_arena arena;
	const char **words; // owned
};

static void expanded_deinit(struct expanded *expanded)
{
	gh_arena_deinit(&expanded->arena);
	free(expanded->words);
}

static struct gh_error *expand(struct gh_session *session, const char *const *words, size_t n,
			       struct expanded *ret)
{
	struct gh_error *err = NULL;

	ret->words = gh_alloc_array(n, sizeof(*ret->words));
	if (!ret->words)
		return gh_error_nomem();
	for (size_t i = 0; !err && i < n; i++)
		err = gh_shown_expand(session, words[i], &ret->arena, &ret->words[i]);
	return err;
}

/* A dialogue goes on where it was, and names the rows that it shows. */
static struct gh_error *enter_dialogue(struct gh_session *session, struct gh_args *args)
{
	struct gh_shown *shown = session ? gh_shown_of(session) : NULL;

	if (args->command->continues && (args->render.sort || args->render.reverse))
		return gh_error_create(GH_ERR_USAGE,
				       "%s keeps the order of the command before it: give --sort "
				       "and --reverse there",
				       args->command->name);
	if (!shown)
		return session ? gh_error_nomem() : NULL;
	if (args->command->continues)
		gh_shown_resume(shown, args);
	shown->last.len = 0;
	if (args->render.how_next)
		args->render.handles = &shown->handles;
	return NULL;
}

/* Takes the report over. */
static void leave_dialogue(struct gh_session *session, const struct gh_args *args,
			   struct gh_report *report)
{
	if (session && args->command->needs_target)
		gh_shown_keep(session->shown, report, &args->render);
	else
		gh_report_destroy(report);
}

/* The first page of what is told in paragraphs, above a prompt. */
static void fit_page(struct gh_args *args, const struct gh_report *report)
{
	if (args->command->people_rows && args->render.format == GH_FORMAT_TEXT &&
	    !args->limit_given && args->render.limit == args->command->people_rows)
		args->render.limit = gh_report_fit(report, &args->render, PAGE_LINES - 1);
}

static struct gh_error *answer(struct gh_session *session, struct gh_args *args,
			       gh_sink_fn sink, void *ctx, bool *findings_ret)
{
	_cleanup_(cleanup_report) struct gh_report *report = gh_report_create();
	struct gh_error *err;

	if (!report)
		return gh_error_nomem();
	report->command = args->command->name;
	report->args = args->words;
	report->nargs = args->nwords;
	err = run(session, args, report);
	if (!err)
		fit_page(args, report);
	if (!err)
		err = gh_report_render(report, &args->render, sink, ctx);
	if (session && args->command->needs_target) {
		err = gh_budget_why(session->target->budget, err);
		gh_budget_end(session->target->budget);
	}
	if (err)
		return err;
	if (findings_ret)
		*findings_ret = report->findings;
	leave_dialogue(session, args, gh_steal(report));
	return NULL;
}

struct gh_error *gh_command_run(struct gh_session *session, const char *const *argv, size_t argc,
				const struct gh_render_options *defaults, gh_sink_fn sink,
				void *ctx, bool *findings_ret)
{
	_cleanup_(expanded_deinit) struct expanded expanded = {0};
	const struct gh_command *command = argc ? gh_command_find(argv[0]) : NULL;
	struct gh_args args;
	struct gh_error *err;

	if (!command)
		return gh_command_unknown(argc ? argv[0] : "");
	err = expand(session, argv + 1, argc - 1, &expanded);
	if (!err)
		err = gh_args_parse(command, expanded.words, argc - 1, &args);
	if (err)
		return err;
	if (args.help)
		return print_help(command, sink, ctx);
	args.words = argv + 1; // as typed
	apply_defaults(&args, defaults);
	if (session && session->sharing)
		gh_sharing_begin(session->sharing);
	err = enter_dialogue(session, &args);
	return err ? err : answer(session, &args, sink, ctx, findings_ret);
}
