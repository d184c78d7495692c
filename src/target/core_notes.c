// SPDX-License-Identifier: Apache-2.0
// The notes of a core: threads, mapped files, auxiliary vector, what killed it. Mirrors
// fs/binfmt_elf.c of Linux (elf_prstatus, elf_prpsinfo, fill_files_note) and what gdb's gcore
// writes in its likeness.
#include <elf.h>
#include <stdlib.h>

#include "target/open.h"

/* struct elf_prstatus and elf_prpsinfo, the same on amd64 and arm64 */
enum {
	PRSTATUS_CURSIG = 12,
	PRSTATUS_PID = 32,
	PRSTATUS_REGS = 112,
	PRPSINFO_PID = 24,
	PRPSINFO_FNAME = 40,
	PRPSINFO_FNAME_LEN = 16,
	PRPSINFO_ARGS = 56,
	PRPSINFO_ARGS_LEN = 80,
	FILE_HEAD = 16, // count, page size
	FILE_LINE = 24, // start, end, offset in pages
	MAX_MAPPINGS = 1 << 22,
};

struct reader {
	struct gh_target *target;
	uint16_t machine;
	bool has_file, has_auxv, has_psinfo, is_cut, is_nomem;
};

static void read_prstatus(struct reader *r, const struct gh_elf_note *note)
{
	struct gh_thread thread = {0};

	if (note->desc_len < PRSTATUS_REGS) {
		r->is_cut = true;
		return;
	}
	thread.signal = gh_u16_at(note->desc + PRSTATUS_CURSIG);
	thread.tid = gh_u32_at(note->desc + PRSTATUS_PID);
	if (!gh_thread_set_regs(&thread, r->machine, note->desc + PRSTATUS_REGS,
				note->desc_len - PRSTATUS_REGS))
		r->is_cut = true;
	else if (!gh_thread_vec_push(&r->target->threads, thread))
		r->is_nomem = true;
}

static char *text_of(const uint8_t *p, size_t max)
{
	char *s = strndup((const char *)p, max);
	size_t n = s ? strlen(s) : 0;

	while (n && s[n - 1] == ' ') // the kernel ends each argument with one
		s[--n] = 0;
	return s;
}

static void read_prpsinfo(struct reader *r, const struct gh_elf_note *note)
{
	struct gh_target *target = r->target;

	if (note->desc_len < PRPSINFO_ARGS + PRPSINFO_ARGS_LEN) {
		r->is_cut = true;
		return;
	}
	r->has_psinfo = true;
	target->pid = gh_u32_at(note->desc + PRPSINFO_PID);
	target->command = text_of(note->desc + PRPSINFO_ARGS, PRPSINFO_ARGS_LEN);
	if (target->command && !*target->command) {
		free(target->command);
		target->command = text_of(note->desc + PRPSINFO_FNAME, PRPSINFO_FNAME_LEN);
	}
}

static void read_siginfo(struct reader *r, const struct gh_elf_note *note)
{
	if (note->desc_len >= 4 && r->target->signal == 0)
		r->target->signal = gh_u32_at(note->desc);
}

/* Notes of the thread that was named last: its thread pointer (arm64), its vector registers. */
static void read_more_of_thread(struct reader *r, const struct gh_elf_note *note)
{
	struct gh_thread_vec *threads = &r->target->threads;
	struct gh_thread *last = threads->len ? &threads->data[threads->len - 1] : NULL;

	if (!last)
		return;
	if (note->type == NT_ARM_TLS && r->machine == EM_AARCH64 && note->desc_len >= 8)
		last->tls = gh_u64_at(note->desc);
	if (note->type == NT_PRFPREG || (note->type == NT_X86_XSTATE && r->machine == EM_X86_64))
		gh_thread_set_vectors(last, r->machine, note->desc, note->desc_len);
}

