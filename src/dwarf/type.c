// SPDX-License-Identifier: Apache-2.0
// Types, loaded when first reached. Go writes a named type as a typedef to a DIE that has the same
// name (cmd/link/internal/ld/dwarf.go, dotypedef); both are one type here. Maps and channels are
// typedefs to a pointer, with the element's and the key's type beside it.
#include "dwarf/internal.h"

#include <dwarf.h>

enum {
	MAX_CHAIN = 64,	      // typedefs and qualifiers in a row
	MAX_FIELDS = 1 << 16, // of one struct
	MAX_PATH = 64,	      // elements of a field path
	MAX_EMBEDDED = 8,     // embedded structs a promoted field may be below
	GO_KIND_FUNC = 19,    // reflect.Func
	GO_KIND_MASK = 31,
	POINTER_BYTES = 8,
};

bool gh_dwarf_attr_u64(Dwarf_Die *die, unsigned int name, uint64_t *ret)
{
	Dwarf_Attribute attr;
	Dwarf_Word value;
	Dwarf_Addr addr;
	bool flag;

	if (!dwarf_attr(die, name, &attr))
		return false;
	switch (dwarf_whatform(&attr)) {
	case DW_FORM_flag:
	case DW_FORM_flag_present:
		if (dwarf_formflag(&attr, &flag) != 0)
			return false;
		*ret = flag;
		return true;
	case DW_FORM_addr:
	case DW_FORM_addrx:
		if (dwarf_formaddr(&attr, &addr) != 0)
			return false;
		*ret = addr;
		return true;
	default: // a block, say a location expression, is no number, and libdw refuses it
		if (dwarf_formudata(&attr, &value) != 0)
			return false;
		*ret = value;
		return true;
	}
}

bool gh_dwarf_location_attr(Dwarf_Die *die, unsigned int name, bool integrate, Dwarf_Attribute *ret)
{
	enum { ONE_BYTE_LEB = 128 };
	Dwarf_Block block;

	if (integrate ? !dwarf_attr_integrate(die, name, ret) : !dwarf_attr(die, name, ret))
		return false;
	if (dwarf_whatform(ret) != DW_FORM_block1)
		return true;
	if (dwarf_formblock(ret, &block) != 0 || block.length >= ONE_BYTE_LEB)
		return false;
	ret->form = DW_FORM_exprloc;
	return true;
}

bool gh_dwarf_referred(struct gh_dwarf *dwarf, Dwarf_Die *die, unsigned int name, bool integrate,
		       Dwarf_Die *ret)
{
	Dwarf_Attribute attr;
	Dwarf_Die target;

	return (integrate ? dwarf_attr_integrate(die, name, &attr)
			  : dwarf_attr(die, name, &attr)) &&
	       dwarf_formref_die(&attr, &target) &&
	       gh_dwarf_die_at(dwarf, dwarf_dieoffset(&target), ret);
}

bool gh_dwarf_spend(struct gh_dwarf *dwarf, uint64_t nbytes)
{
	enum { PASSES = 64, SLACK = 1 << 20 }; // we need three passes over everything at most
	uint64_t limit = dwarf->sections.info.len + dwarf->sections.loc_bytes + SLACK;

	dwarf->spent += gh_min_u64(nbytes, limit);
	return dwarf->spent / PASSES < limit;
}

bool gh_dwarf_child(struct gh_dwarf *dwarf, Dwarf_Die *parent, Dwarf_Die *ret)
{
	return gh_dwarf_spend(dwarf, 1) && dwarf_child(parent, ret) == 0;
}

bool gh_dwarf_sibling(struct gh_dwarf *dwarf, Dwarf_Die *die)
{
	const uint8_t *from = die->addr;
	int rc = dwarf_siblingof(die, die);

	// what was stepped over, which may be all the rest of the unit
	return gh_dwarf_spend(dwarf, 1 + (uint64_t)((const uint8_t *)die->addr - from)) && rc == 0;
}

static bool referred(struct gh_dwarf *dwarf, Dwarf_Die *die, unsigned int name, Dwarf_Die *ret)
{
	return gh_dwarf_referred(dwarf, die, name, /* integrate= */ false, ret);
}

static bool is_see_through(Dwarf_Die *die)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_const_type:
	case DW_TAG_volatile_type:
	case DW_TAG_restrict_type:
	case DW_TAG_atomic_type:
		return true;
	case DW_TAG_typedef:
		// a type parameter's stand-in: the name says nothing
		return dwarf_hasattr(die, GH_AT_go_dict_index);
	default:
		return false;
	}
}

static bool is_same_name(struct gh_dwarf *dwarf, Dwarf_Die *a, Dwarf_Die *b)
{
	const char *x = gh_dwarf_raw_name(dwarf, a), *y = gh_dwarf_raw_name(dwarf, b);

	return x && y && strcmp(x, y) == 0;
}

