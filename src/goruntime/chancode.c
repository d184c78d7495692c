// SPDX-License-Identifier: Apache-2.0
// See chancode.h.
//
// `<-ctx.Done()` is, whatever lies between the two calls: the method from the second place of the
// itab, the call, and its result (AX) handed on to chanrecv1, whose second argument is nil:
//	MOVQ 0x20(AX), CX; CALL CX; XORL BX, BX; CALL runtime.chanrecv1
// where registers may be copied before.
// Where the result is used later it is put on the stack first, of a select also in its list of cases:
// the word that the code names there still is the channel.
#include "goruntime/chancode.h"

#include <elf.h>

#include "base/bitmap.h"
#include "base/cleanup.h"
#include "goruntime/x86.h"

enum {
	INNER_FRAMES = 6, // that may be runtime.chanrecv1
	// itab{Inter, Type, Hash, Fun [1]uintptr}: the second method (internal/abi/iface.go)
	SECOND_METHOD = 0x20,
	NEAR_INSTRUCTIONS = 8, // from taking a method to calling it
	REGISTERS = 16,
	CALL_BYTES = 5,
	SENDS_MAX = 64, // of one function that are looked at
};

GH_VEC(offset_vec, uint64_t);

struct reader {
	const struct gh_runtime *rt;
	const struct gh_frame *frame; // that waits
	const uint8_t *code;
	uint64_t len, at; // bytes; where the call that waits begins
	gh_addr send;	  // entry of runtime.chansend1; 0: it does not wait there
	bool is_select;
	const gh_addr *channels;
	size_t n;
	uint64_t number;	    // of the instruction, from 1 on
	uint64_t taken[REGISTERS];  // by which it took a second method; 0: it holds another value
	bool is_in_ax;	 // what such a call returned, and nothing else was done with it
	bool is_behind; // such a call was the last one
	uint64_t sends[SENDS_MAX]; // where other calls of it end
	uint64_t there[SENDS_MAX]; // those that send on the same channel
	size_t nsends, nthere;
	gh_addr sends_on;
	bool has_channel; // AX holds that
	struct gh_chancode *ret;
};

static bool is_wait(const char *name)
{
	return name && (!strcmp(name, "runtime.chanrecv1") || !strcmp(name, "runtime.chanrecv2") ||
			!strcmp(name, "runtime.chansend1") || !strcmp(name, "runtime.selectgo"));
}

/* The frame that called into the runtime to wait; NULL: none. */
static const struct gh_frame *find_frame(struct reader *r, const struct gh_frame_vec *frames)
{
	for (size_t i = 0; i + 1 < frames->len && i < INNER_FRAMES; i++) {
		const char *name = gh_func_name(r->rt, &frames->data[i].func);

		if (!is_wait(name))
			continue;
		r->is_select = !strcmp(name, "runtime.selectgo");
		r->send = strcmp(name, "runtime.chansend1") ? 0 : frames->data[i].func.entry;
		return &frames->data[i + 1];
	}
	return NULL;
}

/* MOVQ to a register: a second method, a copy of one, or something else. */
static void see_move(struct reader *r, const uint8_t *code, uint32_t length)
{
	uint8_t mode, reg, rm;

	if (length < 3 || (code[0] & 0xf8) != 0x48 || (code[1] != 0x8b && code[1] != 0x89))
		return;
	mode = code[2] >> 6;
	reg = (uint8_t)((code[2] >> 3 & 7) | (code[0] & 4) << 1);
	rm = (uint8_t)((code[2] & 7) | (code[0] & 1) << 3);
	if (code[1] == 0x89 && mode == 3)
		r->taken[rm] = r->taken[reg];
	else if (code[1] == 0x8b && mode == 3)
		r->taken[reg] = r->taken[rm];
	else if (code[1] == 0x8b)
		r->taken[reg] = length == 4 && mode == 1 && code[3] == SECOND_METHOD ? r->number
										     : 0;
}

/* CALL reg, where the register was taken from the second place of an itab just before. */
static bool calls_second_method(const struct reader *r, const uint8_t *code, uint32_t length)
{
	bool extended = length == 3 && code[0] == 0x41;
	uint64_t taken;

	code += extended;
	if (length != 2U + extended || (code[1] & 0xf8) != 0xd0)
		return false;
	taken = r->taken[(code[1] & 7) | (extended ? 8 : 0)];
	return taken && r->number - taken <= NEAR_INSTRUCTIONS;
}

