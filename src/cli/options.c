// SPDX-License-Identifier: Apache-2.0
// The program's command line. A word that is a command's name is the command; what stands before it
// names the target; the program's own options may stand anywhere.
#include "cli/options.h"

#include <limits.h>
#include <stdlib.h>

#include "command/command.h"

bool words_push(struct words *words, const char *word)
{
	if (!gh_vec_reserve((void **)&words->data, &words->cap, words->len + 1, sizeof(char *)))
		return false;
	words->data[words->len++] = word;
	return true;
}

void words_deinit(struct words *words)
{
	free(words->data);
	free(words->owned);
	*words = (struct words){0};
}

void options_deinit(struct options *options)
{
	for (size_t i = 0; i < options->commands.len; i++)
		words_deinit(&options->commands.data[i]);
	words_vec_deinit(&options->commands);
	words_deinit(&options->common);
}

/* Copy one word from line to `to`, unquoted; *to is moved past it. NULL: a quote is open. */
static const char *split_word(const char *line, char **to)
{
	char quote = '\0';

	for (; *line && (quote || !strchr(" \t\n", *line)); line++) {
		if (quote ? *line == quote : *line == '\'' || *line == '"') {
			quote = quote ? '\0' : *line;
			continue;
		}
		if (*line == '\\' && quote != '\'' && line[1] &&
		    (!quote || strchr("\"\\$`", line[1])))
			line++;
		*(*to)++ = *line;
	}
	*(*to)++ = '\0';
	return quote ? NULL : line;
}

struct gh_error *split_words(const char *line, struct words *ret)
{
	struct words words = {.owned = malloc(strlen(line) + 2)};
	char *to = words.owned;

	if (!to)
		return gh_error_nomem();
	for (line += strspn(line, " \t\n"); *line; line += strspn(line, " \t\n")) {
		const char *start = line;
		bool fine = words_push(&words, to);

		line = fine ? split_word(line, &to) : NULL;
		if (line)
			continue;
		words_deinit(&words);
		if (!fine)
			return gh_error_nomem();
		return gh_error_create(GH_ERR_USAGE, "a quote is not closed in: %s", start);
	}
	*ret = words;
	return NULL;
}

/* The program's own options. */
enum own_option {
	OWN_NONE,
	OWN_CORE,
	OWN_EXE,
	OWN_SYSROOT,
	OWN_SCRATCH,
	OWN_PID,
	OWN_COMMAND,
	OWN_FORCE,
	OWN_NO_MMAP
};

static const struct {
	struct gh_option words;
	enum own_option option;
} own_options[] = {
	{{"--core", "-c", "CORE", "the core; the first file named is it otherwise"}, OWN_CORE},
	{{"--exe", NULL, "FILE", "the executable; looked for where none is named"}, OWN_EXE},
	{{"--pid", "-p", "PID", "a running process: it is stopped, copied and let go"}, OWN_PID},
	{{"-e", NULL, "COMMAND", "a command line as one word; several answers from one load"},
	 OWN_COMMAND},
	{{"--sysroot", NULL, "DIR", "stands before the paths found in the core"}, OWN_SYSROOT},
	{{"--scratch", NULL, "DIR", "where compressed files are unpacked"}, OWN_SCRATCH},
	{{"--force", NULL, NULL, "go on although build ids differ"}, OWN_FORCE},
	{{"--no-mmap", NULL, NULL, "read files rather than map them (failing disks)"}, OWN_NO_MMAP},
};

const struct gh_option *options_own(size_t i)
{
	return i < GH_ARRAY_SIZE(own_options) ? &own_options[i].words : NULL;
}

static struct gh_error *add_command_line(struct options *options, const char *line)
{
	struct words words;
	struct gh_error *err = split_words(line, &words);

	if (err)
		return err;
	if (words.len == 0) {
		words_deinit(&words);
		return gh_error_create(GH_ERR_USAGE, "-e needs a command: goheap CORE -e top");
	}
	if (!words_vec_push(&options->commands, words)) {
		words_deinit(&words);
		return gh_error_nomem();
	}
	return NULL;
}

static struct gh_error *set_pid(struct options *options, const char *value)
{
	char *end;
	unsigned long pid = strtoul(value, &end, 10);

	if (*end || !pid || pid > INT_MAX || *value == '-')
		return gh_error_create(GH_ERR_USAGE, "--pid needs a process number, not '%s'",
				       value);
	options->pid = (uint32_t)pid;
	return NULL;
}

static struct gh_error *set_own(struct options *options, enum own_option option, const char *value)
{
	switch (option) {
	case OWN_CORE:
		options->core = value;
		return NULL;
	case OWN_EXE:
		options->exe = value;
		return NULL;
	case OWN_SYSROOT:
		options->sysroot = value;
		return NULL;
	case OWN_SCRATCH:
		options->scratch = value;
		return NULL;
	case OWN_PID:
		return set_pid(options, value);
	case OWN_FORCE:
		options->force = true;
		return NULL;
	case OWN_NO_MMAP:
		options->no_mmap = true;
		return NULL;
	case OWN_COMMAND:
		return add_command_line(options, value);
	case OWN_NONE:
		return NULL;
	}
	return NULL;
}

bool options_match(const struct gh_option *option, const char *word, const char **value_ret)
{
	const char *const names[] = {option->name, option->short_name};

	for (size_t i = 0; i < GH_ARRAY_SIZE(names) && names[i]; i++) {
		size_t len = strlen(names[i]);

		if (strncmp(word, names[i], len) != 0 ||
		    (word[len] && (word[len] != '=' || !option->value)))
			continue;
		*value_ret = word[len] ? word + len + 1 : NULL;
		return true;
	}
	return false;
}

