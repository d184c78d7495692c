// SPDX-License-Identifier: Apache-2.0
// The program: terminal, signals, exit codes. All answers come from command/.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/cleanup.h"
#include "cli/open.h"
#include "cli/prompt.h"
#include "cli/shell.h"
#include "command/command.h"

enum { EXIT_FINDINGS = 1, EXIT_INTERRUPTED = 130 };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signo)
{
	if (interrupted) // asked twice: the long way out takes too long
		_exit(EXIT_INTERRUPTED);
	interrupted = 1;
}

/* Progress: one line on stderr, on a terminal only, once something takes longer than a second. */
struct progress {
	struct timespec start, last;
	bool is_tty, is_shown;
};

static int64_t ns_between(const struct timespec *a, const struct timespec *b)
{
	return (int64_t)(b->tv_sec - a->tv_sec) * 1000000000 + (b->tv_nsec - a->tv_nsec);
}

static void progress_clear(struct progress *progress)
{
	if (progress->is_shown)
		fputs("\r\x1b[K", stderr);
	progress->is_shown = false;
}

static void progress_start(struct progress *progress)
{
	clock_gettime(CLOCK_MONOTONIC, &progress->start);
	progress->last = progress->start;
}

static void on_progress(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
	struct progress *progress = ctx;
	struct timespec now;

	if (!progress->is_tty)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (ns_between(&progress->start, &now) < 1000000000 ||
	    ns_between(&progress->last, &now) < 100000000)
		return;
	progress->last = now;
	progress->is_shown = true;
	if (total)
		fprintf(stderr, "\r\x1b[Kgoheap: %s: %u %%", stage,
			(unsigned)(100.0 * (double)done / (double)total));
	else
		fprintf(stderr, "\r\x1b[Kgoheap: %s", stage);
	fflush(stderr);
}

static bool on_cancelled(void *ctx)
{
	return interrupted;
}

static int exit_code(const struct gh_error *err)
{
	if (err->code == GH_ERR_CANCELLED)
		return EXIT_INTERRUPTED;
	return gh_error_exit_code(err->code);
}

/* Print the error and say what the exit code is. Consumes err. */
static int fail(struct gh_error *err)
{
	int code = exit_code(err);

	if (err->code == GH_ERR_CANCELLED)
		fputs("goheap: interrupted: what was asked is not answered\n", stderr);
	else
		fprintf(stderr, "goheap: %s\n", err->message);
	gh_error_destroy(err);
	return code;
}

/* Standard output. A reader that went away is no error; a full disk is. */
struct output {
	int error; // errno of a failed write; 0 none
};

static bool write_output(void *ctx, const char *text, size_t len)
{
	struct output *output = ctx;

	while (len) {
		ssize_t n = write(STDOUT_FILENO, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			output->error = errno;
			return false;
		}
		text += n;
		len -= (size_t)n;
	}
	return true;
}

static uint32_t terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return 0;
	return size.ws_col;
}

static bool wants_colour(void)
{
	const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0 &&
	       !(no_colour && *no_colour);
}

struct program {
	struct options options;
	struct progress progress;
	struct output output;
	struct gh_render_options render;
	struct gh_session *session;
	struct gh_poll poll;
};

/* One command; its exit code. */
static int run_command(struct program *program, const struct words *words)
{
	bool findings = false;
	struct gh_error *err;

	progress_start(&program->progress);
	err = gh_command_run(program->session, words->data, words->len, &program->render,
			     write_output, &program->output, &findings);
	progress_clear(&program->progress);
	if (err)
		return fail(err);
	if (program->output.error && program->output.error != EPIPE)
		return fail(gh_error_errno(program->output.error, "cannot write the answer"));
	return findings ? EXIT_FINDINGS : 0;
}

/* What a command line asks for; it has been parsed once without an error. */
static struct gh_args parse(const struct words *words)
{
	const struct gh_command *command = gh_command_find(words->data[0]);
	struct gh_args args = {.help = true};
	_cleanup_error_ struct gh_error *err = NULL;

	err = gh_args_parse(command, words->data + 1, words->len - 1, &args);
	return args;
}

static struct gh_error *open_target(struct program *program)
{
	struct gh_error *err;

	progress_start(&program->progress);
	err = open_session(&program->options, &program->poll, &program->session);
	progress_clear(&program->progress);
	return err;
}

/* Commands one after the other; the first failure gives the exit code, but stops only an interrupt.
 */
