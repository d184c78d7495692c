// SPDX-License-Identifier: Apache-2.0
// See objects.h.
#include "analysis/objects.h"

#include <stdlib.h>

#include "analysis/histogram.h"

enum { SPANS_A_POLL = 1024 };

enum verdict { UNDECIDED, WANTED, UNWANTED };

static uint64_t class_bytes(const struct gh_object_kinds *kinds)
{
	return kinds->ncodes * (1 + sizeof(**kinds->names));
}

void gh_object_kinds_deinit(struct gh_object_kinds *kinds)
{
	for (int i = 0; i < GH_SPAN_CLASSES; i++) {
		if (kinds->verdicts[i] && kinds->budget)
			gh_budget_give(kinds->budget, class_bytes(kinds));
		free(kinds->verdicts[i]);
		free(kinds->names[i]);
	}
	*kinds = (struct gh_object_kinds){0};
}

bool gh_object_kinds_prepare(struct gh_object_kinds *kinds, uint8_t class)
{
	if (!kinds->ncodes)
		kinds->ncodes = gh_mark_ncodes(kinds->mark);
	if (!kinds->verdicts[class] &&
	    !gh_budget_take(kinds->budget, class_bytes(kinds), "names of types"))
		return false;
	if (!kinds->verdicts[class])
		kinds->verdicts[class] = gh_alloc_array(kinds->ncodes, 1);
	if (!kinds->names[class])
		kinds->names[class] = gh_alloc_array(kinds->ncodes, sizeof(**kinds->names));
	return kinds->verdicts[class] && kinds->names[class];
}

bool gh_object_kinds_wanted(struct gh_object_kinds *kinds, uint8_t class, uint16_t state)
{
	uint8_t *verdict = &kinds->verdicts[class][state];

	if (*verdict == UNDECIDED) {
		const char *name =
			gh_object_name(kinds->session, kinds->mark, state, class, kinds->arena);
		bool wanted = name && (!kinds->wanted || kinds->wanted(kinds->ctx, name));

		kinds->names[class][state] = name;
		*verdict = wanted ? WANTED : UNWANTED;
	}
	return *verdict == WANTED;
}

struct gh_error *gh_objects_init(struct gh_session *session, const struct gh_objects_query *query,
				 struct gh_objects *ret)
{
	struct gh_error *err;

	*ret = (struct gh_objects){.min_bytes = query->min_bytes};
	err = query->dead ? gh_session_garbage(session) : gh_session_mark(session);
	if (!err)
		ret->kinds = (struct gh_object_kinds){
			.session = session,
			.mark = query->dead ? session->garbage : session->mark,
			.wanted = query->wanted,
			.ctx = query->ctx,
			.arena = query->arena,
		};
	return err;
}

void gh_objects_deinit(struct gh_objects *objects)
{
	gh_object_kinds_deinit(&objects->kinds);
}

/* Take objects of a span from objects->index on, until the span ends or `max` are there. */
static size_t take(struct gh_objects *objects, const struct gh_span *span, struct gh_object *ret,
		   size_t max)
{
	struct gh_states states = gh_mark_states(objects->kinds.mark);
	size_t n = 0;

	for (; objects->index < span->nelems && n < max; objects->index++) {
		uint16_t state = gh_state_at(&states, span->slot0 + objects->index);

		if (!gh_state_is_live(state) ||
		    !gh_object_kinds_wanted(&objects->kinds, span->spanclass, state))
			continue;
		ret[n++] = (struct gh_object){
			.addr = span->base + objects->index * span->elem_bytes,
			.bytes = span->elem_bytes,
			.type = objects->kinds.names[span->spanclass][state],
			.strength = gh_object_strength(objects->kinds.mark, state),
		};
	}
	return n;
}

static struct gh_error *enter(struct gh_objects *objects, const struct gh_span *span)
{
	if (!gh_object_kinds_prepare(&objects->kinds, span->spanclass))
		return gh_error_nomem();
	if (objects->index || objects->span % SPANS_A_POLL)
		return NULL;
	return gh_poll(&objects->kinds.session->poll, "listing", objects->span,
		       objects->kinds.session->heap->table.spans.len);
}

struct gh_error *gh_objects_next(struct gh_objects *objects, struct gh_object *ret, size_t max,
				 size_t *n_ret)
{
	const struct gh_span_vec *spans = &objects->kinds.session->heap->table.spans;
	size_t n = 0;

	while (n < max && objects->span < spans->len) {
		const struct gh_span *span = &spans->data[objects->span];
		struct gh_error *err = enter(objects, span);

		if (err && !n)
			return err;
		if (err) { // what is there comes first; the next call stumbles here again
			gh_error_destroy(err);
			break;
		}
		if (span->elem_bytes >= objects->min_bytes)
			n += take(objects, span, ret + n, max - n);
		if (n < max) {
			objects->span++;
			objects->index = 0;
		}
	}
	*n_ret = n;
	return NULL;
}
