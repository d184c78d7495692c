// SPDX-License-Identifier: Apache-2.0
// `chans`: what nobody has read yet, and who waits in the queues.
#include <stdlib.h>

#include "analysis/chans.h"
#include "analysis/slot.h"
#include "base/cleanup.h"
#include "command/command.h"
#include "command/filter.h"
#include "command/heap_notes.h"
#include "command/waiters.h"
#include "goruntime/traceback.h"

enum { LOOKED_AT = 100000, SHOWN_PLACES = 4, SHOWN_GOIDS = 20 };

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
	NGROUP_COLUMNS
};

static const struct gh_column group_columns[NGROUP_COLUMNS] = {
	[TYPE] = {"type", GH_UNIT_TEXT, false},
	[COUNT] = {"count", GH_UNIT_COUNT, false},
	[UNREAD] = {"unread", GH_UNIT_COUNT, false},
	[UNREAD_BYTES] = {"unread_bytes", GH_UNIT_BYTES, false},
	[SENDERS] = {"senders", GH_UNIT_COUNT, false},
	[RECEIVERS] = {"receivers", GH_UNIT_COUNT, false},
	[CLOSED] = {"closed", GH_UNIT_COUNT, false},
	[SENDERS_IN] = {"senders_in", GH_UNIT_LIST, true},
	[RECEIVERS_IN] = {"receivers_in", GH_UNIT_LIST, true},
};

enum one_column {
	ONE_ADDRESS,
	ONE_TYPE,
	ONE_UNREAD,
	ONE_CAPACITY,
	ONE_UNREAD_BYTES,
	ONE_SENDERS,
	ONE_RECEIVERS,
	ONE_CLOSED,
	ONE_OWNER,
	ONE_SENDER_GOIDS,
	ONE_RECEIVER_GOIDS,
	ONE_TIMER,
	NONE_COLUMNS
};

static const struct gh_column one_columns[NONE_COLUMNS] = {
	[ONE_ADDRESS] = {"address", GH_UNIT_ADDRESS, false, .handle = 'o'},
	[ONE_TYPE] = {"type", GH_UNIT_TEXT, false},
	[ONE_UNREAD] = {"unread", GH_UNIT_COUNT, false},
	[ONE_CAPACITY] = {"capacity", GH_UNIT_COUNT, false},
	[ONE_UNREAD_BYTES] = {"unread_bytes", GH_UNIT_BYTES, false},
	[ONE_SENDERS] = {"senders", GH_UNIT_COUNT, false},
	[ONE_RECEIVERS] = {"receivers", GH_UNIT_COUNT, false},
	[ONE_CLOSED] = {"closed", GH_UNIT_BOOL, false},
	[ONE_OWNER] = {"owner", GH_UNIT_TEXT, false},
	[ONE_SENDER_GOIDS] = {"sender_goids", GH_UNIT_LIST, true},
	[ONE_RECEIVER_GOIDS] = {"receiver_goids", GH_UNIT_LIST, true},
	[ONE_TIMER] = {"timer", GH_UNIT_BOOL, true},
};

struct listing {
	struct gh_session *session;
	struct gh_report *report; // borrowed: texts go to its arena
	struct gh_chan_list list;
	struct gh_waiters waiters;
	gh_addr *queue; // owned: LOOKED_AT of them
};

static void listing_destroy(void *ctx)
{
	struct listing *l = ctx;

	if (l) {
		gh_chan_list_deinit(&l->list);
		gh_waiters_deinit(&l->waiters);
		free(l->queue);
	}
	free(l);
}

/* A function in which some of a queue wait. */
struct place {
	const char *function;
	uint64_t count;
};
GH_VEC(place_vec, struct place);

/* Channels [from, to) of one type, in a list sorted by type. */
struct group {
	size_t from, to;
	uint64_t unread, unread_bytes, waiting[2], closed; // waiting: receivers, senders
	struct place_vec in[2];
};
GH_VEC(group_vec, struct group);

