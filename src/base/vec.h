// SPDX-License-Identifier: Apache-2.0
// Typed growable arrays: GH_VEC(span_vec, struct gh_span) makes struct span_vec {data, len, cap}.
#pragma once

#include <stdlib.h>

#include "base/defs.h"

/** calloc with the arguments in reading order; NULL on overflow or out of memory. n = 0 is fine. */
static inline void *gh_alloc_array(size_t n, size_t size)
{
	return calloc(n ? n : 1, size);
}

/** Grow *data (element size `size`) so that at least `need` elements fit. False: out of memory. */
bool gh_vec_reserve(void **data, size_t *cap, size_t need, size_t size) GH_MUST_CHECK;

/** Room for `need` elements and no more, where it is known from the start. */
bool gh_vec_reserve_exactly(void **data, size_t *cap, size_t need, size_t size) GH_MUST_CHECK;

/* gh_vec_NAME_push(v, item): false when out of memory. deinit frees the array, not what is in it.
 */
#define GH_VEC(name, type)                                                                         \
	struct name {                                                                              \
		type *data; /* owned */                                                            \
		size_t len, cap;                                                                   \
	};                                                                                         \
	GH_MUST_CHECK                                                                              \
	__attribute__((unused)) static inline bool name##_push(struct name *v, type item)          \
	{                                                                                          \
		if (v->len == v->cap &&                                                            \
		    !gh_vec_reserve((void **)&v->data, &v->cap, v->len + 1, sizeof(type)))         \
			return false;                                                              \
		v->data[v->len++] = item;                                                          \
		return true;                                                                       \
	}                                                                                          \
	__attribute__((unused)) static inline void name##_deinit(struct name *v)                   \
	{                                                                                          \
		free(v->data);                                                                     \
		*v = (struct name){0};                                                             \
	}                                                                                          \
	_Static_assert(sizeof(type) > 0, "element type is complete")

GH_VEC(gh_addr_vec, gh_addr);

/** The order of addresses, for bsearch. */
int gh_addr_compare(const void *a, const void *b);

void gh_addr_sort(gh_addr *addrs, size_t n);

/** Sort them and keep each once; returns how many are left. */
size_t gh_addr_unique(gh_addr *addrs, size_t n);
