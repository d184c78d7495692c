// SPDX-License-Identifier: Apache-2.0
// `paths`: the ways to all objects of a type, merged.
#include <stdlib.h>

#include "analysis/merged.h"
#include "base/cleanup.h"
#include "command/command.h"
#include "command/filter.h"
#include "command/heap_notes.h"

enum column { PATH, COUNT, BYTES, SHARE, LEVEL, NCOLUMNS };

static const struct gh_column columns[NCOLUMNS] = {
	[PATH] = {"path", GH_UNIT_TEXT, false},	  [COUNT] = {"count", GH_UNIT_COUNT, false},
	[BYTES] = {"bytes", GH_UNIT_BYTES, false}, [SHARE] = {"share", GH_UNIT_SHARE, false},
	[LEVEL] = {"level", GH_UNIT_COUNT, true},
};

struct request {
	struct gh_report *report;
	struct gh_table *table;
	struct gh_type_arg type;
	struct gh_merged merged;
	struct gh_merged_node sum; // count and bytes of the rows of the first level
};

static const char *path_of(const struct request *r, uint32_t node)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	gh_merged_path(&r->merged, node, &sb);
	return gh_strbuf_ok(&sb) ? gh_arena_strndup(&r->report->arena, gh_strbuf_str(&sb), sb.len)
				 : NULL;
}

static void fill_cells(const struct request *r, const struct gh_merged_node *node,
		       struct gh_cell *cells)
{
	cells[COUNT] = gh_cell_u64(node->count);
	cells[BYTES] = gh_cell_u64(node->bytes);
	if (r->merged.nodes.data[0].bytes)
		cells[SHARE] = gh_cell_real((double)node->bytes /
					    (double)r->merged.nodes.data[0].bytes);
}

static struct gh_error *add_row(struct request *r, uint32_t node, uint64_t level)
{
	struct gh_cell *cells = gh_table_row(r->table);

	if (!cells)
		return gh_error_nomem();
	cells[PATH] = gh_cell_text(path_of(r, node));
	fill_cells(r, &r->merged.nodes.data[node], cells);
	cells[LEVEL] = gh_cell_u64(level);
	if (level == 0) {
		r->sum.count += r->merged.nodes.data[node].count;
		r->sum.bytes += r->merged.nodes.data[node].bytes;
	}
	return cells[PATH].text ? NULL : gh_error_nomem();
}

/* Does the path end there, or part? Else its one child says as much. */
static bool is_shown(const struct gh_merged *merged, uint32_t node)
{
	uint32_t child = merged->nodes.data[node].child;

	return merged->nodes.data[node].ends || !child || merged->nodes.data[child].sibling;
}

/* Rows of the tree, parents before their children. */
static struct gh_error *add_rows(struct request *r)
{
	const struct gh_merged_node *nodes = r->merged.nodes.data;
	struct gh_error *err = NULL;
	uint32_t at = nodes[0].child;
	uint64_t level = 0;

	while (!err && at) {
		bool shown = is_shown(&r->merged, at);

		if (shown && nodes[at].bytes >= r->type.filter.min_bytes)
			err = add_row(r, at, level);
		if (nodes[at].child && nodes[at].bytes >= r->type.filter.min_bytes) {
			level += shown;
			at = nodes[at].child;
			continue;
		}
		while (at && !nodes[at].sibling) {
			at = nodes[at].parent;
			level -= at && is_shown(&r->merged, at);
		}
		at = at ? nodes[at].sibling : 0;
	}
	return err;
}

static void say(struct request *r, const char *what)
{
	const struct gh_merged_node *nodes = r->merged.nodes.data;
	uint32_t meeting = gh_merged_meeting(&r->merged);
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	gh_strbuf_printf(&sb, "%llu objects of %s", (unsigned long long)nodes[0].count, what);
	if (meeting) {
		gh_strbuf_printf(&sb, "; %llu of them come by ",
				 (unsigned long long)nodes[meeting].count);
		gh_merged_path(&r->merged, meeting, &sb);
	} else if (nodes[0].count) {
		gh_strbuf_puts(&sb, "; no path is common to most of them");
	}
	r->report->headline = gh_arena_strndup(&r->report->arena, gh_strbuf_str(&sb), sb.len);
	if (r->merged.own_objects)
		gh_report_skip(r->report, "objects", r->merged.own_objects,
			       "the runtime's own records of goroutines and the like");
	if (r->merged.unowned_objects)
		gh_report_skip(r->report, "objects", r->merged.unowned_objects,
			       "no owner that is known leads to them");
	if (r->merged.folded)
		gh_report_skip(r->report, "steps", r->merged.folded,
			       "there are over 100,000 kinds of them: they count where they "
			       "begin");
}

static struct gh_error *build(struct gh_session *session, struct request *r)
{
	gh_merged_deinit(&r->merged);
	return gh_merged_build(session, gh_type_arg_means, &r->type, &r->merged);
}

static bool is_empty(const struct gh_merged *merged)
{
	return !merged->nodes.data[0].count && !merged->own_objects && !merged->unowned_objects;
}

static struct gh_error *fill(struct gh_session *session, struct request *r,
			     const struct gh_args *args, const char *word)
{
	struct gh_error *err;
	bool again = false;

	err = build(session, r);
	if (!err && is_empty(&r->merged))
		err = gh_type_arg_widen(&r->type, &again);
	if (!err && again)
		err = build(session, r);
	if (!err && is_empty(&r->merged))
		return gh_type_arg_none(args, word);
	if (!err)
		err = add_rows(r);
	if (!err)
		say(r, word ? word : "these types");
	if (!err && gh_table_total(r->table))
		fill_cells(r, &r->sum, gh_table_total(r->table));
	return err;
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	const char *word = args->npositional ? args->positional[0] : NULL;
	struct request r = {.report = report};
	struct gh_error *err;

	if (!word && !args->type_re && !args->package_re)
		return gh_error_create(GH_ERR_USAGE,
				       "paths: give a type: `goheap top` lists them");
	err = gh_type_arg_init(args, word, &r.type);
	if (!err)
		r.table = gh_report_table(report, "paths", columns, NCOLUMNS);
	if (!err)
		err = r.table ? fill(session, &r, args, word) : gh_error_nomem();
	gh_merged_deinit(&r.merged);
	gh_type_arg_deinit(&r.type);
	if (!err)
		gh_heap_notes(session, report);
	return err;
}

static const struct gh_table_shape tables[] = {
	{"paths", columns, NCOLUMNS},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core paths main.Session", "by which ways all objects of a type are held"},
	{"core paths '[]uint8' --min 1M", "those that lead to at least 1 MiB"},
	{"core paths 'main[.].*Conn'", "of all types that match"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_paths = {
	.name = "paths",
	.summary = "Who holds the objects of a type: their shortest paths, merged.",
	.usage = "paths TYPE [--min SIZE]",
	.help = "TYPE is a type's full name or, where no type has that name, a regular "
		"expression.\n\n"
		"A row is a path, as `goheap path` shows it, with indices, keys and numbers of "
		"goroutines as […]; a path that ends in … goes on in objects of the same kind (a "
		"list, a tree). count and bytes are of the objects asked for that it leads to; "
		"rows below a row part its objects. Each object counts once, for one shortest "
		"path. The line on top says where most of them come by.\n",
	.examples = examples,
	.tables = tables,
	.max_positional = 1,
	.needs_target = true,
	.run = run,
};
