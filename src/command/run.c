// SPDX-License-Identifier: Apache-2.0
// One command from words to text: parse, run, add what every report says of its target, render.
#include "command/command.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/cleanup.h"
#include "command/shown.h"

enum { DEFAULT_ROWS = 20 };

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
	if (!args->limit_given)
		render->limit = render->format == GH_FORMAT_TEXT && !args->command->all_rows
					? DEFAULT_ROWS
					: UINT64_MAX;
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

static double seconds_since(const struct timespec *then, clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)(now.tv_sec - then->tv_sec) + (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

/* A stopwatch for --stats. */
struct cost {
	struct timespec wall, cpu;
};

static void cost_start(struct cost *cost)
{
	clock_gettime(CLOCK_MONOTONIC, &cost->wall);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cost->cpu);
}

static void note_cost(const struct cost *cost, struct gh_report *report)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	gh_report_note(report, "stats: %.3f s, %.3f s of CPU, at most %ld MiB resident",
		       seconds_since(&cost->wall, CLOCK_MONOTONIC),
		       seconds_since(&cost->cpu, CLOCK_PROCESS_CPUTIME_ID), usage.ru_maxrss / 1024);
}

/*
 * --max-mem: the face's own poll, and a look at our memory now and then. What counts is anonymous
 * memory beyond what was there when the command began; mapped files can be dropped at any time.
 */
struct bound {
	struct gh_poll face;
	uint64_t limit_bytes, start_bytes;
	uint32_t calls;
	bool is_exceeded;
};

static uint64_t anonymous_bytes(void)
{
	_cleanup_close_ int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	unsigned long long size, resident, shared;
	char text[128];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	if (sscanf(text, "%llu %llu %llu", &size, &resident, &shared) != 3 || resident < shared)
		return 0;
	return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void on_bound_progress(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
	struct bound *bound = ctx;

	if (bound->face.progress)
		bound->face.progress(bound->face.ctx, stage, done, total);
}

static bool on_bound_cancelled(void *ctx)
{
	struct bound *bound = ctx;
	uint64_t now = bound->calls++ % 4 == 0 ? anonymous_bytes() : 0;

	if (now > bound->start_bytes && now - bound->start_bytes > bound->limit_bytes)
		bound->is_exceeded = true;
	return bound->is_exceeded ||
	       (bound->face.cancelled && bound->face.cancelled(bound->face.ctx));
}

/* Run with the session's poll in our hands, and give it back. */
static struct gh_error *run_bounded(struct gh_session *session, const struct gh_args *args,
				    struct gh_report *report)
{
	struct bound bound = {
		.face = session->poll,
		.limit_bytes = args->max_mem_bytes,
		.start_bytes = anonymous_bytes(),
	};
	struct gh_error *err;

	session->poll = (struct gh_poll){
		.progress = on_bound_progress, .cancelled = on_bound_cancelled, .ctx = &bound};
	err = args->command->run(session, args, report);
	session->poll = bound.face;
	if (!err || err->code != GH_ERR_CANCELLED || !bound.is_exceeded)
		return err;
	gh_error_destroy(err);
	return gh_error_create(
		GH_ERR_LIMIT, "%s takes more memory than --max-mem allows (%llu MiB): raise it",
		args->command->name, (unsigned long long)(args->max_mem_bytes >> 20));
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	const struct gh_command *command = args->command;
	struct cost cost;
	struct gh_error *err;

	cost_start(&cost);
	if (!command->needs_target)
		return command->run(NULL, args, report);
	if (!session)
		return gh_error_create(GH_ERR_USAGE,
				       "%s needs a core or a process: goheap CORE [EXE] %s",
				       command->name, command->name);
	session->no_values = args->no_values;
	session->max_mem_bytes = args->max_mem_bytes;
	err = args->max_mem_bytes ? run_bounded(session, args, report)
				  : command->run(session, args, report);
	if (err)
		return err;
	describe_target(session, report);
	note_ignored(args, report);
	if (args->stats)
		note_cost(&cost, report);
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

static struct gh_error *answer(struct gh_session *session, const struct gh_args *args,
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
		err = gh_report_render(report, &args->render, sink, ctx);
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
	err = enter_dialogue(session, &args);
	return err ? err : answer(session, &args, sink, ctx, findings_ret);
}
