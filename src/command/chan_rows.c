// SPDX-License-Identifier: Apache-2.0
// Table `chans` of `chans --all`: each channel with who leads to it and who waits. See chan_tables.h.
#include <stdlib.h>

#include "analysis/place.h"
#include "analysis/sharing.h"
#include "base/cleanup.h"
#include "command/chan_tables.h"
#include "command/code_cells.h"
#include "command/heap_notes.h"
#include "goruntime/traceback.h"

enum { SHOWN_GOIDS = 20, SHOWN_PLACES = 4, SHOWN_REFERRERS = 4 };

enum one_column {
	ADDRESS,
	TYPE,
	UNREAD,
	CAPACITY,
	UNREAD_BYTES,
	SENDERS,
	RECEIVERS,
	CLOSED,
	OWNER,
	SENDER_GOIDS,
	RECEIVER_GOIDS,
	TIMER,
	VERDICT,
	OWNERS,
	REFERRERS,
	REFERRER_COUNT,
	SENDERS_IN,
	RECEIVERS_IN,
	NCOLUMNS
};

const struct gh_column gh_chan_columns[GH_CHAN_NCOLUMNS] = {
	[ADDRESS] = {"address", GH_UNIT_ADDRESS, false, .handle = 'o'},
	[TYPE] = {"type", GH_UNIT_TEXT, false},
	[UNREAD] = {"unread", GH_UNIT_COUNT, false},
	[CAPACITY] = {"capacity", GH_UNIT_COUNT, false},
	[UNREAD_BYTES] = {"unread_bytes", GH_UNIT_BYTES, false},
	[SENDERS] = {"senders", GH_UNIT_COUNT, false},
	[RECEIVERS] = {"receivers", GH_UNIT_COUNT, false},
	[CLOSED] = {"closed", GH_UNIT_BOOL, false},
	[OWNER] = {"owner", GH_UNIT_TEXT, false},
	[SENDER_GOIDS] = {"sender_goids", GH_UNIT_LIST, true},
	[RECEIVER_GOIDS] = {"receiver_goids", GH_UNIT_LIST, true},
	[TIMER] = {"timer", GH_UNIT_BOOL, true},
	[VERDICT] = {"verdict", GH_UNIT_TEXT, .below = true},
	[OWNERS] = {"owners", GH_UNIT_TEXT, true},
	[REFERRERS] = {"referrers", GH_UNIT_LIST, .below = true},
	[REFERRER_COUNT] = {"referrer_count", GH_UNIT_COUNT, true},
	[SENDERS_IN] = {"senders_in", GH_UNIT_LIST, true},
	[RECEIVERS_IN] = {"receivers_in", GH_UNIT_LIST, true},
};

_Static_assert((int)NCOLUMNS == (int)GH_CHAN_NCOLUMNS, "the header tells others");

/* Who waits for which channel. */
struct wait {
	uint64_t goid;
	uint32_t chan;
};

struct listing {
	struct gh_chan_view view;
	struct wait *waits; // owned: by channel and goroutine; one a waiter

	const struct gh_sharing *sharing; // the session's; NULL: not known
	struct gh_places places;
	struct gh_range *ranges; // owned: the channels
	struct gh_referrer *referrers; // owned: SHOWN_REFERRERS of each channel
	uint64_t *counts;	       // owned
	uint64_t charged_bytes;
};

static void listing_destroy(void *ctx)
{
	struct listing *l = ctx;

	if (l) {
		gh_budget_give(l->view.session->target->budget, l->charged_bytes);
		gh_chan_view_deinit(&l->view);
		gh_places_deinit(&l->places);
		free(l->ranges);
		free(l->referrers);
		free(l->counts);
		free(l->waits);
	}
	free(l);
}

/* The waiters of one channel that do the same: a slice of them all. */
struct queue {
	const struct listing *l;
	const struct gh_chan_waiter *first;
	size_t n;
};

