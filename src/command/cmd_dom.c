// SPDX-License-Identifier: Apache-2.0
// `dom`: the dominator tree, one node at a time: what goes with it, largest first.
#include <stdlib.h>

#include "analysis/domview.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "command/command.h"
#include "command/heap_notes.h"
#include "command/owner_arg.h"
#include "report/format.h"

enum column { ADDRESS, NAME, TYPE, BYTES, RETAINED, SHARE, COUNT, RETAINED_KIND, NCOLUMNS };

static const struct gh_column columns[NCOLUMNS] = {
	[ADDRESS] = {"address", GH_UNIT_ADDRESS, false, .handle = 'o'},
	[NAME] = {"name", GH_UNIT_TEXT, false},
	[TYPE] = {"type", GH_UNIT_TEXT, false},
	[BYTES] = {"bytes", GH_UNIT_BYTES, true},
	[RETAINED] = {"retained", GH_UNIT_BYTES, false},
	[SHARE] = {"share", GH_UNIT_SHARE, false},
	[COUNT] = {"count", GH_UNIT_COUNT, false},
	[RETAINED_KIND] = {"retained_kind", GH_UNIT_TEXT, true},
};

enum {
	MAX_SINGLE = 1000, // children shown one by one
	SMALL = 500,	   // of the parent's bytes: smaller ones are folded
};

struct request {
	struct gh_session *session;
	struct gh_report *report;
	gh_node node;
	struct gh_slot slot; // of the node, if it is an object
};

/* ".conn", "[3]": what the word at `at` is called in the node. */
static const char *name_of(const struct request *r, const struct gh_dom_child *child)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	const struct gh_owner_graph *graph = r->session->owners;

	if (child->folded) {
		gh_strbuf_printf(&sb, "(%llu smaller)", (unsigned long long)child->folded);
	} else if (!child->addr) {
		gh_owner_describe(graph, child->node, &sb);
	} else if (r->node == GH_NODE_ROOT) {
		gh_strbuf_puts(&sb, "(shared)");
	} else if (child->at && !gh_node_is_owner(graph, r->node)) {
		gh_slot_name_place(r->session, &r->slot, child->at - r->slot.ref.base, &sb);
	}
	return sb.len ? gh_arena_strndup(&r->report->arena, gh_strbuf_str(&sb), sb.len) : NULL;
}

static struct gh_error *add_child(const struct request *r, struct gh_table *table,
				  const struct gh_dom_child *child)
{
	struct gh_cell *cells = gh_table_row(table);
	uint64_t whole = r->session->owners->live_bytes;

	if (!cells)
		return gh_error_nomem();
	if (child->addr)
		cells[ADDRESS] = gh_cell_u64(child->addr);
	cells[NAME] = gh_cell_text(name_of(r, child));
	if (child->type)
		cells[TYPE] = gh_cell_copy(r->report, child->type, strlen(child->type));
	cells[BYTES] = gh_cell_u64(child->bytes);
	cells[RETAINED] = gh_cell_u64(child->retained);
	if (whole)
		cells[SHARE] = gh_cell_real((double)child->retained / (double)whole);
	cells[COUNT] = gh_cell_u64(child->objects);
	// what several folded ones share, and nothing else holds, would go with all of them
	cells[RETAINED_KIND] = gh_cell_text(child->folded > 1 ? "at_least" : "exact");
	return NULL;
}

static void put_node(const struct request *r, gh_node node, struct gh_strbuf *sb)
{
	const struct gh_owner_graph *graph = r->session->owners;
	struct gh_slot slot;

	if (node == GH_NODE_ROOT)
		gh_strbuf_puts(sb, "all that is live");
	else if (gh_node_is_owner(graph, node))
		gh_owner_describe(graph, node, sb);
	else if (gh_slot_at(r->session,
			    gh_heap_slot_base(r->session->heap, gh_node_slot(graph, node)),
			    &r->report->arena, &slot))
		gh_strbuf_puts(sb, slot.name);
}

