// SPDX-License-Identifier: Apache-2.0
// Who may hold the locks that somebody waits for. See locks.h.
//
// A pending defer is the surest sign: its code unlocks and locks nothing itself, or calls Done, and
// its closure holds the lock's address (or names it, where the lock is a package variable). Where the
// frame that deferred is the one that waits for the lock, the defer may stand before the Lock: it
// says nothing unless the frame is past another Lock, and then it is only possible. So it is where
// the frame that deferred stands behind as many calls of Unlock as of Lock, or before its first Lock
// (a Done has nothing to do with these): a defer may ask a variable whether the lock is held. A frame
// past a call of Lock deceives where it has called Unlock on a path that its code does not show.
#include <stdlib.h>

#include "analysis/locks.h"
#include "base/cleanup.h"

enum {
	CODES = 1024,	     // functions remembered: a power of two
	CAPTURED_WORDS = 16, // of a closure
	LOCK_BYTES = 24,     // of the largest: an RWMutex
};

struct known_code {
	gh_addr entry; // 0: empty
	struct gh_lockcode code;
};

struct search {
	struct gh_session *session;
	struct gh_locks *locks;
	struct known_code *codes; // owned: CODES of them
	struct gh_defer_vec defers;
	struct gh_stack_scan scan;
	bool scanned; // scan is that of `blocked`
	uint32_t frame;	   // that is looked at
	bool is_past_lock; // the frame that waits is past another Lock
	bool has_let_go;   // the frame of the defer that is looked at has, or has not locked yet
	const struct gh_blocked *blocked;
};

static struct gh_error *code_of(struct search *s, const struct gh_func *func,
				const struct gh_lockcode **ret)
{
	struct known_code *known = &s->codes[(func->entry * 0x9e3779b97f4a7c15ULL) >> 54];
	struct gh_error *err = NULL;

	if (known->entry != func->entry) {
		gh_lockcode_deinit(&known->code);
		known->entry = 0;
		err = gh_lockcode_load(s->session->rt, func, &known->code);
		if (!err)
			known->entry = func->entry;
	}
	*ret = &known->code;
	return err;
}

static bool is_lock(enum gh_lock_op_kind kind)
{
	return kind == GH_LOCK_OP_LOCK || kind == GH_LOCK_OP_READ_LOCK;
}

/* Would the operation, or its counterpart, be one of a holder of this lock as it is now? */
static bool fits(const struct gh_lock *lock, enum gh_lock_op_kind kind)
{
	bool reads = kind == GH_LOCK_OP_READ_LOCK || kind == GH_LOCK_OP_READ_UNLOCK;

	switch (lock->kind) {
	case GH_LOCK_MUTEX:
		return !reads && kind != GH_LOCK_OP_DONE;
	case GH_LOCK_RWMUTEX:
		return reads == lock->by_readers && kind != GH_LOCK_OP_DONE;
	case GH_LOCK_WAIT_GROUP:
		return kind == GH_LOCK_OP_DONE;
	case GH_LOCK_COND:
	case GH_LOCK_FD:
	case GH_LOCK_SEMAPHORE:
		break;
	}
	return false;
}

static struct gh_error *add_holder(struct search *s, size_t lock, enum gh_lock_op_kind kind,
				   enum gh_level level)
{
	struct gh_lock_holder holder = {.lock = (uint32_t)lock,
					.g = s->blocked->g,
					.level = level,
					.reads = kind == GH_LOCK_OP_READ_LOCK ||
						 kind == GH_LOCK_OP_READ_UNLOCK};
	const struct gh_lock *l = &s->locks->all.data[lock];

	if (!l->is_held || !fits(l, kind))
		return NULL;
	return gh_lock_holder_vec_push(&s->locks->holders, holder) ? NULL : gh_error_nomem();
}

/*
 * For the locks that a word leads to: the one there, which is `exact`, or those in the object or
 * variable that it points into, at or behind the place.
 */
struct lead {
	size_t first, last; // locks; first == last: none
	bool exact;
};

static struct lead follow(const struct gh_locks *locks, uint64_t value)
{
	size_t first = gh_locks_first(locks, value), last = first;

	if (first < locks->all.len && locks->all.data[first].addr == value)
		return (struct lead){first, first + 1, true};
	while (last < locks->all.len && locks->all.data[last].lo <= value &&
	       value < locks->all.data[last].hi)
		last++;
	return (struct lead){first, last, false};
}

/*
 * Code of a deferred call: bit a kind of what it lets go of. Where it takes locks, too, its Unlock may
 * be of these; a Done is not.
 */
