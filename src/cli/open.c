// SPDX-License-Identifier: Apache-2.0
// Which of the files named is the core, and which the executable.
#include "cli/open.h"

#include <elf.h>
#include <fcntl.h>

#include "base/cleanup.h"

/* e_type of an ELF file; ET_NONE for anything else. Whoever opens it next says what is wrong. */
static uint16_t elf_type(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	unsigned char head[18];

	if (fd < 0 || pread(fd, head, sizeof(head), 0) != sizeof(head) ||
	    memcmp(head, ELFMAG, SELFMAG) != 0)
		return ET_NONE;
	return gh_u16_at(head + 16);
}

/* CORE [EXE], EXE -c CORE, and what gdb users type: EXE CORE. */
static struct gh_error *choose_files(const struct options *options, struct gh_target_options *ret)
{
	const char *first = options->nfiles > 0 ? options->files[0] : NULL;
	const char *second = options->nfiles > 1 ? options->files[1] : NULL;

	ret->core_path = options->core;
	if (!ret->core_path) {
		ret->core_path = first;
		first = second;
		second = NULL;
	}
	if (!options->core && first && elf_type(first) == ET_CORE &&
	    elf_type(ret->core_path) != ET_CORE) {
		const char *exe = ret->core_path;

		ret->core_path = first;
		first = exe;
	}
	if (!ret->core_path)
		return gh_error_create(GH_ERR_USAGE,
				       "no core was named: goheap CORE [EXE] COMMAND ...");
	if (options->exe && first && !options->core)
		return gh_error_create(GH_ERR_USAGE, "two executables: %s and --exe %s: name one",
				       first, options->exe);
	ret->exe_path = options->exe ? options->exe : first;
	return NULL;
}

struct gh_error *open_session(const struct options *options, const struct gh_poll *poll,
			      struct gh_session **ret)
{
	struct gh_target_options target_options = {
		.sysroot = options->sysroot,
		.force = options->force,
		.no_mmap = options->no_mmap,
		.scratch = options->scratch,
		.poll = poll,
	};
	struct gh_error *err = choose_files(options, &target_options);
	struct gh_target *target;

	if (!err)
		err = gh_target_open_core(&target_options, &target);
	if (!err)
		err = gh_session_create(target, ret);
	if (!err)
		(*ret)->poll = *poll;
	return err;
}
