// SPDX-License-Identifier: Apache-2.0
// The walk goes from what needs no reason (headers, special records, timers, roots) to what that
// explains.
// An object waits in one of two queues: the first when some fact says its type as surely as it is
// known, the second when less surely; the second is looked at only when the first is empty. When
// both are, come those that are reached and nobody has said what they are: what looks like an
// interface in them, or an object without a type behind them, may tell. An object is explained by
// explained ones or by such a word, so a chain has an end. See why.h.
#include "graph/why.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "graph/timer_types.h"

enum {
	POLL_EVERY = 1 << 16,
	BYTES_A_SLOT = 28,	  // two facts and a place in three queues
	MAX_PART_WORDS = 1 << 30, // ten thousand slices may share an array
};

/* Where a slot's fact stands: a word's address, or a number in one of the lists. */
enum tag { TAG_WORD, TAG_ROOT, TAG_PART, TAG_HEADER, TAG_SPECIAL, TAG_TIMER, TAG_GUESS, TAG_REACHED };
enum { TAG_SHIFT = 60 };

struct root {
	struct gh_word word;
	enum gh_root_kind kind;
	const char *name;
	uint64_t goid;
};
GH_VEC(root_vec, struct root);

/* A word of an object without a type, and the fact that types the part that it lies in. */
struct part {
	struct gh_word word;
	uint64_t fact;	    // of the pointer to the part
	struct gh_word via; // that pointer
};
GH_VEC(part_vec, struct part);

/** A pointer to a part whose words are still to be looked at. */
struct pointer {
	struct gh_word word;
	uint64_t fact;
};
GH_VEC(pointer_vec, struct pointer);

struct queue {
	uint32_t *slots; // owned
	size_t head, tail;
};

struct gh_why {
	struct gh_why_input in;
	uint64_t *fact; // owned: one a slot; 0: none yet
	uint64_t *weak; // owned: the same, less sure
	struct queue sure, unsure, reached;
	struct root_vec roots;
	struct part_vec parts;
	struct pointer_vec todo;
	uint64_t *seen; // owned: address << 16 | code of parts looked at; open addressing
	size_t nseen, seen_cap;
	uint64_t unexplained;
	uint64_t charged;    // bytes of the budget
	uint64_t part_words; // looked at so far
	bool nomem;

	// of the object or root at hand
	const struct gh_root_owner *owner; // NULL: the word is an object's
	const struct gh_word *via;
	uint64_t via_fact;
	bool is_guessing; // its words are taken for what they look like
};

static uint64_t tagged(enum tag tag, uint64_t number)
{
	return (uint64_t)tag << TAG_SHIFT | number;
}

static enum tag tag_of(uint64_t fact)
{
	return (enum tag)(fact >> TAG_SHIFT);
}

static uint64_t number_of(uint64_t fact)
{
	return fact & ((1ULL << TAG_SHIFT) - 1);
}

static void push(struct queue *queue, uint64_t slot)
{
	queue->slots[queue->tail++] = (uint32_t)slot;
}

static void explain(struct gh_why *why, uint64_t slot, uint64_t fact)
{
	why->fact[slot] = fact;
	push(&why->sure, slot);
}

/* The fact that stands for the word at hand; made when it is needed. */
static uint64_t fact_of(struct gh_why *why, const struct gh_word *word)
{
	if (why->via) {
		struct part part = {.word = *word, .fact = why->via_fact, .via = *why->via};

		why->nomem |= !part_vec_push(&why->parts, part);
		return tagged(TAG_PART, why->parts.len - 1);
	}
	if (why->owner) {
		struct root root = {.word = *word,
				    .kind = why->owner->kind,
				    .name = why->owner->name,
				    .goid = why->owner->goid};

		why->nomem |= !root_vec_push(&why->roots, root);
		return tagged(TAG_ROOT, why->roots.len - 1);
	}
	return tagged(why->is_guessing ? TAG_GUESS : TAG_WORD, word->at);
}

static size_t place_of(const uint64_t *seen, size_t cap, uint64_t key)
{
	size_t i = (size_t)((key * 0x9e3779b97f4a7c15ULL) >> 20) & (cap - 1);

	while (seen[i] && seen[i] != key)
		i = (i + 1) & (cap - 1);
	return i;
}

