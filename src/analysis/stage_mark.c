// SPDX-License-Identifier: Apache-2.0
// Stage MARK of a session: types, package variables, the live set; on demand the garbage. See
// session.h.
#include <stdlib.h>

#include "analysis/session.h"
#include "base/bitmap.h"
#include "base/cleanup.h"
#include "base/team.h"
#include "graph/timer_types.h"

enum { MAX_THREADS = 8 }; // of our own accord: the mark has no use for more

static unsigned int threads(const struct gh_session *s)
{
	return s->threads ? s->threads : (unsigned int)gh_min_u64(gh_processors(), MAX_THREADS);
}

static void follow(void *ctx, const struct gh_root_owner *owner, const struct gh_root *root)
{
	(void)owner;
	gh_mark_root(ctx, root);
}

static void follow_contents(void *ctx, const struct gh_root_owner *owner, gh_addr object,
			    struct gh_edge edge)
{
	(void)owner;
	gh_mark_contents(ctx, object, edge);
}

static void follow_conservative(void *ctx, const struct gh_root_owner *owner, uint64_t value)
{
	(void)owner;
	gh_mark_conservative(ctx, value);
}

static void name_object(void *ctx, gh_addr object, gh_type_id type)
{
	gh_mark_name(ctx, object, type);
}

static void name_timer(void *ctx, gh_addr object, gh_type_id type, gh_addr at)
{
	(void)at;
	gh_mark_name(ctx, object, type);
}

/*
 * Precise roots to the end, what timer heaps tell, then what may be a pointer, then the names that
 * specials give.
 */
static struct gh_error *mark_live(struct gh_session *s, struct gh_mark *mark)
{
	struct gh_root_sink precise = {.ctx = mark, .word = follow, .contents = follow_contents};
	struct gh_root_sink rest = {
		.ctx = mark, .conservative = follow_conservative, .names_object = name_object};
	const struct gh_timers *timers = NULL;
	struct gh_timer_skips skips = {0};
	struct gh_error *err;

	err = gh_roots_visit(s->heap, s->types, s->statics, &s->goroutines, &s->poll, &precise,
			     &s->root_counts);
	gh_lap(&s->laps, "roots");
	if (!err)
		err = gh_mark_drain(mark, &s->poll);
	gh_lap(&s->laps, "mark");
	if (!err)
		err = gh_session_timers_if_any(s, &timers);
	if (!err)
		err = gh_timer_types_visit(s->heap, s->types, timers, &s->poll, name_timer, mark,
					   &skips);
	s->lost_timers = timers ? timers->unreadable + skips.lost : 1;
	if (!err)
		err = gh_mark_drain(mark, &s->poll);
	gh_lap(&s->laps, "timers");
	if (err ||
	    !(s->root_counts.conservative_frames || s->root_counts.goroutines_off_safepoint ||
	      s->root_counts.goroutines_incomplete || s->root_counts.has_specials))
		return err;
	gh_mark_count_conservative(mark);
	err = gh_roots_visit(s->heap, s->types, s->statics, &s->goroutines, &s->poll, &rest, NULL);
	return err ? err : gh_mark_drain(mark, &s->poll);
}

struct gh_error *gh_session_types(struct gh_session *s)
{
	struct gh_error *err = gh_session_dwarf(s);

	if (!err && !s->types)
		err = gh_types_create(s->rt, &s->types);
	if (!err && !s->statics)
		err = gh_statics_create(s->rt, s->types, &s->poll, &s->statics);
	gh_lap(&s->laps, "types");
	return err;
}

struct gh_error *gh_session_mark(struct gh_session *s)
{
	struct gh_mark *mark = NULL;
	struct gh_error *err;

	if (s->mark)
		return NULL;
	err = gh_session_dwarf(s);
	if (!err)
		err = gh_session_heap(s);
	if (!err)
		err = gh_session_goroutines(s);
	if (!err)
		err = gh_session_types(s);
	if (!err)
		err = gh_target_check(s->target);
	if (!err)
		err = gh_mark_create(s->heap, s->types, s->heap->allocated, &mark);
	if (!err) {
		gh_mark_set_statics(mark, s->statics);
		gh_mark_set_threads(mark, threads(s));
		if (s->hide_header_types)
			gh_mark_hide_header_types(mark);
		gh_mark_hide_declared(mark, s->hide_one_in);
		err = mark_live(s, mark);
	}
	if (!err)
		err = gh_mark_infer(mark, &s->poll);
	gh_lap(&s->laps, "mark");
	if (err) {
		gh_mark_destroy(mark);
		return err;
	}
	s->mark = mark;
	return NULL;
}

