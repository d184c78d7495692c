// SPDX-License-Identifier: Apache-2.0
// All words of the owner graph in one pass: those of owners, then those of objects by address. For
// what is looked for once; inlined with its function.
#pragma once

#include "graph/owners.h"
#include "graph/words.h"

/** A word of an owner (an index into its words) or of an object (counted from its slot's start). */
typedef void (*gh_sweep_fn)(void *ctx, gh_node from, uint32_t word, uint64_t value);

struct gh_sweep {
	gh_sweep_fn fn;
	void *ctx;
	gh_node from;
	gh_addr base;
};

__attribute__((always_inline)) static inline void gh_sweep_word(void *ctx, gh_addr at,
								uint64_t value)
{
	struct gh_sweep *s = ctx;

	s->fn(s->ctx, s->from, (uint32_t)((at - s->base) / 8), value);
}

/** The nodes of a span. */
__attribute__((always_inline)) static inline void
gh_sweep_span(const struct gh_owner_graph *graph, const struct gh_span *span, struct gh_sweep *s)
{
	struct gh_mark *m = graph->mark;

	for (uint32_t i = 0; i < span->nelems; i++) {
		if (!gh_slot_is_node(graph, span->slot0 + i))
			continue;
		s->from = gh_node_of_slot(graph, span->slot0 + i);
		s->base = span->base + i * span->elem_bytes;
		gh_object_words(m, s->base, gh_page_at(m, s->base), gh_sweep_word, s);
	}
}

/** Errors: CANCELLED. */
__attribute__((always_inline)) static inline struct gh_error *
gh_sweep(const struct gh_owner_graph *graph, gh_sweep_fn fn, void *ctx, const struct gh_poll *poll,
	 const char *stage)
{
	enum { EVERY = 1 << 12 }; // spans
	const struct gh_span_vec *spans = &graph->heap->table.spans;
	struct gh_sweep s = {.fn = fn, .ctx = ctx};
	struct gh_error *err = NULL;

	for (size_t k = 1; k < graph->owners.len; k++) {
		const struct gh_owner *o = &graph->owners.data[k];

		for (uint64_t i = 0; i < o->nwords; i++)
			fn(ctx, (gh_node)k, (uint32_t)i, graph->words[o->first_word + i].value);
	}
	for (size_t i = 0; !err && i < spans->len; i++) {
		if (!gh_span_is_noscan(&spans->data[i]))
			gh_sweep_span(graph, &spans->data[i], &s);
		if (i % EVERY == 0)
			err = gh_poll(poll, stage, i, spans->len);
	}
	return err;
}
