// SPDX-License-Identifier: Apache-2.0
// `help`: what there is to ask, and what one command does. Needs no target.
#include "command/command.h"

static const struct gh_column command_columns[] = {
	{"command", GH_UNIT_TEXT, false},
	{"summary", GH_UNIT_TEXT, false},
};

static const struct gh_column option_columns[] = {
	{"option", GH_UNIT_TEXT, false},
	{"value", GH_UNIT_TEXT, false},
	{"help", GH_UNIT_TEXT, false},
};

static const struct gh_column column_columns[] = {
	{"table", GH_UNIT_TEXT, false},
	{"column", GH_UNIT_TEXT, false},
	{"unit", GH_UNIT_TEXT, false},
};

static const char intro[] =
	"usage: goheap CORE [EXE] COMMAND ...\n"
	"       goheap EXE -c CORE COMMAND ...\n"
	"       goheap CORE -e 'COMMAND ...' -e 'COMMAND ...'\n"
	"       goheap --pid PID COMMAND ...\n"
	"       goheap help [COMMAND]\n"
	"how to open: --exe FILE, --sysroot DIR (where the process's paths are),\n"
	"       --scratch DIR (for compressed cores), --force, --no-mmap\n"
	"in gdb: source PREFIX/share/goheap/goheap.py (gdb-scripts/goheap.py where it\n"
	"       was built), then: goheap COMMAND ...\n";

static struct gh_error *list_commands(struct gh_report *report)
{
	struct gh_table *table = gh_report_table(report, "commands", command_columns,
						 GH_ARRAY_SIZE(command_columns));
	const struct gh_command *const *commands;
	size_t n;

	if (!table)
		return gh_error_nomem();
	commands = gh_commands(&n);
	for (size_t i = 0; i < n; i++) {
		struct gh_cell *row = gh_table_row(table);

		if (!row)
			return gh_error_nomem();
		row[0] = gh_cell_text(commands[i]->name);
		row[1] = gh_cell_text(commands[i]->summary);
	}
	report->headline = intro;
	return NULL;
}

static struct gh_error *add_options(struct gh_table *table, const struct gh_option *options)
{
	for (; options && options->name; options++) {
		struct gh_cell *row = gh_table_row(table);

		if (!row)
			return gh_error_nomem();
		row[0] = gh_cell_text(options->name);
		row[1] = gh_cell_text(options->value);
		row[2] = gh_cell_text(options->help);
	}
	return NULL;
}

static struct gh_error *add_columns(struct gh_report *report, const struct gh_table_shape *shapes)
{
	struct gh_table *table =
		gh_report_table(report, "columns", column_columns, GH_ARRAY_SIZE(column_columns));

	for (; table && shapes && shapes->name; shapes++) {
		for (size_t c = 0; c < shapes->ncolumns; c++) {
			struct gh_cell *row = gh_table_row(table);

			if (!row)
				return gh_error_nomem();
			row[0] = gh_cell_text(shapes->name);
			row[1] = gh_cell_text(shapes->columns[c].name);
			row[2] = gh_cell_text(gh_unit_name(shapes->columns[c].unit));
		}
	}
	return table ? NULL : gh_error_nomem();
}

static struct gh_error *explain(const struct gh_command *command, struct gh_report *report)
{
	struct gh_table *commands = gh_report_table(report, "commands", command_columns,
						    GH_ARRAY_SIZE(command_columns));
	struct gh_table *options =
		gh_report_table(report, "options", option_columns, GH_ARRAY_SIZE(option_columns));
	struct gh_cell *row = commands && options ? gh_table_row(commands) : NULL;
	struct gh_strbuf sb = {0};
	struct gh_error *err;

	if (!row)
		return gh_error_nomem();
	row[0] = gh_cell_text(command->name);
	row[1] = gh_cell_text(command->summary);
	err = add_options(options, command->options);
	if (!err)
		err = add_options(options, gh_common_options());
	if (!err)
		err = add_columns(report, command->tables);
	if (err)
		return err;
	gh_command_help(command, &sb);
	if (sb.len && gh_strbuf_ok(&sb)) // the renderer ends the line
		report->headline = gh_arena_strndup(&report->arena, sb.data, sb.len - 1);
	report->headline_only = true;
	gh_strbuf_deinit(&sb);
	return report->headline ? NULL : gh_error_nomem();
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	const struct gh_command *command;

	if (args->npositional == 0)
		return list_commands(report);
	command = gh_command_find(args->positional[0]);
	if (!command)
		return gh_command_unknown(args->positional[0]);
	return explain(command, report);
}

static const struct gh_example examples[] = {
	{"help", "lists the commands in the order of an investigation"},
	{"help top", "says what top prints, its options, and worked examples"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_help = {
	.name = "help",
	.summary = "What there is to ask, and what a command does.",
	.usage = "help [COMMAND]",
	.examples = examples,
	.max_positional = 1,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_PACKAGE | GH_IGNORES_MIN,
	.all_rows = true,
	.run = run,
};
