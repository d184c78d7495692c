// SPDX-License-Identifier: Apache-2.0
// `goroutines`: who there is, in which state, waiting where and for how long. Those whose stacks say
// the same are a row; --all gives each a row of its own.
#include <stdio.h>
#include <stdlib.h>

#include "analysis/goroutine_nodes.h"
#include "analysis/stackgroups.h"
#include "base/cleanup.h"
#include "command/code_cells.h"
#include "command/filter.h"
#include "command/heap_notes.h"

enum group_column {
	G_COUNT,
	G_STATE,
	G_WAIT_REASON,
	G_TOP,
	G_WAIT_SITE,
	G_CREATED_BY,
	G_WAIT_NS_MAX,
	G_WAIT_NS_MEDIAN,
	G_STACK_BYTES,
	G_RETAINED,
	G_GOIDS,
	G_GOID,
	G_CREATED_SITE,
	G_WAIT_NS_KIND,
	G_RUNTIME_WAIT_NS_MAX,
	G_RETAINED_KIND,
	G_LABELS,
	G_SYSTEM,
	NGROUP,
};

static const struct gh_column group_columns[NGROUP] = {
	[G_COUNT] = {"count", GH_UNIT_COUNT, false},
	[G_STATE] = {"state", GH_UNIT_TEXT, false},
	[G_WAIT_REASON] = {"wait_reason", GH_UNIT_TEXT, false},
	[G_TOP] = {"top", GH_UNIT_TEXT, false},
	[G_WAIT_SITE] = {"wait_site", GH_UNIT_TEXT, false},
	[G_CREATED_BY] = {"created_by", GH_UNIT_TEXT, false},
	[G_WAIT_NS_MAX] = {"wait_ns_max", GH_UNIT_NS, false},
	[G_WAIT_NS_MEDIAN] = {"wait_ns_median", GH_UNIT_NS, true},
	[G_STACK_BYTES] = {"stack_bytes", GH_UNIT_BYTES, true},
	[G_RETAINED] = {"retained", GH_UNIT_BYTES, true},
	[G_GOIDS] = {"goids", GH_UNIT_LIST, true},
	[G_GOID] = {"goid", GH_UNIT_COUNT, false, .handle = 'g'},
	[G_CREATED_SITE] = {"created_site", GH_UNIT_TEXT, true},
	[G_WAIT_NS_KIND] = {"wait_ns_kind", GH_UNIT_TEXT, true},
	[G_RUNTIME_WAIT_NS_MAX] = {"runtime_wait_ns_max", GH_UNIT_NS, true},
	[G_RETAINED_KIND] = {"retained_kind", GH_UNIT_TEXT, true},
	[G_LABELS] = {"labels", GH_UNIT_LIST, true},
	[G_SYSTEM] = {"system", GH_UNIT_BOOL, true},
};

enum column {
	GOID,
	STATE,
	WAIT_REASON,
	TOP,
	WAIT_SITE,
	CREATED_BY,
	WAIT_NS,
	WAIT_NS_KIND,
	SYSTEM,
	LABELS,
	CREATED_SITE,
	RUNTIME_WAIT_NS,
	STACK_BYTES,
	LOCKED,
	RETAINED,
	RETAINED_KIND,
	NCOLUMNS,
};

