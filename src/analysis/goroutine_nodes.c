// SPDX-License-Identifier: Apache-2.0
// What goroutines retain. See goroutine_nodes.h.
#include "analysis/goroutine_nodes.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "graph/domtree.h"
#include "graph/reach.h"

static int compare_node(const void *a, const void *b)
{
	const struct gh_goroutine_node *x = a, *y = b;

	return x->g < y->g ? -1 : x->g > y->g;
}

struct gh_error *gh_goroutine_nodes_load(struct gh_session *session,
					 struct gh_goroutine_node_vec *ret)
{
	struct gh_error *err = gh_session_dominators(session);
	const struct gh_owner_vec *owners;

	if (err)
		return err;
	if (!gh_vec_reserve_exactly((void **)&ret->data, &ret->cap, session->goroutines.len,
				    sizeof(*ret->data)))
		return gh_error_nomem();
	owners = &session->owners->owners;
	for (size_t i = 0; i < owners->len; i++) {
		const struct gh_owner *owner = &owners->data[i];
		struct gh_goroutine_node node = {owner->addr, (gh_node)i};

		if (owner->kind == GH_ROOT_GOROUTINE && owner->parent == GH_NODE_ROOT &&
		    owner->goid && !gh_goroutine_node_vec_push(ret, node))
			return gh_error_nomem();
	}
	if (ret->len)
		qsort(ret->data, ret->len, sizeof(*ret->data), compare_node);
	return NULL;
}

gh_node gh_goroutine_node(const struct gh_goroutine_node_vec *nodes, const struct gh_goroutine *g)
{
	struct gh_goroutine_node key = {.g = g->addr};
	const struct gh_goroutine_node *found = NULL;

	if (nodes->len)
		found = bsearch(&key, nodes->data, nodes->len, sizeof(key), compare_node);
	return found ? found->node : GH_NODE_NONE;
}

bool gh_goroutine_retained(const struct gh_session *session,
			   const struct gh_goroutine_node_vec *nodes,
			   const struct gh_goroutine *g, uint64_t *ret)
{
	gh_node node = session->domtree ? gh_goroutine_node(nodes, g) : GH_NODE_NONE;

	if (node == GH_NODE_NONE)
		return false;
	*ret = gh_domtree_retained(session->domtree, node);
	return true;
}

/* Is it one of them, or does it lie in one? */
static bool is_gone(const struct gh_owner_graph *graph, const uint64_t *gone, gh_node owner)
{
	while (owner != GH_NODE_ROOT && !gh_bitmap_test(gone, owner))
		owner = graph->owners.data[owner].parent;
	return owner != GH_NODE_ROOT;
}

struct gh_error *gh_goroutines_retained(struct gh_session *session,
					const struct gh_goroutine_node_vec *nodes,
					const uint32_t *goroutines, size_t n, uint64_t *ret)
{
	const struct gh_owner_graph *graph = session->owners;
	_cleanup_free_ uint64_t *gone =
		gh_alloc_array(gh_bitmap_words(graph->owners.len), sizeof(*gone));
	struct gh_reach *reach = NULL;
	struct gh_error *err =
		gone ? gh_reach_create(graph, NULL, &reach) : gh_error_nomem();

	for (size_t i = 0; i < n && !err; i++) {
		const struct gh_goroutine *g = &session->goroutines.data[goroutines[i]];
		gh_node node = gh_goroutine_node(nodes, g);

		if (node != GH_NODE_NONE)
			gh_bitmap_set(gone, node);
	}
	for (gh_node owner = 1; owner < graph->owners.len && !err; owner++)
		if (!is_gone(graph, gone, owner))
			gh_reach_owner(reach, owner);
	if (!err)
		err = gh_reach_drain(reach, &session->poll);
	if (!err)
		*ret = graph->live_bytes -
		       gh_min_u64(gh_reach_sum(reach).bytes, graph->live_bytes);
	gh_reach_destroy(reach);
	return err;
}
