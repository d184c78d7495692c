// SPDX-License-Identifier: Apache-2.0
// One analysed process, from a core file or through a debugger: its memory image, its threads, what
// the kernel's notes say of it, and the executable it ran. Knows nothing of Go.
#pragma once

#include "base/budget.h"
#include "base/poll.h"
#include "base/vec.h"
#include "target/elf_object.h"
#include "target/image.h"
#include "target/ranges.h"

struct gh_target;
struct gh_live;
struct gh_snapshot;

enum gh_target_kind { GH_TARGET_CORE, GH_TARGET_LIVE };

enum {
	GH_VECTOR_WORDS = 84, // of vector registers, at most
	// amd64, struct user_fpregs_struct and the XSAVE area: xmm0 to xmm15, and behind unrelated
	// words that hold no pointers the upper halves of ymm0 to ymm15
	GH_AMD64_XMM = 160,
	GH_AMD64_XSAVE_BYTES = 832,
};

/** Registers as in struct user_regs_struct (amd64) or user_pt_regs (arm64). */
struct gh_thread {
	uint32_t tid;
	uint32_t signal;   // pr_cursig
	uint64_t regs[34]; // nregs of them, kernel's order
	uint32_t nregs;
	uint32_t nvectors;		   // words of vectors
	uint64_t vectors[GH_VECTOR_WORDS]; // contents of vector registers, in no given order
	gh_addr pc, sp, bp;		   // bp: rbp, x29
	gh_addr tls;			   // fs_base on amd64; 0 when not known
};
GH_VEC(gh_thread_vec, struct gh_thread);

/** One line of NT_FILE (or /proc/PID/maps). */
struct gh_mapping {
	gh_addr lo, hi;
	uint64_t file_offset;
	char *path; // owned by the target
};
GH_VEC(gh_mapping_vec, struct gh_mapping);

/**
 * What the copy of a process may go without, as the layers above know it. list is called while the
 * process runs, some times, on memory that changes under its eyes; and once while it stands still,
 * on what was copied so far, that is, all but the latest answer. Left out is what both name. Where
 * either fails, nothing is left out.
 */
struct gh_target_spare {
	/* Before it stops. running: the process read as it runs; outlives the calls that follow. */
	struct gh_error *(*begin)(void *ctx, const struct gh_target *running);
	/* A sorted set of ranges, appended. */
	struct gh_error *(*list)(void *ctx, const struct gh_image *memory,
				 struct gh_range_vec *ret);
	void (*end)(void *ctx); // if begin was called, whatever it returned
	void *ctx;
};

struct gh_target_options {
	const char *core_path;	// for a core
	const char *exe_path;	// NULL: find it
	const char *sysroot;	// prefix for paths found in the core; NULL: none
	bool force;		// go on where build ids differ
	bool no_mmap;		// read files instead of mapping them
	uint64_t max_mem_bytes; // that may be taken; 0: what the machine has
	const char *scratch;	// where compressed files are unpacked; NULL: $TMPDIR, else /var/tmp
	const struct gh_poll *poll;
	const struct gh_target_spare *spare; // for a process by its number; NULL: copy all of it
};

/** How a debugger gives us a stopped process. All called on the session's thread only. */
struct gh_target_callbacks {
	gh_image_fill_fn read_memory;
	void *ctx;
	uint32_t pid;			   // also used for process_vm_readv when that is allowed
	const struct gh_mapping *mappings; // what is mapped; paths copied
	const bool *mapping_writable;	   // one a mapping
	size_t nmappings;
	const struct gh_thread *threads;
	size_t nthreads;
};

struct gh_target {
	enum gh_target_kind kind;
	struct gh_budget *budget;	// owned: memory that everything about it may take
	struct gh_image *image;		// owned
	struct gh_thread_vec threads;	// core order: the crashing thread first
	struct gh_mapping_vec mappings; // NT_FILE
	uint64_t auxv_entry, auxv_phdr; // AT_ENTRY, AT_PHDR; 0 when not known
	uint16_t machine;		// EM_*
	uint32_t pid;			// 0 when not known
	uint32_t signal;		// that ended it; 0 when none
	bool has_clock;			// of a process that was copied
	uint64_t clock_ns;		// its CLOCK_MONOTONIC when it stood still
	char *command;			// owned: pr_psargs; NULL when not known
	char *core_path;		// owned; NULL when live
	char *exe_path;			// owned: the executable in use; NULL when none was found
	struct gh_elf *exe;		// owned; NULL when none was found
	gh_addr exe_bias;		// run-time minus link-time address of the executable
	char *build_id; // owned: of the process (from its memory), else of exe; may be NULL
	bool truncated; // the core ends before its last segment
	uint64_t core_bytes, core_bytes_expected;
	uint64_t lost_bytes;	 // bytes of memory beyond the truncated end
	gh_addr lost_lo;	 // lowest lost address (valid if lost_bytes)
	bool exe_compared;	 // build ids of memory and executable were compared
	bool forced;		 // build ids differ and force was given
	bool is_gcore;		 // written by gdb rather than by the kernel
	struct gh_elf *core;	 // owned; NULL when live
	struct gh_elf **objects; // owned: shared objects that lend pages to the image
	size_t nobjects;
	struct gh_snapshot *snapshot; // owned: the copy of a process; NULL otherwise
	struct gh_live *live;	      // owned: how a live process is read; NULL for a core
	char **notes; // owned: sentences for the report (what could not be used and why)
	size_t nnotes;
};

/**
 * Open a core and find its executable: exe_path; else the path in the core (under sysroot), else a
 * file of that name in the current directory or beside the core, if its build id matches. Without
 * any, the target has no exe and a note says how to give one. Build ids (GNU, else Go's) are
 * compared first: a mismatch is MISMATCH with both ids and what to do, unless force.
 *
 * Errors: IO, FORMAT ("not a core: it is an executable; …"), UNSUPPORTED (architecture), MISMATCH.
 * A truncated core opens: truncated, lost_bytes and lost_lo say what is missing.
 */
struct gh_error *gh_target_open_core(const struct gh_target_options *options,
				     struct gh_target **ret) GH_MUST_CHECK;

/** The process that a debugger holds stopped. */
struct gh_error *gh_target_open_live(const struct gh_target_options *options,
				     const struct gh_target_callbacks *callbacks,
				     struct gh_target **ret) GH_MUST_CHECK;

/**
 * A process by its number. It is stopped, copied and let go; a note says for how long it stood
 * still. Should we die meanwhile, it runs on. running: do not stop it, read it as it runs; enough
 * for statistics, and wrong for anything that follows pointers.
 * Errors: IO (no such process, not permitted: says which setting), LIMIT (the copy does not fit the
 * available memory; nothing was stopped), MISSING (no Go process), UNSUPPORTED, CANCELLED.
 */
struct gh_error *gh_target_open_pid(const struct gh_target_options *options, uint32_t pid,
				    bool running, struct gh_target **ret) GH_MUST_CHECK;

void gh_target_destroy(struct gh_target *target);

/**
 * Function that holds pc by the symbol tables of the executable and of the shared objects at hand,
 * C's too; borrowed. NULL: none. Passes over their tables: not for many.
 */
const char *gh_target_function(const struct gh_target *target, gh_addr pc);

/** Are the files still as large as when opened? Called at each stage, lest a shrunk file SIGBUSes.
 */
struct gh_error *gh_target_check(const struct gh_target *target) GH_MUST_CHECK;
