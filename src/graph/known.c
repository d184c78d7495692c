// SPDX-License-Identifier: Apache-2.0
// Where the runtime or the standard library allocates one type and hands out a pointer to another,
// or keeps a typed object behind an unsafe.Pointer: what is there in fact. One row a fact. See
// types_table.h.
#include "base/cleanup.h"
#include "graph/types_table.h"

/* A pointer to the first leads to the second. */
static const struct conversion {
	const char *pointee, *object;
} conversions[] = {
	// runtime/time.go: newTimer, go1.23+
	{"time.Timer", "runtime.timeTimer"},
	{"time.Ticker", "runtime.timeTimer"},
};

/*
 * Nodes of hash tries, by what their names begin with: bool isEntry comes first, and tells whether
 * the object is an entry[…] or an indirect[…] (internal/sync/hashtriemap.go,
 * internal/concurrent/hashtriemap.go in go1.23, unique/canonmap.go).
 */
static const char *const tries[] = {"internal/sync.node[", "internal/concurrent.node[",
				    "unique.node["};

/* A field of unsafe.Pointer that holds an array of a type, one value of it, or what an interface
 * does: then the word before tells. */
static const struct field {
	const char *struct_name, *field, *type; // type NULL: the kind says all
	enum gh_edge_kind kind;
} fields[] = {
	{"sync.Pool", "local", "sync.poolLocal", GH_EDGE_ARRAY}, // sync/pool.go
	{"sync.Pool", "victim", "sync.poolLocal", GH_EDGE_ARRAY},
	{"sync.eface", "val", NULL, GH_EDGE_EFACE}, // sync/poolqueue.go: slots of poolDequeue
};

/* Functions made by reflection: what a closure of that code is. */
static const struct {
	const char *code, *object;
} closures[] = {
	{"reflect.makeFuncStub", "reflect.makeFuncImpl"}, // reflect/makefunc.go
	{"reflect.methodValueCall", "reflect.methodValue"},
};

/* Structs that end in an array of which more or less is allocated than they say, and all of it as if
 * it had no pointers. */
static const char *const open_ended[] = {
	"runtime.itabTableType",	     // runtime/iface.go: itabAdd
	"internal/abi.TypeAssertCache",	     // runtime/iface.go: buildTypeAssertCache
	"internal/abi.InterfaceSwitchCache", // runtime/iface.go: buildInterfaceSwitchCache
};

/* Variables that the compiler makes and DWARF does not list, "main..typeAssert.7", by the part of their
 * names behind the package: cmd/compile/internal/walk/expr.go, switch.go. */
static const struct {
	const char *prefix, *type;
} compiler_made[] = {
	{"..typeAssert.", "internal/abi.TypeAssert"},
	{"..interfaceSwitch.", "internal/abi.InterfaceSwitch"},
};

const char *gh_types_of_compiler_made(const char *symbol)
{
	for (size_t i = 0; i < GH_ARRAY_SIZE(compiler_made); i++)
		if (strstr(symbol, compiler_made[i].prefix))
			return compiler_made[i].type;
	return NULL;
}

static gh_type_id type_named(struct gh_types *types, const char *name)
{
	return gh_types_of_rtype(types, gh_types_rtype_named(types, name));
}

/* "internal/sync.node[A,B]": "internal/sync." + part + "[A,B]" */
static gh_type_id part_named(struct gh_types *types, const char *node, const char *part)
{
	_cleanup_strbuf_ struct gh_strbuf name = {0};
	const char *bracket = strchr(node, '['), *dot = bracket;

	while (dot > node && *dot != '.')
		dot--;
	gh_strbuf_add(&name, node, (size_t)(dot + 1 - node));
	gh_strbuf_puts(&name, part);
	gh_strbuf_puts(&name, bracket);
	return gh_strbuf_ok(&name) ? type_named(types, gh_strbuf_str(&name)) : 0;
}

/* The TRIE_NODE type of a node's descriptor. */
static gh_type_id trie_node(struct gh_types *types, gh_addr rtype, const char *name)
{
	gh_type_id id = gh_types_find(types, rtype, GH_SHAPE_TRIE_NODE);
	struct gh_trie trie;

	if (id)
		return id;
	id = gh_types_add(types, &(struct gh_type){.source = rtype, .shape = GH_SHAPE_TRIE_NODE});
	trie = (struct gh_trie){.node = id};
	if (!id)
		return 0;
	trie.entry = part_named(types, name, "entry");
	trie.indirect = part_named(types, name, "indirect");
	return gh_trie_vec_push(&types->tries, trie) ? id : 0;
}

gh_type_id gh_types_trie_part(const struct gh_types *types, gh_type_id node, uint8_t first_byte)
{
	for (size_t i = 0; i < types->tries.len; i++)
		if (types->tries.data[i].node == node)
			return first_byte == 1	 ? types->tries.data[i].entry
			       : first_byte == 0 ? types->tries.data[i].indirect
						 : 0;
	return 0;
}

gh_type_id gh_types_behind(struct gh_types *types, gh_type_id id)
{
	const char *name = gh_types_name(types, id);
	gh_type_id object;

	if (strstr(name, "go.shape."))
		return 0; // variables of generic code have the shape's type, objects never
	if (types->all.data[id].kind != GH_KIND_STRUCT)
		return id;
	for (size_t i = 0; i < GH_ARRAY_SIZE(conversions); i++) {
		if (strcmp(name, conversions[i].pointee) != 0)
			continue;
		object = type_named(types, conversions[i].object);
		return object ? object : id;
	}
	if (types->all.data[id].shape != GH_SHAPE_VALUE)
		return id;
	for (size_t i = 0; i < GH_ARRAY_SIZE(tries); i++)
		if (strncmp(name, tries[i], strlen(tries[i])) == 0)
			return trie_node(types, types->all.data[id].source, name);
	return id;
}

bool gh_types_is_open_ended(struct gh_types *types, gh_type_id id)
{
	const char *name;

	if (types->all.data[id].kind != GH_KIND_STRUCT)
		return false;
	name = gh_types_name(types, id);
	for (size_t i = 0; i < GH_ARRAY_SIZE(open_ended); i++)
		if (strcmp(name, open_ended[i]) == 0)
			return true;
	return false;
}

gh_addr gh_types_known_closure(struct gh_types *types, const char *func_name)
{
	for (size_t i = 0; i < GH_ARRAY_SIZE(closures); i++)
		if (strcmp(func_name, closures[i].code) == 0)
			return gh_types_rtype_named(types, closures[i].object);
	return 0;
}

struct gh_edge gh_types_known_field(struct gh_types *types, const char *struct_name,
				    const char *field, uint64_t len)
{
	for (size_t i = 0; i < GH_ARRAY_SIZE(fields); i++) {
		gh_type_id type = 0;

		if (strlen(fields[i].field) != len || memcmp(fields[i].field, field, len) != 0 ||
		    strcmp(fields[i].struct_name, struct_name) != 0)
			continue;
		if (!fields[i].type)
			return (struct gh_edge){.kind = fields[i].kind};
		type = type_named(types, fields[i].type);
		return (struct gh_edge){.type = type, .kind = type ? fields[i].kind : 0};
	}
	if (len == 3 && memcmp(field, "ptr", 3) == 0 &&
	    (strcmp(struct_name, "reflect.Value") == 0 ||
	     strcmp(struct_name, "internal/reflectlite.Value") == 0))
		return (struct gh_edge){.kind = GH_EDGE_REFLECT};
	return (struct gh_edge){0};
}
