// SPDX-License-Identifier: Apache-2.0
// Overlaps of pieces, resolved by one sweep over addresses. See pieces.h.
#include "target/pieces.h"

#include <stdlib.h>

static bool is_better(const struct gh_piece *a, const struct gh_piece *b)
{
	bool absent_a = a->absence != GH_PRESENT, absent_b = b->absence != GH_PRESENT;

	return absent_a != absent_b ? absent_b : a->order < b->order;
}

static int compare_lo(const void *a, const void *b)
{
	const struct gh_piece *x = a, *y = b;

	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Pieces that may cover the place of the sweep: a heap, the best one first. */
struct active {
	const struct gh_piece **heap;
	size_t n;
};

static void active_push(struct active *a, const struct gh_piece *piece)
{
	size_t i = a->n++;

	while (i && is_better(piece, a->heap[(i - 1) / 2])) {
		a->heap[i] = a->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	a->heap[i] = piece;
}

static void active_pop(struct active *a)
{
	const struct gh_piece *last = a->heap[--a->n];
	size_t i = 0, child;

	while ((child = i * 2 + 1) < a->n) {
		if (child + 1 < a->n && is_better(a->heap[child + 1], a->heap[child]))
			child++;
		if (!is_better(a->heap[child], last))
			break;
		a->heap[i] = a->heap[child];
		i = child;
	}
	if (a->n)
		a->heap[i] = last;
}

/* [lo, hi) of a piece, joined to the last one where that is the same piece going on. */
static bool emit(struct gh_piece_vec *out, const struct gh_piece *from, gh_addr lo, gh_addr hi)
{
	struct gh_piece part = *from;

	if (out->len && out->data[out->len - 1].order == from->order &&
	    out->data[out->len - 1].hi == lo) {
		out->data[out->len - 1].hi = hi;
		return true;
	}
	if (part.host)
		part.host += lo - part.lo;
	part.lo = lo;
	part.hi = hi;
	return gh_piece_vec_push(out, part);
}

bool gh_pieces_resolve(struct gh_piece_vec *pieces)
{
	struct gh_piece_vec *in = pieces, out = {0};
	struct active active = {.heap = gh_alloc_array(in->len, sizeof(*active.heap))};
	bool ok = active.heap != NULL;
	gh_addr at = 0;
	size_t next = 0;

	if (in->len)
		qsort(in->data, in->len, sizeof(*in->data), compare_lo);
	while (ok && (next < in->len || active.n)) {
		gh_addr end;

		if (active.n && active.heap[0]->hi <= at) {
			active_pop(&active);
			continue;
		}
		if (!active.n && next < in->len)
			at = gh_max_u64(at, in->data[next].lo);
		while (next < in->len && in->data[next].lo <= at)
			active_push(&active, &in->data[next++]);
		if (!active.n || active.heap[0]->hi <= at)
			continue;
		end = active.heap[0]->hi;
		if (next < in->len)
			end = gh_min_u64(end, in->data[next].lo);
		ok = emit(&out, active.heap[0], at, end);
		at = end;
	}
	free(active.heap);
	gh_piece_vec_deinit(in);
	*in = out;
	return ok;
}