static struct gh_error *add_place(struct place_vec *places, const char *function)
{
	for (size_t i = 0; i < places->len; i++)
		if (places->data[i].function == function) {
			places->data[i].count++;
			return NULL;
		}
	return place_vec_push(places, (struct place){function, 1}) ? NULL : gh_error_nomem();
}

static struct gh_error *add_queue(struct listing *l, struct group *g, gh_addr chan, bool senders)
{
	uint64_t n = gh_chan_queue(l->session->rt, chan, senders, l->queue, LOOKED_AT, NULL);
	struct gh_error *err = NULL;

	for (uint64_t i = 0; i < gh_min_u64(n, LOOKED_AT) && !err; i++) {
		const char *function;

		err = gh_waiters_place(&l->waiters, l->queue[i], &function);
		if (!err)
			err = add_place(&g->in[senders], function);
	}
	return err;
}

static struct gh_error *add_to_group(struct listing *l, struct group *g,
				     const struct gh_chan_row *row)
{
	uint64_t bytes;
	struct gh_error *err = NULL;

	g->unread += row->unread;
	g->closed += row->is_closed;
	g->waiting[0] += row->receivers;
	g->waiting[1] += row->senders;
	if (!gh_mul(row->unread, row->elem_bytes, &bytes))
		g->unread_bytes += bytes;
	if (row->receivers)
		err = add_queue(l, g, row->addr, false);
	if (!err && row->senders)
		err = add_queue(l, g, row->addr, true);
	return err;
}

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

static struct gh_error *group_rows(struct listing *l, const struct gh_filter *filter,
				   struct group_vec *ret)
{
	struct gh_chan_row_vec *rows = &l->list.rows;
	struct gh_error *err = NULL;

	if (rows->len)
		qsort(rows->data, rows->len, sizeof(*rows->data), by_type);
	for (size_t i = 0; i < rows->len && !err; i++) {
		struct group *last = ret->len ? &ret->data[ret->len - 1] : NULL;

		if (!gh_filter_type(filter, rows->data[i].type))
			continue;
		if (!last || strcmp(rows->data[last->from].type, rows->data[i].type) != 0) {
			if (!group_vec_push(ret, (struct group){.from = i}))
				return gh_error_nomem();
			last = &ret->data[ret->len - 1];
		}
		last->to = i + 1;
		err = add_to_group(l, last, &rows->data[i]);
	}
	if (!err && ret->len)
		qsort(ret->data, ret->len, sizeof(*ret->data), by_weight);
	return err;
}

static int by_count(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strcmp(x->function, y->function);
}

/* "main.worker (12)", most of them first. */
static struct gh_cell places_cell(struct gh_report *report, struct place_vec *places)
{
	size_t n = gh_min_u64(places->len, SHOWN_PLACES);
	const char **items = gh_arena_alloc(&report->arena, (n + 1) * sizeof(*items));

	if (!items)
		return (struct gh_cell){0};
	if (places->len)
		qsort(places->data, places->len, sizeof(*places->data), by_count);
	for (size_t i = 0; i < n; i++) {
		_cleanup_strbuf_ struct gh_strbuf sb = {0};

		gh_function_print(&sb, places->data[i].function);
		items[i] = gh_arena_printf(&report->arena, "%s (%llu)", gh_strbuf_str(&sb),
					   (unsigned long long)places->data[i].count);
	}
	return gh_cell_list(items, n);
}

static struct gh_error *add_group(struct listing *l, struct gh_table *table, struct group *g)
{
	struct gh_cell *cells = gh_table_row(table);
	const char *type = l->list.rows.data[g->from].type;

	if (!cells)
		return gh_error_nomem();
	cells[TYPE] = gh_cell_copy(l->report, type, strlen(type));
	cells[COUNT] = gh_cell_u64(g->to - g->from);
	cells[UNREAD] = gh_cell_u64(g->unread);
	cells[UNREAD_BYTES] = gh_cell_u64(g->unread_bytes);
	cells[SENDERS] = gh_cell_u64(g->waiting[1]);
	cells[RECEIVERS] = gh_cell_u64(g->waiting[0]);
	cells[CLOSED] = gh_cell_u64(g->closed);
	cells[SENDERS_IN] = places_cell(l->report, &g->in[1]);
	cells[RECEIVERS_IN] = places_cell(l->report, &g->in[0]);
	return NULL;
}

