// SPDX-License-Identifier: Apache-2.0
// Who shares an object, in words. See sharing.h.
#include "analysis/sharing.h"
#include "base/cleanup.h"
#include "base/text.h"

enum {
	MAX_WALK = 1 << 12,  // places that are looked at for the owners of one object
	MAX_HOLDS = 1 << 25, // of all objects of a command: a second
};

GH_VEC(place_vec, uint32_t);

void gh_sharing_begin(const struct gh_sharing *sharing)
{
	*sharing->left = MAX_HOLDS;
}

/* The first hold of that target. */
static size_t first_hold(const struct gh_sharing *sharing, uint32_t to)
{
	size_t lo = 0, hi = sharing->holds.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (sharing->holds.data[mid].to < to)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/*
 * Backwards along what holds what: at each step the owners first; `limit` places at most, and then no
 * more than what is left to the command. False: it was cut short, or memory ran out.
 */
static bool visit_owners(const struct gh_sharing *sharing, const struct gh_shared *shared,
			 size_t limit, gh_sharer_fn fn, void *ctx)
{
	const struct gh_owner_graph *graph = sharing->graph;
	const struct gh_domtree *tree = sharing->tree;
	struct place_vec todo = {0};
	size_t step_end = 1; // of those as far away as the one at hand
	bool ok = place_vec_push(&todo, shared->place);
	uint32_t step = 0;

	for (size_t next = 0; ok && next < todo.len; next++) {
		uint32_t to = todo.data[next];

		if (next == step_end) {
			step_end = todo.len;
			step++;
		}
		for (size_t i = first_hold(sharing, to);
		     ok && i < sharing->holds.len && sharing->holds.data[i].to == to; i++) {
			uint32_t from = sharing->holds.data[i].from;

			ok = limit == SIZE_MAX || (*sharing->left && (*sharing->left)--);
			if (!ok || gh_bitmap_test_and_set(sharing->seen, from))
				continue;
			ok = todo.len < limit && place_vec_push(&todo, from);
			if (ok && gh_node_is_owner(graph, tree->node[from]))
				ok = fn(ctx, tree->node[from], step);
			else if (!ok)
				gh_bitmap_clear(sharing->seen, from);
		}
	}
	for (size_t i = 0; i < todo.len; i++)
		gh_bitmap_clear(sharing->seen, todo.data[i]);
	place_vec_deinit(&todo);
	return ok;
}

/* Owners of one shared object, the nearest first. */
struct nearest {
	const struct gh_owner_graph *graph;
	gh_node owners[GH_SHARERS_KEPT];
	uint32_t n, before; // kept; of these: nearer than those that are found now
	uint32_t step;
	uint64_t total;
};

static bool keep_nearest(void *ctx, gh_node owner, uint32_t step)
{
	struct nearest *near = ctx;
	uint32_t at;

	if (step != near->step)
		near->before = near->n;
	near->step = step;
	near->total++;
	at = near->before;
	while (at < near->n && gh_owner_rank(near->graph, near->owners[at]) <
				       gh_owner_rank(near->graph, owner))
		at++;
	if (at == GH_SHARERS_KEPT)
		return true;
	near->n = near->n < GH_SHARERS_KEPT ? near->n + 1 : GH_SHARERS_KEPT;
	for (uint32_t i = near->n - 1; i > at; i--)
		near->owners[i] = near->owners[i - 1];
	near->owners[at] = owner;
	return true;
}

/* Where there are few, all are kept, however far away: a list may be longer than what is walked. */
bool gh_sharing_owners(const struct gh_sharing *sharing, const struct gh_shared *shared,
		       gh_sharer_fn fn, void *ctx)
{
	bool is_all = !shared->more || visit_owners(sharing, shared, MAX_WALK, fn, ctx);
	bool goes_on = true;

	for (uint32_t i = 0; i < shared->nowners && (!shared->more || !is_all) && goes_on; i++)
		goes_on = fn(ctx, shared->owners[i], 0);
	return is_all && goes_on;
}

/* Does one of the first n owners print like this one? */
static bool was_named(const struct gh_owner_graph *graph, const gh_node *owners, uint32_t n,
		      const struct gh_strbuf *name)
{
	for (uint32_t i = 0; i < n; i++) {
		_cleanup_strbuf_ struct gh_strbuf other = {0};

		gh_owner_describe(graph, owners[i], &other);
		if (other.len == name->len && !memcmp(other.data, name->data, name->len))
			return true;
	}
	return false;
}

static void describe_owners(const struct gh_owner_graph *graph, const gh_node *owners, uint32_t n,
			    bool more, uint64_t total, struct gh_strbuf *sb)
{
	uint32_t named = 0;
	size_t last = 0; // where the last name begins

	for (uint32_t i = 0; i < n; i++) {
		_cleanup_strbuf_ struct gh_strbuf name = {0};

		gh_owner_describe(graph, owners[i], &name);
		if (!name.len || was_named(graph, owners, i, &name))
			continue;
		gh_strbuf_puts(sb, named++ ? ", " : "");
		last = sb->len;
		gh_strbuf_puts(sb, gh_strbuf_str(&name));
	}
	if (more && total > n) {
		gh_strbuf_printf(sb, " and %llu other%s", (unsigned long long)total - n,
				 gh_plural(total - n));
	} else if (more) {
		gh_strbuf_puts(sb, " and others");
	} else if (named == 1 && n > 1) {
		gh_strbuf_printf(sb, " (%u of that name)", n);
	} else if (named > 1) {
		_cleanup_strbuf_ struct gh_strbuf tail = {0};

		gh_strbuf_puts(&tail, gh_strbuf_str(sb) + last);
		sb->len = last - 2;
		gh_strbuf_puts(sb, " and ");
		gh_strbuf_puts(sb, gh_strbuf_str(&tail));
	}
}

void gh_sharing_describe(const struct gh_sharing *sharing, const struct gh_shared *s,
			 bool nearest, struct gh_strbuf *sb)
{
	struct nearest near = {.graph = sharing->graph};
	bool counted = nearest && visit_owners(sharing, s, SIZE_MAX, keep_nearest, &near);

	describe_owners(sharing->graph, counted ? near.owners : s->owners,
			counted ? near.n : s->nowners, counted ? near.total > near.n : s->more,
			counted ? near.total : 0, sb);
}