static uint32_t releases(const struct gh_lockcode *code, const char *name)
{
	enum gh_lock_op_kind kind;
	uint32_t kinds = 0;
	bool locks = false;

	if (gh_lock_op_named(name, &kind)) // a method value, or the method itself
		return is_lock(kind) ? 0 : 1U << kind;
	for (size_t i = 0; i < code->ops.len; i++) {
		locks |= is_lock(code->ops.data[i].kind);
		kinds |= 1U << code->ops.data[i].kind;
	}
	return locks ? kinds & 1U << GH_LOCK_OP_DONE : kinds;
}

/* Does this frame wait for that lock? */
static bool waits_here(const struct search *s, uint32_t frame, size_t lock)
{
	return s->blocked->lock == s->locks->all.data[lock].addr && frame == s->blocked->from;
}

/* kinds: bit a kind of operation, of the defer d, or of a frame where d is NULL. */
static struct gh_error *add_leads(struct search *s, struct lead lead, uint32_t kinds,
				  const struct gh_defer *d)
{
	struct gh_error *err = NULL;

	for (; kinds && !err; kinds &= kinds - 1)
		for (size_t i = lead.first; i < lead.last && !err; i++) {
			bool here = waits_here(s, d ? d->frame : s->frame, i);
			enum gh_lock_op_kind kind = (enum gh_lock_op_kind)__builtin_ctz(kinds);
			bool let_go = s->has_let_go && kind != GH_LOCK_OP_DONE;

			if (here && !(d && s->is_past_lock))
				continue;
			err = add_holder(s, i, kind,
					 d && lead.exact && !here && !let_go
						 ? GH_LEVEL_LIKELY
						 : GH_LEVEL_POSSIBLE);
		}
	return err;
}

/* Locks in static data that the code names. */
static struct gh_error *add_statics(struct search *s, const struct gh_lockcode *code,
				    uint32_t kinds, const struct gh_defer *d)
{
	struct gh_error *err = NULL;

	for (size_t i = 0; i < code->statics.len && !err; i++) {
		struct lead lead = follow(s->locks, code->statics.data[i]);

		// fields of a lock count as the lock: an inlined RLock adds to readerCount
		if (!lead.exact && lead.first) {
			const struct gh_lock *before = &s->locks->all.data[lead.first - 1];

			if (before->is_global && code->statics.data[i] - before->addr < LOCK_BYTES)
				lead = (struct lead){lead.first - 1, lead.first, true};
		}
		if (lead.exact && s->locks->all.data[lead.first].is_global)
			err = add_leads(s, lead, kinds, d);
	}
	return err;
}

/* `defer l.Unlock()` of an interface: nothing in the code tells, but what was captured does. */
static bool is_itab_of_lock(const struct search *s, uint64_t itab, enum gh_lock_op_kind *ret)
{
	gh_addr type = itab ? gh_itab_type(s->session->rt, itab) : 0;
	const char *name = type ? gh_types_name(s->session->types,
						gh_types_of_rtype(s->session->types, type))
				: "";

	*ret = strcmp(name, "*sync.rlocker") ? GH_LOCK_OP_UNLOCK : GH_LOCK_OP_READ_UNLOCK;
	return !strcmp(name, "*sync.Mutex") || !strcmp(name, "*sync.RWMutex") ||
	       !strcmp(name, "*sync.rlocker");
}

/*
 * Words of a closure, its code included. One on the stack has what lay there before behind it: then
 * the layout of its function tells. A wrapper of the compiler's (`defer mu.Unlock()`) has the
 * receiver alone, or an interface.
 */
static uint64_t closure_words(const struct search *s, const struct gh_defer *d, bool is_wrapper,
			      bool calls_lock)
{
	struct gh_closure_object object = {
		.pc = d->code, .words = CAPTURED_WORDS, .on_stack = true};
	struct gh_slot_ref ref;
	uint64_t words = CAPTURED_WORDS;
	gh_type_id type;

	if (is_wrapper && calls_lock)
		return 2;
	if (is_wrapper)
		words = 3;
	if (gh_heap_find(s->session->heap, d->fn, &ref))
		return gh_min_u64(words, (ref.elem_bytes - ref.offset) / 8);
	type = gh_types_closure(s->session->types, &object);
	return gh_min_u64(words, type ? gh_types_get(s->session->types, type)->nwords : 0);
}

