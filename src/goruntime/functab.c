// SPDX-License-Identifier: Apache-2.0
// Looking up functions in pclntab. See functab.h.
#include "goruntime/functab.h"

#include <elf.h>

enum {
	// runtime._func (runtime/runtime2.go), part of the pclntab format 0xfffffff1 (go1.20+)
	FUNC_ENTRY_OFF = 0,
	FUNC_NAME_OFF = 4,
	FUNC_ARGS = 8,
	FUNC_DEFERRETURN = 12,
	FUNC_PCSP = 16,
	FUNC_PCFILE = 20,
	FUNC_PCLN = 24,
	FUNC_NPCDATA = 28,
	FUNC_CU_OFF = 32,
	FUNC_ID = 40,
	FUNC_FLAG = 41,
	FUNC_NFUNCDATA = 43,
	FUNC_BYTES = 44,
	FTAB_ENTRY_BYTES = 8, // {entryoff, funcoff uint32}
	INLINED_CALL_BYTES =
		16, // runtime.inlinedCall: {funcID u8, nameOff, parentPc, startLine i32}
	MAX_STRING_BYTES = 65536, // of a name or a file
	MAX_INLINE_DEPTH = 1000,  // the compiler stops long before
};

/* Bytes [offset, offset + len) of a table of the module; NULL when they are not all in it. */
static const uint8_t *table_at(const struct gh_runtime *rt, gh_addr table, uint64_t table_len,
			       uint64_t offset, uint64_t len)
{
	if (offset > table_len || len > table_len - offset)
		return NULL;
	return gh_image_at(rt->image, table + offset, len);
}

/* A NUL-terminated string that ends within its table. */
static const char *string_at(const struct gh_runtime *rt, gh_addr table, uint64_t table_len,
			     uint64_t offset)
{
	uint64_t max;
	const char *s;

	if (offset >= table_len)
		return NULL;
	max = gh_image_readable(rt->image, table + offset,
				gh_min_u64(table_len - offset, MAX_STRING_BYTES));
	s = max ? gh_image_at(rt->image, table + offset, max) : NULL;
	return s && memchr(s, '\0', max) ? s : NULL;
}

static enum gh_func_id func_id(const struct gh_runtime *rt, uint8_t id)
{
	const struct gh_release *release = rt->release;

	return id < release->nfunc_ids ? release->func_ids[id] : GH_FUNC_NORMAL;
}

static bool func_load(const struct gh_runtime *rt, const struct gh_module *module, uint32_t funcoff,
		      struct gh_func *ret)
{
	const uint8_t *p =
		table_at(rt, module->pclntable, module->pclntable_len, funcoff, FUNC_BYTES);

	if (!p)
		return false;
	ret->module = module;
	ret->record = module->pclntable + funcoff;
	ret->name_off = gh_u32_at(p + FUNC_NAME_OFF);
	ret->args = (int32_t)gh_u32_at(p + FUNC_ARGS);
	ret->deferreturn = gh_u32_at(p + FUNC_DEFERRETURN);
	ret->pcsp = gh_u32_at(p + FUNC_PCSP);
	ret->pcfile = gh_u32_at(p + FUNC_PCFILE);
	ret->pcln = gh_u32_at(p + FUNC_PCLN);
	ret->npcdata = gh_u32_at(p + FUNC_NPCDATA);
	ret->cu_off = gh_u32_at(p + FUNC_CU_OFF);
	ret->id = func_id(rt, p[FUNC_ID]);
	ret->flag = p[FUNC_FLAG];
	ret->nfuncdata = p[FUNC_NFUNCDATA];
	return true;
}

bool gh_func_find(const struct gh_runtime *rt, gh_addr pc, struct gh_func *ret)
{
	// linux/amd64 and linux/arm64 binaries have one text section (cmd/link, splitTextSections)
	const struct gh_module *module = gh_module_of_text(rt, pc);
	uint64_t lo = 0, hi, off;
	const uint8_t *ftab;

	if (!module || module->nftab < 2 || pc < module->text)
		return false;
	off = pc - module->text;
	ftab = gh_image_at(rt->image, module->ftab, module->nftab * FTAB_ENTRY_BYTES);
	if (!ftab || off < gh_u32_at(ftab))
		return false;
	hi = module->nftab - 1; // the last entry is the end
	while (hi - lo > 1) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (gh_u32_at(ftab + mid * FTAB_ENTRY_BYTES) <= off)
			lo = mid;
		else
			hi = mid;
	}
	if (off >= gh_u32_at(ftab + (lo + 1) * FTAB_ENTRY_BYTES))
		return false;
	if (!func_load(rt, module, gh_u32_at(ftab + lo * FTAB_ENTRY_BYTES + 4), ret))
		return false;
	ret->entry = module->text + gh_u32_at(ftab + lo * FTAB_ENTRY_BYTES);
	ret->end = module->text + gh_u32_at(ftab + (lo + 1) * FTAB_ENTRY_BYTES);
	return true;
}

static const char *name_at(const struct gh_runtime *rt, const struct gh_module *module,
			   uint32_t name_off)
{
	return name_off ? string_at(rt, module->funcnametab, module->funcnametab_len, name_off)
			: NULL;
}

const char *gh_func_name(const struct gh_runtime *rt, const struct gh_func *func)
{
	return name_at(rt, func->module, func->name_off);
}

