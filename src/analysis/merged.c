// SPDX-License-Identifier: Apache-2.0
// Each object of the owner graph gets the number of its step once, and the objects behind it go on
// from there: a million objects cost one pass. Names are made once a kind of step. See merged.h.
#include "analysis/merged.h"

#include <stdlib.h>

#include "analysis/objects.h"
#include "base/cleanup.h"
#include "graph/step_name.h"
#include "graph/sweep.h"

enum {
	MAX_STEPS = 1 << 17, // kinds of steps
	MAX_KNOWN = 1 << 21, // words whose step is remembered
	MAX_ANCESTORS = 64,  // looked at for a type that was met before
	POLL_EVERY = 1 << 10, // spans
	NOT_YET = 0,
};

/** Open addressing: 64 bits of a hash stand for the key. */
struct known {
	uint64_t hash; // 0: free
	uint32_t step;
};

/** A step to objects of one kind. Parts of maps and the like are not shown: they count as what they
 * are a part of. */
struct step {
	uint32_t shown; // node
	uint16_t code;
	bool is_variable; // see gh_path_via
};
GH_VEC(step_vec, struct step);
GH_VEC(node_vec, gh_node);

struct merge {
	struct gh_session *session;
	struct gh_merged *merged;
	struct gh_path_namer namer;
	struct step_vec steps;	// [0]: none
	uint32_t *step_of;	// owned: by node, less the owners
	uint32_t *step_of_word; // owned: by word of owners
	struct known *known;	// owned
	size_t nknown, known_cap;
	struct node_vec todo;
	struct gh_object_kinds kinds;
	uint64_t swept; // leaves
	bool nomem;
};

void gh_merged_deinit(struct gh_merged *merged)
{
	gh_budget_give(merged->budget, merged->charged_bytes);
	gh_merged_node_vec_deinit(&merged->nodes);
	gh_arena_deinit(&merged->arena);
	*merged = (struct gh_merged){0};
}

static uint64_t hash_of(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t h = a * 0x9e3779b97f4a7c15ULL;

	h = (h ^ h >> 29 ^ b) * 0xbf58476d1ce4e5b9ULL;
	h = (h ^ h >> 32 ^ c) * 0x94d049bb133111ebULL;
	return (h ^ h >> 31) | 1;
}

static uint64_t hash_text(const char *text)
{
	uint64_t h = 0xcbf29ce484222325ULL; // FNV-1a

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3ULL;
	return h;
}

static struct known *place_of(struct known *known, size_t cap, uint64_t hash)
{
	size_t i = (size_t)(hash >> 16) & (cap - 1);

	while (known[i].hash && known[i].hash != hash)
		i = (i + 1) & (cap - 1);
	return &known[i];
}

static uint32_t recall(const struct merge *m, uint64_t hash)
{
	return m->known_cap ? place_of(m->known, m->known_cap, hash)->step : NOT_YET;
}

static void remember(struct merge *m, uint64_t hash, uint32_t step)
{
	if (m->nknown * 2 >= m->known_cap) {
		size_t cap = m->known_cap ? m->known_cap * 2 : 1024;
		struct known *known;

		if (m->nknown >= MAX_KNOWN)
			return;
		known = gh_alloc_array(cap, sizeof(*known));
		if (!known)
			return; // it will be found out again
		for (size_t i = 0; i < m->known_cap; i++)
			if (m->known[i].hash)
				*place_of(known, cap, m->known[i].hash) = m->known[i];
		free(m->known);
		m->known = known;
		m->known_cap = cap;
	}
	*place_of(m->known, m->known_cap, hash) = (struct known){hash, step};
	m->nknown++;
}

/* What keys are of. */
enum key { OF_NODE, OF_STEP, OF_WORD };

static uint64_t key_of(enum key key, uint64_t number)
{
	return (uint64_t)key << 32 | number;
}

/* The node of that name below another, made when it is new. */
static uint32_t node_named(struct merge *m, uint32_t parent, const char *name, uint16_t code)
{
	uint64_t hash = hash_of(key_of(OF_NODE, parent), hash_text(name), 0);
	struct gh_merged_node node = {.parent = parent, .code = code, .is_expression = true};
	uint32_t found = recall(m, hash);
	size_t n = m->merged->nodes.len;

	if (found)
		return found;
	if (n >= MAX_STEPS) {
		m->merged->folded++;
		return parent;
	}
	node.name = gh_arena_strndup(&m->merged->arena, name, strlen(name));
	if (!node.name || !gh_merged_node_vec_push(&m->merged->nodes, node)) {
		m->nomem = true;
		return parent;
	}
	remember(m, hash, (uint32_t)n);
	return (uint32_t)n;
}

