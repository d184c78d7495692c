// SPDX-License-Identifier: Apache-2.0
// What opening a core and opening a live process share. Not for other layers.
#pragma once

#include "target/target.h"

/** How bytes of the process are had before its image is sealed: NULL where they are missing. */
struct gh_memory {
	const void *(*at)(const void *ctx, gh_addr addr, uint64_t len);
	const void *ctx; // borrowed
};

struct gh_error *gh_target_create(enum gh_target_kind kind, const struct gh_target_options *options,
				  struct gh_target **ret) GH_MUST_CHECK;

/** How the user wants files to be read. */
struct gh_file_options gh_target_file_options(const struct gh_target_options *options,
					      struct gh_budget *budget);

/** Add a sentence to target->notes. Out of memory loses it; beyond 100 notes they are dropped. */
void gh_target_note(struct gh_target *target, const char *fmt, ...) GH_PRINTF(2, 3);

/** The mapping that addr lies in; NULL: none, or addr is 0. */
const struct gh_mapping *gh_target_mapping(const struct gh_target *target, gh_addr addr);

/** Errors: UNSUPPORTED, naming the file and its machine, unless goheap reads that machine. */
struct gh_error *gh_target_check_machine(uint16_t machine, const char *path) GH_MUST_CHECK;

/** Decode pr_reg as the kernel writes it: regs, pc, sp, bp, tls. False: too short. */
bool gh_thread_set_regs(struct gh_thread *thread, uint16_t machine, const void *regs, uint64_t len);

/** Keep the vector registers of struct user_fpregs_struct, an XSAVE area, user_fpsimd_state. */
void gh_thread_set_vectors(struct gh_thread *thread, uint16_t machine, const void *fpregs,
			   uint64_t len);

/**
 * Take what the notes of a core tell: threads, mappings, auxv, pid, signal, command. What is
 * damaged or missing becomes a sentence in target->notes. Errors: NOMEM.
 */
struct gh_error *gh_target_read_notes(struct gh_target *target,
				      const struct gh_elf *core) GH_MUST_CHECK;

/** Find auxv_entry and auxv_phdr in a block of auxiliary vector. */
void gh_target_read_auxv(struct gh_target *target, const void *auxv, uint64_t len);

/**
 * Find the executable, compare build ids, set exe, exe_path, exe_bias, build_id, forced; a note
 * when there is none. proc_exe: /proc/PID/exe of a live process, else NULL. Errors: as
 * gh_target_open_core.
 */
struct gh_error *gh_target_find_exe(struct gh_target *target,
				    const struct gh_target_options *options,
				    const struct gh_memory *memory,
				    const char *proc_exe) GH_MUST_CHECK;

/**
 * Add to the image, behind what it has, the read-only pages of the executable and of the shared
 * objects among the mappings, the latter if their build ids are those of the process.
 */
struct gh_error *gh_target_lend_pages(struct gh_target *target,
				      const struct gh_target_options *options,
				      const struct gh_memory *memory) GH_MUST_CHECK;

/** As gh_target_read_auxv, from /proc. */
void gh_target_read_auxv_of(struct gh_target *target, uint32_t pid);

void gh_live_destroy(struct gh_live *live);
void gh_snapshot_destroy(struct gh_snapshot *snapshot);