static const struct gh_column columns[NCOLUMNS] = {
	[GOID] = {"goid", GH_UNIT_COUNT, false, .handle = 'g'},
	[STATE] = {"state", GH_UNIT_TEXT, false},
	[WAIT_REASON] = {"wait_reason", GH_UNIT_TEXT, false},
	[TOP] = {"top", GH_UNIT_TEXT, false},
	[WAIT_SITE] = {"wait_site", GH_UNIT_TEXT, false},
	[CREATED_BY] = {"created_by", GH_UNIT_TEXT, false},
	[WAIT_NS] = {"wait_ns", GH_UNIT_NS, false},
	[WAIT_NS_KIND] = {"wait_ns_kind", GH_UNIT_TEXT, true},
	[SYSTEM] = {"system", GH_UNIT_BOOL, true},
	[LABELS] = {"labels", GH_UNIT_TEXT, true},
	[CREATED_SITE] = {"created_site", GH_UNIT_TEXT, true},
	[RUNTIME_WAIT_NS] = {"runtime_wait_ns", GH_UNIT_NS, true},
	[STACK_BYTES] = {"stack_bytes", GH_UNIT_BYTES, true},
	[LOCKED] = {"locked", GH_UNIT_BOOL, true},
	[RETAINED] = {"retained", GH_UNIT_BYTES, true},
	[RETAINED_KIND] = {"retained_kind", GH_UNIT_TEXT, true},
};

enum {
	MAX_LABELS = 8,	 // different ones of a group that are listed
	EXACT_ROWS = 20, // groups whose bytes are found by marking without them
};

/* What the words ask for. */
struct request {
	struct gh_session *session;
	struct gh_report *report;
	uint64_t goids[GH_ARRAY_SIZE(((struct gh_args *)0)->positional)];
	size_t ngoids; // 0: all goroutines
	bool each;     // one a row
	bool with_system;
	const char *state;   // its name or a wait reason; NULL: any
	int64_t min_wait_ns; // 0: any
	struct gh_filter common;
	struct gh_function_filter func, top, created_by;
	uint64_t hidden_system;
	struct gh_goroutine_node_vec nodes; // where it is known what each retains; else empty
	size_t exact_rows; // of groups: that are still to be exact
};

static void request_deinit(struct request *r)
{
	gh_filter_deinit(&r->common);
	gh_function_filter_deinit(&r->func);
	gh_function_filter_deinit(&r->top);
	gh_function_filter_deinit(&r->created_by);
	gh_goroutine_node_vec_deinit(&r->nodes);
}

static bool is_asked_for(const struct request *r, uint64_t goid)
{
	for (size_t i = 0; i < r->ngoids; i++)
		if (r->goids[i] == goid)
			return true;
	return r->ngoids == 0;
}

static bool is_wanted(void *ctx, const struct gh_goroutine *g)
{
	struct request *r = ctx;
	int64_t wait_ns = -1;

	if (!is_asked_for(r, g->goid) ||
	    (r->state && strcmp(r->state, gh_gstatus_name(g->status)) != 0 &&
	     strcmp(r->state, g->wait_reason) != 0) ||
	    (r->min_wait_ns && (!gh_session_wait_ns(r->session, g, &wait_ns) ||
				wait_ns < r->min_wait_ns)))
		return false;
	if (!g->system || r->with_system)
		return true;
	r->hidden_system++;
	return false;
}

static bool is_package_wanted(const struct gh_filter *filter, const struct gh_traceback *traceback)
{
	const char *names[] = {traceback->top, traceback->wait_function, traceback->created_by};

	if (!filter->has_package)
		return true;
	for (size_t i = 0; i < GH_ARRAY_SIZE(names); i++) {
		size_t len;
		const char *package = names[i] ? gh_name_package(names[i], &len) : NULL;

		if (package && gh_filter_package(filter, package, len))
			return true;
	}
	return false;
}

/* Does any frame match --func? */
static struct gh_error *find_frame(const struct request *r, const struct gh_stack_groups *groups,
				   const struct gh_stack_group *group, bool *found_ret)
{
	struct gh_trace_frame_vec frames = {0};
	struct gh_error *err = gh_stack_group_frames(r->session, groups, group, &frames);

	*found_ret = false;
	for (size_t i = 0; !err && i < frames.len && !*found_ret; i++)
		*found_ret = gh_function_filter(&r->func, frames.data[i].source.function);
	gh_trace_frame_vec_deinit(&frames);
	return err;
}

