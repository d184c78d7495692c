// SPDX-License-Identifier: Apache-2.0
// Reading timers. See timer.h.
#include "goruntime/timer.h"

#include <stdlib.h>

enum {
	MAX_PS = 1 << 20,      // runtime/proc.go has no bound; GOMAXPROCS is far below
	MUTEX_LOCKED = 1,      // runtime/lock_futex.go, lock_spinbit.go: lowest bit of the key
	TIME_TIMER_OFFSET = 8, // up to go1.22: time.Timer {C, r runtimeTimer} (time/sleep.go)
	KIND_CACHE = 256,      // a power of two
	POLL_ENTRIES = 1 << 16,
	// states up to go1.22 (runtime/time.go)
	STATUS_WAITING = 1,
	STATUS_RUNNING = 2,
	STATUS_DELETED = 3,
	STATUS_REMOVING = 4,
	STATUS_MODIFYING = 6,
	STATUS_MODIFIED_EARLIER = 7,
	STATUS_MODIFIED_LATER = 8,
	STATUS_MOVING = 9,
	// bits of the state since go1.23
	STATE_HEAPED = 1,
	STATE_ZOMBIE = 4,
};

/* What the code at a pc means for a timer. */
struct meaning {
	gh_addr pc;
	uint8_t kind;
	bool calls_arg; // time.goFunc: its argument is the function
};

/* Listing them. */
struct lister {
	const struct gh_runtime *rt;
	const struct gh_poll *poll;
	struct gh_timers *ret;
	uint64_t seen;
};

/* Reading them one after the other. */
struct reader {
	const struct gh_runtime *rt;
	struct meaning cache[KIND_CACHE];
};

static bool has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static struct meaning find_meaning(const struct gh_runtime *rt, gh_addr pc)
{
	struct meaning ret = {.pc = pc, .kind = GH_TIMER_AFTER_FUNC};
	struct gh_func func;
	const char *name = pc && gh_func_find(rt, pc, &func) ? gh_func_name(rt, &func) : NULL;

	if (!name)
		ret.kind = GH_TIMER_RUNTIME;
	else if (strcmp(name, "time.sendTime") == 0)
		ret.kind = GH_TIMER_TIMER;
	else if (strcmp(name, "time.goFunc") == 0)
		ret.calls_arg = true;
	else if (strcmp(name, "runtime.goroutineReady") == 0)
		ret.kind = GH_TIMER_SLEEP;
	else if (has_prefix(name, "runtime.netpoll"))
		ret.kind = GH_TIMER_DEADLINE;
	else if (has_prefix(name, "runtime."))
		ret.kind = GH_TIMER_RUNTIME;
	else if (strstr(name, "WithDeadlineCause.func") || has_prefix(name, "context.WithDeadline"))
		ret.kind = GH_TIMER_CONTEXT;
	return ret;
}

static struct meaning meaning_of(struct reader *r, gh_addr pc)
{
	struct meaning *slot;

	if (!r->rt || !pc)
		return (struct meaning){.kind = GH_TIMER_RUNTIME};
	slot = &r->cache[(pc * 0x9e3779b97f4a7c15ULL) >> 56 & (KIND_CACHE - 1)];
	if (slot->pc != pc)
		*slot = find_meaning(r->rt, pc);
	return *slot;
}

static gh_addr code_of(const struct gh_runtime *rt, gh_addr funcval)
{
	gh_addr pc = 0;

	return funcval && gh_read_u64(rt->image, funcval, &pc) ? pc : 0;
}

static void classify(struct reader *r, struct gh_timer *t)
{
	gh_addr pc = code_of(r->rt, t->f);
	struct meaning meaning = meaning_of(r, pc);

	t->kind = meaning.kind;
	t->callback = pc;
	t->calls_arg = meaning.calls_arg;
	if (meaning.calls_arg) {
		t->callback = code_of(r->rt, t->arg);
		if (meaning_of(r, t->callback).kind == GH_TIMER_CONTEXT)
			t->kind = GH_TIMER_CONTEXT;
	}
	if (t->kind == GH_TIMER_TIMER && t->period_ns)
		t->kind = GH_TIMER_TICKER;
}

/* Up to go1.22 (runtime/time.go, timerNoStatus to timerMoving). */
static enum gh_timer_state state_of_status(uint64_t status, struct gh_timer *t, int64_t nextwhen)
{
	switch (status) {
	case STATUS_WAITING:
		return GH_TIMER_ARMED;
	case STATUS_MODIFIED_EARLIER:
	case STATUS_MODIFIED_LATER:
		t->when_ns = nextwhen;
		return GH_TIMER_ARMED;
	case STATUS_RUNNING:
	case STATUS_REMOVING:
	case STATUS_MODIFYING:
	case STATUS_MOVING:
		return GH_TIMER_CHANGING;
	case STATUS_DELETED:
		t->is_zombie = true;
		break;
	default:
		break;
	}
	t->when_ns = 0;
	return GH_TIMER_STOPPED;
}

