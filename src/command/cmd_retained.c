// SPDX-License-Identifier: Apache-2.0
// `retained`: what would become garbage if an owner, or all objects of a type, went.
#include <stdlib.h>

#include "analysis/retained.h"
#include "base/cleanup.h"
#include "command/heap_notes.h"
#include "command/owner_arg.h"
#include "command/retained_tables.h"

const struct gh_column gh_retained_columns[] = {
	[RETAINED_OWNER] = {"owner", GH_UNIT_TEXT, false},
	[RETAINED_KIND] = {"kind", GH_UNIT_TEXT, false},
	[RETAINED_BYTES] = {"retained", GH_UNIT_BYTES, false},
	[RETAINED_BYTES_KIND] = {"retained_kind", GH_UNIT_TEXT, true},
	[RETAINED_SHARE] = {"share", GH_UNIT_SHARE, false},
	[RETAINED_SHALLOW] = {"shallow", GH_UNIT_BYTES, false},
	[RETAINED_COUNT] = {"count", GH_UNIT_COUNT, false},
};

enum { EXACT_ROWS = 20 }; // of types and packages, and of owners without a tree: a mark each

struct gh_cell gh_retained_share(const struct gh_session *s, uint64_t bytes)
{
	uint64_t whole = s->owners->live_bytes;

	return whole ? gh_cell_real((double)bytes / (double)whole) : (struct gh_cell){0};
}

/* Rows of owners: their numbers, the one that retains most first. Cells are made when shown. */
struct listing {
	struct gh_session *session;
	gh_node *owners; // owned
	struct gh_arena names;
	uint64_t charged_bytes;
};

static void listing_destroy(void *ctx)
{
	struct listing *l = ctx;

	if (!l)
		return;
	gh_budget_give(l->session->target->budget, l->charged_bytes);
	gh_arena_deinit(&l->names);
	free(l->owners);
	free(l);
}

static const char *describe(const struct gh_session *s, gh_node owner, struct gh_arena *arena)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	gh_owner_describe(s->owners, owner, &sb);
	return gh_arena_strndup(arena, gh_strbuf_str(&sb), sb.len);
}

static void fill_row(void *ctx, size_t row, struct gh_cell *cells)
{
	struct listing *l = ctx;
	const struct gh_owner *o = &l->session->owners->owners.data[l->owners[row]];
	uint64_t retained = gh_domtree_retained(l->session->domtree, l->owners[row]);

	cells[RETAINED_OWNER] = gh_cell_text(describe(l->session, l->owners[row], &l->names));
	cells[RETAINED_KIND] = gh_cell_text(gh_root_kind_name(o->kind));
	cells[RETAINED_BYTES] = gh_cell_u64(retained);
	cells[RETAINED_BYTES_KIND] = gh_cell_text("exact");
	cells[RETAINED_SHARE] = gh_retained_share(l->session, retained);
	cells[RETAINED_SHALLOW] = gh_cell_u64(o->own_bytes);
	cells[RETAINED_COUNT] = gh_cell_u64(gh_domtree_count(l->session->domtree, l->owners[row]));
}

/* qsort_r: by what owners retain, then in their order. */
static int by_retained(const void *a, const void *b, void *ctx)
{
	const struct gh_domtree *tree = ctx;
	gh_node x = *(const gh_node *)a, y = *(const gh_node *)b;
	uint64_t rx = gh_domtree_retained(tree, x), ry = gh_domtree_retained(tree, y);

	return rx != ry ? (rx < ry ? 1 : -1) : x < y ? -1 : x > y;
}

bool gh_retained_is_wanted(const struct retained_request *r, gh_node owner,
			   enum gh_root_kind kind, uint64_t retained)
{
	const struct gh_owner *o = &r->session->owners->owners.data[owner];

	if (kind != GH_ROOT_KINDS && o->kind != kind)
		return false;
	if (r->named)
		return gh_owner_is_named(r->session->owners, owner, r->named);
	if (!retained || retained < r->filter.min_bytes)
		return false;
	if (r->filter.has_package) {
		size_t len = 0;
		const char *package = o->name ? gh_name_package(o->name, &len) : NULL;

		return package && gh_filter_package(&r->filter, package, len);
	}
	return true;
}

struct gh_error *gh_retained_nobody(const struct retained_request *r, const char *what)
{
	return gh_error_create(GH_ERR_MISSING,
			       "retained: there is no %s '%s': `goheap retained%s -n 0` lists all",
			       what, r->named, strcmp(what, "owner") ? " --by type" : "");
}

static struct gh_error *fill_owners(struct retained_request *r, enum gh_root_kind kind,
				    struct gh_table *table, struct listing *l)
{
	const struct gh_owner_vec *owners = &r->session->owners->owners;
	struct gh_cell *total = gh_table_total(table);
	uint64_t retained = 0, count = 0, own = 0;

