// SPDX-License-Identifier: Apache-2.0
// Dominators and retained sizes of a core against two ways that cannot go wrong in the same manner:
// the iterative algorithm of Cooper, Harvey and Kennedy on all live slots, leaves included, with
// edges out of graph/edges.h; and removal: without a node, what is not reached any more.
// Usage: dominance CORE EXE SAMPLES [--plant idom|retained|edge] [--cuts FILE]
// Prints one JSON document. --plant makes one error in our tree or in the graph that it is compared
// with. A line of FILE is "NAME\tADDRESS ADDRESS ...": what goes without the objects at these
// addresses is told in "cuts", by name.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/session.h"
#include "base/cleanup.h"
#include "graph/edges.h"

#define NONE UINT32_MAX

/* Vertices: owners, then all slots, dead ones too. */
struct flow {
	struct gh_session *s;
	uint32_t n, nowners;
	uint64_t *first;   // owned: n + 1
	uint32_t *targets; // owned
	uint64_t ntargets, cap;
	uint64_t *bytes; // owned: own weight; 0 of what is no vertex
	bool *is_vertex; // owned
	uint32_t *order; // owned: reverse postorder
	uint32_t *number; // owned: place in it; NONE: not reached
	uint32_t reached;
	uint32_t *idom;	   // owned: by vertex
	uint64_t *retained; // owned
};

static void *need(void *p)
{
	if (!p)
		exit(3);
	return p;
}

static void add_edge(struct flow *f, uint32_t to)
{
	if (f->ntargets == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 1 << 16;
		f->targets = need(realloc(f->targets, f->cap * sizeof(*f->targets)));
	}
	f->targets[f->ntargets++] = to;
}

static void add_target(struct flow *f, uint64_t value)
{
	struct gh_slot_ref ref;

	if (gh_heap_find(f->s->heap, value, &ref) && f->is_vertex[f->nowners + ref.slot])
		add_edge(f, f->nowners + (uint32_t)ref.slot);
}

static void add_word(void *ctx, const struct gh_word *word)
{
	add_target(ctx, word->value);
}

static void add_owner_targets(struct flow *f, const struct gh_owner *o)
{
	const struct gh_owner_vec *owners = &f->s->owners->owners;

	for (uint64_t i = 0; i < o->nwords; i++)
		add_target(f, f->s->owners->words[o->first_word + i].value);
	for (size_t k = 1; k < owners->len; k++)
		if (&owners->data[owners->data[k].parent] == o)
			add_edge(f, (uint32_t)k);
}

static void read_graph(struct flow *f)
{
	const struct gh_owner_graph *graph = f->s->owners;
	const struct gh_span_vec *spans = &f->s->heap->table.spans;
	uint64_t nslots = f->s->heap->table.nslots;

	f->nowners = (uint32_t)graph->owners.len;
	f->n = f->nowners + (uint32_t)nslots;
	f->first = need(calloc(f->n + 1, sizeof(*f->first)));
	f->bytes = need(calloc(f->n, sizeof(*f->bytes)));
	f->is_vertex = need(calloc(f->n, 1));
	for (uint32_t i = 0; i < f->nowners; i++) {
		f->is_vertex[i] = true;
		f->bytes[i] = graph->owners.data[i].own_bytes;
	}
	for (size_t i = 0; i < spans->len; i++)
		for (uint32_t k = 0; k < spans->data[i].nelems; k++) {
			uint64_t slot = spans->data[i].slot0 + k;

			if (!gh_state_is_live(gh_mark_state(f->s->mark, slot)) ||
			    gh_owner_of_slot(graph, slot) != GH_NODE_NONE)
				continue;
			f->is_vertex[f->nowners + slot] = true;
			f->bytes[f->nowners + slot] = spans->data[i].elem_bytes;
		}
	for (uint32_t i = 0; i < f->nowners; i++) {
		f->first[i] = f->ntargets;
		add_owner_targets(f, &graph->owners.data[i]);
	}
	for (uint64_t slot = 0; slot < nslots; slot++) {
		f->first[f->nowners + slot] = f->ntargets;
		if (f->is_vertex[f->nowners + slot])
			gh_edges_of(f->s->mark, gh_heap_slot_base(f->s->heap, slot), add_word, f);
	}
	f->first[f->n] = f->ntargets;
}