/* view: of the runtime.timer at addr. */
static bool read_timer(struct reader *r, gh_addr addr, const struct gh_struct_view *view,
		       struct gh_timer *ret)
{
	const struct gh_layout *layout = &r->rt->layout;
	struct gh_timer t = {.addr = addr, .heap = GH_TIMER_NO_HEAP};

	t.f = gh_view_field(view, GH_F_timer_f);
	t.when_ns = (int64_t)gh_view_field(view, GH_F_timer_when);
	t.period_ns = (int64_t)gh_view_field(view, GH_F_timer_period);
	if (!gh_read_u64(r->rt->image, gh_timer_arg_at(r->rt, &t), &t.arg))
		return false;
	if (gh_has(layout, GH_F_timer_status)) {
		t.state = state_of_status(gh_view_field(view, GH_F_timer_status), &t,
					  (int64_t)gh_view_field(view, GH_F_timer_nextwhen));
	} else {
		t.state = t.when_ns > 0 ? GH_TIMER_ARMED : GH_TIMER_STOPPED;
		t.is_zombie = gh_view_field(view, GH_F_timer_state) & STATE_ZOMBIE;
		t.is_chan = gh_view_field(view, GH_F_timer_isChan);
		t.is_fake = gh_view_field(view, GH_F_timer_isFake);
		t.blocked = (uint32_t)gh_view_field(view, GH_F_timer_blocked);
	}
	classify(r, &t);
	*ret = t;
	return true;
}

bool gh_timer_read(const struct gh_runtime *rt, gh_addr addr, struct gh_timer *ret)
{
	struct reader r = {.rt = rt};
	struct gh_struct_view view;

	return gh_struct_at(rt, addr, GH_S_timer, &view) && read_timer(&r, addr, &view, ret);
}

/* Does the timer say that it is in this heap? Before go1.23 it names the P. */
static bool belongs(const struct gh_struct_view *timer, gh_addr owner, gh_addr set)
{
	if (gh_has(timer->layout, GH_F_timer_ts))
		return gh_view_field(timer, GH_F_timer_ts) == set &&
		       gh_view_field(timer, GH_F_timer_state) & STATE_HEAPED;
	// while Ps are destroyed their timers have none for a moment
	return gh_view_field(timer, GH_F_timer_pp) == owner;
}

static struct gh_error *list_entry(struct lister *r, uint32_t heap, uint32_t i)
{
	const struct gh_timer_heap *h = &r->ret->heaps.data[heap];
	struct gh_key entry = {.value = (uint64_t)heap << 32 | i};

	if (!gh_read_u64(r->rt->image, h->array + (uint64_t)i * h->elem_bytes, &entry.key) ||
	    !entry.key) {
		r->ret->unreadable++;
		return NULL;
	}
	return gh_key_vec_push(&r->ret->entries, entry) ? NULL : gh_error_nomem();
}

/* set: the struct timers, or up to go1.22 the slice itself. */
static struct gh_error *read_heap(struct lister *r, gh_addr set, struct gh_timer_heap heap)
{
	const struct gh_runtime *rt = r->rt;
	int32_t in_set = gh_has(&rt->layout, GH_F_timers_heap)
				 ? rt->layout.offset[GH_F_timers_heap]
				 : 0;
	struct gh_key_vec *entries = &r->ret->entries;
	struct gh_slice slice;
	struct gh_error *err = NULL;
	uint64_t readable;

	heap.elem_bytes = gh_has(&rt->layout, GH_F_timers_heap)
				  ? (uint32_t)rt->layout.struct_size[GH_S_timerWhen]
				  : 8;
	if (!gh_read_slice(rt->image, set + (uint32_t)in_set, &slice)) {
		r->ret->unreadable++;
		return NULL;
	}
	if (slice.len == 0)
		return NULL;
	r->ret->unreadable += slice.len > slice.cap;
	slice.len = gh_min_u64(slice.len, slice.cap);
	readable = gh_image_readable(rt->image, slice.data,
				     gh_min_u64(slice.len, UINT32_MAX) * heap.elem_bytes) /
		   heap.elem_bytes;
	r->ret->unreadable += gh_min_u64(slice.len, UINT32_MAX) - readable;
	heap.array = slice.data;
	heap.len = readable;
	heap.cap = gh_max_u64(slice.cap, readable);
	heap.set = set;
	err = gh_budget_charge(r->ret->budget, readable * sizeof(*entries->data), "timers");
	if (err)
		return err;
	r->ret->charged_bytes += readable * sizeof(*entries->data);
	if (!gh_timer_heap_vec_push(&r->ret->heaps, heap) ||
	    !gh_vec_reserve_exactly((void **)&entries->data, &entries->cap,
				    entries->len + readable, sizeof(*entries->data)))
		return gh_error_nomem();
	for (uint64_t i = 0; i < readable && !err; i++) {
		if (r->seen++ % POLL_ENTRIES == 0)
			err = gh_poll(r->poll, "listing timers", i, readable);
		if (!err)
			err = list_entry(r, (uint32_t)r->ret->heaps.len - 1, (uint32_t)i);
	}
	return err;
}