static struct gh_error *look_at_closure(struct search *s, const struct gh_defer *d,
					const char *name, const struct gh_lockcode *code)
{
	uint32_t kinds = releases(code, name);
	bool is_wrapper = strstr(name, ".deferwrap") != NULL;
	uint64_t before = 0, value, words = closure_words(s, d, is_wrapper, kinds);
	enum gh_lock_op_kind of_itab;
	struct gh_error *err = kinds ? add_statics(s, code, kinds, d) : NULL;

	for (uint64_t i = 1; d->fn && i < words && !err; i++, before = value) {
		if (!gh_read_u64(s->session->rt->image, d->fn + i * 8, &value))
			break;
		if (kinds)
			err = add_leads(s, follow(s->locks, value), kinds, d);
		else if (is_wrapper && i > 1 && gh_locks_at(s->locks, value) != SIZE_MAX &&
			 is_itab_of_lock(s, before, &of_itab))
			err = add_leads(s, follow(s->locks, value), 1U << of_itab, d);
	}
	return err;
}

/* Where the frame stands; at the beginning of the call of Lock that it waits in. */
static gh_addr place_of(const struct search *s, uint32_t i, const struct gh_lockcode *code)
{
	const struct gh_frame *frame = &s->blocked->frames->data[i];
	gh_addr at = gh_lockcode_place(s->session->rt, &frame->func, frame->sym_pc), snapped = at;

	if (s->blocked->on == GH_BLOCKED_ELSE || i != s->blocked->from)
		return at;
	for (size_t k = 0; k < code->ops.len && code->ops.data[k].at <= at; k++)
		snapped = code->ops.data[k].at;
	return snapped;
}

/* Is what a frame locks itself unlocked again where it stands, as its code is written? */
static bool has_let_go(const struct gh_lockcode *code, gh_addr at)
{
	size_t locks = 0, unlocks = 0, later = 0;

	for (size_t i = 0; i < code->ops.len; i++) {
		const struct gh_lock_op *op = &code->ops.data[i];

		if (op->kind == GH_LOCK_OP_DONE)
			continue;
		if (op->at >= at)
			later += is_lock(op->kind);
		else if (is_lock(op->kind))
			locks++;
		else
			unlocks++;
	}
	return unlocks ? unlocks >= locks : !locks && later;
}

static struct gh_error *look_at_frame_of(struct search *s, const struct gh_defer *d)
{
	const struct gh_frame_vec *frames = s->blocked->frames;
	const struct gh_lockcode *code;
	struct gh_error *err;

	s->has_let_go = false;
	if (d->frame >= frames->len)
		return NULL;
	err = code_of(s, &frames->data[d->frame].func, &code);
	if (!err)
		s->has_let_go = has_let_go(code, place_of(s, d->frame, code));
	return err;
}

static struct gh_error *look_at_defers(struct search *s)
{
	struct gh_session *session = s->session;
	const struct gh_lockcode *code;
	struct gh_func func;
	struct gh_error *err;

	s->defers.len = 0;
	err = gh_defers_load(session->rt, &session->goroutines.data[s->blocked->g],
			     s->blocked->frames, &s->defers, &s->locks->skips);
	for (size_t i = 0; i < s->defers.len && !err; i++) {
		const struct gh_defer *d = &s->defers.data[i];
		const char *name;

		if (d->is_list || !d->code || !gh_func_find(session->rt, d->code, &func))
			continue;
		name = gh_func_name(session->rt, &func);
		err = look_at_frame_of(s, d);
		if (!err)
			err = code_of(s, &func, &code);
		if (!err && name)
			err = look_at_closure(s, d, name, code);
	}
	return err;
}

/* Does the frame stand behind a Lock, as its code is written? Then *ret is the kind of lock. */
static bool is_past_lock(const struct gh_lockcode *code, gh_addr at, enum gh_lock_op_kind *ret)
{
	const struct gh_lock_op *prev = NULL, *next = NULL, *locked = NULL;

	for (size_t i = 0; i < code->ops.len; i++) {
		const struct gh_lock_op *op = &code->ops.data[i];

		if (op->kind == GH_LOCK_OP_DONE)
			continue;
		if (op->at < at) {
			prev = op;
			if (is_lock(op->kind))
				locked = op;
		} else if (op->at > at && !next) {
			next = op;
		}
	}
	if (!locked || (!is_lock(prev->kind) && (!next || is_lock(next->kind))))
		return false;
	*ret = locked->kind;
	return true;
}

static bool will_be_done(const struct gh_lockcode *code, gh_addr at)
{
	for (size_t i = 0; i < code->ops.len; i++)
		if (code->ops.data[i].kind == GH_LOCK_OP_DONE && code->ops.data[i].at > at)
			return true;
	return false;
}

/* Live words of the frame. */
static struct gh_error *look_at_words(struct search *s, uint32_t frame, uint32_t kinds)
{
	struct gh_error *err = NULL;

