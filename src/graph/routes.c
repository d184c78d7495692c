// SPDX-License-Identifier: Apache-2.0
// Best-first from the object upwards. How far each node is from an owner is known exactly, so that
// the first ways to arrive are the shortest. See routes.h.
#include "graph/routes.h"

#include <stdlib.h>

#include "base/budget.h"
#include "base/cleanup.h"

enum {
	MAX_STEPS = 1 << 18,	  // states of one search
	MAX_CHECKS = 1 << 28,	  // nodes looked at to keep ways simple
	POLL_EVERY = 1 << 14,
	TURN_SHIFT = 62, // of what orders states
	RANK_BITS = 1,	 // its lowest ones
};

void gh_routes_deinit(struct gh_route_vec *routes)
{
	for (size_t i = 0; i < routes->len; i++)
		free(routes->data[i].nodes);
	gh_route_vec_deinit(routes);
}

/** A way that begins at `node` and goes on with state `next`. */
struct state {
	gh_node node;
	uint32_t next;	// UINT32_MAX: it is the object
	uint32_t steps; // to the object
};
GH_VEC(state_vec, struct state);

/** A state in the heap of those that wait. */
struct waiting {
	uint64_t cost;
	uint32_t state;
};
GH_VEC(waiting_vec, struct waiting);

struct search {
	const struct gh_owner_graph *graph;
	const struct gh_shortest *shortest;
	const struct gh_backedges *backedges;
	struct state_vec states;
	struct waiting_vec heap;
	uint64_t *depth; // owned: hops from an owner, and its turn in the upper bits; 0: not yet
	uint64_t checks;
	bool nomem;
};

static bool is_before(const struct waiting *a, const struct waiting *b)
{
	return a->cost != b->cost ? a->cost < b->cost : a->state < b->state;
}