/* The DIE that stands for a type: qualifiers and Go's typedefs to their own name seen through. */
static bool canonical(struct gh_dwarf *dwarf, Dwarf_Die *die)
{
	Dwarf_Die target;

	for (int i = 0; i < MAX_CHAIN; i++) {
		bool see_through = is_see_through(die);

		if (!see_through && dwarf_tag(die) != DW_TAG_typedef)
			return true;
		if (!referred(dwarf, die, DW_AT_type, &target))
			return !see_through; // "const void"
		if (!see_through && !is_same_name(dwarf, die, &target))
			return true;
		*die = target;
	}
	return false;
}

gh_dtype gh_dwarf_type_intern(struct gh_dwarf *dwarf, Dwarf_Die *die)
{
	uint64_t offset = dwarf_dieoffset(die);
	gh_dtype type = gh_offset_map_get(&dwarf->type_of_die, offset);
	Dwarf_Die target = *die;
	uint64_t target_offset;

	if (type || !canonical(dwarf, &target))
		return type;
	target_offset = dwarf_dieoffset(&target);
	type = gh_offset_map_get(&dwarf->type_of_die, target_offset);
	if (!type) {
		struct gh_dwarf_type_slot slot = {.die = target_offset};

		if (dwarf->types.len == 0 &&
		    !gh_dwarf_type_vec_push(&dwarf->types, (struct gh_dwarf_type_slot){0}))
			return 0;
		type = (gh_dtype)dwarf->types.len;
		if (!gh_dwarf_type_vec_push(&dwarf->types, slot) ||
		    !gh_offset_map_put(&dwarf->type_of_die, target_offset, type))
			return 0;
	}
	if (offset != target_offset && !gh_offset_map_put(&dwarf->type_of_die, offset, type))
		return 0;
	return type;
}

gh_dtype gh_dwarf_type_of(struct gh_dwarf *dwarf, Dwarf_Die *die, unsigned int attr)
{
	Dwarf_Die target;

	return referred(dwarf, die, attr, &target) ? gh_dwarf_type_intern(dwarf, &target) : 0;
}

/* Length of a C array's or Go array's dimensions, multiplied. */
static uint64_t array_count(struct gh_dwarf *dwarf, Dwarf_Die *die)
{
	enum { MAX_DIMENSIONS = 16 };
	uint64_t count = 1, n;
	Dwarf_Die child;
	int seen = 0;

	if (!gh_dwarf_child(dwarf, die, &child))
		return 0;
	do {
		if (dwarf_tag(&child) != DW_TAG_subrange_type)
			continue;
		if (!gh_dwarf_attr_u64(&child, DW_AT_count, &n)) {
			if (!gh_dwarf_attr_u64(&child, DW_AT_upper_bound, &n))
				return 0;
			n++;
		}
		if (gh_mul(count, n, &count))
			return 0;
		seen++;
	} while (seen < MAX_DIMENSIONS && gh_dwarf_sibling(dwarf, &child));
	return seen ? count : 0;
}

/* Bytes of a type whose DIE may not say them: pointers, typedefs, C's arrays. */
uint64_t gh_dwarf_size_of(struct gh_dwarf *dwarf, Dwarf_Die die)
{
	uint64_t size, scale = 1;

	for (int i = 0; i < MAX_CHAIN; i++) {
		int tag = dwarf_tag(&die);

		if (gh_dwarf_attr_u64(&die, DW_AT_byte_size, &size))
			return gh_mul(size, scale, &size) ? 0 : size;
		if (tag == DW_TAG_pointer_type)
			return gh_mul(scale, (uint64_t)POINTER_BYTES, &size) ? 0 : size;
		if (tag == DW_TAG_array_type && gh_mul(scale, array_count(dwarf, &die), &scale))
			return 0;
		if ((tag != DW_TAG_array_type && tag != DW_TAG_typedef &&
		     tag != DW_TAG_enumeration_type && !is_see_through(&die)) ||
		    !referred(dwarf, &die, DW_AT_type, &die))
			return 0;
	}
	return 0;
}

static bool load_field(struct gh_dwarf *dwarf, Dwarf_Die *die, struct gh_dfield *field)
{
	uint64_t embedded = 0;

	*field = (struct gh_dfield){0};
	// a bit field has no place of its own; it keeps offset 0 and no type
	if (gh_dwarf_attr_u64(die, DW_AT_data_member_location, &field->offset))
		field->type = gh_dwarf_type_of(dwarf, die, DW_AT_type);
	gh_dwarf_attr_u64(die, GH_AT_go_embedded_field, &embedded);
	field->embedded = embedded != 0;
	field->name = gh_dwarf_go_name(dwarf, gh_dwarf_raw_name(dwarf, die));
	return field->name;
}

