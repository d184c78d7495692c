// SPDX-License-Identifier: Apache-2.0
// `threads`: what every thread does, and where many of them are blocked in one kind of call.
#include <stdlib.h>

#include "analysis/threads.h"
#include "base/cleanup.h"
#include "command/code_cells.h"
#include "report/format.h"

enum group_column {
	G_STATE,
	G_CALL,
	G_COUNT,
	G_GOROUTINES,
	G_WAIT_NS_MAX,
	G_KIND,
	G_CGO,
	G_WAIT_SITE,
	G_PATH,
	G_FUNCTION,
	G_FDS,
	G_WAIT_NS_KIND,
	G_LOCKED,
	G_TIDS,
	NGROUP,
};

static const struct gh_column group_columns[NGROUP] = {
	[G_STATE] = {"state", GH_UNIT_TEXT, false},
	[G_CALL] = {"call", GH_UNIT_TEXT, false},
	[G_COUNT] = {"count", GH_UNIT_COUNT, false},
	[G_GOROUTINES] = {"goroutines", GH_UNIT_COUNT, false},
	[G_WAIT_NS_MAX] = {"wait_ns_max", GH_UNIT_NS, false},
	[G_KIND] = {"kind", GH_UNIT_TEXT, false},
	[G_CGO] = {"cgo", GH_UNIT_TEXT, false},
	[G_WAIT_SITE] = {"wait_site", GH_UNIT_TEXT, false},
	[G_PATH] = {"path", GH_UNIT_TEXT, false},
	[G_FUNCTION] = {"function", GH_UNIT_TEXT, true},
	[G_FDS] = {"fds", GH_UNIT_LIST, true},
	[G_WAIT_NS_KIND] = {"wait_ns_kind", GH_UNIT_TEXT, true},
	[G_LOCKED] = {"locked", GH_UNIT_COUNT, true},
	[G_TIDS] = {"tids", GH_UNIT_LIST, true},
};

enum column {
	TID,
	STATE,
	CALL,
	GOID,
	LOCKED,
	WAIT_NS,
	KIND,
	CGO,
	WAIT_SITE,
	FD,
	PATH,
	FUNCTION,
	WAIT_NS_KIND,
	M,
	NCOLUMNS,
};

static const struct gh_column columns[NCOLUMNS] = {
	[TID] = {"tid", GH_UNIT_COUNT, false},
	[STATE] = {"state", GH_UNIT_TEXT, false},
	[CALL] = {"call", GH_UNIT_TEXT, false},
	[GOID] = {"goid", GH_UNIT_COUNT, false, .handle = 'g'},
	[LOCKED] = {"locked", GH_UNIT_BOOL, false},
	[WAIT_NS] = {"wait_ns", GH_UNIT_NS, false},
	[KIND] = {"kind", GH_UNIT_TEXT, false},
	[CGO] = {"cgo", GH_UNIT_TEXT, false},
	[WAIT_SITE] = {"wait_site", GH_UNIT_TEXT, false},
	[FD] = {"fd", GH_UNIT_COUNT, false},
	[PATH] = {"path", GH_UNIT_TEXT, false},
	[FUNCTION] = {"function", GH_UNIT_TEXT, true},
	[WAIT_NS_KIND] = {"wait_ns_kind", GH_UNIT_TEXT, true},
	[M] = {"m", GH_UNIT_COUNT, true},
};

enum verdict_column {
	V_LEVEL,
	V_KIND,
	V_COUNT,
	V_CALL,
	V_CGO,
	V_WAIT_NS_MAX,
	V_SENTENCE,
	V_WAIT_NS_KIND,
	NVERDICT,
};

