// SPDX-License-Identifier: Apache-2.0
// `leaks`: goroutines that hang: proven, likely, or parked by design.
#include "analysis/leaks.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "command/code_cells.h"
#include "command/command.h"
#include "command/filter.h"
#include "command/heap_notes.h"
#include "report/format.h"

enum column {
	LEVEL,
	COUNT,
	WAIT_REASON,
	WAIT_SITE,
	CREATED_BY,
	RETAINED,
	PATTERN,
	FIX,
	WAIT_NS_MAX,
	WAIT_FUNCTION,
	CREATED_SITE,
	GOIDS,
	RETAINED_KIND,
	WAIT_NS_KIND,
	NCOLUMNS
};

static const struct gh_column columns[NCOLUMNS] = {
	[LEVEL] = {"level", GH_UNIT_TEXT, false},
	[COUNT] = {"count", GH_UNIT_COUNT, false},
	[WAIT_REASON] = {"wait_reason", GH_UNIT_TEXT, false},
	[WAIT_SITE] = {"wait_site", GH_UNIT_TEXT, false},
	[CREATED_BY] = {"created_by", GH_UNIT_TEXT, false},
	[RETAINED] = {"retained", GH_UNIT_BYTES, false},
	[PATTERN] = {"pattern", GH_UNIT_TEXT, .below = true},
	[FIX] = {"fix", GH_UNIT_TEXT, .below = true},
	[WAIT_NS_MAX] = {"wait_ns_max", GH_UNIT_NS, false},
	[WAIT_FUNCTION] = {"wait_function", GH_UNIT_TEXT, true},
	[CREATED_SITE] = {"created_site", GH_UNIT_TEXT, true},
	[GOIDS] = {"goids", GH_UNIT_LIST, true},
	[RETAINED_KIND] = {"retained_kind", GH_UNIT_TEXT, true},
	[WAIT_NS_KIND] = {"wait_ns_kind", GH_UNIT_TEXT, true},
};

struct request {
	struct gh_session *session;
	struct gh_report *report;
	struct gh_leaks_query query;
	struct gh_filter filter;
	struct gh_leaks leaks;
	bool all;	   // parked ones too
	const char *level; // only these; NULL: as `all` says
};

struct members {
	const struct request *r;
	const struct gh_leak *leak;
};

static uint64_t nth_goid(const void *ctx, size_t i)
{
	const struct members *m = ctx;

	return m->r->session->goroutines.data[m->r->leaks.members[m->leak->first + i]].goid;
}

static bool is_wanted(const struct request *r, const struct gh_leak *leak)
{
	const struct gh_traceback *t = &r->leaks.groups.data[leak->group].traceback;
	const char *names[] = {t->top, t->wait_function, t->created_by};
	bool by_package = !r->filter.has_package;

	for (size_t i = 0; i < GH_ARRAY_SIZE(names) && !by_package; i++) {
		size_t len;
		const char *package = names[i] ? gh_name_package(names[i], &len) : NULL;

		by_package = package && gh_filter_package(&r->filter, package, len);
	}
	if (!by_package || leak->retained < r->filter.min_bytes)
		return false;
	if (r->level)
		return !strcmp(r->level, gh_leak_tier_name(leak->tier));
	return r->all || leak->tier != GH_LEAK_PARKED;
}