/* Where the node hangs, from its dominator up to the owner; the middle of a long way is left out. */
static void put_way(const struct request *r, struct gh_strbuf *sb)
{
	enum { SHOWN = 4 };
	const struct gh_domtree *tree = r->session->domtree;
	uint64_t steps = 0;

	for (gh_node at = r->node; at != GH_NODE_ROOT; steps++) {
		gh_node above = gh_domtree_idom(tree, at);

		if (above == GH_NODE_ROOT)
			break;
		if (steps < SHOWN || gh_domtree_idom(tree, above) == GH_NODE_ROOT) {
			gh_strbuf_puts(sb, steps == 0 ? "; held by " : ", in ");
			put_node(r, above, sb);
		} else if (steps == SHOWN) {
			gh_strbuf_puts(sb, ", …");
		}
		at = above;
	}
	if (r->node != GH_NODE_ROOT && !gh_node_is_owner(r->session->owners, r->node) && !steps)
		gh_strbuf_puts(sb, "; several owners share it");
}

static void put_headline(const struct request *r, const struct gh_domview *view,
			 bool exact_bytes)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	struct gh_cell bytes = gh_cell_u64(gh_domtree_retained(r->session->domtree, r->node));
	uint64_t objects = gh_domtree_count(r->session->domtree, r->node);

	put_node(r, r->node, &sb);
	gh_strbuf_puts(&sb, ": retains ");
	gh_format_cell(&sb, &bytes, GH_UNIT_BYTES, exact_bytes);
	gh_strbuf_printf(&sb, "%s in %llu object%s; %llu %s", exact_bytes ? " bytes" : "",
			 (unsigned long long)objects, gh_plural(objects),
			 (unsigned long long)view->nchildren,
			 view->nchildren == 1 ? "child" : "children");
	put_way(r, &sb);
	r->report->headline =
		gh_arena_strndup(&r->report->arena, gh_strbuf_str(&sb), sb.len);
}

static struct gh_error *fill(struct request *r, const struct gh_args *args)
{
	uint64_t retained = gh_domtree_retained(r->session->domtree, r->node);
	uint64_t min = args->min_bytes ? args->min_bytes : retained / SMALL;
	struct gh_table *table;
	struct gh_domview view;
	struct gh_error *err;

	err = gh_domview_create(r->session, r->node, min,
				gh_args_option(args, "--all") ? SIZE_MAX : MAX_SINGLE, &view);
	if (err)
		return err;
	table = gh_report_table(r->report, "objects", columns, NCOLUMNS);
	if (!table)
		err = gh_error_nomem();
	for (size_t i = 0; i < view.children.len && !err; i++)
		err = add_child(r, table, &view.children.data[i]);
	put_headline(r, &view, args->render.exact_bytes);
	gh_domview_deinit(&view);
	return err;
}

/* A leaf has nothing below it. */
static struct gh_error *refuse_leaf(const struct request *r)
{
	return gh_error_create(GH_ERR_MISSING,
			       "dom: 0x%llx is a %s of %llu bytes that holds nothing else",
			       (unsigned long long)r->slot.ref.base, r->slot.name,
			       (unsigned long long)r->slot.ref.elem_bytes);
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	struct request r = {.session = session, .report = report, .node = GH_NODE_ROOT};
	struct gh_error *err = gh_session_dominators(session);

	if (!err && args->npositional)
		err = gh_owner_arg(session, args->positional[0], &report->arena, &r.node, &r.slot);
	if (!err && r.node == GH_NODE_NONE)
		err = refuse_leaf(&r);
	if (!err)
		err = fill(&r, args);
	if (!err)
		gh_heap_notes(session, report);
	return err;
}

static const struct gh_option options[] = {
	{"--all", NULL, NULL, "every child in a row of its own"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"objects", columns, NCOLUMNS},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core dom", "the owners, and what they share"},
	{"core dom main.cache", "what the variable holds alone"},
	{"core dom 0xc000012345", "and one of these objects; at a prompt: dom $o1"},
	{"core dom 12 --min 1M", "goroutine 12: children of 1 MiB and more one by one"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_dom = {
	.name = "dom",
	.summary = "The dominator tree: what an owner or object holds alone.",
	.usage = "dom [OBJECT|OWNER] [--min SIZE] [--all]",
	.help = "Like a disk usage tool for the heap: each child would go if the node went, with "
		"all that it retains, and children together with the node itself are what the node "
		"retains. OWNER is a package variable, a goroutine's number, or an owner as "
		"`retained` prints it; without one the tree begins with the owners. Objects that "
		"several owners share hang right below the beginning.\n"
		"\n"
		"name is where in the node the child hangs, if the node refers to it itself. Children "
		"below 0.2 % of the node (or --min) are folded by type.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.max_positional = 1,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_PACKAGE,
	.needs_target = true,
	.run = run,
};