static struct queue queue_of(const struct listing *l, size_t chan, bool sends)
{
	const struct gh_chan_waiters *w = &l->view.waiters;
	size_t from = gh_chan_waiters_of(w, chan), end;

	while (from < w->all.len && w->all.data[from].chan == chan &&
	       w->all.data[from].sends != sends)
		from++;
	for (end = from; end < w->all.len && w->all.data[end].chan == chan &&
			 w->all.data[end].sends == sends;)
		end++;
	return (struct queue){l, w->all.data + from, end - from};
}

static uint64_t nth_goid(const void *ctx, size_t i)
{
	const struct queue *q = ctx;

	return q->l->view.session->goroutines.data[q->first[i].g].goid;
}

/* "main.worker /x/main.go:12 (5)", in the order of the queue, and how many stacks more there are. */
static struct gh_cell places_cell(struct listing *l, const struct queue *q)
{
	struct gh_report *report = l->view.report;
	uint32_t stacks[SHOWN_PLACES];
	uint64_t counts[SHOWN_PLACES] = {0}, others = 0;
	const char **items = gh_arena_alloc(&report->arena, (SHOWN_PLACES + 1) * sizeof(*items));
	size_t n = 0;

	if (!items || !q->n)
		return (struct gh_cell){0};
	for (size_t i = 0; i < q->n; i++) {
		size_t k = 0;

		while (k < n && stacks[k] != q->first[i].group)
			k++;
		if (k == SHOWN_PLACES) {
			others++;
			continue;
		}
		if (k == n)
			stacks[n++] = q->first[i].group;
		counts[k]++;
	}
	for (size_t k = 0; k < n; k++) {
		const struct gh_traceback *t = &l->view.waiters.groups.data[stacks[k]].traceback;
		const char *function = t->wait_function ? t->wait_function : t->top;
		_cleanup_strbuf_ struct gh_strbuf sb = {0};

		gh_function_print(&sb, function ? function : "somebody");
		if (t->wait_file)
			gh_strbuf_printf(&sb, " %s:%d", t->wait_file, t->wait_line);
		items[k] = gh_arena_printf(&report->arena, "%s (%llu)", gh_strbuf_str(&sb),
					   (unsigned long long)counts[k]);
	}
	if (others)
		items[n++] = gh_arena_printf(&report->arena, "and %llu more",
					     (unsigned long long)others);
	return gh_cell_list(items, n);
}

static int by_chan(const void *a, const void *b)
{
	const struct wait *x = a, *y = b;

	if (x->chan != y->chan)
		return x->chan < y->chan ? -1 : 1;
	return x->goid < y->goid ? -1 : x->goid > y->goid;
}

static bool index_waits(struct listing *l)
{
	const struct gh_chan_waiter_vec *all = &l->view.waiters.all;

	l->waits = gh_alloc_array(all->len, sizeof(*l->waits));
	for (size_t i = 0; l->waits && i < all->len; i++)
		l->waits[i] = (struct wait){
			l->view.session->goroutines.data[all->data[i].g].goid, all->data[i].chan};
	if (l->waits && all->len)
		qsort(l->waits, all->len, sizeof(*l->waits), by_chan);
	return l->waits;
}

/* Who waits is told elsewhere: neither those goroutines nor what describes them. */
static bool is_waiter(void *ctx, size_t range, const struct gh_referrer *referrer)
{
	const struct listing *l = ctx;
	const struct gh_session *s = l->view.session;
	size_t nwaits = l->view.waiters.all.len;
	struct wait key = {referrer->goid, (uint32_t)range};
	struct gh_slot_ref ref;
	gh_node owner;

	if (referrer->is_root)
		return referrer->goid && nwaits &&
		       bsearch(&key, l->waits, nwaits, sizeof(key), by_chan);
	if (!gh_heap_find(s->heap, referrer->at, &ref))
		return false;
	owner = gh_owner_of_slot(s->owners, ref.slot);
	return owner != GH_NODE_NONE && s->owners->owners.data[owner].kind == GH_ROOT_GOROUTINE;
}

