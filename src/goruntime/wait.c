// SPDX-License-Identifier: Apache-2.0
// See wait.h. The table of semaphores is in semaphore.c.
#include "goruntime/wait.h"

#include "base/ring.h"

enum {
	COND_NOTIFY = 16,    // sync.Cond {L Locker; notify notifyList} (sync/cond.go)
	NOTIFY_TAIL = 8,     // after notifyList.head
	SEARCHED_FRAMES = 8, // innermost ones: park, the runtime's wait, the library's
	SEARCHED_WORDS = 512,
};

enum gh_wait_kind gh_wait_kind_of(const char *reason)
{
	static const struct {
		const char *reason;
		enum gh_wait_kind kind;
	} kinds[] = {
		{"chan receive", GH_WAIT_RECEIVE},
		{"chan send", GH_WAIT_SEND},
		{"select", GH_WAIT_SELECT},
		{"chan receive (nil chan)", GH_WAIT_FOREVER},
		{"chan send (nil chan)", GH_WAIT_FOREVER},
		{"select (no cases)", GH_WAIT_FOREVER},
		{"semacquire", GH_WAIT_SEMAPHORE},
		{"sync.Mutex.Lock", GH_WAIT_MUTEX},
		{"sync.RWMutex.RLock", GH_WAIT_READ_LOCK},
		{"sync.RWMutex.Lock", GH_WAIT_WRITE_LOCK},
		{"sync.WaitGroup.Wait", GH_WAIT_WAIT_GROUP},
		{"sync.Cond.Wait", GH_WAIT_COND},
		{"sleep", GH_WAIT_SLEEP},
		{"IO wait", GH_WAIT_IO},
		{"coroutine", GH_WAIT_COROUTINE},
	};

	if (!*reason)
		return GH_WAIT_NONE;
	for (size_t i = 0; i < GH_ARRAY_SIZE(kinds); i++) {
		size_t n = strlen(kinds[i].reason);

		if (strncmp(reason, kinds[i].reason, n) == 0 &&
		    (!reason[n] || strcmp(reason + n, " (durable)") == 0 ||
		     strcmp(reason + n, " (synctest)") == 0))
			return kinds[i].kind;
	}
	return GH_WAIT_RUNTIME;
}

/* go1.26+: {vp, vu}; vp is what the collector follows, and nil while it looks for leaks. */
static bool read_pointer(const struct gh_runtime *rt, gh_addr sudog, enum gh_layout_field field,
			 gh_addr *at_ret, gh_addr *ret)
{
	if (!gh_has(&rt->layout, field))
		return false;
	*at_ret = sudog + (uint64_t)rt->layout.offset[field];
	return gh_read_u64(rt->image, *at_ret + (rt->release->elem_is_pair ? 8 : 0), ret);
}

bool gh_sudog_read(const struct gh_runtime *rt, gh_addr addr, struct gh_sudog *ret)
{
	struct gh_sudog s = {.addr = addr};

	if (!gh_field(rt, addr, GH_F_sudog_g, &s.g) ||
	    !read_pointer(rt, addr, GH_F_sudog_elem, &s.elem_at, &s.elem) ||
	    !read_pointer(rt, addr, GH_F_sudog_c, &s.chan_at, &s.chan))
		return false;
	s.next = gh_field_or_zero(rt, addr, GH_F_sudog_next);
	s.prev = gh_field_or_zero(rt, addr, GH_F_sudog_prev);
	s.waitlink = gh_field_or_zero(rt, addr, GH_F_sudog_waitlink);
	s.is_select = gh_field_or_zero(rt, addr, GH_F_sudog_isSelect);
	s.success = gh_field_or_zero(rt, addr, GH_F_sudog_success);
	*ret = s;
	return true;
}

/*
 * Which queue of its channel a case of a select stands in. A channel where one side waits has
 * nobody on the other, but for a select that has cases for both.
 */
static enum gh_sudog_role role_of_case(const struct gh_runtime *rt, const struct gh_sudog *s)
{
	gh_addr receivers = gh_field_or_zero(rt, s->chan, GH_F_hchan_recvq);
	gh_addr senders = gh_field_or_zero(rt, s->chan, GH_F_hchan_sendq);
	gh_addr first = s->addr;

	if (!senders && receivers)
		return GH_SUDOG_RECEIVE;
	if (senders && !receivers)
		return GH_SUDOG_SEND;
	for (int i = 0; i < SEARCHED_WORDS; i++) {
		gh_addr prev;

		if (first == receivers && first)
			return GH_SUDOG_RECEIVE;
		if (first == senders && first)
			return GH_SUDOG_SEND;
		prev = gh_field_or_zero(rt, first, GH_F_sudog_prev);
		if (!prev)
			break;
		first = prev;
	}
	return GH_SUDOG_CASE;
}

