// SPDX-License-Identifier: Apache-2.0
// A fast pass over the top level of units: names of types, functions, package variables. Decodes
// DIEs itself, as libdw takes a tree search and two reads for each DIE that is only stepped over,
// and Go gives no DW_AT_sibling to step with. What is malformed ends its unit.
#include "dwarf/internal.h"

#include <dwarf.h>

#include "base/cleanup.h"

enum {
	MAX_CODE_GAP = 64, // compilers number abbreviations without gaps
	MAX_ATTRS = 128,   // of one abbreviation; GCC's longest have some 30
	MAX_FORM = 0x30,
	LANG_GO = 0x16,
};

struct cursor {
	const uint8_t *p, *end;
	bool bad; // read beyond the end; sticky
};

static uint64_t take(struct cursor *c, unsigned int n)
{
	uint64_t v = 0;

	if ((size_t)(c->end - c->p) < n) {
		c->bad = true;
		c->p = c->end;
		return 0;
	}
	memcpy(&v, c->p, n);
	c->p += n;
	return v;
}

static void skip(struct cursor *c, uint64_t n)
{
	if ((uint64_t)(c->end - c->p) < n) {
		c->bad = true;
		n = (uint64_t)(c->end - c->p);
	}
	c->p += n;
}

static uint64_t take_uleb(struct cursor *c)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; c->p < c->end; shift += 7) {
		uint8_t byte = *c->p++;

		if (shift < 64)
			v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	c->bad = true;
	return 0;
}

static void skip_string(struct cursor *c)
{
	const uint8_t *nul = memchr(c->p, 0, (size_t)(c->end - c->p));

	c->bad |= !nul;
	c->p = nul ? nul + 1 : c->end;
}

/* What a form takes in .debug_info: a number of bytes, or one of these. */
enum {
	SKIP_FIXED_MAX = 16,
	SKIP_STRING,
	SKIP_LEB,
	SKIP_BLOCK1,
	SKIP_BLOCK2,
	SKIP_BLOCK4,
	SKIP_BLOCK_LEB,
	SKIP_OFFSET, // 4 or 8 by the unit's format
	SKIP_REF_ADDR,
	SKIP_UNKNOWN,
};

static uint8_t skip_of_form(uint64_t form)
{
	static const uint8_t skips[MAX_FORM] = {
		[DW_FORM_addr] = 8,
		[DW_FORM_block2] = SKIP_BLOCK2,
		[DW_FORM_block4] = SKIP_BLOCK4,
		[DW_FORM_data2] = 2,
		[DW_FORM_data4] = 4,
		[DW_FORM_data8] = 8,
		[DW_FORM_string] = SKIP_STRING,
		[DW_FORM_block] = SKIP_BLOCK_LEB,
		[DW_FORM_block1] = SKIP_BLOCK1,
		[DW_FORM_data1] = 1,
		[DW_FORM_flag] = 1,
		[DW_FORM_sdata] = SKIP_LEB,
		[DW_FORM_strp] = SKIP_OFFSET,
		[DW_FORM_udata] = SKIP_LEB,
		[DW_FORM_ref_addr] = SKIP_REF_ADDR,
		[DW_FORM_ref1] = 1,
		[DW_FORM_ref2] = 2,
		[DW_FORM_ref4] = 4,
		[DW_FORM_ref8] = 8,
		[DW_FORM_ref_udata] = SKIP_LEB,
		[DW_FORM_sec_offset] = SKIP_OFFSET,
		[DW_FORM_exprloc] = SKIP_BLOCK_LEB,
		[DW_FORM_strx] = SKIP_LEB,
		[DW_FORM_addrx] = SKIP_LEB,
		[DW_FORM_ref_sup4] = 4,
		[DW_FORM_strp_sup] = SKIP_OFFSET,
		[DW_FORM_data16] = 16,
		[DW_FORM_line_strp] = SKIP_OFFSET,
		[DW_FORM_ref_sig8] = 8,
		[DW_FORM_loclistx] = SKIP_LEB,
		[DW_FORM_rnglistx] = SKIP_LEB,
		[DW_FORM_ref_sup8] = 8,
		[DW_FORM_strx1] = 1,
		[DW_FORM_strx2] = 2,
		[DW_FORM_strx3] = 3,
		[DW_FORM_strx4] = 4,
		[DW_FORM_addrx1] = 1,
		[DW_FORM_addrx2] = 2,
		[DW_FORM_addrx3] = 3,
		[DW_FORM_addrx4] = 4,
	};

	if (form == DW_FORM_flag_present || form == DW_FORM_implicit_const)
		return 0;
	return form < MAX_FORM && skips[form] ? skips[form] : SKIP_UNKNOWN;
}

