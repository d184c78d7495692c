// SPDX-License-Identifier: Apache-2.0
// What groups of objects retain. A group's topmost objects in the dominator tree retain disjoint
// sets, all of which would go: that is the least. How much goes in fact shows when the heap is
// marked without the group. See retained.h.
#include "analysis/retained.h"

#include <stdlib.h>

#include "analysis/histogram.h"
#include "base/budget.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "graph/reach.h"

enum {
	POLL_EVERY = 1 << 20,	 // nodes
	BYTES_A_NODE = 4 + 2 * 4, // group, first child, sibling
};

/** Which group a slot's type belongs to; 0: not looked up yet. */
struct group_map {
	struct gh_session *session;
	struct gh_retained_groups *groups;
	uint32_t *of[GH_SPAN_CLASSES]; // owned: by state: row + 1
	size_t ncodes;
	uint32_t *hash; // owned: row + 1 by name; open addressing
	size_t hash_cap;
	struct gh_arena names;
	bool nomem;
};

static size_t bucket_of(const struct group_map *map, const char *name, size_t len)
{
	uint64_t h = gh_hash_bytes(GH_HASH_START, name, len);
	size_t i;

	for (i = h & (map->hash_cap - 1); map->hash[i]; i = (i + 1) & (map->hash_cap - 1)) {
		const char *other = map->groups->rows.data[map->hash[i] - 1].name;

		if (!strncmp(other, name, len) && !other[len])
			break;
	}
	return i;
}

static bool grow(struct group_map *map)
{
	uint32_t *old = map->hash;

	map->hash_cap = map->hash_cap ? map->hash_cap * 2 : 1024;
	map->hash = gh_alloc_array(map->hash_cap, sizeof(*map->hash));
	for (size_t i = 0; map->hash && i < map->groups->rows.len; i++) {
		const char *name = map->groups->rows.data[i].name;

		map->hash[bucket_of(map, name, strlen(name))] = (uint32_t)i + 1;
	}
	free(old);
	return map->hash != NULL;
}

/* Row + 1 of a group's name; 0: out of memory. */
static uint32_t group_named(struct group_map *map, const char *name, size_t len, bool has_pointers)
{
	struct gh_retained_group_vec *rows = &map->groups->rows;
	struct gh_retained_group row = {.has_pointers = has_pointers};
	size_t i;

	if (rows->len * 2 >= map->hash_cap && !grow(map))
		return 0;
	i = bucket_of(map, name, len);
	if (!map->hash[i]) {
		row.name = gh_arena_strndup(&map->groups->arena, name, len);
		if (!row.name || !gh_retained_group_vec_push(rows, row))
			return 0;
		map->hash[i] = (uint32_t)rows->len;
	}
	rows->data[map->hash[i] - 1].has_pointers |= has_pointers;
	return map->hash[i];
}

static uint32_t look_up(struct group_map *map, uint8_t class, uint16_t state)
{
	const char *name = gh_object_name(map->session, map->session->mark, state, class,
					  &map->names);
	size_t len = name ? strlen(name) : 0;

	if (name && map->groups->group)
		name = map->groups->group(name, &len);
	return name ? group_named(map, name, len, !(class & 1)) : 0;
}

static uint32_t group_of(struct group_map *map, uint8_t class, uint16_t state)
{
	uint32_t *group;

	if (!map->of[class])
		map->of[class] = gh_alloc_array(map->ncodes, sizeof(**map->of));
	if (!map->of[class]) {
		map->nomem = true;
		return 0;
	}
	group = &map->of[class][state];
	if (!*group)
		*group = look_up(map, class, state);
	map->nomem |= !*group;
	return *group;
}

static void group_map_deinit(struct group_map *map)
{
	for (int i = 0; i < GH_SPAN_CLASSES; i++)
		free(map->of[i]);
	free(map->hash);
	gh_arena_deinit(&map->names);
}