static int run_all(struct program *program)
{
	const struct words_vec *commands = &program->options.commands;
	int code = 0;

	for (size_t i = 0; i < commands->len; i++) {
		const struct words *words = &commands->data[i];
		struct gh_args args = parse(words);
		int one;

		if (i > 0 && args.render.format == GH_FORMAT_TEXT)
			write_output(&program->output, "\n", 1);
		if (!program->session && args.command->needs_target && !args.help) {
			struct gh_error *err = open_target(program);

			if (err)
				return fail(err);
		}
		one = run_command(program, words);
		if (one > code)
			code = one;
		if (interrupted || program->output.error)
			break;
	}
	return code;
}

/* One line of a session; false: it asks to end. */
static bool run_line(struct program *program, const char *line)
{
	struct words words;
	struct gh_error *err = split_words(line, &words);
	bool ends;

	if (err) {
		fail(err);
		return true;
	}
	ends = words.len &&
	       (strcmp(words.data[0], "quit") == 0 || strcmp(words.data[0], "exit") == 0);
	if (words.len && !ends)
		run_command(program, &words); // says itself what is wrong with a word
	words_deinit(&words);
	return !ends;
}

/* An interrupt ends what is under way, and counts for nothing that comes after. */
static void begin_line(void *ctx)
{
	struct program *program = ctx;

	interrupted = 0;
	program->progress.is_tty = isatty(STDERR_FILENO);
}

/* A line of progress would lie over the one that is edited. */
static void begin_completion(void *ctx)
{
	struct program *program = ctx;

	program->progress.is_tty = false;
}

/* goheap CORE on a terminal: one command a line, until the end of input. */
static int session(struct program *program)
{
	struct gh_error *err = open_target(program);
	const struct prompt_hooks hooks = {
		.begin = begin_line, .before_completion = begin_completion, .ctx = program};
	struct prompt *prompt = err ? NULL : prompt_create(program->session, &hooks);
	bool goes_on = true;

	if (err)
		return fail(err);
	if (!prompt)
		return fail(gh_error_nomem());
	program->render.how_next = "next";
	while (goes_on) {
		_cleanup_free_ char *line = prompt_read(prompt);

		begin_line(program);
		goes_on = line && run_line(program, line);
	}
	prompt_destroy(prompt);
	return 0;
}

static int run_help(struct program *program)
{
	static const char *help[] = {"help"};
	struct words words = {.data = help, .len = 1};

	return run_command(program, &words);
}

static int run(struct program *program)
{
	const struct options *options = &program->options;

	if (options->version) {
		puts("goheap " GOHEAP_VERSION);
		return 0;
	}
	if (options->help)
		return run_help(program);
	if (options->commands.len)
		return run_all(program);
	if (options->nfiles == 0 && !options->core && !options->pid)
		return fail(gh_error_create(GH_ERR_USAGE,
					    "nothing was asked: goheap CORE [EXE] COMMAND ...: "
					    "`goheap help` lists the commands"));
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		return session(program);
	if (options->nfiles && access(options->files[options->nfiles - 1], F_OK) != 0)
		return fail(gh_command_unknown(options->files[options->nfiles - 1]));
	if (options->pid)
		return fail(gh_error_create(GH_ERR_USAGE,
					    "no command was given: goheap --pid %u info: `goheap "
					    "help` lists the commands",
					    options->pid));
	return fail(gh_error_create(GH_ERR_USAGE,
				    "no command was given: goheap %s info: `goheap help` lists "
				    "the commands",
				    options->core ? options->core : options->files[0]));
}

int main(int argc, char **argv)
{
	struct sigaction on_sigint = {.sa_handler = on_interrupt}; // no SA_RESTART: reads end
	struct program program = {.progress.is_tty = isatty(STDERR_FILENO)};
	struct gh_error *err;
	int code;

	signal(SIGPIPE, SIG_IGN);
	if (argc > 1 && strcmp(argv[1], "--complete") == 0) // asked by a shell, not by people
		return shell_complete(argv + 2, (size_t)argc - 2) ? 0 : EXIT_FAILURE;
	sigaction(SIGINT, &on_sigint, NULL);
	program.poll = (struct gh_poll){
		.progress = on_progress, .cancelled = on_cancelled, .ctx = &program.progress};
	program.render.width = terminal_width();
	program.render.colour = wants_colour();
	err = options_parse(argc, argv, &program.options);
	code = err ? fail(err) : run(&program);
	gh_session_destroy(program.session);
	options_deinit(&program.options);
	return code;
}
