// SPDX-License-Identifier: Apache-2.0
// Core files: the segments become the image, what the core omits is borrowed from the executable
// and the shared objects. Kernel cores and gdb's gcore.
#include <elf.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "target/open.h"

static struct gh_error *check_type(const struct gh_elf *core)
{
	const char *path = gh_elf_path(core);

	switch (gh_elf_type(core)) {
	case ET_CORE:
		return gh_target_check_machine(gh_elf_machine(core), path);
	case ET_EXEC:
	case ET_DYN:
		return gh_error_create(
			GH_ERR_FORMAT,
			"cannot use %s as a core: it is an executable or a shared object: "
			"give the core, and the executable with --exe FILE",
			path);
	case ET_REL:
		return gh_error_create(GH_ERR_FORMAT,
				       "cannot use %s as a core: it is a relocatable object file",
				       path);
	default:
		return gh_error_create(
			GH_ERR_FORMAT,
			"cannot use %s as a core: it is an ELF file of unknown type %u", path,
			gh_elf_type(core));
	}
}

/* Bytes of one segment, as far as the file goes. */
static uint64_t bytes_there(const struct gh_elf_segment *seg, uint64_t file_len)
{
	if (seg->offset >= file_len)
		return 0;
	return gh_min_u64(gh_min_u64(seg->filesz, seg->memsz), file_len - seg->offset);
}

/* Memory of the process before the image is sealed: one segment at a time. */
struct core_memory {
	const uint8_t *bytes;
	uint64_t len;
	struct gh_elf_segment *segments; // owned, by address
	size_t n;
};

static int compare_vaddr(const void *a, const void *b)
{
	gh_addr x = ((const struct gh_elf_segment *)a)->vaddr;
	gh_addr y = ((const struct gh_elf_segment *)b)->vaddr;

	return x < y ? -1 : x > y;
}

static bool core_memory_init(struct core_memory *m, const struct gh_elf *core)
{
	const struct gh_elf_segment *segments = gh_elf_segments(core, &m->n);

	m->bytes = gh_elf_bytes(core, &m->len);
	m->segments = gh_alloc_array(m->n, sizeof(*segments));
	if (!m->segments)
		return false;
	if (m->n) {
		memcpy(m->segments, segments, m->n * sizeof(*segments));
		qsort(m->segments, m->n, sizeof(*segments), compare_vaddr);
	}
	return true;
}

static const void *core_at(const void *ctx, gh_addr addr, uint64_t len)
{
	const struct core_memory *m = ctx;
	const struct gh_elf_segment *seg;
	size_t lo = 0, hi = m->n;
	uint64_t there;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->segments[mid].vaddr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return NULL;
	seg = &m->segments[lo - 1];
	there = bytes_there(seg, m->len);
	if (addr - seg->vaddr >= there || len > there - (addr - seg->vaddr))
		return NULL;
	return m->bytes + seg->offset + (addr - seg->vaddr);
}

static void count_lost(struct gh_target *target, const struct gh_elf_segment *seg, uint64_t there)
{
	uint64_t lost = gh_min_u64(seg->filesz, seg->memsz) - there, end;
	gh_addr lo = seg->vaddr + there;

	if (gh_add(seg->offset, seg->filesz, &end))
		end = UINT64_MAX;
	target->core_bytes_expected = gh_max_u64(target->core_bytes_expected, end);
	if (lost == 0)
		return;
	target->lost_lo = target->truncated ? gh_min_u64(target->lost_lo, lo) : lo;
	target->truncated = true;
	if (gh_add(target->lost_bytes, lost, &target->lost_bytes))
		target->lost_bytes = UINT64_MAX;
}

static struct gh_error *add_segment(struct gh_target *target, const struct gh_elf_segment *seg)
{
	const struct gh_file *file = gh_elf_file(target->core);
	uint64_t there = bytes_there(seg, file->size);
	uint64_t written = gh_min_u64(seg->filesz, seg->memsz);
	struct gh_error *err = NULL;

	count_lost(target, seg, there);
	if (there)
		err = gh_image_add_file(target->image, seg->vaddr, there, file, seg->offset,
					seg->writable);
	if (!err && there < written)
		err = gh_image_add_absent(target->image, seg->vaddr + there, written - there,
					  GH_TRUNCATED, seg->writable);
	if (!err && written < seg->memsz)
		err = gh_image_add_absent(target->image, seg->vaddr + written, seg->memsz - written,
					  GH_NOT_IN_CORE, seg->writable);
	return err;
}

static struct gh_error *add_segments(struct gh_target *target)
{
	size_t n, damaged = 0;
	const struct gh_elf_segment *seg = gh_elf_segments(target->core, &n);
	struct gh_error *err = NULL;

	target->core_bytes = gh_elf_file(target->core)->size;
	target->core_bytes_expected = target->core_bytes;
	for (size_t i = 0; i < n && !err; i++) {
		gh_addr end;

		if (gh_add(seg[i].vaddr, seg[i].memsz, &end))
			damaged++;
		else
			err = add_segment(target, &seg[i]);
	}
	if (target->truncated)
		gh_target_note(target,
			       "the core is cut: it has %llu of %llu bytes; memory from 0x%llx on "
			       "is lost",
			       (unsigned long long)target->core_bytes,
			       (unsigned long long)target->core_bytes_expected,
			       (unsigned long long)target->lost_lo);
	if (damaged)
		gh_target_note(target,
			       "%zu segments of the core have impossible addresses and were "
			       "left out",
			       damaged);
	if (!err && n == damaged)
		err = gh_error_create(
			GH_ERR_FORMAT,
			"cannot use %s: the core holds no memory: was it cut when written?",
			gh_elf_path(target->core));
	return err;
}

/* gdb writes its cores with section headers; the kernel has none, but one for 64k segments and
 * more. */
static bool is_gcore(const struct gh_elf *core)
{
	size_t n;

	gh_elf_sections(core, &n);
	return n > 1;
}

static struct gh_error *load(struct gh_target *target, const struct gh_target_options *options)
{
	struct core_memory core = {0};
	const struct gh_memory memory = {.at = core_at, .ctx = &core};
	struct gh_error *err = check_type(target->core);

	if (err)
		return err;
	if (!core_memory_init(&core, target->core))
		return gh_error_nomem();
	target->machine = gh_elf_machine(target->core);
	target->is_gcore = is_gcore(target->core);
	err = gh_target_read_notes(target, target->core);
	if (!err)
		err = add_segments(target);
	if (!err)
		err = gh_target_find_exe(target, options, &memory, NULL);
	if (!err)
		err = gh_target_lend_pages(target, options, &memory);
	free(core.segments);
	if (!err)
		err = gh_poll(options->poll, "opening the core", 0, 0);
	return err ? err : gh_image_seal(target->image);
}

struct gh_error *gh_target_open_core(const struct gh_target_options *options,
				     struct gh_target **ret)
{
	struct gh_file_options file_options;
	struct gh_target *target;
	struct gh_error *err = gh_target_create(GH_TARGET_CORE, options, &target);

	if (err)
		return err;
	file_options = gh_target_file_options(options, target->budget);
	target->core_path = strdup(options->core_path);
	err = target->core_path ? gh_elf_open_with(options->core_path, &file_options, &target->core)
				: gh_error_nomem();
	if (!err && gh_elf_file(target->core)->note)
		gh_target_note(target, "%s", gh_elf_file(target->core)->note);
	if (!err)
		err = load(target, options);
	if (err) {
		err = gh_budget_why(target->budget, err);
		gh_target_destroy(target);
		return err;
	}
	*ret = target;
	return NULL;
}