/* Postorder from the root, without recursion; orphans hang on the owner that is theirs. */
static void number(struct flow *f)
{
	uint32_t *stack = need(calloc(f->n + 1, sizeof(*stack)));
	uint64_t *at = need(calloc(f->n + 1, sizeof(*at)));
	uint32_t next = f->n, depth = 0;

	f->number = need(malloc(f->n * sizeof(*f->number)));
	f->order = need(calloc(f->n, sizeof(*f->order)));
	memset(f->number, 0xff, f->n * sizeof(*f->number));
	stack[depth++] = 0;
	f->number[0] = 0;
	while (depth) {
		uint32_t v = stack[depth - 1];
		uint64_t i = f->first[v] + at[v]++;

		if (i >= f->first[v + 1]) {
			f->order[--next] = v;
			depth--;
		} else if (f->number[f->targets[i]] == NONE) {
			f->number[f->targets[i]] = 0;
			stack[depth++] = f->targets[i];
		}
	}
	f->reached = f->n - next;
	memmove(f->order, f->order + next, f->reached * sizeof(*f->order));
	for (uint32_t i = 0; i < f->reached; i++)
		f->number[f->order[i]] = i;
	free(stack);
	free(at);
}

static uint32_t common(const struct flow *f, uint32_t a, uint32_t b)
{
	while (a != b) {
		while (f->number[a] > f->number[b])
			a = f->idom[a];
		while (f->number[b] > f->number[a])
			b = f->idom[b];
	}
	return a;
}

/* What all known predecessors have in common. True: something changed. */
static bool improve(struct flow *f, uint32_t v)
{
	bool changed = false;

	for (uint64_t e = f->first[v]; e < f->first[v + 1] && f->idom[v] != NONE; e++) {
		uint32_t to = f->targets[e], was = f->idom[to];

		if (!to)
			continue;
		f->idom[to] = was == NONE ? v : common(f, was, v);
		changed |= f->idom[to] != was;
	}
	return changed;
}

/* To and fro until nothing changes: a list that is linked both ways takes a pass an element in one
 * direction.
 */
static void find_dominators(struct flow *f)
{
	bool changed = true;

	f->idom = need(malloc(f->n * sizeof(*f->idom)));
	memset(f->idom, 0xff, f->n * sizeof(*f->idom));
	f->idom[0] = 0;
	while (changed) {
		changed = false;
		for (uint32_t i = 0; i < f->reached; i++)
			changed |= improve(f, f->order[i]);
		for (uint32_t i = f->reached; i-- > 0;)
			changed |= improve(f, f->order[i]);
	}
	f->retained = need(calloc(f->n, sizeof(*f->retained)));
	for (uint32_t i = f->reached; i-- > 0;) {
		uint32_t v = f->order[i];

		f->retained[v] += f->bytes[v];
		if (v)
			f->retained[f->idom[v]] += f->retained[v];
	}
}

/* Bytes that are reached; vertices whose bit in seen is set are not there. */
static uint64_t reached_without(const struct flow *f, bool *seen, uint32_t *stack)
{
	uint64_t sum = 0;
	uint32_t depth = 0;

	seen[0] = true;
	stack[depth++] = 0;
	while (depth) {
		uint32_t v = stack[--depth];

		sum += f->bytes[v];
		for (uint64_t e = f->first[v]; e < f->first[v + 1]; e++) {
			uint32_t to = f->targets[e];

			if (seen[to])
				continue;
			seen[to] = true;
			stack[depth++] = to;
		}
	}
	return sum;
}

