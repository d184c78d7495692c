// SPDX-License-Identifier: Apache-2.0
// `goroutine ID`: one goroutine in full: its stack with inlined calls, what its variables hold, what
// it waits for and who else does, its pending defers, who started it.
#include <stdlib.h>

#include "analysis/goroutine_nodes.h"
#include "base/cleanup.h"
#include "base/ring.h"
#include "command/code_cells.h"
#include "command/goroutine_tables.h"
#include "command/waiting_rows.h"
#include "graph/value.h"
#include "report/format.h"

enum frame_column { F_FUNCTION, F_FILE, F_LINE, F_INLINED, F_SP, F_FRAME, F_PC, F_SHOWN, NFRAME };

static const struct gh_column frame_columns[NFRAME] = {
	[F_FUNCTION] = {"function", GH_UNIT_TEXT, false},
	[F_FILE] = {"file", GH_UNIT_TEXT, false},
	[F_LINE] = {"line", GH_UNIT_COUNT, false},
	[F_INLINED] = {"inlined", GH_UNIT_BOOL, true},
	[F_SP] = {"sp", GH_UNIT_ADDRESS, true},
	[F_FRAME] = {"frame", GH_UNIT_COUNT, false},
	[F_PC] = {"pc", GH_UNIT_ADDRESS, true},
	[F_SHOWN] = {"shown", GH_UNIT_BOOL, true},
};

enum variable_column { A_FRAME, A_FUNCTION, A_NAME, A_KIND, A_TYPE, A_VALUE, A_ADDRESS, NVARIABLE };

static const struct gh_column variable_columns[NVARIABLE] = {
	[A_FRAME] = {"frame", GH_UNIT_COUNT, false},
	[A_FUNCTION] = {"function", GH_UNIT_TEXT, true},
	[A_NAME] = {"name", GH_UNIT_TEXT, false},
	[A_KIND] = {"kind", GH_UNIT_TEXT, false},
	[A_TYPE] = {"type", GH_UNIT_TEXT, false},
	[A_VALUE] = {"value", GH_UNIT_TEXT, false},
	[A_ADDRESS] = {"address", GH_UNIT_ADDRESS, true},
};

enum fact_column { N_NAME, N_VALUE, NFACT };

static const struct gh_column fact_columns[NFACT] = {
	[N_NAME] = {"name", GH_UNIT_TEXT, false},
	[N_VALUE] = {"value", GH_UNIT_TEXT, false},
};

enum {
	ENDS_SHOWN = 50,      // frames of either end of a deep stack that people see
	MAX_VALUE = 100,      // bytes of a value
	MAX_VARIABLES = 2000, // of all frames
};

static void request_deinit(struct goroutine_request *r)
{
	gh_frame_vec_deinit(&r->frames);
	gh_trace_frame_vec_deinit(&r->logical);
}

static struct gh_error *find_goroutine(struct goroutine_request *r, const char *word)
{
	const struct gh_goroutine_vec *gs = &r->session->goroutines;
	char *end;
	uint64_t goid = strtoull(word, &end, 10);

	if (*word < '0' || *word > '9' || *end)
		return gh_error_create(GH_ERR_USAGE,
				       "goroutine: '%s' is no number of a goroutine: 17, or a "
				       "handle such as $g17: `goheap goroutines` lists them",
				       word);
	for (size_t i = 0; i < gs->len; i++)
		if (gs->data[i].goid == goid && !gh_goroutine_is_dead(&gs->data[i])) {
			r->g = &gs->data[i];
			return NULL;
		}
	return gh_error_create(GH_ERR_MISSING,
			       "there is no goroutine %llu: `goheap goroutines --all` lists them",
			       (unsigned long long)goid);
}

static struct gh_error *load_stack(struct goroutine_request *r)
{
	enum gh_unwind_end end;
	struct gh_error *err = gh_stack_unwind(r->session->rt, r->g, &r->frames, &end);