	if (!s->scanned)
		err = gh_stack_scan(s->session->rt, &s->session->goroutines.data[s->blocked->g],
				    &s->scan);
	s->scanned = !err;
	for (size_t i = 0; i < s->scan.words.len && !err; i++)
		if (s->scan.words.data[i].frame == frame)
			err = add_leads(s, follow(s->locks, s->scan.words.data[i].value), kinds,
					NULL);
	return err;
}

/* Is the frame that waits for a lock past another Lock? */
static struct gh_error *look_at_waiting(struct search *s)
{
	const struct gh_blocked *b = s->blocked;
	const struct gh_lockcode *code;
	enum gh_lock_op_kind kind;
	struct gh_error *err;

	s->is_past_lock = false;
	if (b->on == GH_BLOCKED_ELSE || b->from >= b->frames->len)
		return NULL;
	err = code_of(s, &b->frames->data[b->from].func, &code);
	if (!err)
		s->is_past_lock = is_past_lock(code, place_of(s, b->from, code), &kind);
	return err;
}

static struct gh_error *look_at_frame(struct search *s, uint32_t i)
{
	const struct gh_frame *frame = &s->blocked->frames->data[i];
	const struct gh_lockcode *code;
	enum gh_lock_op_kind kind;
	struct gh_error *err = code_of(s, &frame->func, &code);
	uint32_t kinds;
	gh_addr at;

	s->frame = i;
	if (err || !code->ops.len)
		return err;
	at = place_of(s, i, code);
	kinds = will_be_done(code, at) ? 1U << GH_LOCK_OP_DONE : 0;
	if (is_past_lock(code, at, &kind))
		kinds |= 1U << kind;
	if (kinds)
		err = add_statics(s, code, kinds, NULL);
	return err || !kinds ? err : look_at_words(s, i, kinds);
}

static struct gh_error *look_at(void *ctx, const struct gh_blocked *blocked)
{
	struct search *s = ctx;
	struct gh_error *err;

	s->blocked = blocked;
	s->scanned = false;
	err = look_at_waiting(s);
	if (!err)
		err = look_at_defers(s);
	for (uint32_t i = blocked->on == GH_BLOCKED_ELSE ? 0 : blocked->from;
	     i < blocked->frames->len && !err; i++)
		err = look_at_frame(s, i);
	return err;
}

static int by_lock(const void *a, const void *b)
{
	const struct gh_lock_holder *x = a, *y = b;

	if (x->lock != y->lock)
		return x->lock < y->lock ? -1 : 1;
	if (x->g != y->g)
		return x->g < y->g ? -1 : 1;
	return (int)y->level - (int)x->level;
}

/*
 * Each goroutine once, with its best level; then only the surest of a lock. More than there can be
 * are not sure.
 */
static void settle(struct gh_locks *locks)
{
	struct gh_lock_holder_vec *h = &locks->holders;
	size_t n = 0;

	if (h->len)
		qsort(h->data, h->len, sizeof(*h->data), by_lock);
	for (size_t i = 0, end; i < h->len; i = end) {
		struct gh_lock *lock = &locks->all.data[h->data[i].lock];
		uint64_t likely = 0;

		lock->first_holder = n;
		for (end = i; end < h->len && h->data[end].lock == h->data[i].lock; end++)
			if (end == i || h->data[end].g != h->data[end - 1].g)
				likely += h->data[end].level == GH_LEVEL_LIKELY;
		for (size_t k = i; k < end; k++) {
			if ((k > i && h->data[k].g == h->data[k - 1].g) ||
			    (likely && h->data[k].level != GH_LEVEL_LIKELY))
				continue;
			h->data[n] = h->data[k];
			if (likely > lock->holders_max)
				h->data[n].level = GH_LEVEL_POSSIBLE;
			n++;
		}
		lock->nholders = n - lock->first_holder;
	}
	h->len = n;
}

struct gh_error *gh_locks_find_holders(struct gh_session *session, struct gh_locks *locks)
{
	struct search s = {.session = session, .locks = locks};
	struct gh_blocked_counts counts;
	struct gh_error *err;

	s.codes = gh_alloc_array(CODES, sizeof(*s.codes));
	err = s.codes ? gh_blocked_visit(session, look_at, &s, &counts) : gh_error_nomem();
	for (size_t i = 0; s.codes && i < CODES; i++)
		gh_lockcode_deinit(&s.codes[i].code);
	free(s.codes);
	gh_defer_vec_deinit(&s.defers);
	gh_stack_scan_deinit(&s.scan);
	if (!err)
		settle(locks);
	return err;
}
