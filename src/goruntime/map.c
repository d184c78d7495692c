// SPDX-License-Identifier: Apache-2.0
// Reading maps. See map.h.
#include "goruntime/map.h"

enum {
	MAX_INLINE = 128,	 // bytes of keys and values in a slot (internal/abi/map*.go)
	MAX_SLOTS = 64 << 20,	 // looked at in one visit
	MAX_LOG2_BUCKETS = 40,	 // of an hmap
	MIN_TOP_HASH = 5,	 // runtime/map.go: smaller ones say empty or moved
	CTRL_NOT_USED = 0x80,	 // internal/runtime/maps/group.go: empty or deleted
	HMAP_SAME_SIZE_GROW = 8, // runtime/map.go
};

/* "map.group[" or "map.bucket[": the length of it, 0 for other names. */
static uint64_t group_prefix(const char *s, uint64_t len)
{
	static const char *const prefixes[] = {"map.group[", "map.bucket["};

	for (size_t i = 0; i < GH_ARRAY_SIZE(prefixes); i++) {
		uint64_t n = strlen(prefixes[i]);

		if (len > n && !memcmp(s, prefixes[i], n))
			return n;
	}
	return 0;
}

bool gh_rtype_is_group(const struct gh_runtime *rt, gh_addr addr)
{
	struct gh_rtype t;
	uint64_t len = 0;
	const char *s;

	if (!gh_rtype_read(rt, addr, &t) || t.kind != GH_KIND_STRUCT)
		return false;
	s = gh_rtype_string(rt, &t, &len);
	return s && group_prefix(s, len);
}

/* Field names of the compiler's structs; reflect's own are exported (reflect/map*.go: MapOf). */
static bool is_named(const char *s, uint64_t len, const char *name)
{
	return len == strlen(name) && (s[0] | 0x20) == name[0] &&
	       !memcmp(s + 1, name + 1, len - 1);
}

static bool member(const struct gh_runtime *rt, gh_addr addr, const char *name,
		   struct gh_rfield *ret)
{
	struct gh_rtype t;

	if (!gh_rtype_read(rt, addr, &t) || t.kind != GH_KIND_STRUCT)
		return false;
	for (uint64_t i = 0; i < t.nfields && i < 8; i++) {
		const char *s;
		uint64_t len;

		if (!gh_rtype_field(rt, &t, i, ret))
			return false;
		s = gh_rtype_name_text(rt, ret->name, &len);
		if (s && is_named(s, len, name))
			return true;
	}
	return false;
}

/* The element type of a member that is an array of GH_MAP_SLOTS. */
static bool members(const struct gh_runtime *rt, gh_addr addr, const char *name,
		    struct gh_rtype *elem_ret, uint64_t *offset_ret)
{
	struct gh_rfield field;
	struct gh_rtype t;

	if (!member(rt, addr, name, &field) || !gh_rtype_read(rt, field.type, &t) ||
	    t.kind != GH_KIND_ARRAY || t.len != GH_MAP_SLOTS)
		return false;
	*offset_ret = field.offset;
	return gh_rtype_read(rt, t.elem, elem_ret);
}

/*
 * Keys and values above 128 bytes are held by pointer; the group's own name tells which those are.
 */
static gh_addr held(const struct gh_runtime *rt, const struct gh_rtype *t, bool says_pointer,
		    bool *is_pointer_ret)
{
	struct gh_rtype behind;

	*is_pointer_ret = !says_pointer && t->kind == GH_KIND_POINTER && !t->is_named &&
			  gh_rtype_read(rt, t->elem, &behind) && behind.size > MAX_INLINE;
	return *is_pointer_ret ? t->elem : t->addr;
}

