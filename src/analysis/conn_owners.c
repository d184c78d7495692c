// SPDX-License-Identifier: Apache-2.0
// Who owns a connection, and whether a goroutine of the program can still get at it. See conns.h.
//
// The owner is the one without whom it would go: its dominator among owners. Where several share it
// they are named, variables of the program's own first, and goroutines that only serve last. In use
// is what the program's goroutines reach from their stacks; goroutines that only serve connections
// (of HTTP clients, of pools) do not count, or every connection that they keep would be in use.
#include <stdlib.h>

#include "analysis/conns.h"
#include "analysis/goroutine_nodes.h"
#include "analysis/owner_names.h"
#include "analysis/sharing.h"
#include "base/cleanup.h"
#include "graph/reach.h"

/* By where they start. */
static const char *const servants[] = {
	"net/http.(*persistConn).",
	"net/http.(*Transport).",
	"net/http.(*http2Transport).",
	"net/http.(*http2ClientConn).",
	"net/http.(*http2clientStream).",
	"net/http/internal/http2.(*Transport).",
	"net/http/internal/http2.(*ClientConn).",
	"net/http/internal/http2.(*clientStream).",
	"golang.org/x/net/http2.(*Transport).",
	"golang.org/x/net/http2.(*ClientConn).",
	"golang.org/x/net/http2.(*clientStream).",
	"database/sql.(*DB).",
	"database/sql.(*Rows).",
	"database/sql.OpenDB",
};

struct owners {
	struct gh_session *session;
	struct gh_conns *conns;
	struct gh_goroutine_node_vec nodes;
	struct gh_reach *reach;
	uint64_t *cut; // owned: bit a slot: the lists of clients and pools
	const char **names; // owned: of those that share, by their place in sharing->all; or NULL
};

static bool is_servant(const char *name)
{
	for (size_t i = 0; name && i < GH_ARRAY_SIZE(servants); i++)
		if (strncmp(name, servants[i], strlen(servants[i])) == 0)
			return true;
	return false;
}

static void cut_out(struct owners *o, const struct gh_addr_vec *objects)
{
	struct gh_slot_ref ref;

	for (size_t i = 0; i < objects->len; i++)
		if (gh_heap_find(o->session->heap, objects->data[i], &ref))
			gh_bitmap_set(o->cut, ref.slot);
}

/* Who has a pool in hand does not use all that it lent out, though it keeps a list of that. */
static bool cut_lists(struct owners *o)
{
	o->cut = gh_alloc_array(gh_bitmap_words(o->session->heap->table.nslots) + 1,
				sizeof(*o->cut));
	if (o->cut)
		cut_out(o, &o->conns->lists);
	return o->cut;
}

static struct gh_error *reach_from_goroutines(struct owners *o)
{
	const struct gh_goroutine_vec *gs = &o->session->goroutines;
	const struct gh_owner_vec *owners = &o->session->owners->owners;
	struct gh_error *err = cut_lists(o) ? gh_reach_create(o->session->owners, o->cut, &o->reach)
					    : gh_error_nomem();

	for (size_t i = 0; i < gs->len && !err; i++) {
		gh_node node = gh_goroutine_node(&o->nodes, &gs->data[i]);

		if (node == GH_NODE_NONE || gs->data[i].system ||
		    is_servant(gh_function_of_start(o->session, gs->data[i].start_pc)))
			continue;
		gh_reach_owner(o->reach, node);
		for (gh_node child = owners->data[node].child; child;
		     child = owners->data[child].sibling)
			gh_reach_owner(o->reach, child);
	}
	return err ? err : gh_reach_drain(o->reach, &o->session->poll);
}

static const char *name_sharers(struct owners *o, const struct gh_shared *shared)
{
	struct gh_owner_names names = {
		.session = o->session, .arena = o->conns->arena, .is_servant = is_servant};
	bool is_all = gh_sharing_owners(o->session->sharing, shared, gh_owner_names_add, &names);

	return gh_owner_names_join(&names, is_all);
}

/* Asked for when somebody shares: most programs' own files are held by one variable each. */
static struct gh_error *owner_by_sharing(struct owners *o, gh_node node, const char **ret)
{
	struct gh_error *err = gh_session_sharing(o->session);
	const struct gh_sharing *sharing = o->session->sharing;
	const struct gh_shared *shared;
	const char **name;

