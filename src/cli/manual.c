// SPDX-License-Identifier: Apache-2.0
// Writes the manual page: docs/goheap.1.in with what the tables of commands and options say in the
// places of @NAME@ lines. Runs at build time, is not installed.
//	manual TEMPLATE VERSION SCRIPT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/options.h"
#include "command/command.h"
#include "report/format.h"

/* `len` bytes as roff shows them: what stands between backquotes is bold. */
static void put_text(const char *text, size_t len)
{
	bool bold = false;

	for (size_t i = 0; i < len;) {
		uint32_t point = 0;
		size_t n = gh_utf8_decode(text + i, &point);

		if (point == '`') {
			bold = !bold;
			fputs(bold ? "\\fB" : "\\fP", stdout);
		} else if (point == '\\') {
			fputs("\\e", stdout);
		} else if (point == '-') {
			fputs("\\-", stdout);
		} else if (point == '\'' || point == '^' || point == '~') {
			printf("\\(%s", point == '\'' ? "aq" : point == '^' ? "ha" : "ti");
		} else if (point == '.' && i == 0) {
			fputs("\\&.", stdout);
		} else if (point > 0x7e) {
			printf("\\[u%04X]", (unsigned)point);
		} else {
			fwrite(text + i, 1, n ? n : 1, stdout);
		}
		i += n ? n : 1;
	}
}

static void put_string(const char *text)
{
	put_text(text, strlen(text));
}

static void put_line(const char *text)
{
	put_string(text);
	putchar('\n');
}

static void put_option_name(const char *name, const char *value)
{
	fputs("\\fB", stdout);
	put_string(name);
	fputs("\\fP", stdout);
	if (value) {
		fputs(" \\fI", stdout);
		put_string(value);
		fputs("\\fP", stdout);
	}
}

static void put_option(const struct gh_option *option)
{
	puts(".TP");
	if (option->short_name) {
		put_option_name(option->short_name, option->value);
		fputs(", ", stdout);
	}
	put_option_name(option->name, option->value);
	putchar('\n');
	put_line(option->help);
}

static void put_options(const struct gh_option *options)
{
	for (; options && options->name; options++)
		put_option(options);
}

static void put_own_options(void)
{
	const struct gh_option *option;

	for (size_t i = 0; (option = options_own(i)); i++)
		put_option(option);
}

/* As help.c: a line is a paragraph, an indented one stays as it is. */
static void put_paragraphs(const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		bool is_literal = *text == ' ';

		if (len) {
			puts(is_literal ? ".nf" : ".PP");
			put_text(text, len);
			puts(is_literal ? "\n.fi" : "");
		}
		text += len + (text[len] == '\n');
	}
}

static void put_examples(const struct gh_example *examples)
{
	for (; examples && examples->args; examples++) {
		puts(".TP");
		fputs("\\fBgoheap ", stdout);
		put_string(examples->args);
		puts("\\fP");
		put_line(examples->says);
	}
}

static void put_command(const struct gh_command *command)
{
	printf(".SS %s\n", command->name);
	put_line(command->summary);
	puts(".PP");
	fputs("\\fBgoheap\\fP ", stdout);
	put_line(command->usage);
	if (command->help)
		put_paragraphs(command->help);
	put_options(command->options);
	put_examples(command->examples);
}

static void put_commands(void)
{
	size_t n;
	const struct gh_command *const *commands = gh_commands(&n);

	for (size_t i = 0; i < n; i++)
		put_command(commands[i]);
}

static void put_template_line(const char *line, char **argv)
{
	if (strcmp(line, "@OPTIONS@\n") == 0)
		put_own_options();
	else if (strcmp(line, "@COMMON@\n") == 0)
		put_options(gh_common_options());
	else if (strcmp(line, "@COMMANDS@\n") == 0)
		put_commands();
	else if (strcmp(line, "@TITLE@\n") == 0)
		printf(".TH GOHEAP 1 \"\" \"goheap %s\" \"User Commands\"\n", argv[2]);
	else if (strcmp(line, "@SCRIPT@\n") == 0)
		put_line(argv[3]);
	else
		fputs(line, stdout);
}

int main(int argc, char **argv)
{
	_cleanup_free_ char *line = NULL;
	size_t cap = 0;
	FILE *template;

	template = argc == 4 ? fopen(argv[1], "re") : NULL;
	if (!template) {
		fputs("usage: manual TEMPLATE VERSION SCRIPT\n", stderr);
		return 2;
	}
	while (getline(&line, &cap, template) > 0)
		put_template_line(line, argv);
	fclose(template);
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