/* Of which of both the name says that they are pointers anyway: "map.group[*K]V". */
static void declared_pointers(const struct gh_runtime *rt, gh_addr group, bool *key_ret,
			      bool *elem_ret)
{
	uint64_t len = 0, from, close;
	struct gh_rtype t;
	const char *s = gh_rtype_read(rt, group, &t) ? gh_rtype_string(rt, &t, &len) : NULL;
	int depth = 1;

	from = s ? group_prefix(s, len) : 0;
	*key_ret = *elem_ret = !from; // made by reflect: what is held by pointer is not known
	if (!from)
		return;
	for (close = from; close + 1 < len && depth; close++)
		depth += s[close] == '[' ? 1 : s[close] == ']' ? -1 : 0;
	*key_ret = s[from] == '*';
	*elem_ret = close < len && s[close] == '*';
}

/* A bare bucket: eight top hashes, eight keys, eight values, a pointer (reflect/type.go: bucketOf,
 * up to go1.23). */
static bool bare_slots(const struct gh_runtime *rt, const struct gh_rtype *map,
		       struct gh_map_slots *ret)
{
	enum { INDIRECT_KEY = 1, INDIRECT_ELEM = 2 }; // internal/abi/map.go
	struct gh_rtype key, elem, bucket;
	struct gh_map_slots slots = {.key = map->key, .elem = map->elem};

	if (!gh_rtype_read(rt, map->key, &key) || !gh_rtype_read(rt, map->elem, &elem) ||
	    !gh_rtype_read(rt, map->bucket, &bucket))
		return false;
	slots.key_is_pointer = map->map_flags & INDIRECT_KEY;
	slots.elem_is_pointer = map->map_flags & INDIRECT_ELEM;
	slots.key_bytes = slots.key_stride = slots.key_is_pointer ? 8 : key.size;
	slots.elem_bytes = slots.elem_stride = slots.elem_is_pointer ? 8 : elem.size;
	if (slots.key_bytes > MAX_INLINE || slots.elem_bytes > MAX_INLINE)
		return false;
	slots.key_offset = GH_MAP_SLOTS;
	slots.elem_offset = slots.key_offset + GH_MAP_SLOTS * slots.key_stride;
	slots.bytes = bucket.size;
	*ret = slots;
	return slots.elem_offset + GH_MAP_SLOTS * slots.elem_stride <= slots.bytes;
}

gh_addr gh_map_allocated_as(const struct gh_runtime *rt, gh_addr group)
{
	struct gh_rtype t;

	return gh_rtype_read(rt, group, &t) && t.bucket ? t.bucket : group;
}

bool gh_map_slots(const struct gh_runtime *rt, gh_addr group, struct gh_map_slots *ret)
{
	struct gh_rfield key_field, elem_field;
	bool says_key, says_elem;
	struct gh_rtype t, key, elem, slot;
	uint64_t at;

	if (!gh_rtype_read(rt, group, &t))
		return false;
	if (t.bucket)
		return bare_slots(rt, &t, ret);
	*ret = (struct gh_map_slots){.bytes = t.size};
	if (members(rt, group, "slots", &slot, &at)) {
		if (!member(rt, slot.addr, "key", &key_field) ||
		    !member(rt, slot.addr, "elem", &elem_field) ||
		    !gh_rtype_read(rt, key_field.type, &key) ||
		    !gh_rtype_read(rt, elem_field.type, &elem))
			return false;
		ret->key_offset = at + key_field.offset;
		ret->elem_offset = at + elem_field.offset;
		ret->key_stride = ret->elem_stride = slot.size;
	} else {
		if (!members(rt, group, "keys", &key, &ret->key_offset) ||
		    !members(rt, group, "elems", &elem, &ret->elem_offset))
			return false;
		ret->key_stride = key.size;
		ret->elem_stride = elem.size;
	}
	ret->key_bytes = key.size;
	ret->elem_bytes = elem.size;
	declared_pointers(rt, group, &says_key, &says_elem);
	ret->key = held(rt, &key, says_key, &ret->key_is_pointer);
	ret->elem = held(rt, &elem, says_elem, &ret->elem_is_pointer);
	return true;
}

