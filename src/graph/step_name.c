// SPDX-License-Identifier: Apache-2.0
// See step_name.h.
#include "graph/step_name.h"

#include "base/cleanup.h"
#include "graph/mark_state.h"
#include "graph/types_table.h"
#include "graph/value.h"

enum {
	MAX_DEPTH = 32,	   // of structs and arrays
	MAX_KEY_BYTES = 64, // of a key's text
};

struct naming {
	struct gh_mark *mark;
	struct gh_types *types;
	const struct gh_step *step;
	struct gh_strbuf *sb;
};

/* What people do not write of a field. */
enum how {
	HIDDEN,	     // its name
	HIDDEN_ALL,  // its name and what follows in it
	ENTRY_VALUE, // it is a map's entry: its key instead
	ENTRY_KEY,
};

/* By the full name of the struct, or what it begins with up to "[". */
static const struct known {
	const char *type, *field;
	enum how how;
} knowns[] = {
	{"sync/atomic.Pointer[", "v", HIDDEN},
	{"sync/atomic.Value", "v", HIDDEN},
	{"weak.Pointer[", "u", HIDDEN},
	// what a timer calls: runtime/time.go
	{"runtime.timeTimer", "timer", HIDDEN},
	{"runtime.timer", "arg", HIDDEN},
	// sync/map.go up to go1.23, and with GOEXPERIMENT=nosynchashtriemap
	{"sync.Map", "read", HIDDEN},
	{"sync.Map", "dirty", HIDDEN},
	{"sync.readOnly", "m", HIDDEN},
	{"sync.entry", "p", HIDDEN},
	// sync/hashtriemap.go, internal/sync/hashtriemap.go
	{"sync.Map", "m", HIDDEN},
	{"internal/sync.HashTrieMap[", "root", HIDDEN},
	{"internal/sync.indirect[", "children", HIDDEN_ALL},
	{"internal/sync.entry[", "overflow", HIDDEN_ALL},
	{"internal/sync.entry[", "key", ENTRY_KEY},
	{"internal/sync.entry[", "value", ENTRY_VALUE},
	{"internal/concurrent.HashTrieMap[", "root", HIDDEN},
	{"internal/concurrent.indirect[", "children", HIDDEN_ALL},
	{"internal/concurrent.entry[", "overflow", HIDDEN_ALL},
	{"internal/concurrent.entry[", "key", ENTRY_KEY},
	{"internal/concurrent.entry[", "value", ENTRY_VALUE},
};

static bool is_called(const char *name, const char *known)
{
	size_t len = strlen(known);

	return known[len - 1] == '[' ? !strncmp(name, known, len) : !strcmp(name, known);
}

static const struct known *known_field(struct gh_types *types, struct gh_gotype type,
				       const struct gh_gofield *field)
{
	const char *name = gh_gotype_name(types, type);

	for (size_t i = 0; i < GH_ARRAY_SIZE(knowns); i++)
		if (strlen(knowns[i].field) == field->name_len &&
		    !memcmp(knowns[i].field, field->name, field->name_len) &&
		    is_called(name, knowns[i].type))
			return &knowns[i];
	return NULL;
}

static void put_index(const struct naming *n, int64_t index)
{
	if (n->step->merged)
		gh_strbuf_puts(n->sb, "[…]");
	else
		gh_strbuf_printf(n->sb, "[%lld]", (long long)index);
}

static void put_offset(const struct naming *n, uint64_t offset)
{
	gh_strbuf_printf(n->sb, "+0x%llx", (unsigned long long)offset);
}

/* A string or a number in an interface is the key as people write it. */
static void unbox(const struct naming *n, struct gh_gotype *type, gh_addr *addr)
{
	struct gh_gotype_info info;
	gh_addr dynamic, data;

	if (!gh_gotype_read(n->types, *type, &info) || info.kind != GH_KIND_INTERFACE ||
	    info.has_methods || !gh_read_u64(n->types->rt->image, *addr, &dynamic) ||
	    !gh_read_u64(n->types->rt->image, *addr + 8, &data) ||
	    !gh_module_of_types(n->types->rt, dynamic) ||
	    !gh_gotype_read(n->types, (struct gh_gotype){.rtype = dynamic}, &info) ||
	    !(info.kind <= GH_KIND_COMPLEX128 || info.kind == GH_KIND_STRING))
		return;
	*type = (struct gh_gotype){.rtype = dynamic};
	*addr = data;
}

