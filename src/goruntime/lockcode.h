// SPDX-License-Identifier: Apache-2.0
// What the code of a function does with locks: where it calls package sync, inlined or not, and
// which static data it names. By the inlining tables and by the operands of its instructions; what
// it calls through a pointer is not seen. Mirrors sync/mutex.go, rwmutex.go, waitgroup.go,
// internal/sync/mutex.go (go1.22 to go1.27).
#pragma once

#include "goruntime/functab.h"

enum gh_lock_op_kind {
	GH_LOCK_OP_LOCK, // Mutex and RWMutex; TryLock too
	GH_LOCK_OP_UNLOCK,
	GH_LOCK_OP_READ_LOCK,
	GH_LOCK_OP_READ_UNLOCK,
	GH_LOCK_OP_DONE, // of a WaitGroup
};

struct gh_lock_op {
	gh_addr at; // of an inlined call: where it would stand
	bool is_inlined;
	enum gh_lock_op_kind kind;
};
GH_VEC(gh_lock_op_vec, struct gh_lock_op);

struct gh_lockcode {
	struct gh_lock_op_vec ops;   // sorted by place
	struct gh_addr_vec statics;  // addresses in static data that it names, sorted
};

/** Bytes of a function that are looked at; what is longer has more than its locks to hide. */
enum { GH_LOCKCODE_MAX = 1 << 18 };

/** *ret is zeroed before. Errors: NOMEM. */
struct gh_error *gh_lockcode_load(const struct gh_runtime *rt, const struct gh_func *func,
				  struct gh_lockcode *ret) GH_MUST_CHECK;
void gh_lockcode_deinit(struct gh_lockcode *code);

/**
 * Where pc stands in the order of the source: in an inlined call of package sync that is where the
 * call stands, though its slow path may lie behind the function's end.
 */
gh_addr gh_lockcode_place(const struct gh_runtime *rt, const struct gh_func *func, gh_addr pc);

/** What the call of a function of this name does. False: nothing with locks. */
bool gh_lock_op_named(const char *function, enum gh_lock_op_kind *ret);