static struct gh_error *is_group_wanted(const struct request *r,
					const struct gh_stack_groups *groups,
					const struct gh_stack_group *group, bool *ret)
{
	*ret = is_package_wanted(&r->common, &group->traceback) &&
	       gh_function_filter(&r->top, group->traceback.top) &&
	       gh_function_filter(&r->created_by, group->traceback.created_by);
	return *ret && r->func.given ? find_frame(r, groups, group, ret) : NULL;
}

/* Leave out the groups that the filters of functions leave out. */
static struct gh_error *filter_groups(const struct request *r, struct gh_stack_groups *groups)
{
	struct gh_error *err = NULL;
	size_t n = 0;

	for (size_t i = 0; !err && i < groups->len; i++) {
		bool wanted = false;

		if (i % 256 == 0)
			err = gh_poll(&r->session->poll, "comparing functions", i, groups->len);
		if (!err)
			err = is_group_wanted(r, groups, &groups->data[i], &wanted);
		if (wanted)
			groups->data[n++] = groups->data[i];
	}
	if (!err)
		groups->len = n;
	return err;
}

static struct gh_cell reason_cell(const char *reason)
{
	return gh_cell_text(reason && *reason ? reason : NULL);
}

/* What the runtime's own traceback says: since before the wait, see gctimes.h. */
static bool runtime_wait_ns(const struct gh_session *session, const struct gh_goroutine *g,
			    int64_t *ret)
{
	bool waits =
		g->status == GH_G_WAITING || g->status == GH_G_SYSCALL || g->status == GH_G_LEAKED;

	if (!waits || g->wait_since_ns <= 0 || !session->has_now)
		return false;
	*ret = session->now_ns > g->wait_since_ns ? session->now_ns - g->wait_since_ns : 0;
	return true;
}

static struct gh_cell labels_cell(const struct gh_session *session, struct gh_report *report,
				  const struct gh_goroutine *g)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	if (session->no_values || !gh_goroutine_labels(session->rt, g, &sb))
		return (struct gh_cell){0};
	return gh_cell_copy(report, gh_strbuf_str(&sb), sb.len);
}