/* addr: of the key; 0: not known. */
static void put_key(const struct naming *n, struct gh_gotype type, gh_addr addr)
{
	gh_strbuf_puts(n->sb, "[");
	if (n->step->merged || !addr) {
		gh_strbuf_puts(n->sb, "…");
	} else {
		unbox(n, &type, &addr);
		gh_value_brief(n->types, type, addr, MAX_KEY_BYTES, n->step->no_values, n->sb);
	}
	gh_strbuf_puts(n->sb, "]");
}

/* Of an entry of a hash trie. */
static void put_key_of(const struct naming *n, struct gh_gotype entry, gh_addr addr)
{
	struct gh_gofield key = {0};
	bool found = gh_gotype_field_named(n->types, entry, "key", &key);

	put_key(n, key.type, found ? addr + key.offset : 0);
}

/* The field that holds the byte at `offset`: a later one of no size holds none. */
static bool field_at(const struct naming *n, struct gh_gotype type, uint64_t nfields,
		     uint64_t offset, struct gh_gofield *ret)
{
	struct gh_gotype_info info;
	struct gh_gofield field;

	for (uint64_t i = 0; i < nfields; i++)
		if (gh_gotype_field(n->types, type, i, &field) && field.offset <= offset &&
		    gh_gotype_read(n->types, field.type, &info) &&
		    offset - field.offset < info.size) {
			*ret = field;
			return true;
		}
	return false;
}

/* False: nothing follows. */
static bool put_field(const struct naming *n, struct gh_gotype type, gh_addr addr,
		      const struct gh_gofield *field)
{
	const struct known *known = known_field(n->types, type, field);

	if (!known) {
		gh_strbuf_puts(n->sb, ".");
		gh_strbuf_add(n->sb, field->name, field->name_len);
		return true;
	}
	if (known->how == ENTRY_VALUE || known->how == ENTRY_KEY)
		put_key_of(n, type, addr);
	if (known->how == ENTRY_KEY)
		gh_strbuf_puts(n->sb, ".(key)");
	return known->how != HIDDEN_ALL;
}

/* The place at `offset` of the value at addr. */
static void put_place(const struct naming *n, struct gh_gotype type, gh_addr addr, uint64_t offset)
{
	struct gh_gotype_info info, elem;
	struct gh_gofield field;

	for (int depth = 0; depth < MAX_DEPTH; depth++) {
		if (!gh_gotype_read(n->types, type, &info) || offset >= info.size)
			return;
		if (info.kind == GH_KIND_ARRAY) {
			if (!gh_gotype_read(n->types, info.elem, &elem) || !elem.size)
				return;
			put_index(n, (int64_t)(offset / elem.size));
			addr += offset / elem.size * elem.size;
			offset %= elem.size;
			type = info.elem;
			continue;
		}
		if (info.kind != GH_KIND_STRUCT ||
		    !field_at(n, type, info.nfields, offset, &field) ||
		    !put_field(n, type, addr, &field))
			return;
		addr += field.offset;
		offset -= field.offset;
		type = field.type;
	}
}

/* A word of one value of a type with fields; what is a pointer and no more is said to be one. */
static void put_value(const struct naming *n, gh_type_id id, gh_addr addr, uint64_t offset)
{
	struct gh_gotype type = gh_gotype_of(n->types, id);
	struct gh_gotype_info info;
	size_t before = n->sb->len;

	put_place(n, type, addr, offset);
	if (n->sb->len == before && !n->step->is_variable &&
	    gh_gotype_read(n->types, type, &info) &&
	    (info.kind == GH_KIND_POINTER || info.kind == GH_KIND_UNSAFE_POINTER))
		gh_strbuf_puts(n->sb, ".*");
}

static void put_map_entry(const struct naming *n, const struct gh_type *type, uint64_t offset)
{
	struct gh_map_slots slots;
	struct gh_map_place place;
	gh_addr group, key;

	if (!type->size || !gh_map_slots(n->types->rt, type->source, &slots) ||
	    !gh_map_place(&slots, offset % type->size, &place))
		return; // a bucket's pointer to the next
	group = n->step->data + offset / type->size * type->size;
	key = group + place.key_at;
	if (slots.key_is_pointer && !gh_read_u64(n->types->rt->image, key, &key))
		key = 0;
	put_key(n, (struct gh_gotype){.rtype = slots.key}, key);
	if (!place.in_elem)
		gh_strbuf_puts(n->sb, ".(key)");
	if (!(place.in_elem ? slots.elem_is_pointer : slots.key_is_pointer))
		put_place(n, (struct gh_gotype){.rtype = place.in_elem ? slots.elem : slots.key},
			  group + (place.in_elem ? place.elem_at : place.key_at), place.inside);
}

