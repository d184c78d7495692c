// SPDX-License-Identifier: Apache-2.0
// Bump allocation in chunks of 64 KiB (or one chunk of its own for what is larger).
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct gh_arena_chunk {
	struct gh_arena_chunk *next;
	size_t size;
	_Alignas(16) char data[];
};

enum { CHUNK_BYTES = 64 * 1024 };

void *gh_arena_alloc(struct gh_arena *arena, size_t size)
{
	struct gh_arena_chunk *chunk = arena->chunks;
	size_t want, bytes;
	void *p;

	if (gh_add(size, (size_t)7, &want))
		return NULL;
	want &= ~(size_t)7;
	if (!chunk || chunk->size - arena->used < want) {
		size_t room = want > CHUNK_BYTES ? want : CHUNK_BYTES;

		if (gh_add(room, sizeof(*chunk), &bytes))
			return NULL;
		chunk = calloc(1, bytes);
		if (!chunk)
			return NULL;
		chunk->size = room;
		chunk->next = arena->chunks;
		arena->chunks = chunk;
		arena->used = 0;
		arena->total += bytes;
	}
	p = chunk->data + arena->used;
	arena->used += want;
	return p;
}

char *gh_arena_strndup(struct gh_arena *arena, const char *s, size_t len)
{
	char *p = gh_arena_alloc(arena, len + 1);

	if (p)
		memcpy(p, s, len);
	return p;
}

char *gh_arena_printf(struct gh_arena *arena, const char *fmt, ...)
{
	va_list ap, ap2;
	char *p;
	int len;

	va_start(ap, fmt);
	va_copy(ap2, ap);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = len < 0 ? NULL : gh_arena_alloc(arena, (size_t)len + 1);
	if (p)
		vsnprintf(p, (size_t)len + 1, fmt, ap2);
	va_end(ap2);
	return p;
}

void gh_arena_deinit(struct gh_arena *arena)
{
	struct gh_arena_chunk *chunk = arena->chunks;

	while (chunk) {
		struct gh_arena_chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
	*arena = (struct gh_arena){0};
}
