// SPDX-License-Identifier: Apache-2.0
// What all targets share: see target.h and open.h.
#include "target/open.h"

#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "target/procfs.h"

enum { MAX_NOTES = 100 };

static struct gh_budget *make_budget(const struct gh_target_options *options)
{
	struct gh_budget *budget = calloc(1, sizeof(*budget));

	if (!budget)
		return NULL;
	gh_budget_init(budget);
	gh_budget_begin(budget, options->max_mem_bytes, gh_memory_available());
	return budget;
}

struct gh_error *gh_target_create(enum gh_target_kind kind, const struct gh_target_options *options,
				  struct gh_target **ret)
{
	struct gh_target *target = calloc(1, sizeof(*target));
	struct gh_error *err;

	if (!target)
		return gh_error_nomem();
	target->kind = kind;
	target->budget = make_budget(options);
	err = target->budget ? gh_image_create(&target->image) : gh_error_nomem();
	if (err) {
		gh_target_destroy(target);
		return err;
	}
	gh_image_set_budget(target->image, target->budget);
	*ret = target;
	return NULL;
}

void gh_target_destroy(struct gh_target *target)
{
	if (!target)
		return;
	gh_image_destroy(target->image); // before the files that it maps
	gh_live_destroy(target->live);
	gh_snapshot_destroy(target->snapshot);
	for (size_t i = 0; i < target->mappings.len; i++)
		free(target->mappings.data[i].path);
	for (size_t i = 0; i < target->nobjects; i++)
		gh_elf_destroy(target->objects[i]);
	for (size_t i = 0; i < target->nnotes; i++)
		free(target->notes[i]);
	gh_elf_destroy(target->exe);
	gh_elf_destroy(target->core);
	gh_thread_vec_deinit(&target->threads);
	gh_mapping_vec_deinit(&target->mappings);
	free(target->objects);
	free(target->notes);
	free(target->command);
	free(target->core_path);
	free(target->exe_path);
	free(target->build_id);
	if (target->budget)
		gh_budget_deinit(target->budget);
	free(target->budget);
	free(target);
}

static struct gh_error *check(const struct gh_elf *elf)
{
	const struct gh_file *file = elf ? gh_elf_file(elf) : NULL;

	return file ? gh_file_check(file) : NULL;
}

struct gh_error *gh_target_check(const struct gh_target *target)
{
	struct gh_error *err = check(target->core);

	if (!err)
		err = check(target->exe);
	for (size_t i = 0; !err && i < target->nobjects; i++)
		err = check(target->objects[i]);
	return err;
}

void gh_target_note(struct gh_target *target, const char *fmt, ...)
{
	char **notes = target->notes, *note = NULL;
	va_list ap;

	if (target->nnotes >= MAX_NOTES)
		return;
	va_start(ap, fmt);
	if (vasprintf(&note, fmt, ap) < 0)
		note = NULL;
	va_end(ap);
	if (note)
		notes = realloc(notes, (target->nnotes + 1) * sizeof(*notes));
	if (!note || !notes) {
		free(note);
		return;
	}
	notes[target->nnotes++] = note;
	target->notes = notes;
}

struct gh_error *gh_target_check_machine(uint16_t machine, const char *path)
{
	static const struct {
		uint16_t machine;
		const char *name;
	} others[] = {{EM_RISCV, "riscv64"}, {EM_PPC64, "ppc64"}, {EM_S390, "s390x"},
		      {EM_MIPS, "mips"},     {EM_386, "386"},	  {EM_LOONGARCH, "loong64"}};

	if (machine == EM_X86_64 || machine == EM_AARCH64)
		return NULL;
	for (size_t i = 0; i < GH_ARRAY_SIZE(others); i++)
		if (others[i].machine == machine)
			return gh_error_create(GH_ERR_UNSUPPORTED,
					       "cannot use %s: it is of architecture %s: only "
					       "amd64 and arm64 are read",
					       path, others[i].name);
	return gh_error_create(
		GH_ERR_UNSUPPORTED,
		"cannot use %s: it is of ELF machine %u: only amd64 and arm64 are read", path,
		machine);
}

