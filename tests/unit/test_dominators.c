// SPDX-License-Identifier: Apache-2.0
// Dominators of random graphs against the definition: v dominates w if w is not reached without v.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/dominators.h"

enum { MAX_VERTICES = 24, MAX_EDGES = 120, GRAPHS = 10000 };

struct graph {
	uint32_t n, nedges;
	struct gh_flow_edge edges[MAX_EDGES];
};

static uint64_t state = 42;

static uint32_t draw(uint32_t below)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(state >> 33) % below;
}

/* Few edges, or many; loops and doubles too. */
static struct graph random_graph(void)
{
	struct graph g = {.n = 1 + draw(MAX_VERTICES)};

	g.nedges = draw(1 + (draw(2) ? MAX_EDGES : g.n * 2));
	for (uint32_t i = 0; i < g.nedges; i++)
		g.edges[i] = (struct gh_flow_edge){.to = draw(g.n), .from = draw(g.n)};
	return g;
}

/* A depth-first tree in preorder numbers, by recursion: not the walk of domtree.c. */
struct numbering {
	const struct graph *graph;
	uint32_t number[MAX_VERTICES], vertex[MAX_VERTICES], parent[MAX_VERTICES], n;
};

static void visit(struct numbering *t, uint32_t v, uint32_t parent)
{
	t->number[v] = t->n;
	t->vertex[t->n] = v;
	t->parent[t->n++] = parent;
	for (uint32_t i = 0; i < t->graph->nedges; i++)
		if (t->graph->edges[i].from == v &&
		    t->number[t->graph->edges[i].to] == UINT32_MAX)
			visit(t, t->graph->edges[i].to, t->number[v]);
}

static uint32_t reached_without(const struct graph *g, uint32_t without)
{
	uint32_t reached = without ? 1 : 0;

	for (bool changed = true; changed;) {
		changed = false;
		for (uint32_t i = 0; i < g->nedges; i++) {
			const struct gh_flow_edge *e = &g->edges[i];

			if (e->to != without && reached >> e->from & 1 && !(reached >> e->to & 1)) {
				reached |= 1U << e->to;
				changed = true;
			}
		}
	}
	return reached;
}

/* The strict dominator of w that all others dominate: the one with the largest preorder number. */
static uint32_t naive_idom(const struct numbering *t, const uint32_t *without, uint32_t w)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < t->n; i++)
		if (t->vertex[i] != w && !(without[t->vertex[i]] >> w & 1) &&
		    i < t->number[w])
			best = i;
	return best;
}

static void compare(const struct graph *g)
{
	struct numbering t = {.graph = g};
	uint32_t offset[MAX_VERTICES + 2] = {0}, sources[MAX_EDGES + 1] = {0};
	uint32_t without[MAX_VERTICES], parent[MAX_VERTICES], at = 0;
	uint64_t scratch[MAX_VERTICES];
	struct gh_error *err;

	memset(t.number, 0xff, sizeof(t.number));
	visit(&t, 0, 0);
	memcpy(parent, t.parent, sizeof(parent));
	for (uint32_t v = 0; v < t.n; v++) {
		offset[v] = at;
		for (uint32_t i = 0; i < g->nedges; i++)
			if (t.number[g->edges[i].to] == v &&
			    t.number[g->edges[i].from] != UINT32_MAX)
				sources[at++] = t.number[g->edges[i].from];
	}
	offset[t.n] = at;
	for (uint32_t v = 0; v < g->n; v++)
		without[v] = reached_without(g, v);
	err = gh_dominators(t.n, parent, offset, sources, scratch, NULL);
	assert_null(err);
	for (uint32_t i = 1; i < t.n; i++)
		assert_int_equal(parent[i], naive_idom(&t, without, t.vertex[i]));
}

static void test_random_graphs(void **unused)
{
	(void)unused;
	for (int i = 0; i < GRAPHS; i++) {
		struct graph g = random_graph();

		compare(&g);
	}
}

/* A chain whose last vertex leads back to the root's neighbours, and a star: deep and wide. */
static void test_long_chain(void **unused)
{
	enum { N = 2000000 };
	uint32_t *parent = calloc(N, sizeof(*parent));
	uint32_t *offset = calloc(N + 1, sizeof(*offset));
	uint32_t *sources = calloc(2 * N, sizeof(*sources));
	void *scratch = calloc(N, GH_DOMINATORS_SCRATCH);
	uint32_t at = 0;

	(void)unused;
	assert_true(parent && offset && sources && scratch);
	for (uint32_t v = 0; v < N; v++) {
		parent[v] = v ? v - 1 : 0;
		offset[v] = at;
		if (v == 1)
			sources[at++] = N - 1;
		if (v > 1 && v % 2)
			sources[at++] = 0; // every second one is reached from the root too
	}
	offset[N] = at;
	assert_null(gh_dominators(N, parent, offset, sources, scratch, NULL));
	for (uint32_t v = 1; v < N; v++)
		assert_int_equal(parent[v], v % 2 ? 0 : v - 1);
	free(parent);
	free(offset);
	free(sources);
	free(scratch);
}

static bool stop(void *ctx)
{
	(void)ctx;
	return true;
}

static void test_cancelled(void **unused)
{
	enum { N = 3 << 20 };
	struct gh_poll poll = {.cancelled = stop};
	uint32_t *parent = calloc(N, sizeof(*parent)), *offset = calloc(N + 1, sizeof(*offset));
	void *scratch = calloc(N, GH_DOMINATORS_SCRATCH);
	struct gh_error *err;

	(void)unused;
	assert_true(parent && offset && scratch);
	err = gh_dominators(N, parent, offset, parent, scratch, &poll);
	assert_non_null(err);
	assert_int_equal(err->code, GH_ERR_CANCELLED);
	gh_error_destroy(err);
	free(parent);
	free(offset);
	free(scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_graphs),
		cmocka_unit_test(test_long_chain),
		cmocka_unit_test(test_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