/* The step that ends at a node, with an object of that code. */
static uint32_t step_at(struct merge *m, uint32_t node, uint16_t code, bool is_variable)
{
	uint64_t hash = hash_of(key_of(OF_STEP, node), code, is_variable);
	uint32_t found = recall(m, hash), n = (uint32_t)m->steps.len;

	if (found)
		return found;
	if (n >= MAX_KNOWN || !step_vec_push(&m->steps, (struct step){node, code, is_variable})) {
		m->nomem = true;
		return 0;
	}
	remember(m, hash, n);
	return n;
}

/* An ancestor that leads to the same type, however surely that is known. */
static uint32_t met_before(const struct merge *m, uint32_t shown, const char *name, uint16_t code)
{
	const struct gh_merged_node *nodes = m->merged->nodes.data;
	struct gh_code is = gh_mark_code(m->session->mark, code), c;

	for (int i = 0; shown && i < MAX_ANCESTORS; i++, shown = nodes[shown].parent) {
		c = gh_mark_code(m->session->mark, nodes[shown].code);
		if (c.type == is.type &&
		    (c.type ? (c.form == GH_FORM_ARRAY) == (is.form == GH_FORM_ARRAY)
			    : !strcmp(nodes[shown].name, name)))
			return shown;
	}
	return NOT_YET;
}

static uint32_t add_step(struct merge *m, uint32_t from, const char *name, uint16_t code,
			 bool is_variable)
{
	uint32_t shown = m->steps.data[from].shown, before = 0;

	if (*name)
		before = met_before(m, shown, name, code);
	if (before)
		m->merged->nodes.data[before].is_recursive = true;
	else if (*name)
		before = node_named(m, shown, name, code);
	return step_at(m, before ? before : shown, code, is_variable);
}

/* Where a word lies in one value: those of other elements are the same step. */
static uint64_t place_in_value(const struct merge *m, uint16_t code, uint32_t word)
{
	struct gh_code c = gh_mark_code(m->session->mark, code);
	const struct gh_type *type = gh_types_get(m->session->types, c.type);
	const struct code_words *words = gh_code_words(m->session->mark, code);

	if (c.type && type->size >= 8 && words->stride)
		return word % words->stride;
	return word;
}

static gh_addr base_of(const struct merge *m, gh_node node)
{
	return gh_heap_slot_base(m->session->heap, gh_node_slot(m->session->owners, node));
}

static uint32_t step_of_root(struct merge *m, struct gh_shortest_link link, uint16_t code)
{
	const struct gh_owner_graph *graph = m->session->owners;
	const struct gh_owner *owner = &graph->owners.data[link.from];
	struct gh_owner_word word = gh_shortest_word(m->session->shortest, link);
	uint32_t *known = &m->step_of_word[owner->first_word + link.word];
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	struct gh_path_via via;
	uint32_t node;

	if (*known)
		return *known;
	gh_path_root_name(&m->namer, link.from, word, &sb, &via);
	m->nomem |= !gh_strbuf_ok(&sb);
	node = node_named(m, 0, gh_strbuf_str(&sb), code);
	if (node)
		m->merged->nodes.data[node].is_expression = gh_path_is_expression(owner);
	*known = step_at(m, node, code, via.is_variable);
	return *known;
}

/* How a shortest path comes to the node. */
static struct gh_path_via via_of(struct merge *m, gh_node node, uint32_t step)
{
	struct gh_path_via via = {.is_variable = m->steps.data[step].is_variable};
	struct gh_shortest_link link = gh_shortest_to(m->session->shortest, node);
	struct gh_owner_word word = gh_shortest_word(m->session->shortest, link);

	if (!gh_node_is_owner(m->session->owners, link.from))
		via.word = gh_edges_word(m->session->mark, word.at);
	else
		via.word = gh_path_root_word(&m->namer, word);
	return via;
}

/* The step by a word of a node, whose own step is known, to an object of that code. */
static uint32_t step_by(struct merge *m, struct gh_shortest_link link, uint16_t code)
{
	gh_node node = link.from;
	uint32_t from, step;
	uint64_t hash;
	uint16_t here;

	if (gh_node_is_owner(m->session->owners, node))
		return step_of_root(m, link, code);
	from = m->step_of[node - m->session->owners->owners.len];
	here = m->steps.data[from].code;
	hash = hash_of(key_of(OF_WORD, from), place_in_value(m, here, link.word), code);
	step = recall(m, hash);
	if (!step) {
		_cleanup_strbuf_ struct gh_strbuf sb = {0};
		struct gh_path_via via = via_of(m, node, from);

		gh_path_step_name(&m->namer, base_of(m, node) + link.word * 8ULL, &sb, &via);
		m->nomem |= !gh_strbuf_ok(&sb);
		step = add_step(m, from, gh_strbuf_str(&sb), code, via.is_variable);
		remember(m, hash, step);
	}
	return step;
}