static int compare_ns(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Of a group; a member whose wait is not known has waited for 0 ns at least. */
static struct gh_error *fill_waits(const struct request *r, const struct gh_stack_groups *groups,
				   const struct gh_stack_group *group, struct gh_cell *row)
{
	_cleanup_free_ int64_t *waits = gh_alloc_array(group->count, sizeof(*waits));
	int64_t runtime_max = -1, ns;
	bool known = false;

	if (!waits)
		return gh_error_nomem();
	for (size_t i = 0; i < group->count; i++) {
		const struct gh_goroutine *g =
			gh_stack_group_member(r->session, groups, group, i);

		known |= gh_session_wait_ns(r->session, g, &waits[i]);
		if (runtime_wait_ns(r->session, g, &ns) && ns > runtime_max)
			runtime_max = ns;
	}
	if (runtime_max >= 0)
		row[G_RUNTIME_WAIT_NS_MAX] = gh_cell_i64(runtime_max);
	if (!known)
		return NULL;
	qsort(waits, group->count, sizeof(*waits), compare_ns);
	row[G_WAIT_NS_MAX] = gh_cell_i64(waits[group->count - 1]);
	row[G_WAIT_NS_MEDIAN] = gh_cell_i64(waits[(group->count - 1) / 2]);
	row[G_WAIT_NS_KIND] = gh_cell_text("at_least");
	return NULL;
}

/* Each counts what it alone retains: what several of them share is kept alive by the group, too. */
static void fill_retained(const struct request *r, const struct gh_stack_groups *groups,
			  const struct gh_stack_group *group, struct gh_cell *row)
{
	uint64_t sum = 0, bytes;

	for (size_t i = 0; i < group->count; i++) {
		if (!gh_goroutine_retained(r->session, &r->nodes,
					   gh_stack_group_member(r->session, groups, group, i),
					   &bytes))
			return;
		sum += bytes;
	}
	row[G_RETAINED] = gh_cell_u64(sum);
	row[G_RETAINED_KIND] = gh_cell_text(group->count == 1 ? "exact" : "at_least");
}

/* The first groups by one mark each, as far as time and memory allow. */
static struct gh_error *make_exact(struct request *r, const struct gh_stack_groups *groups,
				   struct gh_table *table)
{
	struct gh_error *err = NULL;
	size_t done = 0;

	for (size_t i = 0; i < groups->len && done < r->exact_rows && !err; i++) {
		const struct gh_stack_group *group = &groups->data[i];
		struct gh_cell *row = &table->cells[i * NGROUP];
		uint64_t bytes = 0;

		if (group->count == 1 || row[G_RETAINED].kind == GH_CELL_NULL)
			continue;
		err = gh_poll(&r->session->poll, "marking without each group", done,
			      gh_min_u64(r->exact_rows, groups->len));
		if (!err)
			err = gh_goroutines_retained(r->session, &r->nodes,
						     groups->members + group->first, group->count,
						     &bytes);
		if (err)
			break;
		row[G_RETAINED] = gh_cell_u64(bytes);
		row[G_RETAINED_KIND] = gh_cell_text("exact");
		done++;
	}
	return gh_settle_part(r->session, r->report, err,
			      "bytes of some groups are at least, not exact");
}

/* Numbers as texts, side by side in one piece of the report's memory. */
static struct gh_error *fill_goids(const struct request *r, const struct gh_stack_groups *groups,
				   const struct gh_stack_group *group, struct gh_cell *row)
{
	struct gh_arena *arena = &r->report->arena;
	const char **items;
	size_t len = 0;
	char *text;

	for (size_t i = 0; i < group->count; i++)
		len += (size_t)snprintf(NULL, 0, "%llu",
					(unsigned long long)gh_stack_group_member(
						r->session, groups, group, i)
						->goid) +
		       1;
	if (!gh_budget_take(r->report->budget, len + group->count * sizeof(*items),
			    "the numbers of goroutines"))
		return gh_error_nomem();
	items = gh_arena_alloc(arena, group->count * sizeof(*items));
	text = items ? gh_arena_alloc(arena, len) : NULL;
	if (!text)
		return gh_error_nomem();
	for (size_t i = 0; i < group->count; i++) {
		const struct gh_goroutine *g =
			gh_stack_group_member(r->session, groups, group, i);

		items[i] = text;
		text += sprintf(text, "%llu", (unsigned long long)g->goid) + 1;
	}
	row[G_GOIDS] = gh_cell_list(items, group->count);
	return NULL;
}

/* Different labels of its members. */
static struct gh_error *fill_labels(const struct request *r, const struct gh_stack_groups *groups,
				    const struct gh_stack_group *group, struct gh_cell *row)
{
	const char **items = NULL;
	gh_addr met[MAX_LABELS];
	size_t n = 0;

	for (size_t i = 0; i < group->count && n < MAX_LABELS; i++) {
		const struct gh_goroutine *g =
			gh_stack_group_member(r->session, groups, group, i);
		gh_addr labels = gh_field_or_zero(r->session->rt, g->addr, GH_F_g_labels);
		struct gh_cell cell;
		bool is_new = labels != 0;

		for (size_t k = 0; k < n; k++)
			is_new &= met[k] != labels;
		if (!is_new)
			continue;
		cell = labels_cell(r->session, r->report, g);
		for (size_t k = 0; k < n && cell.kind; k++)
			if (strcmp(items[k], cell.text) == 0)
				cell.kind = GH_CELL_NULL;
		if (!cell.kind)
			continue;
		if (!items)
			items = gh_arena_alloc(&r->report->arena, MAX_LABELS * sizeof(*items));
		if (!items)
			return gh_error_nomem();
		met[n] = labels;
		items[n++] = cell.text;
	}
	if (n)
		row[G_LABELS] = gh_cell_list(items, n);
	return NULL;
}

static struct gh_error *add_group(const struct request *r, const struct gh_stack_groups *groups,
				  const struct gh_stack_group *group, struct gh_table *table)
{
	const struct gh_traceback *traceback = &group->traceback;
	struct gh_cell *row = gh_table_row(table);
	struct gh_error *err;

	if (!row)
		return gh_error_nomem();
	row[G_COUNT] = gh_cell_u64(group->count);
	row[G_STATE] = gh_cell_text(gh_gstatus_name(group->status));
	row[G_WAIT_REASON] = reason_cell(group->wait_reason);
	row[G_TOP] = gh_function_cell(r->report, traceback->top);
	row[G_WAIT_SITE] = gh_site_cell(r->report, traceback->wait_file, traceback->wait_line);
	row[G_CREATED_BY] = gh_function_cell(r->report, traceback->created_by);
	row[G_CREATED_SITE] =
		gh_site_cell(r->report, traceback->created_file, traceback->created_line);
	row[G_STACK_BYTES] = gh_cell_u64(group->stack_bytes);
	row[G_SYSTEM] = gh_cell_bool(group->system);
	row[G_GOID] = gh_cell_u64(gh_stack_group_member(r->session, groups, group, 0)->goid);
	fill_retained(r, groups, group, row);
	err = fill_waits(r, groups, group, row);
	if (!err)
		err = fill_goids(r, groups, group, row);
	return err ? err : fill_labels(r, groups, group, row);
}

static struct gh_error *list_groups(struct request *r, const struct gh_stack_groups *groups)
{
	struct gh_table *table = gh_report_table(r->report, "groups", group_columns, NGROUP);
	uint64_t count = 0, stack_bytes = 0;
	struct gh_error *err = table ? NULL : gh_error_nomem();
	struct gh_cell *total;

	for (size_t i = 0; !err && i < groups->len; i++) {
		if (i % 1024 == 0)
			err = gh_poll(&r->session->poll, "listing groups", i, groups->len);
		if (!err)
			err = add_group(r, groups, &groups->data[i], table);
		count += groups->data[i].count;
		stack_bytes += groups->data[i].stack_bytes;
	}
	if (!err)
		err = make_exact(r, groups, table);
	if (err)
		return err;
	total = gh_table_total(table);
	if (!total)
		return gh_error_nomem();
	total[G_COUNT] = gh_cell_u64(count);
	total[G_STACK_BYTES] = gh_cell_u64(stack_bytes);
	return NULL;
}

/* Cells that all goroutines of a group share. */
struct shared {
	struct gh_cell top, wait_site, created_by, created_site;
};

/* Rows are made when they are shown: a hundred thousand of them would take tens of megabytes. */
struct listing {
	const struct gh_session *session;
	struct gh_report *report;
	struct gh_stack_groups groups; // owned
	struct shared *shared;	       // owned, one a group
	uint32_t *rows;		       // owned: goroutine of a row, in the order of allgs
	uint32_t *group_of;	       // owned: its group
	struct gh_goroutine_node_vec nodes; // owned
};

static void listing_destroy(void *ctx)
{
	struct listing *l = ctx;

	if (!l)
		return;
	gh_stack_groups_deinit(&l->groups);
	free(l->shared);
	free(l->rows);
	free(l->group_of);
	gh_goroutine_node_vec_deinit(&l->nodes);
	free(l);
}

static void fill_row(void *ctx, size_t i, struct gh_cell *row)
{
	const struct listing *l = ctx;
	const struct gh_goroutine *g = &l->session->goroutines.data[l->rows[i]];
	const struct shared *shared = &l->shared[l->group_of[i]];
	uint64_t bytes;
	int64_t ns;

	row[GOID] = gh_cell_u64(g->goid);
	row[STATE] = gh_cell_text(gh_gstatus_name(g->status));
	row[WAIT_REASON] = reason_cell(g->wait_reason);
	row[TOP] = shared->top;
	row[WAIT_SITE] = shared->wait_site;
	row[CREATED_BY] = shared->created_by;
	row[CREATED_SITE] = shared->created_site;
	if (gh_session_wait_ns(l->session, g, &ns)) {
		row[WAIT_NS] = gh_cell_i64(ns);
		row[WAIT_NS_KIND] = gh_cell_text("at_least");
	}
	if (runtime_wait_ns(l->session, g, &ns))
		row[RUNTIME_WAIT_NS] = gh_cell_i64(ns);
	row[SYSTEM] = gh_cell_bool(g->system);
	row[LOCKED] = gh_cell_bool(g->locked);
	if (gh_goroutine_retained(l->session, &l->nodes, g, &bytes)) {
		row[RETAINED] = gh_cell_u64(bytes);
		row[RETAINED_KIND] = gh_cell_text("exact");
	}
	row[STACK_BYTES] = gh_cell_u64(g->stack_hi > g->stack_lo ? g->stack_hi - g->stack_lo : 0);
	row[LABELS] = labels_cell(l->session, l->report, g);
}

static void share(struct listing *l, size_t group)
{
	const struct gh_traceback *traceback = &l->groups.data[group].traceback;

	l->shared[group] = (struct shared){
		.top = gh_function_cell(l->report, traceback->top),
		.wait_site =
			gh_site_cell(l->report, traceback->wait_file, traceback->wait_line),
		.created_by = gh_function_cell(l->report, traceback->created_by),
		.created_site = gh_site_cell(l->report, traceback->created_file,
					     traceback->created_line),
	};
}

/* Members of the groups that are left, in the order of allgs. */
static struct gh_error *order_rows(struct listing *l, size_t *n_ret)
{
	size_t ngs = l->session->goroutines.len, n = 0;
	_cleanup_free_ uint32_t *group_of = gh_alloc_array(ngs, sizeof(*group_of));

	l->shared = gh_alloc_array(l->groups.len, sizeof(*l->shared));
	l->rows = gh_alloc_array(l->groups.nmembers, sizeof(*l->rows));
	l->group_of = gh_alloc_array(l->groups.nmembers, sizeof(*l->group_of));
	if (!group_of || !l->shared || !l->rows || !l->group_of)
		return gh_error_nomem();
	for (size_t i = 0; i < l->groups.len; i++) {
		const struct gh_stack_group *group = &l->groups.data[i];

		share(l, i);
		for (size_t k = 0; k < group->count; k++)
			group_of[l->groups.members[group->first + k]] = (uint32_t)i + 1;
	}
	for (size_t i = 0; i < ngs; i++) {
		if (!group_of[i])
			continue;
		l->rows[n] = (uint32_t)i;
		l->group_of[n++] = group_of[i] - 1;
	}
	*n_ret = n;
	return NULL;
}

/* Takes the groups and the nodes over. */
static struct gh_error *list_each(struct request *r, struct gh_stack_groups *groups)
{
	struct listing *l = calloc(1, sizeof(*l));
	struct gh_table *table;
	struct gh_error *err;
	size_t n = 0;

	if (!l)
		return gh_error_nomem();
	l->session = r->session;
	l->report = r->report;
	l->groups = *groups;
	l->nodes = r->nodes;
	*groups = (struct gh_stack_groups){0};
	r->nodes = (struct gh_goroutine_node_vec){0};
	table = gh_report_table(r->report, "goroutines", columns, NCOLUMNS);
	if (!table) {
		listing_destroy(l);
		return gh_error_nomem();
	}
	table->row = fill_row;
	table->row_ctx = l;
	table->row_ctx_destroy = listing_destroy;
	err = order_rows(l, &n);
	table->nrows = err ? 0 : n;
	return err;
}

static void conclude(const struct request *r, const struct gh_stack_groups *groups)
{
	uint64_t shown = 0, waiting = 0, syscall = 0, running = 0, incomplete = 0;

	for (size_t i = 0; i < groups->len; i++) {
		const struct gh_stack_group *group = &groups->data[i];
		bool runs = group->status == GH_G_RUNNING || group->status == GH_G_RUNNABLE;

		shown += group->count;
		waiting += group->status == GH_G_WAITING ? group->count : 0;
		syscall += group->status == GH_G_SYSCALL ? group->count : 0;
		running += runs ? group->count : 0;
		incomplete += group->traceback.complete ? 0 : group->count;
	}
	r->report->headline = gh_arena_printf(
		&r->report->arena,
		"%llu goroutines in %zu groups: %llu waiting, %llu in system calls, %llu running "
		"or runnable",
		(unsigned long long)shown, groups->len, (unsigned long long)waiting,
		(unsigned long long)syscall, (unsigned long long)running);
	if (r->hidden_system)
		gh_report_note(r->report,
			       "%llu goroutines of the runtime itself are not shown: "
			       "--system shows them",
			       (unsigned long long)r->hidden_system);
	gh_report_skip(r->report, "goroutines", r->session->unreadable_goroutines,
		       "they cannot be read from the target");
	gh_report_skip(r->report, "stacks", incomplete,
		       "they could not be walked to their end: functions may be missing");
}

static struct gh_error *parse_numbers(const struct gh_args *args, struct request *r)
{
	for (size_t i = 0; i < args->npositional; i++) {
		const char *word = args->positional[i];
		char *end;

		r->goids[r->ngoids++] = strtoull(word, &end, 10);
		if (*word < '0' || *word > '9' || *end)
			return gh_error_create(
				GH_ERR_USAGE,
				"goroutines: '%s' is no number of a goroutine: 17, or "
				"a handle such as $g17",
				word);
	}
	return NULL;
}

/* Errors: USAGE, naming what is near or all states. */
static struct gh_error *check_state(const struct gh_session *session, const char *word)
{
	static const char *const states[] = {"runnable",  "running",   "syscall", "waiting",
					     "preempted", "copystack", "leaked"};
	const struct gh_release *release = session->rt->release;
	const char *names[128] = {0};
	const char *nearest;
	size_t n = 0;

	for (size_t i = 0; i < GH_ARRAY_SIZE(states); i++)
		names[n++] = states[i];
	for (size_t i = 1; i < release->nwait_reasons && n + 1 < GH_ARRAY_SIZE(names); i++)
		if (release->wait_reasons[i])
			names[n++] = release->wait_reasons[i];
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], word) == 0)
			return NULL;
	nearest = gh_nearest(word, names);
	if (nearest)
		return gh_error_create(GH_ERR_USAGE,
				       "goroutines: there is no state '%s': did you mean '%s'?",
				       word, nearest);
	return gh_error_create(GH_ERR_USAGE,
			       "goroutines: there is no state '%s': runnable, running, syscall, "
			       "waiting, preempted, or a wait reason such as 'chan receive'",
			       word);
}

