// SPDX-License-Identifier: Apache-2.0
// A process that nobody debugs, by its number: copied while it stands still, or, for statistics,
// read while it runs. What the copy (taking.h) leaves to files comes from the executable and the
// shared objects.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "target/taking.h"

enum { MAX_PATH = 4096 };

static struct gh_error *add_mappings(struct gh_target *target, const struct gh_proc_map_vec *maps)
{
	for (size_t i = 0; i < target->mappings.len; i++) // those of an earlier moment
		free(target->mappings.data[i].path);
	target->mappings.len = 0;
	for (size_t i = 0; i < maps->len; i++) {
		const struct gh_proc_map *map = &maps->data[i];
		struct gh_mapping m = {
			.lo = map->lo, .hi = map->hi, .file_offset = map->file_offset};

		m.path = strdup(map->path);
		if (!m.path || !gh_mapping_vec_push(&target->mappings, m)) {
			free(m.path);
			return gh_error_nomem();
		}
	}
	return NULL;
}

/* Files are where the process sees them, which may be in a container. */
static struct gh_error *add_files(struct gh_taking *t)
{
	const struct gh_memory memory = {.at = gh_taking_at, .ctx = t};
	struct gh_target_options options = *t->options;
	char root[64];

	snprintf(root, sizeof(root), "/proc/%u/root", t->target->pid);
	if (!options.sysroot)
		options.sysroot = root;
	return gh_target_lend_pages(t->target, &options, &memory);
}

static const void *running_at(const void *ctx, gh_addr addr, uint64_t len)
{
	return gh_image_at(ctx, addr, len);
}

/* The heads of the mapped objects, which do not change while it runs: their build ids. */
static struct gh_error *heads_of_objects(struct gh_taking *t, struct gh_image **ret)
{
	struct gh_error *err = gh_image_create(ret);

	for (size_t i = 0; !err && i < t->maps.len; i++) {
		const struct gh_proc_map *map = &t->maps.data[i];

		if (gh_taking_begins_object(map))
			err = gh_image_add_lazy(*ret, map->lo, map->hi - map->lo,
						gh_taking_read_running, &t->target->pid, false);
	}
	return err ? err : gh_image_seal(*ret);
}

static struct gh_error *compare_exe(struct gh_taking *t, const char *proc_exe)
{
	struct gh_image *heads = NULL;
	struct gh_error *err = gh_taking_list(t);

	if (!err)
		err = add_mappings(t->target, &t->maps);
	if (!err)
		err = heads_of_objects(t, &heads);
	if (!err)
		err = gh_target_find_exe(t->target, t->options,
					 &(struct gh_memory){running_at, heads}, proc_exe);
	gh_image_destroy(heads);
	return err;
}

static struct gh_error *no_exe(uint32_t pid, int error)
{
	char state = gh_proc_state(pid);

	if (error != ENOENT && error != ESRCH)
		return gh_error_errno(error,
				      "cannot look at process %u: run goheap as its user, as "
				      "root, or with CAP_SYS_PTRACE",
				      pid);
	return gh_error_create(GH_ERR_IO, "cannot look at process %u: %s", pid,
			       state == 0     ? "there is no such process"
			       : state == 'Z' ? "it has ended, and only its parent has not noticed"
					      : "it is one of the kernel's");
}

/* Its executable's path, and whether it is one that we read. */
static struct gh_error *check_process(uint32_t pid, char *path, size_t size)
{
	_cleanup_close_ int fd = -1;
	unsigned char head[EI_NIDENT];
	char proc_exe[64];
	ssize_t n;

	snprintf(proc_exe, sizeof(proc_exe), "/proc/%u/exe", pid);
	n = readlink(proc_exe, path, size - 1);
	if (n < 0)
		return no_exe(pid, errno);
	path[n] = 0;
	fd = open(proc_exe, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && pread(fd, head, sizeof(head), 0) == sizeof(head) &&
	    memcmp(head, ELFMAG, SELFMAG) == 0 && head[EI_CLASS] == ELFCLASS32)
		return gh_error_create(GH_ERR_UNSUPPORTED,
				       "cannot read process %u: %s is a 32-bit program: goheap "
				       "reads 64-bit ones",
				       pid, path);
	return NULL;
}