/* False: no owner leads there. */
static bool step_of_node(struct merge *m, gh_node node, uint32_t *ret)
{
	const struct gh_owner_graph *graph = m->session->owners;
	gh_node nowners = (gh_node)graph->owners.len;

	for (gh_node at = node; at >= nowners && !m->step_of[at - nowners];) {
		m->nomem |= !node_vec_push(&m->todo, at);
		at = gh_shortest_to(m->session->shortest, at).from;
		if (at == GH_NODE_ROOT || m->nomem) {
			m->todo.len = 0;
			return false;
		}
	}
	while (m->todo.len) {
		gh_node at = m->todo.data[--m->todo.len];
		uint16_t code = gh_mark_state(m->session->mark, gh_node_slot(graph, at));

		m->step_of[at - nowners] =
			step_by(m, gh_shortest_to(m->session->shortest, at), code);
	}
	*ret = m->step_of[node - nowners];
	return true;
}

static void end_at(struct merge *m, uint32_t step, uint64_t bytes)
{
	struct gh_merged_node *node = &m->merged->nodes.data[m->steps.data[step].shown];

	node->ends++;
	node->end_bytes += bytes;
}

static void end_at_slot(struct merge *m, uint64_t slot, uint64_t bytes)
{
	const struct gh_owner_graph *graph = m->session->owners;
	uint32_t step;

	if (gh_slot_is_leaf(graph, slot))
		m->swept++;
	else if (!gh_slot_is_node(graph, slot))
		m->merged->own_objects++;
	else if (step_of_node(m, gh_node_of_slot(graph, slot), &step))
		end_at(m, step, bytes);
	else
		m->merged->unowned_objects++;
}

static struct gh_error *end_at_nodes(struct merge *m)
{
	const struct gh_span_vec *spans = &m->session->heap->table.spans;
	struct gh_states states = gh_mark_states(m->session->mark);
	struct gh_error *err = NULL;

	for (size_t i = 0; !err && i < spans->len; i++) {
		const struct gh_span *span = &spans->data[i];

		if (!gh_object_kinds_prepare(&m->kinds, span->spanclass))
			return gh_error_nomem();
		for (uint32_t k = 0; k < span->nelems; k++) {
			uint16_t state = gh_state_at(&states, span->slot0 + k);

			if (gh_state_is_live(state) &&
			    gh_object_kinds_wanted(&m->kinds, span->spanclass, state))
				end_at_slot(m, span->slot0 + k, span->elem_bytes);
		}
		if (i % POLL_EVERY == 0)
			err = gh_poll(&m->session->poll, "merging paths", i, spans->len);
	}
	return !err && m->nomem ? gh_error_nomem() : err;
}

/* A leaf is an end of the one word that leads to it. */
__attribute__((always_inline)) static inline void end_at_leaf(void *ctx, gh_node from,
							      uint32_t word, uint64_t value)
{
	struct merge *m = ctx;
	struct gh_word_slot t = gh_word_slot(m->session->mark, value);
	uint16_t state;
	uint32_t step;

	if (t.slot == GH_SLOT_NONE || !gh_slot_is_leaf(m->session->owners, t.slot))
		return;
	state = gh_mark_state(m->session->mark, t.slot);
	if (!gh_object_kinds_wanted(&m->kinds, t.page->class, state))
		return;
	if (!gh_node_is_owner(m->session->owners, from) && !step_of_node(m, from, &step)) {
		m->merged->unowned_objects++;
		return;
	}
	end_at(m, step_by(m, (struct gh_shortest_link){from, word}, state),
	       gh_slot_bytes(m->session->mark, t.base, t.page));
}

/* Sums, and children in the order of their bytes. */
static void sum_up(struct gh_merged *merged)
{
	struct gh_merged_node *nodes = merged->nodes.data;

	for (size_t i = merged->nodes.len; i-- > 0;) {
		nodes[i].count += nodes[i].ends;
		nodes[i].bytes += nodes[i].end_bytes;
		if (i) {
			nodes[nodes[i].parent].count += nodes[i].count;
			nodes[nodes[i].parent].bytes += nodes[i].bytes;
		}
	}
}

