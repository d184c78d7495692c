// SPDX-License-Identifier: Apache-2.0
// See waiting.h. Queues of channels: runtime/chan.go (waitq{first, last}).
#include "analysis/waiting.h"

#include "base/cleanup.h"
#include "base/ring.h"
#include "goruntime/descriptor.h"
#include "goruntime/rtype.h"
#include "goruntime/timer.h"

enum { MAX_QUEUE = 1 << 24 };

struct walk {
	struct gh_session *session;
	const struct gh_goroutine *g;
	struct gh_arena *arena;
	struct gh_waiting_vec *rows;
	uint64_t damaged;
	struct gh_timer_vec timers; // those in heaps that have channels, once has_timers
	bool has_timers;
	struct gh_error *err; // the first one
};

static uint64_t goid_of(const struct gh_runtime *rt, gh_addr g)
{
	return gh_field_or_zero(rt, g, GH_F_g_goid);
}

static void add_party(struct gh_waiting *row, uint64_t goid)
{
	if (row->nparties < GH_PARTIES_KEPT)
		row->parties[row->nparties] = goid;
	row->nparties++;
}

/* All that stand in one queue of a channel. */
static uint64_t walk_queue(struct walk *w, gh_addr first_at, struct gh_waiting *row)
{
	const struct gh_runtime *rt = w->session->rt;
	struct gh_ring ring = {0};
	uint64_t n = 0;
	gh_addr sudog = 0;

	gh_read_u64(rt->image, first_at, &sudog);
	while (sudog && n < MAX_QUEUE) {
		gh_addr g = gh_field_or_zero(rt, sudog, GH_F_sudog_g);

		if (!g || gh_ring_closes(&ring, sudog)) {
			w->damaged++;
			break;
		}
		n++;
		if (g != w->g->addr)
			add_party(row, goid_of(rt, g));
		sudog = gh_field_or_zero(rt, sudog, GH_F_sudog_next);
	}
	return n;
}

static const char *chan_type(const struct walk *w, gh_addr chan)
{
	const struct gh_runtime *rt = w->session->rt;
	gh_addr elem = gh_field_or_zero(rt, chan, GH_F_hchan_elemtype);
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	if (!elem)
		return NULL;
	gh_strbuf_puts(&sb, "chan ");
	gh_rtype_name(rt, elem, &sb);
	return gh_arena_strndup(w->arena, gh_strbuf_str(&sb), sb.len);
}

static const char *chan_role(const struct gh_sudog *sudog)
{
	switch ((enum gh_sudog_role)sudog->role) {
	case GH_SUDOG_RECEIVE:
		return sudog->is_select ? "select receive" : "receive";
	case GH_SUDOG_SEND:
		return sudog->is_select ? "select send" : "send";
	case GH_SUDOG_CASE:
		return "select case";
	case GH_SUDOG_SEMAPHORE:
	case GH_SUDOG_COND:
		break;
	}
	return "wait";
}

static void set_due(const struct walk *w, const struct gh_timer *timer, struct gh_waiting *row)
{
	row->has_due = w->session->has_now && timer->when_ns > 0 && !timer->is_fake;
	if (row->has_due)
		row->due_ns = timer->when_ns - w->session->now_ns;
}

static struct gh_error *keep_timer(void *ctx, const struct gh_timer *t)
{
	struct walk *w = ctx;

	if (t->kind != GH_TIMER_TIMER && t->kind != GH_TIMER_TICKER)
		return NULL;
	return gh_timer_vec_push(&w->timers, *t) ? NULL : gh_error_nomem();
}

/* Once, for all channels of a select. Where they are damaged, none are known. */
static struct gh_error *load_timers(struct walk *w)
{
	const struct gh_timers *timers;
	struct gh_error *err;

	if (w->has_timers)
		return NULL;
	w->has_timers = true;
	err = gh_session_timers_if_any(w->session, &timers);
	if (!err && timers)
		err = gh_timers_visit(w->session->rt, timers, &w->session->poll, keep_timer, w,
				      NULL);
	return err;
}

