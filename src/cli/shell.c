// SPDX-License-Identifier: Apache-2.0
// See shell.h. The line is walked as options.c does, but it need not make sense yet.
#include "cli/shell.h"

#include <stdio.h>

#include "cli/options.h"
#include "command/complete.h"

struct line {
	struct words command;	       // words from the command's name on, ours taken out
	size_t nfiles;		       // named before the command
	bool has_target;	       // --core, --pid
	const struct gh_option *needs; // the option whose value the token is; NULL: none
	bool is_own;		       // that is one of the program's own
};

static const struct gh_option *find_own(const char *word, const char **value_ret)
{
	const struct gh_option *option;

	for (size_t i = 0; (option = options_own(i)); i++)
		if (options_match(option, word, value_ret))
			return option;
	return NULL;
}

static const struct gh_option *find_common(const char *word, const char **value_ret)
{
	for (const struct gh_option *o = gh_common_options(); o->name; o++)
		if (options_match(o, word, value_ret))
			return o;
	return NULL;
}

/* Note a word that is no option. False: out of memory. */
static bool take_word(struct line *line, const char *word)
{
	if (line->command.len || gh_command_find(word))
		return words_push(&line->command, word);
	line->nfiles++;
	return true;
}

static bool take(struct line *line, const char *word)
{
	const char *value = NULL;
	const struct gh_option *option = find_own(word, &value);

	line->is_own = option != NULL;
	if (option && (strcmp(option->name, "--core") == 0 || strcmp(option->name, "--pid") == 0))
		line->has_target = true;
	if (!option && !line->command.len)
		option = find_common(word, &value);
	if (option) {
		line->needs = option->value && !value ? option : NULL;
		return true;
	}
	return word[0] == '-' && !line->command.len ? true : take_word(line, word);
}

static bool read_line(struct line *line, char **words, size_t nwords)
{
	for (size_t i = 0; i < nwords; i++) {
		if (strcmp(words[i], "=") == 0)
			continue;
		if (line->needs) // this is its value
			line->needs = NULL;
		else if (!take(line, words[i]))
			return false;
	}
	return true;
}

static bool offer(struct gh_choices *choices, const char *word, const char *token)
{
	return strncmp(word, token, strlen(token)) != 0 ||
	       gh_choice_vec_push(&choices->words, word);
}

static bool offer_own(struct gh_choices *choices, const char *token)
{
	const struct gh_option *option;

	for (size_t i = 0; (option = options_own(i)); i++)
		if (!offer(choices, option->name, token))
			return false;
	return true;
}

static bool offer_common(struct gh_choices *choices, const char *token)
{
	for (const struct gh_option *o = gh_common_options(); o->name; o++)
		if (!offer(choices, o->name, token))
			return false;
	return offer(choices, "--version", token);
}

/* The value of an option that stands before the command, or of one of ours. */
static bool offer_value(const struct line *line, const char *token, struct gh_choices *choices)
{
	const char *value = line->needs->value;

	if (line->is_own && strcmp(value, "COMMAND") == 0)
		return gh_command_complete(NULL, NULL, 0, token, choices);
	if (strcmp(value, "DIR") == 0)
		return gh_choice_vec_push(&choices->words, ":folders");
	if (strcmp(value, "FILE") == 0 || strcmp(value, "CORE") == 0)
		return gh_choice_vec_push(&choices->words, ":files");
	return true;
}

static bool offer_all(const struct line *line, const char *token, struct gh_choices *choices)
{
	if (line->needs)
		return offer_value(line, token, choices);
	if (token[0] == '-' && !offer_own(choices, token))
		return false;
	if (line->command.len)
		return gh_command_complete(NULL, line->command.data, line->command.len, token,
					   choices);
	if (token[0] == '-')
		return offer_common(choices, token);
	if (line->nfiles + line->has_target < 2 && !gh_choice_vec_push(&choices->words, ":files"))
		return false;
	return gh_command_complete(NULL, NULL, 0, token, choices);
}

bool shell_complete(char **words, size_t nwords)
{
	const char *token = nwords ? words[nwords - 1] : "";
	struct gh_choices choices = {0};
	struct line line = {0};
	bool fine = read_line(&line, words, nwords ? nwords - 1 : 0);

	if (strcmp(token, "=") == 0)
		token = "";
	fine = fine && offer_all(&line, token, &choices);
	for (size_t i = 0; fine && i < choices.words.len; i++)
		puts(choices.words.data[i]);
	gh_choices_deinit(&choices);
	words_deinit(&line.command);
	return fine;
}
