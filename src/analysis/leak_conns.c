// SPDX-License-Identifier: Apache-2.0
// A walk from each goroutine, nearest objects first, that ends at sockets. See leak_conns.h.
#include "analysis/leak_conns.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/conns.h"
#include "base/cleanup.h"
#include "graph/words.h"

enum {
	SAMPLE = 16, // goroutines
	OBJECTS = 2048,
	SEEN = 4 * OBJECTS, // a power of two
	SOCKETS = 8,	    // of one goroutine
	FEW = 4,	    // a quarter
};

/* One goroutine's walk. */
struct walk {
	const struct gh_leak_conns *conns;
	gh_addr queue[OBJECTS]; // bases of objects with pointers
	size_t nqueue, nseen;
	uint64_t seen[SEEN]; // slot + 1, by hash
	uint64_t sockets[SAMPLE][SOCKETS]; // slots, of all walks
	size_t nsockets[SAMPLE];
	size_t goroutine;
};

static bool is_socket(const struct gh_conn *c)
{
	return c->kind == GH_CONN_TCP || c->kind == GH_CONN_UDP || c->kind == GH_CONN_UNIX ||
	       c->kind == GH_CONN_SOCKET;
}

struct gh_error *gh_leak_conns_find(struct gh_session *session, struct gh_leak_conns *ret)
{
	struct gh_arena arena = {0};
	struct gh_conns conns = {0};
	struct gh_error *err;
	struct gh_slot_ref ref;

	*ret = (struct gh_leak_conns){.session = session};
	err = gh_conns_find(session, &arena, &conns);
	for (size_t i = 0; i < conns.all.len && !err; i++)
		if (is_socket(&conns.all.data[i]) &&
		    gh_heap_find(session->heap, conns.all.data[i].addr, &ref) &&
		    !gh_key_vec_push(&ret->sockets, (struct gh_key){ref.slot, 0}))
			err = gh_error_nomem();
	if (!err && !gh_sort_keys(ret->sockets.data, ret->sockets.len))
		err = gh_error_nomem();
	gh_conns_deinit(&conns);
	gh_arena_deinit(&arena);
	if (err)
		gh_leak_conns_deinit(ret);
	return err;
}

void gh_leak_conns_deinit(struct gh_leak_conns *conns)
{
	gh_key_vec_deinit(&conns->sockets);
}

static bool was_seen(struct walk *w, uint64_t slot)
{
	size_t i = (size_t)((slot * 0x9e3779b97f4a7c15ULL) >> 40) % SEEN;

	while (w->seen[i] && w->seen[i] != slot + 1)
		i = (i + 1) % SEEN;
	if (w->seen[i])
		return true;
	w->seen[i] = slot + 1;
	w->nseen++;
	return false;
}

static void follow(void *ctx, gh_addr at, uint64_t value)
{
	struct walk *w = ctx;
	const struct gh_owner_graph *graph = w->conns->session->owners;
	const struct gh_key_vec *sockets = &w->conns->sockets;
	struct gh_word_slot t = gh_word_slot(graph->mark, value);
	size_t i;

	(void)at;
	if (t.slot == GH_SLOT_NONE || w->nseen >= SEEN / 2 || was_seen(w, t.slot))
		return;
	i = gh_first_key(sockets->data, sockets->len, t.slot);
	if (i < sockets->len && sockets->data[i].key == t.slot) {
		if (w->nsockets[w->goroutine] < SOCKETS)
			w->sockets[w->goroutine][w->nsockets[w->goroutine]++] = t.slot;
	} else if (gh_slot_is_node(graph, t.slot) && w->nqueue < OBJECTS) {
		w->queue[w->nqueue++] = t.base;
	}
}

static void follow_owner(struct walk *w, gh_node node)
{
	const struct gh_owner_graph *graph = w->conns->session->owners;
	const struct gh_owner *o = &graph->owners.data[node];

	for (uint64_t k = 0; k < o->nwords; k++)
		follow(w, 0, graph->words[o->first_word + k].value);
}

static void walk_from(struct walk *w, gh_node node)
{
	const struct gh_owner_graph *graph = w->conns->session->owners;
	struct gh_mark *m = graph->mark;

	w->nqueue = w->nseen = 0;
	memset(w->seen, 0, sizeof(w->seen));
	follow_owner(w, node);
	for (gh_node child = graph->owners.data[node].child; child;
	     child = graph->owners.data[child].sibling)
		follow_owner(w, child);
	for (size_t i = 0; i < w->nqueue; i++)
		gh_object_words(m, w->queue[i], gh_page_at(m, w->queue[i]), follow, w);
}

static bool has(const struct walk *w, size_t goroutine, uint64_t socket)
{
	for (size_t i = 0; i < w->nsockets[goroutine]; i++)
		if (w->sockets[goroutine][i] == socket)
			return true;
	return false;
}

/* Does this one of n lead to a socket to which few others do, as a connection may have several? */
static bool has_its_own(const struct walk *w, size_t goroutine, size_t n)
{
	for (size_t i = 0; i < w->nsockets[goroutine]; i++) {
		size_t others = 0;

		for (size_t k = 0; k < n; k++)
			others += k != goroutine && has(w, k, w->sockets[goroutine][i]);
		if (others < gh_max_u64(n / FEW, 1))
			return true;
	}
	return false;
}

struct gh_error *gh_leak_conns_are_own(const struct gh_leak_conns *conns,
				       const struct gh_goroutine_node_vec *nodes,
				       const uint32_t *goroutines, size_t n, bool *ret)
{
	struct walk *w;
	size_t own = 0;

	*ret = false;
	n = gh_min_u64(n, SAMPLE);
	if (conns->sockets.len < n / 2 || !n)
		return NULL;
	w = gh_alloc_array(1, sizeof(*w));
	if (!w)
		return gh_error_nomem();
	w->conns = conns;
	for (; w->goroutine < n; w->goroutine++) {
		uint32_t g = goroutines[w->goroutine];
		gh_node node = gh_goroutine_node(nodes, &conns->session->goroutines.data[g]);

		if (node != GH_NODE_NONE)
			walk_from(w, node);
	}
	for (size_t i = 0; i < n; i++)
		own += has_its_own(w, i, n);
	*ret = own * 2 >= n;
	free(w);
	return NULL;
}
