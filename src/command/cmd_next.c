// SPDX-License-Identifier: Apache-2.0
// `next`: the rows that the last answer left out.
#include "command/command.h"
#include "command/shown.h"

/* Tables that have rows left go over; those that were shown whole stay behind and end. */
static struct gh_error *take_rest(struct gh_report *from, struct gh_report *to)
{
	for (size_t i = 0; i < from->tables.len; i++) {
		struct gh_table *table = from->tables.data[i];

		if (table->first == table->nrows)
			continue;
		if (!gh_table_vec_push(&to->tables, table))
			return gh_error_nomem();
		from->tables.data[i] = NULL;
	}
	to->arena = from->arena; // the texts of the cells; nothing was written to the new one yet
	from->arena = (struct gh_arena){0};
	return NULL;
}

static uint64_t rows_of(const struct gh_report *report, bool shown)
{
	uint64_t n = 0;

	for (size_t i = 0; i < report->tables.len; i++)
		n += shown ? report->tables.data[i]->first : report->tables.data[i]->nrows;
	return n;
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	struct gh_shown *shown = gh_shown_of(session);
	struct gh_report *rest;
	struct gh_error *err;

	if (!shown)
		return gh_error_nomem();
	if (!shown->command)
		return gh_error_create(GH_ERR_USAGE,
				       "next: nothing was shown yet: `top`, for example, shows the "
				       "first of many rows");
	rest = shown->rest;
	shown->rest = NULL;
	if (!rest) {
		report->headline = gh_arena_printf(
			&report->arena, "nothing is left: all rows of `%s` have been shown",
			shown->command);
		return NULL;
	}
	err = take_rest(rest, report);
	gh_report_destroy(rest);
	if (!err)
		report->headline = gh_arena_printf(
			&report->arena, "%s goes on: %llu of %llu rows have been shown",
			shown->command, (unsigned long long)rows_of(report, true),
			(unsigned long long)rows_of(report, false));
	return err;
}

static const struct gh_example examples[] = {
	{"core -e 'top -n 5' -e next -e 'next -n 2'", "rows 1 to 5, 6 to 10, 11 and 12"},
	{"core", "at the prompt: top, next, next"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_next = {
	.name = "next",
	.summary = "The rows that the last answer left out, as many again.",
	.usage = "next [-n N]",
	.help = "Goes on where the last command of this session stopped, in the order that it had, "
		"and says when nothing is left. The answer is kept, not computed again. Rows whose "
		"line begins with a name like $o3 or $g12 are objects and goroutines: at the "
		"prompt and in gdb, any command takes these names for an address or a number; in "
		"gdb they are convenience variables, too.\n"
		"\n"
		"    goheap> objects main.Session -n 2\n"
		"    4000 objects\n"
		"          address       type          bytes  strength\n"
		"          total         313 KiB\n"
		"    $o1   0xc000200000  main.Session   80 B  declared\n"
		"    $o2   0xc000200050  main.Session   80 B  declared\n"
		"    … 3998 more rows: `next`\n"
		"    goheap> next -n 1\n"
		"    objects goes on: 2 of 4000 rows have been shown\n"
		"    $o3   0xc0002000a0  main.Session   80 B  declared\n"
		"    … 3997 more rows: `next`\n"
		"    goheap> objects $o3\n",
	.examples = examples,
	.needs_target = true,
	.continues = true,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_PACKAGE | GH_IGNORES_MIN,
	.run = run,
};
