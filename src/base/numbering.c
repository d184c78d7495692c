// SPDX-License-Identifier: Apache-2.0
// An open hash table, half full at most. See numbering.h.
#include "base/numbering.h"

#include <stdlib.h>

#include "base/vec.h"

enum { FIRST_SLOTS = 256 };

struct gh_numbering_slot {
	struct gh_hash128 hash;
	uint32_t number; // and one more; 0: empty
};

void gh_hash128_text(struct gh_hash128 *h, const char *text)
{
	for (; text && *text; text++)
		gh_hash128_word(h, (uint8_t)*text);
	gh_hash128_word(h, 0x100);
}

/* Where it is, or would be. */
static struct gh_numbering_slot *slot_of(const struct gh_numbering *n, struct gh_hash128 hash)
{
	size_t at = hash.a & (n->nslots - 1);

	while (n->slots[at].number &&
	       (n->slots[at].hash.a != hash.a || n->slots[at].hash.b != hash.b))
		at = (at + 1) & (n->nslots - 1);
	return &n->slots[at];
}

static bool grow(struct gh_numbering *n)
{
	struct gh_numbering bigger = {.nslots = n->nslots ? n->nslots * 2 : FIRST_SLOTS,
				      .len = n->len};

	bigger.slots = gh_alloc_array(bigger.nslots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return false;
	for (size_t i = 0; i < n->nslots; i++)
		if (n->slots[i].number)
			*slot_of(&bigger, n->slots[i].hash) = n->slots[i];
	free(n->slots);
	*n = bigger;
	return true;
}

bool gh_numbering_find(struct gh_numbering *numbering, struct gh_hash128 hash, uint32_t *ret,
		       bool *is_new_ret)
{
	struct gh_numbering_slot *slot;

	if ((size_t)numbering->len * 2 >= numbering->nslots && !grow(numbering))
		return false;
	slot = slot_of(numbering, hash);
	*is_new_ret = !slot->number;
	if (*is_new_ret)
		*slot = (struct gh_numbering_slot){hash, ++numbering->len};
	*ret = slot->number - 1;
	return true;
}

void gh_numbering_deinit(struct gh_numbering *numbering)
{
	free(numbering->slots);
	*numbering = (struct gh_numbering){0};
}