static enum gh_sudog_role role_of(const struct gh_runtime *rt, enum gh_wait_kind kind,
				  const struct gh_sudog *s)
{
	if (s->chan)
		return s->is_select		  ? role_of_case(rt, s)
		       : kind == GH_WAIT_SEND	  ? GH_SUDOG_SEND
		       : kind == GH_WAIT_RECEIVE ? GH_SUDOG_RECEIVE
						  : role_of_case(rt, s);
	return kind == GH_WAIT_COND ? GH_SUDOG_COND : GH_SUDOG_SEMAPHORE;
}

/* Does a queue of its channel lead to it, from the one before it or from the queue's beginning? */
static bool is_queued(const struct gh_runtime *rt, const struct gh_sudog *s)
{
	struct gh_sudog prev;

	if (s->chan == s->addr) // its channel would be its queue
		return false;
	if (s->prev)
		return gh_sudog_read(rt, s->prev, &prev) && prev.next == s->addr &&
		       prev.chan == s->chan;
	return gh_field_or_zero(rt, s->chan, GH_F_hchan_recvq) == s->addr ||
	       gh_field_or_zero(rt, s->chan, GH_F_hchan_sendq) == s->addr;
}

/* The list of g.waiting. Behind one of a semaphore (go1.26+) stand others' waits. */
static bool load_list(const struct gh_runtime *rt, const struct gh_goroutine *g,
		      struct gh_wait *ret)
{
	gh_addr at = g->addr + (uint64_t)rt->layout.offset[GH_F_g_waiting];
	gh_addr addr = gh_field_or_zero(rt, g->addr, GH_F_g_waiting);
	struct gh_ring ring = {0};

	while (addr) {
		struct gh_sudog s;

		if (gh_ring_closes(&ring, addr) || !gh_sudog_read(rt, addr, &s) ||
		    s.g != g->addr) {
			ret->damaged++;
			return true;
		}
		s.at = at;
		s.role = role_of(rt, ret->kind, &s);
		ret->damaged += s.chan && !is_queued(rt, &s);
		if (!gh_sudog_vec_push(&ret->sudogs, s))
			return false;
		if (!s.chan)
			return true;
		at = addr + (uint64_t)rt->layout.offset[GH_F_sudog_waitlink];
		addr = s.waitlink;
	}
	return true;
}

static const struct gh_sema_waiter *find_waiter(const struct gh_semaphores *semaphores, gh_addr g)
{
	size_t lo = 0, hi = semaphores->waiters.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (semaphores->waiters.data[mid].g < g)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < semaphores->waiters.len && semaphores->waiters.data[lo].g == g
		       ? &semaphores->waiters.data[lo]
		       : NULL;
}

static bool load_semaphore(const struct gh_runtime *rt, const struct gh_goroutine *g,
			   const struct gh_semaphores *semaphores, struct gh_wait *ret)
{
	const struct gh_sema_waiter *waiter = semaphores ? find_waiter(semaphores, g->addr) : NULL;
	struct gh_sudog s;

	if (ret->sudogs.len) // go1.26+
		ret->object = ret->sudogs.data[0].elem;
	if (!waiter)
		return true;
	ret->object = waiter->semaphore;
	if (ret->sudogs.len || !gh_sudog_read(rt, waiter->sudog, &s))
		return true;
	s.role = GH_SUDOG_SEMAPHORE;
	return gh_sudog_vec_push(&ret->sudogs, s);
}

/* Words of the innermost frames, as long as `judge` does not know its object. */
struct search {
	const struct gh_runtime *rt;
	const struct gh_goroutine *g;
	struct gh_wait *ret;
	gh_addr sudog, sudog_at; // of a condition
};

static void search(struct search *s, const struct gh_frame_vec *frames,
		   void (*judge)(struct search *s, gh_addr at, gh_addr value))
{
	uint64_t words = 0;

	for (size_t i = 0; frames && i < frames->len && i < SEARCHED_FRAMES; i++)
		for (gh_addr at = frames->data[i].sp; at + 8 <= frames->data[i].fp; at += 8) {
			gh_addr value;

			if (words++ == SEARCHED_WORDS || s->ret->object)
				return;
			if (gh_read_u64(s->rt->image, at, &value) && value >= 4096 &&
			    value % 8 == 0)
				judge(s, at, value);
		}
}