static bool is_done_of_context(const struct reader *r, gh_addr target)
{
	static const char package[] = "context.", method[] = ").Done";
	struct gh_func func;
	const char *name;
	size_t len;

	if (!gh_func_find(r->rt, target, &func) || func.entry != target)
		return false;
	name = gh_func_name(r->rt, &func);
	len = name ? strlen(name) : 0;
	return len > sizeof(method) && !strncmp(name, package, sizeof(package) - 1) &&
	       !strcmp(name + len - (sizeof(method) - 1), method);
}

enum ax_move { AX_TO_STACK = 0x89, AX_FROM_STACK = 0x8b };

/* MOVQ AX, disp(SP), or back: what that word holds now. False: it is none. */
static bool stack_word(const struct reader *r, const uint8_t *code, uint32_t length,
		       enum ax_move move, uint64_t *ret)
{
	uint64_t disp;

	if (length < 5 || code[0] != 0x48 || code[1] != move || code[3] != 0x24)
		return false;
	if (length == 5 && code[2] == 0x44)
		disp = (uint64_t)(int64_t)(int8_t)code[4];
	else if (length == 8 && code[2] == 0x84)
		disp = (uint64_t)(int64_t)(int32_t)gh_u32_at(code + 4);
	else
		return false;
	return gh_read_u64(r->rt->image, r->frame->sp + disp, ret);
}

/* MOVQ AX, disp(SP): does that word hold one of the channels? */
static bool keeps_channel(const struct reader *r, const uint8_t *code, uint32_t length)
{
	uint64_t word;

	if (!stack_word(r, code, length, AX_TO_STACK, &word))
		return false;
	for (size_t i = 0; i < r->n; i++)
		if (r->channels[i] == word)
			return true;
	return false;
}

/* Instructions that leave AX as it is and may stand between the two calls of a receive. */
static bool is_between(const uint8_t *code, uint32_t length)
{
	bool is_xor = length == 2 && code[0] == 0x31 && code[1] == 0xdb; // XORL BX, BX
	bool is_nop = (length == 1 && code[0] == 0x90) ||
		      (length == 2 && code[0] == 0x66 && code[1] == 0x90) ||
		      (length >= 3 && code[length > 3 && code[0] == 0x66] == 0x0f &&
		       code[(length > 3 && code[0] == 0x66) + 1] == 0x1f);

	return is_xor || is_nop;
}

/* CALL of a register or of a word in memory. */
static bool is_indirect_call(const uint8_t *code, uint32_t length)
{
	bool has_rex = (code[0] & 0xf0) == 0x40;

	return length >= 2U + has_rex && code[has_rex] == 0xff &&
	       (code[has_rex + 1] >> 3 & 7) == 2;
}

static void see_before(struct reader *r, uint64_t i, const struct gh_x86 *x)
{
	const uint8_t *code = r->code + i;
	gh_addr target = r->frame->func.entry + i + x->length + (uint64_t)x->target;

	if (x->kind == GH_X86_CALL) {
		r->is_in_ax = r->is_behind = is_done_of_context(r, target);
	} else if (is_indirect_call(code, x->length)) {
		r->is_in_ax = r->is_behind = calls_second_method(r, code, x->length);
	} else {
		r->ret->is_result |= r->is_behind && keeps_channel(r, code, x->length);
		r->is_in_ax &= is_between(code, x->length);
	}
}

/* MOVQ, LEAQ, MOVL $imm, XORL, MOVBLZX and the like. */
static bool writes_ax(const uint8_t *code, uint32_t length)
{
	bool has_rex = (code[0] & 0xf0) == 0x40;
	uint8_t rex = has_rex ? code[0] : 0, opcode, modrm;

	if (length < 2U + has_rex)
		return false;
	opcode = code[has_rex];
	modrm = code[has_rex + 1U];
	if (opcode == 0xb8)
		return !(rex & 1);
	if (opcode == 0x0f && length >= 3U + has_rex) // MOVZX, MOVSX
		return (modrm & 0xf6) == 0xb6 && !(code[has_rex + 2U] & 0x38) && !(rex & 4);
	if (opcode == 0x8b || opcode == 0x8d || opcode == 0x33)
		return !(modrm & 0x38) && !(rex & 4);
	return (opcode == 0x89 || opcode == 0x31) && (modrm & 0xc7) == 0xc0 && !(rex & 1);
}

