// SPDX-License-Identifier: Apache-2.0
// Ranges of memory on their way into an image: sorted, without overlaps, side by side. Only for
// image.c.
#pragma once

#include "base/vec.h"
#include "target/image.h"

/** A range as it was added; after the sweep, the part of it that counts. */
struct gh_piece {
	gh_addr lo, hi;
	const uint8_t *host;	    // of lo
	const struct gh_file *file; // that host lies in; NULL: not known
	gh_image_fill_fn fill;	    // lazy
	void *ctx;
	enum gh_absence absence;
	bool writable;
	uint32_t order;
};
GH_VEC(gh_piece_vec, struct gh_piece);

/** Do the local bytes of b follow those of a? */
static inline bool gh_piece_follows(const struct gh_piece *a, const struct gh_piece *b)
{
	return a->hi == b->lo && a->host && b->host && a->host + (a->hi - a->lo) == b->host;
}

struct gh_owned_mapping {
	void *start;
	size_t len;
};
GH_VEC(gh_owned_vec, struct gh_owned_mapping);

/** Local address ranges that belong to an image. */
struct gh_space {
	struct gh_owned_vec owned;
	uint64_t copy_budget;	  // bytes that joining may still copy
	struct gh_budget *budget; // that they are taken from; borrowed, may be NULL
};

void gh_space_deinit(struct gh_space *space);

/** Address space without memory behind it, until something is written there. NULL: refused. */
uint8_t *gh_space_reserve(struct gh_space *space, uint64_t len);

/**
 * Let as much be copied as files were added, not counting overlaps: more is a core that names the
 * same bytes over and over. Before the pieces are resolved.
 */
void gh_space_set_budget(struct gh_space *space, const struct gh_piece_vec *pieces);

/** Replace the pieces by parts that are sorted and do not overlap. False: out of memory. */
bool gh_pieces_resolve(struct gh_piece_vec *pieces);

/** Give pieces without holes between them one local range where that is cheap. */
void gh_pieces_join(struct gh_piece_vec *pieces, struct gh_space *space);
