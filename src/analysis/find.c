// SPDX-License-Identifier: Apache-2.0
// See find.h.
#include "analysis/find.h"

enum {
	CHARGE = 1 << 17,     // addresses charged at once
	PIECE = 16 << 20,     // bytes looked through between two polls
};

struct search {
	struct gh_session *session;
	struct gh_pattern pattern;
	uint64_t max;
	struct gh_found *found;
	uint64_t last_slot; // that had one
	uint64_t done;	    // bytes since the last poll
};

static struct gh_error *keep(struct search *s, gh_addr at)
{
	uint64_t bytes = CHARGE * sizeof(gh_addr);

	if (s->found->all.len % CHARGE == 0) {
		struct gh_error *err = gh_budget_charge(s->session->target->budget, bytes,
							"the list of places");

		if (err)
			return err;
		s->found->charged_bytes += bytes;
	}
	s->found->total++;
	s->found->stopped = s->found->total == s->max;
	return gh_addr_vec_push(&s->found->all, at) ? NULL : gh_error_nomem();
}

/* An occurrence at `offset` of the span: in one live slot? *next_ret: where to go on. */
static struct gh_error *judge(struct search *s, const struct gh_states *states,
			      const struct gh_span *span, uint64_t offset, uint64_t *next_ret)
{
	uint64_t index = offset / span->elem_bytes, slot = span->slot0 + index;

	if (index >= span->nelems) {
		*next_ret = gh_span_bytes(span);
		return NULL;
	}
	if (!gh_state_is_live(gh_state_at(states, slot))) {
		*next_ret = (index + 1) * span->elem_bytes;
		return NULL;
	}
	if (offset % span->elem_bytes + s->pattern.len > span->elem_bytes) {
		*next_ret = offset + 1;
		return NULL;
	}
	*next_ret = offset + s->pattern.len;
	s->found->objects += s->last_slot != slot;
	s->last_slot = slot;
	return keep(s, span->base + offset);
}

/* [from, to) of the span; an occurrence may reach into what follows. */
static struct gh_error *search_piece(struct search *s, const struct gh_span *span, uint64_t *from,
				     uint64_t to)
{
	struct gh_states states = gh_mark_states(s->session->mark);
	uint64_t end = gh_min_u64(to + s->pattern.len - 1, gh_span_bytes(span));
	struct gh_error *err = NULL;

	while (!err && *from < end && !s->found->stopped) {
		const uint8_t *at = memmem(span->host + *from, end - *from, s->pattern.bytes,
					   s->pattern.len);
		uint64_t offset = at ? (uint64_t)(at - span->host) : end;

		if (!at)
			break;
		err = judge(s, &states, span, offset, from);
	}
	if (*from < to)
		*from = to;
	return err;
}

static struct gh_error *search_span(struct search *s, const struct gh_span *span)
{
	uint64_t bytes = gh_span_bytes(span), from = 0;
	struct gh_error *err = NULL;

	while (!err && from < bytes && !s->found->stopped) {
		uint64_t to = gh_min_u64(from + PIECE, bytes);

		s->done += to - from;
		err = search_piece(s, span, &from, to);
		if (!err && s->done >= PIECE) {
			s->done = 0;
			err = gh_poll(&s->session->poll, "looking for bytes", span->slot0,
				      s->session->heap->table.nslots);
		}
	}
	return err;
}

struct gh_error *gh_find(struct gh_session *session, struct gh_pattern pattern, uint64_t max,
			 struct gh_found *ret)
{
	const struct gh_span_vec *spans = &session->heap->table.spans;
	struct gh_found found = {0};
	struct search s = {.session = session,
			   .pattern = pattern,
			   .max = max,
			   .found = &found,
			   .last_slot = UINT64_MAX};
	struct gh_error *err = NULL;

	for (size_t i = 0; i < spans->len && !err && !found.stopped; i++)
		if (spans->data[i].host && spans->data[i].elem_bytes)
			err = search_span(&s, &spans->data[i]);
	if (err) {
		gh_found_deinit(session, &found);
		return err;
	}
	*ret = found;
	return NULL;
}

void gh_found_deinit(struct gh_session *session, struct gh_found *found)
{
	gh_budget_give(session->target->budget, found->charged_bytes);
	gh_addr_vec_deinit(&found->all);
	*found = (struct gh_found){0};
}