static struct gh_error *add_groups(struct listing *l, const struct gh_filter *filter)
{
	struct gh_table *table =
		gh_report_table(l->report, "groups", group_columns, NGROUP_COLUMNS);
	struct gh_cell *total = table ? gh_table_total(table) : NULL;
	struct group_vec groups = {0};
	struct group sum = {0};
	struct gh_error *err = total ? group_rows(l, filter, &groups) : gh_error_nomem();

	for (size_t i = 0; i < groups.len; i++) {
		struct group *g = &groups.data[i];

		if (!err && g->unread_bytes >= filter->min_bytes) {
			sum.to += g->to - g->from;
			sum.unread += g->unread;
			sum.unread_bytes += g->unread_bytes;
			sum.waiting[0] += g->waiting[0];
			sum.waiting[1] += g->waiting[1];
			sum.closed += g->closed;
			err = add_group(l, table, g);
		}
		place_vec_deinit(&g->in[0]);
		place_vec_deinit(&g->in[1]);
	}
	group_vec_deinit(&groups);
	if (err)
		return err;
	total[TYPE] = gh_cell_text("total");
	total[COUNT] = gh_cell_u64(sum.to);
	total[UNREAD] = gh_cell_u64(sum.unread);
	total[UNREAD_BYTES] = gh_cell_u64(sum.unread_bytes);
	total[SENDERS] = gh_cell_u64(sum.waiting[1]);
	total[RECEIVERS] = gh_cell_u64(sum.waiting[0]);
	total[CLOSED] = gh_cell_u64(sum.closed);
	return NULL;
}

/* Numbers of the first goroutines of a queue. */
static struct gh_cell goids_cell(struct listing *l, gh_addr chan, bool senders)
{
	uint64_t n = gh_chan_queue(l->session->rt, chan, senders, l->queue, SHOWN_GOIDS, NULL);
	const char **items;

	n = gh_min_u64(n, SHOWN_GOIDS);
	items = gh_arena_alloc(&l->report->arena, (n + 1) * sizeof(*items));
	if (!items)
		return (struct gh_cell){0};
	for (uint64_t i = 0; i < n; i++) {
		const struct gh_goroutine *g = gh_waiters_find(&l->waiters, l->queue[i]);

		items[i] = g ? gh_arena_printf(&l->report->arena, "%llu",
					       (unsigned long long)g->goid)
			     : "?";
	}
	return gh_cell_list(items, n);
}

static struct gh_cell owner_cell(struct listing *l, gh_addr chan)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	struct gh_slot_ref ref;

	if (!gh_heap_find(l->session->heap, chan, &ref) ||
	    !gh_slot_owner(l->session, ref.slot, 0, &sb))
		return (struct gh_cell){0};
	return gh_cell_copy(l->report, gh_strbuf_str(&sb), sb.len);
}

static void fill_one(void *ctx, size_t index, struct gh_cell *cells)
{
	struct listing *l = ctx;
	const struct gh_chan_row *row = &l->list.rows.data[index];
	uint64_t bytes;

	cells[ONE_ADDRESS] = gh_cell_u64(row->addr);
	cells[ONE_TYPE] = gh_cell_text(row->type);
	cells[ONE_UNREAD] = gh_cell_u64(row->unread);
	cells[ONE_CAPACITY] = gh_cell_u64(row->capacity);
	if (!gh_mul(row->unread, row->elem_bytes, &bytes))
		cells[ONE_UNREAD_BYTES] = gh_cell_u64(bytes);
	cells[ONE_SENDERS] = gh_cell_u64(row->senders);
	cells[ONE_RECEIVERS] = gh_cell_u64(row->receivers);
	cells[ONE_CLOSED] = gh_cell_bool(row->is_closed);
	cells[ONE_OWNER] = owner_cell(l, row->addr);
	cells[ONE_SENDER_GOIDS] = goids_cell(l, row->addr, true);
	cells[ONE_RECEIVER_GOIDS] = goids_cell(l, row->addr, false);
	cells[ONE_TIMER] = gh_cell_bool(row->is_timer);
}

