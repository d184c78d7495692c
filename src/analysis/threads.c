// SPDX-License-Identifier: Apache-2.0
// What threads do. See threads.h.
#include "analysis/threads.h"

#include <stdlib.h>

#include "analysis/fds.h"
#include "base/cleanup.h"
#include "goruntime/process.h"
#include "goruntime/syscalls.h"

enum {
	POLL_EVERY = 64,
	MANY = 16,		   // threads in one kind of call; more where there are more Ps
	LONG_NS = 1000 * 1000000, // a system call of a healthy program is over
};

/* A function of package syscall's or cgo's that stands for a call to C. */
static const char *called_c(const char *function)
{
	static const char *const marks[] = {"._Cfunc_", "._C2func_"};

	for (size_t i = 0; function && i < GH_ARRAY_SIZE(marks); i++) {
		const char *at = strstr(function, marks[i]);

		if (at)
			return at + strlen(marks[i]);
	}
	return NULL;
}

static bool is_dns(const char *cgo)
{
	static const char *const names[] = {"getaddrinfo", "getnameinfo", "res_search",
					    "res_nsearch"};

	for (size_t i = 0; cgo && i < GH_ARRAY_SIZE(names); i++)
		if (strcmp(cgo, names[i]) == 0)
			return true;
	return false;
}

/* "pipe read": what a read or write is of, where that is known. */
static const char *transfer(enum gh_descriptor_kind kind, bool is_write)
{
	switch (kind) {
	case GH_DESCRIPTOR_FILE:
		return is_write ? "file write" : "file read";
	case GH_DESCRIPTOR_PIPE:
		return is_write ? "pipe write" : "pipe read";
	case GH_DESCRIPTOR_SOCKET:
		return is_write ? "socket write" : "socket read";
	case GH_DESCRIPTOR_UNKNOWN:
		break;
	}
	return is_write ? "write" : "read";
}

static const char *kind_of_call(const struct gh_thread_info *info)
{
	bool has_fd;

	switch (gh_syscall_kind_of(info->t.call, &has_fd)) {
	case GH_SYSCALL_READ:
		return transfer(info->fd_kind, false);
	case GH_SYSCALL_WRITE:
		return transfer(info->fd_kind, true);
	case GH_SYSCALL_SYNC:
		return "fsync";
	case GH_SYSCALL_NETWORK:
		return "network";
	case GH_SYSCALL_FILES:
		return "file system";
	case GH_SYSCALL_FILE_LOCK:
		return "file lock";
	case GH_SYSCALL_CHILD:
		return "child process";
	case GH_SYSCALL_FUTEX:
		return "lock";
	case GH_SYSCALL_SLEEP:
		return "sleep";
	case GH_SYSCALL_POLL:
		return "poll";
	case GH_SYSCALL_DEVICE:
		return "device";
	case GH_SYSCALL_OTHER:
		break;
	}
	return "other call";
}

static const char *blocked_in(const struct gh_thread_info *info)
{
	bool calls = info->t.state == GH_THREAD_SYSCALL || info->t.state == GH_THREAD_CGO;

	if (!calls)
		return NULL;
	if (is_dns(info->cgo))
		return "DNS";
	if (info->t.is_in_kernel)
		return kind_of_call(info);
	return info->t.state == GH_THREAD_CGO ? "C code" : NULL;
}

static struct gh_error *find_descriptor(struct gh_fds *fds, const struct gh_frame_vec *frames,
					struct gh_thread_info *info)
{
	_cleanup_(gh_descriptor_deinit) struct gh_descriptor found = {0};
	const struct gh_session *session = fds->session;
	struct gh_fd known;
	struct gh_error *err;

	gh_syscall_kind_of(info->t.call, &info->has_fd);
	if (!info->t.is_in_kernel || info->t.args[0] > INT32_MAX)
		info->has_fd = false;
	if (!info->has_fd)
		return NULL;
	info->fd = info->t.args[0];
	if (info->t.goroutine)
		gh_descriptor_find(session->rt, info->t.goroutine, frames, info->fd, &found);
	info->fd_kind = found.kind;
	if (found.addr && found.name.len && !session->no_values)
		info->path = gh_arena_strndup(fds->arena, gh_strbuf_str(&found.name),
					      found.name.len);
	if (info->fd_kind != GH_DESCRIPTOR_UNKNOWN)
		return NULL;
	err = gh_fds_find(fds, info->fd, &known);
	if (err)
		return err;
	info->fd_kind = known.kind;
	info->path = session->no_values ? NULL : known.path;
	return NULL;
}

