// SPDX-License-Identifier: Apache-2.0
// Who owns a connection, and whether a goroutine of the program can still get at it. See conns.h.
//
// The owner is the one without whom it would go: its dominator among owners. Where several share it
// one of those is named, a variable of the program's own first. In use is what the program's
// goroutines reach from their stacks; goroutines that only serve connections (of HTTP clients, of
// pools) do not count, or every connection that they keep would be in use.
#include "analysis/conns.h"
#include "analysis/goroutine_nodes.h"
#include "analysis/retained.h"
#include "base/cleanup.h"
#include "goruntime/traceback.h"
#include "graph/reach.h"

/* By where they start. */
static const char *const servants[] = {
	"net/http.(*persistConn).",
	"net/http.(*Transport).",
	"net/http.(*http2ClientConn).",
	"net/http.(*http2clientStream).",
	"net/http/internal/http2.(*ClientConn).",
	"net/http/internal/http2.(*clientStream).",
	"database/sql.(*DB).",
};

struct owners {
	struct gh_session *session;
	struct gh_conns *conns;
	struct gh_goroutine_node_vec nodes;
	struct gh_reach *reach;
	struct gh_sharing sharing;
};

static bool is_servant(const struct owners *o, const struct gh_goroutine *g)
{
	struct gh_func func;
	const char *name = NULL;

	if (gh_func_find(o->session->rt, g->start_pc, &func))
		name = gh_func_name(o->session->rt, &func);
	for (size_t i = 0; name && i < GH_ARRAY_SIZE(servants); i++)
		if (strncmp(name, servants[i], strlen(servants[i])) == 0)
			return true;
	return false;
}

static struct gh_error *reach_from_goroutines(struct owners *o)
{
	const struct gh_goroutine_vec *gs = &o->session->goroutines;
	const struct gh_owner_vec *owners = &o->session->owners->owners;
	struct gh_error *err = gh_reach_create(o->session->owners, NULL, &o->reach);

	for (size_t i = 0; i < gs->len && !err; i++) {
		gh_node node = gh_goroutine_node(&o->nodes, &gs->data[i]);

		if (node == GH_NODE_NONE || gs->data[i].system || is_servant(o, &gs->data[i]))
			continue;
		gh_reach_owner(o->reach, node);
		for (gh_node child = owners->data[node].child; child;
		     child = owners->data[child].sibling)
			gh_reach_owner(o->reach, child);
	}
	return err ? err : gh_reach_drain(o->reach, &o->session->poll);
}

static struct gh_error *index_shared(struct owners *o)
{
	struct gh_error *err = gh_sharing_create(o->session, &o->sharing);

	return err ? err : gh_sharing_index(&o->sharing);
}

/* Goroutines that start in the same function are one owner to people. */
static void describe(const struct owners *o, gh_node node, struct gh_strbuf *sb)
{
	const struct gh_owner *owner = &o->session->owners->owners.data[node];
	const char *name = NULL, *wrapper;
	struct gh_func func;
	gh_addr pc;

	if (owner->kind != GH_ROOT_GOROUTINE || owner->goid == 1) {
		gh_owner_describe(o->session->owners, node, sb);
		return;
	}
	pc = gh_field_or_zero(o->session->rt, owner->addr, GH_F_g_startpc);
	if (gh_func_find(o->session->rt, pc, &func))
		name = gh_func_name(o->session->rt, &func);
	wrapper = name ? strstr(name, ".gowrap") : NULL; // of a go statement with arguments
	if (wrapper)
		gh_strbuf_printf(sb, "goroutines started in %.*s", (int)(wrapper - name), name);
	else
		gh_strbuf_printf(sb, "goroutines of %s", name ? name : "unknown functions");
}

/* Of those that share something the one that people know best: a variable of the program's own. */
static gh_node best_of(const struct owners *o, const struct gh_shared *shared)
{
	for (uint32_t i = 0; i < shared->nowners; i++) {
		const struct gh_owner *owner =
			&o->session->owners->owners.data[shared->owners[i]];

		if (owner->kind == GH_ROOT_GLOBAL && owner->name &&
		    !gh_is_standard(o->session->rt, owner->name))
			return shared->owners[i];
	}
	for (uint32_t i = 0; i < shared->nowners; i++)
		if (o->session->owners->owners.data[shared->owners[i]].kind == GH_ROOT_GOROUTINE)
			return shared->owners[i];
	return shared->owners[0];
}

static void name_owner(const struct owners *o, gh_node node, struct gh_strbuf *sb)
{
	const struct gh_domtree *tree = o->session->domtree;
	const struct gh_shared *shared = gh_sharing_of(&o->sharing, node);

	if (!shared) {
		while (tree->idom[tree->place[node]])
			node = gh_domtree_idom(tree, node);
		describe(o, node, sb);
		return;
	}
	if (!shared->nowners)
		return;
	describe(o, best_of(o, shared), sb);
	gh_strbuf_puts(sb, " and others");
}

static struct gh_error *fill(struct owners *o)
{
	struct gh_error *err = NULL;

	for (size_t i = 0; i < o->conns->all.len && !err; i++) {
		struct gh_conn *conn = &o->conns->all.data[i];
		_cleanup_strbuf_ struct gh_strbuf sb = {0};
		struct gh_slot_ref ref;

		if (i % 4096 == 0)
			err = gh_poll(&o->session->poll, "finding owners", i, o->conns->all.len);
		if (err || !gh_heap_find(o->session->heap, conn->addr, &ref))
			continue;
		if (conn->kind != GH_CONN_HTTP_IDLE && conn->kind != GH_CONN_DATABASE)
			conn->in_use = gh_reach_has(o->reach, ref.slot);
		if (gh_slot_is_node(o->session->owners, ref.slot))
			name_owner(o, gh_node_of_slot(o->session->owners, ref.slot), &sb);
		if (sb.len)
			conn->owner = gh_arena_strndup(o->conns->arena, gh_strbuf_str(&sb),
						       sb.len);
	}
	return err;
}

struct gh_error *gh_conns_find_owners(struct gh_session *session, struct gh_conns *conns)
{
	struct owners o = {.session = session, .conns = conns};
	struct gh_error *err = gh_goroutine_nodes_load(session, &o.nodes);

	if (!err)
		err = reach_from_goroutines(&o);
	if (!err)
		err = index_shared(&o);
	if (!err)
		err = fill(&o);
	gh_goroutine_node_vec_deinit(&o.nodes);
	gh_reach_destroy(o.reach);
	gh_sharing_deinit(&o.sharing);
	return err;
}
