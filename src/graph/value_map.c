// SPDX-License-Identifier: Apache-2.0
// What maps, sync.Map and channels hold. Mirrors runtime/chan.go, sync/map.go (go1.22, go1.23) and
// internal/sync/hashtriemap.go (go1.24+). See value.h.
#include "base/cleanup.h"
#include "graph/types_table.h"
#include "graph/value_reader.h"

enum {
	KEY_BYTES = 60, // of a key that is part of a name
	MAX_TRIE_STEPS = 1 << 20,
	TRIE_DEPTH = 32,	 // of 4 bits of a hash each, twice what there is
	MAX_WAITERS = 1 << 16,
};

/* A map whose entries become children. */
struct entries {
	struct gh_value_reader *r;
	struct gh_value *node;
	struct gh_gotype key, elem;
	struct gh_value_depth depth;
	uint64_t shown, count; // count: as the map says; 0: it does not
};

static struct gh_gotype of_rtype(gh_addr rtype)
{
	return (struct gh_gotype){.rtype = rtype};
}

/* ["u42"]; without data the entry's place in the order of memory. */
static const char *name_of_entry(struct entries *e, gh_addr key)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	if (e->r->limits.no_data) {
		gh_strbuf_printf(&sb, "[#%llu]", (unsigned long long)e->shown);
	} else {
		gh_strbuf_putc(&sb, '[');
		gh_value_brief(e->r->types, e->key, key, KEY_BYTES, false, &sb);
		gh_strbuf_putc(&sb, ']');
	}
	return gh_value_keep(e->r, &sb);
}

static struct gh_value *add_entry(struct entries *e, gh_addr key)
{
	struct gh_value *child = gh_value_add(e->r, e->node);

	if (child)
		child->name = name_of_entry(e, key);
	e->shown++;
	return child;
}

/* False: enough was seen. */
static bool goes_on(struct entries *e)
{
	return e->shown < e->r->limits.elements && (!e->count || e->shown < e->count) &&
	       e->r->nnodes < e->r->limits.nodes;
}

static bool fill_entry(void *ctx, const struct gh_map_entry *entry)
{
	struct entries *e = ctx;
	struct gh_value *child;

	if (!goes_on(e))
		return false;
	child = add_entry(e, entry->key);
	if (!child)
		return false;
	child->addr = entry->elem;
	if (!entry->elem)
		child->text = "nil";
	else
		gh_value_fill(e->r, child, e->elem, e->depth);
	return goes_on(e);
}

static struct entries entries_of(struct gh_value_reader *r, struct gh_value *node,
				 const struct gh_map_slots *slots, struct gh_value_depth depth)
{
	return (struct entries){
		.r = r,
		.node = node,
		.key = of_rtype(slots->key),
		.elem = of_rtype(slots->elem),
		.depth = {depth.nest + 1, depth.follow},
	};
}

static void leave_out(struct entries *e)
{
	uint64_t rest = e->count > e->shown ? e->count - e->shown : 0;

	e->node->more += rest;
	e->r->cut += rest;
}

void gh_value_fill_map(struct gh_value_reader *r, struct gh_value *node, gh_addr addr,
		       gh_addr group, struct gh_value_depth depth)
{
	const struct gh_runtime *rt = r->types->rt;
	struct gh_map_slots slots;
	struct entries e;
	uint64_t count;

	node->kind = GH_KIND_MAP;
	node->target = addr;
	if (!gh_map_count(rt, addr, &count)) {
		gh_value_set_missing(r, node, addr, 8);
		return;
	}
	node->text = gh_arena_printf(r->arena, "len %llu", (unsigned long long)count);
	if (!count || !gh_map_slots(rt, group, &slots))
		return;
	e = entries_of(r, node, &slots, depth);
	e.count = count;
	gh_map_visit(rt, addr, &slots, fill_entry, &e);
	leave_out(&e);
}