/* What the frames of its goroutine tell of the call and of the place in the program. */
static void look_at_frames(const struct gh_session *session,
			   const struct gh_trace_frame_vec *frames, struct gh_thread_info *info)
{
	for (size_t i = 0; i < frames->len; i++) {
		const struct gh_source_frame *frame = &frames->data[i].source;
		const char *cgo = called_c(frame->function);

		if (info->t.is_in_kernel && !info->t.call)
			info->t.call = gh_syscall_of_function(frame->function);
		if (cgo && info->t.state == GH_THREAD_CGO && !info->cgo)
			info->cgo = cgo;
		if (cgo || info->site_file || !frame->function || frame->id == GH_FUNC_WRAPPER ||
		    gh_is_standard(session->rt, frame->function))
			continue;
		info->site_file = frame->file;
		info->site_line = frame->line;
	}
}

/* Its goroutine's place in the program. */
static struct gh_error *look_at_stack(struct gh_fds *fds, struct gh_thread_info *info)
{
	const struct gh_session *session = fds->session;
	const struct gh_goroutine *g = info->t.goroutine;
	struct gh_trace_frame_vec logical = {0};
	struct gh_frame_vec frames = {0};
	enum gh_unwind_end end;
	struct gh_error *err = g ? gh_stack_unwind(session->rt, g, &frames, &end) : NULL;

	if (!err)
		err = gh_traceback_frames(session->rt, &frames, &logical);
	if (!err) {
		look_at_frames(session, &logical, info);
		err = find_descriptor(fds, &frames, info);
	}
	gh_trace_frame_vec_deinit(&logical);
	gh_frame_vec_deinit(&frames);
	return err;
}

/* Names of C functions: the same few pcs come again and again. */
struct names {
	struct {
		gh_addr pc;
		const char *name;
	} of[16];
	size_t next;
};

static const char *c_function(const struct gh_session *session, struct names *names, gh_addr pc)
{
	size_t n = GH_ARRAY_SIZE(names->of);

	if (!pc)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (names->of[i].pc == pc)
			return names->of[i].name;
	names->of[names->next % n].pc = pc;
	names->of[names->next % n].name = gh_target_function(session->target, pc);
	return names->of[names->next++ % n].name;
}

static struct gh_error *add_thread(struct gh_threads *threads, struct gh_fds *fds,
				   const struct gh_mthread *t, struct names *names)
{
	struct gh_session *session = fds->session;
	struct gh_thread_info info = {.t = *t, .function = t->function};
	bool works = t->state != GH_THREAD_LOCKED && t->goroutine;
	struct gh_error *err = look_at_stack(fds, &info);

	if (err)
		return err;
	if (!info.function)
		info.function = c_function(session, names, t->pc);
	info.blocked = blocked_in(&info);
	info.has_wait = works && gh_session_wait_ns(session, t->goroutine, &info.wait_ns);
	return gh_thread_info_vec_push(&threads->infos, info) ? NULL : gh_error_nomem();
}

static int compare_verdict(const void *a, const void *b)
{
	const struct gh_thread_verdict *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return strcmp(x->kind, y->kind);
}

static struct gh_thread_verdict *verdict_of(struct gh_threads *threads, const char *kind)
{
	for (size_t i = 0; i < threads->verdicts.len; i++)
		if (strcmp(threads->verdicts.data[i].kind, kind) == 0)
			return &threads->verdicts.data[i];
	if (!gh_thread_verdict_vec_push(&threads->verdicts,
					(struct gh_thread_verdict){.kind = kind}))
		return NULL;
	return &threads->verdicts.data[threads->verdicts.len - 1];
}

static const char *common(const char *so_far, const char *one, bool first)
{
	return first || (so_far && one && strcmp(so_far, one) == 0) ? one : NULL;
}

/* A system call that the scheduler was not told of: nobody else gets the processor meanwhile. */
static bool is_raw(const struct gh_thread_info *info)
{
	return info->t.state == GH_THREAD_SYSCALL && info->t.goroutine &&
	       info->t.goroutine->status == GH_G_RUNNING;
}

