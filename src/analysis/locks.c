// SPDX-License-Identifier: Apache-2.0
// See locks.h. Offsets and bits are the same in go1.22 to go1.27 (sync/*.go,
// internal/sync/mutex.go).
#include "analysis/locks.h"

#include <stdlib.h>

#include "analysis/place.h"
#include "base/cleanup.h"
#include "base/text.h"

enum {
	MUTEX_LOCKED = 1,
	RWMUTEX_READER_COUNT = 16,
	RWMUTEX_READER_WAIT = 20,
	RWMUTEX_READERS = 1 << 30, // a writer takes them from readerCount
	RWMUTEX_BYTES = 24,
};

const char *gh_lock_kind_name(enum gh_lock_kind kind)
{
	static const char *const names[] = {
		[GH_LOCK_MUTEX] = "Mutex",   [GH_LOCK_RWMUTEX] = "RWMutex",
		[GH_LOCK_COND] = "Cond",     [GH_LOCK_WAIT_GROUP] = "WaitGroup",
		[GH_LOCK_FD] = "file", [GH_LOCK_SEMAPHORE] = "semaphore",
	};

	return names[kind];
}

static enum gh_lock_kind kind_of(enum gh_blocked_on on)
{
	switch (on) {
	case GH_BLOCKED_MUTEX:
		return GH_LOCK_MUTEX;
	case GH_BLOCKED_READ:
	case GH_BLOCKED_WRITE:
	case GH_BLOCKED_WRITE_TURN:
		return GH_LOCK_RWMUTEX;
	case GH_BLOCKED_WAIT_GROUP:
		return GH_LOCK_WAIT_GROUP;
	case GH_BLOCKED_COND:
		return GH_LOCK_COND;
	case GH_BLOCKED_FD:
		return GH_LOCK_FD;
	case GH_BLOCKED_SEMAPHORE:
	case GH_BLOCKED_ELSE:
		break;
	}
	return GH_LOCK_SEMAPHORE;
}

static struct gh_error *note_waiter(void *ctx, const struct gh_blocked *blocked)
{
	struct gh_locks *locks = ctx;
	struct gh_lock_waiter waiter = {blocked->lock, blocked->g, (uint8_t)blocked->on};

	if (!blocked->lock)
		return NULL;
	return gh_lock_waiter_vec_push(&locks->waiters, waiter) ? NULL : gh_error_nomem();
}

static int by_lock(const void *a, const void *b)
{
	const struct gh_lock_waiter *x = a, *y = b;

	if (x->lock != y->lock)
		return x->lock < y->lock ? -1 : 1;
	return x->g < y->g ? -1 : x->g > y->g;
}

static uint32_t word(const struct gh_session *s, gh_addr addr)
{
	const uint8_t *p = gh_image_at(s->rt->image, addr, 4);

	return p ? gh_u32_at(p) : 0;
}

/* A writer is in when it has taken the readers away and none of them is left. */
static void read_rwmutex(const struct gh_session *s, struct gh_lock *lock)
{
	int64_t count = (int32_t)word(s, lock->addr + RWMUTEX_READER_COUNT);
	int64_t leaving = (int32_t)word(s, lock->addr + RWMUTEX_READER_WAIT);

	lock->by_readers = count > 0 || leaving > 0;
	lock->is_held = count != 0;
	lock->holders_max = !lock->by_readers ? 1 : count > 0 ? (uint64_t)count : (uint64_t)leaving;
}

static void read_state(const struct gh_session *s, struct gh_lock *lock)
{
	switch (lock->kind) {
	case GH_LOCK_MUTEX:
		lock->is_held = word(s, lock->addr) & MUTEX_LOCKED;
		lock->holders_max = 1;
		return;
	case GH_LOCK_RWMUTEX:
		read_rwmutex(s, lock);
		return;
	case GH_LOCK_WAIT_GROUP: // the counter stands above
		lock->holders_max = word(s, lock->addr + 4);
		lock->is_held = (int32_t)lock->holders_max > 0;
		return;
	case GH_LOCK_COND:
	case GH_LOCK_FD:
	case GH_LOCK_SEMAPHORE:
		return;
	}
}

/* What it lies in, so that a pointer to the whole is known to lead there. */
static void find_container(const struct gh_session *s, struct gh_lock *lock)
{
	struct gh_slot_ref ref;
	struct gh_static_var var;

	lock->lo = lock->addr;
	lock->hi = lock->addr + RWMUTEX_BYTES;
	if (gh_heap_find(s->heap, lock->addr, &ref)) {
		lock->lo = ref.base;
		lock->hi = ref.base + ref.elem_bytes;
	} else if (gh_statics_variable(s->statics, lock->addr, &var)) {
		lock->is_global = true;
		lock->lo = var.addr;
		lock->hi = gh_max_u64(var.addr + var.size, lock->addr + 1);
	}
}

