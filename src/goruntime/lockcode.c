// SPDX-License-Identifier: Apache-2.0
// See lockcode.h.
#include "goruntime/lockcode.h"

#include <stdlib.h>

#include "goruntime/callcode.h"

bool gh_lock_op_named(const char *function, enum gh_lock_op_kind *ret)
{
	static const struct {
		const char *name;
		enum gh_lock_op_kind kind;
	} ops[] = {
		{"sync.(*Mutex).Lock", GH_LOCK_OP_LOCK},
		{"sync.(*Mutex).TryLock", GH_LOCK_OP_LOCK},
		{"sync.(*Mutex).Unlock", GH_LOCK_OP_UNLOCK},
		{"sync.(*RWMutex).Lock", GH_LOCK_OP_LOCK},
		{"sync.(*RWMutex).TryLock", GH_LOCK_OP_LOCK},
		{"sync.(*RWMutex).Unlock", GH_LOCK_OP_UNLOCK},
		{"sync.(*RWMutex).RLock", GH_LOCK_OP_READ_LOCK},
		{"sync.(*RWMutex).TryRLock", GH_LOCK_OP_READ_LOCK},
		{"sync.(*RWMutex).RUnlock", GH_LOCK_OP_READ_UNLOCK},
		{"sync.(*rlocker).Lock", GH_LOCK_OP_READ_LOCK},
		{"sync.(*rlocker).Unlock", GH_LOCK_OP_READ_UNLOCK},
		{"sync.(*WaitGroup).Done", GH_LOCK_OP_DONE},
	};

	for (size_t i = 0; function && i < GH_ARRAY_SIZE(ops); i++) {
		size_t n = strlen(ops[i].name);

		// "-fm": a method value, bound to its receiver
		if (strncmp(function, ops[i].name, n) == 0 &&
		    (!function[n] || strcmp(function + n, "-fm") == 0)) {
			*ret = ops[i].kind;
			return true;
		}
	}
	return false;
}

struct reader {
	const struct gh_runtime *rt;
	const struct gh_func *func;
	struct gh_lockcode *ret;
	struct gh_source_frame_vec frames; // scratch
	bool nomem;
};

static void add_call(struct reader *r, gh_addr at, enum gh_lock_op_kind kind)
{
	r->nomem |= !gh_lock_op_vec_push(&r->ret->ops, (struct gh_lock_op){at, false, kind});
}

/*
 * The outermost call of package sync that was inlined at pc: where it stands, which is the same for
 * all of its code. The compiler spills for it before, and puts slow paths behind all else. 0: none.
 */
static gh_addr inlined_call(const struct gh_runtime *rt, const struct gh_func *func, gh_addr pc,
			    struct gh_source_frame_vec *frames, enum gh_lock_op_kind *kind_ret,
			    bool *nomem)
{
	gh_addr call = 0;

	frames->len = 0;
	*nomem |= !gh_func_source_frames(rt, func, pc, frames);
	for (size_t i = 0; i < frames->len; i++)
		if (frames->data[i].inlined &&
		    gh_lock_op_named(frames->data[i].function, kind_ret))
			call = frames->data[i].call;
	return call;
}

gh_addr gh_lockcode_place(const struct gh_runtime *rt, const struct gh_func *func, gh_addr pc)
{
	struct gh_source_frame_vec frames = {0};
	enum gh_lock_op_kind kind;
	bool nomem = false;
	gh_addr call = inlined_call(rt, func, pc, &frames, &kind, &nomem);

	gh_source_frame_vec_deinit(&frames);
	return call ? call : pc;
}

static bool has_op(const struct gh_lockcode *code, gh_addr call)
{
	for (size_t i = code->ops.len; i-- > 0;)
		if (code->ops.data[i].is_inlined && code->ops.data[i].at == call)
			return true;
	return false;
}

/* Once: its code may lie in several places. */
static void look_at_inlined(struct reader *r, gh_addr pc)
{
	enum gh_lock_op_kind kind = GH_LOCK_OP_LOCK;
	gh_addr call = inlined_call(r->rt, r->func, pc, &r->frames, &kind, &r->nomem);

	if (call && !has_op(r->ret, call))
		r->nomem |= !gh_lock_op_vec_push(&r->ret->ops,
						 (struct gh_lock_op){call, true, kind});
}

static void find_inlined(struct reader *r, gh_addr hi)
{
	gh_addr end = r->func->entry;
	int32_t value;

	for (gh_addr pc = r->func->entry; pc < hi && !r->nomem; pc = end) {
		if (!gh_func_pcdata_range(r->rt, r->func, GH_PCDATA_INL_TREE_INDEX, pc, &value,
					  &end) ||
		    end <= pc)
			return;
		if (value >= 0)
			look_at_inlined(r, pc);
	}
}

/* That bytes inside other instructions lead to such a function, or to a lock, is no chance. */
static void see_call(void *ctx, gh_addr at, gh_addr target)
{
	struct reader *r = ctx;
	enum gh_lock_op_kind kind;
	struct gh_func callee;

	if (gh_func_find(r->rt, target, &callee) && callee.entry == target &&
	    gh_lock_op_named(gh_func_name(r->rt, &callee), &kind))
		add_call(r, at, kind);
}

static void see_address(void *ctx, gh_addr target)
{
	struct reader *r = ctx;
	const struct gh_module *m = r->func->module;

	if ((target >= m->data && target < m->edata) || (target >= m->bss && target < m->ebss) ||
	    (target >= m->noptrdata && target < m->enoptrdata) ||
	    (target >= m->noptrbss && target < m->enoptrbss))
		r->nomem |= !gh_addr_vec_push(&r->ret->statics, target);
}

static int by_place(const void *a, const void *b)
{
	const struct gh_lock_op *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

struct gh_error *gh_lockcode_load(const struct gh_runtime *rt, const struct gh_func *func,
				  struct gh_lockcode *ret)
{
	struct reader r = {.rt = rt, .func = func, .ret = ret};
	uint64_t len = func->end > func->entry ? func->end - func->entry : 0;

	*ret = (struct gh_lockcode){0};
	find_inlined(&r, func->entry + gh_min_u64(len, GH_LOCKCODE_MAX));
	gh_code_visit(rt, func, GH_LOCKCODE_MAX, see_call, see_address, &r);
	gh_source_frame_vec_deinit(&r.frames);
	if (r.nomem) {
		gh_lockcode_deinit(ret);
		return gh_error_nomem();
	}
	if (ret->ops.len)
		qsort(ret->ops.data, ret->ops.len, sizeof(*ret->ops.data), by_place);
	gh_addr_sort(ret->statics.data, ret->statics.len);
	return NULL;
}

void gh_lockcode_deinit(struct gh_lockcode *code)
{
	gh_lock_op_vec_deinit(&code->ops);
	gh_addr_vec_deinit(&code->statics);
}
