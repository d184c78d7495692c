// SPDX-License-Identifier: Apache-2.0
// Which of the files named is the core, and which the executable.
#include "cli/open.h"

#include <elf.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "command/command.h"
#include "goruntime/spare.h"

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

/* Commands that read counters only do so while the process runs. */
static bool all_read_running(const struct options *options)
{
	for (size_t i = 0; i < options->commands.len; i++)
		if (!gh_command_find(options->commands.data[i].data[0])->reads_running)
			return false;
	return options->commands.len != 0;
}

/* The most that one of them reads; the prompt may ask for anything. */
static enum gh_contents contents_read(const struct options *options)
{
	enum gh_contents most = options->commands.len ? GH_READS_NONE : GH_READS_VALUES;

	for (size_t i = 0; i < options->commands.len; i++) {
		enum gh_contents reads =
			gh_command_find(options->commands.data[i].data[0])->reads;

		most = reads > most ? reads : most;
	}
	return most;
}

/* The least that a command was given with --max-mem; 0: none was. */
static uint64_t max_mem_of(const struct options *options)
{
	uint64_t least = 0;

	for (size_t i = 0; i < options->commands.len; i++) {
		const struct words *words = &options->commands.data[i];
		_cleanup_error_ struct gh_error *err = NULL;
		struct gh_args args = {0};

		err = gh_args_parse(gh_command_find(words->data[0]), words->data + 1,
				    words->len - 1, &args);
		if (args.max_mem_bytes && (!least || args.max_mem_bytes < least))
			least = args.max_mem_bytes;
	}
	return least;
}

static struct gh_error *open_process(const struct options *options,
				     struct gh_target_options *target_options,
				     struct gh_target **ret)
{
	enum gh_contents reads = contents_read(options);
	struct gh_spare state = {.poll = target_options->poll,
				 .needs_channels = reads == GH_READS_CHANNELS};
	struct gh_target_spare spare = gh_spare_callbacks(&state);

	if (options->core || options->nfiles > 1)
		return gh_error_create(GH_ERR_USAGE, "a core and --pid %u: name one", options->pid);
	if (options->exe && options->nfiles)
		return gh_error_create(GH_ERR_USAGE, "two executables: %s and --exe %s: name one",
				       options->files[0], options->exe);
	target_options->exe_path = options->exe ? options->exe : options->files[0];
	if (reads != GH_READS_VALUES)
		target_options->spare = &spare;
	return gh_target_open_pid(target_options, options->pid, all_read_running(options), ret);
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
		.max_mem_bytes = max_mem_of(options),
	};
	struct gh_target *target;
	struct gh_error *err;

	if (options->pid)
		err = open_process(options, &target_options, &target);
	else
		err = choose_files(options, &target_options);
	if (!err && !options->pid)
		err = gh_target_open_core(&target_options, &target);
	if (!err)
		err = gh_session_create(target, ret);
	if (!err)
		(*ret)->poll = *poll;
	return err;
}
