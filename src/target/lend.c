// SPDX-License-Identifier: Apache-2.0
// Pages that a core omits because files have them: the executable and the shared objects lend them
// to the image.
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "target/identity.h"

enum {
	PAGE = 4096,
	MAX_OBJECTS = 1024,	// shared objects that are opened
	MAX_MAPPINGS = 1 << 16, // that are looked at for shared objects
};

/* Whole pages, as the kernel maps them: the bytes around a segment are the file's too. */
static struct gh_error *lend_segment(struct gh_image *image, const struct gh_elf *elf, gh_addr bias,
				     const struct gh_elf_segment *seg)
{
	uint64_t len, skip = seg->vaddr % PAGE, end;
	const uint8_t *bytes = gh_elf_bytes(elf, &len);
	uint64_t offset = seg->offset - skip;
	const struct gh_file *file = gh_elf_file(elf);

	if (seg->writable || seg->filesz == 0 || seg->offset >= len || seg->offset < skip ||
	    gh_add(seg->offset, seg->filesz, &end))
		return NULL;
	end = gh_min_u64(gh_align_up(end, PAGE), len);
	if (seg->memsz > seg->filesz) // what follows is zeros, not the file
		end = gh_min_u64(seg->offset + seg->filesz, len);
	if (file)
		return gh_image_add_file(image, seg->vaddr - skip + bias, end - offset, file,
					 offset, false);
	return gh_image_add(image, seg->vaddr - skip + bias, end - offset, bytes + offset, false);
}

static struct gh_error *lend(struct gh_image *image, const struct gh_elf *elf, gh_addr bias)
{
	size_t n;
	const struct gh_elf_segment *seg = gh_elf_segments(elf, &n);
	struct gh_error *err = NULL;

	for (size_t i = 0; i < n && !err; i++)
		err = lend_segment(image, elf, bias, &seg[i]);
	return err;
}

static struct gh_error *keep_object(struct gh_target *target, struct gh_elf *elf)
{
	struct gh_elf **objects =
		realloc(target->objects, (target->nobjects + 1) * sizeof(struct gh_elf *));

	if (!objects) {
		gh_elf_destroy(elf);
		return gh_error_nomem();
	}
	target->objects = objects;
	objects[target->nobjects++] = elf;
	return NULL;
}

/* NULL and *ret NULL: none, or not the one that was loaded. */
static struct gh_error *open_object(const struct gh_target *target,
				    const struct gh_target_options *options, const char *path,
				    const struct gh_identity *id, struct gh_elf **ret)
{
	struct gh_file_options file_options = gh_target_file_options(options, target->budget);
	_cleanup_free_ char *joined = NULL;
	struct gh_error *err;
	struct gh_elf *elf;
	const char *gnu, *go;

	*ret = NULL;
	if (asprintf(&joined, "%s%s", options->sysroot ? options->sysroot : "", path) < 0) {
		joined = NULL;
		return gh_error_nomem();
	}
	if (!gh_file_is_regular(joined))
		return NULL;
	err = gh_elf_open_with(joined, &file_options, &elf);
	if (err) {
		gh_error_destroy(err); // its pages stay missing, which is no worse than no file
		return NULL;
	}
	gnu = gh_elf_build_id(elf);
	go = gh_elf_go_build_id(elf);
	if (id->gnu ? gnu && strcmp(gnu, id->gnu) == 0 : go && id->go && strcmp(go, id->go) == 0)
		*ret = elf;
	else
		gh_elf_destroy(elf);
	return NULL;
}

static struct gh_error *lend_object(struct gh_target *target,
				    const struct gh_target_options *options,
				    const struct gh_memory *memory,
				    const struct gh_mapping *mapping)
{
	_cleanup_identity_ struct gh_identity id = {.base = mapping->lo};
	struct gh_elf *elf = NULL;
	struct gh_error *err;

	gh_identity_read(memory, &id);
	if (!id.gnu && !id.go)
		return NULL;
	err = open_object(target, options, mapping->path, &id, &elf);
	if (err || !elf)
		return err;
	err = keep_object(target, elf);
	return err ? err : lend(target->image, elf, id.base - id.first_vaddr);
}

/* Does memory lack pages of the file that begins with mapping i (others of its path follow)? */
static bool lacks_pages(const struct gh_target *target, const struct gh_memory *memory, size_t i)
{
	const struct gh_mapping *m = target->mappings.data;

	for (size_t k = i; k < target->mappings.len && strcmp(m[k].path, m[i].path) == 0; k++)
		if (!memory->at(memory->ctx, m[k].lo, 1) ||
		    !memory->at(memory->ctx, m[k].hi - 1, 1))
			return true;
	return false;
}

struct gh_error *gh_target_lend_pages(struct gh_target *target,
				      const struct gh_target_options *options,
				      const struct gh_memory *memory)
{
	const struct gh_mapping *exe = gh_target_mapping(target, target->auxv_phdr);
	size_t n = (size_t)gh_min_u64(target->mappings.len, MAX_MAPPINGS);
	struct gh_error *err = NULL;

	if (target->exe)
		err = lend(target->image, target->exe, target->exe_bias);
	for (size_t i = 0; i < n && !err && target->nobjects < MAX_OBJECTS; i++) {
		const struct gh_mapping *m = &target->mappings.data[i];

		// the kernel writes mappings by address: an object begins with its offset 0
		if (m->file_offset != 0 || m->path[0] != '/' ||
		    (exe && strcmp(m->path, exe->path) == 0) ||
		    (i && strcmp(m->path, m[-1].path) == 0) || !lacks_pages(target, memory, i))
			continue;
		err = lend_object(target, options, memory, m);
	}
	return err;
}