	l->owners = gh_alloc_array(owners->len, sizeof(*l->owners));
	if (!l->owners || !total)
		return gh_error_nomem();
	for (gh_node i = 1; i < owners->len; i++) {
		if (!gh_retained_is_wanted(r, i, kind,
					   gh_domtree_retained(r->session->domtree, i)))
			continue;
		l->owners[table->nrows++] = i;
		own += owners->data[i].own_bytes;
		if (owners->data[i].parent != GH_NODE_ROOT && kind == GH_ROOT_KINDS)
			continue; // counts with the owner that it lies in
		retained += gh_domtree_retained(r->session->domtree, i);
		count += gh_domtree_count(r->session->domtree, i);
	}
	if (r->named && !table->nrows)
		return gh_retained_nobody(r, "owner");
	if (table->nrows)
		qsort_r(l->owners, table->nrows, sizeof(*l->owners), by_retained,
			r->session->domtree);
	total[RETAINED_BYTES] = gh_cell_u64(retained);
	total[RETAINED_SHARE] = gh_retained_share(r->session, retained);
	total[RETAINED_SHALLOW] = gh_cell_u64(own);
	total[RETAINED_COUNT] = gh_cell_u64(count);
	return NULL;
}

static struct gh_error *list_owners(struct retained_request *r, enum gh_root_kind kind)
{
	uint64_t bytes = r->session->owners->owners.len * sizeof(gh_node);
	struct gh_table *table;
	struct listing *l;
	struct gh_error *err;

	err = gh_budget_charge(r->session->target->budget, bytes, "rows of owners");
	if (err)
		return err;
	l = calloc(1, sizeof(*l));
	table = l ? gh_report_table(r->report, "groups", gh_retained_columns, GH_RETAINED_NCOLUMNS) : NULL;
	if (!table) {
		gh_budget_give(r->session->target->budget, bytes);
		free(l);
		return gh_error_nomem();
	}
	*l = (struct listing){.session = r->session, .charged_bytes = bytes};
	table->row = fill_row;
	table->row_ctx = l;
	table->row_ctx_destroy = listing_destroy;
	return fill_owners(r, kind, table, l);
}

/* Every live byte has one owner, or several that share it. */
static void check_sum(struct retained_request *r)
{
	const struct gh_domtree *tree = r->session->domtree;
	uint64_t sum = 0;

	for (uint32_t i = 1; i < tree->n; i++)
		if (!tree->idom[i])
			sum += tree->retained[i];
	gh_report_check(r->report, "bytes of owners and of what they share, against the live ones",
			sum, r->session->owners->live_bytes);
}

static bool group_is_wanted(const struct retained_request *r, const struct gh_retained_group *g)
{
	if (r->named)
		return !strcmp(g->name, r->named);
	return g->retained >= r->filter.min_bytes && gh_filter_type(&r->filter, g->name);
}

/* One mark a row, for the first ones. */
static struct gh_error *make_exact(struct retained_request *r, struct gh_retained_groups *groups,
				   uint64_t rows)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	struct gh_error *err = NULL;
	uint64_t done = 0;

	for (size_t i = 0; i < groups->rows.len && done < rows && !err; i++) {
		struct gh_retained_group *g = &groups->rows.data[i];

		if (!group_is_wanted(r, g))
			continue;
		err = gh_poll(&r->session->poll, "marking without each type", done, rows);
		if (!err)
			err = gh_retained_exact(r->session, groups->group, g);
		done += !err;
	}
	gh_strbuf_printf(&sb, "%llu rows are exact, the others at least",
			 (unsigned long long)done);
	gh_retained_sort(groups);
	return gh_settle_part(r->session, r->report, err, gh_strbuf_str(&sb));
}

static struct gh_error *add_group(struct retained_request *r, struct gh_table *table,
				  const struct gh_retained_group *g, const char *kind)
{
	struct gh_cell *cells = gh_table_row(table);

	if (!cells)
		return gh_error_nomem();
	cells[RETAINED_OWNER] = gh_cell_copy(r->report, g->name, strlen(g->name));
	cells[RETAINED_KIND] = gh_cell_text(kind);
	cells[RETAINED_BYTES] = gh_cell_u64(g->retained);
	cells[RETAINED_BYTES_KIND] = gh_cell_text(g->exact ? "exact" : "at_least");
	cells[RETAINED_SHARE] = gh_retained_share(r->session, g->retained);
	cells[RETAINED_SHALLOW] = gh_cell_u64(g->shallow);
	cells[RETAINED_COUNT] = gh_cell_u64(g->count);
	return NULL;
}

static struct gh_error *list_groups(struct retained_request *r, gh_group_fn group, const char *kind,
				    uint64_t exact_rows)
{
	struct gh_table *table = gh_report_table(r->report, "groups", gh_retained_columns, GH_RETAINED_NCOLUMNS);
	struct gh_retained_groups groups = {0};
	struct gh_error *err = table ? gh_retained_groups(r->session, group, &groups)
				     : gh_error_nomem();

	if (err)
		return err;
	err = make_exact(r, &groups, exact_rows);
	for (size_t i = 0; i < groups.rows.len && !err; i++)
		if (group_is_wanted(r, &groups.rows.data[i]))
			err = add_group(r, table, &groups.rows.data[i], kind);
	if (!err && r->named && !table->nrows)
		err = gh_retained_nobody(r, kind);
	if (!err)
		check_sum(r);
	gh_retained_groups_deinit(&groups);
	return err;
}

