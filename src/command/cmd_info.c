// SPDX-License-Identifier: Apache-2.0
// `info`: which program, which build, how it was set up, what it died of.
#include <signal.h>

#include "base/cleanup.h"
#include "command/command.h"
#include "goruntime/process.h"

static const struct gh_column columns[] = {
	{"name", GH_UNIT_TEXT, false},
	{"value", GH_UNIT_TEXT, false},
};

static struct gh_cell buffer_cell(struct gh_report *report, const struct gh_strbuf *sb, bool known)
{
	return known ? gh_cell_copy(report, gh_strbuf_str(sb), sb->len) : (struct gh_cell){0};
}

/* The rest of the line at p, after its first word. */
static struct gh_cell line_cell(struct gh_report *report, const char *line, size_t skip)
{
	size_t len = strcspn(line, "\n");
	struct gh_strbuf sb = {0};
	struct gh_cell cell;

	for (size_t i = skip; i < len; i++)
		gh_strbuf_putc(&sb, line[i] == '\t' ? ' ' : line[i]);
	cell = buffer_cell(report, &sb, gh_strbuf_ok(&sb));
	gh_strbuf_deinit(&sb);
	return cell;
}

/* Lines of the module text (debug/buildinfo): "path\tP", "mod\tP\tV\tSUM", "dep\t…", "=>\t…",
 * "build\tKEY=VALUE". */
static bool add_modules(struct gh_table *table, struct gh_report *report, const char *modinfo)
{
	for (const char *line = modinfo; line && *line;) {
		size_t len = strcspn(line, "\n");
		bool fine = true;

		if (strncmp(line, "path\t", 5) == 0)
			fine = gh_table_named(table, "main package", line_cell(report, line, 5));
		else if (strncmp(line, "mod\t", 4) == 0)
			fine = gh_table_named(table, "module", line_cell(report, line, 4));
		if (!fine)
			return false;
		line += len + (line[len] == '\n');
	}
	return true;
}

/* "=>" says what replaced the module of the line before. */
static bool add_dependencies(struct gh_table *table, struct gh_report *report, const char *modinfo)
{
	for (const char *line = modinfo; line && *line;) {
		size_t len = strcspn(line, "\n");
		bool fine = true;

		if (strncmp(line, "dep\t", 4) == 0)
			fine = gh_table_named(table, "dependency", line_cell(report, line, 4));
		else if (strncmp(line, "=>\t", 3) == 0)
			fine = gh_table_named(table, "replaced by", line_cell(report, line, 3));
		if (!fine)
			return false;
		line += len + (line[len] == '\n');
	}
	return true;
}

/* Value of a build setting, a null cell when the build does not say. */
static struct gh_cell setting_cell(struct gh_report *report, const char *modinfo, const char *key)
{
	size_t key_len = strlen(key);

	for (const char *line = modinfo; line && *line;) {
		size_t len = strcspn(line, "\n");

		if (strncmp(line, "build\t", 6) == 0 && strncmp(line + 6, key, key_len) == 0 &&
		    line[6 + key_len] == '=')
			return line_cell(report, line, 7 + key_len);
		line += len + (line[len] == '\n');
	}
	return (struct gh_cell){0};
}

static struct gh_cell signal_cell(struct gh_report *report, uint32_t signo)
{
	const char *name = signo && signo < NSIG ? sigabbrev_np((int)signo) : NULL;
	char text[32];
	int len;

	if (!signo)
		return (struct gh_cell){0};
	len = name ? snprintf(text, sizeof(text), "SIG%s", name)
		   : snprintf(text, sizeof(text), "signal %u", signo);
	return gh_cell_copy(report, text, (size_t)len);
}

static struct gh_cell args_cell(const struct gh_session *session, struct gh_report *report)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	if (session->no_values)
		return (struct gh_cell){0};
	if (gh_process_args(session->rt, &sb))
		return buffer_cell(report, &sb, gh_strbuf_ok(&sb));
	return gh_cell_text(session->target->command);
}

static struct gh_cell panic_cell(const struct gh_session *session, struct gh_report *report,
				 gh_addr g)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	bool panics = g && gh_process_panic(session->rt, g, !session->no_values, &sb);

	return buffer_cell(report, &sb, panics && gh_strbuf_ok(&sb));
}

static struct gh_cell goid_cell(const struct gh_runtime *rt, gh_addr g)
{
	uint64_t goid;

	if (!g || !gh_field(rt, g, GH_F_g_goid, &goid))
		return (struct gh_cell){0};
	return gh_cell_in(gh_cell_u64(goid), GH_UNIT_COUNT);
}