static struct gh_error *add_leak(struct request *r, struct gh_table *table,
				 const struct gh_leak *leak)
{
	const struct gh_stack_group *group = &r->leaks.groups.data[leak->group];
	const struct gh_traceback *t = &group->traceback;
	struct gh_cell *row = gh_table_row(table);

	if (!row)
		return gh_error_nomem();
	row[LEVEL] = gh_cell_text(gh_leak_tier_name(leak->tier));
	row[COUNT] = gh_cell_u64(leak->count);
	row[WAIT_REASON] = gh_cell_text(group->wait_reason);
	row[WAIT_SITE] = gh_site_cell(r->report, t->wait_file, t->wait_line);
	row[WAIT_FUNCTION] = gh_function_cell(r->report, t->wait_function);
	row[CREATED_BY] = gh_function_cell(r->report, t->created_by);
	row[CREATED_SITE] = gh_site_cell(r->report, t->created_file, t->created_line);
	row[RETAINED] = gh_cell_u64(leak->retained);
	row[RETAINED_KIND] = gh_cell_text(leak->count == 1 ? "exact" : "at_least");
	row[PATTERN] = gh_cell_text(leak->pattern);
	row[FIX] = gh_cell_text(leak->fix);
	if (leak->wait_ns_max >= 0) {
		row[WAIT_NS_MAX] = gh_cell_i64(leak->wait_ns_max);
		row[WAIT_NS_KIND] = gh_cell_text("at_least");
	}
	return gh_goids_cell(r->report, leak->count, nth_goid, &(struct members){r, leak},
			     &row[GOIDS]);
}

static uint64_t count_tier(const struct gh_leaks *leaks, enum gh_leak_tier tier)
{
	uint64_t n = 0;

	for (size_t i = 0; i < leaks->all.len; i++)
		if (leaks->all.data[i].tier == tier)
			n += leaks->all.data[i].count;
	return n;
}

/* Where nothing is proven: what was looked at, and what was looked for. */
static void say_none(const struct request *r, struct gh_strbuf *sb)
{
	uint64_t likely = count_tier(&r->leaks, GH_LEAK_LIKELY);
	uint64_t blocked = likely + count_tier(&r->leaks, GH_LEAK_PARKED);

	if (likely) {
		gh_strbuf_printf(sb,
				 "of %llu goroutine%s that wait%s none is proven to wait for ever, "
				 "and %llu likely %s",
				 (unsigned long long)blocked, gh_plural(blocked),
				 blocked == 1 ? "s" : "", (unsigned long long)likely,
				 likely == 1 ? "does" : "do");
		return;
	}
	gh_strbuf_printf(sb,
			 "no goroutine is found to hang: of %llu that wait%s, none is proven to wait "
			 "for ever, and none likely does (%llu and more at one place, half of them "
			 "for ",
			 (unsigned long long)blocked, blocked == 1 ? "s" : "",
			 (unsigned long long)r->query.count);
	gh_format_ns(sb, r->query.wait_ns);
	gh_strbuf_puts(sb, ")");
}

static void say_proven(const struct gh_leak_proof *proof, struct gh_strbuf *sb)
{
	gh_strbuf_printf(sb, "%llu goroutine%s can never run again; %s ",
			 (unsigned long long)proof->nproven, gh_plural(proof->nproven),
			 proof->nproven == 1 ? "it keeps" : "together they keep");
	gh_format_bytes(sb, proof->proven_bytes);
}

static void conclude(struct request *r, uint64_t hidden)
{
	const struct gh_leak_proof *proof = &r->leaks.proof;
	struct gh_report *report = r->report;
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	if (proof->nproven)
		say_proven(proof, &sb);
	else
		say_none(r, &sb);
	report->headline = gh_arena_strndup(&report->arena, gh_strbuf_str(&sb), sb.len);
	if (proof->is_incomplete)
		gh_report_note(report, "memory or stacks are missing, where somebody may still "
				       "hold what others wait for: nothing is proven");
	if (hidden)
		gh_report_note(report,
			       "%llu goroutines that are parked by design are not shown: --all "
			       "shows them, with the reason",
			       (unsigned long long)hidden);
	gh_report_skip(report, "waits", proof->counts.damaged, "entries of queues that cannot be");
	gh_report_skip(report, "goroutines", r->session->unreadable_goroutines,
		       "they cannot be read from the target");
}

static struct gh_error *list(struct request *r)
{
	struct gh_table *table = gh_report_table(r->report, "leaks", columns, NCOLUMNS);
	struct gh_cell *total = table ? gh_table_total(table) : NULL;
	uint64_t hidden = 0, count = 0, retained = 0;
	struct gh_error *err = NULL;

