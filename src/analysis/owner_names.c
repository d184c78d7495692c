// SPDX-License-Identifier: Apache-2.0
// See owner_names.h.
#include "analysis/owner_names.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "goruntime/traceback.h"

const char *gh_function_of_start(const struct gh_session *session, gh_addr start_pc)
{
	struct gh_func func;

	return gh_func_find(session->rt, start_pc, &func) ? gh_func_name(session->rt, &func) : NULL;
}

static gh_addr start_of(const struct gh_session *session, const struct gh_owner *owner)
{
	return gh_field_or_zero(session->rt, owner->addr, GH_F_g_startpc);
}

void gh_owner_name(const struct gh_session *session, gh_node node, struct gh_strbuf *sb)
{
	const struct gh_owner *owner = &session->owners->owners.data[node];
	const char *name, *wrapper;

	if (owner->kind == GH_ROOT_DEFER) {
		gh_strbuf_puts(sb, "defers of ");
		gh_function_print(sb, owner->name ? owner->name : "unknown functions");
		return;
	}
	if (owner->kind != GH_ROOT_GOROUTINE || owner->goid == 1) {
		gh_owner_describe(session->owners, node, sb);
		return;
	}
	name = gh_function_of_start(session, start_of(session, owner));
	wrapper = name ? strstr(name, ".gowrap") : NULL; // of a go statement with arguments
	if (wrapper)
		gh_strbuf_printf(sb, "goroutines started in %.*s", (int)(wrapper - name), name);
	else
		gh_strbuf_printf(sb, "goroutines of %s", name ? name : "unknown functions");
}

static int rank(const struct gh_owner_names *names, gh_node node)
{
	const struct gh_owner *owner = &names->session->owners->owners.data[node];
	bool is_servant;

	if (owner->kind == GH_ROOT_GLOBAL)
		return owner->name && gh_is_standard(names->session->rt, owner->name) ? 2 : 0;
	if (owner->kind != GH_ROOT_GOROUTINE)
		return 4;
	is_servant = names->is_servant &&
		     names->is_servant(gh_function_of_start(names->session,
							    start_of(names->session, owner)));
	return is_servant ? 3 : 1;
}

bool gh_owner_names_add(void *ctx, gh_node node, uint32_t step)
{
	struct gh_owner_names *names = ctx;
	const struct gh_owner *owner = &names->session->owners->owners.data[node];
	gh_addr key = owner->addr;

	(void)step;
	if (owner->kind == GH_ROOT_GOROUTINE && owner->goid != 1)
		key = start_of(names->session, owner);
	for (size_t i = 0; i < names->n; i++)
		if (names->all[i].key == key && key)
			return true;
	if (names->n == GH_OWNER_NAMES_MAX)
		return false;
	names->all[names->n++] = (struct gh_owner_name){.key = key, .node = node};
	return true;
}

static int by_rank(const void *a, const void *b)
{
	const struct gh_owner_name *x = a, *y = b;

	return x->rank != y->rank ? x->rank - y->rank : strcmp(x->name, y->name);
}

/* False: out of memory. */
static bool describe_all(struct gh_owner_names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		struct gh_owner_name *one = &names->all[i];
		_cleanup_strbuf_ struct gh_strbuf sb = {0};

		gh_owner_name(names->session, one->node, &sb);
		one->rank = rank(names, one->node);
		one->name = gh_arena_strndup(names->arena, gh_strbuf_str(&sb), sb.len);
		if (!one->name)
			return false;
	}
	return true;
}

const char *gh_owner_names_join(struct gh_owner_names *names, bool is_all)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	struct gh_owner_name *all = names->all;
	size_t n = 0;

	if (!names->n || !describe_all(names))
		return NULL;
	qsort(all, names->n, sizeof(*all), by_rank);
	for (size_t i = 0; i < names->n; i++)
		if (!i || strcmp(all[i].name, all[i - 1].name) != 0)
			all[n++] = all[i];
	for (size_t i = 0; i < n && i < GH_OWNER_NAMES_TOLD; i++) {
		if (i)
			gh_strbuf_puts(&sb, i + 1 == n && is_all ? " and " : ", ");
		gh_strbuf_puts(&sb, all[i].name);
	}
	if (!is_all)
		gh_strbuf_puts(&sb, " and others");
	else if (n > GH_OWNER_NAMES_TOLD)
		gh_strbuf_printf(&sb, " and %zu other%s", n - GH_OWNER_NAMES_TOLD,
				 n == GH_OWNER_NAMES_TOLD + 1 ? "" : "s");
	return gh_arena_strndup(names->arena, gh_strbuf_str(&sb), sb.len);
}
