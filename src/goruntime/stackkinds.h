// SPDX-License-Identifier: Apache-2.0
// One walk over all stacks, for those who ask again and again where goroutines are: stacks whose
// frames have the same pcs are of one kind, and the frames of a kind are the same but for where the
// stack lies, as the size of a frame is a matter of its pc.
#pragma once

#include "goruntime/stack.h"

struct gh_stack_kinds;

#define GH_STACK_NO_KIND UINT32_MAX // of a goroutine that is dead

/**
 * Walk the stacks of all goroutines that are not dead. goroutines are borrowed, and stay as they
 * are. Takes 4 bytes a goroutine, and at most some MiB for frames. Errors: NOMEM, CANCELLED.
 */
struct gh_error *gh_stack_kinds_create(const struct gh_runtime *rt,
				       const struct gh_goroutine_vec *goroutines,
				       const struct gh_poll *poll,
				       struct gh_stack_kinds **ret) GH_MUST_CHECK;
void gh_stack_kinds_destroy(struct gh_stack_kinds *kinds);

/** How many kinds there are, and that of goroutine g of the list; GH_STACK_NO_KIND: none. */
uint32_t gh_stack_kinds_count(const struct gh_stack_kinds *kinds);
uint32_t gh_stack_kind_of(const struct gh_stack_kinds *kinds, size_t g);

/**
 * As gh_stack_unwind, of goroutine g of the list. Looks at no stack, unless that is one of many that
 * are all different.
 */
struct gh_error *gh_stack_kinds_unwind(const struct gh_stack_kinds *kinds, size_t g,
				       struct gh_frame_vec *ret,
				       enum gh_unwind_end *end_ret) GH_MUST_CHECK;
