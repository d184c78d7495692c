// SPDX-License-Identifier: Apache-2.0
// Owners from the roots, with the words that they hold. What describes them is found in
// bookkeeping.c, nodes are numbered in nodes.c. See owners.h.
#include "graph/owners.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "graph/owner_build.h"

/* Timers and defers are many of few names: one copy each, as long as it is remembered. */
static const char *copy_name(struct owner_build *b, const char *name)
{
	size_t len = strlen(name);
	uint64_t hash = gh_hash_bytes(GH_HASH_START, name, len);
	const char **known = &b->names[hash % GH_ARRAY_SIZE(b->names)];

	if (!*known || strcmp(*known, name) != 0)
		*known = gh_arena_strndup(&b->graph->arena, name, len);
	return *known;
}

gh_node gh_owner_add(struct owner_build *b, struct gh_owner owner)
{
	struct gh_owner_graph *graph = b->graph;

	if (owner.name) {
		owner.name = copy_name(b, owner.name);
		b->nomem |= !owner.name;
	}
	if (graph->owners.len >= INT32_MAX || !gh_owner_vec_push(&graph->owners, owner)) {
		b->nomem = true;
		return GH_NODE_ROOT;
	}
	return (gh_node)(graph->owners.len - 1);
}

/* There are a handful, the last ones first. */
gh_node gh_owner_runtime(struct owner_build *b, const char *name)
{
	const struct gh_owner_vec *owners = &b->graph->owners;

	for (size_t i = owners->len; i-- > 1;) {
		const struct gh_owner *o = &owners->data[i];

		if (o->kind == GH_ROOT_RUNTIME && !strcmp(o->name, name))
			return (gh_node)i;
	}
	return gh_owner_add(b, (struct gh_owner){.kind = GH_ROOT_RUNTIME, .name = name});
}

void gh_owner_hold(struct owner_build *b, gh_node owner, gh_addr at, uint64_t value)
{
	const struct owner_run *last = b->runs.len ? &b->runs.data[b->runs.len - 1] : NULL;

	if (value - b->m->lo >= b->m->span_bytes)
		return;
	if (b->found.len >= UINT32_MAX) // more than an owner can count
		b->nomem = true;
	if (!last || last->owner != owner)
		b->nomem |= !owner_run_vec_push(
			&b->runs, (struct owner_run){owner, (uint32_t)b->found.len});
	b->nomem |= !owner_word_vec_push(&b->found, (struct gh_owner_word){at, value});
}

static void describe_slot(struct owner_build *b, gh_node owner, gh_addr addr, bool is_list)
{
	struct gh_word_slot t = gh_word_slot(b->m, addr);
	struct gh_owner *o = &b->graph->owners.data[owner];

	if (t.slot == GH_SLOT_NONE || !gh_state_is_live(gh_state_at(&b->m->states, t.slot)) ||
	    gh_bitmap_test_and_set(b->own, t.slot))
		return;
	b->nomem |= !gh_key_vec_push(
		&b->graph->own, (struct gh_key){t.slot, owner | (is_list ? GH_OWN_IS_LIST : 0)});
	o->own_objects++;
	o->own_bytes += gh_slot_bytes(b->m, t.base, t.page);
}

void gh_owner_describe_slot(struct owner_build *b, gh_node owner, gh_addr addr)
{
	describe_slot(b, owner, addr, false);
}

void gh_owner_describe_list(struct owner_build *b, gh_node owner, gh_addr addr)
{
	describe_slot(b, owner, addr, true);
}

const char *gh_owner_function(const struct owner_build *b, gh_addr pc)
{
	struct gh_func func;

	return pc && gh_func_find(b->in->heap->rt, pc, &func)
		       ? gh_func_name(b->in->heap->rt, &func)
		       : NULL;
}

static int by_g(const void *a, const void *b)
{
	const struct g_owner *x = a, *y = b;

	return x->g < y->g ? -1 : x->g > y->g;
}

gh_node gh_owner_of_g(const struct owner_build *b, gh_addr g)
{
	struct g_owner key = {.g = g}, *found;

	found = bsearch(&key, b->by_g, b->in->goroutines->len, sizeof(key), by_g);
	return found ? found->owner : GH_NODE_ROOT;
}