/* True the first time. */
static bool see(struct gh_why *why, uint64_t key)
{
	size_t i;

	if (why->nseen * 2 >= why->seen_cap) {
		size_t cap = why->seen_cap ? why->seen_cap * 2 : 1024;
		uint64_t *seen = gh_alloc_array(cap, sizeof(*seen));

		if (!seen) {
			why->nomem = true;
			return false;
		}
		for (i = 0; i < why->seen_cap; i++)
			if (why->seen[i])
				seen[place_of(seen, cap, why->seen[i])] = why->seen[i];
		free(why->seen);
		why->seen = seen;
		why->seen_cap = cap;
	}
	i = place_of(why->seen, why->seen_cap, key);
	if (why->seen[i])
		return false;
	why->seen[i] = key;
	why->nseen++;
	return true;
}

/* The target's type is not known; that of a part of it is: its words say something, later. */
static void note_part(struct gh_why *why, const struct gh_word *word)
{
	if (why->part_words >= MAX_PART_WORDS || !see(why, word->value << 16 | word->code))
		return;
	why->part_words += 1 + word->bytes / 8;
	why->nomem |= !pointer_vec_push(&why->todo, (struct pointer){*word, fact_of(why, word)});
}

static void consider(void *ctx, const struct gh_word *word)
{
	struct gh_why *why = ctx;
	struct gh_slot_ref ref;
	enum gh_claim claim;
	struct gh_code is;

	if (!gh_heap_find(why->in.heap, word->value, &ref) ||
	    !gh_state_is_live(gh_mark_state(why->in.mark, ref.slot)))
		return;
	is = gh_mark_code(why->in.mark, gh_mark_state(why->in.mark, ref.slot));
	if (why->fact[ref.slot] && !gh_edges_is_open(why->in.mark, is))
		return;
	claim = gh_edges_claim(why->in.mark, word);
	if (!why->fact[ref.slot]) {
		if (claim == GH_CLAIM_TYPE || !gh_code_names(is)) {
			explain(why, ref.slot, fact_of(why, word));
		} else if (claim != GH_CLAIM_NOTHING &&
			   (!why->weak[ref.slot] || tag_of(why->weak[ref.slot]) == TAG_REACHED)) {
			why->weak[ref.slot] = fact_of(why, word);
			push(&why->unsure, ref.slot);
		} else if (!why->weak[ref.slot]) {
			why->weak[ref.slot] = tagged(TAG_REACHED, 0);
			push(&why->reached, ref.slot);
		}
	}
	if (claim == GH_CLAIM_PART)
		note_part(why, word);
}

static void walk(struct gh_why *why, uint64_t slot)
{
	gh_edges_of(why->in.mark, gh_heap_slot_base(why->in.heap, slot), consider, why);
}

/*
 * An object that is only reached. If it has a type all the same, then by what its words lead to:
 * that cannot be told by its type again.
 */
static void walk_reached(struct gh_why *why, uint64_t slot)
{
	gh_addr base = gh_heap_slot_base(why->in.heap, slot);

	if (!gh_code_names(gh_mark_code(why->in.mark, gh_mark_state(why->in.mark, slot)))) {
		walk(why, slot);
		return;
	}
	why->is_guessing = true;
	gh_edges_as_unknown(why->in.mark, base, consider, why);
	why->is_guessing = false;
}

static void walk_part(struct gh_why *why, const struct pointer *pointer)
{
	why->via = &pointer->word;
	why->via_fact = pointer->fact;
	gh_edges_of_part(why->in.mark, pointer->word.value, pointer->word.code, pointer->word.bytes,
			 consider, why);
	why->via = NULL;
}

static struct gh_error *drain(struct gh_why *why, const struct gh_poll *poll)
{
	struct gh_error *err = NULL;

	for (uint64_t n = 0; !err && !why->nomem; n++) {
		if (why->todo.len) {
			struct pointer pointer = why->todo.data[--why->todo.len];

			walk_part(why, &pointer);
		} else if (why->sure.head < why->sure.tail) {
			walk(why, why->sure.slots[why->sure.head++]);
		} else if (why->unsure.head < why->unsure.tail) {
			uint32_t slot = why->unsure.slots[why->unsure.head++];

			if (!why->fact[slot])
				explain(why, slot, why->weak[slot]);
		} else if (why->reached.head < why->reached.tail) {
			uint32_t slot = why->reached.slots[why->reached.head++];

			if (!why->fact[slot])
				walk_reached(why, slot);
		} else {
			break;
		}
		if (n % POLL_EVERY == 0)
			err = gh_poll(poll, "explaining types", why->sure.head,
				      gh_mark_counts(why->in.mark).live);
	}
	return err;
}

/* The type noted is the object's, or the unnamed struct that a closure is allocated as; of a chunk
 * of a user arena the span says that it is one. */
