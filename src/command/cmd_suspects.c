// SPDX-License-Identifier: Apache-2.0
// `suspects`: what is likely wrong, on one page.
#include <stdlib.h>

#include "analysis/finding.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "command/command.h"
#include "command/heap_notes.h"

enum column {
	LEVEL,
	RULE,
	TITLE,
	BYTES,
	BYTES_KIND,
	SHARE,
	EVIDENCE,
	SITE,
	FIX,
	MORE,
	FINGERPRINT,
	NCOLUMNS
};

static const struct gh_column columns[NCOLUMNS] = {
	[LEVEL] = {"level", GH_UNIT_TEXT, false, .prose = GH_PROSE_HEAD},
	[RULE] = {"rule", GH_UNIT_TEXT, false},
	[TITLE] = {"title", GH_UNIT_TEXT, false, .prose = GH_PROSE_SENTENCE},
	[BYTES] = {"bytes", GH_UNIT_BYTES, false, .prose = GH_PROSE_HEAD},
	[BYTES_KIND] = {"bytes_kind", GH_UNIT_TEXT, false},
	[SHARE] = {"share", GH_UNIT_SHARE, false, .prose = GH_PROSE_HEAD},
	[EVIDENCE] = {"evidence", GH_UNIT_TEXT, false, .prose = GH_PROSE_SENTENCE},
	[SITE] = {"site", GH_UNIT_TEXT, false, .prose = GH_PROSE_LINE},
	[FIX] = {"fix", GH_UNIT_TEXT, false, .prose = GH_PROSE_LINE},
	[MORE] = {"more", GH_UNIT_TEXT, false, .prose = GH_PROSE_LINE},
	[FINGERPRINT] = {"fingerprint", GH_UNIT_TEXT, false},
};

enum { FIRST_PAGE = 6 }; // findings at most: a terminal of 24 lines has room for no more

static bool is_wanted(const struct gh_args *args, const struct gh_finding *f)
{
	const char *rule = gh_args_option(args, "--rule"), *level = gh_args_option(args, "--level");

	if (f->bytes < args->min_bytes)
		return false;
	if (rule && strcmp(rule, f->rule->id) != 0)
		return false;
	return !level || (f->level >= GH_LEVEL_POSSIBLE && !strcmp(level, "possible")) ||
	       (f->level >= GH_LEVEL_LIKELY && !strcmp(level, "likely")) ||
	       (f->level == GH_LEVEL_PROVEN && !strcmp(level, "proven"));
}

static struct gh_error *add(struct gh_report *report, struct gh_table *table,
			    const struct gh_finding *f, uint64_t whole)
{
	struct gh_cell *cells = gh_table_row(table);

	if (!cells)
		return gh_error_nomem();
	cells[LEVEL] = gh_cell_text(gh_level_name(f->level));
	cells[RULE] = gh_cell_text(f->rule->id);
	cells[TITLE] = gh_cell_copy(report, f->title, strlen(f->title));
	if (f->bytes_kind) {
		cells[BYTES] = gh_cell_u64(f->bytes);
		cells[BYTES_KIND] = gh_cell_text(f->bytes_kind);
		if (whole)
			cells[SHARE] = gh_cell_real((double)f->bytes / (double)whole);
	}
	if (f->evidence)
		cells[EVIDENCE] = gh_cell_copy(report, f->evidence, strlen(f->evidence));
	if (f->site)
		cells[SITE] = gh_cell_copy(report, f->site, strlen(f->site));
	if (f->fix)
		cells[FIX] = gh_cell_copy(report, f->fix, strlen(f->fix));
	if (f->more)
		cells[MORE] = gh_cell_copy(report, f->more, strlen(f->more));
	cells[FINGERPRINT] = gh_cell_text(
		gh_arena_printf(&report->arena, "%016llx", (unsigned long long)f->fingerprint));
	return NULL;
}

