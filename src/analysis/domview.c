// SPDX-License-Identifier: Apache-2.0
// One pass over the dominators for the children, one over the node's own words for its leaves and
// for where children hang. See domview.h.
#include "analysis/domview.h"

#include <stdlib.h>

#include "base/budget.h"
#include "graph/words.h"

struct build {
	struct gh_session *s;
	struct gh_domview *view;
	gh_node parent;
	struct gh_dom_child_vec all; // single ones
	bool nomem;
};

static int by_retained(const void *a, const void *b)
{
	const struct gh_dom_child *x = a, *y = b;

	if (x->retained != y->retained)
		return x->retained < y->retained ? 1 : -1;
	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->node < y->node ? -1 : x->node > y->node;
}

static int by_type(const void *a, const void *b)
{
	const struct gh_dom_child *x = a, *y = b;

	return strcmp(x->type ? x->type : "", y->type ? y->type : "");
}

static int by_addr(const void *a, const void *b)
{
	const struct gh_dom_child *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* Children of a node that has places: those whose dominator it is. */
static void add_nodes(struct build *b)
{
	const struct gh_domtree *tree = b->s->domtree;
	uint32_t place = tree->place[b->parent];

	for (uint32_t i = place + 1; i < tree->n; i++) {
		struct gh_dom_child child = {.node = tree->node[i]};

		if (tree->idom[i] != place)
			continue;
		child.retained = tree->retained[i];
		child.objects = tree->count[i];
		if (!gh_node_is_owner(b->s->owners, child.node))
			child.addr = gh_heap_slot_base(b->s->heap,
						       gh_node_slot(b->s->owners, child.node));
		b->nomem |= !gh_dom_child_vec_push(&b->all, child);
	}
}

static void add_leaf(void *ctx, gh_addr at, uint64_t value)
{
	struct build *b = ctx;
	struct gh_word_slot t = gh_word_slot(b->s->mark, value);

	(void)at;
	if (t.slot != GH_SLOT_NONE && gh_slot_is_leaf(b->s->owners, t.slot))
		b->nomem |= !gh_dom_child_vec_push(
			&b->all, (struct gh_dom_child){
					 .node = GH_NODE_NONE,
					 .addr = t.base,
					 .retained = gh_slot_bytes(b->s->mark, t.base, t.page),
					 .objects = 1,
				 });
}

static void each_word(struct build *b, gh_raw_fn fn)
{
	const struct gh_owner_graph *graph = b->s->owners;

	if (gh_node_is_owner(graph, b->parent)) {
		const struct gh_owner *o = &graph->owners.data[b->parent];

		for (uint64_t i = 0; i < o->nwords; i++)
			fn(b, graph->words[o->first_word + i].at,
			   graph->words[o->first_word + i].value);
	} else {
		gh_addr base = gh_heap_slot_base(b->s->heap, gh_node_slot(graph, b->parent));

		gh_object_words(b->s->mark, base, gh_page_at(b->s->mark, base), fn, b);
	}
}

/* Where a child that is shown hangs. */
static void note_word(void *ctx, gh_addr at, uint64_t value)
{
	struct build *b = ctx;
	struct gh_word_slot t = gh_word_slot(b->s->mark, value);
	struct gh_dom_child key = {.addr = t.base}, *found;

	if (t.slot == GH_SLOT_NONE)
		return;
	found = bsearch(&key, b->view->children.data, b->view->children.len, sizeof(key), by_addr);
	if (found && !found->at)
		found->at = at;
}

static void note_words(struct build *b)
{
	struct gh_dom_child_vec *children = &b->view->children;

	if (!children->len)
		return;
	qsort(children->data, children->len, sizeof(*children->data), by_addr);
	each_word(b, note_word);
	qsort(children->data, children->len, sizeof(*children->data), by_retained);
}

static void describe(struct build *b, struct gh_dom_child *child)
{
	struct gh_slot slot;

	if (!child->addr) {
		const struct gh_owner *o = &b->s->owners->owners.data[child->node];

		child->type = gh_root_kind_name(o->kind);
		child->bytes = o->own_bytes;
		return;
	}
	if (!gh_slot_at(b->s, child->addr, &b->view->arena, &slot))
		return;
	child->type = slot.name;
	child->bytes = slot.ref.elem_bytes;
}

/* From `first` on: one row a type, or kind of owner. */
static void fold(struct build *b, size_t first)
{
	struct gh_dom_child_vec *to = &b->view->children;
	struct gh_dom_child *all = b->all.data;
	size_t start = to->len;

	for (size_t i = first; i < b->all.len; i++)
		describe(b, &all[i]);
	if (b->all.len > first)
		qsort(all + first, b->all.len - first, sizeof(*all), by_type);
	for (size_t i = first; i < b->all.len; i++) {
		struct gh_dom_child *last = to->len > start ? &to->data[to->len - 1] : NULL;

		if (last && !by_type(last, &all[i])) {
			last->bytes += all[i].bytes;
			last->retained += all[i].retained;
			last->objects += all[i].objects;
			last->folded++;
		} else {
			struct gh_dom_child row = all[i];

			row.addr = 0;
			row.node = GH_NODE_NONE;
			row.folded = 1;
			b->nomem |= !gh_dom_child_vec_push(to, row);
		}
	}
}

static struct gh_error *arrange(struct build *b, uint64_t min_bytes, size_t max_single)
{
	size_t single = 0;

	b->view->nchildren = b->all.len;
	if (b->all.len)
		qsort(b->all.data, b->all.len, sizeof(*b->all.data), by_retained);
	while (single < b->all.len && single < max_single &&
	       b->all.data[single].retained >= min_bytes)
		single++;
	if (single + 1 == b->all.len)
		single++; // folding one says less in as many lines
	for (size_t i = 0; i < single; i++) {
		describe(b, &b->all.data[i]);
		b->nomem |= !gh_dom_child_vec_push(&b->view->children, b->all.data[i]);
	}
	note_words(b);
	fold(b, single);
	if (b->view->children.len)
		qsort(b->view->children.data, b->view->children.len,
		      sizeof(*b->view->children.data), by_retained);
	return b->nomem ? gh_error_nomem() : NULL;
}

struct gh_error *gh_domview_create(struct gh_session *s, gh_node node, uint64_t min_bytes,
				   size_t max_single, struct gh_domview *ret)
{
	struct build b = {.s = s, .view = ret, .parent = node};
	struct gh_error *err = gh_session_dominators(s);

	*ret = (struct gh_domview){0};
	if (err)
		return err;
	add_nodes(&b);
	if (node != GH_NODE_ROOT)
		each_word(&b, add_leaf);
	err = b.nomem ? gh_error_nomem() : arrange(&b, min_bytes, max_single);
	gh_dom_child_vec_deinit(&b.all);
	if (err)
		gh_domview_deinit(ret);
	return err;
}

void gh_domview_deinit(struct gh_domview *view)
{
	gh_dom_child_vec_deinit(&view->children);
	gh_arena_deinit(&view->arena);
	*view = (struct gh_domview){0};
}