void gh_value_fill_groups(struct gh_value_reader *r, struct gh_value *node, gh_addr addr,
			  gh_addr group, uint64_t bytes, struct gh_value_depth depth)
{
	struct gh_map_slots slots;
	struct entries e;

	if (!gh_map_slots(r->types->rt, group, &slots) || !slots.bytes)
		return;
	e = entries_of(r, node, &slots, depth);
	for (uint64_t at = 0; at + slots.bytes <= bytes && goes_on(&e); at += slots.bytes)
		gh_map_visit_group(r->types->rt, addr + at, &slots, fill_entry, &e);
}

void gh_value_fill_table(struct gh_value_reader *r, struct gh_value *node, gh_addr addr,
			 gh_addr group, struct gh_value_depth depth)
{
	struct gh_map_slots slots;
	struct entries e;

	if (!gh_map_slots(r->types->rt, group, &slots))
		return;
	e = entries_of(r, node, &slots, depth);
	gh_map_visit_table(r->types->rt, addr, &slots, fill_entry, &e);
}

void gh_value_map_name(struct gh_types *types, gh_addr group, gh_addr addr, uint64_t offset,
		       bool no_data, struct gh_strbuf *sb)
{
	const struct gh_runtime *rt = types->rt;
	struct gh_map_slots slots;
	struct gh_map_place place;
	gh_addr key;

	if (!gh_map_slots(rt, group, &slots) || !gh_map_place(&slots, offset, &place))
		return;
	key = addr + place.key_at;
	gh_strbuf_putc(sb, '[');
	if (slots.key_is_pointer && !gh_read_u64(rt->image, key, &key))
		gh_strbuf_putc(sb, '?');
	else
		gh_value_brief(types, of_rtype(slots.key), key, KEY_BYTES, no_data, sb);
	gh_strbuf_putc(sb, ']');
}

/* sudogs in a queue of goroutines that wait: {first, last}. */
static uint64_t count_waiters(const struct gh_runtime *rt, gh_addr chan, enum gh_layout_field queue)
{
	gh_addr sudog = gh_has(&rt->layout, queue) ? gh_field_or_zero(rt, chan, queue) : 0;
	uint64_t n = 0;

	if (gh_has(&rt->layout, queue))
		gh_read_u64(rt->image, chan + (uint64_t)rt->layout.offset[queue], &sudog);
	for (; sudog && n < MAX_WAITERS; n++)
		sudog = gh_field_or_zero(rt, sudog, GH_F_sudog_next);
	return n;
}

static void put_chan(const struct gh_runtime *rt, gh_addr chan, uint64_t len, uint64_t cap,
		     struct gh_strbuf *sb)
{
	uint64_t senders = count_waiters(rt, chan, GH_F_hchan_sendq);
	uint64_t receivers = count_waiters(rt, chan, GH_F_hchan_recvq);

	gh_strbuf_printf(sb, "len %llu, cap %llu", (unsigned long long)len,
			 (unsigned long long)cap);
	if (gh_field_or_zero(rt, chan, GH_F_hchan_closed))
		gh_strbuf_puts(sb, ", closed");
	if (senders)
		gh_strbuf_printf(sb, ", %llu sending", (unsigned long long)senders);
	if (receivers)
		gh_strbuf_printf(sb, ", %llu receiving", (unsigned long long)receivers);
}

/* The next value that a receiver gets is at recvx; behind the last place comes the first. */
static void fill_queue(struct gh_value_reader *r, struct gh_value *node, gh_addr chan,
		       struct gh_gotype elem, struct gh_value_depth depth)
{
	const struct gh_runtime *rt = r->types->rt;
	uint64_t len = gh_field_or_zero(rt, chan, GH_F_hchan_qcount);
	uint64_t cap = gh_field_or_zero(rt, chan, GH_F_hchan_dataqsiz);
	uint64_t first = gh_field_or_zero(rt, chan, GH_F_hchan_recvx);
	uint64_t bytes = gh_field_or_zero(rt, chan, GH_F_hchan_elemsize);
	uint64_t buf = gh_field_or_zero(rt, chan, GH_F_hchan_buf);
	uint64_t shown = gh_min_u64(gh_min_u64(len, cap), r->limits.elements);

