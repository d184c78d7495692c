// SPDX-License-Identifier: Apache-2.0
// Functions by pc: names, lines, inlining, pc-value tables, funcdata. Mirrors runtime/symtab.go and
// internal/abi/symtab.go (go1.22 to go1.27). Every read is checked; a broken table costs the
// answer.
#pragma once

#include "goruntime/runtime.h"

enum { GH_PCDATA_UNSAFE_POINT = 0, GH_PCDATA_STACK_MAP_INDEX = 1, GH_PCDATA_INL_TREE_INDEX = 2 };
enum {
	GH_FUNCDATA_ARGS_POINTER_MAPS = 0,
	GH_FUNCDATA_LOCALS_POINTER_MAPS = 1,
	GH_FUNCDATA_STACK_OBJECTS = 2,
	GH_FUNCDATA_INL_TREE = 3,
	GH_FUNCDATA_OPEN_CODED_DEFER_INFO = 4,
	GH_FUNCDATA_WRAP_INFO = 7,
};
enum { GH_FUNC_FLAG_TOP_FRAME = 1, GH_FUNC_FLAG_SP_WRITE = 2, GH_FUNC_FLAG_ASM = 4 };
enum { GH_ARGS_SIZE_UNKNOWN = -0x80000000LL };

/** A function. Small, copied by value; borrows from the runtime. */
struct gh_func {
	const struct gh_module *module;
	gh_addr entry, end;   // text of the function
	gh_addr record;	      // its _func
	int32_t args;	      // bytes of arguments and results on the stack
	uint32_t deferreturn; // offset from entry, 0 none
	uint32_t name_off, cu_off, pcsp, pcfile, pcln;
	uint32_t npcdata;
	uint8_t nfuncdata, flag;
	enum gh_func_id id;
};

/** False when no function holds pc. */
bool gh_func_find(const struct gh_runtime *rt, gh_addr pc, struct gh_func *ret);

/** Full name as in pclntab ("main.(*T).f", "main.g[...]"), not escaped; NULL when unreadable.
 * Borrowed. */
const char *gh_func_name(const struct gh_runtime *rt, const struct gh_func *func);

/** Value of a pc-value table at pc; false when there is none. */
bool gh_func_pcvalue(const struct gh_runtime *rt, const struct gh_func *func, uint32_t table,
		     gh_addr pc, int32_t *ret);
bool gh_func_pcdata(const struct gh_runtime *rt, const struct gh_func *func, uint32_t index,
		    gh_addr pc, int32_t *ret);

/** The same, and where the value ends: above pc, maybe beyond the function. */
bool gh_func_pcdata_range(const struct gh_runtime *rt, const struct gh_func *func, uint32_t index,
			  gh_addr pc, int32_t *ret, gh_addr *end_ret);

/** Address of funcdata, 0 when there is none. */
gh_addr gh_func_funcdata(const struct gh_runtime *rt, const struct gh_func *func, uint8_t index);

/** One logical frame at pc: innermost inlined call first. name and file are borrowed. */
struct gh_source_frame {
	const char *function, *file;
	int32_t line;
	bool inlined; // inlined into the next one,
	gh_addr call; // where the call of it stands there: each call has a place of its own
	enum gh_func_id id;
};
GH_VEC(gh_source_frame_vec, struct gh_source_frame);

/** Appends the logical frames of pc (already pc - 1 for calls). False: out of memory. */
bool gh_func_source_frames(const struct gh_runtime *rt, const struct gh_func *func, gh_addr pc,
			   struct gh_source_frame_vec *ret);

/** Function, file and line at pc as if nothing was inlined there, as runtime.funcline. */
void gh_func_line(const struct gh_runtime *rt, const struct gh_func *func, gh_addr pc,
		  struct gh_source_frame *ret);
