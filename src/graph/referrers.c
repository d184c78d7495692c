// SPDX-License-Identifier: Apache-2.0
// See referrers.h.
#include "graph/referrers.h"

#include "graph/page_filter.h"
#include "graph/words.h"

enum { POLL_WORDS = 16 << 20 }; // between two polls

struct sweep {
	struct gh_mark *m;
	const struct gh_range *ranges;
	size_t n;
	struct gh_page_filter pages;
	gh_referrer_fn fn;
	void *ctx;
	bool stopped;
};

static inline void look(void *ctx, gh_addr at, uint64_t value)
{
	struct sweep *s = ctx;
	size_t range;

	if (GH_LIKELY(!gh_page_filter_test(&s->pages, value)) || s->stopped)
		return;
	range = gh_ranges_find(s->ranges, s->n, value);
	if (range < s->n)
		s->stopped = !s->fn(s->ctx, range, at, value);
}

static void sweep_span(struct sweep *s, const struct gh_span *span)
{
	struct gh_states states = gh_mark_states(s->m);
	uint64_t n = gh_min_u64(span->nelems * span->elem_bytes, gh_span_bytes(span)) / 8, index;

	for (uint64_t i = gh_page_filter_find(&s->pages, span->host, 0, n); i < n && !s->stopped;
	     i = gh_page_filter_find(&s->pages, span->host, i, n)) {
		index = i * 8 / span->elem_bytes;
		if (gh_state_is_live(gh_state_at(&states, span->slot0 + index))) {
			gh_addr base = span->base + index * span->elem_bytes;

			gh_object_words(s->m, base, gh_page_at(s->m, base), look, s);
		}
		i = (index + 1) * span->elem_bytes / 8;
	}
}

struct gh_error *gh_referrers_sweep(struct gh_mark *mark, const struct gh_range *ranges, size_t n,
				    const struct gh_poll *poll, gh_referrer_fn fn, void *ctx)
{
	struct sweep s = {.m = mark, .ranges = ranges, .n = n, .fn = fn, .ctx = ctx};
	const struct gh_span_vec *spans = &mark->heap->table.spans;
	struct gh_error *err = NULL;
	uint64_t words = 0;

	if (!n)
		return NULL;
	if (!gh_page_filter_init(&s.pages))
		return gh_error_nomem();
	for (size_t i = 0; i < n; i++)
		gh_page_filter_add(&s.pages, ranges[i].lo, ranges[i].hi);
	for (size_t i = 0; i < spans->len && !s.stopped && !err; i++) {
		const struct gh_span *span = &spans->data[i];

		if (!span->host || gh_span_is_noscan(span) || !span->elem_bytes)
			continue;
		sweep_span(&s, span);
		words += gh_span_bytes(span) / 8;
		if (words < POLL_WORDS)
			continue;
		words = 0;
		err = gh_poll(poll, "looking for referrers", i, spans->len);
	}
	gh_page_filter_deinit(&s.pages);
	return err ? err : mark->nomem ? gh_error_nomem() : NULL;
}
