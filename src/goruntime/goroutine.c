// SPDX-License-Identifier: Apache-2.0
// Reading allgs. See goroutine.h.
#include "goruntime/goroutine.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "goruntime/thread.h"

enum {
	GSCAN = 0x1000, // _Gscan (runtime/runtime2.go): being scanned, on top of the status
	FING_RUNNING_FINALIZER = 2, // fingStatus (runtime/mfinal.go)
	MAX_LABELS = 4096,
	MAX_LABEL_BYTES = 4096,
};

static bool is_on_thread(const struct gh_goroutine *g)
{
	return g->status == GH_G_RUNNING || g->status == GH_G_SYSCALL ||
	       g->status == GH_G_COPYSTACK;
}

static uint32_t find_thread(const struct gh_runtime *rt, const struct gh_thread_index *index,
			    const struct gh_goroutine *g)
{
	gh_addr m = is_on_thread(g) ? gh_field_or_zero(rt, g->addr, GH_F_g_m) : 0;
	const struct gh_thread *thread;

	if (!m || gh_field_or_zero(rt, m, GH_F_m_curg) != g->addr)
		return GH_NO_THREAD;
	thread = gh_thread_of_m(rt, index, m, g->addr);
	return thread ? (uint32_t)(thread - rt->target->threads.data) : GH_NO_THREAD;
}

/* runtime.isSystemGoroutine (runtime/traceback.go). */
static bool is_system(const struct gh_runtime *rt, const struct gh_goroutine *g)
{
	struct gh_func func;
	const char *name;
	uint64_t flag;

	if (!gh_func_find(rt, g->start_pc, &func))
		return false;
	switch (func.id) {
	case GH_FUNC_RUNTIME_MAIN:
	case GH_FUNC_COROSTART:
	case GH_FUNC_HANDLE_ASYNC_EVENT:
		return false;
	case GH_FUNC_RUN_FINALIZERS: { // a user's while it runs a finalizer
		uint32_t status = 0;

		return !rt->var[GH_V_fingStatus] ||
		       !gh_read_u32(rt->image, rt->var[GH_V_fingStatus], &status) ||
		       !(status & FING_RUNNING_FINALIZER);
	}
	case GH_FUNC_RUN_CLEANUPS: // a user's while it runs a cleanup
		return !gh_field(rt, g->addr, GH_F_g_runningCleanups, &flag) || !(flag & 0xff);
	case GH_FUNC_NORMAL:
	case GH_FUNC_ASYNC_PREEMPT:
	case GH_FUNC_CGOCALLBACK:
	case GH_FUNC_DEBUG_CALL:
	case GH_FUNC_GOEXIT:
	case GH_FUNC_GOPANIC:
	case GH_FUNC_MCALL:
	case GH_FUNC_MORESTACK:
	case GH_FUNC_MSTART:
	case GH_FUNC_PANICWRAP:
	case GH_FUNC_SIGPANIC:
	case GH_FUNC_SYSTEMSTACK:
	case GH_FUNC_SYSTEMSTACK_SWITCH:
	case GH_FUNC_WRAPPER:
	case GH_FUNC_ID_COUNT:
		break;
	}
	name = gh_func_name(rt, &func);
	return name && strncmp(name, "runtime.", 8) == 0;
}

static const char *wait_reason(const struct gh_runtime *rt, const struct gh_goroutine *g)
{
	uint64_t reason = gh_field_or_zero(rt, g->addr, GH_F_g_waitreason);

	if (g->status != GH_G_WAITING && g->status != GH_G_LEAKED)
		return "";
	if (reason >= rt->release->nwait_reasons || !rt->release->wait_reasons[reason])
		return "unknown wait reason"; // as waitReason.String says
	return rt->release->wait_reasons[reason];
}

static uint64_t sched_field(const struct gh_runtime *rt, gh_addr g, enum gh_layout_field field)
{
	return gh_has(&rt->layout, GH_F_g_sched)
		       ? gh_field_or_zero(rt, g + (uint64_t)rt->layout.offset[GH_F_g_sched], field)
		       : 0;
}

/* Whoever dies forgets what it waited for (runtime/proc.go: gdestroy). */
static bool is_dead_and_waits(const struct gh_runtime *rt, const struct gh_goroutine *g)
{
	return gh_goroutine_is_dead(g) && gh_field_or_zero(rt, g->addr, GH_F_g_waitreason);
}