static bool tells(const struct gh_why *why, gh_type_id noted, gh_type_id is)
{
	uint8_t shape = gh_types_get(why->in.types, is)->shape;

	return shape == GH_SHAPE_USER_ARENA ||
	       (noted && (noted == is || shape == GH_SHAPE_CLOSURE));
}

/* Objects whose type the allocator noted. */
static void start_at_headers(struct gh_why *why)
{
	const struct gh_span_vec *spans = &why->in.heap->table.spans;

	for (size_t i = 0; i < spans->len; i++) {
		const struct gh_span *span = &spans->data[i];

		if (!gh_span_has_header(span) && !gh_span_is_large(span))
			continue;
		for (uint32_t k = 0; k < span->nelems; k++) {
			uint16_t state = gh_mark_state(why->in.mark, span->slot0 + k);
			gh_addr base = span->base + k * span->elem_bytes;
			struct gh_header_type header;

			if (!gh_state_is_live(state))
				continue;
			header = gh_edges_header(why->in.mark, base);
			if (tells(why, header.type, gh_mark_code(why->in.mark, state).type))
				explain(why, span->slot0 + k, tagged(TAG_HEADER, 0));
		}
	}
}

static void on_named(void *ctx, gh_addr object, gh_type_id type)
{
	struct gh_why *why = ctx;
	struct gh_slot_ref ref;

	if (gh_heap_find(why->in.heap, object, &ref) && !why->fact[ref.slot] &&
	    gh_mark_code(why->in.mark, gh_mark_state(why->in.mark, ref.slot)).type == type)
		explain(why, ref.slot, tagged(TAG_SPECIAL, 0));
}

static void on_timer(void *ctx, gh_addr object, gh_type_id type, gh_addr at)
{
	struct gh_why *why = ctx;
	struct gh_slot_ref ref;

	if (gh_heap_find(why->in.heap, object, &ref) && !why->fact[ref.slot] &&
	    gh_mark_code(why->in.mark, gh_mark_state(why->in.mark, ref.slot)).type == type)
		explain(why, ref.slot, tagged(TAG_TIMER, at));
}

static void on_word(void *ctx, const struct gh_root_owner *owner, const struct gh_root *root)
{
	struct gh_why *why = ctx;
	struct gh_word word = gh_edges_of_root(why->in.mark, root);

	why->owner = owner;
	consider(why, &word);
	why->owner = NULL;
}

static void on_contents(void *ctx, const struct gh_root_owner *owner, gh_addr object,
			struct gh_edge edge)
{
	struct gh_why *why = ctx;

	why->owner = owner;
	gh_edges_of_contents(why->in.mark, object, edge, consider, why);
	why->owner = NULL;
}

static void on_conservative(void *ctx, const struct gh_root_owner *owner, uint64_t value)
{
	on_word(ctx, owner, &(struct gh_root){.value = value});
}

static struct gh_error *visit_roots(struct gh_why *why, const struct gh_poll *poll,
				    struct gh_root_sink sink)
{
	struct gh_error *err;

	sink.ctx = why;
	sink.names = true;
	err = gh_roots_visit(why->in.heap, why->in.types, why->in.statics, why->in.goroutines, poll,
			     &sink, NULL);
	return err ? err : drain(why, poll);
}

static void count_unexplained(struct gh_why *why)
{
	struct gh_states states = gh_mark_states(why->in.mark);

	for (uint64_t i = 0; i < why->in.heap->table.nslots; i++)
		why->unexplained +=
			!why->fact[i] &&
			gh_code_names(gh_mark_code(why->in.mark, gh_state_at(&states, i)));
}

static struct gh_error *explain_all(struct gh_why *why, const struct gh_poll *poll)
{
	struct gh_root_sink sure = {
		.word = on_word, .contents = on_contents, .names_object = on_named};
	struct gh_root_sink rest = {.conservative = on_conservative};
	uint64_t n = why->in.heap->table.nslots;
	struct gh_error *err;

	err = gh_budget_charge(gh_runtime_budget(why->in.heap->rt), n * BYTES_A_SLOT,
			       "the facts behind types");
	if (err)
		return err;
	why->charged = n * BYTES_A_SLOT;

	why->fact = gh_alloc_array(n, sizeof(*why->fact));
	why->weak = gh_alloc_array(n, sizeof(*why->weak));
	why->sure.slots = gh_alloc_array(n, sizeof(*why->sure.slots));
	why->unsure.slots = gh_alloc_array(n, sizeof(*why->unsure.slots));
	why->reached.slots = gh_alloc_array(n, sizeof(*why->reached.slots));
	if (!why->fact || !why->weak || !why->sure.slots || !why->unsure.slots ||
	    !why->reached.slots)
		return gh_error_nomem();
	start_at_headers(why);
	err = gh_timer_types_visit(why->in.heap, why->in.types, why->in.timers, poll, on_timer,
				   why, /* skips= */ NULL);
	if (!err)
		err = visit_roots(why, poll, sure);
	if (!err)
		err = visit_roots(why, poll, rest);
	if (err || why->nomem)
		return err ? err : gh_error_nomem();
	count_unexplained(why);
	return NULL;
}