static struct gh_error *parse_wait(const struct gh_args *args, struct request *r)
{
	const char *word = gh_args_option(args, "--min-wait");

	if (!word || gh_parse_duration(word, &r->min_wait_ns))
		return NULL;
	return gh_error_create(GH_ERR_USAGE,
			       "goroutines: --min-wait cannot be '%s': give a duration: 90s, 10m, "
			       "1h30m, 2d",
			       word);
}

static struct gh_error *parse(const struct gh_args *args, struct request *r)
{
	struct gh_error *err = gh_filter_init(args, &r->common);

	if (!err)
		err = parse_numbers(args, r);
	if (!err)
		err = parse_wait(args, r);
	if (!err)
		err = gh_function_filter_init(args, "--func", &r->func);
	if (!err)
		err = gh_function_filter_init(args, "--top", &r->top);
	if (!err)
		err = gh_function_filter_init(args, "--created-by", &r->created_by);
	r->state = gh_args_option(args, "--state");
	r->each = r->ngoids || gh_args_option(args, "--all");
	r->with_system = r->each || gh_args_option(args, "--system");
	r->exact_rows = gh_args_option(args, "--retained") ? EXACT_ROWS : 0;
	return err;
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	_cleanup_(request_deinit) struct request r = {.session = session, .report = report};
	_cleanup_(gh_stack_groups_deinit) struct gh_stack_groups groups = {0};
	struct gh_error *err = parse(args, &r);

