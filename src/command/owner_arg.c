// SPDX-License-Identifier: Apache-2.0
// See owner_arg.h.
#include "command/owner_arg.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "command/command.h"

bool gh_owner_is_named(const struct gh_owner_graph *graph, gh_node owner, const char *name)
{
	const struct gh_owner *o = &graph->owners.data[owner];
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	if (o->name && !strcmp(o->name, name))
		return true;
	gh_owner_describe(graph, owner, &sb);
	return sb.len && !strcmp(gh_strbuf_str(&sb), name);
}

static struct gh_error *find_object(struct gh_session *s, gh_addr addr, struct gh_arena *arena,
				    gh_node *node_ret, struct gh_slot *slot_ret)
{
	struct gh_slot slot;
	gh_node owner;

	if (!gh_slot_at(s, addr, arena, &slot) || slot.state != GH_SLOT_IS_LIVE)
		return gh_error_create(GH_ERR_MISSING,
				       "no live object is at 0x%llx: `goheap obj` says what is",
				       (unsigned long long)addr);
	owner = gh_owner_of_slot(s->owners, slot.ref.slot);
	if (owner != GH_NODE_NONE)
		*node_ret = owner;
	else if (gh_slot_is_node(s->owners, slot.ref.slot))
		*node_ret = gh_node_of_slot(s->owners, slot.ref.slot);
	else
		*node_ret = GH_NODE_NONE;
	*slot_ret = slot;
	return NULL;
}

/* The first of that kind and number, or name. */
static struct gh_error *find_owner(const struct gh_session *s, const char *word, gh_node *node_ret)
{
	const struct gh_owner_vec *owners = &s->owners->owners;
	char *end;
	uint64_t goid = strtoull(word, &end, 10);
	bool is_goid = *word >= '0' && *word <= '9' && !*end;

	for (gh_node i = 1; i < owners->len; i++) {
		const struct gh_owner *o = &owners->data[i];

		if (is_goid ? o->kind == GH_ROOT_GOROUTINE && o->goid == goid
			    : gh_owner_is_named(s->owners, i, word)) {
			*node_ret = i;
			return NULL;
		}
	}
	return gh_error_create(GH_ERR_MISSING,
			       is_goid ? "there is no goroutine %s: `goheap goroutines` lists them"
				       : "no owner is called '%s': `goheap retained -n 0` lists them",
			       word);
}

struct gh_error *gh_owner_arg(struct gh_session *session, const char *word, struct gh_arena *arena,
			      gh_node *node_ret, struct gh_slot *slot_ret)
{
	gh_addr addr;

	if (gh_parse_address(word, &addr))
		return find_object(session, addr, arena, node_ret, slot_ret);
	return find_owner(session, word, node_ret);
}
