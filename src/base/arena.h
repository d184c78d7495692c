// SPDX-License-Identifier: Apache-2.0
// What dies together lives together: a bump allocator for names, types and nodes of one stage.
#pragma once

#include "base/defs.h"

struct gh_arena_chunk;

struct gh_arena {
	struct gh_arena_chunk *chunks; // owned, newest first
	size_t used;		       // bytes used of the newest chunk
	size_t total;		       // bytes obtained from malloc
};

/** Zeroed bytes, 8-aligned, alive until gh_arena_deinit. NULL: out of memory. */
void *gh_arena_alloc(struct gh_arena *arena, size_t size);

/** A NUL-terminated copy of len bytes of s. NULL: out of memory. */
char *gh_arena_strndup(struct gh_arena *arena, const char *s, size_t len);

char *gh_arena_printf(struct gh_arena *arena, const char *fmt, ...) GH_PRINTF(2, 3);

void gh_arena_deinit(struct gh_arena *arena);
