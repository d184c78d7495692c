// SPDX-License-Identifier: Apache-2.0
// `path`: how one comes from an owner to an object.
#include <stdlib.h>

#include "analysis/objects.h"
#include "analysis/path_name.h"
#include "base/cleanup.h"
#include "command/command.h"
#include "command/filter.h"
#include "command/heap_notes.h"
#include "graph/routes.h"
#include "graph/weak.h"

/* People have the expression on top. */
enum column { NAME, ADDRESS, TYPE, WORD, HOPS, NUMBER, EXPRESSION, NCOLUMNS };

static const struct gh_column columns[NCOLUMNS] = {
	[NAME] = {"name", GH_UNIT_TEXT, false},
	[ADDRESS] = {"address", GH_UNIT_ADDRESS, false, .handle = 'o'},
	[TYPE] = {"type", GH_UNIT_TEXT, false},
	[WORD] = {"word", GH_UNIT_ADDRESS, true},
	[HOPS] = {"hops", GH_UNIT_COUNT, true},
	[NUMBER] = {"path", GH_UNIT_COUNT, true},
	[EXPRESSION] = {"expression", GH_UNIT_TEXT, true},
};

enum { ROOTS_SHOWN = 20, MAX_PATHS = 10000, BATCH = 256 };

struct request {
	struct gh_session *session;
	struct gh_report *report;
	struct gh_table *table;
	struct gh_path_namer namer;
	struct gh_path_vec paths;
	struct gh_strbuf headline;
	uint64_t slot; // of the object; while weak paths are looked for, of the handle
	size_t k;      // paths wanted
	size_t nstrong; // of paths: the others lead to the handle of weak pointers
	bool all_roots, weak;
};

/* The way of a path's nodes, from the object up. above: what leads to a leaf; its `from` is the
 * last node of the route. */
static struct gh_error *push_route(struct request *r, struct gh_path_builder *b,
				   const struct gh_route *route, struct gh_shortest_link above)
{
	const struct gh_owner_graph *graph = r->session->owners;
	bool ok = true;

	if (above.from != GH_NODE_ROOT)
		ok = gh_path_push(b, above, r->slot);
	for (size_t i = route->n; ok && i-- > 1;) {
		uint64_t slot = gh_node_slot(graph, route->nodes[i]);

		ok = gh_path_push(b, gh_backedges_link(graph, route->nodes[i - 1], slot), slot);
	}
	return ok ? NULL : gh_error_nomem();
}

static struct gh_error *keep(struct request *r, struct gh_path_builder *b)
{
	struct gh_path path;
	struct gh_error *err = gh_path_finish(b, &path);

	if (!err && !gh_path_vec_push(&r->paths, path)) {
		gh_path_deinit(&path);
		err = gh_error_nomem();
	}
	return err;
}

static struct gh_error *add_shortest(struct request *r, gh_node node,
				     struct gh_shortest_link above)
{
	struct gh_path_builder b = {.session = r->session};
	struct gh_error *err = NULL;

	if (above.from != GH_NODE_ROOT && !gh_path_push(&b, above, r->slot))
		err = gh_error_nomem();
	if (!err)
		err = gh_path_push_shortest(&b, node);
	if (!err)
		err = keep(r, &b);
	gh_path_builder_deinit(&b);
	return err;
}

static struct gh_error *find_routes(struct request *r, gh_node node, struct gh_route_vec *routes)
{
	struct gh_session *s = r->session;
	struct gh_error *err = gh_session_backedges(s);
	bool is_cut = false;
	uint64_t more = 0;

	if (err)
		return err;
	if (r->all_roots)
		err = gh_routes_of_owners(s->backedges, node, r->k, &s->poll, routes, &more);
	else
		err = gh_routes_shortest(s->shortest, s->backedges, node, r->k, &s->poll, routes,
					 &is_cut);
	if (more)
		gh_report_skip(r->report, "owners", more,
			       "they hold it, too: -n 0 shows a path from each");
	if (is_cut)
		gh_report_note(r->report, "there may be more paths: comparing them took too many "
					  "steps");
	return err;
}