static struct gh_error *check_words(const struct gh_args *args)
{
	const char *rule = gh_args_option(args, "--rule"), *level = gh_args_option(args, "--level");
	_cleanup_strbuf_ struct gh_strbuf known = {0};
	const struct gh_rule *const *rules;
	bool found = !rule;
	size_t n;

	if (level && strcmp(level, "possible") != 0 && strcmp(level, "likely") != 0 &&
	    strcmp(level, "proven") != 0)
		return gh_error_create(GH_ERR_USAGE,
				       "suspects: --level is possible, likely or proven, not '%s'",
				       level);
	rules = gh_rules(&n);
	for (size_t i = 0; i < n; i++) {
		found |= rule && !strcmp(rule, rules[i]->id);
		gh_strbuf_printf(&known, "%s%s", i ? ", " : "", rules[i]->id);
	}
	return found ? NULL
		     : gh_error_create(GH_ERR_USAGE, "suspects: there is no rule '%s': %s", rule,
				       gh_strbuf_str(&known));
}

/* Nothing at all, or nothing that was asked for. */
static const char *say_none(struct gh_report *report, size_t others)
{
	if (others)
		return gh_arena_printf(&report->arena,
				       "no suspect is of that kind: `goheap suspects` shows %zu "
				       "other%s",
				       others, gh_plural(others));
	return "nothing suspicious: `goheap top` and `goheap retained` show what fills the heap, and "
	       "who holds it";
}

static struct gh_error *fill(struct gh_session *session, const struct gh_args *args,
			     const struct gh_findings *findings, struct gh_report *report)
{
	struct gh_table *table = gh_report_table(report, "suspects", columns, NCOLUMNS);
	uint64_t whole = session->owners ? session->owners->live_bytes : 0;
	struct gh_error *err = NULL;

	if (!table)
		return gh_error_nomem();
	table->is_prose = true;
	for (size_t i = 0; i < findings->all.len && !err; i++)
		if (is_wanted(args, &findings->all.data[i]))
			err = add(report, table, &findings->all.data[i], whole);
	if (table->nrows)
		report->headline =
			gh_arena_printf(&report->arena, "%zu suspect%s, most bytes first",
					table->nrows, gh_plural(table->nrows));
	else
		report->headline = say_none(report, findings->all.len);
	return err;
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	struct gh_findings findings = {0};
	struct gh_error *err = check_words(args);

	if (err)
		return err;
	err = gh_findings_create(session, &findings);
	if (err && err->code == GH_ERR_CANCELLED && findings.all.len) {
		gh_report_note(report, "interrupted: rules that had not run yet are missing");
		gh_error_destroy(err);
		err = NULL;
	}
	if (!err)
		err = fill(session, args, &findings, report);
	if (!err && session->mark)
		gh_heap_notes(session, report);
	gh_findings_deinit(&findings);
	return err;
}

static const struct gh_option options[] = {
	{"--level", NULL, "LEVEL", "only what is at least possible (as given), likely or proven"},
	{"--rule", NULL, "RULE", "only what this rule found"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"suspects", columns, NCOLUMNS},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core suspects", "start here"},
	{"core suspects --level likely", "without what is merely large"},
	{"core suspects --json", "with fingerprints, to compare two cores"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_suspects = {
	.name = "suspects",
	.summary = "What is likely wrong: leaks, what keeps most; evidence and a fix.",
	.usage = "suspects [--level LEVEL] [--rule RULE]",
	.help = "proven: it cannot be anything else. likely: pattern, size and age speak for it. "
		"possible: worth a look. bytes are what would be free if the suspect went; "
		"bytes_kind says whether that is exact, at_least or at_most. One core is one "
		"instant, so growth is never a verdict here.\n"
		"\n"
		"fingerprint is the same for the same suspect in another core of the program.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.people_rows = FIRST_PAGE,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_PACKAGE,
	.needs_target = true,
	.reads = GH_READS_CHANNELS,
	.run = run,
};
