// SPDX-License-Identifier: Apache-2.0
// See blocked.h. Offsets in locks are the same in go1.22 to go1.27: sync.Mutex{state, sema},
// sync.RWMutex{w, writerSem, readerSem, readerCount, readerWait}, sync.WaitGroup{state, sema},
// sync.Cond{L, notify} (sync/*.go, internal/sync/mutex.go).
#include "analysis/blocked.h"

enum {
	MUTEX_SEMA = 4,
	RWMUTEX_WRITER_SEM = 8,
	RWMUTEX_READER_SEM = 12,
	WAIT_GROUP_SEMA = 8,
	COND_NOTIFY = 16,
	SEARCHED_FRAMES = 12, // innermost ones: the runtime's, then the library's
};

/* What a frame of the library says of the wait. */
static const struct {
	const char *function;
	enum gh_blocked_on on;
} callers[] = {
	{"sync.(*WaitGroup).Wait", GH_BLOCKED_WAIT_GROUP},
	{"sync.(*RWMutex).Lock", GH_BLOCKED_WRITE_TURN},
	{"internal/poll.(*fdMutex).", GH_BLOCKED_FD},
	{"internal/poll.(*FD).Close", GH_BLOCKED_FD},
};

struct visit {
	struct gh_session *session;
	struct gh_semaphores semaphores;
	struct gh_wait wait;
	struct gh_frame_vec frames;
	struct gh_source_frame_vec source;
	struct gh_blocked_counts *counts;
};

/* Does it belong to package sync, or to what that is made of? */
static bool is_inner(const char *function)
{
	static const char *const packages[] = {"sync.", "internal/sync.", "runtime.",
					       "internal/poll."};

	for (size_t i = 0; function && i < GH_ARRAY_SIZE(packages); i++)
		if (strncmp(function, packages[i], strlen(packages[i])) == 0)
			return true;
	return false;
}

static void see_caller(struct gh_blocked *b, const char *function)
{
	for (size_t i = 0; function && i < GH_ARRAY_SIZE(callers); i++)
		if (strncmp(function, callers[i].function, strlen(callers[i].function)) == 0 &&
		    b->on != GH_BLOCKED_WRITE)
			b->on = callers[i].on;
}

/* Read the innermost frames up to the first that is the program's. */
static struct gh_error *look_at_frames(struct visit *v, struct gh_blocked *b)
{
	for (uint32_t i = 0; i < v->frames.len && i < SEARCHED_FRAMES; i++) {
		const struct gh_frame *frame = &v->frames.data[i];
		bool inner = true;

		v->source.len = 0;
		if (!gh_func_source_frames(v->session->rt, &frame->func, frame->sym_pc,
					   &v->source))
			return gh_error_nomem();
		for (size_t k = 0; k < v->source.len && inner; k++) {
			inner = is_inner(v->source.data[k].function);
			if (inner)
				see_caller(b, v->source.data[k].function);
		}
		b->from = i;
		if (!inner)
			break;
	}
	return NULL;
}

static enum gh_blocked_on by_reason(enum gh_wait_kind kind)
{
	switch (kind) {
	case GH_WAIT_MUTEX:
		return GH_BLOCKED_MUTEX;
	case GH_WAIT_READ_LOCK:
		return GH_BLOCKED_READ;
	case GH_WAIT_WRITE_LOCK:
		return GH_BLOCKED_WRITE;
	case GH_WAIT_WAIT_GROUP:
		return GH_BLOCKED_WAIT_GROUP;
	case GH_WAIT_COND:
		return GH_BLOCKED_COND;
	case GH_WAIT_SEMAPHORE:
		return GH_BLOCKED_SEMAPHORE;
	case GH_WAIT_NONE:
	case GH_WAIT_RECEIVE:
	case GH_WAIT_SEND:
	case GH_WAIT_SELECT:
	case GH_WAIT_FOREVER:
	case GH_WAIT_SLEEP:
	case GH_WAIT_IO:
	case GH_WAIT_COROUTINE:
	case GH_WAIT_RUNTIME:
		break;
	}
	return GH_BLOCKED_ELSE;
}