	if (!err)
		err = gh_traceback_frames(r->session->rt, &r->frames, &r->logical);
	if (err)
		return err;
	gh_traceback_of(r->session->rt, r->g, &r->logical, &r->traceback);
	r->traceback.complete = end == GH_UNWIND_COMPLETE;
	if (!r->traceback.complete)
		gh_report_skip(r->report, "frames", 1,
			       "the stack could not be walked to its end: outer ones are missing");
	return NULL;
}

static struct gh_error *add_frame(const struct goroutine_request *r, struct gh_table *table,
				  const struct gh_trace_frame *f)
{
	const struct gh_frame *frame = &r->frames.data[f->physical];
	struct gh_cell *row = gh_table_row(table);

	if (!row)
		return gh_error_nomem();
	row[F_FUNCTION] = gh_function_cell(r->report, f->source.function);
	if (f->source.file) {
		row[F_FILE] = gh_cell_text(f->source.file);
		row[F_LINE] = gh_cell_u64((uint64_t)f->source.line);
	}
	row[F_INLINED] = gh_cell_bool(f->source.inlined);
	row[F_SP] = gh_cell_u64(frame->sp);
	row[F_FRAME] = gh_cell_u64(f->physical);
	row[F_PC] = gh_cell_u64(frame->pc);
	row[F_SHOWN] = gh_cell_bool(f->shown);
	return NULL;
}

static struct gh_error *list_frames(const struct goroutine_request *r)
{
	struct gh_table *table = gh_report_table(r->report, "frames", frame_columns, NFRAME);
	struct gh_error *err = table ? NULL : gh_error_nomem();
	size_t shown = 0, n = 0;
	uint64_t left_out = 0;

	for (size_t i = 0; i < r->logical.len; i++)
		shown += r->all || r->logical.data[i].shown;
	for (size_t i = 0; !err && i < r->logical.len; i++) {
		if (!r->all && !r->logical.data[i].shown)
			continue;
		n++;
		if (r->ends && n > ENDS_SHOWN && n + ENDS_SHOWN <= shown) {
			left_out++;
			continue;
		}
		err = add_frame(r, table, &r->logical.data[i]);
	}
	gh_report_skip(r->report, "frames", left_out, "in the middle of the stack: -n 0 shows all");
	return err;
}

/* A variable's pieces that lie side by side, as a whole. False: some lie elsewhere. */
static bool is_whole(const struct gh_dlocal_vec *locals, size_t at, uint64_t size)
{
	const struct gh_dlocal *first = &locals->data[at];
	int64_t base = first->cfa_offset - (int64_t)first->type_offset;
	uint64_t sum = 0;

	for (size_t i = at; i < locals->len; i++) {
		const struct gh_dlocal *piece = &locals->data[i];

		if (strcmp(piece->name, first->name) == 0 && piece->type == first->type &&
		    piece->cfa_offset - (int64_t)piece->type_offset == base)
			sum += piece->size;
	}
	return size && sum >= size;
}

static bool was_seen(const struct gh_dlocal_vec *locals, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (locals->data[i].type == locals->data[at].type &&
		    strcmp(locals->data[i].name, locals->data[at].name) == 0)
			return true;
	return false;
}