/* runtime/netpoll.go: a pollDesc names the goroutines that wait to read and to write. */
static void judge_poll(struct search *s, gh_addr at, gh_addr value)
{
	bool reads = gh_field_or_zero(s->rt, value, GH_F_pollDesc_rg) == s->g->addr;
	bool writes = gh_field_or_zero(s->rt, value, GH_F_pollDesc_wg) == s->g->addr;

	if (reads || writes) {
		s->ret->object = value;
		s->ret->io_mode = reads ? 'r' : 'w';
	}
}

static uint64_t reason_number(const struct gh_runtime *rt, gh_addr sudog)
{
	gh_addr g = gh_field_or_zero(rt, sudog, GH_F_sudog_g);

	return g ? gh_field_or_zero(rt, g, GH_F_g_waitreason) : 0;
}

/* A notifyList: those at both ends of its queue wait for a condition too. */
static bool is_notify_list(const struct search *s, gh_addr list)
{
	uint64_t reason = gh_field_or_zero(s->rt, s->g->addr, GH_F_g_waitreason);
	gh_addr head_at = list + (uint64_t)s->rt->layout.offset[GH_F_notifyList_head], head, tail;

	return gh_read_u64(s->rt->image, head_at, &head) &&
	       gh_read_u64(s->rt->image, head_at + NOTIFY_TAIL, &tail) && head && tail &&
	       reason_number(s->rt, head) == reason && reason_number(s->rt, tail) == reason &&
	       !gh_field_or_zero(s->rt, tail, GH_F_sudog_next);
}

static void judge_cond(struct search *s, gh_addr at, gh_addr value)
{
	if (!s->sudog && gh_field_or_zero(s->rt, value, GH_F_sudog_g) == s->g->addr &&
	    !gh_field_or_zero(s->rt, value, GH_F_sudog_c)) {
		s->sudog = value;
		s->sudog_at = at;
	} else if (is_notify_list(s, value)) {
		s->ret->object = value;
	} else if (is_notify_list(s, value + COND_NOTIFY)) {
		s->ret->object = value + COND_NOTIFY;
	}
}

/* Up to go1.25 nothing leads from the goroutine to its condition but its stack. */
static bool load_cond(struct search *s, const struct gh_frame_vec *frames)
{
	struct gh_sudog sudog;

	if (s->ret->sudogs.len) { // go1.26+
		s->ret->object = s->ret->sudogs.data[0].elem;
		return true;
	}
	search(s, frames, judge_cond);
	if (!s->sudog || !gh_sudog_read(s->rt, s->sudog, &sudog))
		return true;
	sudog.at = s->sudog_at;
	sudog.role = GH_SUDOG_COND;
	return gh_sudog_vec_push(&s->ret->sudogs, sudog);
}

static bool load_object(const struct gh_runtime *rt, const struct gh_goroutine *g,
			const struct gh_semaphores *semaphores, const struct gh_frame_vec *frames,
			struct gh_wait *ret)
{
	struct search s = {.rt = rt, .g = g, .ret = ret};

	switch (ret->kind) {
	case GH_WAIT_NONE:
	case GH_WAIT_RECEIVE:
	case GH_WAIT_SEND:
	case GH_WAIT_SELECT:
	case GH_WAIT_FOREVER:
	case GH_WAIT_COROUTINE:
		return true;
	case GH_WAIT_SEMAPHORE:
	case GH_WAIT_MUTEX:
	case GH_WAIT_READ_LOCK:
	case GH_WAIT_WRITE_LOCK:
	case GH_WAIT_WAIT_GROUP:
	case GH_WAIT_RUNTIME: // some of its own are semaphores too
		return load_semaphore(rt, g, semaphores, ret);
	case GH_WAIT_COND:
		return load_cond(&s, frames);
	case GH_WAIT_SLEEP:
		ret->object = gh_field_or_zero(rt, g->addr, GH_F_g_timer);
		return true;
	case GH_WAIT_IO:
		search(&s, frames, judge_poll);
		return true;
	}
	return true;
}

struct gh_error *gh_wait_load(const struct gh_runtime *rt, const struct gh_goroutine *g,
			      const struct gh_semaphores *semaphores,
			      const struct gh_frame_vec *frames, struct gh_wait *ret)
{
	ret->kind = gh_wait_kind_of(g->wait_reason);
	ret->object = 0;
	ret->io_mode = 0;
	ret->sudogs.len = 0;
	ret->damaged = 0;
	if (gh_goroutine_is_dead(g))
		return NULL;
	if (!load_list(rt, g, ret) || !load_object(rt, g, semaphores, frames, ret))
		return gh_error_nomem();
	return NULL;
}

void gh_wait_deinit(struct gh_wait *wait)
{
	gh_sudog_vec_deinit(&wait->sudogs);
	*wait = (struct gh_wait){0};
}
