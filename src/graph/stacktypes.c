// SPDX-License-Identifier: Apache-2.0
// See stacktypes.h.
#include "graph/stacktypes.h"

#include <stdlib.h>

#include "goruntime/wait.h"

enum {
	MAX_STEPS = 1 << 20,  // words of one goroutine: a damaged stack may lead in circles
	MAX_WAITS = 1 << 16,  // cases of a select: what the compiler allows
	CLOSURE_WORDS = 64,
};

void gh_stack_types_deinit(struct gh_stack_types *st)
{
	gh_stack_typed_vec_deinit(&st->words);
	gh_stack_range_vec_deinit(&st->todo);
	gh_stack_range_vec_deinit(&st->done);
	gh_defer_vec_deinit(&st->defers);
	gh_stack_places_deinit(&st->places);
}

static bool is_here(const struct gh_stack_types *st, gh_addr addr)
{
	return addr >= st->g->stack_lo && addr < st->g->stack_hi;
}

static void add_range(struct gh_stack_types *st, gh_addr addr, gh_type_id type, uint64_t count)
{
	if (type && count && addr % 8 == 0 && is_here(st, addr))
		st->nomem |= !gh_stack_range_vec_push(&st->todo,
						      (struct gh_stack_range){addr, type, count});
}

static void add_closure(struct gh_stack_types *st, gh_addr addr)
{
	struct gh_closure_object object = {.on_stack = true};

	if (!is_here(st, addr) || !gh_read_u64(st->rt->image, addr, &object.pc))
		return;
	object.words = gh_min_u64(CLOSURE_WORDS, (st->g->stack_hi - addr) / 8);
	if (!gh_stack_places_bits(&st->places, st->scan, addr, &object.bits)) {
		st->nomem = true;
		return;
	}
	add_range(st, addr, gh_types_closure(st->types, &object), 1);
}

void gh_stack_types_follow(struct gh_stack_types *st, const struct gh_root *root)
{
	struct gh_edge edge = root->edge;
	uint64_t count = 1;
	gh_addr type;

	switch ((enum gh_edge_kind)edge.kind) {
	case GH_EDGE_POINTER:
	case GH_EDGE_ARRAY: // of unknown length: one is there
		break;
	case GH_EDGE_SLICE:
		if (!root->host || root->after < 2)
			return;
		count = gh_min_u64(gh_u64_at(root->host + 16), MAX_STEPS);
		break;
	case GH_EDGE_DIRECTORY: // a map on the stack has one group at most
		if (!root->host || !root->after || gh_u64_at(root->host + 8))
			return;
		break;
	case GH_EDGE_EFACE:
	case GH_EDGE_IFACE:
		if (!root->host || !root->before)
			return;
		type = gh_u64_at(root->host - 8);
		if (edge.kind == GH_EDGE_IFACE)
			type = gh_itab_type(st->rt, type);
		if (!gh_module_of_types(st->rt, type))
			return;
		edge = gh_types_dynamic(st->types, type);
		if (edge.kind == GH_EDGE_FUNC)
			add_closure(st, root->value);
		if (edge.kind != GH_EDGE_POINTER)
			return;
		break;
	case GH_EDGE_FUNC:
		add_closure(st, root->value);
		return;
	case GH_EDGE_STRING:
	case GH_EDGE_REFLECT:
	case GH_EDGE_UNKNOWN:
		return;
	}
	add_range(st, root->value, edge.type, count);
}

/* A word whose edge is known: where it leads is known too. */
static void add_word(struct gh_stack_types *st, struct gh_stack_typed word)
{
	struct gh_root root = {.edge = word.edge, .before = word.before, .after = word.after};
	uint64_t words = (uint64_t)word.before + word.after + 1;

	if (!gh_read_u64(st->rt->image, word.at, &root.value))
		return;
	root.host = gh_image_at(st->rt->image, word.at - word.before * 8ULL, words * 8);
	if (root.host)
		root.host += word.before * 8ULL;
	st->nomem |= !gh_stack_typed_vec_push(&st->words, word);
	if (is_here(st, root.value))
		gh_stack_types_follow(st, &root);
}

/* A word that the collector sees, and that leads to a channel for which g waits, is that channel: a
 * select keeps them in an array without a name. */
static void add_channel(struct gh_stack_types *st, gh_addr c, gh_type_id elem)
{
	struct gh_edge edge = {.type = gh_types_chan(st->types, elem), .kind = GH_EDGE_ARRAY};

	st->steps += st->scan->words.len;
	if (!edge.type || st->steps > MAX_STEPS)
		return;
	for (size_t i = 0; i < st->scan->words.len; i++) {
		const struct gh_stack_word *word = &st->scan->words.data[i];

		if (word->value == c && word->at && !word->conservative)
			add_word(st, (struct gh_stack_typed){.at = word->at, .edge = edge});
	}
}