struct gh_error *gh_session_why(struct gh_session *s)
{
	const struct gh_timers *timers;
	struct gh_error *err = gh_session_mark(s);

	if (!err && !s->why)
		err = gh_session_timers_if_any(s, &timers);
	if (err || s->why)
		return err;
	return gh_why_create(&(struct gh_why_input){.heap = s->heap,
						    .mark = s->mark,
						    .types = s->types,
						    .statics = s->statics,
						    .goroutines = &s->goroutines,
						    .timers = timers},
			     &s->poll, &s->why);
}

/* Slots that were handed out and are not live. Owned by the caller; NULL: out of memory. */
static uint64_t *dead_slots(const struct gh_session *s)
{
	const struct gh_span_vec *spans = &s->heap->table.spans;
	struct gh_states states = gh_mark_states(s->mark);
	uint64_t *dead = gh_alloc_array(gh_bitmap_words(s->heap->table.nslots), 8);
	uint64_t bits[GH_PAGE_BYTES / 64];

	for (size_t i = 0; dead && i < spans->len; i++) {
		const struct gh_span *span = &spans->data[i];

		if (span->nelems > sizeof(bits) * 8 || !gh_span_handed_out(s->rt, span, bits))
			continue;
		for (uint32_t k = 0; k < span->nelems; k++)
			if (gh_bitmap_test(bits, k) &&
			    !gh_state_is_live(gh_state_at(&states, span->slot0 + k)))
				gh_bitmap_set(dead, span->slot0 + k);
	}
	return dead;
}

/* Garbage has no roots: each dead object is one. Those whose header tells their type come first. */
static struct gh_error *mark_garbage(struct gh_session *s, struct gh_mark *mark,
				     const uint64_t *dead)
{
	const struct gh_span_vec *spans = &s->heap->table.spans;
	struct gh_error *err = NULL;

	for (int headed = 1; !err && headed >= 0; headed--) {
		for (size_t i = 0; i < spans->len; i++) {
			const struct gh_span *span = &spans->data[i];
			bool knows = gh_span_has_header(span) || gh_span_is_large(span);

			for (uint32_t k = 0; knows == headed && k < span->nelems; k++)
				if (gh_bitmap_test(dead, span->slot0 + k))
					gh_mark_root(mark, &(struct gh_root){
								   .value = span->base +
									    k * span->elem_bytes,
							   });
		}
		err = gh_mark_drain(mark, &s->poll);
	}
	return err;
}

struct gh_error *gh_session_garbage(struct gh_session *s)
{
	_cleanup_free_ uint64_t *dead = NULL;
	struct gh_mark *mark = NULL;
	struct gh_error *err;

	if (s->garbage)
		return NULL;
	err = gh_session_mark(s);
	if (err)
		return err;
	err = gh_budget_charge(s->target->budget, s->heap->table.nslots / 8, "the dead slots");
	if (err)
		return err;
	dead = dead_slots(s);
	err = dead ? gh_mark_create(s->heap, s->types, dead, &mark) : gh_error_nomem();
	if (!err) {
		gh_mark_set_threads(mark, threads(s));
		err = mark_garbage(s, mark, dead);
	}
	if (!err)
		err = gh_mark_infer(mark, &s->poll);
	gh_budget_give(s->target->budget, s->heap->table.nslots / 8);
	gh_lap(&s->laps, "garbage");
	if (err) {
		gh_mark_destroy(mark);
		return err;
	}
	s->garbage = mark;
	return NULL;
}

bool gh_session_saw_all(const struct gh_session *s)
{
	const struct gh_span_table *table = s->heap ? &s->heap->table : NULL;
	struct gh_mark_counts counts;
	uint64_t goroutines;

	if (!s->mark || !table)
		return false;
	counts = gh_mark_counts(s->mark);
	if (gh_goroutines_counted(s->rt, &goroutines) && goroutines != s->goroutines.len)
		return false;
	// a span that says it is none is not counted as damaged: the runtime's own sum tells
	return !s->root_counts.goroutines_skipped && !s->unreadable_goroutines &&
	       !s->root_counts.damaged_lists && !s->lost_timers &&
	       !gh_statics_lost(s->statics) && !counts.lost && !counts.bad_headers &&
	       !table->damaged && !table->unreadable &&
	       !s->heap->bits_lost && table->heap_pages >= table->pages_in_use;
}
