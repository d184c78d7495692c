// SPDX-License-Identifier: Apache-2.0
// The text of a command's help, out of its const object: 80 columns, for every face.
#include "command/command.h"

enum { WIDTH = 80, OPTION_COLUMN = 22, USAGE_COLUMN = 14 };

/* Append words of text in lines of WIDTH, continued at `indent`; the line stands at `column`. */
static void put_wrapped(struct gh_strbuf *sb, const char *text, size_t indent, size_t column)
{
	bool first = true;

	while (*text) {
		size_t len = strcspn(text, " \n"), columns = 0;

		for (size_t i = 0; i < len; i++)
			columns += ((uint8_t)text[i] & 0xc0) != 0x80;
		if (!first && column + 1 + columns > WIDTH) {
			gh_strbuf_printf(sb, "\n%*s", (int)indent, "");
			column = indent;
			first = true;
		}
		if (!first)
			gh_strbuf_putc(sb, ' ');
		gh_strbuf_add(sb, text, len);
		column += columns + !first;
		first = false;
		text += len;
		text += strspn(text, " ");
	}
	gh_strbuf_putc(sb, '\n');
}

static void put_option(struct gh_strbuf *sb, const struct gh_option *option)
{
	size_t start = sb->len, len;

	gh_strbuf_puts(sb, "  ");
	if (option->short_name)
		gh_strbuf_printf(sb, "%s%s%s, ", option->short_name, option->value ? " " : "",
				 option->value ? option->value : "");
	gh_strbuf_printf(sb, "%s%s%s", option->name, option->value ? " " : "",
			 option->value ? option->value : "");
	len = sb->len - start;
	if (len + 2 > OPTION_COLUMN)
		gh_strbuf_printf(sb, "\n%*s", OPTION_COLUMN, "");
	else
		gh_strbuf_printf(sb, "%*s", (int)(OPTION_COLUMN - len), "");
	put_wrapped(sb, option->help, OPTION_COLUMN, OPTION_COLUMN);
}

static void put_options(struct gh_strbuf *sb, const char *title, const struct gh_option *options)
{
	if (!options || !options->name)
		return;
	gh_strbuf_printf(sb, "\n%s:\n", title);
	for (; options->name; options++)
		put_option(sb, options);
}

/* Paragraphs are lines of the source joined by blanks; "\n" ends one; indented ones stay as they
 * are. */
static void put_paragraphs(struct gh_strbuf *sb, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		struct gh_strbuf line = {0};

		gh_strbuf_add(&line, text, len);
		if (*text == ' ')
			gh_strbuf_printf(sb, "%s\n", gh_strbuf_str(&line));
		else
			put_wrapped(sb, gh_strbuf_str(&line), 0, 0);
		gh_strbuf_deinit(&line);
		text += len + (text[len] == '\n');
	}
}

static const struct session {
	const char *command, *text; // lines of a terminal that is narrower by the indent
} sessions[] = {
#define SESSION(command, text) {command, text},
#include "command/sessions.inc"
#undef SESSION
};

static void put_session(struct gh_strbuf *sb, const char *text)
{
	gh_strbuf_puts(sb, "\nSession:\n");
	while (*text) {
		size_t len = strcspn(text, "\n");

		gh_strbuf_puts(sb, len ? "  " : "");
		gh_strbuf_add(sb, text, len);
		gh_strbuf_putc(sb, '\n');
		text += len + (text[len] == '\n');
	}
}

static void put_examples(struct gh_strbuf *sb, const struct gh_example *examples)
{
	if (!examples || !examples->args)
		return;
	gh_strbuf_puts(sb, "\nExamples:\n");
	for (const struct gh_example *e = examples; e->args; e++) {
		gh_strbuf_printf(sb, "  goheap %s\n      ", e->args);
		put_wrapped(sb, e->says, 6, 6);
	}
}

void gh_command_help(const struct gh_command *command, struct gh_strbuf *sb)
{
	put_wrapped(sb, command->summary, 0, 0);
	gh_strbuf_puts(sb, "\nUsage: goheap ");
	put_wrapped(sb, command->usage, USAGE_COLUMN, USAGE_COLUMN);
	if (command->help) {
		gh_strbuf_putc(sb, '\n');
		put_paragraphs(sb, command->help);
	}
	put_options(sb, "Options", command->options);
	put_options(sb, "Common options", gh_common_options());
	put_examples(sb, command->examples);
	for (size_t i = 0; i < GH_ARRAY_SIZE(sessions); i++)
		if (!strcmp(command->name, sessions[i].command))
			put_session(sb, sessions[i].text);
}