/*
 * Each kind of call with more threads in it than processors could keep busy, or with many that keep
 * one from others.
 */
static struct gh_error *judge(struct gh_threads *threads)
{
	uint64_t many = gh_max_u64(MANY, threads->gomaxprocs);
	uint64_t longs[64] = {0};
	size_t n = 0;

	for (size_t i = 0; i < threads->infos.len; i++) {
		const struct gh_thread_info *info = &threads->infos.data[i];
		struct gh_thread_verdict *v;
		size_t at;

		if (!info->blocked)
			continue;
		v = verdict_of(threads, info->blocked);
		if (!v)
			return gh_error_nomem();
		at = (size_t)(v - threads->verdicts.data);
		v->call = common(v->call, info->t.call, v->count == 0);
		v->cgo = common(v->cgo, info->cgo, v->count == 0);
		v->path = common(v->path, info->path, v->count == 0);
		v->has_fd = info->has_fd && (v->count == 0 || (v->has_fd && v->fd == info->fd));
		v->fd = info->fd;
		v->fd_kind = info->fd_kind;
		v->count++;
		v->raw += is_raw(info);
		if (info->has_wait && info->wait_ns >= LONG_NS && at < GH_ARRAY_SIZE(longs))
			longs[at]++;
		if (info->has_wait && (!v->has_wait || info->wait_ns > v->wait_ns_max))
			v->wait_ns_max = info->wait_ns;
		v->has_wait |= info->has_wait;
	}
	for (size_t i = 0; i < threads->verdicts.len; i++) {
		struct gh_thread_verdict *v = &threads->verdicts.data[i];

		v->is_likely = (i < GH_ARRAY_SIZE(longs) && longs[i] * 2 >= v->count) ||
			       (v->raw >= MANY && v->raw * 2 >= threads->gomaxprocs);
		if (v->count >= many || v->raw >= MANY)
			threads->verdicts.data[n++] = *v;
	}
	threads->verdicts.len = n;
	if (n)
		qsort(threads->verdicts.data, n, sizeof(*threads->verdicts.data), compare_verdict);
	return NULL;
}

struct gh_error *gh_threads_load(struct gh_session *session, struct gh_threads *ret)
{
	struct gh_mthread_vec ms = {0};
	struct gh_process process;
	struct names names = {0};
	struct gh_fds fds = {.session = session, .arena = &ret->arena};
	struct gh_error *err = gh_session_goroutines(session);

	*ret = (struct gh_threads){0};
	if (!err)
		err = gh_mthreads_load(session->rt, &session->goroutines, &ms, &ret->damaged);
	for (size_t i = 0; !err && i < ms.len; i++) {
		if (i % POLL_EVERY == 0)
			err = gh_poll(&session->poll, "looking at threads", i, ms.len);
		if (!err)
			err = add_thread(ret, &fds, &ms.data[i], &names);
	}
	gh_mthread_vec_deinit(&ms);
	gh_fds_deinit(&fds);
	if (err)
		return err;
	gh_process_read(session->rt, &process);
	ret->gomaxprocs = process.has_gomaxprocs ? process.gomaxprocs : 0;
	return judge(ret);
}

void gh_thread_verdict_describe(const struct gh_thread_verdict *v, struct gh_strbuf *sb)
{
	const char *call = v->call && strcmp(v->call, v->kind) ? v->call : NULL;

	gh_strbuf_puts(sb, v->kind);
	if (call || v->cgo)
		gh_strbuf_printf(sb, " (%s%s%s%s)", call ? call : "", call && v->cgo ? ", " : "",
				 v->cgo ? "in C from " : "", v->cgo ? v->cgo : "");
	if (v->path)
		gh_strbuf_printf(sb, " of %s", v->path);
	else if (v->has_fd)
		gh_strbuf_printf(sb, " of file descriptor %llu%s", (unsigned long long)v->fd,
				 v->fd_kind ? "" : ", which nothing in memory names");
}

void gh_threads_deinit(struct gh_threads *threads)
{
	gh_thread_info_vec_deinit(&threads->infos);
	gh_thread_verdict_vec_deinit(&threads->verdicts);
	gh_arena_deinit(&threads->arena);
}
