// SPDX-License-Identifier: Apache-2.0
// Table `shared` of `retained`: what several owners hold together. See retained_tables.h.
#include <stdlib.h>

#include "analysis/sharing.h"
#include "analysis/slot.h"
#include "base/cleanup.h"
#include "command/heap_notes.h"
#include "command/retained_tables.h"

enum { COUNTED_ROWS = 50 }; // shared objects whose nearest owners are looked for

enum shared_column {
	S_ADDRESS,
	S_TYPE,
	S_BYTES,
	S_SHARE,
	S_COUNT,
	S_SHARED,
	S_OWNERS,
	NSHARED = GH_RETAINED_NSHARED
};

const struct gh_column gh_retained_shared_columns[] = {
	[S_ADDRESS] = {"address", GH_UNIT_ADDRESS, false, .handle = 'o'},
	[S_TYPE] = {"type", GH_UNIT_TEXT, false},
	[S_BYTES] = {"bytes", GH_UNIT_BYTES, false},
	[S_SHARE] = {"share", GH_UNIT_SHARE, false},
	[S_COUNT] = {"count", GH_UNIT_COUNT, true},
	[S_SHARED] = {"shared", GH_UNIT_COUNT, true},
	[S_OWNERS] = {"owners", GH_UNIT_TEXT, .below = true},
};

static const char *sharers(const struct retained_request *r, const struct gh_sharing *sharing,
			   const struct gh_shared *s, bool nearest)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	gh_sharing_describe(sharing, s, nearest, &sb);
	return gh_arena_strndup(&r->report->arena, gh_strbuf_str(&sb), sb.len);
}

/** Shared objects that print alike: by type and owners. */
struct shared_row {
	const char *type, *owners;    // the report's
	const struct gh_shared *one; // NULL: they are several
	uint64_t bytes, objects, n;
};
GH_VEC(shared_row_vec, struct shared_row);

static int by_text(const void *a, const void *b)
{
	const struct shared_row *x = a, *y = b;
	int order = strcmp(x->owners, y->owners);

	return order ? order : strcmp(x->type, y->type);
}

static int by_shared_bytes(const void *a, const void *b)
{
	const struct shared_row *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return by_text(a, b);
}

static void merge(struct shared_row_vec *rows)
{
	size_t kept = 0;

	if (!rows->len)
		return;
	qsort(rows->data, rows->len, sizeof(*rows->data), by_text);
	for (size_t i = 1; i < rows->len; i++) {
		struct shared_row *last = &rows->data[kept];

		if (by_text(last, &rows->data[i])) {
			rows->data[++kept] = rows->data[i];
			continue;
		}
		last->one = NULL;
		last->bytes += rows->data[i].bytes;
		last->objects += rows->data[i].objects;
		last->n++;
	}
	rows->len = kept + 1;
	qsort(rows->data, rows->len, sizeof(*rows->data), by_shared_bytes);
}

/* Who holds the largest ones most directly: that is a walk each. */
static struct gh_error *name_nearest(const struct retained_request *r, const struct gh_sharing *sharing,
				     struct shared_row_vec *rows)
{
	for (size_t i = 0; i < rows->len && i < COUNTED_ROWS; i++) {
		struct shared_row *row = &rows->data[i];

		if (row->one)
			row->owners = sharers(r, sharing, row->one, true);
		if (!row->owners)
			return gh_error_nomem();
	}
	return NULL;
}

static struct gh_error *name_shared(const struct retained_request *r, const struct gh_sharing *sharing,
				    struct shared_row_vec *rows)
{
	struct gh_error *err = NULL;

	for (size_t i = 0; i < sharing->all.len && !err; i++) {
		const struct gh_shared *s = &sharing->all.data[i];
		struct shared_row row = {
			.one = s, .bytes = s->bytes, .objects = s->objects, .n = 1};
		struct gh_slot slot;

		row.owners = sharers(r, sharing, s, false);
		row.type = gh_slot_at(r->session, s->addr, &r->report->arena, &slot) ? slot.name
										     : "unknown";
		if (!row.owners || !shared_row_vec_push(rows, row))
			err = gh_error_nomem();
	}
	merge(rows);
	return err ? err : name_nearest(r, sharing, rows);
}

static struct gh_error *add_shared(const struct retained_request *r, struct gh_table *table,
				   const struct shared_row *row)
{
	struct gh_cell *cells = gh_table_row(table);

	if (!cells)
		return gh_error_nomem();
	if (row->one)
		cells[S_ADDRESS] = gh_cell_u64(row->one->addr);
	cells[S_TYPE] = gh_cell_text(row->type);
	cells[S_BYTES] = gh_cell_u64(row->bytes);
	cells[S_SHARE] = gh_retained_share(r->session, row->bytes);
	cells[S_COUNT] = gh_cell_u64(row->objects);
	cells[S_SHARED] = gh_cell_u64(row->n);
	cells[S_OWNERS] = gh_cell_text(row->owners);
	return NULL;
}

struct gh_error *gh_retained_list_shared(const struct retained_request *r)
{
	struct gh_table *table = gh_report_table(r->report, "shared", gh_retained_shared_columns,
						 NSHARED);
	struct gh_cell *total = table ? gh_table_total(table) : NULL;
	struct shared_row_vec rows = {0};
	uint64_t bytes = 0, count = 0, n = 0;
	struct gh_error *err;

	if (!total)
		return gh_error_nomem();
	err = gh_session_sharing(r->session);
	if (!err)
		err = name_shared(r, r->session->sharing, &rows);
	for (size_t i = 0; i < rows.len && !err; i++) {
		bytes += rows.data[i].bytes;
		count += rows.data[i].objects;
		n += rows.data[i].n;
		if (rows.data[i].bytes >= r->filter.min_bytes)
			err = add_shared(r, table, &rows.data[i]);
	}
	shared_row_vec_deinit(&rows);
	if (err)
		return gh_settle_part(r->session, r->report, err, "what owners share is not listed");
	total[S_BYTES] = gh_cell_u64(bytes);
	total[S_SHARE] = gh_retained_share(r->session, bytes);
	total[S_COUNT] = gh_cell_u64(count);
	total[S_SHARED] = gh_cell_u64(n);
	return NULL;
}