static struct gh_error *find_referrers(struct listing *l)
{
	const struct gh_chan_row_vec *rows = &l->view.list.rows;
	struct gh_session *s = l->view.session;
	uint64_t bytes = rows->len * (sizeof(*l->ranges) + sizeof(*l->counts) +
				      SHOWN_REFERRERS * sizeof(*l->referrers)) +
			 l->view.waiters.all.len * sizeof(*l->waits);
	struct gh_error *err =
		gh_budget_charge(s->target->budget, bytes, "who refers to the channels");

	if (err)
		return err;
	l->charged_bytes = bytes;
	l->ranges = gh_alloc_array(rows->len, sizeof(*l->ranges));
	l->counts = gh_alloc_array(rows->len, sizeof(*l->counts));
	l->referrers = gh_alloc_array(rows->len, SHOWN_REFERRERS * sizeof(*l->referrers));
	if (!l->ranges || !l->counts || !l->referrers || !index_waits(l))
		return gh_error_nomem();
	for (size_t i = 0; i < rows->len; i++)
		l->ranges[i] = (struct gh_range){rows->data[i].addr, rows->data[i].addr + 1};
	return gh_referrers_few(s, l->ranges, rows->len,
				&(struct gh_referrers_few){.k = SHOWN_REFERRERS,
							   .skip = is_waiter,
							   .ctx = l,
							   .ret = l->referrers,
							   .counts_ret = l->counts});
}

/* "main.jobs", "goroutine 12 main.f.c", "and 3 more". */
static struct gh_cell referrers_cell(struct listing *l, size_t chan)
{
	struct gh_report *report = l->view.report;
	uint64_t count = l->counts[chan];
	const char **items =
		gh_arena_alloc(&report->arena, (SHOWN_REFERRERS + 1) * sizeof(*items));
	size_t n = gh_min_u64(count, SHOWN_REFERRERS);

	if (!items)
		return (struct gh_cell){0};
	for (size_t i = 0; i < n; i++) {
		items[i] = gh_places_referrer(&l->places,
					      &l->referrers[chan * SHOWN_REFERRERS + i]);
		if (!items[i])
			items[i] = "?";
	}
	if (count > n) {
		items[n] = gh_arena_printf(&report->arena, "and %llu more",
					   (unsigned long long)(count - n));
		n++;
	}
	return gh_cell_list(items, n);
}

/* Of a leaf, which one word leads to: whoever has that word. */
static bool owner_of_leaf(const struct gh_session *s, const struct gh_referrer *referrer,
			  struct gh_strbuf *sb)
{
	struct gh_static_var var;

	if (referrer->goid)
		gh_strbuf_printf(sb, "goroutine %llu", (unsigned long long)referrer->goid);
	else if (referrer->kind == GH_ROOT_GLOBAL &&
		 gh_statics_variable(s->statics, referrer->at, &var))
		gh_strbuf_puts(sb, var.name);
	return sb->len;
}

static bool describe_owner(const struct listing *l, size_t chan, uint64_t slot,
			   struct gh_strbuf *sb)
{
	const struct gh_referrer *first = &l->referrers[chan * SHOWN_REFERRERS];
	const struct gh_session *s = l->view.session;

	if (gh_slot_is_leaf(s->owners, slot) && first->count && first->is_root)
		return owner_of_leaf(s, first, sb);
	return gh_slot_owner(s, slot, first->count ? first->at : 0, sb);
}