/*
 * When something will be sent on the channel of a timer. Up to go1.22, and with asynctimerchan=1, the
 * channel does not know its timer, but such a timer stands in a heap until it fires.
 */
static struct gh_error *find_due(struct walk *w, struct gh_waiting *row)
{
	const struct gh_runtime *rt = w->session->rt;
	gh_addr addr = gh_field_or_zero(rt, row->addr, GH_F_hchan_timer);
	struct gh_timer timer;
	struct gh_error *err;

	if (addr) {
		if (gh_timer_read(rt, addr, &timer))
			set_due(w, &timer, row);
		return NULL;
	}
	err = load_timers(w);
	if (err)
		return err;
	for (size_t i = 0; i < w->timers.len; i++)
		if (w->timers.data[i].arg == row->addr)
			set_due(w, &w->timers.data[i], row);
	return NULL;
}

static bool add_row(struct walk *w, const struct gh_waiting *row)
{
	return gh_waiting_vec_push(w->rows, *row);
}

static bool add_chan(struct walk *w, const struct gh_sudog *sudog)
{
	const struct gh_runtime *rt = w->session->rt;
	struct gh_waiting row = {.what = chan_role(sudog), .addr = sudog->chan, .is_chan = true};
	uint64_t closed;

	if (!gh_field(rt, sudog->chan, GH_F_hchan_qcount, &row.buffered) ||
	    !gh_field(rt, sudog->chan, GH_F_hchan_dataqsiz, &row.capacity)) {
		w->damaged++;
		row.is_chan = false;
		return add_row(w, &row);
	}
	closed = gh_field_or_zero(rt, sudog->chan, GH_F_hchan_closed);
	row.closed = closed != 0;
	row.type = chan_type(w, sudog->chan);
	if (row.capacity == 1 && row.type && strcmp(row.type, "chan time.Time") == 0)
		w->err = w->err ? w->err : find_due(w, &row);
	row.receivers = walk_queue(
		w, sudog->chan + (uint64_t)rt->layout.offset[GH_F_hchan_recvq], &row);
	row.senders = walk_queue(
		w, sudog->chan + (uint64_t)rt->layout.offset[GH_F_hchan_sendq], &row);
	return add_row(w, &row);
}

static const char *lock_name(enum gh_blocked_on on)
{
	switch (on) {
	case GH_BLOCKED_MUTEX:
		return "Mutex";
	case GH_BLOCKED_READ:
		return "RWMutex, to read";
	case GH_BLOCKED_WRITE:
		return "RWMutex, to write: for readers to leave";
	case GH_BLOCKED_WRITE_TURN:
		return "RWMutex, to write: for another writer";
	case GH_BLOCKED_WAIT_GROUP:
		return "WaitGroup";
	case GH_BLOCKED_COND:
		return "Cond";
	case GH_BLOCKED_FD:
		return "file in use by another";
	case GH_BLOCKED_SEMAPHORE:
	case GH_BLOCKED_ELSE:
		break;
	}
	return "semaphore";
}

/* Others that wait for the same semaphore. */
static bool add_lock(struct walk *w, const struct gh_blocked *blocked)
{
	struct gh_waiting row = {.what = lock_name(blocked->on),
				 .is_lock = true,
				 .lock = SIZE_MAX,
				 .addr = blocked->lock ? blocked->lock : blocked->wait->object};
	const struct gh_sema_waiter_vec *waiters = &blocked->semaphores->waiters;

	for (size_t i = 0; blocked->wait->object && i < waiters->len; i++)
		if (waiters->data[i].semaphore == blocked->wait->object &&
		    waiters->data[i].g != w->g->addr)
			add_party(&row, goid_of(w->session->rt, waiters->data[i].g));
	return add_row(w, &row);
}

static bool add_timer(struct walk *w, const struct gh_wait *wait)
{
	struct gh_waiting row = {.what = "sleep", .addr = wait->object};
	struct gh_timer timer;

	if (wait->object && gh_timer_read(w->session->rt, wait->object, &timer))
		set_due(w, &timer, &row);
	return add_row(w, &row);
}