static const struct gh_column verdict_columns[NVERDICT] = {
	[V_LEVEL] = {"level", GH_UNIT_TEXT, false, .prose = GH_PROSE_HEAD},
	[V_KIND] = {"kind", GH_UNIT_TEXT, false},
	[V_COUNT] = {"count", GH_UNIT_COUNT, false},
	[V_CALL] = {"call", GH_UNIT_TEXT, true},
	[V_CGO] = {"cgo", GH_UNIT_TEXT, true},
	[V_WAIT_NS_MAX] = {"wait_ns_max", GH_UNIT_NS, true},
	[V_SENTENCE] = {"sentence", GH_UNIT_TEXT, false, .prose = GH_PROSE_SENTENCE},
	[V_WAIT_NS_KIND] = {"wait_ns_kind", GH_UNIT_TEXT, true},
};

enum { MAX_FDS = 16 }; // different ones of a group that are listed

/* Threads that are one row, by their place in the list. */
struct group {
	const struct gh_thread_info *first;
	size_t from, to; // of the sorted list
};

static int compare_text(const char *a, const char *b)
{
	if (!a || !b)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

/* By what a row of threads shares. */
static int compare_info(const struct gh_thread_info *x, const struct gh_thread_info *y)
{
	int order = (x->t.state > y->t.state) - (x->t.state < y->t.state);

	if (!order)
		order = compare_text(x->t.call, y->t.call);
	if (!order)
		order = compare_text(x->blocked, y->blocked);
	if (!order)
		order = compare_text(x->cgo, y->cgo);
	if (!order)
		order = compare_text(x->site_file, y->site_file);
	if (!order)
		order = (x->site_line > y->site_line) -
			(x->site_line < y->site_line);
	// what a thread of the runtime is for
	if (!order && !x->site_file)
		order = compare_text(x->function, y->function);
	return order;
}

static int compare_member(const void *a, const void *b)
{
	const struct gh_thread_info *x = *(const struct gh_thread_info *const *)a;
	const struct gh_thread_info *y = *(const struct gh_thread_info *const *)b;
	int order = compare_info(x, y);

	return order ? order : (x->t.tid > y->t.tid) - (x->t.tid < y->t.tid);
}

static int compare_group(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	size_t nx = x->to - x->from, ny = y->to - y->from;

	if (nx != ny)
		return nx > ny ? -1 : 1;
	return x->from < y->from ? -1 : x->from > y->from;
}

struct listing {
	struct gh_report *report;
	const struct gh_threads *threads;
	const struct gh_thread_info **sorted; // owned
	size_t n;
	struct group *groups; // owned
	size_t ngroups;
};

static void listing_deinit(struct listing *l)
{
	free(l->sorted);
	free(l->groups);
}

static struct gh_error *group_threads(struct listing *l, const char *state)
{
	const struct gh_thread_info_vec *infos = &l->threads->infos;

	l->sorted = gh_alloc_array(infos->len, sizeof(*l->sorted));
	l->groups = gh_alloc_array(infos->len, sizeof(*l->groups));
	if (!l->sorted || !l->groups)
		return gh_error_nomem();
	for (size_t i = 0; i < infos->len; i++)
		if (!state || strcmp(state, gh_thread_state_name(infos->data[i].t.state)) == 0)
			l->sorted[l->n++] = &infos->data[i];
	qsort(l->sorted, l->n, sizeof(*l->sorted), compare_member);
	for (size_t i = 0; i < l->n; i++) {
		struct group *group = l->ngroups ? &l->groups[l->ngroups - 1] : NULL;

		if (!group || compare_info(group->first, l->sorted[i]) != 0) {
			group = &l->groups[l->ngroups++];
			*group = (struct group){.first = l->sorted[i], .from = i};
		}
		group->to = i + 1;
	}
	qsort(l->groups, l->ngroups, sizeof(*l->groups), compare_group);
	return NULL;
}

static const char *number_text(struct gh_report *report, uint64_t number)
{
	return gh_arena_printf(&report->arena, "%llu", (unsigned long long)number);
}

/* The different descriptors of a group, and the name that they share. */
static struct gh_error *fill_descriptors(const struct listing *l, const struct group *group,
					 struct gh_cell *row)
{
	const char *items[MAX_FDS], *path = group->first->path;
	const char **list;
	uint64_t met[MAX_FDS];
	size_t n = 0;

	for (size_t i = group->from; i < group->to && n < MAX_FDS; i++) {
		const struct gh_thread_info *info = l->sorted[i];
		bool is_new = info->has_fd;

		if (compare_text(info->path, path) != 0)
			path = NULL;
		for (size_t k = 0; k < n; k++)
			is_new &= met[k] != info->fd;
		if (!is_new)
			continue;
		met[n] = info->fd;
		items[n] = number_text(l->report, info->fd);
		if (!items[n++])
			return gh_error_nomem();
	}
	row[G_PATH] = path ? gh_cell_copy(l->report, path, strlen(path)) : (struct gh_cell){0};
	if (!n)
		return NULL;
	list = gh_arena_alloc(&l->report->arena, n * sizeof(*list));
	if (!list)
		return gh_error_nomem();
	memcpy(list, items, n * sizeof(*list));
	row[G_FDS] = gh_cell_list(list, n);
	return NULL;
}

static struct gh_error *fill_members(const struct listing *l, const struct group *group,
				     struct gh_cell *row)
{
	size_t n = group->to - group->from;
	const char **tids = gh_arena_alloc(&l->report->arena, n * sizeof(*tids));
	uint64_t goroutines = 0, locked = 0;
	int64_t wait_ns = -1;

	if (!tids)
		return gh_error_nomem();
	for (size_t i = 0; i < n; i++) {
		const struct gh_thread_info *info = l->sorted[group->from + i];

		goroutines += info->t.goroutine && info->t.state != GH_THREAD_LOCKED;
		locked += info->t.is_locked;
		if (info->has_wait && info->wait_ns > wait_ns)
			wait_ns = info->wait_ns;
		tids[i] = number_text(l->report, info->t.tid);
		if (!tids[i])
			return gh_error_nomem();
	}
	row[G_COUNT] = gh_cell_u64(n);
	row[G_GOROUTINES] = gh_cell_u64(goroutines);
	row[G_LOCKED] = gh_cell_u64(locked);
	row[G_TIDS] = gh_cell_list(tids, n);
	if (wait_ns >= 0) {
		row[G_WAIT_NS_MAX] = gh_cell_i64(wait_ns);
		row[G_WAIT_NS_KIND] = gh_cell_text("at_least");
	}
	return NULL;
}

static struct gh_error *list_groups(const struct listing *l)
{
	struct gh_table *table = gh_report_table(l->report, "groups", group_columns, NGROUP);
	struct gh_error *err = table ? NULL : gh_error_nomem();

	for (size_t i = 0; !err && i < l->ngroups; i++) {
		const struct group *group = &l->groups[i];
		const struct gh_thread_info *info = group->first;
		struct gh_cell *row = gh_table_row(table);

		if (!row)
			return gh_error_nomem();
		row[G_STATE] = gh_cell_text(gh_thread_state_name(info->t.state));
		row[G_CALL] = gh_cell_text(info->t.call);
		row[G_KIND] = gh_cell_text(info->blocked);
		row[G_CGO] = gh_cell_text(info->cgo);
		row[G_WAIT_SITE] = gh_site_cell(l->report, info->site_file,
						info->site_line);
		row[G_FUNCTION] = gh_function_cell(l->report, info->function);
		err = fill_descriptors(l, group, row);
		if (!err)
			err = fill_members(l, group, row);
	}
	return err;
}

static struct gh_error *list_each(const struct listing *l)
{
	struct gh_table *table = gh_report_table(l->report, "threads", columns, NCOLUMNS);

	for (size_t i = 0; table && i < l->n; i++) {
		const struct gh_thread_info *info = l->sorted[i];
		struct gh_cell *row = gh_table_row(table);

		if (!row)
			return gh_error_nomem();
		row[TID] = gh_cell_u64(info->t.tid);
		row[STATE] = gh_cell_text(gh_thread_state_name(info->t.state));
		row[CALL] = gh_cell_text(info->t.call);
		if (info->t.goroutine)
			row[GOID] = gh_cell_u64(info->t.goroutine->goid);
		row[LOCKED] = gh_cell_bool(info->t.is_locked);
		if (info->has_wait) {
			row[WAIT_NS] = gh_cell_i64(info->wait_ns);
			row[WAIT_NS_KIND] = gh_cell_text("at_least");
		}
		row[KIND] = gh_cell_text(info->blocked);
		row[CGO] = gh_cell_text(info->cgo);
		row[WAIT_SITE] = gh_site_cell(l->report, info->site_file,
					      info->site_line);
		if (info->has_fd)
			row[FD] = gh_cell_u64(info->fd);
		if (info->path)
			row[PATH] = gh_cell_copy(l->report, info->path, strlen(info->path));
		row[FUNCTION] = gh_function_cell(l->report, info->function);
		if (info->t.m)
			row[M] = gh_cell_u64(info->t.m_id);
	}
	return table ? NULL : gh_error_nomem();
}

/* "60 of 71 threads are blocked in one kind of call: pipe read (read, in C from slow_read) …" */
static const char *sentence(const struct listing *l, const struct gh_thread_verdict *v)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	gh_strbuf_printf(&sb, "%llu of %zu threads are blocked in one kind of call: ",
			 (unsigned long long)v->count, l->threads->infos.len);
	gh_thread_verdict_describe(v, &sb);
	if (v->has_wait) {
		gh_strbuf_puts(&sb, ", the longest for at least ");
		gh_format_ns(&sb, v->wait_ns_max);
	}
	gh_strbuf_puts(&sb, "; each goroutine in such a call keeps a thread");
	if (v->raw)
		gh_strbuf_printf(&sb,
				 ", and %llu of them a processor of GOMAXPROCS %llu: the scheduler "
				 "was not told",
				 (unsigned long long)v->raw,
				 (unsigned long long)l->threads->gomaxprocs);
	return gh_arena_strndup(&l->report->arena, gh_strbuf_str(&sb), sb.len);
}

