// SPDX-License-Identifier: Apache-2.0
// Steps that repeat are folded while the path is walked up, so that a list of ten million is one
// hop. What is longer all the same keeps both its ends. See path.h.
#include "analysis/path.h"

#include <stdlib.h>

#include "base/cleanup.h"

enum {
	FOLD_FROM = 4,	     // equal steps in a row
	MAX_END = 1 << 12,   // hops kept at either end
	POLL_EVERY = 1 << 18, // hops
	NEAR = 8,	      // words of the numbering
};

/** Steps of one key look alike: the same word of the same kind of object, to the same kind. */
struct up_hop {
	struct gh_shortest_link link;
	uint64_t slot, repeats;
	uint16_t from_code, to_code;
};

void gh_path_deinit(struct gh_path *path)
{
	gh_path_hop_vec_deinit(&path->hops);
	*path = (struct gh_path){0};
}

void gh_path_builder_deinit(struct gh_path_builder *b)
{
	free(b->low);
	free(b->high);
	*b = (struct gh_path_builder){.session = b->session};
}

static bool is_same_step(const struct up_hop *a, const struct up_hop *b)
{
	return a->link.word == b->link.word && a->from_code == b->from_code &&
	       a->to_code == b->to_code && a->from_code == a->to_code;
}

/* The hop before the last ones; NULL: there are not so many. */
static struct up_hop *last(struct gh_path_builder *b, size_t i)
{
	if (b->nhigh > i)
		return &b->high[(b->high_at + 2 * MAX_END - 1 - i) % MAX_END];
	return b->nhigh + b->nlow > i ? &b->low[b->nlow - 1 - (i - b->nhigh)] : NULL;
}

static void drop_last(struct gh_path_builder *b)
{
	if (b->nhigh) {
		b->nhigh--;
		b->high_at = (b->high_at + MAX_END - 1) % MAX_END;
	} else {
		b->nlow--;
	}
}

static void add(struct gh_path_builder *b, const struct up_hop *hop)
{
	if (b->nlow < MAX_END && !b->nhigh) {
		b->low[b->nlow++] = *hop;
		return;
	}
	if (b->nhigh == MAX_END)
		b->cut += b->high[b->high_at].repeats;
	else
		b->nhigh++;
	b->high[b->high_at] = *hop;
	b->high_at = (b->high_at + 1) % MAX_END;
}

/* True: the step went into those before it. */
static bool fold(struct gh_path_builder *b, const struct up_hop *hop)
{
	struct up_hop *first = last(b, 0);

	if (!first || !is_same_step(first, hop))
		return false;
	if (first->repeats > 1) {
		first->repeats++;
		return true;
	}
	for (size_t i = 1; i < FOLD_FROM - 1; i++) {
		first = last(b, i);
		if (!first || first->repeats > 1 || !is_same_step(first, hop))
			return false;
	}
	for (size_t i = 1; i < FOLD_FROM - 1; i++)
		drop_last(b);
	last(b, 0)->repeats = FOLD_FROM;
	return true;
}

/* Neighbours in a list are often neighbours in memory. */
static uint64_t slot_of(const struct gh_owner_graph *graph, gh_node node, uint64_t near)
{
	uint32_t number = node - (gh_node)graph->owners.len;
	uint64_t word = near >> 6, bits;

	for (uint32_t i = 0; i < NEAR && word && graph->groups[word].rank > number; i++)
		word--;
	bits = graph->groups[word].nodes;
	if (number - graph->groups[word].rank >= (uint32_t)__builtin_popcountll(bits))
		return gh_node_slot(graph, node);
	for (uint32_t i = graph->groups[word].rank; i < number; i++)
		bits &= bits - 1;
	return word * 64 + (uint64_t)__builtin_ctzll(bits);
}

bool gh_path_push(struct gh_path_builder *b, struct gh_shortest_link link, uint64_t slot)
{
	const struct gh_session *s = b->session;
	struct up_hop hop = {.link = link,
			     .slot = slot,
			     .repeats = 1,
			     .to_code = gh_mark_state(s->mark, slot)};

	if (!b->low)
		b->low = gh_alloc_array(MAX_END, sizeof(*b->low));
	if (!b->high)
		b->high = gh_alloc_array(MAX_END, sizeof(*b->high));
	if (!b->low || !b->high)
		return false;
	b->length++;
	if (gh_node_is_owner(s->owners, link.from)) {
		b->owner = link.from;
		add(b, &hop);
		return true;
	}
	b->slot = slot_of(s->owners, link.from, slot);
	hop.from_code = gh_mark_state(s->mark, b->slot);
	if (!fold(b, &hop))
		add(b, &hop);
	return true;
}

struct gh_error *gh_path_push_shortest(struct gh_path_builder *b, gh_node node)
{
	struct gh_session *s = b->session;
	struct gh_error *err = NULL;

	if (!gh_node_is_owner(s->owners, node))
		b->slot = gh_node_slot(s->owners, node);
	while (!err && !gh_node_is_owner(s->owners, node)) {
		struct gh_shortest_link link = gh_shortest_to(s->shortest, node);

		if (link.from == GH_NODE_ROOT)
			break;
		if (!gh_path_push(b, link, b->slot))
			return gh_error_nomem();
		node = link.from;
		if (b->length % POLL_EVERY == 0)
			err = gh_poll(&s->poll, "following a path", b->length, 0);
	}
	return err;
}

static struct gh_path_hop hop_of(const struct gh_session *s, const struct up_hop *up)
{
	struct gh_owner_word word = gh_shortest_word(s->shortest, up->link);

	return (struct gh_path_hop){.at = word.at,
				    .value = word.value,
				    .object = gh_heap_slot_base(s->heap, up->slot),
				    .repeats = up->repeats};
}

struct gh_error *gh_path_finish(struct gh_path_builder *b, struct gh_path *ret)
{
	struct gh_path path = {.owner = b->owner, .length = b->length, .cut = b->cut};
	bool ok = true;

	for (size_t i = 0; ok && i < b->nhigh + b->nlow; i++)
		ok = gh_path_hop_vec_push(&path.hops, hop_of(b->session, last(b, i)));
	path.cut_at = b->nhigh;
	gh_path_builder_deinit(b);
	if (!ok) {
		gh_path_deinit(&path);
		return gh_error_nomem();
	}
	*ret = path;
	return NULL;
}