	node->more += len - shown;
	r->cut += len - shown;
	for (uint64_t i = 0; i < shown; i++) {
		struct gh_value *child = gh_value_add(r, node);

		if (!child)
			break;
		child->name = gh_arena_printf(r->arena, "[%llu]", (unsigned long long)i);
		child->addr = buf + (first % cap + i) % cap * bytes;
		gh_value_fill(r, child, elem,
			      (struct gh_value_depth){depth.nest + 1, depth.follow});
	}
}

void gh_value_fill_chan(struct gh_value_reader *r, struct gh_value *node, gh_addr addr,
			struct gh_gotype elem, struct gh_value_depth depth)
{
	const struct gh_runtime *rt = r->types->rt;
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	uint64_t len, cap;

	node->kind = GH_KIND_CHAN;
	node->target = addr;
	if (!gh_field(rt, addr, GH_F_hchan_qcount, &len) ||
	    !gh_field(rt, addr, GH_F_hchan_dataqsiz, &cap)) {
		gh_value_set_missing(r, node, addr, 16);
		return;
	}
	put_chan(rt, addr, len, cap, &sb);
	if (len > cap)
		gh_strbuf_puts(&sb, ": no channel");
	gh_value_set_text(r, node, &sb);
	if (len && len <= cap && gh_gotype_is_known(elem))
		fill_queue(r, node, addr, elem, depth);
}

/* go1.22, go1.23: entry{p atomic.Pointer[any]}, held by pointer in a map[any]*entry. */
static bool fill_old_entry(void *ctx, const struct gh_map_entry *entry)
{
	struct entries *e = ctx;
	const struct gh_image *image = e->r->types->rt->image;
	struct gh_value *child;
	gh_addr p;

	if (!goes_on(e))
		return false;
	if (!gh_read_u64(image, entry->elem, &p) || !gh_read_u64(image, p, &p) || !p)
		return true; // deleted
	child = add_entry(e, entry->key);
	if (!child)
		return false;
	child->addr = p;
	child->type = "any";
	child->kind = GH_KIND_INTERFACE;
	gh_value_fill_interface(e->r, child, /* has_methods= */ false, e->depth);
	return goes_on(e);
}

static bool map_field(struct gh_value_reader *r, struct gh_gotype type, gh_addr addr,
		      const char *name, gh_addr *map_ret, gh_addr *group_ret)
{
	struct gh_gotype_info info;
	struct gh_gofield field;

	if (!gh_gotype_field_named(r->types, type, name, &field) ||
	    !gh_gotype_read(r->types, field.type, &info) || info.kind != GH_KIND_MAP)
		return false;
	*group_ret = info.group;
	return gh_read_u64(r->types->rt->image, addr + field.offset, map_ret);
}

/*
 * sync.Map{mu, read, dirty, misses}: dirty, when it is there, has all entries; else those of
 * read.m, where read is an atomic.Pointer[readOnly].
 */
static bool fill_old_sync_map(struct gh_value_reader *r, struct gh_value *node,
			      struct gh_gotype type, struct gh_value_depth depth)
{
	gh_addr read_only = 0, map = 0, group = 0;
	struct gh_map_slots slots;
	struct gh_gofield read;
	struct entries e;

	if (!gh_gotype_field_named(r->types, type, "read", &read) ||
	    !map_field(r, type, node->addr, "dirty", &map, &group))
		return false;
	gh_read_u64(r->types->rt->image, node->addr + read.offset, &read_only);
	if (!map && read_only) // readOnly{m, amended}
		gh_read_u64(r->types->rt->image, read_only, &map);
	if (!map || !gh_map_slots(r->types->rt, group, &slots))
		return true;
	e = entries_of(r, node, &slots, depth);
	gh_map_visit(r->types->rt, map, &slots, fill_old_entry, &e);
	return true;
}