static struct gh_error *add_routes(struct request *r, gh_node node, struct gh_shortest_link above)
{
	struct gh_route_vec routes = {0};
	struct gh_error *err = find_routes(r, node, &routes);

	for (size_t i = 0; !err && i < routes.len; i++) {
		struct gh_path_builder b = {.session = r->session};

		err = push_route(r, &b, &routes.data[i], above);
		if (!err)
			err = keep(r, &b);
		gh_path_builder_deinit(&b);
	}
	if (!err && !routes.len)
		err = add_shortest(r, node, above);
	gh_routes_deinit(&routes);
	return err;
}

static struct gh_error *find_paths(struct request *r)
{
	struct gh_shortest_link above = {GH_NODE_ROOT, 0};
	struct gh_session *s = r->session;
	struct gh_error *err = NULL;
	gh_node node;

	if (gh_slot_is_node(s->owners, r->slot)) {
		node = gh_node_of_slot(s->owners, r->slot);
	} else {
		err = gh_shortest_leaf(s->owners, r->slot, &s->poll, &above);
		node = above.from;
		if (err || node == GH_NODE_ROOT)
			return err;
	}
	if (!gh_node_is_owner(s->owners, node) &&
	    gh_shortest_to(s->shortest, node).from == GH_NODE_ROOT)
		return NULL; // no owner leads there
	if (gh_node_is_owner(s->owners, node) || (r->k == 1 && !r->all_roots))
		return add_shortest(r, node, above);
	return add_routes(r, node, above);
}

/* To the handle, as if it were the object. */
static struct gh_error *find_weak_paths(struct request *r)
{
	struct gh_session *s = r->session;
	gh_addr handle = gh_weak_handle(s->heap, r->slot);
	struct gh_error *err = NULL;
	uint64_t slot = r->slot;
	struct gh_slot_ref ref;

	if (!handle || !gh_heap_find(s->heap, handle, &ref) ||
	    !gh_state_is_live(gh_mark_state(s->mark, ref.slot)))
		return NULL;
	r->slot = ref.slot;
	err = find_paths(r);
	r->slot = slot;
	return err;
}

static struct gh_error *add_row(struct request *r, size_t number, const struct gh_path_row *row,
				const char *expression)
{
	struct gh_cell *cells = gh_table_row(r->table);
	struct gh_slot slot;

	if (!cells)
		return gh_error_nomem();
	cells[NUMBER] = gh_cell_u64(number);
	cells[NAME] = gh_cell_text(row->name);
	cells[HOPS] = gh_cell_u64(row->hops);
	if (r->table->ncolumns > EXPRESSION)
		cells[EXPRESSION] = gh_cell_text(expression);
	if (row->object && gh_slot_at(r->session, row->object, &r->report->arena, &slot)) {
		cells[ADDRESS] = gh_cell_u64(slot.ref.base);
		cells[TYPE] = gh_cell_text(slot.name);
	}
	if (row->word)
		cells[WORD] = gh_cell_u64(row->word);
	return NULL;
}

/* From the handle to what it leads to. */
static struct gh_error *add_weak_step(struct request *r, gh_addr object,
				      struct gh_path_row_vec *rows, const char **expression)
{
	const struct gh_path_row *last = &rows->data[rows->len - 1];
	struct gh_path_row row = {
		.name = ".Value()", .object = object, .word = last->object, .hops = 1};

	*expression = gh_arena_printf(&r->report->arena, "%s%s", *expression, row.name);
	return *expression && gh_path_row_vec_push(rows, row) ? NULL : gh_error_nomem();
}

static struct gh_error *show(struct request *r, gh_addr object)
{
	struct gh_error *err = NULL;

