// SPDX-License-Identifier: Apache-2.0
// What the timer heaps tell of objects: a timer that sends on a channel or starts a goroutine was
// made by package time, and lies in the one struct that this allocates. Mirrors time/sleep.go,
// time/tick.go, runtime/time.go (newTimer, go1.23+).
#pragma once

#include "base/poll.h"
#include "goruntime/timer.h"
#include "graph/heap.h"
#include "graph/types.h"

/** at: the word of the timer heap that leads to the object. */
typedef void (*gh_timer_type_fn)(void *ctx, gh_addr object, gh_type_id type, gh_addr at);

/**
 * Call fn for each object that a timer heap tells the type of. timers: NULL where there is no list of
 * them. skips: what was left out; may be NULL. Errors: CANCELLED.
 */
struct gh_error *gh_timer_types_visit(const struct gh_heap *heap, struct gh_types *types,
				      const struct gh_timers *timers,
				      const struct gh_poll *poll, gh_timer_type_fn fn, void *ctx,
				      struct gh_timer_skips *skips) GH_MUST_CHECK;
