// SPDX-License-Identifier: Apache-2.0
// The part of words.h that is too rare to be inlined.
#include "graph/words.h"

bool gh_word_mask_of(struct gh_mark *m, gh_addr base, const struct gh_page *page,
		     struct gh_word_mask *ret)
{
	const struct mark_class *k = &m->classes[page->class];
	uint64_t bytes = k->elem_bytes - k->header;
	const struct tile *tile;
	gh_addr rtype;

	if (page->class < 2) {
		const struct gh_span *span = gh_span_find(&m->heap->table, base);

		rtype = span ? span->large_type : 0;
		bytes = span ? gh_span_large_bytes(span) : 0;
	} else {
		rtype = gh_u64_at(gh_heap_host(m->heap, base));
	}
	tile = rtype ? gh_tile_of(m, rtype) : NULL;
	if (!tile || !tile->nwords || !tile->stride)
		return false;
	*ret = (struct gh_word_mask){.bits = tile->mask,
				     .nbits = tile->nwords,
				     .stride = tile->stride,
				     .nwords = bytes / 8,
				     .header = k->header};
	return true;
}