static void push(struct search *s, struct waiting waiting)
{
	struct waiting *heap;
	size_t i = s->heap.len;

	if (!waiting_vec_push(&s->heap, waiting)) {
		s->nomem = true;
		return;
	}
	for (heap = s->heap.data; i && is_before(&waiting, &heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = waiting;
}

static struct waiting pop(struct search *s)
{
	struct waiting *heap = s->heap.data, ret = heap[0], last = heap[--s->heap.len];
	size_t n = s->heap.len, i = 0, child;

	while ((child = 2 * i + 1) < n) {
		child += child + 1 < n && is_before(&heap[child + 1], &heap[child]);
		if (!is_before(&heap[child], &last))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
	return ret;
}

/* Hops of a shortest way from an owner to the node; the nodes above it are remembered, too. */
static uint64_t depth_of(struct search *s, gh_node node)
{
	size_t nowners = s->graph->owners.len;
	uint64_t depth, n = 0;
	gh_node at = node;

	while (at >= nowners && !s->depth[at - nowners] && at != GH_NODE_ROOT) {
		at = gh_shortest_to(s->shortest, at).from;
		n++;
	}
	if (at == GH_NODE_ROOT)
		return UINT64_MAX;
	depth = at >= nowners ? s->depth[at - nowners]
			      : (uint64_t)gh_shortest_turn(s->graph->owners.data[at].kind)
					<< TURN_SHIFT;
	depth += n;
	at = node;
	for (uint64_t d = depth; n; n--, d--) {
		s->depth[at - nowners] = d;
		at = gh_shortest_to(s->shortest, at).from;
	}
	return depth;
}

/* Of ways of one length those from variables arrive first: the rank of others is the highest, and
 * that of a way that has not arrived yet the lowest. */
static uint64_t cost_of(const struct search *s, gh_node node, uint64_t depth, uint32_t steps)
{
	uint64_t length = (depth + steps) & ((1ULL << TURN_SHIFT) - 1);
	uint64_t rank = gh_node_is_owner(s->graph, node)
				? gh_shortest_rank(s->graph->owners.data[node].kind)
				: 0;

	return depth >> TURN_SHIFT << TURN_SHIFT | length << RANK_BITS | rank;
}

static void add(struct search *s, gh_node node, uint32_t next, uint32_t steps)
{
	uint64_t depth = depth_of(s, node);

	if (depth == UINT64_MAX)
		return;
	if (!state_vec_push(&s->states, (struct state){node, next, steps}))
		s->nomem = true;
	else
		push(s, (struct waiting){cost_of(s, node, depth, steps),
					 (uint32_t)(s->states.len - 1)});
}

static bool is_on_way(struct search *s, uint32_t state, gh_node node)
{
	for (; state != UINT32_MAX; state = s->states.data[state].next) {
		s->checks++;
		if (s->states.data[state].node == node)
			return true;
	}
	return false;
}

static void expand(struct search *s, uint32_t state)
{
	struct state here = s->states.data[state];
	size_t i = here.node - s->graph->owners.len;
	gh_node last = GH_NODE_NONE;

	for (uint64_t e = s->backedges->first[i]; e < s->backedges->first[i + 1]; e++) {
		gh_node from = s->backedges->from[e];

		if (from != last && !is_on_way(s, state, from))
			add(s, from, state, here.steps + 1);
		last = from;
		if (s->states.len > MAX_STEPS || s->checks > MAX_CHECKS)
			return;
	}
}

static bool arrive(struct search *s, uint32_t state, struct gh_route_vec *ret)
{
	struct gh_route route = {.n = s->states.data[state].steps + 1ULL};
	size_t i = 0;

	route.nodes = gh_alloc_array(route.n, sizeof(*route.nodes));
	if (!route.nodes)
		return false;
	for (; state != UINT32_MAX && i < route.n; state = s->states.data[state].next)
		route.nodes[i++] = s->states.data[state].node;
	if (gh_route_vec_push(ret, route))
		return true;
	free(route.nodes);
	return false;
}

static struct gh_error *find(struct search *s, gh_node node, size_t k, const struct gh_poll *poll,
			     struct gh_route_vec *ret, bool *is_cut_ret)
{
	struct gh_error *err = NULL;
	size_t wanted = ret->len + k;

	add(s, node, UINT32_MAX, 0);
	for (uint64_t n = 1; !err && !s->nomem && s->heap.len && ret->len < wanted; n++) {
		uint32_t state = pop(s).state;

		if (s->states.len > MAX_STEPS || s->checks > MAX_CHECKS) {
			*is_cut_ret = true;
			break;
		}
		if (gh_node_is_owner(s->graph, s->states.data[state].node))
			s->nomem |= !arrive(s, state, ret);
		else
			expand(s, state);
		if (n % POLL_EVERY == 0)
			err = gh_poll(poll, "comparing paths", ret->len, k);
	}
	return !err && s->nomem ? gh_error_nomem() : err;
}

struct gh_error *gh_routes_shortest(const struct gh_shortest *shortest,
				    const struct gh_backedges *backedges, gh_node node, size_t k,
				    const struct gh_poll *poll, struct gh_route_vec *ret,
				    bool *is_cut_ret)
{
	struct search s = {
		.graph = shortest->graph, .shortest = shortest, .backedges = backedges};
	uint64_t bytes = s.graph->nobjects * sizeof(*s.depth) +
			 MAX_STEPS * (sizeof(struct state) + sizeof(struct waiting));
	struct gh_budget *budget = gh_runtime_budget(s.graph->heap->rt);
	struct gh_error *err = gh_budget_charge(budget, bytes, "comparing paths");

	*is_cut_ret = false;
	if (err)
		return err;
	s.depth = gh_alloc_array(s.graph->nobjects, sizeof(*s.depth));
	err = s.depth ? find(&s, node, k, poll, ret, is_cut_ret) : gh_error_nomem();
	free(s.depth);
	state_vec_deinit(&s.states);
	waiting_vec_deinit(&s.heap);
	gh_budget_give(budget, bytes);
	return err;
}

/** A walk against the edges. */
struct backwards {
	const struct gh_backedges *backedges;
	gh_node *next;	// owned: by node: the next one towards the object; GH_NODE_NONE: not met
	gh_node *queue; // owned
	uint64_t tail;
};

/* Objects are of the highest rank: within a level owners come by rank. */
static uint32_t rank_of(const struct gh_owner_graph *graph, gh_node node)
{
	return gh_node_is_owner(graph, node) ? gh_shortest_rank(graph->owners.data[node].kind)
					     : GH_SHORTEST_RANKS - 1;
}

static void go_back(struct backwards *b, gh_node here, uint32_t rank)
{
	const struct gh_owner_graph *graph = b->backedges->graph;
	size_t i = here - graph->owners.len;

	if (gh_node_is_owner(graph, here))
		return;
	for (uint64_t e = b->backedges->first[i]; e < b->backedges->first[i + 1]; e++) {
		gh_node from = b->backedges->from[e];

		if (b->next[from] != GH_NODE_NONE || rank_of(graph, from) != rank)
			continue;
		b->next[from] = here;
		b->queue[b->tail++] = from;
	}
}

static struct gh_error *walk_level_back(struct backwards *b, uint64_t first, uint64_t end,
					const struct gh_poll *poll)
{
	struct gh_error *err = NULL;

	for (uint32_t rank = 0; rank < GH_SHORTEST_RANKS; rank++)
		for (uint64_t i = first; !err && i < end; i++) {
			if (i % POLL_EVERY == 0)
				err = gh_poll(poll, "walking back to owners", i,
					      b->backedges->graph->nobjects);
			go_back(b, b->queue[i], rank);
		}
	return err;
}

static struct gh_error *walk_back(struct backwards *b, gh_node node, const struct gh_poll *poll)
{
	struct gh_error *err = NULL;

	b->next[node] = node;
	b->queue[b->tail++] = node;
	for (uint64_t first = 0, end; !err && first < b->tail; first = end) {
		end = b->tail;
		err = walk_level_back(b, first, end, poll);
	}
	return err;
}

static bool add_route(const struct backwards *b, gh_node owner, struct gh_route_vec *ret)
{
	struct gh_route route = {.n = 1};
	size_t i = 0;
	gh_node at;

	for (at = owner; b->next[at] != at; at = b->next[at])
		route.n++;
	route.nodes = gh_alloc_array(route.n, sizeof(*route.nodes));
	if (!route.nodes)
		return false;
	for (at = owner; i < route.n; at = b->next[at])
		route.nodes[i++] = at;
	if (gh_route_vec_push(ret, route))
		return true;
	free(route.nodes);
	return false;
}

/* Owners came in the order of their distance. */
static bool take_owners(const struct backwards *b, size_t k, struct gh_route_vec *ret,
			uint64_t *more_ret)
{
	const struct gh_owner_graph *graph = b->backedges->graph;

	for (uint32_t turn = 0; turn < GH_SHORTEST_TURNS; turn++)
		for (uint64_t i = 0; i < b->tail; i++) {
			gh_node node = b->queue[i];

			if (!gh_node_is_owner(graph, node) ||
			    gh_shortest_turn(graph->owners.data[node].kind) != turn)
				continue;
			if (ret->len >= k)
				(*more_ret)++;
			else if (!add_route(b, node, ret))
				return false;
		}
	return true;
}

struct gh_error *gh_routes_of_owners(const struct gh_backedges *backedges, gh_node node, size_t k,
				     const struct gh_poll *poll, struct gh_route_vec *ret,
				     uint64_t *more_ret)
{
	const struct gh_owner_graph *graph = backedges->graph;
	uint64_t n = gh_owner_graph_nodes(graph), bytes = n * 3 * sizeof(gh_node);
	struct backwards b = {.backedges = backedges};
	struct gh_budget *budget = gh_runtime_budget(graph->heap->rt);
	struct gh_error *err = gh_budget_charge(budget, bytes, "walking back to owners");

	*more_ret = 0;
	if (err)
		return err;
	b.next = gh_alloc_array(n, sizeof(*b.next));
	b.queue = gh_alloc_array(n, sizeof(*b.queue));
	if (b.next && b.queue) {
		memset(b.next, 0xff, n * sizeof(*b.next));
		err = walk_back(&b, node, poll);
		if (!err && !take_owners(&b, k, ret, more_ret))
			err = gh_error_nomem();
	} else {
		err = gh_error_nomem();
	}
	free(b.next);
	free(b.queue);
	gh_budget_give(budget, bytes);
	return err;
}