static struct gh_error *list_verdicts(const struct listing *l)
{
	struct gh_table *table = gh_report_table(l->report, "verdicts", verdict_columns, NVERDICT);

	if (table)
		table->is_prose = true;
	for (size_t i = 0; table && i < l->threads->verdicts.len; i++) {
		const struct gh_thread_verdict *v = &l->threads->verdicts.data[i];
		struct gh_cell *row = gh_table_row(table);

		if (!row)
			return gh_error_nomem();
		row[V_LEVEL] = gh_cell_text(v->is_likely ? "likely" : "possible");
		row[V_KIND] = gh_cell_text(v->kind);
		row[V_COUNT] = gh_cell_u64(v->count);
		row[V_CALL] = gh_cell_text(v->call);
		row[V_CGO] = v->cgo ? gh_cell_copy(l->report, v->cgo, strlen(v->cgo))
				    : (struct gh_cell){0};
		if (v->has_wait) {
			row[V_WAIT_NS_MAX] = gh_cell_i64(v->wait_ns_max);
			row[V_WAIT_NS_KIND] = gh_cell_text("at_least");
		}
		row[V_SENTENCE] = gh_cell_text(sentence(l, v));
	}
	return table ? NULL : gh_error_nomem();
}

static void conclude(const struct gh_session *session, const struct listing *l)
{
	uint64_t counts[GH_THREAD_STATES] = {0}, lost = 0;
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	for (size_t i = 0; i < l->threads->infos.len; i++) {
		counts[l->threads->infos.data[i].t.state]++;
		lost += !l->threads->infos.data[i].t.thread;
	}
	gh_strbuf_printf(&sb, "%zu threads", l->threads->infos.len);
	if (l->threads->gomaxprocs)
		gh_strbuf_printf(&sb, " for GOMAXPROCS %llu",
				 (unsigned long long)l->threads->gomaxprocs);
	for (size_t i = 0, n = 0; i < GH_THREAD_STATES; i++)
		if (counts[i])
			gh_strbuf_printf(&sb, "%s%llu %s", n++ ? ", " : ": ",
					 (unsigned long long)counts[i],
					 gh_thread_state_name((enum gh_thread_state)i));
	l->report->headline =
		gh_arena_strndup(&l->report->arena, gh_strbuf_str(&sb), sb.len);
	gh_report_skip(l->report, "lists of Ms", l->threads->damaged,
		       "damaged: threads of further Ms are listed as foreign");
	gh_report_skip(l->report, "threads", lost,
		       "their registers are not in the target: calls are not known");
	if (session->target->snapshot && !session->no_values)
		gh_report_note(l->report, "paths that memory does not tell are from /proc, of a "
					  "moment after the copy was made");
}