/* Elements count in the order in which they will be received. */
static void put_received(const struct naming *n, const struct gh_type *type, uint64_t offset)
{
	const struct gh_runtime *rt = n->types->rt;
	uint64_t size = type->size, i, first, count;

	if (!size)
		return;
	i = offset / size;
	gh_strbuf_puts(n->sb, ".<-");
	if (n->step->holder && gh_field(rt, n->step->holder, GH_F_hchan_recvx, &first) &&
	    gh_field(rt, n->step->holder, GH_F_hchan_dataqsiz, &count) && first < count &&
	    i < count)
		i = i >= first ? i - first : i + count - first;
	put_index(n, (int64_t)i);
	put_place(n, gh_gotype_of(n->types, (gh_type_id)type->source),
		  n->step->data + offset / size * size, offset % size);
}

/* "main.(*T).run.func1.2" -> "func1.2", "main.T.M-fm" -> "M". True: a method with its receiver. */
static bool put_func(const struct naming *n, gh_addr pc)
{
	static const char *const marks[] = {".func", ".gowrap", ".deferwrap"};
	const char *name, *part = NULL;
	struct gh_func func;

	name = gh_func_find(n->types->rt, pc, &func) ? gh_func_name(n->types->rt, &func) : NULL;
	if (!name)
		return false;
	for (size_t i = 0; !part && i < GH_ARRAY_SIZE(marks); i++) {
		part = strstr(name, marks[i]);
		if (part && (part[strlen(marks[i])] < '0' || part[strlen(marks[i])] > '9'))
			part = NULL;
	}
	if (!part)
		part = strrchr(name, '.');
	part = part ? part + 1 : name;
	gh_strbuf_add(n->sb, part, strcspn(part, "-"));
	return strchr(part, '-') != NULL;
}

/* True: by reference. */
static bool put_captured(const struct naming *n, const struct gh_type *type, uint64_t offset)
{
	struct gh_dwarf *dwarf = n->types->rt->dwarf;
	_cleanup_error_ struct gh_error *err = NULL;
	struct gh_dcapture_vec captures = {0};
	struct gh_dcapture in = {0};
	const struct gh_dtype_info *info;
	bool is_method, by_ref;
	uint64_t inside;

	gh_strbuf_puts(n->sb, ".");
	is_method = put_func(n, type->source);
	if (dwarf)
		err = gh_dwarf_captures(dwarf, type->source - n->types->rt->target->exe_bias,
					&captures);
	for (size_t i = 0; !err && i < captures.len; i++)
		if (captures.data[i].offset <= offset && captures.data[i].offset >= in.offset)
			in = captures.data[i];
	inside = offset - in.offset;
	info = in.type ? gh_dwarf_type(dwarf, in.type) : NULL;
	if (info && in.name[0] != '&' && inside >= info->size)
		info = NULL; // of one that DWARF does not name
	by_ref = info && in.name[0] == '&';
	if (by_ref && inside && info->kind == GH_DK_POINTER) {
		in.type = info->elem; // x itself lies here: see typeshape.c
		by_ref = false;
	}
	if (info) {
		gh_strbuf_printf(n->sb, "·%s", in.name + (in.name[0] == '&'));
		put_place(n, gh_gotype_of_dwarf(n->types, in.type), n->step->data + in.offset,
			  inside);
	} else if (is_method && offset == 8) {
		gh_strbuf_puts(n->sb, "·receiver");
	} else {
		put_offset(n, offset);
	}
	gh_dcapture_vec_deinit(&captures);
	return by_ref;
}

/* By what the object itself is. */
static bool put_of_object(const struct naming *n)
{
	const struct gh_type *type = gh_types_get(n->types, n->step->type);
	uint64_t offset = n->step->at - n->step->data, size = type->size;
	gh_addr addr = n->step->data;

	switch ((enum gh_shape)type->shape) {
	case GH_SHAPE_VALUE:
	case GH_SHAPE_DWARF:
	case GH_SHAPE_TRIE_NODE:
		if (!n->step->type || (size && offset >= size && !n->step->is_array)) {
			put_offset(n, offset);
			break;
		}
		if (n->step->is_array && size) {
			put_index(n, (int64_t)(offset / size));
			addr += offset / size * size;
			offset %= size;
			put_place(n, gh_gotype_of(n->types, n->step->type), addr, offset);
			break;
		}
		put_value(n, n->step->type, addr, offset);
		break;
	case GH_SHAPE_GROUPS:
		put_map_entry(n, type, offset);
		break;
	case GH_SHAPE_CHAN_BUFFER:
		put_received(n, type, offset);
		break;
	case GH_SHAPE_CLOSURE:
		return put_captured(n, type, offset);
	case GH_SHAPE_STRING:
	case GH_SHAPE_USER_ARENA:
		put_offset(n, offset);
		break;
	case GH_SHAPE_CHAN:
	case GH_SHAPE_MAP:
	case GH_SHAPE_TABLE:
	case GH_SHAPE_DIRECTORY:
	case GH_SHAPE_MAP_EXTRA:
	case GH_SHAPE_OVERFLOW:
	case GH_SHAPE_OVERFLOWS:
	case GH_SHAPES:
		break;
	}
	return false;
}

