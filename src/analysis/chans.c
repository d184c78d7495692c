// SPDX-License-Identifier: Apache-2.0
// See chans.h.
#include "analysis/chans.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/ring.h"
#include "goruntime/rtype.h"
#include "goruntime/wait.h"

enum {
	POLL_SPANS = 1024,
	POLL_GOROUTINES = 4096,
	CHARGE = 1024, // rows charged at once
};

struct lister {
	struct gh_session *session;
	struct gh_chan_list *list;
	uint8_t *is_chan; // owned: by state
	size_t ncodes;
};

uint64_t gh_chan_queue(const struct gh_runtime *rt, gh_addr chan, bool senders, gh_addr *ret,
		       uint64_t max, bool *damaged_ret)
{
	gh_addr addr = gh_field_or_zero(rt, chan, senders ? GH_F_hchan_sendq : GH_F_hchan_recvq);
	struct gh_ring ring = {0};
	uint64_t n = 0;

	while (addr) {
		struct gh_sudog s;

		if (gh_ring_closes(&ring, addr) || !gh_sudog_read(rt, addr, &s) || s.chan != chan) {
			if (damaged_ret)
				*damaged_ret = true;
			return n;
		}
		if (n < max)
			ret[n] = s.g;
		n++;
		addr = s.next;
	}
	return n;
}

static struct gh_error *push(struct gh_chan_list *list, const struct gh_chan_row *row)
{
	uint64_t bytes = CHARGE * sizeof(*row);

	if (list->rows.len % CHARGE == 0) {
		struct gh_error *err = gh_budget_charge(list->budget, bytes, "the list of channels");

		if (err)
			return err;
		list->charged_bytes += bytes;
	}
	return gh_chan_row_vec_push(&list->rows, *row) ? NULL : gh_error_nomem();
}

static struct gh_error *add_chan(struct lister *l, gh_addr addr, const char *type)
{
	const struct gh_runtime *rt = l->session->rt;
	struct gh_chan_row row = {.addr = addr, .type = type};

	if (!gh_field(rt, addr, GH_F_hchan_qcount, &row.unread) ||
	    !gh_field(rt, addr, GH_F_hchan_dataqsiz, &row.capacity) ||
	    row.unread > row.capacity) {
		l->list->damaged++;
		return NULL;
	}
	row.elem_bytes = gh_field_or_zero(rt, addr, GH_F_hchan_elemsize);
	row.is_closed = gh_field_or_zero(rt, addr, GH_F_hchan_closed);
	row.is_timer = gh_field_or_zero(rt, addr, GH_F_hchan_timer);
	row.senders = gh_chan_queue(rt, addr, true, NULL, 0, &row.is_damaged);
	row.receivers = gh_chan_queue(rt, addr, false, NULL, 0, &row.is_damaged);
	l->list->damaged += row.is_damaged;
	return push(l->list, &row);
}

/* States that say that a slot is a channel; not its buffer, not a variable that holds one. */
static bool find_states(struct lister *l)
{
	l->ncodes = gh_mark_ncodes(l->session->mark);
	l->is_chan = gh_alloc_array(l->ncodes, 1);
	for (size_t state = GH_CODE_FIRST; l->is_chan && state < l->ncodes; state++) {
		struct gh_code code = gh_mark_code(l->session->mark, (uint16_t)state);

		l->is_chan[state] =
			gh_code_names(code) &&
			gh_types_get(l->session->types, code.type)->shape == GH_SHAPE_CHAN;
	}
	return l->is_chan != NULL;
}

static struct gh_error *list_span(struct lister *l, const struct gh_span *span)
{
	struct gh_states states = gh_mark_states(l->session->mark);
	uint64_t header = gh_span_header_bytes(span);
	struct gh_error *err = NULL;

	for (uint32_t i = 0; i < span->nelems && !err; i++) {
		uint16_t state = gh_state_at(&states, span->slot0 + i);

		if (state < GH_CODE_FIRST || state >= l->ncodes || !l->is_chan[state])
			continue;
		err = add_chan(l, span->base + i * span->elem_bytes + header,
			       gh_types_name(l->session->types,
					     gh_mark_code(l->session->mark, state).type));
	}
	return err;
}