static struct gh_error *add_variable(struct goroutine_request *r, struct gh_table *table,
				     const struct gh_dlocal_vec *locals, size_t at, uint32_t index)
{
	const struct gh_dlocal *local = &locals->data[at];
	const struct gh_frame *frame = &r->frames.data[index];
	struct gh_types *types = r->session->types;
	const struct gh_dtype_info *info = gh_dwarf_type(r->session->rt->dwarf, local->type);
	gh_addr addr = frame->fp + (uint64_t)(local->cfa_offset - (int64_t)local->type_offset);
	const char *name = local->name + (local->by_ref && *local->name == '&');
	bool whole = is_whole(locals, at, info->size);
	_cleanup_strbuf_ struct gh_strbuf value = {0};
	struct gh_gotype type;
	struct gh_cell *row;

	if (*name == '~' || *name == '.' || was_seen(locals, at))
		return NULL; // results without names; further pieces
	type = gh_gotype_of_dwarf(types, local->by_ref ? info->elem : local->type);
	if (local->by_ref && (!whole || !gh_read_u64(r->session->rt->image, addr, &addr)))
		whole = false;
	row = gh_table_row(table);
	if (!row)
		return gh_error_nomem();
	row[A_FRAME] = gh_cell_u64(index);
	row[A_FUNCTION] =
		gh_function_cell(r->report, gh_func_name(r->session->rt, &frame->func));
	row[A_NAME] = gh_cell_copy(r->report, name, strlen(name));
	row[A_KIND] = gh_cell_text(local->is_param ? "argument" : "variable");
	name = gh_gotype_name(types, type);
	row[A_TYPE] = gh_cell_copy(r->report, name, strlen(name));
	if (!whole)
		return NULL;
	gh_value_brief(types, type, addr, MAX_VALUE, r->session->no_values, &value);
	row[A_VALUE] = gh_cell_copy(r->report, gh_strbuf_str(&value), value.len);
	row[A_ADDRESS] = gh_cell_u64(addr);
	return NULL;
}

/* Is any call in this frame one that is shown? */
static bool is_frame_shown(const struct goroutine_request *r, uint32_t index)
{
	for (size_t i = 0; i < r->logical.len; i++)
		if (r->logical.data[i].physical == index && r->logical.data[i].shown)
			return true;
	return r->all;
}

static struct gh_error *add_variables(struct goroutine_request *r, struct gh_table *table,
				      uint32_t index,
				      struct gh_dlocal_vec *locals)
{
	const struct gh_runtime *rt = r->session->rt;
	struct gh_error *err;

	locals->len = 0;
	err = gh_dwarf_locals(rt->dwarf, r->frames.data[index].sym_pc - rt->target->exe_bias,
			      locals);
	for (size_t i = 0; !err && i < locals->len; i++) {
		if (table->nrows == MAX_VARIABLES) {
			r->cut_variables++;
			continue;
		}
		err = add_variable(r, table, locals, i, index);
	}
	return err;
}

static struct gh_error *list_variables(struct goroutine_request *r)
{
	struct gh_error *err = gh_session_types(r->session);
	struct gh_dlocal_vec locals = {0};
	struct gh_table *table;

	if (err || !r->session->rt->dwarf)
		return err;
	table = gh_report_table(r->report, "variables", variable_columns, NVARIABLE);
	if (!table)
		return gh_error_nomem();
	for (uint32_t i = 0; !err && i < r->frames.len; i++) {
		size_t from_start = i, from_end = r->frames.len - 1 - i;

		if (!is_frame_shown(r, i) ||
		    (r->ends && from_start >= ENDS_SHOWN && from_end >= ENDS_SHOWN))
			continue;
		if (i % 64 == 0)
			err = gh_poll(&r->session->poll, "reading variables", i, r->frames.len);
		if (!err)
			err = add_variables(r, table, i, &locals);
	}
	gh_dlocal_vec_deinit(&locals);
	if (r->text)
		gh_report_drop_empty(r->report, table);
	gh_report_skip(r->report, "variables", r->cut_variables, "beyond the first 2000");
	return err;
}

static struct gh_error *list_waiting(const struct goroutine_request *r)
{
	size_t index = (size_t)(r->g - r->session->goroutines.data);
	struct gh_table *table = NULL;
	struct gh_error *err = gh_waiting_table(r->session, index, r->report, &table);

	if (!err && r->text)
		gh_report_drop_empty(r->report, table);
	return err;
}

static struct gh_cell labels_cell(const struct goroutine_request *r)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	if (r->session->no_values || !gh_goroutine_labels(r->session->rt, r->g, &sb))
		return (struct gh_cell){0};
	return gh_cell_copy(r->report, gh_strbuf_str(&sb), sb.len);
}