static bool is_locked(const struct gh_runtime *rt, gh_addr base, enum gh_layout_field mutex)
{
	return gh_field_or_zero(rt, base, mutex) & MUTEX_LOCKED;
}

static struct gh_error *read_p(struct lister *r, gh_addr p)
{
	const struct gh_runtime *rt = r->rt;
	gh_addr set = p + (uint64_t)rt->layout.offset[GH_F_p_timers];
	struct gh_timer_heap heap = {
		.owner = p, .p = (int32_t)gh_field_or_zero(rt, p, GH_F_p_id)};

	heap.is_locked = gh_has(&rt->layout, GH_F_timers_mu)
				 ? is_locked(rt, set, GH_F_timers_mu)
				 : is_locked(rt, p, GH_F_p_timersLock);
	return read_heap(r, set, heap);
}

static struct gh_error *read_ps(struct lister *r)
{
	const struct gh_runtime *rt = r->rt;
	struct gh_error *err = NULL;
	struct gh_slice ps;
	uint64_t readable;

	if (!rt->var[GH_V_allp] || !gh_read_slice(rt->image, rt->var[GH_V_allp], &ps))
		return gh_error_create(GH_ERR_MISSING,
				       "cannot list timers: runtime.allp is not in the core: "
				       "take a whole core, or pass the executable that ran with "
				       "--exe");
	readable = gh_image_readable(rt->image, ps.data, gh_min_u64(ps.len, MAX_PS) * 8) / 8;
	r->ret->unreadable += gh_min_u64(ps.len, MAX_PS) - readable;
	for (uint64_t i = 0; i < readable && !err; i++) {
		gh_addr p;

		if (!gh_read_u64(rt->image, ps.data + i * 8, &p) || !p)
			continue;
		if ((uint32_t)gh_field_or_zero(rt, p, GH_F_p_id) == i)
			err = read_p(r, p);
		else
			r->ret->unreadable++;
	}
	return err;
}

/* Bubbles are known by their goroutines: each once. */
static struct gh_error *list_bubbles(const struct gh_runtime *rt,
				     const struct gh_goroutine_vec *goroutines,
				     struct gh_addr_vec *ret)
{
	for (size_t i = 0; i < goroutines->len; i++) {
		const struct gh_goroutine *g = &goroutines->data[i];
		gh_addr bubble = gh_goroutine_is_dead(g)
					 ? 0
					 : gh_field_or_zero(rt, g->addr, GH_F_g_bubble);

		if (bubble && !gh_addr_vec_push(ret, bubble))
			return gh_error_nomem();
	}
	ret->len = gh_addr_unique(ret->data, ret->len);
	return NULL;
}

static struct gh_error *read_bubbles(struct lister *r, const struct gh_goroutine_vec *goroutines)
{
	const struct gh_runtime *rt = r->rt;
	struct gh_addr_vec bubbles = {0};
	struct gh_error *err;

	if (!goroutines || !gh_has(&rt->layout, GH_F_synctestBubble_timers))
		return NULL;
	err = list_bubbles(rt, goroutines, &bubbles);
	for (size_t i = 0; i < bubbles.len && !err; i++) {
		gh_addr bubble = bubbles.data[i];
		gh_addr set = bubble + (uint64_t)rt->layout.offset[GH_F_synctestBubble_timers];
		struct gh_timer_heap heap = {
			.owner = bubble,
			.p = -1,
			.now_ns = (int64_t)gh_field_or_zero(rt, bubble, GH_F_synctestBubble_now),
			.is_locked = is_locked(rt, set, GH_F_timers_mu),
		};

		err = read_heap(r, set, heap);
	}
	gh_addr_vec_deinit(&bubbles);
	return err;
}

