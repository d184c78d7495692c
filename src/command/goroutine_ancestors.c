// SPDX-License-Identifier: Apache-2.0
// Table `ancestors` of `goroutine ID`: those that live, and those that GODEBUG=tracebackancestors
// kept. See goroutine_tables.h.
#include "command/code_cells.h"
#include "command/goroutine_tables.h"

enum ancestor_column { P_GOID, P_STATE, P_CREATED_BY, P_CREATED_SITE, P_STACK, NANCESTOR };

const struct gh_column gh_goroutine_ancestor_columns[GH_GOROUTINE_NANCESTOR] = {
	[P_GOID] = {"goid", GH_UNIT_COUNT, false, .handle = 'g'},
	[P_STATE] = {"state", GH_UNIT_TEXT, false},
	[P_CREATED_BY] = {"created_by", GH_UNIT_TEXT, false},
	[P_CREATED_SITE] = {"created_site", GH_UNIT_TEXT, false},
	[P_STACK] = {"stack", GH_UNIT_LIST, true},
};
_Static_assert((int)NANCESTOR == (int)GH_GOROUTINE_NANCESTOR, "the header tells others");

enum { MAX_ANCESTORS = 64, MAX_ANCESTOR_PCS = 128 };

static const struct gh_goroutine *alive(const struct gh_session *session, uint64_t goid)
{
	const struct gh_goroutine_vec *gs = &session->goroutines;

	for (size_t i = 0; goid && i < gs->len; i++)
		if (gs->data[i].goid == goid && !gh_goroutine_is_dead(&gs->data[i]))
			return &gs->data[i];
	return NULL;
}

/* The function and line of a go statement, by its return address. */
static void fill_creation(const struct goroutine_request *r, gh_addr go_pc, struct gh_cell *row)
{
	struct gh_source_frame line;
	struct gh_func func;

	if (!go_pc || !gh_func_find(r->session->rt, go_pc - 1, &func))
		return;
	gh_func_line(r->session->rt, &func, go_pc - 1, &line);
	row[P_CREATED_BY] = gh_function_cell(r->report, line.function);
	row[P_CREATED_SITE] = gh_site_cell(r->report, line.file, line.line);
}

/*
 * "main.f /x/main.go:12": the innermost call at a return address; inlined ones have pcs of their own.
 * NULL: none, or the runtime's.
 */
static const char *call_text(const struct goroutine_request *r, gh_addr pc)
{
	struct gh_source_frame_vec frames = {0};
	const struct gh_runtime *rt = r->session->rt;
	const char *text = NULL;
	struct gh_func func;

	if (gh_func_find(rt, pc - 1, &func) &&
	    gh_func_source_frames(rt, &func, pc - 1, &frames) && frames.len &&
	    (r->all || !frames.data[0].function ||
	     strncmp(frames.data[0].function, "runtime.", 8) != 0))
		text = gh_arena_printf(&r->report->arena, "%s %s:%d",
				       frames.data[0].function ? frames.data[0].function : "?",
				       frames.data[0].file ? frames.data[0].file : "?",
				       frames.data[0].line);
	gh_source_frame_vec_deinit(&frames);
	return text;
}

/* Frames that an ancestor had when it started the next one, where GODEBUG=tracebackancestors kept
 * them. */
static struct gh_error *fill_ancestor_stack(const struct goroutine_request *r, gh_addr info,
					    struct gh_cell *row)
{
	const struct gh_runtime *rt = r->session->rt;
	const char *items[MAX_ANCESTOR_PCS], **list;
	struct gh_slice pcs;
	size_t n = 0;

	if (!gh_has(&rt->layout, GH_F_ancestorInfo_pcs) ||
	    !gh_read_slice(rt->image, info + (uint64_t)rt->layout.offset[GH_F_ancestorInfo_pcs],
			   &pcs))
		return NULL;
	for (uint64_t i = 0; i < gh_min_u64(pcs.len, MAX_ANCESTOR_PCS); i++) {
		gh_addr pc;

		if (!gh_read_u64(rt->image, pcs.data + i * 8, &pc))
			continue;
		items[n] = call_text(r, pc);
		if (items[n])
			n++;
	}
	list = n ? gh_arena_alloc(&r->report->arena, n * sizeof(*list)) : NULL;
	if (!list)
		return n ? gh_error_nomem() : NULL;
	memcpy(list, items, n * sizeof(*list));
	row[P_STACK] = gh_cell_list(list, n);
	return NULL;
}

/* g.ancestors: *[]ancestorInfo, the parent first; or 0. */
static gh_addr ancestor_info(const struct goroutine_request *r, size_t i)
{
	const struct gh_runtime *rt = r->session->rt;
	gh_addr at = gh_field_or_zero(rt, r->g->addr, GH_F_g_ancestors);
	struct gh_slice infos;
	uint64_t bytes = (uint64_t)rt->layout.struct_size[GH_S_ancestorInfo];

	if (!at || rt->layout.struct_size[GH_S_ancestorInfo] <= 0 ||
	    !gh_read_slice(rt->image, at, &infos) || i >= infos.len)
		return 0;
	return infos.data + i * bytes;
}

struct gh_error *gh_goroutine_ancestors(const struct goroutine_request *r)
{
	const struct gh_runtime *rt = r->session->rt;
	uint64_t goid = gh_goroutine_parent(rt, r->g);
	struct gh_table *table =
		gh_report_table(r->report, "ancestors", gh_goroutine_ancestor_columns, NANCESTOR);

	if (!table)
		return gh_error_nomem();
	for (size_t i = 0; goid && i < MAX_ANCESTORS; i++) {
		const struct gh_goroutine *parent = alive(r->session, goid);
		gh_addr info = ancestor_info(r, i);
		struct gh_cell *row = gh_table_row(table);
		struct gh_error *err;

		if (!row)
			return gh_error_nomem();
		row[P_GOID] = gh_cell_u64(goid);
		row[P_STATE] = gh_cell_text(parent ? gh_gstatus_name(parent->status) : "gone");
		if (parent)
			fill_creation(r, goid == 1 ? 0 : parent->go_pc, row);
		else if (info)
			fill_creation(r, gh_field_or_zero(rt, info, GH_F_ancestorInfo_gopc), row);
		err = info ? fill_ancestor_stack(r, info, row) : NULL;
		if (err)
			return err;
		info = ancestor_info(r, i + 1);
		goid = parent ? gh_goroutine_parent(rt, parent)
		       : info ? gh_field_or_zero(rt, info, GH_F_ancestorInfo_goid)
			      : 0;
	}
	if (r->text)
		gh_report_drop_empty(r->report, table);
	return NULL;
}