/* What it retains: null unless asked for. */
static struct gh_error *retained_cell(const struct goroutine_request *r, bool asked,
				      struct gh_cell *ret)
{
	struct gh_goroutine_node_vec nodes = {0};
	struct gh_error *err = NULL;
	uint64_t bytes;

	*ret = (struct gh_cell){0};
	if (asked || r->session->domtree)
		err = gh_goroutine_nodes_load(r->session, &nodes);
	if (!err && gh_goroutine_retained(r->session, &nodes, r->g, &bytes))
		*ret = gh_cell_in(gh_cell_u64(bytes), GH_UNIT_BYTES);
	gh_goroutine_node_vec_deinit(&nodes);
	return err;
}

static struct gh_error *list_facts(const struct goroutine_request *r, bool retained)
{
	struct gh_table *table = gh_report_table(r->report, "goroutine", fact_columns, NFACT);
	const struct gh_goroutine *g = r->g;
	struct gh_cell wait = {0}, bytes;
	struct gh_error *err = retained_cell(r, retained, &bytes);
	const char *reason = g->wait_reason && *g->wait_reason ? g->wait_reason : NULL;
	const struct gh_thread *thread = gh_goroutine_thread(r->session->rt, g);
	uint64_t parent = gh_goroutine_parent(r->session->rt, g);
	int64_t ns;
	bool fine;

	if (err || !table)
		return err ? err : gh_error_nomem();
	if (gh_session_wait_ns(r->session, g, &ns))
		wait = gh_cell_in(gh_cell_i64(ns), GH_UNIT_NS);
	fine = gh_table_named(table, "goid", gh_cell_in(gh_cell_u64(g->goid), GH_UNIT_COUNT)) &&
	       gh_table_named(table, "state", gh_cell_text(gh_gstatus_name(g->status))) &&
	       gh_table_named(table, "wait reason", gh_cell_text(reason)) &&
	       gh_table_named(table, "waits for at least", wait) &&
	       gh_table_named(table, "created by",
			      gh_function_cell(r->report, r->traceback.created_by)) &&
	       gh_table_named(table, "created at",
			      gh_site_cell(r->report, r->traceback.created_file,
					   r->traceback.created_line)) &&
	       gh_table_named(table, "parent",
			      parent ? gh_cell_in(gh_cell_u64(parent), GH_UNIT_COUNT)
				     : (struct gh_cell){0}) &&
	       gh_table_named(table, "labels", labels_cell(r)) &&
	       gh_table_named(table, "locked to a thread", gh_cell_bool(g->locked)) &&
	       gh_table_named(table, "thread",
			      thread ? gh_cell_in(gh_cell_u64(thread->tid), GH_UNIT_COUNT)
				     : (struct gh_cell){0}) &&
	       gh_table_named(table, "of the runtime", gh_cell_bool(g->system)) &&
	       gh_table_named(table, "stack",
			      gh_cell_in(gh_cell_u64(g->stack_hi > g->stack_lo
							     ? g->stack_hi - g->stack_lo
							     : 0),
					 GH_UNIT_BYTES)) &&
	       gh_table_named(table, "runtime.g", gh_cell_in(gh_cell_u64(g->addr),
							     GH_UNIT_ADDRESS)) &&
	       gh_table_named(table, "retained", bytes);
	return fine ? NULL : gh_error_nomem();
}