struct attr {
	uint16_t name;
	uint8_t form; // below MAX_FORM
	uint8_t skip;
};
GH_VEC(attr_vec, struct attr);
GH_VEC(skip_vec, uint8_t);

struct abbrev {
	uint16_t tag; // 0: the code is not used
	bool has_children;
	uint8_t nattrs, nskips;
	uint32_t first_attr, first_skip;
};
GH_VEC(abbrev_vec, struct abbrev);

struct gh_abbrev_table {
	struct abbrev_vec codes; // by code
	struct attr_vec attrs;
	bool is_whole;	       // all of it was read
	struct skip_vec skips; // how to step over a DIE: runs of fixed sizes in one step
};

static void table_destroy(struct gh_abbrev_table *table)
{
	if (!table)
		return;
	abbrev_vec_deinit(&table->codes);
	attr_vec_deinit(&table->attrs);
	skip_vec_deinit(&table->skips);
	free(table);
}

static uint8_t resolve_skip(const struct gh_dwarf_unit *unit, uint64_t form)
{
	uint8_t skip_kind = skip_of_form(form);
	uint8_t offset_bytes = unit->is_64bit ? 8 : 4;

	if (skip_kind == SKIP_REF_ADDR)
		return unit->version == 2 ? 8 : offset_bytes;
	return skip_kind == SKIP_OFFSET ? offset_bytes : skip_kind;
}

/* Put the next attribute's size behind the others, or add it to the last. False: out of memory. */
static bool add_skip(struct gh_abbrev_table *table, uint32_t first, uint8_t kind)
{
	uint8_t *last = table->skips.len > first ? &table->skips.data[table->skips.len - 1] : NULL;

	if (kind == 0)
		return true;
	if (last && kind <= SKIP_FIXED_MAX && *last + kind <= SKIP_FIXED_MAX) {
		*last = (uint8_t)(*last + kind);
		return true;
	}
	return skip_vec_push(&table->skips, kind);
}

/* The attributes of one abbreviation. False: out of memory. */
static bool read_attrs(struct gh_abbrev_table *table, const struct gh_dwarf_unit *unit,
		       struct cursor *c, struct abbrev *abbrev)
{
	abbrev->first_attr = (uint32_t)table->attrs.len;
	abbrev->first_skip = (uint32_t)table->skips.len;
	while (!c->bad) {
		uint64_t name = take_uleb(c), form = take_uleb(c);
		struct attr attr = {.skip = resolve_skip(unit, form)};

		if (form == DW_FORM_implicit_const)
			take_uleb(c); // signed, but only its end matters
		if (name == 0 && form == 0)
			break;
		attr.name = name <= UINT16_MAX ? (uint16_t)name : 0;
		attr.form = form < MAX_FORM ? (uint8_t)form : 0;
		if (abbrev->nattrs == MAX_ATTRS)
			c->bad = true;
		else if (!attr_vec_push(&table->attrs, attr) ||
			 !add_skip(table, abbrev->first_skip, attr.skip))
			return false;
		else
			abbrev->nattrs++;
	}
	abbrev->nskips = (uint8_t)(table->skips.len - abbrev->first_skip);
	return true;
}