static struct gh_error *list_objects(struct lister *l)
{
	const struct gh_span_vec *spans = &l->session->heap->table.spans;
	struct gh_error *err = find_states(l) ? NULL : gh_error_nomem();

	for (size_t i = 0; i < spans->len && !err; i++) {
		if (i % POLL_SPANS == 0)
			err = gh_poll(&l->session->poll, "listing channels", i, spans->len);
		if (!err)
			err = list_span(l, &spans->data[i]);
	}
	return err;
}

static int by_addr(const void *a, const void *b)
{
	const struct gh_chan_row *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static bool is_listed(const struct gh_chan_row_vec *rows, size_t n, gh_addr addr)
{
	struct gh_chan_row key = {.addr = addr};

	return n && bsearch(&key, rows->data, n, sizeof(key), by_addr);
}

/* By its own element type, where no pointer told. */
static const char *type_of(struct lister *l, gh_addr chan)
{
	gh_addr elem = gh_field_or_zero(l->session->rt, chan, GH_F_hchan_elemtype);
	gh_type_id id = gh_module_of_types(l->session->rt, elem)
				? gh_types_of_rtype(l->session->types, elem)
				: 0;

	return gh_types_name(l->session->types,
			     id ? gh_types_chan(l->session->types, id) : 0);
}

/* Channels that goroutines wait for and that have no type in the heap. */
static struct gh_error *list_waited(struct lister *l)
{
	const struct gh_goroutine_vec *gs = &l->session->goroutines;
	struct gh_chan_row_vec *rows = &l->list->rows;
	struct gh_addr_vec found = {0};
	struct gh_wait wait = {0};
	struct gh_error *err = NULL;
	size_t n = rows->len;

	for (size_t i = 0; i < gs->len && !err; i++) {
		if (i % POLL_GOROUTINES == 0)
			err = gh_poll(&l->session->poll, "listing channels", i, gs->len);
		if (!err)
			err = gh_wait_load(l->session->rt, &gs->data[i], NULL, NULL, &wait);
		for (size_t k = 0; k < wait.sudogs.len && !err; k++)
			if (wait.sudogs.data[k].chan &&
			    !is_listed(rows, n, wait.sudogs.data[k].chan) &&
			    !gh_addr_vec_push(&found, wait.sudogs.data[k].chan))
				err = gh_error_nomem();
	}
	found.len = gh_addr_unique(found.data, found.len); // many may wait for one
	for (size_t i = 0; i < found.len && !err; i++)
		err = add_chan(l, found.data[i], type_of(l, found.data[i]));
	gh_addr_vec_deinit(&found);
	gh_wait_deinit(&wait);
	return err;
}

static void arrange(struct gh_chan_row_vec *rows)
{
	size_t n = 0;

	if (rows->len)
		qsort(rows->data, rows->len, sizeof(*rows->data), by_addr);
	for (size_t i = 0; i < rows->len; i++)
		if (!n || rows->data[n - 1].addr != rows->data[i].addr)
			rows->data[n++] = rows->data[i];
	rows->len = n;
}

struct gh_error *gh_chan_list_create(struct gh_session *session, struct gh_chan_list *ret)
{
	struct lister l = {.session = session, .list = ret};
	struct gh_error *err = gh_session_mark(session);

	*ret = (struct gh_chan_list){.budget = session->target->budget};
	if (!err)
		err = list_objects(&l);
	if (!err) {
		arrange(&ret->rows);
		err = list_waited(&l);
	}
	arrange(&ret->rows);
	free(l.is_chan);
	if (err)
		gh_chan_list_deinit(ret);
	return err;
}

void gh_chan_list_deinit(struct gh_chan_list *list)
{
	gh_chan_row_vec_deinit(&list->rows);
	gh_budget_give(list->budget, list->charged_bytes);
	*list = (struct gh_chan_list){0};
}