/* False: out of memory. */
static bool load_fields(struct gh_dwarf *dwarf, Dwarf_Die *die, struct gh_dtype_info *info)
{
	struct gh_dfield *fields;
	Dwarf_Die child;
	uint32_t n = 0, i = 0;
	bool more;

	for (more = gh_dwarf_child(dwarf, die, &child); more && n < MAX_FIELDS;
	     more = gh_dwarf_sibling(dwarf, &child))
		n += dwarf_tag(&child) == DW_TAG_member;
	if (n == 0)
		return true;
	fields = gh_arena_alloc(&dwarf->arena, n * sizeof(*fields));
	if (!fields)
		return false;
	for (more = gh_dwarf_child(dwarf, die, &child); more && i < n;
	     more = gh_dwarf_sibling(dwarf, &child))
		if (dwarf_tag(&child) == DW_TAG_member && !load_field(dwarf, &child, &fields[i++]))
			return false;
	info->fields = fields;
	info->nfields = i;
	return true;
}

static bool fill(struct gh_dwarf *dwarf, Dwarf_Die *die, struct gh_dtype_info *info)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_base_type:
	case DW_TAG_enumeration_type:
		info->kind = GH_DK_BASE;
		return true;
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
		info->kind = GH_DK_POINTER;
		info->elem = gh_dwarf_type_of(dwarf, die, DW_AT_type);
		return true;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
		info->kind = GH_DK_STRUCT;
		return load_fields(dwarf, die, info);
	case DW_TAG_array_type:
		info->kind = GH_DK_ARRAY;
		info->elem = gh_dwarf_type_of(dwarf, die, DW_AT_type);
		info->count = array_count(dwarf, die);
		return true;
	case DW_TAG_unspecified_type:
		info->kind = GH_DK_VOID;
		return true;
	case DW_TAG_subroutine_type:
		info->kind = info->go_kind == GO_KIND_FUNC ? GH_DK_FUNC : GH_DK_OTHER;
		return true;
	default:
		info->kind = GH_DK_OTHER;
		return true;
	}
}

/* What Go says beside DWARF's own words; of a chain of typedefs the first that says it. */
static void load_go_attrs(struct gh_dwarf *dwarf, Dwarf_Die *die, struct gh_dtype_info *info)
{
	uint64_t value;

	if (!info->go_kind && gh_dwarf_attr_u64(die, GH_AT_go_kind, &value))
		info->go_kind = value & GO_KIND_MASK;
	if (!info->elem)
		info->elem = gh_dwarf_type_of(dwarf, die, GH_AT_go_elem);
	if (!info->key)
		info->key = gh_dwarf_type_of(dwarf, die, GH_AT_go_key);
}

static struct gh_dtype_info *load(struct gh_dwarf *dwarf, uint64_t offset)
{
	struct gh_dtype_info *info = gh_arena_alloc(&dwarf->arena, sizeof(*info));
	gh_dtype go_elem;
	Dwarf_Die die;

	if (!info || !gh_dwarf_die_at(dwarf, offset, &die))
		return NULL;
	info->name = gh_dwarf_go_name(dwarf, gh_dwarf_raw_name(dwarf, &die));
	info->size = gh_dwarf_size_of(dwarf, die);
	info->rtype = gh_dwarf_rtype(dwarf, &die);
	for (int i = 0; i < MAX_CHAIN; i++) {
		load_go_attrs(dwarf, &die, info);
		if (!info->rtype)
			info->rtype = gh_dwarf_rtype(dwarf, &die);
		if ((dwarf_tag(&die) != DW_TAG_typedef && !is_see_through(&die)) ||
		    !referred(dwarf, &die, DW_AT_type, &die))
			break;
	}
	go_elem = info->elem; // of a map or a channel: not what the pointer points to
	if (!info->name || !fill(dwarf, &die, info))
		return NULL;
	if (go_elem)
		info->elem = go_elem;
	return info;
}

const struct gh_dtype_info *gh_dwarf_type(struct gh_dwarf *dwarf, gh_dtype type)
{
	static const struct gh_dtype_info none = {.name = ""};

	if (type == 0 || type >= dwarf->types.len)
		return &none;
	if (!dwarf->types.data[type].info) {
		struct gh_dtype_info *info = load(dwarf, dwarf->types.data[type].die);

		dwarf->types.data[type].info = info;
	}
	return dwarf->types.data[type].info ? dwarf->types.data[type].info : &none;
}