static void read_files(struct reader *r, const struct gh_elf_note *note)
{
	uint64_t len = note->desc_len, count, page, names;
	const uint8_t *p = note->desc;

	r->has_file = true;
	r->is_cut |= note->cut || len < FILE_HEAD;
	if (len < FILE_HEAD)
		return;
	count = gh_u64_at(p);
	page = gh_u64_at(p + 8);
	if (count > MAX_MAPPINGS || count * FILE_LINE > len - FILE_HEAD) {
		r->is_cut = true; // the names stand behind the lines: none of them is there
		return;
	}
	names = FILE_HEAD + count * FILE_LINE;
	for (uint64_t i = 0; i < count; i++) {
		const uint8_t *line = p + FILE_HEAD + i * FILE_LINE;
		const uint8_t *end = memchr(p + names, 0, len - names);
		struct gh_mapping m = {.lo = gh_u64_at(line), .hi = gh_u64_at(line + 8)};

		if (!end) {
			r->is_cut = true;
			return;
		}
		if (m.lo < m.hi && !gh_mul(gh_u64_at(line + 16), page, &m.file_offset)) {
			m.path = strdup((const char *)p + names);
			if (!m.path || !gh_mapping_vec_push(&r->target->mappings, m)) {
				free(m.path);
				r->is_nomem = true;
				return;
			}
		}
		names = (uint64_t)(end + 1 - p);
	}
}

static void read_note(struct reader *r, const struct gh_elf_note *note)
{
	if (gh_elf_note_is(note, "GDB", note->type))
		r->target->is_gcore = true; // NT_GDB_TDESC
	if (gh_elf_note_is(note, "LINUX", NT_ARM_TLS) ||
	    gh_elf_note_is(note, "LINUX", NT_X86_XSTATE) ||
	    gh_elf_note_is(note, "CORE", NT_PRFPREG))
		read_more_of_thread(r, note);
	if (!gh_elf_note_is(note, "CORE", note->type))
		return;
	r->is_cut |= note->cut;
	if (note->type == NT_PRSTATUS)
		read_prstatus(r, note);
	else if (note->type == NT_PRPSINFO && !r->has_psinfo)
		read_prpsinfo(r, note);
	else if (note->type == NT_SIGINFO)
		read_siginfo(r, note);
	else if (note->type == NT_FILE && !r->has_file)
		read_files(r, note);
	else if (note->type == NT_AUXV && !r->has_auxv) {
		r->has_auxv = true;
		gh_target_read_auxv(r->target, note->desc, note->desc_len);
	}
}

static void say_what_is_missing(const struct reader *r, size_t nsegments)
{
	struct gh_target *target = r->target;

	if (nsegments == 0)
		gh_target_note(
			target,
			"the core has no notes: its threads, its executable and what ended it "
			"are not known; the executable has to be given: --exe FILE");
	else if (r->is_cut)
		gh_target_note(target,
			       "the notes of the core are damaged or cut: threads, file names "
			       "or the command may be missing");
	if (nsegments && target->threads.len == 0)
		gh_target_note(target,
			       "the core names no threads: registers and the stacks of running "
			       "goroutines are not known");
	if (nsegments && !r->has_file && !r->is_cut)
		gh_target_note(target,
			       "the core does not name the files that were mapped: the "
			       "executable has to be given (--exe FILE)");
}

struct gh_error *gh_target_read_notes(struct gh_target *target, const struct gh_elf *core)
{
	struct reader r = {.target = target, .machine = gh_elf_machine(core)};
	const struct gh_elf_segment *seg;
	uint64_t file_len;
	const uint8_t *bytes = gh_elf_bytes(core, &file_len);
	size_t n;

	seg = gh_elf_note_segments(core, &n);
	for (size_t i = 0; i < n; i++) {
		struct gh_elf_note note;
		uint64_t at = 0, len;

		if (seg[i].offset >= file_len) {
			r.is_cut = true;
			continue;
		}
		len = gh_min_u64(seg[i].filesz, file_len - seg[i].offset);
		r.is_cut |= len < seg[i].filesz;
		while (gh_elf_note_next(bytes + seg[i].offset, len, seg[i].align, &at, &note))
			read_note(&r, &note);
		r.is_cut |= at < len;
	}
	if (r.is_nomem)
		return gh_error_nomem();
	if (target->signal == 0 && target->threads.len)
		target->signal = target->threads.data[0].signal;
	say_what_is_missing(&r, n);
	return NULL;
}
