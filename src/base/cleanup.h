// SPDX-License-Identifier: Apache-2.0
// Scope guards: a local that owns something says so at its declaration and is freed on every way
// out.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void gh_cleanup_free(void *pp)
{
	free(*(void **)pp);
}

static inline void gh_cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define _cleanup_(fn)	__attribute__((cleanup(fn)))
#define _cleanup_free_	_cleanup_(gh_cleanup_free)
#define _cleanup_close_ _cleanup_(gh_cleanup_close)

/** Hand an owned pointer over to somebody else: yields it and leaves NULL behind. */
#define gh_steal(p)                                                                                \
	({                                                                                         \
		__typeof__(p) stolen_ = (p);                                                       \
		(p) = NULL;                                                                        \
		stolen_;                                                                           \
	})
