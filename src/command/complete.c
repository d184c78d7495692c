// SPDX-License-Identifier: Apache-2.0
// See complete.h.
#include "command/complete.h"

struct completion {
	const char *token;
	struct gh_choice_vec *found;
	bool nomem;
};

static void offer(struct completion *c, const char *word)
{
	if (strncmp(word, c->token, strlen(c->token)) == 0)
		c->nomem |= !gh_choice_vec_push(c->found, word);
}

static void offer_commands(struct completion *c)
{
	size_t n;
	const struct gh_command *const *commands = gh_commands(&n);

	for (size_t i = 0; i < n; i++)
		offer(c, commands[i]->name);
}

static void offer_options(struct completion *c, const struct gh_option *options)
{
	for (; options && options->name; options++)
		offer(c, options->name);
}

/* A name that several tables have is offered once. */
static void offer_columns(struct completion *c, const struct gh_table_shape *tables)
{
	for (const struct gh_table_shape *t = tables; t && t->name; t++)
		for (size_t i = 0; i < t->ncolumns; i++) {
			bool is_known = false;

			for (size_t k = 0; k < c->found->len; k++)
				is_known |= !strcmp(c->found->data[k], t->columns[i].name);
			if (!is_known)
				offer(c, t->columns[i].name);
		}
}

bool gh_command_complete(const char *const *before, size_t nbefore, const char *token,
			 struct gh_choice_vec *ret)
{
	struct completion c = {.token = token, .found = ret};
	const struct gh_command *command = nbefore ? gh_command_find(before[0]) : NULL;

	if (nbefore == 0) {
		offer_commands(&c);
	} else if (command && strcmp(before[nbefore - 1], "--sort") == 0) {
		offer_columns(&c, command->tables);
	} else if (command && token[0] == '-') {
		offer_options(&c, command->options);
		offer_options(&c, gh_common_options());
	} else if (command && strcmp(command->name, "help") == 0) {
		offer_commands(&c);
	}
	return !c.nomem;
}