	if (err)
		return err;
	if (!o->names)
		o->names = gh_alloc_array(sharing->all.len, sizeof(*o->names));
	if (!o->names)
		return gh_error_nomem();
	shared = gh_sharing_of(sharing, node);
	name = &o->names[shared - sharing->all.data];
	if (!*name)
		*name = name_sharers(o, shared);
	*ret = *name;
	return NULL;
}

/* *ret NULL: nobody knows. */
static struct gh_error *owner_of(struct owners *o, gh_node node, const char **ret)
{
	const struct gh_domtree *tree = o->session->domtree;
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	uint32_t top = gh_domtree_top(tree, node);

	if (gh_is_shared(tree, top))
		return owner_by_sharing(o, node, ret);
	gh_owner_name(o->session, tree->node[top], &sb);
	*ret = sb.len ? gh_arena_strndup(o->conns->arena, gh_strbuf_str(&sb), sb.len) : NULL;
	return NULL;
}

static struct gh_error *fill(struct owners *o)
{
	struct gh_error *err = NULL;

	for (size_t i = 0; i < o->conns->all.len && !err; i++) {
		struct gh_conn *conn = &o->conns->all.data[i];
		struct gh_slot_ref ref;

		if (i % 4096 == 0)
			err = gh_poll(&o->session->poll, "finding owners", i, o->conns->all.len);
		if (err || !gh_heap_find(o->session->heap, conn->addr, &ref))
			continue;
		if (conn->kind != GH_CONN_HTTP_IDLE && conn->kind != GH_CONN_DATABASE)
			conn->in_use = gh_reach_has(o->reach, ref.slot);
		if (gh_slot_is_node(o->session->owners, ref.slot))
			err = owner_of(o, gh_node_of_slot(o->session->owners, ref.slot),
				       &conn->owner);
	}
	return err;
}

/* Conns are sorted by address. */
static struct gh_conn *pool_at(struct gh_conns *conns, gh_addr addr)
{
	size_t lo = 0, hi = conns->all.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (conns->all.data[mid].addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == conns->all.len || conns->all.data[lo].addr != addr ||
	    conns->all.data[lo].kind != GH_CONN_DATABASE)
		return NULL;
	return &conns->all.data[lo];
}

/* What nobody reaches without the lists of pools, nobody can give back. */
static void count_lost(struct owners *o, const struct gh_reach *reach)
{
	for (size_t i = 0; i < o->conns->lent.len; i++) {
		const struct gh_key *lent = &o->conns->lent.data[i];
		struct gh_conn *pool = pool_at(o->conns, lent->value);
		struct gh_slot_ref ref;

		if (!pool || !gh_heap_find(o->session->heap, lent->key, &ref) ||
		    !gh_slot_is_node(o->session->owners, ref.slot) || gh_reach_has(reach, ref.slot))
			continue;
		pool->lost++;
		pool->lost_bytes += gh_domtree_retained(
			o->session->domtree, gh_node_of_slot(o->session->owners, ref.slot));
	}
}

static struct gh_error *find_lost(struct owners *o)
{
	const struct gh_owner_graph *graph = o->session->owners;
	struct gh_reach *reach = NULL;
	struct gh_error *err;

	cut_out(o, &o->conns->memories);
	err = gh_reach_create(graph, o->cut, &reach);
	for (gh_node owner = 1; owner < graph->owners.len && !err; owner++)
		gh_reach_owner(reach, owner);
	if (!err)
		err = gh_reach_drain(reach, &o->session->poll);
	if (!err)
		count_lost(o, reach);
	gh_reach_destroy(reach);
	return err;
}

struct gh_error *gh_conns_find_owners(struct gh_session *session, struct gh_conns *conns)
{
	struct owners o = {.session = session, .conns = conns};
	struct gh_error *err = gh_goroutine_nodes_load(session, &o.nodes);

	if (!err)
		err = reach_from_goroutines(&o);
	if (!err)
		err = fill(&o);
	if (!err && conns->lent.len)
		err = find_lost(&o);
	gh_goroutine_node_vec_deinit(&o.nodes);
	gh_reach_destroy(o.reach);
	free(o.cut);
	free(o.names);
	return err;
}