static int by_parent(const void *a, const void *b, void *ctx)
{
	const struct gh_merged_node *nodes = ctx, *x = &nodes[*(const uint32_t *)a],
				    *y = &nodes[*(const uint32_t *)b];
	int names;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	names = strcmp(x->name, y->name);
	return names ? names : x < y ? -1 : x > y;
}

static bool link_children(struct gh_merged *merged)
{
	_cleanup_free_ uint32_t *order = gh_alloc_array(merged->nodes.len, sizeof(*order));
	struct gh_merged_node *nodes = merged->nodes.data;
	size_t n = 0;

	if (!order)
		return false;
	for (size_t i = 1; i < merged->nodes.len; i++)
		if (nodes[i].count)
			order[n++] = (uint32_t)i;
	if (n)
		qsort_r(order, n, sizeof(*order), by_parent, nodes);
	while (n--) {
		struct gh_merged_node *parent = &nodes[nodes[order[n]].parent];

		nodes[order[n]].sibling = parent->child;
		parent->child = order[n];
	}
	return true;
}

static struct gh_error *merge(struct merge *m)
{
	const struct gh_owner_graph *graph = m->session->owners;
	struct gh_merged_node root = {.name = "", .is_expression = true};
	struct gh_error *err;

	m->step_of = gh_alloc_array(graph->nobjects, sizeof(*m->step_of));
	m->step_of_word = gh_alloc_array(graph->nwords, sizeof(*m->step_of_word));
	if (!m->step_of || !m->step_of_word || !gh_merged_node_vec_push(&m->merged->nodes, root) ||
	    !step_vec_push(&m->steps, (struct step){0}))
		return gh_error_nomem();
	err = end_at_nodes(m);
	if (!err && m->swept)
		err = gh_sweep(graph, end_at_leaf, m, &m->session->poll, "merging paths");
	if (!err && m->nomem)
		err = gh_error_nomem();
	if (err)
		return err;
	sum_up(m->merged);
	return link_children(m->merged) ? NULL : gh_error_nomem();
}

struct gh_error *gh_merged_build(struct gh_session *session,
				 bool (*wanted)(void *ctx, const char *type), void *ctx,
				 struct gh_merged *ret)
{
	struct merge m = {.session = session, .merged = ret};
	struct gh_budget *budget = session->target->budget;
	struct gh_error *err = gh_session_shortest(session);
	uint64_t bytes;

	*ret = (struct gh_merged){.budget = budget};
	if (err)
		return err;
	// a list may be as long as there are objects
	bytes = session->owners->nobjects * (sizeof(*m.step_of) + sizeof(gh_node)) +
		session->owners->nwords * sizeof(*m.step_of_word);
	err = gh_budget_charge(budget, bytes, "merging paths");
	if (err)
		return err;
	gh_path_namer_init(&m.namer, session, &ret->arena);
	m.namer.merged = true;
	m.kinds = (struct gh_object_kinds){.session = session,
					   .mark = session->mark,
					   .wanted = wanted,
					   .ctx = ctx,
					   .arena = &ret->arena,
					   .budget = budget};
	err = merge(&m);
	gh_object_kinds_deinit(&m.kinds);
	gh_path_namer_deinit(&m.namer);
	step_vec_deinit(&m.steps);
	node_vec_deinit(&m.todo);
	free(m.step_of);
	free(m.step_of_word);
	free(m.known);
	gh_budget_give(budget, bytes);
	return err;
}

void gh_merged_path(const struct gh_merged *merged, uint32_t at, struct gh_strbuf *sb)
{
	const struct gh_merged_node *nodes = merged->nodes.data;
	uint32_t way[MAX_ANCESTORS * 4];
	size_t n = 0;

	for (; at && n < GH_ARRAY_SIZE(way); at = nodes[at].parent)
		way[n++] = at;
	if (at)
		gh_strbuf_puts(sb, "…");
	while (n--) {
		const struct gh_merged_node *node = &nodes[way[n]];
		bool is_joined = nodes[node->parent].is_expression;

		gh_strbuf_printf(sb, "%s%s%s", is_joined ? "" : ": ",
				 node->name + (!is_joined && *node->name == '.'),
				 node->is_recursive ? "…" : "");
	}
}

uint32_t gh_merged_meeting(const struct gh_merged *merged)
{
	const struct gh_merged_node *nodes = merged->nodes.data;
	uint32_t at = 0, next;

	for (;;) {
		for (next = nodes[at].child; next; next = nodes[next].sibling)
			if (nodes[next].count * 2 > nodes[0].count)
				break;
		if (!next)
			return at;
		at = next;
	}
}