static void add_goroutines(struct owner_build *b)
{
	const struct gh_goroutine_vec *all = b->in->goroutines;

	b->by_g = gh_alloc_array(all->len, sizeof(*b->by_g));
	if (!b->by_g) {
		b->nomem = true;
		return;
	}
	for (size_t i = 0; i < all->len; i++) {
		const struct gh_goroutine *g = &all->data[i];

		b->by_g[i].g = g->addr;
		if (!gh_goroutine_is_dead(g))
			b->by_g[i].owner = gh_owner_add(
				b, (struct gh_owner){.kind = GH_ROOT_GOROUTINE,
						     .goid = g->goid,
						     .addr = g->addr});
	}
	qsort(b->by_g, all->len, sizeof(*b->by_g), by_g);
}

bool gh_is_runtime_variable(const char *name)
{
	static const char *const packages[] = {"runtime.", "internal/runtime/",
					       "runtime/internal/"};

	for (size_t i = 0; i < GH_ARRAY_SIZE(packages); i++)
		if (!strncmp(name, packages[i], strlen(packages[i])))
			return true;
	return false;
}

static bool is_owner(const struct owner_build *b, gh_node node, enum gh_root_kind kind,
		     const char *name)
{
	const struct gh_owner *o = &b->graph->owners.data[node];

	return o->kind == kind && o->name && !strcmp(o->name, name);
}

/*
 * The owner of a root that is no goroutine. Words of one variable, and of one queue, come one after
 * the other; special records in any order, and only kinds that have few owners.
 */
static gh_node owner_named(struct owner_build *b, enum gh_root_kind kind, const char *name,
			   gh_addr at, bool may_come_again)
{
	gh_node *recent = &b->recent[kind];

	if (is_owner(b, *recent, kind, name))
		return *recent;
	for (gh_node i = 1; may_come_again && i < b->graph->owners.len; i++)
		if (is_owner(b, i, kind, name))
			return *recent = i;
	*recent = gh_owner_add(b, (struct gh_owner){.kind = kind, .name = name, .addr = at});
	return *recent;
}

static gh_node owner_of(struct owner_build *b, const struct gh_root_owner *root, gh_addr at)
{
	enum gh_root_kind kind = root->kind;

	if (kind == GH_ROOT_GOROUTINE) {
		gh_node goroutine = gh_owner_of_g(b, root->g->addr);

		return at ? gh_owner_of_word(b, goroutine, at) : goroutine;
	}
	if (kind == GH_ROOT_GLOBAL && gh_is_runtime_variable(root->name))
		kind = GH_ROOT_RUNTIME;
	return owner_named(b, kind, root->name, at, root->kind != GH_ROOT_GLOBAL);
}

static void enter_goroutine(void *ctx, const struct gh_root_owner *owner,
			    const struct gh_stack_scan *scan)
{
	struct owner_build *b = ctx;
	gh_node goroutine = gh_owner_of_g(b, owner->g->addr);

	gh_owner_find_defers(b, goroutine, owner->g, scan);
	gh_owner_find_waits(b, goroutine, owner->g, scan);
}

static void hold_word(void *ctx, const struct gh_root_owner *owner, const struct gh_root *root)
{
	struct owner_build *b = ctx;

	if (root->value - b->m->lo < b->m->span_bytes)
		gh_owner_hold(b, owner_of(b, owner, root->at), root->at, root->value);
}

static void hold_conservative(void *ctx, const struct gh_root_owner *owner, uint64_t value)
{
	struct owner_build *b = ctx;
	struct gh_word_slot t = gh_word_slot(b->m, value);

	if (t.slot != GH_SLOT_NONE && gh_state_is_live(gh_state_at(&b->m->states, t.slot)))
		gh_owner_hold(b, owner_of(b, owner, 0), 0, value);
}

/* What an object is held by while it is followed. */
struct holding {
	struct owner_build *b;
	gh_node owner;
	gh_addr base;
	uint64_t bytes;
};

static void hold_raw(void *ctx, gh_addr at, uint64_t value)
{
	const struct holding *h = ctx;

	if (value - h->base >= h->bytes)
		gh_owner_hold(h->b, h->owner, at, value);
}

static void hold_words_of(struct owner_build *b, gh_node owner, const struct gh_word_slot *t)
{
	struct holding h = {.b = b,
			    .owner = owner,
			    .base = t->base,
			    .bytes = gh_slot_bytes(b->m, t->base, t->page)};

	gh_object_words(b->m, t->base, t->page, hold_raw, &h);
}

/*
 * The collector follows the words of an object with a finalizer as if they were roots. While the
 * object itself is live that says nothing: who holds it holds them. Unless it lives by these words
 * alone: see GH_NODE_FINALIZERS.
 */
static void hold_contents(void *ctx, const struct gh_root_owner *owner, gh_addr object,
			  struct gh_edge edge)
{
	struct owner_build *b = ctx;
	struct gh_word_slot t = gh_word_slot(b->m, object);