	for (size_t i = 0; !err && i < r->paths.len; i++) {
		struct gh_path_row_vec rows = {0};
		const char *expression;

		err = gh_path_name(&r->namer, &r->paths.data[i], &rows, &expression);
		if (!err && i >= r->nstrong && rows.len)
			err = add_weak_step(r, object, &rows, &expression);
		for (size_t k = 0; !err && k < rows.len; k++)
			err = add_row(r, i + 1, &rows.data[k],
				      k + 1 == rows.len ? expression : NULL);
		if (!err && r->paths.len > 1)
			gh_strbuf_printf(&r->headline, "%s%zu: %s", i ? "\n" : "", i + 1,
					 expression);
		else if (!err)
			gh_strbuf_puts(&r->headline, expression);
		gh_path_row_vec_deinit(&rows);
	}
	return err;
}

/* Why there is no path. */
static void explain(struct request *r, const struct gh_slot *slot)
{
	const struct gh_owner_graph *graph = r->session->owners;
	gh_node owner = gh_owner_of_slot(graph, r->slot);
	unsigned long long base = slot->ref.base;

	if (slot->state == GH_SLOT_IS_FREE) {
		gh_strbuf_printf(&r->headline, "0x%llx is a free slot: nothing is there", base);
	} else if (slot->state == GH_SLOT_IS_DEAD) {
		gh_strbuf_printf(&r->headline, "0x%llx is garbage: nothing that lives leads to it",
				 base);
	} else if (owner != GH_NODE_NONE) {
		gh_strbuf_printf(&r->headline, "0x%llx is the runtime's own record of ", base);
		gh_owner_describe(graph, owner, &r->headline);
	} else {
		gh_strbuf_printf(&r->headline,
				 "0x%llx lives, but no owner that is known leads to it", base);
	}
}

static struct gh_error *fill(struct request *r, gh_addr addr)
{
	struct gh_error *err = NULL;
	struct gh_slot slot;

	if (!gh_slot_at(r->session, addr, &r->report->arena, &slot))
		return gh_error_create(GH_ERR_MISSING, "0x%llx is in no object of the heap",
				       (unsigned long long)addr);
	r->slot = slot.ref.slot;
	if (slot.state == GH_SLOT_IS_LIVE &&
	    gh_owner_of_slot(r->session->owners, r->slot) == GH_NODE_NONE)
		err = find_paths(r);
	r->nstrong = r->paths.len;
	if (!err && r->weak)
		err = find_weak_paths(r);
	if (!err)
		err = show(r, slot.ref.base);
	if (err)
		return err;
	if (!r->paths.len) {
		explain(r, &slot);
		if (r->table->ncolumns > EXPRESSION) // for machines, which see no headline
			gh_report_note(r->report, "%s", gh_strbuf_str(&r->headline));
	}
	r->report->headline =
		gh_arena_strndup(&r->report->arena, gh_strbuf_str(&r->headline), r->headline.len);
	return r->report->headline && gh_strbuf_ok(&r->headline) ? NULL : gh_error_nomem();
}

/* The largest live object that is meant; of several the first. */
static struct gh_error *find_largest(struct request *r, struct gh_type_arg *type, gh_addr *ret)
{
	const struct gh_objects_query query = {.min_bytes = type->filter.min_bytes,
					       .wanted = gh_type_arg_means,
					       .ctx = type,
					       .arena = &r->report->arena};
	struct gh_object batch[BATCH];
	struct gh_objects objects;
	uint64_t most = 0;
	size_t n = 0;
	struct gh_error *err = gh_objects_init(r->session, &query, &objects);

	do {
		if (!err)
			err = gh_objects_next(&objects, batch, BATCH, &n);
		for (size_t i = 0; !err && i < n; i++)
			if (batch[i].bytes > most) {
				most = batch[i].bytes;
				*ret = batch[i].addr;
			}
	} while (!err && n);
	gh_objects_deinit(&objects);
	return err;
}

static struct gh_error *find_by_type(struct request *r, const struct gh_args *args,
				     const char *word, gh_addr *ret)
{
	struct gh_type_arg type = {0};
	struct gh_error *err = gh_type_arg_init(args, word, &type);
	bool again = false;

	if (!err)
		err = find_largest(r, &type, ret);
	if (!err && !*ret)
		err = gh_type_arg_widen(&type, &again);
	if (!err && again)
		err = find_largest(r, &type, ret);
	gh_type_arg_deinit(&type);
	if (!err && !*ret)
		return gh_type_arg_none(args, word);
	return err;
}