static gh_addr lock_of(enum gh_blocked_on on, gh_addr object)
{
	static const uint8_t offsets[] = {
		[GH_BLOCKED_ELSE] = 0,
		[GH_BLOCKED_MUTEX] = MUTEX_SEMA,
		[GH_BLOCKED_READ] = RWMUTEX_READER_SEM,
		[GH_BLOCKED_WRITE] = RWMUTEX_WRITER_SEM,
		[GH_BLOCKED_WRITE_TURN] = MUTEX_SEMA,
		[GH_BLOCKED_WAIT_GROUP] = WAIT_GROUP_SEMA,
		[GH_BLOCKED_COND] = COND_NOTIFY,
		[GH_BLOCKED_FD] = 0,
		[GH_BLOCKED_SEMAPHORE] = 0,
	};

	return object > offsets[on] ? object - offsets[on] : 0;
}

static struct gh_error *look(struct visit *v, uint32_t i, struct gh_blocked *ret)
{
	const struct gh_goroutine *g = &v->session->goroutines.data[i];
	enum gh_unwind_end end;
	struct gh_error *err;

	v->frames.len = 0;
	err = gh_session_unwind(v->session, i, &v->frames, &end);
	if (!err)
		err = gh_wait_load(v->session->rt, g, &v->semaphores, &v->frames, &v->wait);
	if (err)
		return err;
	*ret = (struct gh_blocked){.g = i,
				   .on = by_reason(v->wait.kind),
				   .wait = &v->wait,
				   .semaphores = &v->semaphores,
				   .frames = &v->frames};
	if (ret->on != GH_BLOCKED_ELSE)
		err = look_at_frames(v, ret);
	ret->lock = ret->on == GH_BLOCKED_ELSE ? 0 : lock_of(ret->on, v->wait.object);
	v->counts->damaged += v->wait.damaged;
	v->counts->no_object += ret->on != GH_BLOCKED_ELSE && !ret->lock;
	return err;
}

/* Goroutines [from, to) of the list. */
static struct gh_error *visit(struct visit *v, size_t from, size_t to, gh_blocked_fn fn, void *ctx)
{
	const struct gh_goroutine_vec *gs = &v->session->goroutines;
	struct gh_error *err = gh_semaphores_load(v->session->rt, &v->semaphores);

	v->counts->damaged += v->semaphores.damaged;
	for (size_t i = from; i < to && !err; i++) {
		struct gh_blocked blocked;

		if (i % 1024 == 0)
			err = gh_poll(&v->session->poll, "looking at waits", i, gs->len);
		if (err || gh_goroutine_is_dead(&gs->data[i]))
			continue;
		err = look(v, (uint32_t)i, &blocked);
		if (!err)
			err = fn(ctx, &blocked);
	}
	return err;
}

static struct gh_error *visit_range(struct gh_session *session, size_t from, size_t to,
				    gh_blocked_fn fn, void *ctx,
				    struct gh_blocked_counts *counts_ret)
{
	struct visit v = {.session = session, .counts = counts_ret};
	struct gh_error *err;

	*counts_ret = (struct gh_blocked_counts){0};
	err = visit(&v, from, to, fn, ctx);
	gh_semaphores_deinit(&v.semaphores);
	gh_wait_deinit(&v.wait);
	gh_frame_vec_deinit(&v.frames);
	gh_source_frame_vec_deinit(&v.source);
	return err;
}

struct gh_error *gh_blocked_visit(struct gh_session *session, gh_blocked_fn fn, void *ctx,
				  struct gh_blocked_counts *counts_ret)
{
	struct gh_error *err = gh_session_stacks(session);

	return err ? err
		   : visit_range(session, 0, session->goroutines.len, fn, ctx, counts_ret);
}

struct gh_error *gh_blocked_one(struct gh_session *session, size_t g, gh_blocked_fn fn, void *ctx,
				struct gh_blocked_counts *counts_ret)
{
	return visit_range(session, g, g + 1, fn, ctx, counts_ret);
}
