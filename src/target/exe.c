// SPDX-License-Identifier: Apache-2.0
// The executable of a process: where it may lie, whether it is the one that ran (build ids first),
// at which address it was loaded.
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "target/identity.h"

enum {
	PAGE = 4096,
	MAX_SEGMENTS = 1 << 16, // of a core, that are looked at for a lost executable
};

/* Where the file of that path begins in memory; 0: not known. */
static gh_addr base_of(const struct gh_target *target, const char *path)
{
	for (size_t i = 0; i < target->mappings.len; i++)
		if (target->mappings.data[i].file_offset == 0 &&
		    strcmp(target->mappings.data[i].path, path) == 0)
			return target->mappings.data[i].lo;
	return 0;
}

enum verdict { SAME, DIFFERENT, NOT_COMPARABLE };

static bool has_same_headers(const struct gh_elf *elf, const struct gh_identity *id)
{
	uint64_t len, table = id->head.e_phnum * sizeof(Elf64_Phdr);
	const uint8_t *bytes = gh_elf_bytes(elf, &len);
	Elf64_Ehdr head;

	memcpy(&head, bytes, sizeof(head)); // gh_elf_open has seen that it is there
	return head.e_entry == id->head.e_entry && head.e_phnum == id->head.e_phnum &&
	       head.e_phoff <= len && table <= len - head.e_phoff &&
	       memcmp(bytes + head.e_phoff, id->phdr, table) == 0;
}

static enum verdict compare(const struct gh_target *target, const struct gh_elf *elf,
			    const struct gh_identity *id)
{
	const char *gnu = gh_elf_build_id(elf), *go = gh_elf_go_build_id(elf);

	if (gnu && id->gnu)
		return strcmp(gnu, id->gnu) == 0 ? SAME : DIFFERENT;
	if (go && id->go)
		return strcmp(go, id->go) == 0 ? SAME : DIFFERENT;
	if (id->phdr && !has_same_headers(elf, id))
		return DIFFERENT;
	if (target->auxv_entry && gh_elf_type(elf) == ET_EXEC &&
	    gh_elf_entry(elf) != target->auxv_entry)
		return DIFFERENT;
	return NOT_COMPARABLE;
}

static const char *shown_id(const char *gnu, const char *go)
{
	return gnu ? gnu : go ? go : "none";
}

static struct gh_error *mismatch(const struct gh_elf *elf, const struct gh_identity *id)
{
	// name the two that differ, not one of each kind
	bool use_go = !(gh_elf_build_id(elf) && id->gnu) && gh_elf_go_build_id(elf) && id->go;

	return gh_error_create(
		GH_ERR_MISMATCH,
		"cannot use %s: it is not the executable of this process: its build id is %s, the "
		"process has %s: give the one that ran with --exe FILE, or go on with --force",
		gh_elf_path(elf),
		use_go ? gh_elf_go_build_id(elf)
		       : shown_id(gh_elf_build_id(elf), gh_elf_go_build_id(elf)),
		use_go ? id->go : shown_id(id->gnu, id->go));
}

static struct gh_error *check_exe(const struct gh_target *target, const struct gh_elf *elf)
{
	const char *path = gh_elf_path(elf);

	if (gh_elf_type(elf) == ET_CORE)
		return gh_error_create(
			GH_ERR_FORMAT,
			"cannot use %s as the executable: it is a core file: give the "
			"executable that ran with --exe FILE",
			path);
	if (gh_elf_type(elf) != ET_EXEC && gh_elf_type(elf) != ET_DYN)
		return gh_error_create(
			GH_ERR_FORMAT,
			"cannot use %s as the executable: it is %s: give the executable "
			"that ran with --exe FILE",
			path,
			gh_elf_type(elf) == ET_REL ? "a relocatable object file"
						   : "an ELF file of unknown type");
	if (target->machine && gh_elf_machine(elf) != target->machine)
		return gh_error_create(
			GH_ERR_MISMATCH,
			"cannot use %s: it is of another architecture than the process: "
			"give the one that ran with --exe FILE",
			path);
	return NULL;
}

/* ---- the search ---- */

struct search {
	struct gh_target *target;
	const struct gh_target_options *options;
	const struct gh_identity *id;
	struct gh_elf *found;	   // owned until handed over
	struct gh_elf *mismatched; // owned: the first one with another build id
	enum verdict verdict;	   // of found
};