/* The tree's number of a vertex; GH_NODE_NONE: a leaf. */
static gh_node node_of(const struct flow *f, uint32_t v)
{
	const struct gh_owner_graph *graph = f->s->owners;

	if (v < f->nowners)
		return v;
	return gh_slot_is_node(graph, v - f->nowners) ? gh_node_of_slot(graph, v - f->nowners)
						      : GH_NODE_NONE;
}

static uint32_t vertex_of(const struct flow *f, gh_node node)
{
	const struct gh_owner_graph *graph = f->s->owners;

	return gh_node_is_owner(graph, node) ? node
					     : f->nowners + (uint32_t)gh_node_slot(graph, node);
}

static uint64_t ours(const struct flow *f, uint32_t v)
{
	gh_node node = node_of(f, v);

	return node == GH_NODE_NONE ? f->bytes[v] : gh_domtree_retained(f->s->domtree, node);
}

struct outcome {
	json_int_t vertices, leaves, wrong_idom, wrong_retained, removed, wrong_removed;
	json_int_t unreached, orphan_bytes, runtime_bytes;
	uint64_t sum;
};

static void compare(const struct flow *f, struct outcome *o)
{
	for (uint32_t i = 0; i < f->reached; i++) {
		uint32_t v = f->order[i];
		gh_node node = node_of(f, v);

		o->vertices++;
		o->sum += f->bytes[v];
		o->leaves += node == GH_NODE_NONE;
		o->wrong_retained += ours(f, v) != f->retained[v];
		if (node != GH_NODE_NONE)
			o->wrong_idom +=
				vertex_of(f, gh_domtree_idom(f->s->domtree, node)) != f->idom[v];
	}
	for (uint32_t v = 0; v < f->n; v++)
		o->unreached += f->is_vertex[v] && f->number[v] == NONE;
	o->orphan_bytes = (json_int_t)ours(f, GH_NODE_ORPHANS);
	for (uint32_t v = 1; v < f->nowners; v++)
		if (f->s->owners->owners.data[v].kind == GH_ROOT_RUNTIME)
			o->runtime_bytes += (json_int_t)ours(f, v);
}

static void remove_some(const struct flow *f, uint32_t samples, struct outcome *o)
{
	bool *seen = need(calloc(f->n, 1));
	uint32_t *stack = need(calloc(f->n + 1, sizeof(*stack)));
	uint32_t step = f->reached / (samples ? samples : 1) + 1;

	for (uint32_t i = 0; i < f->reached && samples; i++) {
		uint32_t v = f->order[i];

		if (v >= f->nowners && i % step)
			continue; // owners all, objects some
		if (v < f->nowners && o->removed > 2 * (json_int_t)samples)
			continue;
		if (!v)
			continue;
		o->removed++;
		memset(seen, 0, f->n);
		seen[v] = true;
		o->wrong_removed += o->sum - reached_without(f, seen, stack) != ours(f, v);
	}
	free(seen);
	free(stack);
}

static struct gh_error *open_core(const char *core, const char *exe, struct gh_session **ret)
{
	struct gh_target_options options = {.core_path = core, .exe_path = exe};
	struct gh_target *target = NULL;
	struct gh_error *err = gh_target_open_core(&options, &target);

	if (!err)
		err = gh_session_create(target, ret);
	return err ? err : gh_session_dominators(*ret);
}

/* One error: the middle of the tree hangs on the root, or retains a word more; or nothing leads to
 * the middle of the graph any more.
 */
static void plant(struct flow *f, const char *what)
{
	struct gh_domtree *tree = f->s->domtree;
	uint32_t place = tree->n / 2;

	while (!strcmp(what, "idom") && place + 1 < tree->n && !tree->idom[place])
		place++;
	if (!strcmp(what, "idom"))
		tree->idom[place] = 0;
	else if (!strcmp(what, "retained"))
		tree->retained[place] += 8;
	else if (!strcmp(what, "edge"))
		for (uint64_t e = 0; e < f->ntargets; e++)
			if (f->targets[e] == vertex_of(f, tree->node[place]))
				f->targets[e] = 0;
}