	if (!err)
		err = gh_session_goroutines(session);
	if (!err && (session->domtree || gh_args_option(args, "--retained")))
		err = gh_goroutine_nodes_load(session, &r.nodes);
	if (!err && r.state)
		err = check_state(session, r.state);
	if (!err)
		err = gh_stack_groups_load(session, is_wanted, &r, &groups);
	if (!err)
		err = filter_groups(&r, &groups);
	if (err)
		return err;
	conclude(&r, &groups);
	return r.each ? list_each(&r, &groups) : list_groups(&r, &groups);
}

static const struct gh_option options[] = {
	{"--all", NULL, NULL, "one goroutine a row, the runtime's own too"},
	{"--system", NULL, NULL, "also the runtime's own goroutines"},
	{"--state", NULL, "STATE", "only that state (running) or wait reason ('chan receive')"},
	{"--func", "--any", "RE", "only where any frame's function matches"},
	{"--top", NULL, "RE", "only where the first frame's function matches"},
	{"--created-by", NULL, "RE", "only those that a matching function started"},
	{"--min-wait", NULL, "DUR", "only those that have waited for at least 10m, 1h30m, 2d"},
	{"--retained", NULL, NULL, "what would go with them: marks the heap first"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"groups", group_columns, NGROUP},
	{"goroutines", columns, NCOLUMNS},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core goroutines", "which kinds there are, most first"},
	{"core goroutines --min-wait 10m --sort wait_ns_max", "those that hang, longest first"},
	{"core goroutines --all --func 'net/http[.]' --state 'IO wait'",
	 "each that waits for the network in a frame of net/http"},
	{"core goroutines 17", "only goroutine 17; at the prompt and in gdb also: $g17"},
	{"core goroutines --json | jq '.tables.groups.rows[].wait_site'",
	 "where in the program each group waits"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_goroutines = {
	.name = "goroutines",
	.summary = "Goroutines: state, why and where they wait, who started them.",
	.usage = "goroutines [GOID ...] [--all] [--system] [--state STATE] [--func RE] [--top RE] "
		 "[--created-by RE] [--min-wait DUR] [--retained]",
	.max_positional = GH_ARRAY_SIZE(((struct gh_args *)0)->positional),
	.help = "Goroutines whose state, wait reason, frames (functions and lines) and go "
		"statement are the same are one row, most first. state and wait_reason are the "
		"runtime's own words. top is the first frame that runtime.Stack prints, wait_site "
		"the first one outside the runtime and the standard library, created_by and "
		"created_site the go statement, goid the first of them.\n\n"
		"Waits are lower bounds: what is known is a collection that saw the goroutine "
		"blocked, and a core has no clock (a process that --pid stopped has one). "
		"runtime_wait_ns is what the runtime's own tracebacks say in minutes; it begins "
		"when the collection before ended, and can be too long by the time between the "
		"two. `goheap goroutine 17` shows one of them in full.\n\n"
		"retained (--retained) is what would go with the whole group, of the first 20 "
		"exactly, by marking without it; of the others what each of them alone keeps "
		"alive, summed up: a lower bound, as what several share is not in it.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.needs_target = true,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_MIN,
	.reads_values = true,
	.run = run,
};