struct gh_error *gh_timers_load(const struct gh_runtime *rt,
				const struct gh_goroutine_vec *goroutines,
				const struct gh_poll *poll, struct gh_timers *ret)
{
	struct lister l = {.rt = rt, .poll = poll, .ret = ret};
	struct gh_error *err;
	uint64_t bytes = 0;

	*ret = (struct gh_timers){.budget = gh_runtime_budget(rt),
				  .can_leave = gh_has(&rt->layout, GH_F_timer_isChan)};
	err = read_ps(&l);
	if (!err)
		err = read_bubbles(&l, goroutines);
	if (!err) {
		bytes = ret->entries.len * sizeof(*ret->entries.data);
		err = gh_budget_charge(ret->budget, bytes, "sorting timers");
	}
	if (!err) {
		if (!gh_sort_keys(ret->entries.data, ret->entries.len))
			err = gh_error_nomem();
		gh_budget_give(ret->budget, bytes);
	}
	if (err)
		gh_timers_deinit(ret);
	return err;
}

void gh_timers_deinit(struct gh_timers *timers)
{
	gh_budget_give(timers->budget, timers->charged_bytes);
	gh_key_vec_deinit(&timers->entries);
	gh_timer_heap_vec_deinit(&timers->heaps);
	*timers = (struct gh_timers){0};
}

/* Stopped ones of connections have no function any more (runtime/netpoll.go: pollDesc.rt). */
static bool is_callable(const struct gh_runtime *rt, const struct gh_timer *t)
{
	return t->state == GH_TIMER_STOPPED ||
	       (gh_module_of_text(rt, code_of(rt, t->f)) &&
		(!t->arg || gh_module_of_text(rt, t->callback)));
}

static bool is_locked_heap(const struct gh_timers *timers, const struct gh_key *entry)
{
	return timers->heaps.data[entry->value >> 32].is_locked;
}

/* False: it is not what its heap says, and counted. */
static bool read_entry(struct reader *r, const struct gh_timers *timers,
		       const struct gh_key *entry, struct gh_timer_skips *skips,
		       struct gh_timer *ret)
{
	const struct gh_timer_heap *heap = &timers->heaps.data[entry->value >> 32];
	struct gh_struct_view view;

	if (!gh_struct_at(r->rt, entry->key, GH_S_timer, &view)) {
		skips->unreadable++;
		skips->lost++;
		return false;
	}
	if (!belongs(&view, heap->owner, heap->set) ||
	    !read_timer(r, entry->key, &view, ret)) {
		skips->damaged++;
		skips->lost++;
		return false;
	}
	skips->lost += !is_callable(r->rt, ret);
	ret->slot = heap->array + (entry->value & UINT32_MAX) * heap->elem_bytes;
	ret->heap = (uint32_t)(entry->value >> 32);
	return true;
}

/* While a heap is arranged an entry stands twice, damage may do more. */
struct gh_error *gh_timers_visit(const struct gh_runtime *rt, const struct gh_timers *timers,
				 const struct gh_poll *poll, gh_timer_fn fn, void *ctx,
				 struct gh_timer_skips *skips)
{
	const struct gh_key_vec *entries = &timers->entries;
	struct gh_timer_skips unasked = {0};
	struct reader r = {.rt = rt};
	struct gh_timer t = {0};
	struct gh_error *err = NULL;

	skips = skips ? skips : &unasked;
	for (size_t i = 0; i < entries->len && !err; i++) {
		if (i % POLL_ENTRIES == 0)
			err = gh_poll(poll, "reading timers", i, entries->len);
		if (err)
			break;
		if (t.addr == entries->data[i].key) {
			skips->doubles++;
			skips->lost += !is_locked_heap(timers, &entries->data[i]);
		} else if (read_entry(&r, timers, &entries->data[i], skips, &t)) {
			err = fn(ctx, &t);
		}
	}
	return err;
}

static uint64_t offset_in_object(const struct gh_runtime *rt)
{
	return gh_has(&rt->layout, GH_F_timeTimer_timer)
		       ? (uint64_t)rt->layout.offset[GH_F_timeTimer_timer]
		       : TIME_TIMER_OFFSET;
}

gh_addr gh_timer_of_object(const struct gh_runtime *rt, gh_addr object)
{
	return object + offset_in_object(rt);
}

const char *gh_timer_kind_name(enum gh_timer_kind kind)
{
	switch (kind) {
	case GH_TIMER_TIMER:
		return "Timer";
	case GH_TIMER_TICKER:
		return "Ticker";
	case GH_TIMER_AFTER_FUNC:
		return "AfterFunc";
	case GH_TIMER_SLEEP:
		return "Sleep";
	case GH_TIMER_CONTEXT:
		return "context";
	case GH_TIMER_DEADLINE:
		return "deadline";
	case GH_TIMER_RUNTIME:
		return "runtime";
	}
	return "unknown";
}
