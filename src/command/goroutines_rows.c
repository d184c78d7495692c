// SPDX-License-Identifier: Apache-2.0
// Table `goroutines` of `goroutines --all`: each one by itself. See goroutines_tables.h.
#include <stdlib.h>

#include "base/cleanup.h"
#include "command/goroutines_tables.h"

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

const struct gh_column gh_goroutines_columns[GH_GOROUTINES_NCOLUMNS] = {
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
_Static_assert((int)NCOLUMNS == (int)GH_GOROUTINES_NCOLUMNS, "the header tells others");

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
	row[WAIT_REASON] = gh_goroutine_reason_cell(g->wait_reason);
	row[TOP] = shared->top;
	row[WAIT_SITE] = shared->wait_site;
	row[CREATED_BY] = shared->created_by;
	row[CREATED_SITE] = shared->created_site;
	if (gh_session_wait_ns(l->session, g, &ns)) {
		row[WAIT_NS] = gh_cell_i64(ns);
		row[WAIT_NS_KIND] = gh_cell_text("at_least");
	}
	if (gh_goroutine_runtime_wait_ns(l->session, g, &ns))
		row[RUNTIME_WAIT_NS] = gh_cell_i64(ns);
	row[SYSTEM] = gh_cell_bool(g->system);
	row[LOCKED] = gh_cell_bool(g->locked);
	if (gh_goroutine_retained(l->session, &l->nodes, g, &bytes)) {
		row[RETAINED] = gh_cell_u64(bytes);
		row[RETAINED_KIND] = gh_cell_text("exact");
	}
	row[STACK_BYTES] = gh_cell_u64(g->stack_hi > g->stack_lo ? g->stack_hi - g->stack_lo : 0);
	row[LABELS] = gh_goroutine_labels_cell(l->session, l->report, g);
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

struct gh_error *gh_goroutines_each(struct goroutines_request *r, struct gh_stack_groups *groups)
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
	table = gh_report_table(r->report, "goroutines", gh_goroutines_columns, NCOLUMNS);
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