/* Takes the listing over. */
static struct gh_error *add_all(struct listing *l, const struct gh_filter *filter)
{
	struct gh_table *table = gh_report_table(l->report, "chans", one_columns, NONE_COLUMNS);
	struct gh_chan_row_vec *rows = &l->list.rows;
	size_t n = 0;

	if (!table) {
		listing_destroy(l);
		return gh_error_nomem();
	}
	for (size_t i = 0; i < rows->len; i++)
		if (gh_filter_type(filter, rows->data[i].type))
			rows->data[n++] = rows->data[i];
	rows->len = n;
	table->row = fill_one;
	table->row_ctx = l;
	table->row_ctx_destroy = listing_destroy;
	table->nrows = n;
	return NULL;
}

static void add_notes(const struct listing *l)
{
	uint64_t senders = 0, receivers = 0;

	for (size_t i = 0; i < l->list.rows.len; i++) {
		senders += l->list.rows.data[i].senders;
		receivers += l->list.rows.data[i].receivers;
	}
	l->report->headline =
		gh_arena_printf(&l->report->arena, "%llu channels: %llu wait to send, %llu to receive",
				(unsigned long long)l->list.rows.len, (unsigned long long)senders,
				(unsigned long long)receivers);
	gh_report_skip(l->report, "channels", l->list.damaged,
		       "they hold more than they can, or their queues end early");
}

static struct gh_error *create(struct gh_session *session, bool with_owners,
			       struct gh_report *report, struct listing **ret)
{
	struct listing *l = calloc(1, sizeof(*l));
	struct gh_error *err;

	if (!l)
		return gh_error_nomem();
	l->session = session;
	l->report = report;
	l->queue = gh_alloc_array(LOOKED_AT, sizeof(*l->queue));
	err = !l->queue ? gh_error_nomem() : with_owners ? gh_session_dominators(session) : NULL;
	if (!err)
		err = gh_chan_list_create(session, &l->list);
	if (!err && !gh_waiters_init(session, &l->waiters))
		err = gh_error_nomem();
	if (err) {
		listing_destroy(l);
		return err;
	}
	*ret = l;
	return NULL;
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	_cleanup_filter_ struct gh_filter filter = {0};
	bool all = gh_args_option(args, "--all");
	struct gh_error *err = gh_filter_init(args, &filter);
	struct listing *l = NULL;

	if (!err)
		err = create(session, all, report, &l);
	if (err)
		return err;
	add_notes(l);
	if (all) {
		err = add_all(l, &filter);
	} else {
		err = add_groups(l, &filter);
		listing_destroy(l);
	}
	if (!err)
		gh_heap_notes(session, report);
	return err;
}

static const struct gh_option options[] = {
	{"--all", NULL, NULL, "one channel a row, with its owner and who waits"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"groups", group_columns, NGROUP_COLUMNS},
	{"chans", one_columns, NONE_COLUMNS},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core chans", "channels by type, those with most unread bytes first"},
	{"core chans --sort senders", "types that most goroutines wait to send to"},
	{"core chans --all --type 'main.Job$'", "each channel of jobs: who holds it, who waits"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_chans = {
	.name = "chans",
	.summary = "Channels: what is unread, who waits to send or receive, which are closed.",
	.usage = "chans [--all]",
	.help = "unread is what was sent and not received yet, unread_bytes the elements "
		"themselves, without what they point to. senders and receivers count goroutines "
		"in the channels' queues, one that waits in a select once for each of its "
		"channels; senders_in and receivers_in name the functions in which most of them "
		"wait. owner (--all) is who alone leads to the "
		"channel, `shared` if there are several.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.needs_target = true,
	.run = run,
};