void gh_rtype_group_name(const struct gh_runtime *rt, gh_addr group, struct gh_strbuf *sb)
{
	struct gh_map_slots slots = {0};

	if (!gh_map_slots(rt, group, &slots))
		slots = (struct gh_map_slots){0};
	gh_strbuf_puts(sb, "map[");
	gh_rtype_name(rt, slots.key, sb);
	gh_strbuf_putc(sb, ']');
	gh_rtype_name(rt, slots.elem, sb);
}

/* Does the offset lie in one of eight parts of `bytes` that lie `stride` apart? */
static bool in_parts(uint64_t offset, uint64_t first, uint64_t stride, uint64_t bytes,
		     uint32_t *slot_ret, uint64_t *inside_ret)
{
	if (!stride || !bytes || offset < first || (offset - first) / stride >= GH_MAP_SLOTS ||
	    (offset - first) % stride >= bytes)
		return false;
	*slot_ret = (uint32_t)((offset - first) / stride);
	*inside_ret = (offset - first) % stride;
	return true;
}

bool gh_map_place(const struct gh_map_slots *slots, uint64_t offset, struct gh_map_place *ret)
{
	struct gh_map_place place = {0};

	if (!in_parts(offset, slots->key_offset, slots->key_stride, slots->key_bytes, &place.slot,
		      &place.inside)) {
		if (!in_parts(offset, slots->elem_offset, slots->elem_stride, slots->elem_bytes,
			      &place.slot, &place.inside))
			return false;
		place.in_elem = true;
	}
	place.key_at = slots->key_offset + place.slot * slots->key_stride;
	place.elem_at = slots->elem_offset + place.slot * slots->elem_stride;
	*ret = place;
	return true;
}

/* Control bytes and top hashes both lie first, a byte a slot. */
static bool is_used(const struct gh_runtime *rt, const uint8_t *group, uint32_t slot)
{
	return rt->map_kind == GH_MAP_HMAP ? group[slot] >= MIN_TOP_HASH
						    : !(group[slot] & CTRL_NOT_USED);
}

bool gh_map_count(const struct gh_runtime *rt, gh_addr map, uint64_t *ret)
{
	return gh_field(rt, map, rt->map_kind == GH_MAP_HMAP ? GH_F_hmap_count : GH_F_Map_used,
			ret);
}

/* One visit. */
struct visit {
	const struct gh_runtime *rt;
	const struct gh_map_slots *slots;
	gh_map_fn fn;
	void *ctx;
	uint64_t steps;
	bool stopped;
};

static gh_addr follow(const struct visit *v, gh_addr at, bool is_pointer)
{
	gh_addr addr = at;

	if (is_pointer && !gh_read_u64(v->rt->image, at, &addr))
		return 0;
	return addr;
}

static void visit_group(struct visit *v, gh_addr group)
{
	const struct gh_map_slots *slots = v->slots;
	const uint8_t *host = gh_image_at(v->rt->image, group, gh_max_u64(slots->bytes, GH_MAP_SLOTS));

	v->steps += GH_MAP_SLOTS;
	for (uint32_t i = 0; host && i < GH_MAP_SLOTS && !v->stopped; i++) {
		struct gh_map_entry entry;

		if (!is_used(v->rt, host, i))
			continue;
		entry.key = follow(v, group + slots->key_offset + i * slots->key_stride,
				   slots->key_is_pointer);
		entry.elem = follow(v, group + slots->elem_offset + i * slots->elem_stride,
				    slots->elem_is_pointer);
		v->stopped = !v->fn(v->ctx, &entry);
	}
}

static bool goes_on(const struct visit *v)
{
	return !v->stopped && v->steps < MAX_SLOTS;
}