static struct gh_error *check_state(const char *word)
{
	const char *names[GH_THREAD_STATES + 1] = {0};
	const char *nearest;

	for (size_t i = 0; i < GH_THREAD_STATES; i++) {
		names[i] = gh_thread_state_name((enum gh_thread_state)i);
		if (strcmp(names[i], word) == 0)
			return NULL;
	}
	nearest = gh_nearest(word, names);
	return gh_error_create(GH_ERR_USAGE,
			       "threads: there is no state '%s': %s%s: running, syscall, cgo, "
			       "runtime, idle, locked, dying, foreign",
			       word, nearest ? "did you mean " : "the states are",
			       nearest ? nearest : "");
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	_cleanup_(gh_threads_deinit) struct gh_threads threads = {0};
	_cleanup_(listing_deinit) struct listing l = {.report = report, .threads = &threads};
	const char *state = gh_args_option(args, "--state");
	struct gh_error *err = state ? check_state(state) : NULL;

	if (!err)
		err = gh_threads_load(session, &threads);
	if (!err)
		err = group_threads(&l, state);
	if (err)
		return err;
	conclude(session, &l);
	if (gh_args_option(args, "--all"))
		err = list_each(&l);
	else
		err = list_groups(&l);
	// people need no empty table
	if (!err && (threads.verdicts.len || args->render.format != GH_FORMAT_TEXT))
		err = list_verdicts(&l);
	return err;
}

