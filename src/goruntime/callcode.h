// SPDX-License-Identifier: Apache-2.0
// What the code of a function names: the code that it calls directly, and addresses relative to
// the instruction. By operands alone, without taking instructions apart (amd64, arm64).
#pragma once

#include "goruntime/functab.h"

/** at: where the call begins; target: its destination. Bytes that only look like one come, too. */
typedef void (*gh_code_call_fn)(void *ctx, gh_addr at, gh_addr target);
typedef void (*gh_code_address_fn)(void *ctx, gh_addr target);

/** Any of the functions may be NULL. max_bytes: of code that are looked at. */
void gh_code_visit(const struct gh_runtime *rt, const struct gh_func *func, uint64_t max_bytes,
		   gh_code_call_fn call, gh_code_address_fn address, void *ctx);

/**
 * The one function that a wrapper of the compiler's (`defer f(x)`: f.deferwrap1) calls; *inlined_ret
 * if it was inlined there, then *ret is the wrapper itself. False: it calls none that is known, or
 * several.
 */
bool gh_code_only_callee(const struct gh_runtime *rt, const struct gh_func *wrapper,
			 struct gh_func *ret, bool *inlined_ret);

/**
 * Bytes of a closure of that function, its code word included, as far as the function's code reads
 * it by the context register before that is used for something else: at least. 8: nothing is seen.
 */
uint64_t gh_code_closure_bytes(const struct gh_runtime *rt, const struct gh_func *func);
