// SPDX-License-Identifier: Apache-2.0
// Somebody interrupts a command in a stage of its work, and asks again.
// Usage: interrupt CORE EXE STAGE TIMES COMMAND WORD...
// Cancels when the stage is polled for the TIMES-th time (1: at once). Prints a JSON document a run,
// the interrupted one first, or {"error": "..."}; then {"polls": N}: how often the stage was polled
// in the second.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/session.h"
#include "base/cleanup.h"
#include "command/command.h"

struct nerves {
	const char *stage;
	unsigned long times, polls;
	bool in_stage, calm;
};

static void note(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
	struct nerves *n = ctx;

	(void)done;
	(void)total;
	n->in_stage = !strcmp(stage, n->stage);
	n->polls += n->in_stage;
}

/* As a face's: once it is so, it stays so until the command has ended. */
static bool is_tired(void *ctx)
{
	const struct nerves *n = ctx;

	return !n->calm && n->polls >= n->times;
}

static bool print(void *ctx, const char *data, size_t len)
{
	(void)ctx;
	return fwrite(data, 1, len, stdout) == len;
}

static void run(struct gh_session *session, const char *const *words, size_t n)
{
	struct gh_render_options options = {.format = GH_FORMAT_JSON};
	struct gh_error *err = gh_command_run(session, words, n, &options, print, NULL, NULL);
	json_t *document;

	if (err) {
		document = json_pack("{s:s}", "error", err->message);
		json_dumpf(document, stdout, JSON_COMPACT);
		json_decref(document);
		puts("");
	}
	gh_error_destroy(err);
}

int main(int argc, char **argv)
{
	struct gh_target_options options = {0};
	struct gh_session *session = NULL;
	struct gh_target *target = NULL;
	struct gh_error *err;
	struct nerves nerves = {0};

	if (argc < 6)
		return 2;
	options.core_path = argv[1];
	options.exe_path = argv[2];
	nerves.stage = argv[3];
	nerves.times = strtoul(argv[4], NULL, 10);
	err = gh_target_open_core(&options, &target);
	if (!err)
		err = gh_session_create(target, &session);
	if (err) {
		fprintf(stderr, "interrupt: %s\n", err->message);
		gh_error_destroy(err);
		return 1;
	}
	session->poll = (struct gh_poll){.progress = note, .cancelled = is_tired, .ctx = &nerves};
	run(session, (const char *const *)argv + 5, (size_t)argc - 5);
	nerves.polls = 0;
	nerves.calm = true;
	run(session, (const char *const *)argv + 5, (size_t)argc - 5);
	printf("{\"polls\": %lu}\n", nerves.polls);
	gh_session_destroy(session);
	return 0;
}