static struct gh_error *find_object(struct request *r, const struct gh_args *args, gh_addr *ret)
{
	const char *word = args->npositional ? args->positional[0] : NULL;

	if (!word && !args->type_re && !args->package_re)
		return gh_error_create(GH_ERR_USAGE,
				       "path: give an address or a type: `goheap objects` and "
				       "`goheap top` list them");
	if (word && gh_parse_address(word, ret))
		return NULL;
	return find_by_type(r, args, word, ret);
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	struct request r = {.session = session, .report = report};
	struct gh_error *err;
	gh_addr addr = 0;

	r.all_roots = gh_args_option(args, "--all-roots") != NULL;
	r.weak = gh_args_option(args, "--weak") != NULL;
	r.k = (size_t)gh_min_u64(args->limit ? args->limit : r.all_roots ? ROOTS_SHOWN : 1,
				 MAX_PATHS);
	err = find_object(&r, args, &addr);
	if (!err)
		err = gh_session_shortest(session);
	if (err)
		return err;
	r.table = gh_report_table(report, "hops", columns,
				  args->render.format == GH_FORMAT_TEXT ? EXPRESSION : NCOLUMNS);
	if (r.table)
		r.table->key = ADDRESS;
	gh_path_namer_init(&r.namer, session, &report->arena);
	r.namer.all_hops = gh_args_option(args, "--all-hops") != NULL;
	err = r.table ? fill(&r, addr) : gh_error_nomem();
	gh_path_namer_deinit(&r.namer);
	for (size_t i = 0; i < r.paths.len; i++)
		gh_path_deinit(&r.paths.data[i]);
	gh_path_vec_deinit(&r.paths);
	gh_strbuf_deinit(&r.headline);
	if (!err)
		gh_heap_notes(session, report);
	return err;
}

static const struct gh_option options[] = {
	{"--all-roots", NULL, NULL, "one path from each owner that holds it (the first 20, or -n)"},
	{"--all-hops", NULL, NULL, "a line for what people have no name for, too: parts of maps"},
	{"--weak", NULL, NULL, "weak pointers, too, behind what holds it: they end in .Value()"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"hops", columns, NCOLUMNS},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core path 0xc000012345", "the shortest path from an owner to the object at an address"},
	{"core path 0xc000012345 -n 5", "the five shortest, which differ in the objects on them"},
	{"core path 0xc000012345 --all-roots", "everybody who holds it"},
	{"core path '[]uint8'", "how one comes to the largest object of a type"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_path = {
	.name = "path",
	.summary = "How one comes to an object: the shortest path from a variable, …",
	.usage = "path ADDRESS|TYPE [-n K] [--all-roots] [--weak] [--all-hops]",
	.help = "The path stands on top as one expression, as people write it in Go, then a line "
		"a hop: `name` leads from the line before to the object of this one. Paths begin "
		"at package variables, goroutines (function and variable), timers and defers; only "
		"for what none of them holds at queues of finalizers and cleanups, and after that "
		"at parts of the runtime. Weak pointers hold nothing and are followed with --weak only.\n\n"
		"[\"u42\"] is an entry of a map, .(key) the key of one; .<-[0] is what will be "
		"received first from a channel; .func1·x is what a closure captured; .(T) is what "
		"an interface holds, .* what lies behind a pointer; +0x18 a place that nobody can "
		"name. A step that repeats stands once: (.next ×9,998,123). `word` is where the "
		"pointer lies, `hops` how many of memory a line stands for.\n\n"
		"-n counts paths, not lines. A TYPE (or --type) stands for the largest live "
		"object of it.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.max_positional = 1,
	.needs_target = true,
	.reads = GH_READS_VALUES,
	.counts_itself = true,
	.run = run,
};
