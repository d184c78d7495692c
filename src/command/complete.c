// SPDX-License-Identifier: Apache-2.0
// See complete.h.
#include "command/complete.h"

#include "analysis/histogram.h"
#include "base/strbuf.h"
#include "command/shown.h"

struct completion {
	const char *token;
	struct gh_choice_vec *found;
	struct gh_arena *arena;
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

/* Handles of the last answer: $o1, $g12. */
static void offer_handles(struct completion *c, const struct gh_session *session)
{
	const struct gh_shown *shown = session ? session->shown : NULL;

	for (size_t i = 0; shown && i < shown->last.len; i++) {
		const struct gh_handle *h = &shown->last.data[i];
		const char *word = gh_arena_printf(c->arena, "$%c%llu", h->letter,
						   (unsigned long long)h->number);

		if (word)
			offer(c, word);
		c->nomem |= !word;
	}
}

/* As a word of a command line: what would end it or means something there after a backslash. */
static const char *escape(struct completion *c, const char *name)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	for (; *name; name++) {
		if (strchr(" '\"\\", *name))
			gh_strbuf_putc(&sb, '\\');
		gh_strbuf_putc(&sb, *name);
	}
	return gh_arena_strndup(c->arena, gh_strbuf_str(&sb), sb.len);
}

/* Names of live types, most bytes first. as_re: only those that are expressions as they stand. */
static void offer_types(struct completion *c, struct gh_session *session, bool as_re)
{
	struct gh_histogram h = {0};
	struct gh_error *err;

	if (!session || !session->mark)
		return;
	err = gh_histogram_build(session, GH_WHICH_LIVE, &h);
	for (size_t i = 0; !err && i < h.rows.len; i++) {
		const char *name = h.rows.data[i].name, *word;

		if (as_re && name[strcspn(name, "[]()*+?{}|^$\\ ")])
			continue;
		word = escape(c, name);
		if (word)
			offer(c, word);
		c->nomem |= !word;
	}
	gh_error_destroy(err);
	gh_histogram_deinit(&h);
}

/* Words that are no options. */
static void offer_arguments(struct completion *c, struct gh_session *session,
			    const struct gh_command *command)
{
	if (strcmp(command->name, "help") == 0) {
		offer_commands(c);
		return;
	}
	if (c->token[0] == '$')
		offer_handles(c, session);
	else if (strstr(command->usage, "TYPE"))
		offer_types(c, session, false);
}

bool gh_command_complete(struct gh_session *session, const char *const *before, size_t nbefore,
			 const char *token, struct gh_choices *ret)
{
	struct completion c = {.token = token, .found = &ret->words, .arena = &ret->arena};
	const struct gh_command *command = nbefore ? gh_command_find(before[0]) : NULL;

	if (nbefore == 0)
		offer_commands(&c);
	else if (command && strcmp(before[nbefore - 1], "--sort") == 0)
		offer_columns(&c, command->tables);
	else if (command && strcmp(before[nbefore - 1], "--type") == 0)
		offer_types(&c, session, true);
	else if (command && token[0] == '-') {
		offer_options(&c, command->options);
		offer_options(&c, gh_common_options());
	} else if (command) {
		offer_arguments(&c, session, command);
	}
	return !c.nomem;
}

void gh_choices_deinit(struct gh_choices *choices)
{
	gh_choice_vec_deinit(&choices->words);
	gh_arena_deinit(&choices->arena);
	*choices = (struct gh_choices){0};
}
