// SPDX-License-Identifier: Apache-2.0
// A process that a debugger holds stopped. Its memory is copied when it is first touched: by the
// kernel in one call a chunk where that is allowed, else through the debugger.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "target/open.h"
#include "target/procfs.h"

enum { MAX_AUXV = 4096, MAX_PATH = 4096, SAMPLE = 256 };

struct gh_live {
	gh_image_fill_fn read_memory; // may be NULL
	void *ctx;
	uint32_t pid;
	bool is_refused; // process_vm_readv is not allowed, or the process is not here
};

void gh_live_destroy(struct gh_live *live)
{
	free(live);
}

/* False: not all of it came. */
static bool read_by_kernel(struct gh_live *live, gh_addr addr, void *to, uint64_t len)
{
	ssize_t n;

	if (live->is_refused || live->pid == 0)
		return false;
	n = gh_proc_read(live->pid, addr, to, len);
	if (n < 0) // EPERM, ESRCH, ENOSYS: no use to ask again
		live->is_refused = true;
	return n >= 0 && (uint64_t)n == len;
}

static bool fill(void *ctx, gh_addr addr, void *to, uint64_t len)
{
	struct gh_live *live = ctx;

	if (read_by_kernel(live, addr, to, len))
		return true;
	return live->read_memory && live->read_memory(live->ctx, addr, to, len);
}

static struct gh_error *add_mappings(struct gh_target *target,
				     const struct gh_target_callbacks *callbacks)
{
	struct gh_error *err = NULL;

	for (size_t i = 0; i < callbacks->nmappings && !err; i++) {
		struct gh_mapping m = callbacks->mappings[i];

		if (m.lo >= m.hi)
			continue;
		m.path = strdup(m.path ? m.path : "");
		if (!m.path || !gh_mapping_vec_push(&target->mappings, m)) {
			free(m.path);
			return gh_error_nomem();
		}
		err = gh_image_add_lazy(target->image, m.lo, m.hi - m.lo, fill, target->live,
					callbacks->mapping_writable &&
						callbacks->mapping_writable[i]);
	}
	return err;
}

void gh_target_read_auxv_of(struct gh_target *target, uint32_t pid)
{
	char path[64];
	uint8_t auxv[MAX_AUXV];
	_cleanup_close_ int fd = -1;
	size_t n = 0;
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%u/auxv", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && n < sizeof(auxv) && (got = read(fd, auxv + n, sizeof(auxv) - n)) > 0)
		n += (size_t)got;
	gh_target_read_auxv(target, auxv, n);
}

static const void *image_at(const void *ctx, gh_addr addr, uint64_t len)
{
	return gh_image_at(ctx, addr, len);
}

/* Do the kernel and the debugger see the same bytes at addr? Where one of them sees none: yes. */
static bool agree_at(struct gh_live *live, gh_addr addr)
{
	uint8_t ours[SAMPLE], theirs[SAMPLE];

	return !addr || !read_by_kernel(live, addr, ours, SAMPLE) ||
	       !live->read_memory(live->ctx, addr, theirs, SAMPLE) ||
	       memcmp(ours, theirs, SAMPLE) == 0;
}

/*
 * A debugger of a remote process may give the number it has there, and here that is another
 * process: the headers and a stack tell. A breakpoint that the debugger hides lies in neither.
 */
static bool is_same_process(struct gh_live *live, const struct gh_target *target)
{
	if (!live->read_memory || live->pid == 0)
		return true;
	return agree_at(live, target->threads.len ? target->threads.data[0].sp : 0) &&
	       agree_at(live, target->mappings.len ? target->mappings.data[0].lo : 0);
}

static struct gh_error *add_threads(struct gh_target *target,
				    const struct gh_target_callbacks *callbacks)
{
	for (size_t i = 0; i < callbacks->nthreads; i++)
		if (!gh_thread_vec_push(&target->threads, callbacks->threads[i]))
			return gh_error_nomem();
	if (target->threads.len)
		target->signal = target->threads.data[0].signal;
	return NULL;
}

/* Call the executable what the process calls it: /proc/PID/exe says nothing to people. */
static void name_exe(struct gh_target *target, const char *proc_exe)
{
	char path[MAX_PATH];
	ssize_t n;

	if (!target->exe || strcmp(gh_elf_path(target->exe), proc_exe) != 0)
		return;
	n = readlink(proc_exe, path, sizeof(path));
	if (n > 0 && (size_t)n < sizeof(path)) {
		char *name = strndup(path, (size_t)n);

		if (name) {
			free(target->exe_path);
			target->exe_path = name;
		}
	}
}

static struct gh_error *load(struct gh_target *target, const struct gh_target_options *options,
			     const struct gh_target_callbacks *callbacks)
{
	const struct gh_memory memory = {.at = image_at, .ctx = target->image};
	struct gh_live *live = target->live;
	char proc_exe[64] = "";
	struct gh_error *err = add_threads(target, callbacks);

	if (!err)
		err = add_mappings(target, callbacks);
	if (!err)
		err = gh_image_seal(target->image);
	if (err)
		return err;
	if (!is_same_process(live, target))
		live->is_refused = true;
	target->pid = callbacks->pid;
	if (callbacks->pid && !live->is_refused) {
		gh_target_read_auxv_of(target, callbacks->pid);
		snprintf(proc_exe, sizeof(proc_exe), "/proc/%u/exe", callbacks->pid);
	}
	err = gh_target_find_exe(target, options, &memory, *proc_exe ? proc_exe : NULL);
	if (err)
		return err;
	name_exe(target, proc_exe);
	return target->exe ? gh_target_check_machine(target->machine, target->exe_path) : NULL;
}

struct gh_error *gh_target_open_live(const struct gh_target_options *options,
				     const struct gh_target_callbacks *callbacks,
				     struct gh_target **ret)
{
	struct gh_target *target;
	struct gh_error *err = gh_target_create(GH_TARGET_LIVE, options, &target);

	if (err)
		return err;
	target->live = calloc(1, sizeof(*target->live));
	if (target->live) {
		*target->live = (struct gh_live){.read_memory = callbacks->read_memory,
						 .ctx = callbacks->ctx,
						 .pid = callbacks->pid};
		err = load(target, options, callbacks);
	} else {
		err = gh_error_nomem();
	}
	if (err) {
		gh_target_destroy(target);
		return err;
	}
	*ret = target;
	return NULL;
}