static bool add_io(struct walk *w, const struct gh_blocked *blocked)
{
	const struct gh_runtime *rt = w->session->rt;
	char mode = blocked->wait->io_mode;
	struct gh_waiting row = {.what = mode == 'r'   ? "IO read"
					 : mode == 'w' ? "IO write"
						       : "IO",
				 .addr = blocked->wait->object};
	_cleanup_(gh_descriptor_deinit) struct gh_descriptor found = {0};

	row.has_fd = row.addr && gh_field(rt, row.addr, GH_F_pollDesc_fd, &row.fd);
	if (row.has_fd)
		gh_descriptor_find(rt, w->g, blocked->frames, row.fd, &found);
	if (found.addr && found.name.len && !w->session->no_values)
		row.path = gh_arena_strndup(w->arena, gh_strbuf_str(&found.name), found.name.len);
	return add_row(w, &row);
}

static bool add_text(struct walk *w, const char *what, gh_addr addr)
{
	return add_row(w, &(struct gh_waiting){.what = what, .addr = addr});
}

static struct gh_error *add_rows(void *ctx, const struct gh_blocked *blocked)
{
	const struct gh_wait *wait = blocked->wait;
	struct walk *w = ctx;
	bool fine = true;

	w->damaged += wait->damaged;
	switch (wait->kind) {
	case GH_WAIT_RECEIVE:
	case GH_WAIT_SEND:
	case GH_WAIT_SELECT:
		for (size_t i = 0; fine && i < wait->sudogs.len; i++)
			fine = add_chan(w, &wait->sudogs.data[i]);
		break;
	case GH_WAIT_FOREVER:
		fine = add_text(w, "nothing: a nil channel or an empty select, for ever", 0);
		break;
	case GH_WAIT_SEMAPHORE:
	case GH_WAIT_MUTEX:
	case GH_WAIT_READ_LOCK:
	case GH_WAIT_WRITE_LOCK:
	case GH_WAIT_WAIT_GROUP:
	case GH_WAIT_COND:
		fine = add_lock(w, blocked);
		break;
	case GH_WAIT_SLEEP:
		fine = add_timer(w, wait);
		break;
	case GH_WAIT_IO:
		fine = add_io(w, blocked);
		break;
	case GH_WAIT_COROUTINE:
		fine = add_text(w, "a coroutine (iter.Pull)", wait->object);
		break;
	case GH_WAIT_RUNTIME:
		fine = add_text(w, "the runtime", 0);
		break;
	case GH_WAIT_NONE:
		break;
	}
	if (w->err)
		return gh_steal(w->err);
	return fine ? NULL : gh_error_nomem();
}

struct gh_error *gh_waiting_load(struct gh_session *session, size_t g, struct gh_arena *arena,
				 struct gh_waiting_list *ret)
{
	struct walk w = {.session = session,
			 .g = &session->goroutines.data[g],
			 .arena = arena,
			 .rows = &ret->rows};
	struct gh_blocked_counts counts;
	struct gh_error *err;

	*ret = (struct gh_waiting_list){0};
	err = gh_blocked_one(session, g, add_rows, &w, &counts);
	gh_timer_vec_deinit(&w.timers);
	ret->damaged = w.damaged;
	if (err)
		gh_waiting_deinit(ret);
	return err;
}

void gh_waiting_deinit(struct gh_waiting_list *list)
{
	gh_waiting_vec_deinit(&list->rows);
	gh_locks_deinit(&list->locks);
	*list = (struct gh_waiting_list){0};
}

struct gh_error *gh_waiting_find_locks(struct gh_session *session,
				       struct gh_waiting_list *list)
{
	struct gh_error *err = NULL;
	bool found = false;

	for (size_t i = 0; i < list->rows.len && !err; i++) {
		struct gh_waiting *row = &list->rows.data[i];

		if (!row->is_lock || !row->addr)
			continue;
		if (!found)
			err = gh_locks_find(session, &list->locks);
		found = true;
		if (!err)
			row->lock = gh_locks_at(&list->locks, row->addr);
	}
	return err;
}