/* Errors: NOMEM. A goroutine that cannot be read has thrown nothing that we know of. */
static struct gh_error *find_throw(struct gh_session *session, gh_addr g, struct gh_strbuf *ret,
				   bool *found_ret)
{
	_cleanup_error_ struct gh_error *err = gh_session_goroutines(session);
	const struct gh_goroutine_vec *gs = &session->goroutines;

	*found_ret = false;
	if (err)
		return err->code == GH_ERR_MISSING ? NULL : gh_steal(err);
	for (size_t i = 0; i < gs->len; i++)
		if (gs->data[i].addr == g)
			return gh_process_throw(session->rt, &gs->data[i], ret, found_ret);
	return NULL;
}

static bool add_build(const struct gh_session *session, struct gh_report *report,
		      struct gh_table *table)
{
	const struct gh_runtime *rt = session->rt;
	const struct gh_target *target = session->target;

	return gh_table_named(table, "go version", gh_cell_text(rt->version)) &&
	       add_modules(table, report, rt->modinfo) &&
	       gh_table_named(table, "VCS revision",
			      setting_cell(report, rt->modinfo, "vcs.revision")) &&
	       gh_table_named(table, "VCS time", setting_cell(report, rt->modinfo, "vcs.time")) &&
	       gh_table_named(table, "VCS modified",
			      setting_cell(report, rt->modinfo, "vcs.modified")) &&
	       gh_table_named(table, "executable", gh_cell_text(target->exe_path)) &&
	       gh_table_named(table, "build id", gh_cell_text(target->build_id));
}

static bool add_death(const struct gh_session *session, struct gh_report *report,
		      struct gh_table *table, gh_addr g, struct gh_cell throw_text)
{
	const struct gh_runtime *rt = session->rt;

	return gh_table_named(table, "command line", args_cell(session, report)) &&
	       gh_table_named(table, "signal", signal_cell(report, session->target->signal)) &&
	       gh_table_named(table, "crashing goroutine", goid_cell(rt, g)) &&
	       gh_table_named(table, "panic value", panic_cell(session, report, g)) &&
	       gh_table_named(table, "throw text", throw_text);
}

static bool add_settings(const struct gh_session *session, struct gh_table *table)
{
	const struct gh_cell unknown = {0};
	struct gh_process p;

	gh_process_read(session->rt, &p);
	return gh_table_named(table, "GOMAXPROCS",
			      p.has_gomaxprocs ? gh_cell_u64(p.gomaxprocs) : unknown) &&
	       gh_table_named(table, "GOGC",
			      !p.has_gogc  ? unknown
			      : p.gogc < 0 ? gh_cell_text("off")
					   : gh_cell_i64(p.gogc)) &&
	       gh_table_named(table, "GOMEMLIMIT",
			      !p.has_memory_limit ? unknown
			      : p.memory_limit == INT64_MAX
				      ? gh_cell_text("off")
				      : gh_cell_in(gh_cell_i64(p.memory_limit), GH_UNIT_BYTES)) &&
	       gh_table_named(table, "uptime",
			      p.has_uptime ? gh_cell_in(gh_cell_i64(p.uptime_ns), GH_UNIT_NS)
					   : unknown) &&
	       gh_table_named(table, "GC phase",
			      p.has_gc_phase ? gh_cell_text(p.gc_phase) : unknown);
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	_cleanup_strbuf_ struct gh_strbuf text = {0};
	struct gh_error *err = gh_session_runtime(session);
	struct gh_table *table;
	bool has_thrown = false;
	gh_addr g;

	if (err)
		return err;
	g = gh_process_crashing_g(session->rt);
	err = g ? find_throw(session, g, &text, &has_thrown) : NULL;
	if (err)
		return err;
	has_thrown = has_thrown || gh_process_system_throw(session->rt, &text);
	table = gh_report_table(report, "info", columns, GH_ARRAY_SIZE(columns));
	if (!table || !add_build(session, report, table) ||
	    !add_death(session, report, table, g, buffer_cell(report, &text, has_thrown)) ||
	    !add_settings(session, table) || !add_dependencies(table, report, session->rt->modinfo))
		return gh_error_nomem();
	return NULL;
}

static const struct gh_table_shape tables[] = {
	{"info", columns, GH_ARRAY_SIZE(columns)},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core info", "which build died of what, with which settings"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_info = {
	.name = "info",
	.summary = "Which program and build it was, how it was set up, what it died of.",
	.usage = "info",
	.help = "Modules and VCS revision are those that the build put into the executable. uptime "
		"ends at the latest time found in memory, because a core has no clock. What is not "
		"known is shown as - (null in JSON).\n",
	.examples = examples,
	.tables = tables,
	.needs_target = true,
	.reads_running = true,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_PACKAGE | GH_IGNORES_MIN,
	.all_rows = true,
	.reads = GH_READS_VALUES,
	.run = run,
};