/* The type that an atomic.Pointer's first field promises. */
static struct gh_gotype promised(const struct gh_types *types, struct gh_gotype type)
{
	struct gh_gotype_info array, pointer;
	struct gh_gofield first;

	if (!gh_gotype_field(types, type, 0, &first) ||
	    !gh_gotype_read(types, first.type, &array) || array.kind != GH_KIND_ARRAY ||
	    !gh_gotype_read(types, array.elem, &pointer) || pointer.kind != GH_KIND_POINTER)
		return (struct gh_gotype){0};
	return pointer.elem;
}

/* A trie: inner nodes with children, entries in chains of equal hashes. */
struct trie {
	struct entries e;
	gh_type_id node; // TRIE_NODE
	uint64_t steps;
};

static void fill_trie_entries(struct trie *t, gh_addr entry, struct gh_gotype type)
{
	const struct gh_types *types = t->e.r->types;
	struct gh_gofield key, value, overflow;

	if (!gh_gotype_field_named(types, type, "key", &key) ||
	    !gh_gotype_field_named(types, type, "value", &value) ||
	    !gh_gotype_field_named(types, type, "overflow", &overflow))
		return;
	t->e.key = key.type;
	t->e.elem = value.type;
	for (; entry && t->steps++ < MAX_TRIE_STEPS && goes_on(&t->e);) {
		struct gh_map_entry found = {entry + key.offset, entry + value.offset};

		fill_entry(&t->e, &found);
		if (!gh_read_u64(types->rt->image, entry + overflow.offset, &entry))
			break;
	}
}

static void fill_trie(struct trie *t, gh_addr node, struct gh_gotype indirect, int depth)
{
	struct gh_types *types = t->e.r->types;
	struct gh_gotype_info array;
	struct gh_gofield children;
	uint8_t is_entry;
	gh_type_id part;
	gh_addr child;

	if (!gh_gotype_field_named(types, indirect, "children", &children) ||
	    !gh_gotype_read(types, children.type, &array) || depth > TRIE_DEPTH)
		return;
	if (!t->node)
		t->node = gh_types_behind(
			types, gh_types_of_rtype(types, promised(types, array.elem).rtype));
	for (uint64_t i = 0; i < array.len && t->steps++ < MAX_TRIE_STEPS && goes_on(&t->e); i++) {
		if (!gh_read_u64(types->rt->image, node + children.offset + i * 8, &child) ||
		    !child || !gh_read_u8(types->rt->image, child, &is_entry))
			continue;
		part = gh_types_trie_part(types, t->node, is_entry);
		if (part && is_entry)
			fill_trie_entries(t, child, gh_gotype_of(types, part));
		else if (part)
			fill_trie(t, child, gh_gotype_of(types, part), depth + 1);
	}
}

/* sync.Map{m HashTrieMap} or the trie itself, whose root is an atomic.Pointer[indirect]. */
static bool fill_hash_trie(struct gh_value_reader *r, struct gh_value *node,
			   struct gh_gotype type, struct gh_value_depth depth)
{
	struct trie t = {.e = {.r = r, .node = node, .depth = {depth.nest + 1, depth.follow}}};
	struct gh_gofield inner = {.type = type}, root;
	gh_addr at = 0;

	if (!gh_gotype_field_named(r->types, type, "root", &root) &&
	    (!gh_gotype_field_named(r->types, type, "m", &inner) ||
	     !gh_gotype_field_named(r->types, inner.type, "root", &root)))
		return false;
	gh_read_u64(r->types->rt->image, node->addr + inner.offset + root.offset, &at);
	if (at)
		fill_trie(&t, at, promised(r->types, root.type), 0);
	return true;
}

bool gh_value_fill_sync_map(struct gh_value_reader *r, struct gh_value *node,
			    struct gh_gotype type, struct gh_value_depth depth)
{
	if (!fill_old_sync_map(r, node, type, depth) && !fill_hash_trie(r, node, type, depth))
		return false;
	node->kind = GH_KIND_MAP;
	if (!node->children)
		node->text = "empty";
	return true;
}