static void fill_owners(struct listing *l, size_t chan, struct gh_cell *cells)
{
	const struct gh_session *s = l->view.session;
	_cleanup_strbuf_ struct gh_strbuf sb = {0}, all = {0};
	const struct gh_shared *shared;
	struct gh_slot_ref ref;

	if (!gh_heap_find(s->heap, l->view.list.rows.data[chan].addr, &ref) ||
	    !describe_owner(l, chan, ref.slot, &sb))
		return;
	cells[OWNER] = gh_cell_copy(l->view.report, gh_strbuf_str(&sb), sb.len);
	cells[OWNERS] = cells[OWNER];
	if (!l->sharing || !gh_slot_is_node(s->owners, ref.slot))
		return;
	shared = gh_sharing_of(l->sharing, gh_node_of_slot(s->owners, ref.slot));
	if (!shared)
		return;
	gh_sharing_describe(l->sharing, shared, /* nearest= */ false, &all);
	cells[OWNERS] = all.len ? gh_cell_copy(l->view.report, gh_strbuf_str(&all), all.len)
				: (struct gh_cell){0};
}

static void fill_row(void *ctx, size_t index, struct gh_cell *cells)
{
	struct listing *l = ctx;
	const struct gh_chan_row *row = &l->view.list.rows.data[index];
	struct queue senders = queue_of(l, index, true), receivers = queue_of(l, index, false);
	struct gh_error *err;
	uint64_t bytes;

	cells[ADDRESS] = gh_cell_u64(row->addr);
	cells[TYPE] = gh_cell_text(row->type);
	cells[UNREAD] = gh_cell_u64(row->unread);
	cells[CAPACITY] = gh_cell_u64(row->capacity);
	if (!gh_mul(row->unread, row->elem_bytes, &bytes))
		cells[UNREAD_BYTES] = gh_cell_u64(bytes);
	cells[SENDERS] = gh_cell_u64(row->senders);
	cells[RECEIVERS] = gh_cell_u64(row->receivers);
	cells[CLOSED] = gh_cell_bool(row->is_closed);
	cells[TIMER] = gh_cell_bool(row->is_timer);
	cells[VERDICT] = gh_cell_text(
		gh_chan_verdict(row->is_stranded, row->senders, row->receivers));
	fill_owners(l, index, cells);
	cells[REFERRERS] = referrers_cell(l, index);
	cells[REFERRER_COUNT] = gh_cell_u64(l->counts[index]);
	cells[SENDERS_IN] = places_cell(l, &senders);
	cells[RECEIVERS_IN] = places_cell(l, &receivers);
	err = gh_goids_cell(l->view.report, gh_min_u64(senders.n, SHOWN_GOIDS), nth_goid, &senders,
			    &cells[SENDER_GOIDS]);
	if (!err)
		err = gh_goids_cell(l->view.report, gh_min_u64(receivers.n, SHOWN_GOIDS), nth_goid,
				    &receivers, &cells[RECEIVER_GOIDS]);
	gh_error_destroy(err); // the cell stays null
}

static struct gh_error *find_sharing(struct listing *l)
{
	struct gh_error *err = gh_session_sharing(l->view.session);

	l->sharing = err ? NULL : l->view.session->sharing;
	return gh_settle_part(l->view.session, l->view.report, err,
			      "who shares channels is not listed");
}

struct gh_error *gh_chan_rows(struct gh_chan_view *view)
{
	struct gh_table *table = gh_report_table(view->report, "chans", gh_chan_columns, NCOLUMNS);
	struct listing *l = calloc(1, sizeof(*l));
	struct gh_error *err = NULL;

	if (!table || !l) {
		free(l);
		return gh_error_nomem();
	}
	l->view = *view;
	*view = (struct gh_chan_view){.session = l->view.session, .report = l->view.report};
	l->places = (struct gh_places){.session = l->view.session, .arena = &l->view.report->arena};
	err = gh_chan_waiters_load(l->view.session, &l->view.list, &l->view.waiters);
	if (!err)
		err = find_referrers(l);
	if (!err)
		err = find_sharing(l);
	if (err) {
		listing_destroy(l);
		return err;
	}
	table->row = fill_row;
	table->row_ctx = l;
	table->row_ctx_destroy = listing_destroy;
	table->nrows = l->view.list.rows.len;
	return NULL;
}