static bool goroutine_load(const struct gh_runtime *rt, gh_addr addr, struct gh_goroutine *ret)
{
	struct gh_goroutine g = {.addr = addr};
	uint64_t status;

	if (!gh_field(rt, addr, GH_F_g_atomicstatus, &status) ||
	    !gh_field(rt, addr, GH_F_g_goid, &g.goid) ||
	    !gh_field(rt, addr, GH_F_g_stack_lo, &g.stack_lo) ||
	    !gh_read_u64(rt->image, addr + (uint64_t)rt->layout.offset[GH_F_g_stack_lo] + 8,
			 &g.stack_hi))
		return false;
	g.status = (enum gh_gstatus)((uint32_t)status & ~(uint32_t)GSCAN);
	g.sched_sp = sched_field(rt, addr, GH_F_gobuf_sp);
	g.sched_pc = sched_field(rt, addr, GH_F_gobuf_pc);
	g.in_syscall = gh_field_or_zero(rt, addr, GH_F_g_syscallsp) != 0;
	g.wait_since_ns = (int64_t)gh_field_or_zero(rt, addr, GH_F_g_waitsince);
	g.start_pc = gh_field_or_zero(rt, addr, GH_F_g_startpc);
	g.go_pc = gh_field_or_zero(rt, addr, GH_F_g_gopc);
	g.has_defers = gh_field_or_zero(rt, addr, GH_F_g__defer) != 0;
	g.has_panics = gh_field_or_zero(rt, addr, GH_F_g__panic) != 0;
	g.locked = gh_field_or_zero(rt, addr, GH_F_g_lockedm) != 0;
	g.wait_reason = wait_reason(rt, &g);
	g.system = is_system(rt, &g);
	if (is_dead_and_waits(rt, &g))
		return false;
	*ret = g;
	return true;
}

bool gh_goroutines_counted(const struct gh_runtime *rt, uint64_t *ret)
{
	return rt->var[GH_V_allglen] && gh_read_u64(rt->image, rt->var[GH_V_allglen], ret);
}

struct gh_error *gh_goroutines_load(const struct gh_runtime *rt, struct gh_goroutine_vec *ret,
				    uint64_t *unreadable_ret)
{
	struct gh_thread_index threads;
	struct gh_slice all;
	struct gh_error *err = NULL;
	uint64_t readable, counted, lost = 0;

	*unreadable_ret = 0;
	if (!rt->var[GH_V_allgs] || !gh_read_slice(rt->image, rt->var[GH_V_allgs], &all))
		return gh_error_create(
			GH_ERR_MISSING,
			"cannot list goroutines: runtime.allgs is not in the core: "
			"take a whole core, or pass the executable that ran with --exe");
	if (!gh_thread_index_init(&threads, rt->target))
		return gh_error_nomem();
	if (all.len > all.cap) { // what lies behind the array is no goroutines
		lost = 1;
		all.len = all.cap;
		if (gh_goroutines_counted(rt, &counted))
			all.len = gh_min_u64(counted, all.cap);
	}
	readable =
		gh_image_readable(rt->image, all.data, gh_min_u64(all.len, UINT64_MAX / 8) * 8) / 8;
	// a length beyond what is mapped is damage: count only what a damaged word may mean
	*unreadable_ret = lost + gh_min_u64(all.len, UINT32_MAX) - gh_min_u64(readable, UINT32_MAX);
	if (!gh_budget_take(gh_runtime_budget(rt), readable * sizeof(*ret->data), "goroutines") ||
	    !gh_vec_reserve_exactly((void **)&ret->data, &ret->cap, readable, sizeof(*ret->data)))
		err = gh_error_nomem();
	for (uint64_t i = 0; i < readable && !err; i++) {
		struct gh_goroutine g;
		gh_addr addr;

		if (!gh_read_u64(rt->image, all.data + i * 8, &addr) || !addr ||
		    !goroutine_load(rt, addr, &g)) {
			(*unreadable_ret)++;
			continue;
		}
		g.thread = find_thread(rt, &threads, &g);
		if (!gh_goroutine_vec_push(ret, g))
			err = gh_error_nomem();
	}
	gh_thread_index_deinit(&threads);
	return err;
}

const char *gh_gstatus_name(enum gh_gstatus status)
{
	switch (status) {
	case GH_G_IDLE:
		return "idle";
	case GH_G_RUNNABLE:
		return "runnable";
	case GH_G_RUNNING:
		return "running";
	case GH_G_SYSCALL:
		return "syscall";
	case GH_G_WAITING:
		return "waiting";
	case GH_G_DEAD:
		return "dead";
	case GH_G_COPYSTACK:
		return "copystack";
	case GH_G_PREEMPTED:
		return "preempted";
	case GH_G_LEAKED:
		return "leaked";
	case GH_G_DEADEXTRA: // of an extra M that waits for C to call Go
		return "dead";
	}
	return "unknown"; // what memory says may be anything
}

/* A Go string in the target. */
struct label_text {
	const char *data; // borrowed
	uint64_t len;
};

struct label {
	struct label_text key, value;
};
GH_VEC(label_vec, struct label);

static bool read_text(const struct gh_runtime *rt, gh_addr at, struct label_text *ret)
{
	const uint8_t *header = gh_image_at(rt->image, at, 16);

	if (!header)
		return false;
	ret->len = gh_min_u64(gh_u64_at(header + 8), MAX_LABEL_BYTES);
	ret->data = ret->len ? gh_image_at(rt->image, gh_u64_at(header), ret->len) : "";
	return ret->data != NULL;
}