	if (!total)
		return gh_error_nomem();
	for (size_t i = 0; i < r->leaks.all.len && !err; i++) {
		const struct gh_leak *leak = &r->leaks.all.data[i];

		if (!is_wanted(r, leak)) {
			hidden += leak->tier == GH_LEAK_PARKED ? leak->count : 0;
			continue;
		}
		count += leak->count;
		retained += leak->retained;
		err = add_leak(r, table, leak);
	}
	total[COUNT] = gh_cell_u64(count);
	total[RETAINED] = gh_cell_u64(retained);
	conclude(r, hidden);
	return err;
}

static struct gh_error *usage(const char *option, const char *what, const char *word)
{
	return gh_error_create(GH_ERR_USAGE, "leaks: %s takes %s, not '%s'", option, what, word);
}

static struct gh_error *parse(const struct gh_args *args, struct request *r)
{
	const char *count = gh_args_option(args, "--min-count");
	const char *wait = gh_args_option(args, "--min-wait");
	char *end;

	r->query = gh_leaks_query;
	r->all = gh_args_option(args, "--all");
	r->level = gh_args_option(args, "--level");
	if (r->level && strcmp(r->level, "proven") != 0 && strcmp(r->level, "likely") != 0 &&
	    strcmp(r->level, "parked") != 0)
		return usage("--level", "proven, likely or parked", r->level);
	if (wait && !gh_parse_duration(wait, &r->query.wait_ns))
		return usage("--min-wait", "a duration such as 90s", wait);
	if (count) {
		r->query.count = strtoull(count, &end, 10);
		if (*count < '0' || *count > '9' || *end)
			return usage("--min-count", "a number", count);
	}
	return NULL;
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	struct request r = {.session = session, .report = report};
	struct gh_error *err = gh_filter_init(args, &r.filter);

	if (!err)
		err = parse(args, &r);
	if (!err)
		err = gh_leaks_find(session, &r.query, &r.leaks);
	if (!err)
		err = list(&r);
	if (!err)
		gh_heap_notes(session, report);
	gh_leaks_deinit(&r.leaks);
	gh_filter_deinit(&r.filter);
	return err;
}

static const struct gh_option options[] = {
	{"--all", NULL, NULL, "also goroutines that are parked by design, and why"},
	{"--level", NULL, "LEVEL", "only these: proven, likely or parked"},
	{"--min-count", NULL, "N", "likely: from so many at one place on (10)"},
	{"--min-wait", NULL, "DUR", "likely: where half of them wait at least so long (60s)"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"leaks", columns, NCOLUMNS},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core leaks", "goroutines that can never run again, and those that likely will not"},
	{"core leaks --all", "also those that are parked by design, with the reason"},
	{"core leaks --level proven --json | jq '.tables.leaks.rows[].goids'",
	 "numbers of the goroutines that are proven leaked"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_leaks = {
	.name = "leaks",
	.summary = "Goroutines that hang: proven, likely, or parked by design.",
	.usage = "leaks [--all] [--level LEVEL] [--min-count N] [--min-wait DUR]",
	.help = "proven: blocked for ever. Nobody who could run, no package variable, no timer and "
		"no queue of the runtime leads to the channel or lock that it waits for. This is "
		"what the runtime's own goroutineleak profile computes, for every release.\n"
		"\n"
		"likely: many at one place that wait long, each for something of its own, neither "
		"for a timer nor for a file or connection, and of no pool that is known.\n"
		"\n"
		"parked: waits by design, or others can still wake it; pattern says why.\n"
		"\n"
		"pattern is what usually causes such a wait, by what holds the channel and by the code "
		"that waits; unknown where these leave it open. fix is what to change. retained is what "
		"each of them alone keeps alive, summed up; the first line says what all proven "
		"ones keep together, exactly.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.needs_target = true,
	.reads = GH_READS_CHANNELS,
	.ignores = GH_IGNORES_TYPE,
	.run = run,
};
