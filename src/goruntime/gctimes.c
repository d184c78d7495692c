// SPDX-License-Identifier: Apache-2.0
// Ends of collections. See gctimes.h.
#include "goruntime/gctimes.h"

#include <stdlib.h>

#include "base/cleanup.h"

enum { SLACK_NS = 1000000 }; // a collection reads one clock after the other as it ends

static int compare_times(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Each time that a goroutine's waitsince names is an end of a mark. */
static struct gh_error *load_seen(const struct gh_runtime *rt, const struct gh_goroutine_vec *gs,
				  struct gh_gc_times *times)
{
	uint64_t bytes = gs->len * sizeof(*times->seen);
	_cleanup_free_ int64_t *all = NULL;
	struct gh_error *err;
	size_t n = 0;

	// all of them for a moment; few differ
	err = gh_budget_charge(gh_runtime_budget(rt), bytes, "the waits of goroutines");
	if (err)
		return err;
	all = gh_alloc_array(gs->len, sizeof(*all));
	for (size_t i = 0; all && i < gs->len; i++)
		if (gs->data[i].wait_since_ns > 0)
			all[n++] = gs->data[i].wait_since_ns;
	if (all)
		qsort(all, n, sizeof(*all), compare_times);
	for (size_t i = 0; i < n; i++)
		if (times->nseen == 0 || all[i] != all[times->nseen - 1])
			all[times->nseen++] = all[i];
	times->seen = all ? gh_alloc_array(times->nseen, sizeof(*all)) : NULL;
	if (times->seen && times->nseen)
		memcpy(times->seen, all, times->nseen * sizeof(*all));
	gh_budget_give(gh_runtime_budget(rt), bytes);
	return times->seen ? NULL : gh_error_nomem();
	return NULL;
}

/* The ring holds times of the wall clock; the last one is known by both clocks. */
static void load_ring(const struct gh_runtime *rt, struct gh_gc_times *times)
{
	gh_addr stats = rt->var[GH_V_memstats];
	uint64_t ngc, unix_ns, nano_ns, end, pause;

	if (!stats || !gh_has(&rt->layout, GH_F_mstats_pause_end) ||
	    !gh_has(&rt->layout, GH_F_mstats_pause_ns) ||
	    !gh_field(rt, stats, GH_F_mstats_numgc, &ngc) ||
	    !gh_field(rt, stats, GH_F_mstats_last_gc_unix, &unix_ns) ||
	    !gh_field(rt, stats, GH_F_mstats_last_gc_nanotime, &nano_ns))
		return;
	for (uint64_t i = gh_min_u64(ngc, GH_GC_RING); i > 0; i--) {
		uint64_t at = (ngc - i) % GH_GC_RING * 8;

		if (!gh_read_u64(rt->image,
				 stats + (uint64_t)rt->layout.offset[GH_F_mstats_pause_end] + at,
				 &end) ||
		    !gh_read_u64(rt->image,
				 stats + (uint64_t)rt->layout.offset[GH_F_mstats_pause_ns] + at,
				 &pause))
			break;
		times->ended[times->n] = (int64_t)(end - unix_ns + nano_ns);
		times->paused_ns[times->n++] =
			(int64_t)gh_min_u64(pause, INT64_MAX / 4); // of damaged memory
	}
	times->steady = times->n > 0;
	for (uint32_t i = 0; i < times->n; i++)
		if (times->ended[i] <= 0 || times->ended[i] > INT64_MAX / 2 ||
		    (i && times->ended[i] <= times->ended[i - 1]))
			times->steady = false;
}

struct gh_error *gh_gc_times_load(const struct gh_runtime *rt, const struct gh_goroutine_vec *gs,
				  struct gh_gc_times *ret)
{
	uint64_t latest = 0;

	*ret = (struct gh_gc_times){0};
	if (rt->var[GH_V_work] && gh_field(rt, rt->var[GH_V_work], GH_F_work_tstart, &latest))
		ret->latest = (int64_t)latest;
	load_ring(rt, ret);
	return load_seen(rt, gs, ret);
}

void gh_gc_times_deinit(struct gh_gc_times *times)
{
	free(times->seen);
	*times = (struct gh_gc_times){0};
}

/* The first of ascending times that is later than t; 0: none. */
static int64_t next_after(const int64_t *times, size_t n, int64_t t)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (times[mid] <= t)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n ? times[lo] : 0;
}

/* What the ring says of the collection after the one whose mark ended at t; 0: nothing. */
static int64_t next_in_ring(const struct gh_gc_times *times, int64_t t)
{
	if (!times->steady)
		return 0;
	for (uint32_t i = 0; i < times->n; i++) {
		int64_t began = times->ended[i] - times->paused_ns[i] - SLACK_NS;

		if (t > times->ended[i])
			continue;
		if (t >= began) // this is the one
			return i + 1 < times->n ? times->ended[i + 1] : 0;
		return i == 0 ? times->ended[0] : 0; // else it is not among those that it should be
	}
	return 0;
}

bool gh_gc_times_blocked(const struct gh_gc_times *times, int64_t wait_since, int64_t *ret)
{
	const int64_t evidence[] = {
		times->latest,
		next_after(times->seen, times->nseen, wait_since),
		next_in_ring(times, wait_since),
	};
	int64_t earliest = INT64_MAX;

	for (size_t i = 0; i < GH_ARRAY_SIZE(evidence); i++)
		if (evidence[i] > wait_since && evidence[i] < earliest)
			earliest = evidence[i];
	if (wait_since <= 0 || earliest == INT64_MAX)
		return false;
	*ret = earliest;
	return true;
}
