// SPDX-License-Identifier: Apache-2.0
// Addresses of timers that are kept as numbers: a uintptr holds nothing, but a program may make a
// pointer of it again. Looked for in static data, in objects with pointers of known types, in those
// without whose type has a uintptr or is not known, and in the variables of frames that have one,
// where DWARF tells; not in other words of stacks, and not where an object may be longer than its
// value: there lies what was there before.
#pragma once

#include "analysis/session.h"

/** A number leads to a slot that is looked for; slot: of the object it lies in. */
typedef void (*gh_timer_number_fn)(void *ctx, uint64_t wanted_slot, uint64_t slot);

/**
 * bits: of slots that are looked for. fn may get words that are pointers, too; slot is GH_SLOT_NONE
 * (graph/words.h) in static data and on stacks. After stage DOMINATORS. Contents that a copy of a
 * process left out are not looked at. Errors: NOMEM, CANCELLED.
 */
struct gh_error *gh_timer_numbers(struct gh_session *session, const uint64_t *bits,
				  gh_timer_number_fn fn, void *ctx) GH_MUST_CHECK;