/* Count all live objects; note the group of each node by its place. */
static bool count_objects(struct group_map *map, uint32_t *group_at)
{
	const struct gh_session *s = map->session;
	struct gh_states states = gh_mark_states(s->mark);
	const struct gh_span_vec *spans = &s->heap->table.spans;

	for (size_t i = 0; i < spans->len; i++)
		for (uint32_t k = 0; k < spans->data[i].nelems && !map->nomem; k++) {
			uint64_t slot = spans->data[i].slot0 + k;
			uint16_t state = gh_state_at(&states, slot);
			struct gh_retained_group *row;
			uint32_t group;

			if (!gh_state_is_live(state))
				continue;
			group = group_of(map, spans->data[i].spanclass, state);
			if (!group)
				return false;
			row = &map->groups->rows.data[group - 1];
			row->count++;
			row->shallow += spans->data[i].elem_bytes;
			if (gh_slot_is_node(s->owners, slot))
				group_at[s->domtree->place[gh_node_of_slot(s->owners, slot)]] =
					group;
			else if (!gh_slot_is_leaf(s->owners, slot))
				row->own_bytes += spans->data[i].elem_bytes;
		}
	return !map->nomem;
}

struct tree_links {
	uint32_t *child, *sibling; // owned: by place; 0: none
};

static bool link_tree(const struct gh_domtree *tree, struct tree_links *ret)
{
	ret->child = gh_alloc_array(tree->n, sizeof(*ret->child));
	ret->sibling = gh_alloc_array(tree->n, sizeof(*ret->sibling));
	if (!ret->child || !ret->sibling)
		return false;
	for (uint32_t i = tree->n; i-- > 1;) {
		ret->sibling[i] = ret->child[tree->idom[i]];
		ret->child[tree->idom[i]] = i;
	}
	return true;
}

/* Depth first, with the number of open nodes of each group: topmost ones find none. */
static struct gh_error *add_topmost(struct group_map *map, const struct tree_links *links,
				    const uint32_t *group_at)
{
	const struct gh_domtree *tree = map->session->domtree;
	struct gh_retained_group *rows = map->groups->rows.data;
	_cleanup_free_ uint32_t *open = gh_alloc_array(map->groups->rows.len + 1, sizeof(*open));
	struct gh_error *err = NULL;
	uint32_t at = 0, done = 0;

	if (!open)
		return gh_error_nomem();
	while (!err) {
		uint32_t group = group_at[at];

		if (group && !open[group]++)
			rows[group - 1].retained += tree->retained[at];
		if (++done % POLL_EVERY == 0)
			err = gh_poll(&map->session->poll, "adding up what types retain", done,
				      tree->n);
		if (links->child[at]) {
			at = links->child[at];
			continue;
		}
		while (at && !links->sibling[at]) {
			open[group_at[at]]--;
			at = tree->idom[at];
		}
		if (!at)
			break;
		open[group_at[at]]--;
		at = links->sibling[at];
	}
	return err;
}

static int by_retained(const void *a, const void *b)
{
	const struct gh_retained_group *x = a, *y = b;

	if (x->retained != y->retained)
		return x->retained < y->retained ? 1 : -1;
	return strcmp(x->name, y->name);
}

void gh_retained_sort(struct gh_retained_groups *groups)
{
	if (groups->rows.len)
		qsort(groups->rows.data, groups->rows.len, sizeof(*groups->rows.data),
		      by_retained);
}

static struct gh_error *find_least(struct gh_session *s, struct gh_retained_groups *groups)
{
	_cleanup_free_ uint32_t *group_at = gh_alloc_array(s->domtree->n, sizeof(*group_at));
	struct group_map map = {
		.session = s, .groups = groups, .ncodes = gh_mark_ncodes(s->mark)};
	struct tree_links links = {0};
	struct gh_error *err;

