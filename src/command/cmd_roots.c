// SPDX-License-Identifier: Apache-2.0
// `roots`: where the collector starts, and what hangs there directly.
#include <stdlib.h>

#include "base/cleanup.h"
#include "command/command.h"
#include "command/filter.h"
#include "command/heap_notes.h"

enum column { KIND, NAME, COUNT, BYTES, NCOLUMNS };

static const struct gh_column columns[NCOLUMNS] = {
	[KIND] = {"kind", GH_UNIT_TEXT, false},
	[NAME] = {"name", GH_UNIT_TEXT, false},
	[COUNT] = {"count", GH_UNIT_COUNT, false},
	[BYTES] = {"bytes", GH_UNIT_BYTES, false},
};

struct row {
	enum gh_root_kind kind;
	const char *name; // the arena's
	uint64_t count, bytes;
};
GH_VEC(row_vec, struct row);

struct collect {
	const struct gh_heap *heap;
	struct gh_arena *arena;
	struct row_vec rows;
	const char *last_name; // of the visit: the same root comes in one go
	uint64_t last_goid;
	bool nomem;
};

static struct row *row_of(struct collect *c, const struct gh_root_owner *owner)
{
	struct row *last = c->rows.len ? &c->rows.data[c->rows.len - 1] : NULL;
	struct row row = {.kind = owner->kind};

	if (last && last->kind == owner->kind && c->last_name == owner->name &&
	    c->last_goid == owner->goid)
		return last;
	c->last_name = owner->name;
	c->last_goid = owner->goid;
	if (owner->name)
		row.name = gh_arena_strndup(c->arena, owner->name, strlen(owner->name));
	else
		row.name = gh_arena_printf(c->arena, "goroutine %llu",
					   (unsigned long long)owner->goid);
	if (!row.name || !row_vec_push(&c->rows, row)) {
		c->nomem = true;
		return NULL;
	}
	return &c->rows.data[c->rows.len - 1];
}

static void count_word(void *ctx, const struct gh_root_owner *owner, const struct gh_root *root)
{
	struct collect *c = ctx;
	struct gh_slot_ref ref;
	struct row *row;

	if (!gh_heap_find(c->heap, root->value, &ref))
		return;
	row = row_of(c, owner);
	if (!row)
		return;
	row->count++;
	row->bytes += ref.elem_bytes;
}

static int by_owner(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : strcmp(x->name, y->name);
}

static int by_bytes(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return by_owner(a, b);
}

/* The same root may have come in several goes: special records of one kind. */
static void fold(struct row_vec *rows)
{
	size_t kept = 0;

	if (rows->len)
		qsort(rows->data, rows->len, sizeof(*rows->data), by_owner);
	for (size_t i = 0; i < rows->len; i++) {
		if (kept && !by_owner(&rows->data[kept - 1], &rows->data[i])) {
			rows->data[kept - 1].count += rows->data[i].count;
			rows->data[kept - 1].bytes += rows->data[i].bytes;
		} else {
			rows->data[kept++] = rows->data[i];
		}
	}
	rows->len = kept;
	if (kept)
		qsort(rows->data, kept, sizeof(*rows->data), by_bytes);
}

static struct gh_error *tabulate(const struct row_vec *rows, uint64_t min_bytes,
				 struct gh_report *report)
{
	struct gh_table *table = gh_report_table(report, "roots", columns, NCOLUMNS);
	struct gh_cell *total = table ? gh_table_total(table) : NULL;
	uint64_t count = 0, bytes = 0;

	if (!total)
		return gh_error_nomem();
	table->key = NAME;
	for (size_t i = 0; i < rows->len; i++) {
		const struct row *row = &rows->data[i];
		struct gh_cell *cells;

		if (row->bytes < min_bytes)
			continue;
		cells = gh_table_row(table);
		if (!cells)
			return gh_error_nomem();
		cells[KIND] = gh_cell_text(gh_root_kind_name(row->kind));
		cells[NAME] = gh_cell_text(row->name);
		cells[COUNT] = gh_cell_u64(row->count);
		cells[BYTES] = gh_cell_u64(row->bytes);
		count += row->count;
		bytes += row->bytes;
	}
	total[COUNT] = gh_cell_u64(count);
	total[BYTES] = gh_cell_u64(bytes);
	return NULL;
}

/* What lives by words that may be pointers is known after the mark only. */
static bool add_conservative(struct collect *c, const struct gh_session *session)
{
	struct gh_mark_counts counts = gh_mark_counts(session->mark);

	if (!counts.conservative)
		return true;
	return row_vec_push(&c->rows, (struct row){
					      .kind = GH_ROOT_RUNTIME,
					      .name = "conservative words of stacks",
					      .count = counts.conservative,
					      .bytes = counts.conservative_bytes,
				      });
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	struct collect c = {.arena = &report->arena};
	struct gh_root_sink sink = {.ctx = &c, .names = true, .word = count_word};
	struct gh_error *err = gh_session_mark(session);

	if (err)
		return err;
	c.heap = session->heap;
	err = gh_roots_visit(session->heap, session->types, session->statics, &session->goroutines,
			     &session->poll, &sink, NULL);
	if (!err && (c.nomem || !add_conservative(&c, session)))
		err = gh_error_nomem();
	if (!err) {
		fold(&c.rows);
		err = tabulate(&c.rows, args->min_bytes, report);
	}
	row_vec_deinit(&c.rows);
	if (!err)
		gh_heap_notes(session, report);
	return err;
}

static const struct gh_table_shape tables[] = {
	{"roots", columns, NCOLUMNS},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core roots", "package variables, goroutines and queues by what they hold directly"},
	{"core roots --sort count", "those with most pointers first"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_roots = {
	.name = "roots",
	.summary = "Where the collector starts: package variables, goroutines, queues.",
	.usage = "roots",
	.help = "count is the number of pointers into the heap that a root holds, bytes those of "
		"the "
		"slots they point to directly: what lies behind those is not counted. Words of "
		"running goroutines that may or may not be pointers stand in a row of their own, "
		"with what lives by them alone.\n",
	.examples = examples,
	.tables = tables,
	.needs_target = true,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_PACKAGE,
	.run = run,
};
