// SPDX-License-Identifier: Apache-2.0
// Finding the Go runtime in a target: release, layout, modules, variables. Mirrors
// runtime/symtab.go and debug/buildinfo (go1.22 to go1.27).
#include "goruntime/runtime.h"

#include <elf.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "goruntime/buildinfo.h"

enum {
	MAX_MODULES = 4096,	 // plugins: a bound on a list that may be damaged
	MAX_PCLNTAB = 1 << 30,	 // bytes of one table
	MAX_VERSION_BYTES = 256, // of runtime.buildVersion
};

bool gh_field(const struct gh_runtime *rt, gh_addr base, enum gh_layout_field field, uint64_t *ret)
{
	int32_t offset = rt->layout.offset[field];
	uint8_t size = rt->layout.size[field];
	const void *p;

	if (offset < 0)
		return false;
	if (size == 0)
		size = 8; // the first word of a larger field
	p = gh_image_at(rt->image, base + (uint64_t)offset, size);
	if (!p)
		return false;
	*ret = size == 8   ? gh_u64_at(p)
	       : size == 4 ? gh_u32_at(p)
	       : size == 2 ? gh_u16_at(p)
			   : *(const uint8_t *)p;
	return true;
}

uint64_t gh_field_or_zero(const struct gh_runtime *rt, gh_addr base, enum gh_layout_field field)
{
	uint64_t value = 0;

	return gh_field(rt, base, field, &value) ? value : 0;
}

bool gh_struct_at(const struct gh_runtime *rt, gh_addr base, enum gh_layout_struct s,
		  struct gh_struct_view *ret)
{
	int32_t size = rt->layout.struct_size[s];

	*ret = (struct gh_struct_view){.layout = &rt->layout, .size = (uint32_t)size};
	ret->bytes = size > 0 ? gh_image_at(rt->image, base, (uint64_t)size) : NULL;
	return ret->bytes != NULL;
}

bool gh_read_slice(const struct gh_image *image, gh_addr addr, struct gh_slice *ret)
{
	const uint8_t *p = gh_image_at(image, addr, 24);

	if (!p)
		return false;
	*ret = (struct gh_slice){gh_u64_at(p), gh_u64_at(p + 8), gh_u64_at(p + 16)};
	return true;
}

