// SPDX-License-Identifier: Apache-2.0
// See callcode.h.
#include "goruntime/callcode.h"

#include <elf.h>

enum {
	MAX_WRAPPER = 1 << 12, // bytes
	CODE_WORD = 8,	       // of a closure
	MAX_CLOSURE = 1 << 16,
};

struct visit {
	gh_addr entry;
	gh_code_call_fn call;
	gh_code_address_fn address;
	void *ctx;
};

static void see_call(const struct visit *v, gh_addr at, gh_addr target)
{
	if (v->call)
		v->call(v->ctx, at, target);
}

static void see_address(const struct visit *v, gh_addr target)
{
	if (v->address)
		v->address(v->ctx, target);
}

/*
 * CALL rel32 is e8; an operand relative to the next instruction is its last four bytes where no
 * constant follows.
 */
static void scan_amd64(const struct visit *v, const uint8_t *code, uint64_t len)
{
	for (uint64_t i = 0; i + 4 <= len; i++) {
		gh_addr next = v->entry + i + 4;
		gh_addr target = next + (uint64_t)(int64_t)(int32_t)gh_u32_at(code + i);

		if (i && code[i - 1] == 0xe8)
			see_call(v, next - 5, target);
		// ModRM: mode 0, register 5: relative to the next instruction
		if (i && (code[i - 1] & 0xc7) == 0x05)
			see_address(v, target);
	}
}

/* BL imm26; ADRP and an ADD of twelve bits behind it. */
static void scan_arm64(const struct visit *v, const uint8_t *code, uint64_t len)
{
	for (uint64_t i = 0; i + 4 <= len; i += 4) {
		gh_addr pc = v->entry + i;
		uint32_t op = gh_u32_at(code + i), add = i + 8 <= len ? gh_u32_at(code + i + 4) : 0;

		if (op >> 26 == 0x25)
			see_call(v, pc, pc + (uint64_t)((int64_t)((uint64_t)op << 38) >> 36));
		if ((op & 0x9f000000) == 0x90000000 && (add & 0xffc00000) == 0x91000000) {
			uint64_t imm = (uint64_t)(op >> 5 & 0x7ffff) << 2 | (op >> 29 & 3);
			int64_t pages = (int64_t)(imm << 43) >> 43;

			see_address(v, (pc & ~4095ULL) + (uint64_t)pages * 4096 +
					       (add >> 10 & 0xfff));
		}
	}
}

void gh_code_visit(const struct gh_runtime *rt, const struct gh_func *func, uint64_t max_bytes,
		   gh_code_call_fn call, gh_code_address_fn address, void *ctx)
{
	struct visit v = {.entry = func->entry, .call = call, .address = address, .ctx = ctx};
	uint64_t len = func->end > func->entry ? func->end - func->entry : 0;
	const uint8_t *code;

	len = gh_min_u64(len, max_bytes);
	code = len ? gh_image_at(rt->image, func->entry, len) : NULL;
	if (code && rt->target->machine == EM_AARCH64)
		scan_arm64(&v, code, len);
	else if (code)
		scan_amd64(&v, code, len);
}

struct callee {
	const struct gh_runtime *rt;
	struct gh_func func;
	uint32_t n;
};

/* The runtime is called for the stack's sake, and where a pointer is nil. */
static void note_callee(void *ctx, gh_addr at, gh_addr target)
{
	struct callee *c = ctx;
	struct gh_func func;
	const char *name;

	(void)at;
	if (!gh_func_find(c->rt, target, &func) || func.entry != target)
		return;
	name = gh_func_name(c->rt, &func);
	if (!name || !strncmp(name, "runtime.", 8) || (c->n && c->func.entry == target))
		return;
	c->func = func;
	c->n++;
}

/* Is there code in it that came from another function? */
static bool has_inlined(const struct gh_runtime *rt, const struct gh_func *func)
{
	gh_addr end = func->entry;
	int32_t value;

	for (gh_addr pc = func->entry; pc < func->end; pc = end) {
		if (!gh_func_pcdata_range(rt, func, GH_PCDATA_INL_TREE_INDEX, pc, &value, &end) ||
		    end <= pc)
			break;
		if (value >= 0)
			return true;
	}
	return false;
}

bool gh_code_only_callee(const struct gh_runtime *rt, const struct gh_func *wrapper,
			 struct gh_func *ret, bool *inlined_ret)
{
	struct callee c = {.rt = rt};

	*inlined_ret = has_inlined(rt, wrapper);
	if (*inlined_ret) {
		*ret = *wrapper;
		return true;
	}
	gh_code_visit(rt, wrapper, MAX_WRAPPER, note_callee, NULL, &c);
	if (c.n != 1)
		return false;
	*ret = c.func;
	return true;
}

/* Does an instruction with these opcode bytes load what its operand leads to? */
static bool is_load(uint8_t before, uint8_t op)
{
	if ((op & 0xc7) == 0x03) // ADD, SUB, CMP, … from memory
		return true;
	switch (op) {
	case 0x8b: // MOV
	case 0x63: // MOVSXD
	case 0x8d: // LEA: of a variable in the closure
		return true;
	case 0xb6: // MOVZX, MOVSX
	case 0xb7:
	case 0xbe:
	case 0xbf:
	case 0x10: // MOVSS, MOVSD, MOVUPS
	case 0x6f: // MOVDQU
		return before == 0x0f;
	default:
		return false;
	}
}

/*
 * DX holds the closure when a function begins (cmd/compile/abi-internal.md): operands of mode 1 and
 * 2 with base register 2, up to the first call or the first load into DX.
 */
uint64_t gh_code_closure_bytes(const struct gh_runtime *rt, const struct gh_func *func)
{
	uint64_t len = func->end > func->entry ? func->end - func->entry : 0, end = CODE_WORD;
	const uint8_t *code;

	len = gh_min_u64(len, MAX_WRAPPER);
	code = len && rt->target->machine == EM_X86_64 ? gh_image_at(rt->image, func->entry, len)
						       : NULL;
	for (uint64_t i = 1; code && i + 6 <= len && code[i] != 0xe8; i++) {
		uint8_t modrm = code[i + 1], rex = code[i - 1];
		bool is_wide = (rex & 0xf8) == 0x48, is_move = code[i] == 0x8b || code[i] == 0x8d;
		uint64_t offset = 0;

		if (!is_load(rex, code[i]))
			continue;
		if ((modrm & 0xc7) == 0x42 && code[i + 2] < 0x80)
			offset = code[i + 2];
		else if ((modrm & 0xc7) == 0x82)
			offset = gh_u32_at(code + i + 2);
		if (offset >= CODE_WORD && offset < MAX_CLOSURE && (offset % 8 == 0 || !is_wide))
			end = gh_max_u64(end, offset + (is_wide ? 8 : 1));
		if (is_move && is_wide && !(rex & 4) && (modrm >> 3 & 7) == 2)
			break;
	}
	return end;
}