/* False: out of memory. */
static bool read_table(struct gh_abbrev_table *table, const struct gh_dwarf_unit *unit,
		       struct cursor *c)
{
	while (!c->bad) {
		uint64_t code = take_uleb(c), tag;
		struct abbrev abbrev = {0};

		if (code > table->codes.len + MAX_CODE_GAP)
			break;
		if (code == 0) {
			table->is_whole = !c->bad;
			break;
		}
		tag = take_uleb(c);
		abbrev.tag = tag && tag < UINT16_MAX ? (uint16_t)tag : UINT16_MAX;
		abbrev.has_children = take(c, 1) != 0;
		if (!read_attrs(table, unit, c, &abbrev))
			return false;
		while (table->codes.len <= code)
			if (!abbrev_vec_push(&table->codes, (struct abbrev){0}))
				return false;
		if (!c->bad)
			table->codes.data[code] = abbrev;
	}
	return true;
}

/*
 * The table of a unit, read once. NULL: out of memory. Tables may overlap in a hostile file: what
 * all of them take to read is limited to some times the section, those beyond it are empty.
 */
static const struct gh_abbrev_table *table_of(struct gh_dwarf *dwarf,
					      const struct gh_dwarf_unit *unit)
{
	enum { OVERLAP = 16, SLACK = 4096 };
	const struct gh_dwarf_bytes *bytes = &dwarf->sections.abbrev;
	uint64_t key = unit->abbrev_offset << 4 | (uint64_t)unit->version << 1 | unit->is_64bit;
	uint32_t known = gh_offset_map_get(&dwarf->abbrev_of_offset, key);
	struct gh_abbrev_table *table;
	struct cursor c;

	if (known)
		return dwarf->abbrevs.data[known - 1];
	table = calloc(1, sizeof(*table));
	if (!table)
		return NULL;
	if (!gh_abbrev_table_vec_push(&dwarf->abbrevs, table)) {
		table_destroy(table);
		return NULL;
	}
	c = (struct cursor){.p = bytes->data + gh_min_u64(unit->abbrev_offset, bytes->len),
			    .end = bytes->data + bytes->len};
	if (dwarf->abbrev_budget == 0)
		dwarf->abbrev_budget = bytes->len * OVERLAP + SLACK;
	if ((uint64_t)(c.end - c.p) >= dwarf->abbrev_budget)
		c.end = c.p;
	known = (uint32_t)dwarf->abbrevs.len;
	if (!read_table(table, unit, &c) ||
	    !gh_offset_map_put(&dwarf->abbrev_of_offset, key, known))
		return NULL;
	dwarf->abbrev_budget -=
		(uint64_t)(c.p - bytes->data) - gh_min_u64(unit->abbrev_offset, bytes->len);
	return table;
}

static inline void skip_attr(struct cursor *c, uint8_t kind)
{
	if (GH_LIKELY(kind <= SKIP_FIXED_MAX)) {
		skip(c, kind);
		return;
	}
	switch (kind) {
	case SKIP_STRING:
		skip_string(c);
		return;
	case SKIP_LEB:
		take_uleb(c);
		return;
	case SKIP_BLOCK1:
		skip(c, take(c, 1));
		return;
	case SKIP_BLOCK2:
		skip(c, take(c, 2));
		return;
	case SKIP_BLOCK4:
		skip(c, take(c, 4));
		return;
	case SKIP_BLOCK_LEB:
		skip(c, take_uleb(c));
		return;
	default:
		c->bad = true;
	}
}

/* The attributes that the pass looks at. */
struct die {
	const char *name;
	struct attr low_form, high_form;
	uint64_t low, high, language, addr_base, sibling;
	const uint8_t *location; // the block's first byte; NULL when empty or a list
	bool has_low, has_high;
};

static uint64_t number_at(struct cursor c, struct attr attr)
{
	if (attr.skip == SKIP_LEB)
		return take_uleb(&c);
	return attr.skip <= 8 ? take(&c, attr.skip) : 0;
}

static const uint8_t *block_at(struct cursor c, struct attr attr)
{
	uint64_t len = 0;

	if (attr.skip == SKIP_BLOCK1)
		len = take(&c, 1);
	else if (attr.skip == SKIP_BLOCK_LEB)
		len = take_uleb(&c);
	return len && c.p < c.end ? c.p : NULL;
}