/* Is the first argument of the next call the channel, as the stack has it now? */
static void see_channel(struct reader *r, uint64_t i, const struct gh_x86 *x)
{
	const uint8_t *code = r->code + i;
	uint64_t word;

	if (stack_word(r, code, x->length, AX_TO_STACK, &word))
		r->has_channel |= word == r->sends_on;
	else if (stack_word(r, code, x->length, AX_FROM_STACK, &word))
		r->has_channel = word == r->sends_on;
	else if (x->kind == GH_X86_CALL || is_indirect_call(code, x->length) ||
		 writes_ax(code, x->length))
		r->has_channel = false;
}

static void see_send(struct reader *r, uint64_t i, const struct gh_x86 *x)
{
	gh_addr target = r->frame->func.entry + i + x->length + (uint64_t)x->target;

	if (!r->send || x->kind != GH_X86_CALL || target != r->send || i == r->at ||
	    r->nsends == SENDS_MAX)
		return;
	r->sends[r->nsends++] = i + x->length;
	if (r->has_channel)
		r->there[r->nthere++] = i + x->length;
}

/* The code in the order of its addresses. */
static void walk(struct reader *r)
{
	struct gh_x86 x;

	for (uint64_t i = 0; i < r->len; i += x.length) {
		if (!gh_x86_decode(r->code + i, r->len - i, &x))
			return;
		if (i == r->at) {
			r->ret->is_known = true;
			r->ret->is_result |= !r->is_select && r->is_in_ax;
		}
		r->number++;
		see_move(r, r->code + i, x.length);
		if (i < r->at)
			see_before(r, i, &x);
		see_send(r, i, &x);
		see_channel(r, i, &x);
	}
}

/* Nothing goes on behind it: RET, JMP, UD2, INT3. */
static bool is_end(const uint8_t *code)
{
	return code[0] == 0xc3 || code[0] == 0xc2 || code[0] == 0xcc || code[0] == 0xeb ||
	       code[0] == 0xe9 || (code[0] == 0x0f && code[1] == 0x0b) ||
	       (code[0] == 0xff && (code[1] & 0x38) == 0x20); // by a table: its targets are not seen
}

/* Does a way lead from one of these to where it waits? False: none is seen, or there is no memory. */
static bool comes_to_wait(const struct reader *r, const uint64_t *from, size_t n)
{
	_cleanup_free_ uint64_t *seen = gh_alloc_array(gh_bitmap_words(r->len), sizeof(*seen));
	struct offset_vec todo = {0};
	bool found = false, fine = seen != NULL;

	for (size_t k = 0; k < n && fine; k++)
		fine = offset_vec_push(&todo, from[k]);
	while (fine && !found && todo.len) {
		uint64_t i = todo.data[--todo.len];
		struct gh_x86 x;

		while (i < r->len && !gh_bitmap_test_and_set(seen, i) &&
		       gh_x86_decode(r->code + i, r->len - i, &x)) {
			int64_t target = (int64_t)(i + x.length) + x.target;

			found |= i == r->at;
			if (x.kind == GH_X86_JUMP && target >= 0 && (uint64_t)target < r->len)
				fine &= offset_vec_push(&todo, (uint64_t)target);
			if (found || x.length < 1 || is_end(r->code + i))
				break;
			i += x.length;
		}
	}
	offset_vec_deinit(&todo);
	return found;
}

void gh_chancode_read(const struct gh_runtime *rt, const struct gh_frame_vec *frames,
		      const gh_addr *channels, size_t n, gh_addr sends_on,
		      struct gh_chancode *ret)
{
	struct reader r = {
		.rt = rt, .channels = channels, .n = n, .sends_on = sends_on, .ret = ret};
	const struct gh_func *func;
	uint64_t behind;

	*ret = (struct gh_chancode){0};
	r.frame = find_frame(&r, frames);
	if (!r.frame || rt->target->machine != EM_X86_64)
		return;
	func = &r.frame->func;
	if (func->end <= func->entry || r.frame->pc < func->entry + CALL_BYTES ||
	    r.frame->pc > func->end)
		return;
	r.at = r.frame->pc - CALL_BYTES - func->entry;
	r.len = gh_min_u64(func->end - func->entry, GH_CHANCODE_MAX);
	r.code = gh_image_at(rt->image, func->entry, r.len);
	if (r.code && r.at < r.len)
		walk(&r);
	if (!ret->is_known) {
		*ret = (struct gh_chancode){0};
		return;
	}
	behind = r.at + CALL_BYTES;
	ret->in_loop = comes_to_wait(&r, &behind, 1);
	ret->sent_before = comes_to_wait(&r, r.sends, r.nsends);
	ret->sent_there_before = comes_to_wait(&r, r.there, r.nthere);
}