/* internal/runtime/maps/table.go: groups.lengthMask + 1 groups from groups.data on. */
static void visit_table(struct visit *v, gh_addr table)
{
	const struct gh_layout *layout = &v->rt->layout;
	uint64_t data, mask;
	gh_addr groups;

	if (!gh_has(layout, GH_F_table_groups))
		return;
	groups = table + (uint64_t)layout->offset[GH_F_table_groups];
	if (!gh_field(v->rt, groups, GH_F_groupsReference_data, &data) ||
	    !gh_field(v->rt, groups, GH_F_groupsReference_lengthMask, &mask))
		return;
	for (uint64_t i = 0; goes_on(v); i++) {
		if (!gh_image_at(v->rt->image, data + i * v->slots->bytes, 1))
			break;
		visit_group(v, data + i * v->slots->bytes);
		if (i == mask)
			break;
	}
}

/* A table stands in the directory once or, side by side, some more times. */
static void visit_swiss(struct visit *v, gh_addr map)
{
	uint64_t dir, n;
	gh_addr table, last = 0;

	if (!gh_field(v->rt, map, GH_F_Map_dirPtr, &dir) ||
	    !gh_field(v->rt, map, GH_F_Map_dirLen, &n) || !dir)
		return;
	if (!n) {
		visit_group(v, dir);
		return;
	}
	for (uint64_t i = 0; i < n && goes_on(v); i++) {
		if (!gh_read_u64(v->rt->image, dir + i * 8, &table))
			break;
		v->steps++;
		if (table != last)
			visit_table(v, table);
		last = table;
	}
}

/* The bucket and those that hang behind it by their last word. */
static void visit_chain(struct visit *v, gh_addr bucket)
{
	for (uint64_t next; bucket && goes_on(v); bucket = next) {
		visit_group(v, bucket);
		if (!gh_read_u64(v->rt->image, bucket + v->slots->bytes - 8, &next))
			break;
	}
}

static void visit_buckets(struct visit *v, gh_addr buckets, uint64_t n)
{
	for (uint64_t i = 0; i < n && goes_on(v); i++) {
		if (!gh_image_at(v->rt->image, buckets + i * v->slots->bytes, v->slots->bytes))
			break;
		visit_chain(v, buckets + i * v->slots->bytes);
	}
}

/*
 * While a map grows, old buckets are moved one by one; the top hashes of a moved one say so
 * (runtime/map.go: evacuate), so that its slots are no longer in use.
 */
static void visit_hmap(struct visit *v, gh_addr map)
{
	uint64_t buckets, old, log2, flags, same_size;

	if (v->slots->bytes < GH_MAP_SLOTS + 8 || !gh_field(v->rt, map, GH_F_hmap_buckets, &buckets) ||
	    !gh_field(v->rt, map, GH_F_hmap_oldbuckets, &old) ||
	    !gh_field(v->rt, map, GH_F_hmap_B, &log2) ||
	    !gh_field(v->rt, map, GH_F_hmap_flags, &flags) || log2 > MAX_LOG2_BUCKETS)
		return;
	same_size = flags & HMAP_SAME_SIZE_GROW ? 0 : 1;
	if (buckets)
		visit_buckets(v, buckets, 1ULL << log2);
	if (old && log2 >= same_size)
		visit_buckets(v, old, 1ULL << (log2 - same_size));
}

void gh_map_visit(const struct gh_runtime *rt, gh_addr map, const struct gh_map_slots *slots,
		  gh_map_fn fn, void *ctx)
{
	struct visit v = {.rt = rt, .slots = slots, .fn = fn, .ctx = ctx};

	if (rt->map_kind == GH_MAP_HMAP)
		visit_hmap(&v, map);
	else
		visit_swiss(&v, map);
}

void gh_map_visit_group(const struct gh_runtime *rt, gh_addr group,
			const struct gh_map_slots *slots, gh_map_fn fn, void *ctx)
{
	struct visit v = {.rt = rt, .slots = slots, .fn = fn, .ctx = ctx};

	visit_group(&v, group);
}

void gh_map_visit_table(const struct gh_runtime *rt, gh_addr table,
			const struct gh_map_slots *slots, gh_map_fn fn, void *ctx)
{
	struct visit v = {.rt = rt, .slots = slots, .fn = fn, .ctx = ctx};

	visit_table(&v, table);
}