/* A string that stands in the DIE, whose end was seen, or in a section of strings (C's). */
static const char *string_at(const struct gh_dwarf *dwarf, struct cursor c, struct attr attr)
{
	const struct gh_dwarf_bytes *strings;
	uint64_t at;

	if (attr.form == DW_FORM_string)
		return (const char *)c.p;
	if (attr.form != DW_FORM_strp && attr.form != DW_FORM_line_strp)
		return NULL;
	strings = attr.form == DW_FORM_strp ? &dwarf->sections.str : &dwarf->sections.line_str;
	at = number_at(c, attr);
	if (at >= strings->len || !memchr(strings->data + at, 0, strings->len - at))
		return NULL;
	return (const char *)strings->data + at;
}

static void read_attr(const struct gh_dwarf *dwarf, struct cursor c, struct attr attr,
		      struct die *die)
{
	switch (attr.name) {
	case DW_AT_name:
		die->name = string_at(dwarf, c, attr);
		break;
	case DW_AT_low_pc:
		die->low = number_at(c, attr);
		die->low_form = attr;
		die->has_low = true;
		break;
	case DW_AT_high_pc:
		die->high = number_at(c, attr);
		die->high_form = attr;
		die->has_high = true;
		break;
	case DW_AT_language:
		die->language = number_at(c, attr);
		break;
	case DW_AT_addr_base:
		die->addr_base = number_at(c, attr);
		break;
	case DW_AT_location:
		die->location = block_at(c, attr);
		break;
	case DW_AT_sibling:
		die->sibling = number_at(c, attr);
		break;
	default:
		break;
	}
}

static void read_die(const struct gh_dwarf *dwarf, struct cursor *c,
		     const struct gh_abbrev_table *table, const struct abbrev *abbrev,
		     struct die *die)
{
	const struct attr *attrs = &table->attrs.data[abbrev->first_attr];

	for (uint32_t i = 0; i < abbrev->nattrs && !c->bad; i++) {
		struct cursor at = *c;

		skip_attr(c, attrs[i].skip);
		if (!c->bad)
			read_attr(dwarf, at, attrs[i], die);
	}
}

/* An address that is written out, or an index into the unit's part of .debug_addr. */
static bool address(const struct gh_dwarf *dwarf, const struct gh_dwarf_unit *unit, uint64_t value,
		    struct attr attr, gh_addr *ret)
{
	const struct gh_dwarf_bytes *addr = &dwarf->sections.addr;
	uint64_t at;

	if (attr.form == DW_FORM_addr) {
		*ret = value;
		return true;
	}
	if (gh_mul(value, (uint64_t)8, &at) || gh_add(at, unit->addr_base, &at) || addr->len < 8 ||
	    at > addr->len - 8)
		return false;
	*ret = gh_u64_at(addr->data + at);
	return true;
}

static bool add_func(struct gh_dwarf *dwarf, const struct gh_dwarf_unit *unit,
		     const struct die *die, uint64_t offset)
{
	struct gh_dwarf_func func = {.die = offset};

	if (!die->has_low || !die->has_high ||
	    !address(dwarf, unit, die->low, die->low_form, &func.low))
		return true;
	if (die->high_form.form == DW_FORM_addr)
		func.high = die->high;
	else if (gh_add(func.low, die->high, &func.high))
		return true;
	return func.low >= func.high || gh_dwarf_func_vec_push(&dwarf->funcs, func);
}

/* Keep what a top-level DIE tells. False: out of memory. */
static bool keep(struct gh_dwarf *dwarf, const struct gh_dwarf_unit *unit, uint16_t tag,
		 const struct die *die, uint64_t offset)
{
	switch (tag) {
	case DW_TAG_structure_type:
	case DW_TAG_typedef:
		return !die->name ||
		       gh_dwarf_name_vec_push(&dwarf->names,
					      (struct gh_dwarf_name){
						      .name = die->name,
						      .die = offset,
						      .is_typedef = tag == DW_TAG_typedef,
					      });
	case DW_TAG_variable:
		return !die->location ||
		       (*die->location != DW_OP_addr && *die->location != DW_OP_addrx) ||
		       gh_dwarf_die_vec_push(&dwarf->var_dies, offset);
	case DW_TAG_subprogram:
		return add_func(dwarf, unit, die, offset);
	default:
		return true;
	}
}

