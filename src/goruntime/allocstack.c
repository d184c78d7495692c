// SPDX-License-Identifier: Apache-2.0
// See allocstack.h.
#include "goruntime/allocstack.h"

#include "goruntime/special.h"

enum {
	MAX_DEPTH = 1024, // runtime/runtime1.go: maxProfStackDepth
	MEM_PROFILE = 1,  // runtime/mprof.go: bucketType
	BUCKET_TYP = 16,  // struct bucket {next, allnext, typ, hash, size, nstk}; the stack follows
	BUCKET_NSTK = 40,
	BUCKET_STK = 48,
};

static bool read_bucket(const struct gh_runtime *rt, gh_addr bucket, struct gh_alloc_stack *ret)
{
	uint64_t type, depth;

	if (!bucket || !gh_read_u64(rt->image, bucket + BUCKET_TYP, &type) || type != MEM_PROFILE ||
	    !gh_read_u64(rt->image, bucket + BUCKET_NSTK, &depth) || !depth || depth > MAX_DEPTH)
		return false;
	*ret = (struct gh_alloc_stack){bucket + BUCKET_STK, (uint32_t)depth};
	return true;
}

bool gh_alloc_stack_find(const struct gh_runtime *rt, const struct gh_span *span, gh_addr base,
			 struct gh_alloc_stack *ret)
{
	struct gh_special special;

	return gh_special_find(rt, span, base, GH_SPECIAL_PROFILE, &special) &&
	       read_bucket(rt, gh_field_or_zero(rt, special.record, GH_F_specialprofile_b), ret);
}

/* runtime.tracebackPCs notes each logical frame by a pc that is one too high. */
bool gh_alloc_stack_frame(const struct gh_runtime *rt, const struct gh_alloc_stack *stack,
			  uint32_t i, struct gh_source_frame *ret)
{
	struct gh_source_frame_vec frames = {0};
	struct gh_func func;
	gh_addr pc;
	bool found = i < stack->depth && gh_read_u64(rt->image, stack->pcs + i * 8ULL, &pc) && pc &&
		     gh_func_find(rt, pc - 1, &func) &&
		     gh_func_source_frames(rt, &func, pc - 1, &frames) && frames.len;

	if (found)
		*ret = frames.data[0];
	gh_source_frame_vec_deinit(&frames);
	return found;
}
