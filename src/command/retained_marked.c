// SPDX-License-Identifier: Apache-2.0
// Owners in table `groups` of `retained`, where there is no memory for their dominators. See
// retained_tables.h.
#include "analysis/retained.h"
#include "base/cleanup.h"
#include "command/heap_notes.h"
#include "command/retained_tables.h"

static struct gh_error *add_row(const struct retained_request *r, struct gh_table *table,
				const struct gh_marked_owner *m)
{
	const struct gh_owner *o = &r->session->owners->owners.data[m->owner];
	_cleanup_strbuf_ struct gh_strbuf name = {0};
	struct gh_cell *cells = gh_table_row(table);

	if (!cells)
		return gh_error_nomem();
	gh_owner_describe(r->session->owners, m->owner, &name);
	cells[RETAINED_OWNER] = gh_cell_copy(r->report, gh_strbuf_str(&name), name.len);
	cells[RETAINED_KIND] = gh_cell_text(gh_root_kind_name(o->kind));
	cells[RETAINED_BYTES] = gh_cell_u64(m->retained);
	cells[RETAINED_BYTES_KIND] = gh_cell_text(m->exact ? "exact" : "at_most");
	cells[RETAINED_SHARE] = gh_retained_share(r->session, m->retained);
	cells[RETAINED_SHALLOW] = gh_cell_u64(o->own_bytes);
	cells[RETAINED_COUNT] = gh_cell_u64(m->count);
	return NULL;
}

/* Those that are not wanted go. */
static void filter(const struct retained_request *r, enum gh_root_kind kind,
		   struct gh_marked_owner_vec *all)
{
	size_t n = 0;

	for (size_t i = 0; i < all->len; i++)
		if (gh_retained_is_wanted(r, all->data[i].owner, kind, all->data[i].retained))
			all->data[n++] = all->data[i];
	all->len = n;
}

static struct gh_error *make_exact(const struct retained_request *r,
				   struct gh_marked_owner_vec *all, uint64_t exact)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	struct gh_error *err = NULL;
	uint64_t done = 0;

	while (done < all->len && done < exact && !err) {
		err = gh_poll(&r->session->poll, "marking without each owner", done, exact);
		if (!err)
			err = gh_retained_without(r->session, &all->data[done]);
		done += !err;
	}
	gh_strbuf_printf(&sb, "%llu rows are exact, the others at most", (unsigned long long)done);
	gh_marked_owners_sort(all);
	return gh_settle_part(r->session, r->report, err, gh_strbuf_str(&sb));
}

struct gh_error *gh_retained_list_marked(const struct retained_request *r, enum gh_root_kind kind,
					 uint64_t exact, struct gh_error *why)
{
	struct gh_table *table =
		gh_report_table(r->report, "groups", gh_retained_columns, GH_RETAINED_NCOLUMNS);
	struct gh_marked_owner_vec all = {0};
	struct gh_error *err;

	gh_report_note(r->report,
		       "owners are found by marking without the first of them, the others are at "
		       "most so large, and what owners share is not listed: %s",
		       why->message);
	gh_error_destroy(why);
	err = table ? gh_retained_at_most(r->session, &all) : gh_error_nomem();
	if (!err) {
		filter(r, kind, &all);
		err = make_exact(r, &all, exact);
	}
	for (size_t i = 0; i < all.len && !err; i++)
		err = add_row(r, table, &all.data[i]);
	if (!err && r->named && !all.len)
		err = gh_retained_nobody(r, "owner");
	gh_marked_owner_vec_deinit(&all);
	return err;
}
