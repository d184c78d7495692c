// SPDX-License-Identifier: Apache-2.0
// See attach.h and ptrace(2).
#include "target/attach.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

enum {
	MAX_ROUNDS = 1000,   // of listing threads that start others meanwhile
	WAIT_NS = 200000,    // between two looks at a thread that has not stopped yet
	WAIT_ROUNDS = 25000, // 5 s: one that sleeps in the kernel uninterruptibly
};

static struct gh_error *refused(uint32_t pid, int error)
{
	uint64_t tracer = gh_proc_status(pid, "TracerPid:");
	FILE *file;
	int scope = 0;

	if (error == ESRCH)
		return gh_error_create(GH_ERR_IO, "cannot stop process %u: it has ended", pid);
	if (tracer)
		return gh_error_create(
			GH_ERR_IO,
			"cannot stop process %u: process %llu traces it already: end "
			"that debugger, or use goheap in it",
			pid, (unsigned long long)tracer);
	file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	if (file) {
		if (fscanf(file, "%d", &scope) != 1)
			scope = 0;
		fclose(file);
	}
	if (error == EPERM && scope)
		return gh_error_create(
			GH_ERR_IO,
			"cannot stop process %u: not permitted: run goheap as root or "
			"with CAP_SYS_PTRACE, or set kernel.yama.ptrace_scope to 0 "
			"(it is %d)",
			pid, scope);
	if (error == EPERM)
		return gh_error_create(GH_ERR_IO,
				       "cannot stop process %u: not permitted: run goheap as its "
				       "user, as root, or with CAP_SYS_PTRACE",
				       pid);
	return gh_error_errno(error, "cannot stop process %u", pid);
}

static bool is_held(const struct gh_attachment *a, uint32_t tid)
{
	for (size_t i = 0; i < a->held.len; i++)
		if (a->held.data[i].tid == tid)
			return true;
	return false;
}

/* Wait until the thread stops. *gone_ret: it ended instead. */
static struct gh_error *wait_for(struct gh_attachment *a, struct gh_held_thread *thread,
				 const struct gh_poll *poll, bool *gone_ret)
{
	struct timespec pause = {.tv_nsec = WAIT_NS};

	*gone_ret = false;
	for (int i = 0; i < WAIT_ROUNDS; i++) {
		int status;
		pid_t n = waitpid((pid_t)thread->tid, &status, __WALL | WNOHANG);
		struct gh_error *err;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || (n > 0 && (WIFEXITED(status) || WIFSIGNALED(status)))) {
			*gone_ret = true;
			return NULL;
		}
		if (n > 0 && WIFSTOPPED(status)) {
			if (status >> 16 == 0) // on its way to a signal: the stop we asked for
				thread->signal = WSTOPSIG(status); // comes behind it
			return NULL;
		}
		err = gh_poll(poll, "stopping the process", a->held.len, 0);
		if (err)
			return err;
		nanosleep(&pause, NULL);
	}
	return gh_error_create(GH_ERR_IO,
			       "cannot stop process %u: thread %u does not stop: it sleeps in the "
			       "kernel: is a disk or network file system stuck?",
			       a->pid, thread->tid);
}

/* Seize and interrupt those that are not held yet; false when there was none. */
static struct gh_error *seize_new(struct gh_attachment *a, const struct gh_tid_vec *tids,
				  size_t *first_ret)
{
	*first_ret = a->held.len;
	for (size_t i = 0; i < tids->len; i++) {
		uint32_t tid = tids->data[i];

		if (is_held(a, tid))
			continue;
		if (ptrace(PTRACE_SEIZE, tid, 0, 0) != 0) {
			if (errno == ESRCH && tid != a->pid)
				continue; // it has just ended
			return refused(a->pid, errno);
		}
		if (!gh_held_vec_push(&a->held, (struct gh_held_thread){.tid = tid}))
			return gh_error_nomem(); // it runs on
		ptrace(PTRACE_INTERRUPT, tid, 0, 0);
	}
	return NULL;
}

static struct gh_error *wait_for_new(struct gh_attachment *a, size_t first,
				     const struct gh_poll *poll)
{
	for (size_t i = first; i < a->held.len;) {
		bool gone;
		struct gh_error *err = wait_for(a, &a->held.data[i], poll, &gone);

		if (err)
			return err;
		if (gone)
			a->held.data[i] = a->held.data[--a->held.len];
		else
			i++;
	}
	return NULL;
}

struct gh_error *gh_attach(uint32_t pid, const struct gh_poll *poll, struct gh_attachment *ret)
{
	struct gh_error *err = NULL;

	*ret = (struct gh_attachment){.pid = pid};
	for (int round = 0; round < MAX_ROUNDS && !err; round++) {
		struct gh_tid_vec tids = {0};
		size_t first = 0;

		err = gh_proc_threads(pid, &tids);
		if (!err)
			err = seize_new(ret, &tids, &first);
		gh_tid_vec_deinit(&tids);
		if (!err && first == ret->held.len)
			return ret->held.len ? NULL : refused(pid, ESRCH);
		if (!err)
			err = wait_for_new(ret, first, poll);
	}
	return err ? err
		   : gh_error_create(GH_ERR_IO,
				     "cannot stop process %u: it starts threads faster than they "
				     "can be stopped",
				     pid);
}

static void read_registers(struct gh_thread *thread, uint16_t machine)
{
	uint8_t buffer[4096];
	struct iovec iov = {buffer, sizeof(buffer)};
	bool is_amd64 = machine == EM_X86_64;

	if (ptrace(PTRACE_GETREGSET, thread->tid, NT_PRSTATUS, &iov) == 0)
		gh_thread_set_regs(thread, machine, buffer, iov.iov_len);
	iov = (struct iovec){buffer, sizeof(buffer)};
	if (ptrace(PTRACE_GETREGSET, thread->tid, is_amd64 ? NT_X86_XSTATE : NT_PRFPREG, &iov) == 0)
		gh_thread_set_vectors(thread, machine, buffer, iov.iov_len);
}

struct gh_error *gh_attached_registers(const struct gh_attachment *a, uint16_t machine,
				       struct gh_thread_vec *ret)
{
	for (size_t i = 0; i < a->held.len; i++) {
		struct gh_thread thread = {.tid = a->held.data[i].tid};

		read_registers(&thread, machine);
		if (!gh_thread_vec_push(ret, thread))
			return gh_error_nomem();
	}
	return NULL;
}

void gh_detach(struct gh_attachment *a)
{
	for (size_t i = 0; i < a->held.len; i++)
		ptrace(PTRACE_DETACH, a->held.data[i].tid, 0, (long)a->held.data[i].signal);
	gh_held_vec_deinit(&a->held);
}