/* As the first line of the runtime's traceback. */
static void conclude(const struct goroutine_request *r)
{
	const struct gh_goroutine *g = r->g;
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	uint64_t parent = gh_goroutine_parent(r->session->rt, g);
	int64_t ns;

	gh_strbuf_printf(&sb, "goroutine %llu: %s", (unsigned long long)g->goid,
			 gh_gstatus_name(g->status));
	if (g->wait_reason && *g->wait_reason)
		gh_strbuf_printf(&sb, " (%s)", g->wait_reason);
	if (gh_session_wait_ns(r->session, g, &ns)) {
		gh_strbuf_puts(&sb, ", for at least ");
		gh_format_ns(&sb, ns);
	}
	if (g->locked)
		gh_strbuf_puts(&sb, ", locked to a thread");
	if (r->traceback.created_by) {
		gh_strbuf_puts(&sb, "; created by ");
		gh_function_print(&sb, r->traceback.created_by);
	}
	if (parent)
		gh_strbuf_printf(&sb, " in goroutine %llu", (unsigned long long)parent);
	r->report->headline = gh_arena_strndup(&r->report->arena, gh_strbuf_str(&sb), sb.len);
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	_cleanup_(request_deinit) struct goroutine_request r = {.session = session, .report = report};
	struct gh_error *err = gh_session_goroutines(session);

	if (!err && !args->npositional)
		err = gh_error_create(GH_ERR_USAGE, "goroutine: give its number: goroutine 17: "
						    "`goheap goroutines` lists them");
	// DWARF first: it may show that what was read has to be read again
	if (!err)
		err = gh_session_types(session);
	if (!err)
		err = gh_session_goroutines(session);
	if (!err)
		err = find_goroutine(&r, args->positional[0]);
	if (err)
		return err;
	r.all = gh_args_option(args, "--all");
	r.text = args->render.format == GH_FORMAT_TEXT;
	r.ends = r.text && !args->limit_given;
	err = load_stack(&r);
	if (!err)
		err = list_frames(&r);
	if (!err)
		err = list_variables(&r);
	if (!err)
		err = list_waiting(&r);
	if (!err)
		err = gh_goroutine_defers(&r);
	if (!err)
		err = gh_goroutine_ancestors(&r);
	if (!err)
		err = list_facts(&r, gh_args_option(args, "--retained"));
	if (!err)
		conclude(&r);
	return err;
}

static const struct gh_option options[] = {
	{"--all", NULL, NULL, "also the frames that runtime.Stack leaves out"},
	{"--retained", NULL, NULL, "what would go with it: marks the heap first"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"frames", frame_columns, NFRAME},
	{"variables", variable_columns, NVARIABLE},
	{"waiting_on", gh_waiting_columns, GH_WAITING_COLUMNS},
	{"defers", gh_goroutine_defer_columns, GH_GOROUTINE_NDEFER},
	{"ancestors", gh_goroutine_ancestor_columns, GH_GOROUTINE_NANCESTOR},
	{"goroutine", fact_columns, NFACT},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core goroutine 17", "all of goroutine 17; at the prompt and in gdb also: $g17"},
	{"core goroutine 1 --all", "with the runtime's own frames"},
	{"core goroutine 17 --json | jq '.tables.frames.rows[].function'",
	 "its stack, innermost first"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_goroutine = {
	.name = "goroutine",
	.summary = "One goroutine: stack, variables, what it waits for, its defers.",
	.usage = "goroutine GOID [--all] [--retained]",
	.max_positional = 1,
	.help = "frames are those that runtime.Stack prints, innermost first; inlined calls are "
		"frames of their own and share the sp of the one they lie in. Of deep stacks "
		"people see fifty of either end (-n 0: all).\n\n"
		"variables are the arguments and local variables that lie in memory, where DWARF "
		"tells. waiting_on has a row for each channel of a select, with what is in its "
		"buffer, how many stand in its queues (the goroutine too) and goids of the others, "
		"of a timer's channel when it is due; for the lock, with who may hold it, as "
		"`goheap locks` says, and how many wait for it; for the descriptor with its "
		"file or connection; for the sleep. defers are what will run when the frames "
		"return, from which statement; where the runtime keeps no place (open-coded ones) "
		"site is the first line of what was deferred. ancestors are who started whom, as long as they "
		"live; with GODEBUG=tracebackancestors=N also those that are gone, and where they "
		"stood.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.needs_target = true,
	.reads = GH_READS_VALUES,
	.all_rows = true,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_PACKAGE | GH_IGNORES_MIN,
	.run = run,
};