/* A varint of at most 32 bits; false at the end of the bytes. */
static bool uvarint(const uint8_t **p, const uint8_t *end, uint32_t *ret)
{
	uint32_t value = 0;

	for (int shift = 0; *p < end && shift < 35; shift += 7) {
		uint8_t byte = *(*p)++;

		value |= (uint32_t)(byte & 0x7f) << (shift & 31);
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

/* *end_ret: where the value ends. */
static bool pcvalue(const struct gh_runtime *rt, const struct gh_func *func, uint32_t table,
		    gh_addr pc, int32_t *ret, gh_addr *end_ret)
{
	const struct gh_module *module = func->module;
	uint32_t quantum = rt->target->machine == EM_AARCH64 ? 4 : 1;
	uint32_t uvdelta, pcdelta, value = UINT32_MAX;
	const uint8_t *p, *end;
	gh_addr at = func->entry;
	uint64_t max;

	if (table == 0 || table >= module->pctab_len || pc < func->entry)
		return false;
	max = gh_image_readable(rt->image, module->pctab + table, module->pctab_len - table);
	p = max ? gh_image_at(rt->image, module->pctab + table, max) : NULL;
	if (!p)
		return false;
	end = p + max;
	// (zig-zag value delta, pc delta) pairs; a value delta of 0 ends it, except in the first
	// one
	while (uvarint(&p, end, &uvdelta) && (uvdelta != 0 || at == func->entry) &&
	       uvarint(&p, end, &pcdelta)) {
		value += uvdelta & 1 ? ~(uvdelta >> 1) : uvdelta >> 1;
		at += (uint64_t)pcdelta * quantum;
		if (pc < at) {
			*ret = (int32_t)value;
			*end_ret = at;
			return true;
		}
		if (pcdelta == 0) // never written by the linker; must not loop through the table
			return false;
	}
	return false;
}

bool gh_func_pcvalue(const struct gh_runtime *rt, const struct gh_func *func, uint32_t table,
		     gh_addr pc, int32_t *ret)
{
	gh_addr end;

	return pcvalue(rt, func, table, pc, ret, &end);
}

bool gh_func_pcdata_range(const struct gh_runtime *rt, const struct gh_func *func, uint32_t index,
			  gh_addr pc, int32_t *ret, gh_addr *end_ret)
{
	uint32_t table;

	if (index >= func->npcdata ||
	    !gh_read_u32(rt->image, func->record + FUNC_BYTES + (uint64_t)index * 4, &table))
		return false;
	return pcvalue(rt, func, table, pc, ret, end_ret);
}

bool gh_func_pcdata(const struct gh_runtime *rt, const struct gh_func *func, uint32_t index,
		    gh_addr pc, int32_t *ret)
{
	gh_addr end;

	return gh_func_pcdata_range(rt, func, index, pc, ret, &end);
}

gh_addr gh_func_funcdata(const struct gh_runtime *rt, const struct gh_func *func, uint8_t index)
{
	uint32_t off;

	if (index >= func->nfuncdata ||
	    !gh_read_u32(rt->image,
			 func->record + FUNC_BYTES + (uint64_t)func->npcdata * 4 +
				 (uint64_t)index * 4,
			 &off) ||
	    off == UINT32_MAX)
		return 0;
	return func->module->gofunc + off;
}

/* File and line at pc, as runtime.funcline1: NULL and 0 when unknown. */
static void file_line(const struct gh_runtime *rt, const struct gh_func *func, gh_addr pc,
		      struct gh_source_frame *frame)
{
	const struct gh_module *module = func->module;
	int32_t file, line;
	const uint8_t *p;

	if (!gh_func_pcvalue(rt, func, func->pcfile, pc, &file) || file < 0 ||
	    !gh_func_pcvalue(rt, func, func->pcln, pc, &line) || line < 0)
		return;
	// cutab is a []uint32: its length counts entries
	p = table_at(rt, module->cutab, module->cutab_len * 4,
		     ((uint64_t)func->cu_off + (uint32_t)file) * 4, 4);
	if (!p || gh_u32_at(p) == UINT32_MAX)
		return;
	frame->file = string_at(rt, module->filetab, module->filetab_len, gh_u32_at(p));
	frame->line = line;
}

void gh_func_line(const struct gh_runtime *rt, const struct gh_func *func, gh_addr pc,
		  struct gh_source_frame *ret)
{
	*ret = (struct gh_source_frame){.function = gh_func_name(rt, func), .id = func->id};
	file_line(rt, func, pc, ret);
}

bool gh_func_source_frames(const struct gh_runtime *rt, const struct gh_func *func, gh_addr pc,
			   struct gh_source_frame_vec *ret)
{
	gh_addr tree = gh_func_funcdata(rt, func, GH_FUNCDATA_INL_TREE);
	struct gh_source_frame frame;
	int32_t index;

	for (int depth = 0; tree && depth < MAX_INLINE_DEPTH; depth++) {
		const uint8_t *call;

		if (!gh_func_pcdata(rt, func, GH_PCDATA_INL_TREE_INDEX, pc, &index) || index < 0)
			break;
		call = gh_image_at(rt->image, tree + (uint64_t)index * INLINED_CALL_BYTES,
				   INLINED_CALL_BYTES);
		if (!call)
			break;
		frame = (struct gh_source_frame){
			.function = name_at(rt, func->module, gh_u32_at(call + 4)),
			.inlined = true,
			.call = func->entry + gh_u32_at(call + 8),
			.id = func_id(rt, call[0]),
		};
		file_line(rt, func, pc, &frame);
		if (!gh_source_frame_vec_push(ret, frame))
			return false;
		pc = frame.call;
	}
	gh_func_line(rt, func, pc, &frame);
	return gh_source_frame_vec_push(ret, frame);
}
