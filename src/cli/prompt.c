// SPDX-License-Identifier: Apache-2.0
// See prompt.h.
#include "cli/prompt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "cli/options.h"
#include "command/complete.h"

#ifdef GH_HAVE_LIBEDIT
#include <editline/readline.h>

enum { MAX_HISTORY = 1000 };

struct prompt {
	char *history; // owned: path of the file; NULL: none is kept
	const struct prompt_hooks *hooks;
};

/* $XDG_STATE_HOME/goheap/history; its folder is made. */
static char *history_path(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	_cleanup_free_ char *dir = NULL;
	char *path;

	if (state && *state == '/') {
		if (asprintf(&dir, "%s/goheap", state) < 0)
			dir = NULL;
	} else if (home && *home == '/') {
		if (asprintf(&dir, "%s/.local/state/goheap", home) < 0)
			dir = NULL;
	}
	if (!dir)
		return NULL;
	for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(dir, 0700);
		*slash = '/';
	}
	mkdir(dir, 0700);
	return asprintf(&path, "%s/history", dir) < 0 ? NULL : path;
}

/* libedit's callbacks have no argument for it. */
static struct gh_session *completed;
static const struct prompt_hooks *completed_by;

/* libedit asks for one choice after the other; state 0 begins anew. */
static char *next_choice(const char *token, int state)
{
	static struct gh_choices choices;
	static size_t next;

	if (state == 0) {
		_cleanup_free_ char *line = strndup(rl_line_buffer, (size_t)rl_point);
		struct words words = {0};
		_cleanup_error_ struct gh_error *err =
			line ? split_words(line, &words) : gh_error_nomem();
		size_t n = words.len - (*token && words.len ? 1 : 0);

		gh_choices_deinit(&choices);
		next = 0;
		if (!err && !gh_command_complete(completed, words.data, n, token, &choices))
			gh_choices_deinit(&choices);
		words_deinit(&words);
	}
	if (next < choices.words.len)
		return strdup(choices.words.data[next++]);
	gh_choices_deinit(&choices);
	return NULL;
}

static char **complete(const char *token, int start, int end)
{
	char **choices;

	(void)start;
	(void)end;
	rl_attempted_completion_over = 1; // no names of files
	completed_by->before_completion(completed_by->ctx);
	choices = rl_completion_matches(token, next_choice);
	completed_by->begin(completed_by->ctx);
	return choices;
}

struct prompt *prompt_create(struct gh_session *session, const struct prompt_hooks *hooks)
{
	struct prompt *prompt = calloc(1, sizeof(*prompt));
	static char breaks[] = " \t";

	if (!prompt)
		return NULL;
	completed = session;
	completed_by = prompt->hooks = hooks;
	rl_readline_name = "goheap";
	rl_initialize();
	rl_attempted_completion_function = complete;
	rl_basic_word_break_characters = breaks;
	rl_completer_word_break_characters = breaks;
	using_history();
	stifle_history(MAX_HISTORY);
	prompt->history = history_path();
	if (prompt->history)
		read_history(prompt->history);
	return prompt;
}

char *prompt_read(struct prompt *prompt)
{
	bool is_dropped;
	char *line;

	do {
		prompt->hooks->begin(prompt->hooks->ctx);
		errno = 0;
		line = readline("goheap> ");
		is_dropped = !line && errno == EINTR; // Ctrl-C drops the line, not us
		if (is_dropped)
			fputs("^C\n", stdout);
	} while (is_dropped);
	if (line && *line)
		add_history(line);
	return line;
}

void prompt_destroy(struct prompt *prompt)
{
	if (!prompt)
		return;
	if (prompt->history)
		write_history(prompt->history);
	free(prompt->history);
	free(prompt);
}

#else

struct prompt {
	const struct prompt_hooks *hooks;
};

struct prompt *prompt_create(struct gh_session *session, const struct prompt_hooks *hooks)
{
	struct prompt *prompt = calloc(1, sizeof(*prompt));

	(void)session;
	if (prompt)
		prompt->hooks = hooks;
	return prompt;
}

char *prompt_read(struct prompt *prompt)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	do {
		prompt->hooks->begin(prompt->hooks->ctx);
		clearerr(stdin);
		errno = 0;
		fputs("goheap> ", stdout);
		fflush(stdout);
		n = getline(&line, &cap, stdin);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		free(line);
		return NULL;
	}
	if (n && line[n - 1] == '\n')
		line[n - 1] = 0;
	return line;
}

void prompt_destroy(struct prompt *prompt)
{
	free(prompt);
}

#endif