static bool hash_names(struct gh_dwarf *dwarf)
{
	size_t n = dwarf->names.len;

	if (dwarf->nhashed == n)
		return true;
	if (dwarf->nbuckets < n) {
		size_t nbuckets = 1024;

		while (nbuckets < n)
			nbuckets *= 2;
		free(dwarf->buckets);
		dwarf->nhashed = dwarf->nbuckets = 0;
		dwarf->buckets = gh_alloc_array(nbuckets, sizeof(*dwarf->buckets));
		if (!dwarf->buckets)
			return false;
		dwarf->nbuckets = nbuckets;
	}
	for (size_t i = dwarf->nhashed; i < n; i++) {
		struct gh_dwarf_name *name = &dwarf->names.data[i];
		uint32_t *head =
			&dwarf->buckets[gh_dwarf_name_hash(name->name) & (dwarf->nbuckets - 1)];

		name->next = *head;
		*head = (uint32_t)i + 1;
	}
	dwarf->nhashed = n;
	return true;
}

/* Among types of one name the best: the name written exactly so, then the one with fields. */
static gh_dtype find_hashed(struct gh_dwarf *dwarf, const char *go_name)
{
	enum { MAX_ALIKE = 1000 };
	uint32_t i;
	gh_dtype best = 0;
	int best_score = 0, seen = 0;

	if (!hash_names(dwarf) || dwarf->nbuckets == 0)
		return 0;
	i = dwarf->buckets[gh_dwarf_name_hash(go_name) & (dwarf->nbuckets - 1)];
	for (; i && seen < MAX_ALIKE; i = dwarf->names.data[i - 1].next) {
		const struct gh_dwarf_name *name = &dwarf->names.data[i - 1];
		const struct gh_dtype_info *info;
		gh_dtype type;
		Dwarf_Die die;
		int score;

		if (!gh_dwarf_name_is(name->name, go_name) ||
		    !gh_dwarf_die_at(dwarf, name->die, &die))
			continue;
		seen++;
		type = gh_dwarf_type_intern(dwarf, &die);
		info = gh_dwarf_type(dwarf, type);
		if (info->kind != GH_DK_STRUCT)
			continue;
		score = 1 + !name->is_typedef + (info->nfields > 0) * 2 +
			(strcmp(name->name, go_name) == 0) * 4;
		if (score > best_score) {
			best = type;
			best_score = score;
		}
	}
	return best;
}

gh_dtype gh_dwarf_struct_find(struct gh_dwarf *dwarf, const char *name)
{
	struct gh_error *err = gh_dwarf_scan_runtime(dwarf);
	gh_dtype type = err ? 0 : find_hashed(dwarf, name);

	// the linker puts all of Go's types into a unit of package runtime: others need not be read
	if (!err && !type && dwarf->names.len == 0) {
		err = gh_dwarf_scan_all(dwarf, /* poll= */ NULL);
		type = err ? 0 : find_hashed(dwarf, name);
	}
	gh_error_destroy(err);
	return type;
}

static const struct gh_dfield *field_named(const struct gh_dtype_info *info, const char *name,
					   size_t len)
{
	for (uint32_t i = 0; i < info->nfields; i++)
		if (strncmp(info->fields[i].name, name, len) == 0 && !info->fields[i].name[len])
			return &info->fields[i];
	return NULL;
}

/*
 * A field by its plain name, or one that an embedded struct lends: breadth first as in Go, so the
 * depth is tried in steps. *type becomes the field's type.
 */
static bool find_below(struct gh_dwarf *dwarf, gh_dtype *type, const char *name, size_t len,
		       int depth, int *budget, uint64_t *offset)
{
	const struct gh_dtype_info *info = gh_dwarf_type(dwarf, *type);
	const struct gh_dfield *field;

	if (info->kind != GH_DK_STRUCT || --*budget < 0)
		return false;
	if (depth == 0) {
		field = field_named(info, name, len);
		if (!field || !field->type)
			return false;
		*type = field->type;
		*offset += field->offset;
		return true;
	}
	for (uint32_t i = 0; i < info->nfields; i++) {
		gh_dtype inner = info->fields[i].type;
		uint64_t at = *offset + info->fields[i].offset;

		if (info->fields[i].embedded &&
		    find_below(dwarf, &inner, name, len, depth - 1, budget, &at)) {
			*type = inner;
			*offset = at;
			return true;
		}
	}
	return false;
}

bool gh_dwarf_field_find(struct gh_dwarf *dwarf, gh_dtype type, const char *path,
			 uint64_t *offset_ret, uint64_t *size_ret)
{
	enum { BUDGET = 10000 };
	uint64_t offset = 0;

	for (int i = 0; i < MAX_PATH && *path; i++) {
		size_t len = strcspn(path, ".");
		int budget = BUDGET;
		bool found = false;

		for (int depth = 0; depth < MAX_EMBEDDED && !found; depth++)
			found = find_below(dwarf, &type, path, len, depth, &budget, &offset);
		if (!found)
			return false;
		path += len + (path[len] == '.');
		if (*path)
			continue;
		*offset_ret = offset;
		if (size_ret)
			*size_ret = gh_dwarf_type(dwarf, type)->size;
		return true;
	}
	return false;
}