static struct gh_error *exact_rows(const struct gh_args *args, uint64_t *ret)
{
	const char *word = gh_args_option(args, "--exact");
	char *end;

	*ret = EXACT_ROWS;
	if (!word)
		return NULL;
	*ret = strtoull(word, &end, 10);
	if (!*word || *end)
		return gh_error_create(GH_ERR_USAGE,
				       "retained: --exact takes a number of rows, not '%s'", word);
	return NULL;
}

static struct gh_error *list_by_kind(struct retained_request *r, enum gh_root_kind kind,
				     uint64_t rows)
{
	struct gh_error *err =
		gh_budget_why(r->session->target->budget, gh_session_dominators(r->session));

	if (err && err->code == GH_ERR_LIMIT && r->session->owners)
		return gh_retained_list_marked(r, kind, rows, err);
	if (err)
		return err;
	err = list_owners(r, kind);
	if (!err && kind == GH_ROOT_KINDS && !r->named)
		err = gh_retained_list_shared(r);
	if (!err)
		check_sum(r);
	return err;
}

static struct gh_error *list(struct retained_request *r, const struct gh_args *args)
{
	static const struct {
		const char *by;
		enum gh_root_kind kind;
	} kinds[] = {{"owner", GH_ROOT_KINDS},	  {"global", GH_ROOT_GLOBAL},
		     {"goroutine", GH_ROOT_GOROUTINE}, {"timer", GH_ROOT_TIMER},
		     {"defer", GH_ROOT_DEFER},	  {"runtime", GH_ROOT_RUNTIME}};
	const char *by = gh_args_option(args, "--by");
	uint64_t rows = 0;
	struct gh_error *err = exact_rows(args, &rows);

	if (err)
		return err;
	if (!by)
		by = "owner";
	if (!strcmp(by, "type"))
		return list_groups(r, NULL, "type", rows);
	if (!strcmp(by, "package"))
		return list_groups(r, gh_name_package_or_not, "package", rows);
	for (size_t i = 0; i < GH_ARRAY_SIZE(kinds); i++)
		if (!strcmp(by, kinds[i].by))
			return list_by_kind(r, kinds[i].kind, rows);
	return gh_error_create(GH_ERR_USAGE,
			       "retained: cannot group by '%s': owner, global, goroutine, timer, "
			       "defer, runtime, type or package",
			       by);
}

/* An owner has no type. */
static void note_filter(const struct gh_args *args, struct gh_report *report)
{
	const char *by = gh_args_option(args, "--by");

	if (args->type_re && (!by || (strcmp(by, "type") != 0 && strcmp(by, "package") != 0)))
		gh_report_note(report, "--type means nothing to owners: all rows are shown");
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	struct retained_request r = {.session = session, .report = report};
	struct gh_error *err = gh_filter_init(args, &r.filter);

	r.named = args->npositional ? args->positional[0] : NULL;
	if (!err)
		err = list(&r, args);
	if (!err)
		note_filter(args, report);
	if (!err)
		gh_heap_notes(session, report);
	gh_filter_deinit(&r.filter);
	return err;
}

static const struct gh_option options[] = {
	{"--by", NULL, "WHAT",
	 "owner (as given), global, goroutine, timer, defer, runtime, type or package"},
	{"--exact", NULL, "N",
	 "the first N rows exactly (20), one mark each: of types and packages, and of owners where "
	 "memory is too small for the tree"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"groups", gh_retained_columns, GH_RETAINED_NCOLUMNS},
	{"shared", gh_retained_shared_columns, GH_RETAINED_NSHARED},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core retained", "which variables, goroutines and timers keep most of the heap alive"},
	{"core retained main.cache", "what would go with this variable"},
	{"core retained --by type --package '^myapp/'", "what would go with all objects of a type"},
	{"core retained --by goroutine -n 5", "the five goroutines that keep most"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_retained = {
	.name = "retained",
	.summary = "What would go if an owner, or all objects of a type, went.",
	.usage = "retained [OWNER] [--by WHAT] [--exact N]",
	.help = "An owner is a package variable, a goroutine (all of its frames), a timer, a pending "
		"defer (counted in its goroutine too), a queue of finalizers or cleanups, or a part "
		"of the runtime. What the runtime notes about a goroutine or timer is its own: "
		"runtime.allgs owns no goroutine. retained is what nothing else leads to, exactly; "
		"shallow are the objects that describe the owner itself.\n"
		"\n"
		"Table shared is what several owners hold together: it goes when all of them go. "
		"In a server that is most of the heap: every handler reaches it. Objects of one type "
		"with the same owners are one row (shared says how many). The owners' bytes and "
		"these are all live bytes, each once.\n"
		"\n"
		"Of types and packages, retained is at_least what hangs on their objects in the "
		"tree of dominators; for the first rows the heap is marked again without them, "
		"which is exact. `goheap dom` looks into an owner.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.max_positional = 1,
	.needs_target = true,
	.run = run,
};
