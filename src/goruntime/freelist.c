// SPDX-License-Identifier: Apache-2.0
// See freelist.h.
#include "goruntime/freelist.h"

#include "base/ring.h"

enum {
	MAX_PS = 1 << 20,
	MAX_OF_P = 1 << 16, // a P keeps 128 sudogs and 32 records (runtime/runtime2.go, p)
};

/* The slice that a P keeps. */
static bool add_slice(const struct gh_runtime *rt, gh_addr p, enum gh_layout_field field,
		      struct gh_freelists *lists, struct gh_addr_vec *ret)
{
	struct gh_slice slice;

	if (!gh_has(&rt->layout, field) ||
	    !gh_read_slice(rt->image, p + (uint64_t)rt->layout.offset[field], &slice))
		return true;
	if (slice.len > gh_min_u64(slice.cap, MAX_OF_P)) {
		lists->damaged++;
		return true;
	}
	for (uint64_t i = 0; i < slice.len; i++) {
		gh_addr addr;

		if (gh_read_u64(rt->image, slice.data + i * 8, &addr) && addr &&
		    !gh_addr_vec_push(ret, addr))
			return false;
	}
	return true;
}

/* The list that all Ps share. */
static bool add_list(const struct gh_runtime *rt, enum gh_layout_field head,
		     enum gh_layout_field link, struct gh_freelists *lists, struct gh_addr_vec *ret)
{
	gh_addr addr = rt->var[GH_V_sched] ? gh_field_or_zero(rt, rt->var[GH_V_sched], head) : 0;
	struct gh_ring ring = {0};

	for (; addr; addr = gh_field_or_zero(rt, addr, link)) {
		if (gh_ring_closes(&ring, addr)) {
			lists->damaged++;
			return true;
		}
		if (!gh_addr_vec_push(ret, addr))
			return false;
	}
	return true;
}

struct gh_error *gh_freelists_load(const struct gh_runtime *rt, struct gh_freelists *ret)
{
	struct gh_slice ps = {0};
	bool fine;

	*ret = (struct gh_freelists){0};
	fine = add_list(rt, GH_F_sched_sudogcache, GH_F_sudog_next, ret, &ret->sudogs) &&
	       add_list(rt, GH_F_sched_deferpool, GH_F__defer_link, ret, &ret->defers);
	if (rt->var[GH_V_allp])
		gh_read_slice(rt->image, rt->var[GH_V_allp], &ps);
	ps.len = gh_image_readable(rt->image, ps.data, gh_min_u64(ps.len, MAX_PS) * 8) / 8;
	for (uint64_t i = 0; i < ps.len && fine; i++) {
		gh_addr p;

		if (gh_read_u64(rt->image, ps.data + i * 8, &p) && p)
			fine = add_slice(rt, p, GH_F_p_sudogcache, ret, &ret->sudogs) &&
			       add_slice(rt, p, GH_F_p_deferpool, ret, &ret->defers);
	}
	if (fine)
		return NULL;
	gh_freelists_deinit(ret);
	return gh_error_nomem();
}

void gh_freelists_deinit(struct gh_freelists *lists)
{
	gh_addr_vec_deinit(&lists->sudogs);
	gh_addr_vec_deinit(&lists->defers);
	*lists = (struct gh_freelists){0};
}