static struct gh_error *group(struct gh_session *s, struct gh_locks *locks)
{
	struct gh_lock_waiter_vec *w = &locks->waiters;

	if (w->len)
		qsort(w->data, w->len, sizeof(*w->data), by_lock);
	for (size_t i = 0; i < w->len; i++) {
		enum gh_lock_kind kind = kind_of(w->data[i].on);
		struct gh_lock *last;

		if (!i || w->data[i].lock != w->data[i - 1].lock) {
			struct gh_lock lock = {
				.addr = w->data[i].lock, .kind = kind, .first_waiter = i};

			find_container(s, &lock);
			if (!gh_lock_vec_push(&locks->all, lock))
				return gh_error_nomem();
		}
		last = &locks->all.data[locks->all.len - 1];
		last->nwaiters++;
		if (kind == GH_LOCK_RWMUTEX) // its first field is a Mutex
			last->kind = kind;
	}
	for (size_t i = 0; i < locks->all.len; i++)
		read_state(s, &locks->all.data[i]);
	return NULL;
}

struct gh_error *gh_locks_find(struct gh_session *session, struct gh_locks *ret)
{
	struct gh_error *err = gh_session_mark(session);

	*ret = (struct gh_locks){0};
	if (!err)
		err = gh_blocked_visit(session, note_waiter, ret, &ret->counts);
	if (!err)
		err = group(session, ret);
	if (!err && ret->all.len)
		err = gh_locks_find_holders(session, ret);
	if (err)
		gh_locks_deinit(ret);
	return err;
}

void gh_locks_deinit(struct gh_locks *locks)
{
	gh_lock_vec_deinit(&locks->all);
	gh_lock_waiter_vec_deinit(&locks->waiters);
	gh_lock_holder_vec_deinit(&locks->holders);
}

size_t gh_locks_first(const struct gh_locks *locks, gh_addr addr)
{
	size_t lo = 0, hi = locks->all.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (locks->all.data[mid].addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

size_t gh_locks_at(const struct gh_locks *locks, gh_addr addr)
{
	size_t i = gh_locks_first(locks, addr);

	return i < locks->all.len && locks->all.data[i].addr == addr ? i : SIZE_MAX;
}

void gh_lock_describe_holders(const struct gh_session *session, const struct gh_locks *locks,
			      const struct gh_lock *lock, struct gh_strbuf *sb)
{
	size_t shown = gh_min_u64(lock->nholders, GH_HOLDERS_NAMED);

	if (!lock->nholders)
		return;
	gh_strbuf_puts(sb, lock->nholders > 1 ? "goroutines " : "goroutine ");
	for (size_t i = 0; i < shown; i++) {
		uint32_t g = locks->holders.data[lock->first_holder + i].g;

		gh_strbuf_printf(sb, "%s%llu", i ? ", " : "",
				 (unsigned long long)session->goroutines.data[g].goid);
	}
	if (lock->nholders > shown)
		gh_strbuf_printf(sb, " and %zu other%s", lock->nholders - shown,
				 gh_plural(lock->nholders - shown));
}

/* Fields of the locks themselves at their first byte, which a name of that place ends with. */
static void cut_own_fields(struct gh_session *session, enum gh_lock_kind kind, char *name)
{
	// go1.24+: sync.Mutex{_, mu internal/sync.Mutex}
	bool nested = gh_types_rtype_named(session->types, "internal/sync.Mutex");
	const char *own = kind == GH_LOCK_MUTEX	       ? nested ? ".mu.state" : ".state"
			  : kind == GH_LOCK_RWMUTEX    ? nested ? ".w.mu.state" : ".w.state"
			  : kind == GH_LOCK_WAIT_GROUP ? ".state.v"
			  : kind == GH_LOCK_COND       ? ".L"
						       : "";
	size_t len = strlen(name), n = strlen(own);

	if (n && len >= n && strcmp(name + len - n, own) == 0)
		name[len - n] = 0;
}

struct gh_error *gh_lock_name(struct gh_places *places, const struct gh_lock *lock,
			      struct gh_strbuf *sb)
{
	_cleanup_strbuf_ struct gh_strbuf name = {0};
	struct gh_place place;
	struct gh_error *err = gh_place_find(places, lock->addr, &place);

	if (err)
		return err;
	if (place.kind == GH_PLACE_HEAP && !place.slot.code.type)
		return NULL;
	if (place.kind == GH_PLACE_HEAP) { // the first field has a name too
		gh_strbuf_puts(&name, place.slot.name);
		gh_slot_name_place(places->session, &place.slot, place.slot.ref.offset, &name);
	} else if (place.name) {
		gh_strbuf_puts(&name, place.name);
	}
	if (!gh_strbuf_ok(&name))
		return gh_error_nomem();
	if (name.len)
		cut_own_fields(places->session, lock->kind, name.data);
	gh_strbuf_puts(sb, gh_strbuf_str(&name));
	return NULL;
}