/* Try a file that nobody named: what does not fit is passed over, with a note if it looked right.
 */
static struct gh_error *try_file(struct search *s, const char *path)
{
	struct gh_file_options options = gh_target_file_options(s->options, s->target->budget);
	struct gh_error *err;
	struct gh_elf *elf;

	if (s->found || !gh_file_is_regular(path))
		return NULL;
	err = gh_elf_open_with(path, &options, &elf);
	if (!err) {
		err = check_exe(s->target, elf);
		if (err)
			gh_elf_destroy(elf);
	}
	if (err && (err->code == GH_ERR_NOMEM || err->code == GH_ERR_CANCELLED))
		return err;
	if (err) {
		gh_target_note(s->target, "%s", err->message);
		gh_error_destroy(err);
		return NULL;
	}
	s->verdict = compare(s->target, elf, s->id);
	if (s->verdict != DIFFERENT)
		s->found = elf;
	else if (!s->mismatched)
		s->mismatched = elf;
	else
		gh_elf_destroy(elf);
	return NULL;
}

/* The file that somebody named. */
static struct gh_error *use_given(struct search *s, const char *path)
{
	struct gh_file_options options = gh_target_file_options(s->options, s->target->budget);
	struct gh_error *err = gh_elf_open_with(path, &options, &s->found);

	if (!err)
		err = check_exe(s->target, s->found);
	if (err)
		return err;
	s->verdict = compare(s->target, s->found, s->id);
	if (s->verdict == DIFFERENT) {
		s->mismatched = s->found;
		s->found = NULL;
	}
	return NULL;
}

static struct gh_error *try_joined(struct search *s, const char *dir, size_t dir_len,
				   const char *path)
{
	_cleanup_free_ char *joined = NULL;

	if (asprintf(&joined, "%.*s%s%s", (int)gh_min_u64(dir_len, INT_MAX), dir,
		     *path == '/' ? "" : "/", path) < 0) {
		joined = NULL;
		return gh_error_nomem();
	}
	return try_file(s, joined);
}

/* path: of the executable as the process saw it; may be a bare name. */
static struct gh_error *search_for(struct search *s, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const char *core = s->target->core_path, *beside = core ? strrchr(core, '/') : NULL;
	struct gh_error *err = NULL;

	if (*path == '/')
		err = s->options->sysroot ? try_joined(s, s->options->sysroot,
						       strlen(s->options->sysroot), path)
					  : try_file(s, path);
	if (!err && *name)
		err = try_file(s, name);
	if (!err && *name && beside)
		err = try_joined(s, core, (size_t)(beside - core), name);
	return err;
}

/* The path without what the kernel puts behind that of a file that is gone. */
static char *clean_path(const char *path)
{
	static const char gone[] = " (deleted)";
	size_t n = strlen(path), tail = sizeof(gone) - 1;

	if (n > tail && strcmp(path + n - tail, gone) == 0)
		n -= tail;
	return strndup(path, n);
}

/* The executable's path as the process saw it, malloc'ed; NULL: not known. */
static char *path_in_process(const struct gh_target *target, const struct gh_mapping *mapping)
{
	if (mapping)
		return clean_path(mapping->path);
	if (target->command)
		return strndup(target->command, strcspn(target->command, " "));
	return NULL;
}

static struct gh_error *search(struct search *s, const char *path, const char *proc_exe)
{
	struct gh_error *err = NULL;

	if (s->options->exe_path)
		return use_given(s, s->options->exe_path);
	if (proc_exe)
		err = try_file(s, proc_exe);
	if (!err && !s->found && path && *path)
		err = search_for(s, path);
	return err;
}

/* Run-time minus link-time address. */
static gh_addr bias_of(const struct gh_target *target, const struct gh_elf *elf,
		       const struct gh_identity *id)
{
	gh_addr bias = target->auxv_entry - gh_elf_entry(elf), first;
	size_t n;
	const struct gh_elf_segment *seg = gh_elf_segments(elf, &n);

	if (gh_elf_type(elf) == ET_EXEC)
		return 0;
	if (target->auxv_entry && bias % PAGE == 0)
		return bias;
	bias = target->auxv_phdr - gh_elf_phdr(elf);
	if (target->auxv_phdr && bias % PAGE == 0)
		return bias;
	first = n ? (seg[0].vaddr - seg[0].offset) & ~(uint64_t)(PAGE - 1) : 0;
	return id->base ? id->base - first : 0;
}