/* Take argv[*at] if it is one of ours, with its value; *taken_ret says so. */
static struct gh_error *take_own(struct options *options, int argc, char **argv, int *at,
				 bool *taken_ret)
{
	const char *word = argv[*at], *value;

	*taken_ret = false;
	for (size_t i = 0; i < GH_ARRAY_SIZE(own_options); i++) {
		const struct gh_option *option = &own_options[i].words;

		if (!options_match(option, word, &value))
			continue;
		if (option->value && !value) {
			if (*at + 1 >= argc)
				return gh_error_create(GH_ERR_USAGE, "%s needs a value", word);
			value = argv[++*at];
		}
		*taken_ret = true;
		return set_own(options, own_options[i].option, value);
	}
	return NULL;
}

/* A common option of commands that stands before the command. False: it is none. */
static bool take_common(struct options *options, int argc, char **argv, int *at,
			struct gh_error **err_ret)
{
	const char *word = argv[*at];
	size_t len = strcspn(word, "=");

	*err_ret = NULL;
	if (word[1] != '-')
		len = gh_min_u64(strlen(word), 2);
	for (const struct gh_option *o = gh_common_options(); o->name; o++) {
		if (!(strlen(o->name) == len && strncmp(word, o->name, len) == 0) &&
		    !(o->short_name && strlen(o->short_name) == len &&
		      strncmp(word, o->short_name, len) == 0))
			continue;
		if (!words_push(&options->common, word) ||
		    (o->value && !word[len] && *at + 1 < argc &&
		     !words_push(&options->common, argv[++*at])))
			*err_ret = gh_error_nomem();
		return true;
	}
	return false;
}

/* Everything from the command's name on: its words, ours taken out. */
static struct gh_error *parse_command(struct options *options, int argc, char **argv, int at)
{
	struct words words = {0};
	struct gh_error *err = NULL;
	int core_at = -1;

	for (; !err && at < argc; at++) {
		bool taken;

		if (strcmp(argv[at], "-c") == 0)
			core_at = (int)words.len;
		err = take_own(options, argc, argv, &at, &taken);
		if (!err && !taken && !words_push(&words, argv[at]))
			err = gh_error_nomem();
	}
	// coredumpctl -A 'top -n 5' gives: top -n 5 EXE -c CORE
	if (!err && core_at > 1 && options->nfiles == 0 && (size_t)core_at == words.len &&
	    words.data[words.len - 1][0] != '-')
		options->files[options->nfiles++] = words.data[--words.len];
	if (!err && !words_vec_push(&options->commands, words))
		err = gh_error_nomem();
	if (err)
		words_deinit(&words);
	return err;
}

static struct gh_error *unexpected(const struct options *options, const char *word)
{
	struct gh_error *err;

	if (word[0] == '-')
		return gh_error_create(GH_ERR_USAGE,
				       "unknown option '%s': `goheap help` says what there is",
				       word);
	err = gh_command_unknown(word);
	if (options->nfiles == 2)
		return gh_error_wrap(err, "%s and %s are core and executable", options->files[0],
				     options->files[1]);
	return err;
}

static struct gh_error *parse_word(struct options *options, int argc, char **argv, int *at,
				   bool *done_ret)
{
	const char *word = argv[*at];
	struct gh_error *err;
	bool taken;

	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
		options->help = true;
		return NULL;
	}
	if (strcmp(word, "--version") == 0) {
		options->version = true;
		return NULL;
	}
	err = take_own(options, argc, argv, at, &taken);
	if (err || taken)
		return err;
	if (word[0] == '-' && word[1] && take_common(options, argc, argv, at, &err))
		return err;
	if (gh_command_find(word)) {
		*done_ret = true;
		return parse_command(options, argc, argv, *at);
	}
	if (word[0] == '-' || options->nfiles == 2 || (options->core && options->nfiles == 1))
		return unexpected(options, word);
	options->files[options->nfiles++] = word;
	return NULL;
}

/* Options before the command hold for each command, as if they stood behind it. */
static struct gh_error *spread_common(struct options *options)
{
	for (size_t i = 0; i < options->commands.len; i++) {
		struct words *words = &options->commands.data[i];

		for (size_t k = 0; k < options->common.len; k++)
			if (!words_push(words, options->common.data[k]))
				return gh_error_nomem();
	}
	return NULL;
}

/* Every command line is checked before a core is opened for it. */
static struct gh_error *check_commands(const struct options *options)
{
	for (size_t i = 0; i < options->commands.len; i++) {
		const struct words *words = &options->commands.data[i];
		const struct gh_command *command = gh_command_find(words->data[0]);
		struct gh_args args;
		struct gh_error *err;

		if (!command)
			return gh_command_unknown(words->data[0]);
		err = gh_args_parse(command, words->data + 1, words->len - 1, &args);
		if (err)
			return err;
	}
	return NULL;
}

struct gh_error *options_parse(int argc, char **argv, struct options *ret)
{
	struct gh_error *err = NULL;
	bool done = false;

	*ret = (struct options){0};
	for (int i = 1; !err && !done && i < argc; i++)
		err = parse_word(ret, argc, argv, &i, &done);
	if (!err)
		err = spread_common(ret);
	return err ? err : check_commands(ret);
}