/* sudogs of the channels that g waits for: elem is a value of the channel's element type. */
static void add_waits(struct gh_stack_types *st)
{
	gh_addr addr = gh_field_or_zero(st->rt, st->g->addr, GH_F_g_waiting), type;
	struct gh_sudog sudog;

	for (int i = 0; addr && i < MAX_WAITS && gh_sudog_read(st->rt, addr, &sudog); i++) {
		if (!sudog.chan || sudog.g != st->g->addr)
			return; // behind one of a semaphore (go1.26+) stand all who wait for it
		if (gh_field(st->rt, sudog.chan, GH_F_hchan_elemtype, &type) &&
		    gh_module_of_types(st->rt, type)) {
			gh_type_id id = gh_types_of_rtype(st->types, type);

			add_range(st, sudog.elem, id, 1);
			add_channel(st, sudog.chan, id);
		}
		addr = sudog.waitlink;
	}
}

/* Closures of pending defers whose words lie on the stack; records in the heap have a type. */
static struct gh_error *add_defers(struct gh_stack_types *st)
{
	struct gh_defer_skips skips = {0};
	struct gh_error *err;

	st->defers.len = 0;
	err = gh_defers_load(st->rt, st->g, &st->scan->frames, &st->defers, &skips);
	for (size_t i = 0; i < st->defers.len && !err; i++) {
		const struct gh_defer *d = &st->defers.data[i];

		if (!d->is_list && is_here(st, d->fn_at))
			add_word(st, (struct gh_stack_typed){.at = d->fn_at,
							     .edge.kind = GH_EDGE_FUNC});
	}
	return err;
}

struct gh_error *gh_stack_types_begin(struct gh_stack_types *st, const struct gh_runtime *rt,
				      struct gh_types *types, const struct gh_goroutine *g,
				      const struct gh_stack_scan *scan)
{
	st->rt = rt;
	st->types = types;
	st->g = g;
	st->scan = scan;
	st->words.len = st->todo.len = st->done.len = 0;
	st->steps = 0;
	gh_stack_places_reset(&st->places);
	add_waits(st);
	return add_defers(st);
}

/* Keeps rings of pointers from going round. */
static bool was_done(struct gh_stack_types *st, const struct gh_stack_range *r)
{
	st->steps += st->done.len;
	for (size_t i = st->done.len; i-- > 0;)
		if (st->done.data[i].addr == r->addr && st->done.data[i].type == r->type &&
		    st->done.data[i].count >= r->count)
			return true;
	return false;
}

static void type_range(struct gh_stack_types *st, struct gh_stack_range r)
{
	const struct gh_edge *edges = gh_types_edges(st->types, r.type);
	struct gh_type t = *gh_types_get(st->types, r.type);
	uint64_t stride = t.size / 8;

	if (!edges || (r.count > 1 && (!stride || t.size % 8)) || was_done(st, &r))
		return;
	st->nomem |= !gh_stack_range_vec_push(&st->done, r);
	for (uint64_t k = 0; k < r.count; k++)
		for (uint64_t w = 0; w < t.nwords; w++) {
			gh_addr at = r.addr + (k * stride + w) * 8;

			if (!is_here(st, at) || ++st->steps > MAX_STEPS)
				return;
			if (edges[w].kind == GH_EDGE_UNKNOWN)
				continue;
			add_word(st, (struct gh_stack_typed){
					     .at = at,
					     .edge = edges[w],
					     .before = (uint32_t)w,
					     .after = (uint32_t)(t.nwords - 1 - w),
				     });
		}
}

static int compare(const void *a, const void *b)
{
	const struct gh_stack_typed *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if (x->edge.kind != y->edge.kind)
		return x->edge.kind < y->edge.kind ? -1 : 1;
	return x->edge.type < y->edge.type ? -1 : x->edge.type > y->edge.type;
}

struct gh_error *gh_stack_types_spread(struct gh_stack_types *st)
{
	while (st->todo.len && !st->nomem && st->steps <= MAX_STEPS)
		type_range(st, st->todo.data[--st->todo.len]);
	if (st->words.len)
		qsort(st->words.data, st->words.len, sizeof(*st->words.data), compare);
	return st->nomem ? gh_error_nomem() : NULL;
}

const struct gh_stack_typed *gh_stack_types_at(const struct gh_stack_types *st, gh_addr at)
{
	const struct gh_stack_typed *words = st->words.data;
	size_t lo = 0, hi = st->words.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (words[mid].at < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == st->words.len || words[lo].at != at)
		return NULL;
	for (size_t i = lo + 1; i < st->words.len && words[i].at == at; i++)
		if (words[i].edge.kind != words[lo].edge.kind ||
		    words[i].edge.type != words[lo].edge.type)
			return NULL;
	return &words[lo];
}