/* Is the object loaded at addr the one with these build ids? */
static bool is_loaded_at(const struct gh_memory *memory, gh_addr addr, const struct gh_elf *elf)
{
	_cleanup_identity_ struct gh_identity id = {.base = addr};
	const char *gnu = gh_elf_build_id(elf), *go = gh_elf_go_build_id(elf);

	gh_identity_read(memory, &id);
	if (gnu && id.gnu)
		return strcmp(gnu, id.gnu) == 0;
	return go && id.go && strcmp(go, id.go) == 0;
}

/*
 * Without notes (cut, or at the lost end of a gcore) nothing says where a position-independent
 * executable was loaded: look at what the segments begin with. 0: not found.
 */
static gh_addr base_by_build_id(const struct gh_target *target, const struct gh_memory *memory,
				const struct gh_elf *elf)
{
	size_t n = 0;
	const struct gh_elf_segment *seg = target->core ? gh_elf_segments(target->core, &n) : NULL;

	n = (size_t)gh_min_u64(n, MAX_SEGMENTS);
	for (size_t i = 0; i < n; i++)
		if (is_loaded_at(memory, seg[i].vaddr, elf))
			return seg[i].vaddr;
	return 0;
}

static struct gh_error *adopt(struct search *s, struct gh_identity *id,
			      const struct gh_memory *memory)
{
	struct gh_target *target = s->target;
	const char *own;

	if (!s->found && s->mismatched && s->options->force) {
		s->found = gh_steal(s->mismatched);
		target->forced = true;
		gh_target_note(
			target,
			"%s has build id %s, the process had %s: used all the same, as asked: "
			"names, types and places may be wrong",
			gh_elf_path(s->found),
			shown_id(gh_elf_build_id(s->found), gh_elf_go_build_id(s->found)),
			shown_id(id->gnu, id->go));
	}
	if (!s->found && s->mismatched)
		return mismatch(s->mismatched, id);
	if (!s->found)
		return NULL;
	if (s->verdict == NOT_COMPARABLE && !target->forced)
		gh_target_note(
			target,
			"%s could not be compared with the process: memory holds no build id",
			gh_elf_path(s->found));
	if (!id->base && !target->auxv_entry && gh_elf_type(s->found) == ET_DYN)
		id->base = base_by_build_id(target, memory, s->found);
	target->exe = gh_steal(s->found);
	target->exe_compared = s->verdict != NOT_COMPARABLE;
	target->exe_bias = bias_of(target, target->exe, id);
	if (!target->machine)
		target->machine = gh_elf_machine(target->exe);
	own = shown_id(gh_elf_build_id(target->exe), gh_elf_go_build_id(target->exe));
	if (!target->build_id && strcmp(own, "none") != 0)
		target->build_id = strdup(own);
	target->exe_path = strdup(gh_elf_path(target->exe));
	return target->exe_path ? NULL : gh_error_nomem();
}

struct gh_error *gh_target_find_exe(struct gh_target *target,
				    const struct gh_target_options *options,
				    const struct gh_memory *memory, const char *proc_exe)
{
	_cleanup_identity_ struct gh_identity id = {0};
	struct search s = {.target = target, .options = options, .id = &id};
	const struct gh_mapping *mapping = gh_target_mapping(target, target->auxv_phdr);
	_cleanup_free_ char *path = NULL;
	struct gh_error *err;

	if (!mapping)
		mapping = gh_target_mapping(target, target->auxv_entry);
	path = path_in_process(target, mapping);
	id.base = mapping ? base_of(target, mapping->path)
			  : target->auxv_phdr & ~(uint64_t)(PAGE - 1);
	gh_identity_read(memory, &id);
	if (!id.gnu && !id.go && mapping)
		id.go = gh_go_id_in_text(target, memory, mapping->path);
	if (id.gnu || id.go)
		target->build_id = strdup(shown_id(id.gnu, id.go));
	err = search(&s, path, proc_exe);
	if (!err)
		err = adopt(&s, &id, memory);
	gh_elf_destroy(s.found);
	gh_elf_destroy(s.mismatched);
	if (!err && !target->exe)
		gh_target_note(
			target, "the executable was not found%s%s: give it with --exe FILE%s",
			path && *path ? ": the process ran " : "", path ? path : "",
			mapping ? ", or a folder that holds its path with --sysroot DIR" : "");
	return err;
}