static bool push_label(const struct gh_runtime *rt, gh_addr key, gh_addr value,
		       struct label_vec *ret)
{
	struct label label;

	return ret->len < MAX_LABELS && read_text(rt, key, &label.key) &&
	       read_text(rt, value, &label.value) && label_vec_push(ret, label);
}

/* One bucket of a map[string]string and its overflow buckets (runtime/map.go). */
static void read_bucket(const struct gh_runtime *rt, gh_addr bucket, uint64_t *budget,
			struct label_vec *ret)
{
	enum { SLOTS = 8, MIN_TOP_HASH = 5, KEYS = SLOTS, VALUES = KEYS + SLOTS * 16 };
	enum { OVERFLOW = VALUES + SLOTS * 16 };

	while (bucket && *budget) {
		const uint8_t *tophash = gh_image_at(rt->image, bucket, OVERFLOW + 8);

		(*budget)--;
		if (!tophash)
			return;
		for (uint64_t i = 0; i < SLOTS; i++)
			if (tophash[i] >= MIN_TOP_HASH) // less: empty or moved to a new bucket
				push_label(rt, bucket + KEYS + i * 16, bucket + VALUES + i * 16,
					   ret);
		bucket = gh_u64_at(tophash + OVERFLOW);
	}
}

/* Up to go1.23 labels are a *map[string]string. */
static void read_label_map(const struct gh_runtime *rt, gh_addr labels, struct label_vec *ret)
{
	enum { BUCKET_BYTES = 8 + 8 * 16 + 8 * 16 + 8, MAX_B = 12, SAME_SIZE_GROW = 8 };
	uint64_t budget = MAX_LABELS, shift, old;
	gh_addr map, buckets;

	if (!gh_read_u64(rt->image, labels, &map) || !map || !gh_has(&rt->layout, GH_F_hmap_B))
		return;
	shift = gh_min_u64(gh_field_or_zero(rt, map, GH_F_hmap_B) & 0xff, MAX_B);
	buckets = gh_field_or_zero(rt, map, GH_F_hmap_buckets);
	for (uint64_t i = 0; buckets && i < 1ULL << shift; i++)
		read_bucket(rt, buckets + i * BUCKET_BYTES, &budget, ret);
	old = gh_field_or_zero(rt, map, GH_F_hmap_oldbuckets);
	if (!(gh_field_or_zero(rt, map, GH_F_hmap_flags) & SAME_SIZE_GROW) && shift)
		shift--;
	for (uint64_t i = 0; old && i < 1ULL << shift; i++)
		read_bucket(rt, old + i * BUCKET_BYTES, &budget, ret);
}

/* Since go1.24 they are a *LabelSet: a slice of {key, value string}. */
static void read_label_set(const struct gh_runtime *rt, gh_addr labels, struct label_vec *ret)
{
	struct gh_slice list;

	if (!gh_read_slice(rt->image, labels, &list))
		return;
	list.len = gh_min_u64(list.len, MAX_LABELS);
	for (uint64_t i = 0; i < list.len; i++)
		if (!push_label(rt, list.data + i * 32, list.data + i * 32 + 16, ret))
			return;
}

static int compare_text(const struct label_text *a, const struct label_text *b)
{
	int order = memcmp(a->data, b->data, gh_min_u64(a->len, b->len));

	return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int compare_label(const void *a, const void *b)
{
	const struct label *x = a, *y = b;
	int order = compare_text(&x->key, &y->key);

	return order ? order : compare_text(&x->value, &y->value);
}

/* Text of the program: control bytes and what separates labels are escaped. */
static void add_escaped(struct gh_strbuf *sb, const struct label_text *text)
{
	for (uint64_t i = 0; i < text->len; i++) {
		unsigned char c = (unsigned char)text->data[i];

		if (c < 0x20 || c == 0x7f)
			gh_strbuf_printf(sb, "\\x%02x", c);
		else if (c == '\\' || c == ',' || c == '=')
			gh_strbuf_printf(sb, "\\%c", c);
		else
			gh_strbuf_putc(sb, (char)c);
	}
}

bool gh_goroutine_labels(const struct gh_runtime *rt, const struct gh_goroutine *g,
			 struct gh_strbuf *sb)
{
	gh_addr labels = gh_field_or_zero(rt, g->addr, GH_F_g_labels);
	_cleanup_(label_vec_deinit) struct label_vec list = {0};

	if (!labels || g->status == GH_G_DEAD || g->status == GH_G_DEADEXTRA)
		return false;
	if (rt->release->map_kind == GH_MAP_HMAP)
		read_label_map(rt, labels, &list);
	else
		read_label_set(rt, labels, &list);
	if (list.len == 0)
		return false;
	qsort(list.data, list.len, sizeof(*list.data), compare_label);
	for (size_t i = 0; i < list.len; i++) {
		gh_strbuf_puts(sb, i ? ", " : "");
		add_escaped(sb, &list.data[i].key);
		gh_strbuf_putc(sb, '=');
		add_escaped(sb, &list.data[i].value);
	}
	return true;
}