	(void)edge;
	if (t.slot == GH_SLOT_NONE)
		return;
	if (!gh_state_is_live(gh_state_at(&b->m->states, t.slot)))
		hold_words_of(b, owner_of(b, owner, 0), &t);
	else
		b->nomem |= !gh_addr_vec_push(&b->graph->finalized, t.base);
}

/* What describes an owner is held by nobody, and what it points to is the owner's. */
static void hold_own(struct owner_build *b)
{
	for (size_t i = 0; i < b->graph->own.len; i++) {
		const struct gh_key *own = &b->graph->own.data[i];
		gh_addr base = gh_heap_slot_base(b->in->heap, own->key);
		struct gh_word_slot t = gh_word_slot(b->m, base);

		if (t.slot == own->key && !(own->value & GH_OWN_IS_LIST))
			hold_words_of(b, (gh_node)own->value, &t);
	}
}

/* Does the word lead to something live that does not describe an owner? */
static bool is_hold(const struct owner_build *b, const struct gh_owner_word *word)
{
	struct gh_word_slot t = gh_word_slot(b->m, word->value);

	return t.slot != GH_SLOT_NONE && !gh_bitmap_test(b->own, t.slot) &&
	       gh_state_is_live(gh_state_at(&b->m->states, t.slot));
}

/* Words and runs that are left move together, and owners count theirs. */
static void drop_words(struct owner_build *b)
{
	struct gh_owner *owners = b->graph->owners.data;
	uint32_t n = 0;

	for (size_t r = 0; r < b->runs.len; r++) {
		struct owner_run *run = &b->runs.data[r];
		size_t i = run->first;
		size_t end = r + 1 < b->runs.len ? b->runs.data[r + 1].first : b->found.len;

		run->first = n;
		for (; i < end; i++)
			if (is_hold(b, &b->found.data[i]))
				b->found.data[n++] = b->found.data[i];
		owners[run->owner].nwords += n - run->first;
	}
	b->found.len = n;
}

/* Drop words that hold nothing; the rest by owner. */
static struct gh_error *sort_words(struct owner_build *b)
{
	struct gh_owner_graph *graph = b->graph;
	struct gh_owner *owners = graph->owners.data;
	uint64_t next = 0;
	struct gh_error *err;

	drop_words(b);
	graph->nwords = graph->words_cap = b->found.len;
	err = gh_budget_charge(gh_runtime_budget(b->in->heap->rt),
			       graph->nwords * sizeof(*graph->words), "what owners hold");
	if (err)
		return err;
	graph->charged_bytes += graph->nwords * sizeof(*graph->words);
	graph->words = gh_alloc_array(graph->nwords, sizeof(*graph->words));
	if (!graph->words)
		return gh_error_nomem();
	for (size_t i = 0; i < graph->owners.len; i++) {
		owners[i].first_word = next;
		next += owners[i].nwords;
		owners[i].nwords = 0;
	}
	for (size_t r = 0; r < b->runs.len; r++) {
		struct gh_owner *o = &owners[b->runs.data[r].owner];
		size_t end = r + 1 < b->runs.len ? b->runs.data[r + 1].first : b->found.len;

		for (size_t i = b->runs.data[r].first; i < end; i++)
			graph->words[o->first_word + o->nwords++] = b->found.data[i];
	}
	return NULL;
}

/* Owners that lie in one another. */
static void link_children(struct gh_owner_graph *graph)
{
	for (size_t i = graph->owners.len; i-- > 1;) {
		struct gh_owner *o = &graph->owners.data[i];
		struct gh_owner *parent = &graph->owners.data[o->parent];

		o->sibling = parent->child;
		parent->child = (gh_node)i;
	}
}

static struct gh_error *find_owners(struct owner_build *b, const struct gh_poll *poll)
{
	struct gh_root_sink sink = {.ctx = b,
				    .names = true,
				    .raw = true,
				    .scanned = enter_goroutine,
				    .word = hold_word,
				    .conservative = hold_conservative,
				    .contents = hold_contents};
	const struct gh_owner_input *in = b->in;
	struct gh_error *err;