	if (group_at && count_objects(&map, group_at) && link_tree(s->domtree, &links))
		err = add_topmost(&map, &links, group_at);
	else
		err = gh_error_nomem();
	free(links.child);
	free(links.sibling);
	group_map_deinit(&map);
	return err;
}

struct gh_error *gh_retained_groups(struct gh_session *s, gh_group_fn group,
				    struct gh_retained_groups *ret)
{
	struct gh_error *err = gh_session_dominators(s);
	uint64_t bytes;

	*ret = (struct gh_retained_groups){.group = group};
	if (err)
		return err;
	bytes = (uint64_t)s->domtree->n * BYTES_A_NODE;
	err = gh_budget_charge(s->target->budget, bytes, "what types retain");
	if (err)
		return err;
	err = find_least(s, ret);
	gh_budget_give(s->target->budget, bytes);
	if (err) {
		gh_retained_groups_deinit(ret);
		return err;
	}
	for (size_t i = 0; i < ret->rows.len; i++) {
		struct gh_retained_group *row = &ret->rows.data[i];

		/* Leaves count for what refers to them: in a package that may be a part already. */
		row->retained = gh_max_u64(row->retained + row->own_bytes, row->shallow);
		row->exact = !row->has_pointers;
	}
	gh_retained_sort(ret);
	return NULL;
}

void gh_retained_groups_deinit(struct gh_retained_groups *groups)
{
	gh_retained_group_vec_deinit(&groups->rows);
	gh_arena_deinit(&groups->arena);
	*groups = (struct gh_retained_groups){0};
}

/** What a cut is made of. */
struct cutting {
	gh_group_fn group;
	const char *name;
};

static bool is_cut(void *ctx, const char *type)
{
	const struct cutting *c = ctx;
	size_t len = strlen(type);

	if (c->group)
		type = c->group(type, &len);
	return type && strlen(c->name) == len && !memcmp(type, c->name, len);
}

static bool cut_objects(struct gh_object_kinds *kinds, uint64_t *cut)
{
	struct gh_states states = gh_mark_states(kinds->mark);
	const struct gh_span_vec *spans = &kinds->session->heap->table.spans;

	for (size_t i = 0; i < spans->len; i++) {
		const struct gh_span *span = &spans->data[i];

		if (!gh_object_kinds_prepare(kinds, span->spanclass))
			return false;
		for (uint32_t k = 0; k < span->nelems; k++) {
			uint16_t state = gh_state_at(&states, span->slot0 + k);

			if (gh_state_is_live(state) &&
			    gh_object_kinds_wanted(kinds, span->spanclass, state))
				gh_bitmap_set(cut, span->slot0 + k);
		}
	}
	return true;
}

struct gh_error *gh_retained_exact(struct gh_session *s, gh_group_fn group,
				   struct gh_retained_group *row)
{
	uint64_t words = gh_bitmap_words(s->heap->table.nslots) + 1;
	struct cutting cutting = {group, row->name};
	struct gh_arena names = {0};
	struct gh_object_kinds kinds = {.session = s,
					.mark = s->mark,
					.wanted = is_cut,
					.ctx = &cutting,
					.arena = &names};
	_cleanup_free_ uint64_t *cut = NULL;
	struct gh_reached left = {0};
	struct gh_error *err;

	if (row->exact)
		return NULL;
	err = gh_budget_charge(s->target->budget, words * sizeof(*cut), "a bit an object");
	if (err)
		return err;
	cut = gh_alloc_array(words, sizeof(*cut));
	err = cut && cut_objects(&kinds, cut) ? NULL : gh_error_nomem();
	if (!err)
		err = gh_reach_all(s->owners, cut, &s->poll, &left);
	gh_object_kinds_deinit(&kinds);
	gh_arena_deinit(&names);
	gh_budget_give(s->target->budget, words * sizeof(*cut));
	if (err)
		return err;
	row->retained = s->owners->live_bytes - left.bytes + row->own_bytes;
	row->exact = true;
	return NULL;
}
