// SPDX-License-Identifier: Apache-2.0
// Where amd64 instructions end, and where jumps lead: enough to walk the code of a function.
#pragma once

#include "base/defs.h"

enum gh_x86_kind {
	GH_X86_OTHER,
	GH_X86_JUMP, // conditional or not, to a place that the instruction names
	GH_X86_CALL, // likewise
};

struct gh_x86 {
	uint32_t length; // bytes
	enum gh_x86_kind kind;
	int64_t target; // of JUMP and CALL: counted from the instruction's end
};

/**
 * The instruction at the beginning of code, of which len bytes are there. False: it is none that
 * compilers of 64-bit code emit, or one that is not known (EVEX), or it is cut off. Reads no more
 * than len bytes.
 */
bool gh_x86_decode(const uint8_t *code, uint64_t len, struct gh_x86 *ret);
