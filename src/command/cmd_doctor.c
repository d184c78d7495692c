// SPDX-License-Identifier: Apache-2.0
// goheap doctor: can this target be trusted, and do we read it rightly?
#include "analysis/doctor.h"
#include "command/command.h"

static const struct gh_column columns[] = {
	{"name", GH_UNIT_TEXT, false},
	{"state", GH_UNIT_TEXT, false},
	{"detail", GH_UNIT_TEXT, .wraps = true},
	{"advice", GH_UNIT_TEXT, true},
};

static bool add_row(struct gh_report *report, struct gh_table *table, const struct gh_diagnosis *d)
{
	struct gh_cell *row = gh_table_row(table);

	if (!row)
		return false;
	row[0] = gh_cell_text(d->name);
	row[1] = gh_cell_text(gh_health_name(d->health));
	row[2] = gh_cell_copy(report, d->detail, strlen(d->detail));
	row[3] = gh_cell_text(d->advice);
	if (d->health != GH_HEALTH_OK && d->advice)
		gh_report_note(report, "%s: %s: %s", d->name, d->detail, d->advice);
	return true;
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	struct gh_doctor doctor;
	struct gh_table *table;
	struct gh_error *err = gh_doctor_run(session, &doctor);

	if (err)
		return err;
	table = gh_report_table(report, "checks", columns, GH_ARRAY_SIZE(columns));
	for (size_t i = 0; i < doctor.found.len && !err; i++)
		if (!table || !add_row(report, table, &doctor.found.data[i]))
			err = gh_error_nomem();
	for (size_t i = 0; i < session->target->nnotes && !err; i++)
		gh_report_note(report, "%s", session->target->notes[i]);
	gh_doctor_deinit(&doctor);
	return err;
}

static const char help_text[] =
	"Facts that hold in every healthy Go process, each compared with memory: build\n"
	"ids, the layout table against DWARF, allocation bits against the spans' own\n"
	"counts, pages against the runtime's counters, stacks that end where they must.\n"
	"\n"
	"ok       as it should be\n"
	"warn     answers may be poorer, but not wrong\n"
	"bad      answers may be wrong or incomplete; advice says what to do\n"
	"unknown  could not be checked\n"
	"\n"
	"A core is one instant: a few rows may disagree because a thread was in the middle\n"
	"of a change.";

static const struct gh_table_shape tables[] = {
	{"checks", columns, GH_ARRAY_SIZE(columns)},
	{0},
};

static const struct gh_example examples[] = {
	{"doctor", "all checks"},
	{"doctor --json", "for programs: state is ok, warn, bad or unknown"},
	{0},
};

const struct gh_command gh_cmd_doctor = {
	.name = "doctor",
	.summary = "Check that the target is sound and that goheap reads it rightly.",
	.usage = "doctor",
	.help = help_text,
	.examples = examples,
	.tables = tables,
	.needs_target = true,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_PACKAGE | GH_IGNORES_MIN,
	.all_rows = true,
	.run = run,
};