bool gh_read_uvarint(const struct gh_image *image, gh_addr *at, uint64_t *ret)
{
	uint64_t value = 0;
	uint8_t byte;

	for (int shift = 0; shift < 63; shift += 7) {
		if (!gh_read_u8(image, (*at)++, &byte))
			return false;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

/* Where a variable lies: by symbol, relocated. */
static gh_addr symbol_addr(const struct gh_target *target, const char *name)
{
	struct gh_elf_symbol symbol;

	if (!target->exe || !gh_elf_symbol_find(target->exe, name, &symbol))
		return 0;
	return symbol.addr + target->exe_bias;
}

static void find_variables(struct gh_runtime *rt)
{
	for (int v = 0; v < GH_V_COUNT; v++)
		rt->var[v] = symbol_addr(rt->target, gh_layout_var_name(v));
}

static uint64_t module_word(const struct gh_runtime *rt, gh_addr addr, enum gh_layout_field field)
{
	return gh_field_or_zero(rt, addr, field);
}

static struct gh_slice module_slice(const struct gh_runtime *rt, gh_addr addr,
				    enum gh_layout_field field)
{
	struct gh_slice slice = {0};

	if (gh_has(&rt->layout, field))
		gh_read_slice(rt->image, addr + (uint64_t)rt->layout.offset[field], &slice);
	return slice;
}

/* A bitvector {n int32, bytedata *uint8} embedded at field. */
static void module_mask(const struct gh_runtime *rt, gh_addr addr, enum gh_layout_field field,
			gh_addr *bytes_ret, uint64_t *nbits_ret)
{
	gh_addr at = addr + (uint64_t)rt->layout.offset[field];
	uint32_t nbits = 0;

	*bytes_ret = 0;
	*nbits_ret = 0;
	if (!gh_read_u32(rt->image, at, &nbits) || !gh_read_u64(rt->image, at + 8, bytes_ret) ||
	    nbits > INT32_MAX)
		return;
	*nbits_ret = nbits;
}

/*
 * The linker's symbols say where the parts of the main module are; its record, which lies in data
 * that may be overwritten, says the same.
 */
static void believe_symbols(const struct gh_runtime *rt, struct gh_module *m)
{
	const struct {
		const char *name;
		gh_addr *part;
	} parts[] = {
		{"runtime.text", &m->text},	    {"runtime.etext", &m->etext},
		{"runtime.data", &m->data},	    {"runtime.edata", &m->edata},
		{"runtime.bss", &m->bss},	    {"runtime.ebss", &m->ebss},
		{"runtime.noptrdata", &m->noptrdata}, {"runtime.enoptrdata", &m->enoptrdata},
		{"runtime.noptrbss", &m->noptrbss}, {"runtime.enoptrbss", &m->enoptrbss},
		{"runtime.types", &m->types},	    {"runtime.etypes", &m->etypes},
		{"runtime.rodata", &m->rodata},	    {"runtime.end", &m->end},
	};

	for (size_t i = 0; i < GH_ARRAY_SIZE(parts); i++) {
		gh_addr addr = symbol_addr(rt->target, parts[i].name);

		if (addr)
			*parts[i].part = addr;
	}
}

static bool module_load(const struct gh_runtime *rt, gh_addr addr, struct gh_module *ret)
{
	struct gh_module m = {.addr = addr};
	struct gh_slice s;
	uint64_t word;

	if (!gh_field(rt, addr, GH_F_moduledata_pcHeader, &word))
		return false;
	m.pc_header = word;
#define TABLE(field)                                                                               \
	do {                                                                                       \
		s = module_slice(rt, addr, GH_F_moduledata_##field);                               \
		m.field = s.data;                                                                  \
		m.field##_len = gh_min_u64(s.len, MAX_PCLNTAB);                                    \
	} while (0)
	TABLE(funcnametab);
	TABLE(cutab);
	TABLE(filetab);
	TABLE(pctab);
	TABLE(pclntable);
#undef TABLE
	s = module_slice(rt, addr, GH_F_moduledata_ftab);
	m.ftab = s.data;
	m.nftab = gh_min_u64(s.len, MAX_PCLNTAB / 8);
	s = module_slice(rt, addr, GH_F_moduledata_typelinks);
	m.typelinks = s.data;
	m.ntypelinks = gh_min_u64(s.len, MAX_PCLNTAB / 4);
#define WORD(field) m.field = module_word(rt, addr, GH_F_moduledata_##field)
	WORD(minpc);
	WORD(maxpc);
	WORD(text);
	WORD(etext);
	WORD(noptrdata);
	WORD(enoptrdata);
	WORD(data);
	WORD(edata);
	WORD(bss);
	WORD(ebss);
	WORD(noptrbss);
	WORD(enoptrbss);
	WORD(end);
	WORD(types);
	WORD(etypes);
	WORD(rodata);
	WORD(gofunc);
	WORD(typedesclen);
	WORD(itaboffset);
	WORD(itabsize);
#undef WORD
	module_mask(rt, addr, GH_F_moduledata_gcdatamask, &m.gcdatamask, &m.gcdatamask_bits);
	module_mask(rt, addr, GH_F_moduledata_gcbssmask, &m.gcbssmask, &m.gcbssmask_bits);
	if (addr == rt->var[GH_V_firstmoduledata]) {
		believe_symbols(rt, &m);
		m.minpc = m.minpc < m.text || m.minpc > m.etext ? m.text : m.minpc;
		m.maxpc = m.maxpc < m.minpc || m.maxpc > m.etext ? m.etext : m.maxpc;
	}
	if (m.text > m.etext || m.types > m.etypes || m.minpc < m.text || m.maxpc > m.etext ||
	    m.data > m.edata || m.bss > m.ebss)
		return false;
	*ret = m;
	return true;
}

/* The runtime's variables are found by their symbols. */
static struct gh_error *no_modules(const struct gh_runtime *rt)
{
	struct gh_elf *exe = rt->target->exe;

	if (exe && !gh_elf_section(exe, ".symtab"))
		return gh_error_create(GH_ERR_MISSING,
				       "cannot read the runtime: %s has no symbol table: it was "
				       "stripped, or linked with -ldflags=-s: link the same source "
				       "with -ldflags=-w, and pass that with --exe FILE --force",
				       gh_elf_path(exe));
	if (rt->target->truncated)
		return gh_error_create(GH_ERR_MISSING,
				       "cannot read the runtime: the core ends before its module "
				       "data: take a whole core");
	return gh_error_create(GH_ERR_MISSING,
			       "cannot read the runtime: its module data is not at hand: pass the "
			       "executable that ran with --exe");
}

static struct gh_error *load_modules(struct gh_runtime *rt)
{
	gh_addr addr = rt->var[GH_V_firstmoduledata];

	while (addr && rt->modules.len < MAX_MODULES) {
		struct gh_module module;

		if (!module_load(rt, addr, &module))
			break;
		if (!gh_module_vec_push(&rt->modules, module))
			return gh_error_nomem();
		addr = gh_field_or_zero(rt, addr, GH_F_moduledata_next);
	}
	return rt->modules.len ? NULL : no_modules(rt);
}

/* Walks the alternatives of "new|old"; each is copied to a buffer. */
struct alternatives {
	const char *next;
	char name[128];
};

static bool alternatives_next(struct alternatives *a)
{
	size_t len;

	if (!a->next)
		return false;
	len = strcspn(a->next, "|");
	if (len >= sizeof(a->name))
		return false;
	memcpy(a->name, a->next, len);
	a->name[len] = '\0';
	a->next = a->next[len] ? a->next + len + 1 : NULL;
	return true;
}

static gh_dtype dwarf_struct(struct gh_dwarf *dwarf, const char *names)
{
	struct alternatives a = {.next = names};

	while (alternatives_next(&a)) {
		gh_dtype type = gh_dwarf_struct_find(dwarf, a.name);

		if (type)
			return type;
	}
	return 0;
}

static bool dwarf_field(struct gh_dwarf *dwarf, struct gh_layout_name name, uint64_t *offset_ret,
			uint64_t *size_ret)
{
	gh_dtype type = dwarf_struct(dwarf, name.type);
	struct alternatives a = {.next = name.path};

	while (type && alternatives_next(&a))
		if (gh_dwarf_field_find(dwarf, type, a.name, offset_ret, size_ret))
			return true;
	return false;
}

/* Compare the table with DWARF field by field; DWARF wins (a patched toolchain, an experiment). */
static void refine_layout(struct gh_runtime *rt)
{
	for (int f = 0; f < GH_F_COUNT; f++) {
		uint64_t offset, size;

		if (!dwarf_field(rt->dwarf, gh_layout_field_name(f), &offset, &size) ||
		    offset > INT32_MAX)
			continue;
		rt->layout_compared++;
		if (rt->layout.offset[f] != (int32_t)offset)
			rt->layout_mismatches++;
		rt->layout.offset[f] = (int32_t)offset;
		rt->layout.size[f] = size == 1 || size == 2 || size == 4 || size == 8 ? size : 0;
	}
	for (int i = 0; i < GH_S_COUNT; i++) {
		gh_dtype type = dwarf_struct(rt->dwarf, gh_layout_struct_name(i));
		const struct gh_dtype_info *info = type ? gh_dwarf_type(rt->dwarf, type) : NULL;

		if (!info || info->size > INT32_MAX)
			continue;
		rt->layout_compared++;
		if (rt->layout.struct_size[i] != (int32_t)info->size)
			rt->layout_mismatches++;
		rt->layout.struct_size[i] = (int32_t)info->size;
	}
}

/* runtime.buildVersion out of memory: tells of experiments that build info does not name. */
static char *memory_version(const struct gh_runtime *rt)
{
	gh_addr data;
	uint64_t len;
	const char *p;

	if (!rt->var[GH_V_buildVersion] ||
	    !gh_read_u64(rt->image, rt->var[GH_V_buildVersion], &data) ||
	    !gh_read_u64(rt->image, rt->var[GH_V_buildVersion] + 8, &len) || len == 0 ||
	    len > MAX_VERSION_BYTES)
		return NULL;
	p = gh_image_at(rt->image, data, len);
	return p ? strndup(p, len) : NULL;
}

static struct gh_error *find_release(struct gh_runtime *rt)
{
	struct gh_buildinfo info = {0};

	if (!rt->target->exe)
		return gh_error_create(GH_ERR_MISSING,
				       "cannot read the runtime: no executable was found: pass the "
				       "one that ran with --exe");
	if (!gh_buildinfo_read(rt->target->exe, &info))
		return gh_error_create(GH_ERR_MISSING,
				       "%s is not a Go program (it has no Go build info): pass the "
				       "executable that ran with --exe",
				       gh_elf_path(rt->target->exe));
	rt->modinfo = info.modinfo;
	rt->version = memory_version(rt);
	if (!rt->version || !gh_release_find(rt->version)) {
		free(rt->version);
		rt->version = info.version;
	} else {
		free(info.version);
	}
	rt->release = gh_release_find(rt->version);
	if (!rt->release)
		return gh_error_create(GH_ERR_UNSUPPORTED,
				       "%s was built with %s, which this goheap does not know (it "
				       "knows go1.22 to go1.27)",
				       gh_elf_path(rt->target->exe), rt->version);
	return NULL;
}

/* "go1.27.4": a release as it was published. Patched ones and experiments say more. */
static bool is_published(const char *version)
{
	return strncmp(version, "go1.", 4) == 0 &&
	       version[4 + strspn(version + 4, "0123456789.")] == 0;
}

struct gh_error *gh_runtime_dwarf(struct gh_runtime *rt)
{
	_cleanup_error_ struct gh_error *no_dwarf = NULL;

	if (rt->has_looked_for_dwarf)
		return NULL;
	no_dwarf = gh_dwarf_open(rt->target->exe, rt->target->budget, &rt->dwarf);
	if (no_dwarf && no_dwarf->code == GH_ERR_NOMEM)
		return gh_steal(no_dwarf);
	rt->has_looked_for_dwarf = true;
	if (no_dwarf)
		return NULL;
	refine_layout(rt);
	if (!rt->layout_mismatches || !rt->modules.len)
		return NULL;
	rt->modules.len = 0; // read by a layout that was not quite right
	return load_modules(rt);
}

/*
 * GOEXPERIMENT=noswissmap (go1.24, go1.25) keeps the maps of go1.23 (runtime/map_noswiss.go), whose
 * hmap has grown by one word before its last field since.
 */
static void use_old_maps(struct gh_runtime *rt)
{
	const struct {
		enum gh_layout_field field;
		uint8_t offset, size;
	} fields[] = {
		{GH_F_hmap_count, 0, 8},
		{GH_F_hmap_flags, 8, 1},
		{GH_F_hmap_B, 9, 1},
		{GH_F_hmap_buckets, 16, 8},
		{GH_F_hmap_oldbuckets, 24, 8},
		{GH_F_hmap_extra, rt->release->old_map_extra, 8},
		{GH_F_mapextra_overflow, 0, 8},
		{GH_F_mapextra_oldoverflow, 8, 8},
		{GH_F_mapextra_nextOverflow, 16, 8},
	};

	rt->map_kind = GH_MAP_HMAP;
	for (size_t i = 0; i < GH_ARRAY_SIZE(fields); i++) {
		rt->layout.offset[fields[i].field] = fields[i].offset;
		rt->layout.size[fields[i].field] = fields[i].size;
	}
	rt->layout.struct_size[GH_S_hmap] = rt->release->old_map_extra + 8;
	rt->layout.struct_size[GH_S_mapextra] = 24;
}

static struct gh_error *open_runtime(struct gh_runtime *rt)
{
	struct gh_error *err;

	find_variables(rt);
	err = find_release(rt);
	if (err)
		return err;
	rt->goarch = rt->target->machine == EM_AARCH64 ? "arm64" : "amd64";
	rt->layout = rt->target->machine == EM_AARCH64 ? *rt->release->arm64 : *rt->release->amd64;
	rt->map_kind = rt->release->map_kind;
	if (rt->release->old_map_extra && strstr(rt->version, "noswissmap"))
		use_old_maps(rt);
	if (!is_published(rt->version))
		err = gh_runtime_dwarf(rt);
	return err ? err : load_modules(rt);
}

struct gh_error *gh_runtime_open(const struct gh_target *target, const struct gh_poll *poll,
				 struct gh_runtime **ret)
{
	struct gh_runtime *rt = calloc(1, sizeof(*rt));
	struct gh_error *err;

	if (!rt)
		return gh_error_nomem();
	rt->target = target;
	rt->image = target->image;
	err = gh_poll(poll, "finding the runtime", 0, 0);
	if (!err)
		err = open_runtime(rt);
	if (err) {
		gh_runtime_destroy(rt);
		return err;
	}
	*ret = rt;
	return NULL;
}

void gh_runtime_destroy(struct gh_runtime *rt)
{
	if (!rt)
		return;
	gh_dwarf_destroy(rt->dwarf);
	gh_module_vec_deinit(&rt->modules);
	gh_arena_deinit(&rt->arena);
	free(rt->version);
	free(rt->modinfo);
	free(rt);
}

const struct gh_module *gh_module_of_text(const struct gh_runtime *rt, gh_addr pc)
{
	for (size_t i = 0; i < rt->modules.len; i++) {
		const struct gh_module *m = &rt->modules.data[i];

		if (pc >= m->minpc && pc < m->maxpc)
			return m;
	}
	return NULL;
}

const struct gh_module *gh_module_of_types(const struct gh_runtime *rt, gh_addr addr)
{
	for (size_t i = 0; i < rt->modules.len; i++) {
		const struct gh_module *m = &rt->modules.data[i];

		if (addr >= m->types && addr < m->etypes)
			return m;
	}
	return NULL;
}