static const struct abbrev *take_abbrev(struct cursor *c, const struct gh_abbrev_table *table,
					uint64_t code)
{
	if (code >= table->codes.len || table->codes.data[code].tag == 0) {
		c->bad = true;
		return NULL;
	}
	return &table->codes.data[code];
}

/* Step over all descendants of a DIE. Every step takes a byte at least. */
static void skip_children(struct cursor *c, const struct gh_abbrev_table *table)
{
	uint64_t depth = 1;

	while (depth && !c->bad) {
		uint64_t code = take_uleb(c);
		const struct abbrev *abbrev;

		if (code == 0) {
			depth--;
			continue;
		}
		abbrev = take_abbrev(c, table, code);
		if (!abbrev)
			return;
		for (uint32_t i = 0; i < abbrev->nskips; i++)
			skip_attr(c, table->skips.data[abbrev->first_skip + i]);
		depth += abbrev->has_children;
	}
}

static struct gh_error *scan_unit(struct gh_dwarf *dwarf, struct gh_dwarf_unit *unit)
{
	const uint8_t *info = dwarf->sections.info.data;
	const struct gh_abbrev_table *table;
	const struct abbrev *abbrev;
	struct die die = {0};
	struct cursor c = {.p = info + unit->first_die, .end = info + unit->end};

	if (unit->scanned || !unit->is_sound)
		return NULL;
	unit->scanned = true;
	table = table_of(dwarf, unit);
	if (!table)
		return gh_error_nomem();
	abbrev = take_abbrev(&c, table, take_uleb(&c));
	if (!abbrev || !abbrev->has_children)
		return NULL;
	read_die(dwarf, &c, table, abbrev, &die);
	while (!c.bad && c.p < c.end) {
		uint64_t offset = (uint64_t)(c.p - info), code = take_uleb(&c), next;

		if (code == 0)
			break;
		abbrev = take_abbrev(&c, table, code);
		if (!abbrev)
			break;
		die = (struct die){0};
		read_die(dwarf, &c, table, abbrev, &die);
		if (c.bad)
			break;
		if (!keep(dwarf, unit, abbrev->tag, &die, offset))
			return gh_error_nomem();
		if (!abbrev->has_children)
			continue;
		next = unit->offset + die.sibling;
		if (die.sibling && next > (uint64_t)(c.p - info) && next < unit->end)
			c.p = info + next;
		else
			skip_children(&c, table);
	}
	return NULL;
}

/* Read the header of the unit at *at. False: no more units. */
static bool take_unit(const struct gh_dwarf_bytes *info, uint64_t *at, struct gh_dwarf_unit *unit)
{
	struct cursor c = {.p = info->data + *at, .end = info->data + info->len};
	uint64_t len = take(&c, 4), address_bytes;
	uint8_t type = DW_UT_compile;

	*unit = (struct gh_dwarf_unit){.offset = *at};
	if (len == 0xffffffff) {
		unit->is_64bit = true;
		len = take(&c, 8);
	}
	if (c.bad || len == 0 || len > (uint64_t)(c.end - c.p))
		return false;
	c.end = c.p + len;
	*at = unit->end = (uint64_t)(c.end - info->data);
	unit->version = (uint16_t)take(&c, 2);
	if (unit->version < 2 || unit->version > 5)
		return true;
	if (unit->version == 5) {
		type = (uint8_t)take(&c, 1);
		address_bytes = take(&c, 1);
		unit->abbrev_offset = take(&c, unit->is_64bit ? 8 : 4);
	} else {
		unit->abbrev_offset = take(&c, unit->is_64bit ? 8 : 4);
		address_bytes = take(&c, 1);
	}
	unit->first_die = (uint64_t)(c.p - info->data);
	unit->is_compile =
		!c.bad && address_bytes == 8 && (type == DW_UT_compile || type == DW_UT_partial);
	return true;
}

