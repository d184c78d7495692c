// SPDX-License-Identifier: Apache-2.0
// See x86.h. After the opcode maps of the architecture's manual: one bit an opcode for those that
// have a ModRM byte, and the size of what follows as a constant.
#include "goruntime/x86.h"

enum { MAX_INSTRUCTION = 15 }; // bytes: processors refuse longer ones

struct opcode {
	uint64_t at;	// index of the byte behind it
	uint8_t map;	// 1: one byte, 2: 0f, 3: 0f 38, 4: 0f 3a
	uint8_t byte;
	bool has_66, wide; // prefix 66; REX.W
};

/* Bit an opcode of the one-byte map: a ModRM byte follows. */
static const uint32_t one_byte_modrm[8] = {
	0x0f0f0f0f, 0x0f0f0f0f, // 00-3f: the first four of each arithmetic operation
	0x00000000, 0x00000a08, // 63, 69, 6b
	0x0000fffb, 0x00000000, // 80-8f but 82
	0xff0f00c3, 0xc0c00000, // c0, c1, c6, c7, d0-d3, d8-df; f6, f7, fe, ff
};

/* Bit an opcode of the map 0f: no ModRM byte follows. */
static const uint32_t two_byte_bare[8] = {
	0x00000b60, 0x00ff0000, // 05, 06, 08, 09, 0b; 30-37
	0x00000000, 0x00800000, // 77
	0x0000ffff, 0x00000707, // 80-8f; a0-a2, a8-aa
	0x0000ff00, 0x00000000, // c8-cf
};

static bool bit(const uint32_t *bits, uint8_t n)
{
	return bits[n >> 5] >> (n & 31) & 1;
}

/* VEX: c5 and one byte, c4 and two; then the opcode. */
static bool read_vex(const uint8_t *code, uint64_t len, struct opcode *op)
{
	uint64_t at = op->at + (code[op->at] == 0xc5 ? 2 : 3);

	if (at >= len)
		return false;
	op->map = code[op->at] == 0xc5 ? 2 : (code[op->at + 1] & 0x1f) + 1;
	op->byte = code[at];
	op->at = at + 1;
	return op->map >= 2 && op->map <= 4;
}

static bool read_opcode(const uint8_t *code, uint64_t len, struct opcode *op)
{
	uint64_t at = 0;

	*op = (struct opcode){.map = 1};
	for (; at < len; at++) {
		uint8_t b = code[at];

		op->has_66 |= b == 0x66;
		if (b != 0x66 && b != 0xf0 && b != 0xf2 && b != 0xf3 && (b & 0xe7) != 0x26 &&
		    (b & 0xfe) != 0x64)
			break;
	}
	if (at < len && (code[at] & 0xf0) == 0x40)
		op->wide = code[at++] & 8;
	op->at = at;
	if (at < len && (code[at] == 0xc5 || code[at] == 0xc4))
		return read_vex(code, len, op);
	if (at < len && code[at] == 0x0f) {
		if (++at >= len)
			return false;
		op->map = code[at] == 0x38 ? 3 : code[at] == 0x3a ? 4 : 2;
		at += op->map > 2;
	}
	if (at >= len)
		return false;
	op->byte = code[at];
	op->at = at + 1;
	return true;
}

static bool has_modrm(const struct opcode *op)
{
	if (op->map == 1)
		return bit(one_byte_modrm, op->byte);
	return op->map != 2 || !bit(two_byte_bare, op->byte);
}

/* Bytes of ModRM, SIB and displacement; 0: cut off. */
static uint64_t modrm_bytes(const uint8_t *p, uint64_t len)
{
	uint8_t mode, rm;
	uint64_t n = 1;

	if (!len)
		return 0;
	mode = p[0] >> 6;
	rm = p[0] & 7;
	if (mode == 3)
		return 1;
	if (rm == 4) {
		if (len < 2)
			return 0;
		n = 2;
		if (mode == 0 && (p[1] & 7) == 5)
			return 6;
	}
	if (mode == 0)
		return rm == 5 ? 5 : n;
	return n + (mode == 1 ? 1 : 4);
}

/* Bytes of the constant behind it. reg: the middle field of ModRM. */
static uint64_t constant_bytes(const struct opcode *op, uint8_t reg)
{
	uint64_t full = op->has_66 ? 2 : 4;
	uint8_t b = op->byte;

	if (op->map == 4)
		return 1;
	if (op->map == 3)
		return 0;
	if (op->map == 2) {
		if ((b & 0xf0) == 0x80)
			return 4;
		return (b >= 0x70 && b <= 0x73) || b == 0xa4 || b == 0xac || b == 0xba ||
		       b == 0xc2 || (b >= 0xc4 && b <= 0xc6);
	}
	if (b < 0x40)
		return (b & 7) == 4 ? 1 : (b & 7) == 5 ? full : 0;
	if ((b & 0xf8) == 0xb8)
		return op->wide ? 8 : full;
	if ((b & 0xf0) == 0x70 || (b & 0xf8) == 0xb0 || (b >= 0xe0 && b <= 0xe7))
		return 1;
	if (b == 0x68 || b == 0x69 || b == 0x81 || b == 0xa9 || b == 0xc7)
		return full;
	if (b == 0x6a || b == 0x6b || b == 0x80 || b == 0x83 || b == 0xa8 || b == 0xc0 ||
	    b == 0xc1 || b == 0xc6 || b == 0xcd || b == 0xeb)
		return 1;
	if (b == 0xe8 || b == 0xe9)
		return 4;
	if (b == 0xc2)
		return 2;
	if (b == 0xf6 || b == 0xf7) // TEST among others that have none
		return reg >= 2 ? 0 : b == 0xf6 ? 1 : full;
	return 0;
}

/* Opcodes that 64-bit code does not have: what is met there is no code. */
static bool is_invalid(const struct opcode *op)
{
	uint8_t b = op->byte;

	return op->map == 1 && ((b < 0x40 && (b & 7) >= 6 && b != 0x0f) || b == 0x60 || b == 0x61 ||
				b == 0x62 || b == 0x82 || b == 0x9a || b == 0xc4 || b == 0xc5 ||
				b == 0xce || (b >= 0xd4 && b <= 0xd6) || b == 0xea);
}

bool gh_x86_decode(const uint8_t *code, uint64_t len, struct gh_x86 *ret)
{
	struct opcode op;
	uint64_t at, n = 0, constant;
	bool is_short, is_long;

	len = gh_min_u64(len, MAX_INSTRUCTION);
	if (!read_opcode(code, len, &op) || is_invalid(&op))
		return false;
	at = op.at;
	if (has_modrm(&op)) {
		n = modrm_bytes(code + at, len - at);
		if (!n)
			return false;
	}
	constant = constant_bytes(&op, n && at < len ? code[at] >> 3 & 7 : 0);
	if (at + n + constant > len)
		return false;
	at += n + constant;
	*ret = (struct gh_x86){.length = (uint32_t)at};
	is_short = op.map == 1 && ((op.byte & 0xf0) == 0x70 || op.byte == 0xeb ||
				   (op.byte >= 0xe0 && op.byte <= 0xe3));
	is_long = (op.map == 1 && (op.byte == 0xe8 || op.byte == 0xe9)) ||
		  (op.map == 2 && (op.byte & 0xf0) == 0x80);
	if (is_short)
		ret->target = (int8_t)code[at - 1];
	else if (is_long)
		ret->target = (int32_t)gh_u32_at(code + at - 4);
	if (is_short || is_long)
		ret->kind = op.map == 1 && op.byte == 0xe8 ? GH_X86_CALL : GH_X86_JUMP;
	return true;
}