static struct gh_error *check_go(const struct gh_target *target, uint32_t pid, const char *path)
{
	if (!target->exe || gh_elf_section(target->exe, ".gopclntab") ||
	    gh_elf_section(target->exe, ".data.rel.ro.gopclntab"))
		return NULL;
	return gh_error_create(GH_ERR_MISSING, "cannot read process %u: %s was not made by Go", pid,
			       path);
}

/* Is it ours to read? Asked before anything is stopped. */
static struct gh_error *find_exe(struct gh_taking *t, const char *path)
{
	struct gh_target *target = t->target;
	char proc_exe[64];
	struct gh_error *err;

	snprintf(proc_exe, sizeof(proc_exe), "/proc/%u/exe", target->pid);
	gh_target_read_auxv_of(target, target->pid);
	err = compare_exe(t, proc_exe);
	if (err || !target->exe)
		return err;
	free(target->exe_path);
	target->exe_path = strdup(path);
	if (!target->exe_path)
		return gh_error_nomem();
	err = gh_target_check_machine(target->machine, target->exe_path);
	return err ? err : check_go(target, target->pid, path);
}

static struct gh_error *load(struct gh_taking *t, const char *path)
{
	struct gh_error *err = find_exe(t, path);

	if (!err)
		err = gh_taking_take(t);
	if (!err)
		err = add_mappings(t->target, &t->maps);
	if (!err)
		err = gh_taking_add_memory(t->target->image, t);
	if (!err)
		err = add_files(t);
	return err ? err : gh_image_seal(t->target->image);
}

static struct gh_error *open_running(const struct gh_target_options *options, uint32_t pid,
				     const char *path, struct gh_target **ret)
{
	struct gh_proc_map_vec maps = {0};
	struct gh_mapping_vec mappings = {0};
	struct gh_error *err = gh_proc_maps(pid, &maps);

	for (size_t i = 0; !err && i < maps.len; i++) {
		const struct gh_proc_map *map = &maps.data[i];

		if (map->readable && strncmp(map->path, "[v", 2) != 0 &&
		    !gh_mapping_vec_push(
			    &mappings,
			    (struct gh_mapping){map->lo, map->hi, map->file_offset, map->path}))
			err = gh_error_nomem();
	}
	if (!err)
		err = gh_target_open_live(options,
					  &(struct gh_target_callbacks){
						  .pid = pid,
						  .mappings = mappings.data,
						  .nmappings = mappings.len,
					  },
					  ret);
	gh_mapping_vec_deinit(&mappings);
	gh_proc_maps_deinit(&maps);
	if (err)
		return err;
	err = check_go(*ret, pid, path);
	if (err)
		gh_target_destroy(*ret);
	else
		gh_target_note(*ret,
			       "process %u was read while it ran: numbers may be of moments "
			       "some microseconds apart",
			       pid);
	return err;
}

struct gh_error *gh_target_open_pid(const struct gh_target_options *options, uint32_t pid,
				    bool running, struct gh_target **ret)
{
	struct gh_taking t = {.options = options};
	char path[MAX_PATH];
	struct gh_error *err = check_process(pid, path, sizeof(path));

	if (!err && running)
		return open_running(options, pid, path, ret);
	if (!err)
		err = gh_target_create(GH_TARGET_LIVE, options, &t.target);
	if (err)
		return err;
	t.target->pid = pid;
	t.target->snapshot = calloc(1, sizeof(*t.target->snapshot));
	err = t.target->snapshot ? load(&t, path) : gh_error_nomem();
	gh_taking_deinit(&t);
	if (err) {
		err = gh_budget_why(t.target->budget, err);
		gh_target_destroy(t.target);
		return err;
	}
	*ret = t.target;
	return NULL;
}
