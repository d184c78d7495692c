// SPDX-License-Identifier: Apache-2.0
// Table `groups` of `goroutines`: those whose stacks say the same. See goroutines_tables.h.
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "command/goroutines_tables.h"
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

const struct gh_column gh_goroutines_group_columns[GH_GOROUTINES_NGROUP] = {
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
_Static_assert((int)NGROUP == (int)GH_GOROUTINES_NGROUP, "the header tells others");

enum { MAX_LABELS = 8 }; // different ones of a group that are listed

static int compare_ns(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Of a group; a member whose wait is not known has waited for 0 ns at least. */
static struct gh_error *fill_waits(const struct goroutines_request *r,
				   const struct gh_stack_groups *groups,
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
		if (gh_goroutine_runtime_wait_ns(r->session, g, &ns) && ns > runtime_max)
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
static void fill_retained(const struct goroutines_request *r, const struct gh_stack_groups *groups,
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
static struct gh_error *make_exact(struct goroutines_request *r,
				   const struct gh_stack_groups *groups,
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
static struct gh_error *fill_goids(const struct goroutines_request *r,
				   const struct gh_stack_groups *groups,
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
static struct gh_error *fill_labels(const struct goroutines_request *r,
				    const struct gh_stack_groups *groups,
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
		cell = gh_goroutine_labels_cell(r->session, r->report, g);
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

static struct gh_error *add_group(const struct goroutines_request *r,
				  const struct gh_stack_groups *groups,
				  const struct gh_stack_group *group, struct gh_table *table)
{
	const struct gh_traceback *traceback = &group->traceback;
	struct gh_cell *row = gh_table_row(table);
	struct gh_error *err;

	if (!row)
		return gh_error_nomem();
	row[G_COUNT] = gh_cell_u64(group->count);
	row[G_STATE] = gh_cell_text(gh_gstatus_name(group->status));
	row[G_WAIT_REASON] = gh_goroutine_reason_cell(group->wait_reason);
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

struct gh_error *gh_goroutines_groups(struct goroutines_request *r,
				      const struct gh_stack_groups *groups)
{
	struct gh_table *table =
		gh_report_table(r->report, "groups", gh_goroutines_group_columns, NGROUP);
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