static const struct gh_option options[] = {
	{"--all", NULL, NULL, "one thread a row"},
	{"--state", NULL, "STATE", "only threads of that state"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"groups", group_columns, NGROUP},
	{"threads", columns, NCOLUMNS},
	{"verdicts", verdict_columns, NVERDICT},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core threads", "what threads do, and where many of them are blocked"},
	{"core threads --all --state syscall", "each that is in a system call, with its file"},
	{"core goroutines --state syscall", "the goroutines on them"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_threads = {
	.name = "threads",
	.summary = "Threads: what each does, and what many of them are blocked in.",
	.usage = "threads [--all] [--state STATE]",
	.help = "state: running (Go code), syscall, cgo (C that Go called), runtime (its own work), "
		"idle (parked), locked (parked until the goroutine that is locked to it can run), "
		"dying, foreign (of C alone). call is the system call by its number in the "
		"registers, fd its descriptor, path what memory, or /proc with --pid, knows of "
		"that: the name of the os.File, the addresses of the connection. cgo is the C "
		"function that Go called, "
		"kind what sort of thing the call waits for. wait_ns is the goroutine's, a lower "
		"bound.\n\n"
		"verdicts says where more threads are blocked in one kind of call than there are "
		"processors, and at least 16, or where 16 keep a processor each: likely where half "
		"of them have been for a second, or keep half of the processors, else possible.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.needs_target = true,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_PACKAGE | GH_IGNORES_MIN,
	.reads = GH_READS_VALUES,
	.run = run,
};