static void cut_one(const struct flow *f, const struct outcome *o, char *addresses, bool *seen,
		    uint32_t *stack, json_t *ret, const char *name)
{
	uint64_t own = 0;
	struct gh_slot_ref ref;

	memset(seen, 0, f->n);
	for (char *at = strtok(addresses, " \n"); at; at = strtok(NULL, " \n")) {
		if (!gh_heap_find(f->s->heap, strtoull(at, NULL, 0), &ref))
			continue;
		if (f->is_vertex[f->nowners + ref.slot])
			seen[f->nowners + ref.slot] = true;
		else
			own += ref.elem_bytes; // describes an owner: goes, and takes nothing along
	}
	json_object_set_new(
		ret, name,
		json_integer((json_int_t)(o->sum - reached_without(f, seen, stack) + own)));
}

static json_t *cut_groups(const struct flow *f, const struct outcome *o, const char *path)
{
	bool *seen = need(calloc(f->n, 1));
	uint32_t *stack = need(calloc(f->n + 1, sizeof(*stack)));
	json_t *ret = json_object();
	FILE *file = need(fopen(path, "r"));
	char *line = NULL, *tab;
	size_t cap = 0;

	while (getline(&line, &cap, file) > 0) {
		tab = need(strchr(line, '\t'));
		*tab = '\0';
		cut_one(f, o, tab + 1, seen, stack, ret, line);
	}
	free(line);
	fclose(file);
	free(seen);
	free(stack);
	return ret;
}

int main(int argc, char **argv)
{
	const char *planted = NULL, *cuts = NULL;
	_cleanup_error_ struct gh_error *err = NULL;
	struct gh_session *session = NULL;
	struct outcome o = {0};
	struct flow f = {0};
	json_t *document;

	for (int i = 4; i + 1 < argc; i += 2) {
		planted = strcmp(argv[i], "--plant") ? planted : argv[i + 1];
		cuts = strcmp(argv[i], "--cuts") ? cuts : argv[i + 1];
	}
	if (argc < 4 || argc % 2) {
		fprintf(stderr, "usage: dominance CORE EXE SAMPLES [--plant WHAT] [--cuts FILE]\n");
		return 2;
	}
	err = open_core(argv[1], argv[2], &session);
	if (err) {
		fprintf(stderr, "dominance: %s\n", err->message);
		gh_session_destroy(session);
		return 1;
	}
	f.s = session;
	read_graph(&f);
	if (planted)
		plant(&f, planted);
	number(&f);
	find_dominators(&f);
	compare(&f, &o);
	remove_some(&f, (uint32_t)strtoul(argv[3], NULL, 10), &o);
	document = json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "vertices",
		o.vertices, "leaves", o.leaves, "wrong_idom", o.wrong_idom, "wrong_retained",
		o.wrong_retained, "removed", o.removed, "wrong_removed", o.wrong_removed,
		"unreached", o.unreached, "orphan_bytes", o.orphan_bytes, "runtime_bytes", o.runtime_bytes,
		"live_bytes", (json_int_t)session->owners->live_bytes, "sum", (json_int_t)o.sum,
		"retained", (json_int_t)gh_domtree_retained(session->domtree, GH_NODE_ROOT));
	if (cuts)
		json_object_set_new(document, "cuts", cut_groups(&f, &o, cuts));
	json_dumpf(document, stdout, JSON_COMPACT);
	json_decref(document);
	free(f.first);
	free(f.targets);
	free(f.bytes);
	free(f.is_vertex);
	free(f.order);
	free(f.number);
	free(f.idom);
	free(f.retained);
	gh_session_destroy(session);
	return 0;
}