	gh_owner_add(b, (struct gh_owner){.kind = GH_ROOT_RUNTIME, .name = "everything"});
	gh_owner_add(b, (struct gh_owner){.kind = GH_ROOT_RUNTIME, .name = "nobody that is known"});
	gh_owner_add(b, (struct gh_owner){.kind = GH_ROOT_FINALIZER, .name = "finalizers"});
	add_goroutines(b);
	if (b->nomem)
		return gh_error_nomem();
	err = gh_owner_find_timers(b, poll);
	if (!err)
		err = gh_owner_load_semaphores(b);
	if (!err)
		err = gh_roots_visit(in->heap, in->types, in->statics, in->goroutines, poll, &sink,
				     NULL);
	if (!err)
		err = gh_owner_find_bookkeeping(b);
	if (err)
		return err;
	hold_own(b);
	if (b->nomem)
		return gh_error_nomem();
	if (!gh_sort_keys(b->graph->own.data, b->graph->own.len))
		return gh_error_nomem();
	link_children(b->graph);
	return sort_words(b);
}

struct gh_error *gh_owner_graph_create(const struct gh_owner_input *in, const struct gh_poll *poll,
				       struct gh_owner_graph **ret)
{
	struct gh_owner_graph *graph = calloc(1, sizeof(*graph));
	struct owner_build b = {.in = in, .graph = graph, .m = in->mark};
	struct gh_error *err;

	if (!graph)
		return gh_error_nomem();
	graph->heap = in->heap;
	graph->mark = in->mark;
	b.own = gh_alloc_array(gh_bitmap_words(in->heap->table.nslots) + 1, sizeof(*b.own));
	err = b.own ? find_owners(&b, poll) : gh_error_nomem();
	owner_word_vec_deinit(&b.found);
	owner_run_vec_deinit(&b.runs);
	owner_range_vec_deinit(&b.ranges);
	gh_defer_vec_deinit(&b.defers);
	gh_stack_places_deinit(&b.places);
	gh_wait_deinit(&b.wait);
	gh_semaphores_deinit(&b.semaphores);
	free(b.by_g);
	if (!err)
		err = gh_nodes_number(graph, b.own, poll);
	free(b.own);
	if (err) {
		gh_owner_graph_destroy(graph);
		return err;
	}
	*ret = graph;
	return NULL;
}

void gh_owner_graph_destroy(struct gh_owner_graph *graph)
{
	if (!graph)
		return;
	gh_budget_give(gh_runtime_budget(graph->heap->rt), graph->charged_bytes);
	gh_owner_vec_deinit(&graph->owners);
	gh_key_vec_deinit(&graph->own);
	gh_addr_vec_deinit(&graph->finalized);
	gh_arena_deinit(&graph->arena);
	free(graph->words);
	free(graph->groups);
	free(graph);
}

/* Words of one owner lie together: those that are not the last ones move there to grow. */
struct gh_error *gh_owner_graph_adopt(struct gh_owner_graph *graph, gh_node owner,
				      struct gh_owner_word word)
{
	struct gh_owner *o = &graph->owners.data[owner];
	struct gh_owner_word *words;

	if (!gh_vec_reserve((void **)&graph->words, &graph->words_cap,
			    graph->nwords + o->nwords + 1, sizeof(*graph->words)))
		return gh_error_nomem();
	words = graph->words;
	if (o->first_word + o->nwords != graph->nwords) {
		for (uint64_t i = 0; i < o->nwords; i++)
			words[graph->nwords + i] = words[o->first_word + i];
		o->first_word = graph->nwords;
		graph->nwords += o->nwords;
	}
	words[graph->nwords++] = word;
	o->nwords++;
	return NULL;
}

gh_node gh_owner_of_slot(const struct gh_owner_graph *graph, uint64_t slot)
{
	size_t i = gh_first_key(graph->own.data, graph->own.len, slot);

	return i < graph->own.len && graph->own.data[i].key == slot
		       ? (gh_node)graph->own.data[i].value
		       : GH_NODE_NONE;
}

void gh_owner_describe(const struct gh_owner_graph *graph, gh_node owner, struct gh_strbuf *sb)
{
	const struct gh_owner *o = &graph->owners.data[owner];

	switch (o->kind) {
	case GH_ROOT_GOROUTINE:
		gh_strbuf_printf(sb, "goroutine %llu", (unsigned long long)o->goid);
		return;
	case GH_ROOT_TIMER:
		gh_strbuf_printf(sb, "timer %s", o->name ? o->name : "of unknown callback");
		return;
	case GH_ROOT_DEFER:
		gh_strbuf_printf(sb, "defer %s of goroutine %llu",
				 o->name ? o->name : "of unknown function",
				 (unsigned long long)o->goid);
		return;
	case GH_ROOT_GLOBAL:
	case GH_ROOT_FINALIZER:
	case GH_ROOT_CLEANUP:
	case GH_ROOT_WEAK:
	case GH_ROOT_RUNTIME:
	case GH_ROOT_KINDS:
		break;
	}
	gh_strbuf_puts(sb, o->name ? o->name : "unknown");
}