struct gh_file_options gh_target_file_options(const struct gh_target_options *options,
					      struct gh_budget *budget)
{
	return (struct gh_file_options){
		.mode = options->no_mmap ? GH_FILE_COPY : GH_FILE_MAP,
		.scratch = options->scratch,
		.poll = options->poll,
		.budget = budget,
	};
}

bool gh_thread_set_regs(struct gh_thread *thread, uint16_t machine, const void *regs, uint64_t len)
{
	/* struct user_regs_struct, struct user_pt_regs: places of what is named */
	enum { AMD64_REGS = 27, AMD64_RBP = 4, AMD64_RIP = 16, AMD64_RSP = 19, AMD64_FS_BASE = 21 };
	enum { ARM64_REGS = 34, ARM64_X29 = 29, ARM64_SP = 31, ARM64_PC = 32 };
	bool is_arm64 = machine == EM_AARCH64;
	uint32_t n = is_arm64 ? ARM64_REGS : AMD64_REGS;

	if (len < n * sizeof(uint64_t))
		return false;
	memcpy(thread->regs, regs, n * sizeof(uint64_t));
	thread->nregs = n;
	thread->pc = thread->regs[is_arm64 ? ARM64_PC : AMD64_RIP];
	thread->sp = thread->regs[is_arm64 ? ARM64_SP : AMD64_RSP];
	thread->bp = thread->regs[is_arm64 ? ARM64_X29 : AMD64_RBP];
	if (!is_arm64)
		thread->tls = thread->regs[AMD64_FS_BASE];
	return true;
}

const struct gh_mapping *gh_target_mapping(const struct gh_target *target, gh_addr addr)
{
	for (size_t i = 0; addr && i < target->mappings.len; i++)
		if (addr >= target->mappings.data[i].lo && addr < target->mappings.data[i].hi)
			return &target->mappings.data[i];
	return NULL;
}

/* Link-time address of a place in the file of an object; false: no segment holds it. */
static bool address_in(const struct gh_elf *elf, uint64_t offset, gh_addr *ret)
{
	size_t n;
	const struct gh_elf_segment *seg = gh_elf_segments(elf, &n);

	for (size_t i = 0; i < n; i++) {
		if (offset < seg[i].offset || offset - seg[i].offset >= seg[i].filesz)
			continue;
		*ret = seg[i].vaddr + (offset - seg[i].offset);
		return true;
	}
	return false;
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

const char *gh_target_function(const struct gh_target *target, gh_addr pc)
{
	const struct gh_mapping *mapping = gh_target_mapping(target, pc);
	const char *name = target->exe ? gh_elf_function_at(target->exe, pc - target->exe_bias) : NULL;
	const char *file = mapping ? base_name(mapping->path) : NULL;

	for (size_t i = 0; !name && file && i < target->nobjects; i++) {
		const char *object = base_name(gh_elf_path(target->objects[i]));
		gh_addr addr;

		if (object && strcmp(object, file) == 0 &&
		    address_in(target->objects[i], pc - mapping->lo + mapping->file_offset, &addr))
			name = gh_elf_function_at(target->objects[i], addr);
	}
	return name;
}

void gh_thread_set_vectors(struct gh_thread *thread, uint16_t machine, const void *fpregs,
			   uint64_t len)
{
	enum { ARM64_BYTES = 32 * 16 }; // struct user_fpsimd_state: vregs come first
	uint64_t first = machine == EM_AARCH64 ? 0 : GH_AMD64_XMM;
	uint64_t end = gh_min_u64(len, machine == EM_AARCH64 ? ARM64_BYTES : GH_AMD64_XSAVE_BYTES);

	if (end <= first)
		return;
	thread->nvectors = (uint32_t)((end - first) / 8);
	memcpy(thread->vectors, (const uint8_t *)fpregs + first, thread->nvectors * 8);
}

void gh_target_read_auxv(struct gh_target *target, const void *auxv, uint64_t len)
{
	const uint8_t *p = auxv;

	for (uint64_t at = 0; len - at >= 16; at += 16) {
		uint64_t key = gh_u64_at(p + at), value = gh_u64_at(p + at + 8);

		if (key == AT_NULL)
			return;
		if (key == AT_ENTRY)
			target->auxv_entry = value;
		if (key == AT_PHDR)
			target->auxv_phdr = value;
	}
}
