// SPDX-License-Identifier: Apache-2.0
// See objects.h.
#include "analysis/objects.h"

#include <stdlib.h>

#include "analysis/histogram.h"

enum { SPANS_A_POLL = 1024 };

/* Slots are wanted or not by their class and state: each pair is judged once. */
enum verdict { UNDECIDED, WANTED, UNWANTED };

struct gh_error *gh_objects_init(struct gh_session *session, const struct gh_objects_query *query,
				 struct gh_objects *ret)
{
	struct gh_error *err;

	*ret = (struct gh_objects){.query = *query, .session = session};
	err = query->dead ? gh_session_garbage(session) : gh_session_mark(session);
	if (!err)
		ret->mark = query->dead ? session->garbage : session->mark;
	return err;
}

void gh_objects_deinit(struct gh_objects *objects)
{
	for (int i = 0; i < GH_SPAN_CLASSES; i++) {
		free(objects->verdicts[i]);
		free(objects->names[i]);
	}
	*objects = (struct gh_objects){0};
}

static bool prepare(struct gh_objects *objects, uint8_t class)
{
	size_t n = gh_mark_ncodes(objects->mark);

	if (!objects->verdicts[class])
		objects->verdicts[class] = gh_alloc_array(n, 1);
	if (!objects->names[class])
		objects->names[class] = gh_alloc_array(n, sizeof(**objects->names));
	return objects->verdicts[class] && objects->names[class];
}

static bool is_wanted(struct gh_objects *objects, uint8_t class, uint16_t state)
{
	const struct gh_objects_query *query = &objects->query;
	uint8_t *verdict = &objects->verdicts[class][state];

	if (*verdict == UNDECIDED) {
		const char *name =
			gh_object_name(objects->session, objects->mark, state, class, query->arena);
		bool wanted = name && (!query->wanted || query->wanted(query->ctx, name));

		objects->names[class][state] = name;
		*verdict = wanted ? WANTED : UNWANTED;
	}
	return *verdict == WANTED;
}

/* Take objects of a span from objects->index on, until the span ends or `max` are there. */
static size_t take(struct gh_objects *objects, const struct gh_span *span, struct gh_object *ret,
		   size_t max)
{
	struct gh_states states = gh_mark_states(objects->mark);
	size_t n = 0;

	for (; objects->index < span->nelems && n < max; objects->index++) {
		uint16_t state = gh_state_at(&states, span->slot0 + objects->index);

		if (!gh_state_is_live(state) || !is_wanted(objects, span->spanclass, state))
			continue;
		ret[n++] = (struct gh_object){
			.addr = span->base + objects->index * span->elem_bytes,
			.bytes = span->elem_bytes,
			.type = objects->names[span->spanclass][state],
			.strength = gh_object_strength(objects->mark, state),
		};
	}
	return n;
}

static struct gh_error *enter(struct gh_objects *objects, const struct gh_span *span)
{
	if (!prepare(objects, span->spanclass))
		return gh_error_nomem();
	if (objects->index || objects->span % SPANS_A_POLL)
		return NULL;
	return gh_poll(&objects->session->poll, "listing", objects->span,
		       objects->session->heap->table.spans.len);
}

struct gh_error *gh_objects_next(struct gh_objects *objects, struct gh_object *ret, size_t max,
				 size_t *n_ret)
{
	const struct gh_span_vec *spans = &objects->session->heap->table.spans;
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
		if (span->elem_bytes >= objects->query.min_bytes)
			n += take(objects, span, ret + n, max - n);
		if (n < max) {
			objects->span++;
			objects->index = 0;
		}
	}
	*n_ret = n;
	return NULL;
}