/* What the unit's own DIE says. */
static bool describe_unit(struct gh_dwarf *dwarf, struct gh_dwarf_unit *unit)
{
	const uint8_t *info = dwarf->sections.info.data;
	struct cursor c = {.p = info + unit->first_die, .end = info + unit->end};
	const struct gh_abbrev_table *table = table_of(dwarf, unit);
	const struct abbrev *abbrev;
	struct die die = {0};

	if (!table)
		return false;
	abbrev = take_abbrev(&c, table, take_uleb(&c));
	if (!abbrev)
		return true;
	read_die(dwarf, &c, table, abbrev, &die);
	unit->addr_base = die.addr_base;
	// libdw has no limits of its own: what we would not read it shall not read either
	unit->is_sound = !c.bad && table->is_whole;
	unit->is_runtime = unit->is_sound && die.language == LANG_GO && die.name &&
			   strcmp(die.name, "runtime") == 0;
	return true;
}

static struct gh_error *list_units(struct gh_dwarf *dwarf)
{
	struct gh_dwarf_unit unit;
	uint64_t at = 0;

	if (dwarf->units_listed)
		return NULL;
	dwarf->units.len = 0;
	while (at < dwarf->sections.info.len && take_unit(&dwarf->sections.info, &at, &unit)) {
		if (unit.is_compile && !describe_unit(dwarf, &unit))
			return gh_error_nomem();
		if (!gh_dwarf_unit_vec_push(&dwarf->units, unit))
			return gh_error_nomem();
	}
	dwarf->units_listed = true;
	return NULL;
}

struct gh_error *gh_dwarf_scan_runtime(struct gh_dwarf *dwarf)
{
	struct gh_error *err = dwarf->runtime_scanned ? NULL : list_units(dwarf);

	if (err || dwarf->runtime_scanned)
		return err;
	for (size_t i = 0; i < dwarf->units.len && !err; i++)
		if (dwarf->units.data[i].is_runtime)
			err = scan_unit(dwarf, &dwarf->units.data[i]);
	dwarf->runtime_scanned = !err;
	return err;
}

bool gh_dwarf_die_at(struct gh_dwarf *dwarf, uint64_t offset, Dwarf_Die *ret)
{
	const struct gh_dwarf_unit *units = dwarf->units.data;
	size_t lo = 0, hi = dwarf->units.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (units[mid].offset <= offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && units[lo - 1].is_sound && offset >= units[lo - 1].first_die &&
	       offset < units[lo - 1].end && dwarf_offdie(dwarf->sections.dw, offset, ret);
}

static int compare_func(const void *a, const void *b)
{
	const struct gh_dwarf_func *x = a, *y = b;

	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	return x->die < y->die ? -1 : x->die > y->die;
}

struct gh_error *gh_dwarf_scan_all(struct gh_dwarf *dwarf, const struct gh_poll *poll)
{
	struct gh_error *err = dwarf->all_scanned ? NULL : gh_dwarf_scan_runtime(dwarf);

	if (err || dwarf->all_scanned)
		return err;
	for (size_t i = 0; i < dwarf->units.len && !err; i++) {
		err = gh_poll(poll, "reading DWARF", dwarf->units.data[i].offset,
			      dwarf->sections.info.len);
		if (!err)
			err = scan_unit(dwarf, &dwarf->units.data[i]);
	}
	if (err)
		return err;
	if (dwarf->funcs.len)
		qsort(dwarf->funcs.data, dwarf->funcs.len, sizeof(*dwarf->funcs.data),
		      compare_func);
	dwarf->all_scanned = true;
	return NULL;
}

void gh_dwarf_scan_deinit(struct gh_dwarf *dwarf)
{
	for (size_t i = 0; i < dwarf->abbrevs.len; i++)
		table_destroy(dwarf->abbrevs.data[i]);
	gh_abbrev_table_vec_deinit(&dwarf->abbrevs);
	gh_offset_map_deinit(&dwarf->abbrev_of_offset);
	gh_dwarf_unit_vec_deinit(&dwarf->units);
	gh_dwarf_name_vec_deinit(&dwarf->names);
	gh_dwarf_func_vec_deinit(&dwarf->funcs);
	gh_dwarf_die_vec_deinit(&dwarf->var_dies);
}
