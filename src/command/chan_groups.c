// SPDX-License-Identifier: Apache-2.0
// Tables `groups` and `waiters` of `chans`. See chan_tables.h.
#include <stdlib.h>

#include "base/cleanup.h"
#include "command/chan_tables.h"
#include "command/code_cells.h"
#include "goruntime/traceback.h"

enum { SHOWN_PLACES = 4, SHOWN_GOIDS = 20 };

enum group_column {
	TYPE,
	COUNT,
	UNREAD,
	UNREAD_BYTES,
	SENDERS,
	RECEIVERS,
	CLOSED,
	SENDERS_IN,
	RECEIVERS_IN,
	STRANDED,
	NGROUP_COLUMNS
};

const struct gh_column gh_chan_group_columns[GH_CHAN_NGROUP] = {
	[TYPE] = {"type", GH_UNIT_TEXT, false},
	[COUNT] = {"count", GH_UNIT_COUNT, false},
	[UNREAD] = {"unread", GH_UNIT_COUNT, false},
	[UNREAD_BYTES] = {"unread_bytes", GH_UNIT_BYTES, false},
	[SENDERS] = {"senders", GH_UNIT_COUNT, false},
	[RECEIVERS] = {"receivers", GH_UNIT_COUNT, false},
	[CLOSED] = {"closed", GH_UNIT_COUNT, false},
	[SENDERS_IN] = {"senders_in", GH_UNIT_LIST, true},
	[RECEIVERS_IN] = {"receivers_in", GH_UNIT_LIST, true},
	[STRANDED] = {"stranded", GH_UNIT_COUNT, true},
};

enum party_column {
	P_TYPE,
	P_ROLE,
	P_COUNT,
	P_CHANS,
	P_FUNCTION,
	P_SITE,
	P_VERDICT,
	P_WAIT_REASON,
	P_GOIDS,
	NPARTY_COLUMNS
};

const struct gh_column gh_chan_party_columns[GH_CHAN_NPARTY] = {
	[P_TYPE] = {"type", GH_UNIT_TEXT, false},
	[P_ROLE] = {"role", GH_UNIT_TEXT, false},
	[P_COUNT] = {"count", GH_UNIT_COUNT, false},
	[P_CHANS] = {"chans", GH_UNIT_COUNT, false},
	[P_FUNCTION] = {"function", GH_UNIT_TEXT, false},
	[P_SITE] = {"site", GH_UNIT_TEXT, false},
	[P_VERDICT] = {"verdict", GH_UNIT_TEXT, .below = true},
	[P_WAIT_REASON] = {"wait_reason", GH_UNIT_TEXT, true},
	[P_GOIDS] = {"goids", GH_UNIT_LIST, true},
};

_Static_assert((int)NGROUP_COLUMNS == (int)GH_CHAN_NGROUP &&
		       (int)NPARTY_COLUMNS == (int)GH_CHAN_NPARTY,
	       "the header tells others");

/* Channels [from, to) of one type, in a list sorted by type. */
struct group {
	size_t from, to;
	uint64_t unread, unread_bytes, closed, stranded;
	uint64_t waiting[2]; // receivers, senders
};
GH_VEC(group_vec, struct group);

/* Those with one stack that wait for channels of one type to do one thing. */
struct party {
	size_t chan;	     // the first of them
	size_t first, count; // waiters
	uint64_t nchans;
	uint32_t stack; // group
	bool sends, stranded;
};
GH_VEC(party_vec, struct party);

