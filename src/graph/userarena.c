// SPDX-License-Identifier: Apache-2.0
// Chunks of user arenas (GOEXPERIMENT=arenas). For the collector a chunk is one large object whose
// pointers a bitmap at its end tells, behind a made-up type (runtime/arena.go, go1.22 to go1.27).
// What the values in it are is told by the pointers to them alone. See mark_state.h.
#include <stdlib.h>

#include "base/bitmap.h"
#include "graph/mark_state.h"

enum {
	MAX_ARENAS = 1 << 20,
	MAX_INSIDE = 1 << 22,	    // facts that wait
	MAX_INSIDE_STEPS = 1 << 30, // words: ten thousand slices may share an array
};

void gh_user_arenas_init(struct gh_mark *m)
{
	const struct gh_span_vec *spans = &m->heap->table.spans;

	for (size_t i = 0; i < spans->len && m->arenas.len < MAX_ARENAS; i++) {
		const struct gh_span *span = &spans->data[i];

		if (span->is_user_arena && gh_span_is_large(span) &&
		    !gh_span_is_freed_arena(span) && span->host)
			m->nomem |= !user_arena_vec_push(
				&m->arenas, (struct user_arena){.slot = span->slot0, .span = span});
	}
}

void gh_user_arenas_deinit(struct gh_mark *m)
{
	for (size_t i = 0; i < m->arenas.len; i++)
		free(m->arenas.data[i].typed);
	user_arena_vec_deinit(&m->arenas);
	loose_fact_vec_deinit(&m->inside);
}

static struct user_arena *arena_of(const struct gh_mark *m, uint64_t slot)
{
	size_t lo = 0, hi = m->arenas.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->arenas.data[mid].slot < slot)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < m->arenas.len && m->arenas.data[lo].slot == slot ? &m->arenas.data[lo] : NULL;
}

bool gh_user_arena_note(struct gh_mark *m, uint64_t slot, uint64_t at, uint32_t bytes)
{
	struct user_arena *arena = arena_of(m, slot);
	uint64_t nwords, first, last;

	if (!arena)
		return false;
	nwords = (arena->span->limit - arena->span->base) / 8;
	if (!arena->typed)
		arena->typed = gh_alloc_array(gh_bitmap_words(nwords), sizeof(*arena->typed));
	if (!arena->typed) {
		m->nomem = true;
		return true;
	}
	first = ((at >> 16) - arena->span->base) / 8;
	if (!bytes) // an array of unknown length
		bytes = (uint32_t)gh_min_u64(
			gh_types_get(m->types, m->codes.data[(uint16_t)at].type)->size, UINT32_MAX);
	if (bytes < 8 || (at >> 16) % 8 || first >= nwords)
		return true;
	last = gh_min_u64(first + bytes / 8, nwords) - 1;
	if (gh_bitmap_test(arena->typed, first) && gh_bitmap_test(arena->typed, last))
		return true;
	m->inside_steps += last - first + 1;
	if (m->inside.len >= MAX_INSIDE || m->inside_steps > MAX_INSIDE_STEPS)
		m->counts.loose_dropped++;
	else
		m->nomem |= !loose_fact_vec_push(&m->inside, (struct loose_fact){at, bytes});
	return true;
}

const struct user_arena *gh_user_arena_next(struct gh_mark *m, struct loose_fact *ret)
{
	struct gh_slot_ref ref;
	const struct user_arena *arena = NULL;

	while (!arena && m->inside.len) {
		*ret = m->inside.data[--m->inside.len];
		if (gh_heap_find(m->heap, ret->at >> 16, &ref))
			arena = arena_of(m, ref.slot);
	}
	return arena;
}