struct gh_error *gh_why_create(const struct gh_why_input *input, const struct gh_poll *poll,
			       struct gh_why **ret)
{
	struct gh_why *why = calloc(1, sizeof(*why));
	struct gh_error *err;

	if (!why)
		return gh_error_nomem();
	why->in = *input;
	err = explain_all(why, poll);
	if (err) {
		gh_why_destroy(why);
		return err;
	}
	free(gh_steal(why->weak));
	free(gh_steal(why->sure.slots));
	free(gh_steal(why->unsure.slots));
	free(gh_steal(why->reached.slots));
	gh_budget_give(gh_runtime_budget(why->in.heap->rt),
		       why->charged - why->in.heap->table.nslots * sizeof(*why->fact));
	why->charged = why->in.heap->table.nslots * sizeof(*why->fact);
	*ret = why;
	return NULL;
}

void gh_why_destroy(struct gh_why *why)
{
	if (!why)
		return;
	gh_budget_give(gh_runtime_budget(why->in.heap->rt), why->charged);
	free(why->fact);
	free(why->weak);
	free(why->sure.slots);
	free(why->unsure.slots);
	free(why->reached.slots);
	root_vec_deinit(&why->roots);
	part_vec_deinit(&why->parts);
	pointer_vec_deinit(&why->todo);
	free(why->seen);
	free(why);
}

static struct gh_fact fact_from(const struct gh_why *why, uint64_t fact, gh_addr base)
{
	uint64_t number = number_of(fact);
	struct gh_fact ret = {.kind = GH_FACT_NONE};
	struct gh_slot_ref ref;

	switch (fact ? tag_of(fact) : TAG_WORD) {
	case TAG_HEADER:
		ret.kind = GH_FACT_HEADER;
		ret.header = gh_edges_header(why->in.mark, base);
		return ret;
	case TAG_REACHED: // of `weak` only
		return ret;
	case TAG_SPECIAL:
		ret.kind = GH_FACT_SPECIAL;
		return ret;
	case TAG_TIMER:
		ret.kind = GH_FACT_TIMER;
		ret.word.at = number;
		return ret;
	case TAG_ROOT:
		ret.kind = GH_FACT_ROOT;
		ret.word = why->roots.data[number].word;
		ret.root_kind = why->roots.data[number].kind;
		ret.root_name = why->roots.data[number].name;
		ret.goid = why->roots.data[number].goid;
		break;
	case TAG_PART:
		ret.kind = GH_FACT_WORD;
		ret.word = why->parts.data[number].word;
		ret.part = number + 1;
		break;
	case TAG_GUESS:
		ret.kind = GH_FACT_WORD;
		ret.is_guess = true;
		ret.word = gh_edges_word_as_unknown(why->in.mark, number);
		break;
	case TAG_WORD:
		if (!fact || !gh_heap_find(why->in.heap, number, &ref))
			return ret;
		ret.kind = GH_FACT_WORD;
		ret.word = gh_edges_word(why->in.mark, number);
		break;
	}
	if (ret.kind == GH_FACT_WORD && gh_heap_find(why->in.heap, ret.word.at, &ref))
		ret.holder = ref.base;
	ret.claim = gh_edges_claim(why->in.mark, &ret.word);
	return ret;
}

struct gh_fact gh_why_object(const struct gh_why *why, gh_addr base)
{
	struct gh_slot_ref ref;

	if (!gh_heap_find(why->in.heap, base, &ref))
		return (struct gh_fact){.kind = GH_FACT_NONE};
	return fact_from(why, why->fact[ref.slot], ref.base);
}

struct gh_fact gh_why_part(const struct gh_why *why, size_t part)
{
	const struct part *p;
	struct gh_fact ret;

	if (part == 0 || part > why->parts.len)
		return (struct gh_fact){.kind = GH_FACT_NONE};
	p = &why->parts.data[part - 1];
	ret = fact_from(why, p->fact, 0);
	if (tag_of(p->fact) == TAG_WORD)
		ret.word = p->via;
	return ret;
}

uint64_t gh_why_unexplained(const struct gh_why *why)
{
	return why->unexplained;
}