static int by_type(const void *a, const void *b)
{
	const struct gh_chan_row *x = a, *y = b;
	int order = x->type == y->type ? 0 : strcmp(x->type, y->type);

	return order ? order : x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* Unread bytes first, then goroutines that wait, then channels. */
static int by_weight(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	uint64_t wx = x->waiting[0] + x->waiting[1], wy = y->waiting[0] + y->waiting[1];

	if (x->unread_bytes != y->unread_bytes)
		return x->unread_bytes < y->unread_bytes ? 1 : -1;
	if (wx != wy)
		return wx < wy ? 1 : -1;
	if (x->to - x->from != y->to - y->from)
		return x->to - x->from < y->to - y->from ? 1 : -1;
	return x->from < y->from ? -1 : x->from > y->from;
}

static void add_to_group(struct group *g, const struct gh_chan_row *row)
{
	uint64_t bytes;

	g->unread += row->unread;
	g->closed += row->is_closed;
	g->waiting[0] += row->receivers;
	g->waiting[1] += row->senders;
	if (row->is_stranded)
		g->stranded += row->receivers + row->senders;
	if (!gh_mul(row->unread, row->elem_bytes, &bytes))
		g->unread_bytes += bytes;
}

static struct gh_error *find_groups(const struct gh_chan_row_vec *rows, struct group_vec *ret)
{
	for (size_t i = 0; i < rows->len; i++) {
		struct group *last = ret->len ? &ret->data[ret->len - 1] : NULL;

		if (!last || strcmp(rows->data[last->from].type, rows->data[i].type) != 0) {
			if (!group_vec_push(ret, (struct group){.from = i}))
				return gh_error_nomem();
			last = &ret->data[ret->len - 1];
		}
		last->to = i + 1;
		add_to_group(last, &rows->data[i]);
	}
	return NULL;
}

static int by_stack(const void *a, const void *b)
{
	const struct gh_chan_waiter *x = a, *y = b;

	if (x->sends != y->sends)
		return x->sends ? 1 : -1;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->chan != y->chan)
		return x->chan < y->chan ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

/* Waiters [from, to) are those of one type's channels: one after the other, by their stacks. */
static struct gh_error *find_parties(struct gh_chan_view *view, size_t from, size_t to,
				     struct party_vec *ret)
{
	struct gh_chan_waiter *all = view->waiters.all.data;

	if (to > from)
		qsort(all + from, to - from, sizeof(*all), by_stack);
	for (int stranded = 0; stranded < 2; stranded++) {
		const struct gh_chan_waiter *last = NULL;

		for (size_t i = from; i < to; i++) {
			const struct gh_chan_waiter *w = &all[i];
			struct party *p = last ? &ret->data[ret->len - 1] : NULL;

			if (view->list.rows.data[w->chan].is_stranded != stranded)
				continue;
			if (!p || last->sends != w->sends || last->group != w->group) {
				struct party party = {.chan = w->chan,
						      .first = i,
						      .stack = w->group,
						      .sends = w->sends,
						      .stranded = stranded};

				if (!party_vec_push(ret, party))
					return gh_error_nomem();
				p = &ret->data[ret->len - 1];
			}
			p->nchans += !p->count || last->chan != w->chan;
			p->count++;
			last = w;
		}
	}
	return NULL;
}

static const char *function_of(const struct gh_chan_view *view, uint32_t stack)
{
	const struct gh_traceback *t = &view->waiters.groups.data[stack].traceback;

	return t->wait_function ? t->wait_function : t->top ? t->top : "somebody";
}

/* A function in which some of a queue wait. */
struct place {
	const char *function;
	uint64_t count;
};
GH_VEC(place_vec, struct place);

static struct gh_error *add_place(struct place_vec *places, const char *function, uint64_t count)
{
	for (size_t i = 0; i < places->len; i++)
		if (places->data[i].function == function) {
			places->data[i].count += count;
			return NULL;
		}
	return place_vec_push(places, (struct place){function, count}) ? NULL : gh_error_nomem();
}

static int by_count(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strcmp(x->function, y->function);
}

/* "main.worker (12)", most of them first. */
static struct gh_error *places_cell(struct gh_chan_view *view, const struct party *parties,
				    size_t n, bool sends, struct gh_cell *ret)
{
	struct place_vec places = {0};
	struct gh_error *err = NULL;
	const char **items;
	size_t shown;

	for (size_t i = 0; i < n && !err; i++)
		if (parties[i].sends == sends)
			err = add_place(&places, function_of(view, parties[i].stack),
					parties[i].count);
	if (places.len)
		qsort(places.data, places.len, sizeof(*places.data), by_count);
	shown = gh_min_u64(places.len, SHOWN_PLACES);
	items = gh_arena_alloc(&view->report->arena, (shown + 1) * sizeof(*items));
	for (size_t i = 0; items && i < shown; i++) {
		_cleanup_strbuf_ struct gh_strbuf sb = {0};

		gh_function_print(&sb, places.data[i].function);
		items[i] = gh_arena_printf(&view->report->arena, "%s (%llu)", gh_strbuf_str(&sb),
					   (unsigned long long)places.data[i].count);
	}
	if (items)
		*ret = gh_cell_list(items, shown);
	place_vec_deinit(&places);
	return err ? err : items ? NULL : gh_error_nomem();
}

static struct gh_error *add_group(struct gh_chan_view *view, struct gh_table *table,
				  const struct group *g, const struct party *parties, size_t n)
{
	struct gh_cell *cells = gh_table_row(table);
	const char *type = view->list.rows.data[g->from].type;
	struct gh_error *err;

	if (!cells)
		return gh_error_nomem();
	cells[TYPE] = gh_cell_copy(view->report, type, strlen(type));
	cells[COUNT] = gh_cell_u64(g->to - g->from);
	cells[UNREAD] = gh_cell_u64(g->unread);
	cells[UNREAD_BYTES] = gh_cell_u64(g->unread_bytes);
	cells[SENDERS] = gh_cell_u64(g->waiting[1]);
	cells[RECEIVERS] = gh_cell_u64(g->waiting[0]);
	cells[CLOSED] = gh_cell_u64(g->closed);
	cells[STRANDED] = gh_cell_u64(g->stranded);
	err = places_cell(view, parties, n, true, &cells[SENDERS_IN]);
	return err ? err : places_cell(view, parties, n, false, &cells[RECEIVERS_IN]);
}

static void add_to_sum(struct group *sum, const struct group *g)
{
	sum->to += g->to - g->from;
	sum->unread += g->unread;
	sum->unread_bytes += g->unread_bytes;
	sum->waiting[0] += g->waiting[0];
	sum->waiting[1] += g->waiting[1];
	sum->closed += g->closed;
	sum->stranded += g->stranded;
}

static void fill_total(struct gh_cell *total, const struct group *sum)
{
	total[TYPE] = gh_cell_text("total");
	total[COUNT] = gh_cell_u64(sum->to);
	total[UNREAD] = gh_cell_u64(sum->unread);
	total[UNREAD_BYTES] = gh_cell_u64(sum->unread_bytes);
	total[SENDERS] = gh_cell_u64(sum->waiting[1]);
	total[RECEIVERS] = gh_cell_u64(sum->waiting[0]);
	total[CLOSED] = gh_cell_u64(sum->closed);
	total[STRANDED] = gh_cell_u64(sum->stranded);
}

/* Groups, those with most bytes first; the parties of those that pass. */
static struct gh_error *list_groups(struct gh_chan_view *view, const struct gh_filter *filter,
				    struct party_vec *parties)
{
	struct gh_table *table =
		gh_report_table(view->report, "groups", gh_chan_group_columns, NGROUP_COLUMNS);
	struct gh_cell *total = table ? gh_table_total(table) : NULL;
	struct group_vec groups = {0};
	struct group sum = {0};
	struct gh_error *err =
		total ? find_groups(&view->list.rows, &groups) : gh_error_nomem();

	if (!err && groups.len)
		qsort(groups.data, groups.len, sizeof(*groups.data), by_weight);
	for (size_t i = 0; i < groups.len && !err; i++) {
		const struct group *g = &groups.data[i];
		size_t before = parties->len;

		if (g->unread_bytes < filter->min_bytes)
			continue;
		add_to_sum(&sum, g);
		err = find_parties(view, gh_chan_waiters_of(&view->waiters, g->from),
				   gh_chan_waiters_of(&view->waiters, g->to), parties);
		if (!err)
			err = add_group(view, table, g, parties->data + before,
					parties->len - before);
	}
	group_vec_deinit(&groups);
	if (!err)
		fill_total(total, &sum);
	return err;
}

struct members {
	const struct gh_chan_view *view;
	const struct party *party;
};

static uint64_t nth_goid(const void *ctx, size_t i)
{
	const struct members *m = ctx;

	return m->view->session->goroutines
		.data[m->view->waiters.all.data[m->party->first + i].g]
		.goid;
}

static struct gh_error *add_party(struct gh_chan_view *view, struct gh_table *table,
				  const struct party *p)
{
	const struct gh_stack_group *stack = &view->waiters.groups.data[p->stack];
	const char *type = view->list.rows.data[p->chan].type;
	struct gh_cell *cells = gh_table_row(table);

	if (!cells)
		return gh_error_nomem();
	cells[P_TYPE] = gh_cell_copy(view->report, type, strlen(type));
	cells[P_ROLE] = gh_cell_text(p->sends ? "send" : "receive");
	cells[P_COUNT] = gh_cell_u64(p->count);
	cells[P_CHANS] = gh_cell_u64(p->nchans);
	cells[P_FUNCTION] = gh_function_cell(view->report, function_of(view, p->stack));
	cells[P_SITE] = gh_site_cell(view->report, stack->traceback.wait_file,
				     stack->traceback.wait_line);
	cells[P_VERDICT] =
		gh_cell_text(gh_chan_verdict(p->stranded, p->sends, (uint64_t)!p->sends));
	if (*stack->wait_reason)
		cells[P_WAIT_REASON] = gh_cell_text(stack->wait_reason);
	return gh_goids_cell(view->report, gh_min_u64(p->count, SHOWN_GOIDS), nth_goid,
			     &(struct members){view, p}, &cells[P_GOIDS]);
}

/* Those that wait for nothing first, then the largest. */
static int by_verdict(const void *a, const void *b)
{
	const struct party *x = a, *y = b;

	if (x->stranded != y->stranded)
		return x->stranded ? -1 : 1;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return 0;
}

struct gh_error *gh_chan_groups(struct gh_chan_view *view, const struct gh_filter *filter,
				bool text)
{
	struct gh_chan_row_vec *rows = &view->list.rows;
	struct party_vec parties = {0};
	struct gh_table *table;
	struct gh_error *err;

	if (rows->len)
		qsort(rows->data, rows->len, sizeof(*rows->data), by_type);
	err = gh_chan_waiters_load(view->session, &view->list, &view->waiters);
	if (!err)
		err = list_groups(view, filter, &parties);
	if (!err && (parties.len || !text)) {
		table = gh_report_table(view->report, "waiters", gh_chan_party_columns, NPARTY_COLUMNS);
		err = table ? NULL : gh_error_nomem();
	}
	if (!err && parties.len)
		qsort(parties.data, parties.len, sizeof(*parties.data), by_verdict);
	for (size_t i = 0; i < parties.len && !err; i++)
		err = add_party(view, table, &parties.data[i]);
	party_vec_deinit(&parties);
	return err;
}