/* What a typed pointer or slice says of the value: people name what they see by it. */
static bool put_of_claim(const struct naming *n)
{
	const struct gh_word *via = n->step->via;
	gh_type_id claimed = gh_mark_code(n->mark, via->code).type;
	const struct gh_type *type = gh_types_get(n->types, claimed);
	bool is_slice = via->kind == GH_EDGE_SLICE;
	bool same = n->step->is_array && claimed == n->step->type;
	int64_t inside = (int64_t)(n->step->at - via->value), index;

	if (!claimed || !type->size || (via->kind != GH_EDGE_POINTER && !is_slice) ||
	    (type->shape != GH_SHAPE_VALUE && type->shape != GH_SHAPE_DWARF))
		return false;
	if (!same && (inside < 0 || (uint64_t)inside >= (is_slice ? via->bytes : type->size)))
		return false;
	index = inside / (int64_t)type->size;
	inside %= (int64_t)type->size;
	if (inside < 0) {
		inside += (int64_t)type->size;
		index--;
	}
	if (n->step->merged ? is_slice : is_slice || index)
		put_index(n, index);
	if (is_slice)
		put_place(n, gh_gotype_of(n->types, claimed), n->step->at - (uint64_t)inside,
			  (uint64_t)inside);
	else
		put_value(n, claimed, n->step->at - (uint64_t)inside, (uint64_t)inside);
	return true;
}

bool gh_step_name(struct gh_mark *mark, const struct gh_step *step, struct gh_strbuf *sb)
{
	const struct naming n = {.mark = mark, .types = mark->types, .step = step, .sb = sb};

	if (step->via && put_of_claim(&n))
		return false;
	if (step->via && step->via->value != step->data && step->type && !step->is_array &&
	    gh_mark_code(mark, step->via->code).type &&
	    gh_types_get(n.types, step->type)->shape == GH_SHAPE_VALUE)
		gh_strbuf_printf(sb, ".(in %s)", gh_types_name(n.types, step->type));
	return put_of_object(&n);
}

void gh_step_assertion(struct gh_types *types, const struct gh_word *word, struct gh_strbuf *sb)
{
	bool has_methods = word->kind == GH_EDGE_IFACE;
	struct gh_rtype t;
	gh_addr type;

	if ((word->kind != GH_EDGE_EFACE && !has_methods) || !word->at ||
	    !gh_read_u64(types->rt->image, word->at - 8, &type))
		return;
	if (has_methods)
		type = gh_itab_type(types->rt, type);
	if (!gh_module_of_types(types->rt, type))
		return;
	if (gh_rtype_read(types->rt, type, &t) && t.kind == GH_KIND_FUNC)
		return; // its name follows
	gh_strbuf_puts(sb, ".(");
	gh_rtype_name(types->rt, type, sb);
	gh_strbuf_puts(sb, ")");
}

bool gh_step_is_inside(struct gh_types *types, gh_type_id id)
{
	switch ((enum gh_shape)gh_types_get(types, id)->shape) {
	case GH_SHAPE_GROUPS:
	case GH_SHAPE_TABLE:
	case GH_SHAPE_DIRECTORY:
	case GH_SHAPE_MAP_EXTRA:
	case GH_SHAPE_OVERFLOW:
	case GH_SHAPE_OVERFLOWS:
	case GH_SHAPE_CHAN_BUFFER:
	case GH_SHAPE_TRIE_NODE:
		return true;
	case GH_SHAPE_VALUE:
	case GH_SHAPE_DWARF:
	case GH_SHAPE_CLOSURE:
	case GH_SHAPE_STRING:
	case GH_SHAPE_USER_ARENA:
	case GH_SHAPE_CHAN:
	case GH_SHAPE_MAP:
	case GH_SHAPES:
		break;
	}
	for (size_t i = 0; id && i < GH_ARRAY_SIZE(knowns); i++)
		if (strcmp(knowns[i].type, "sync.Map") != 0 &&
		    !strstr(knowns[i].type, ".HashTrieMap[") &&
		    strncmp(knowns[i].type, "sync/atomic.", 12) != 0 &&
		    strncmp(knowns[i].type, "runtime.", 8) != 0 &&
		    strncmp(knowns[i].type, "weak.", 5) != 0 &&
		    is_called(gh_types_name(types, id), knowns[i].type))
			return true;
	return false;
}
