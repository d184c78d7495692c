// SPDX-License-Identifier: Apache-2.0
// Cores: what memory holds, where missing pages come from, which executable is taken and which
// refused, truncation, damage of every kind.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "elf_writer.h"
#include "target/target.h"

static const struct toy plain = {.base = 0x400000, .id = 0xab};

static char folder[] = "/tmp/goheap-test-core-XXXXXX";

/* In the test's folder; alive until 32 more calls. */
static const char *in_folder(const char *name)
{
	static char paths[32][256];
	static unsigned int next;
	char *path = paths[next++ % 32];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static const char *save(const struct elf_bytes *bytes, const char *name)
{
	const char *path = in_folder(name);

	assert_true(elf_save(bytes, path));
	return path;
}

static const char *write_exe(const struct toy *toy, const char *name)
{
	struct elf_writer w;
	const char *path;

	toy_write_exe(toy, &w);
	path = save(&w.file, name);
	elf_deinit(&w);
	return path;
}

static const char *write_core(const struct toy *toy, const char *name)
{
	struct elf_writer w;
	const char *path;

	toy_write_core(toy, &w);
	path = save(&w.file, name);
	elf_deinit(&w);
	return path;
}

static struct gh_target *must_open(const struct gh_target_options *options)
{
	struct gh_target *target = NULL;
	struct gh_error *err = gh_target_open_core(options, &target);

	if (err)
		print_error("%s\n", err->message);
	assert_null(err);
	return target;
}

static void must_refuse(const struct gh_target_options *options, enum gh_error_code code,
			const char *text)
{
	struct gh_target *target = NULL;
	struct gh_error *err = gh_target_open_core(options, &target);

	assert_non_null(err);
	assert_null(target);
	if (err->code != code || !strstr(err->message, text))
		print_error("%s\n", err->message);
	assert_int_equal(err->code, code);
	assert_non_null(strstr(err->message, text));
	gh_error_destroy(err);
}

static bool has_note(const struct gh_target *target, const char *text)
{
	for (size_t i = 0; i < target->nnotes; i++)
		if (strstr(target->notes[i], text))
			return true;
	return false;
}

static void expect_pattern(const struct gh_target *target, gh_addr addr, uint64_t pattern,
			   uint64_t len)
{
	const uint8_t *p = gh_image_at(target->image, addr, len);

	assert_non_null(p);
	for (uint64_t i = 0; i < len; i++)
		if (p[i] != toy_byte(pattern + i))
			assert_int_equal(i, -1);
}

static void expect_toy_memory(const struct gh_target *target, const struct toy *toy)
{
	// across text (from the core and the file), rodata (the file) and data (the core)
	expect_pattern(target, toy->base + 0x1000, 0x1000, TOY_END - 0x1000);
	expect_pattern(target, TOY_HEAP, TOY_HEAP, 0x6000);
	expect_pattern(target, TOY_STACK, TOY_STACK, 0x3000);
	assert_null(gh_image_at(target->image, TOY_HEAP + 0x5fff, 2));
	assert_int_equal(gh_image_absence(target->image, TOY_HEAP + 0x5fff, 2), GH_UNMAPPED);
	assert_false(gh_image_region(target->image, toy->base + TOY_RODATA)->writable);
	assert_true(gh_image_region(target->image, toy->base + TOY_DATA)->writable);
}

static void tells_what_the_notes_tell(void **state)
{
	struct toy toy = plain;
	struct gh_target *t;

	toy.exe_path = write_exe(&plain, "toy");
	t = must_open(&(struct gh_target_options){.core_path = write_core(&toy, "core")});
	assert_int_equal(t->threads.len, 2);
	assert_int_equal(t->threads.data[0].tid, 101);
	assert_int_equal(t->threads.data[0].pc, 0x401234);
	assert_int_equal(t->threads.data[0].sp, TOY_STACK + 0x2f00);
	assert_int_equal(t->threads.data[0].bp, 0x1004);
	assert_int_equal(t->threads.data[0].tls, 0x1015);
	assert_int_equal(t->threads.data[0].nregs, 27);
	assert_int_equal(t->signal, 6);
	assert_int_equal(t->pid, 100);
	assert_string_equal(t->command, "./toy -x 1");
	assert_int_equal(t->mappings.len, 3);
	assert_int_equal(t->mappings.data[1].file_offset, TOY_RODATA);
	assert_string_equal(t->exe_path, toy.exe_path);
	assert_string_equal(t->build_id, "abababababababababababababababababababab");
	assert_int_equal(t->exe_bias, 0);
	assert_int_equal(t->machine, EM_X86_64);
	assert_false(t->truncated || t->forced || t->is_gcore);
	assert_int_equal(t->nnotes, 0);
	expect_toy_memory(t, &toy);
	assert_null(gh_target_check(t));
	gh_target_destroy(t);
}

static void reads_arm64(void **state)
{
	struct toy toy = {.base = 0x10000, .id = 1, .machine = EM_AARCH64};
	struct gh_target *t;

	toy.exe_path = write_exe(&toy, "toy-arm64");
	t = must_open(&(struct gh_target_options){.core_path = write_core(&toy, "core")});
	assert_int_equal(t->threads.data[1].nregs, 34);
	assert_int_equal(t->threads.data[1].pc, 0x11300);
	assert_int_equal(t->threads.data[1].sp, TOY_HEAP + 0x2000);
	assert_int_equal(t->threads.data[1].bp, 0x101d);
	expect_toy_memory(t, &toy);
	gh_target_destroy(t);
}

static void finds_the_bias_of_pie(void **state)
{
	struct toy toy = {.base = 0x555555400000, .is_pie = true, .id = 7};
	struct gh_target *t;

	toy.exe_path = write_exe(&toy, "pie");
	t = must_open(&(struct gh_target_options){.core_path = write_core(&toy, "core")});
	assert_int_equal(t->exe_bias, toy.base);
	expect_toy_memory(t, &toy);
	gh_target_destroy(t);

	toy.no_notes = true; // only the build id in the first page is left to go by
	t = must_open(&(struct gh_target_options){.core_path = write_core(&toy, "core"),
						  .exe_path = toy.exe_path});
	assert_int_equal(t->exe_bias, toy.base);
	assert_true(has_note(t, "no notes"));
	expect_toy_memory(t, &toy);
	gh_target_destroy(t);
}

static void reads_gcore_and_without_mmap(void **state)
{
	struct toy toy = plain;

	toy.exe_path = write_exe(&plain, "toy");
	for (int i = 0; i < 4; i++) {
		struct gh_target *t;

		toy.is_gcore = i & 1;
		t = must_open(&(struct gh_target_options){.core_path = write_core(&toy, "core"),
							  .no_mmap = i & 2});
		assert_int_equal(t->is_gcore, toy.is_gcore);
		expect_toy_memory(t, &toy);
		gh_target_destroy(t);
	}
}

static void looks_for_the_executable(void **state)
{
	struct toy toy = plain;
	struct gh_target *t;
	char old[4096];

	assert_non_null(getcwd(old, sizeof(old)));
	mkdir(in_folder("root"), 0700);
	mkdir(in_folder("root/bin"), 0700);
	mkdir(in_folder("cwd"), 0700);

	toy.exe_path = "/bin/no-such-toy (deleted)";
	t = must_open(&(struct gh_target_options){.core_path = write_core(&toy, "core")});
	assert_null(t->exe);
	assert_true(has_note(t, "--exe FILE"));
	assert_int_equal(gh_image_absence(t->image, toy.base + TOY_RODATA, 8), GH_NOT_IN_CORE);
	assert_string_equal(t->build_id, "abababababababababababababababababababab");
	gh_target_destroy(t);

	write_exe(&plain, "no-such-toy");
	t = must_open(&(struct gh_target_options){.core_path = in_folder("core")});
	assert_string_equal(t->exe_path, in_folder("no-such-toy"));
	gh_target_destroy(t);

	write_exe(&plain, "cwd/no-such-toy");
	assert_int_equal(chdir(in_folder("cwd")), 0);
	t = must_open(&(struct gh_target_options){.core_path = in_folder("core")});
	assert_string_equal(t->exe_path, "no-such-toy");
	gh_target_destroy(t);

	write_exe(&plain, "root/bin/no-such-toy");
	t = must_open(&(struct gh_target_options){.core_path = in_folder("core"),
						  .sysroot = in_folder("root")});
	assert_string_equal(t->exe_path, in_folder("root/bin/no-such-toy"));
	gh_target_destroy(t);

	t = must_open(&(struct gh_target_options){.core_path = in_folder("core"),
						  .exe_path = write_exe(&plain, "given")});
	assert_string_equal(t->exe_path, in_folder("given"));
	gh_target_destroy(t);
	assert_int_equal(chdir(old), 0);
	unlink(in_folder("no-such-toy"));
}

static void compares_build_ids(void **state)
{
	struct toy toy = plain, other = plain;
	struct gh_target *t;

	other.id = 0xcd;
	toy.exe_path = write_exe(&other, "toy"); // rebuilt since
	must_refuse(&(struct gh_target_options){.core_path = write_core(&toy, "core")},
		    GH_ERR_MISMATCH,
		    "its build id is cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd, the "
		    "process has abababababababababababababababababababab");
	must_refuse(&(struct gh_target_options){.core_path = in_folder("core")}, GH_ERR_MISMATCH,
		    "--force");
	t = must_open(&(struct gh_target_options){.core_path = in_folder("core"), .force = true});
	assert_true(t->forced);
	assert_string_equal(t->build_id, "abababababababababababababababababababab");
	gh_target_destroy(t);

	toy.id = other.id = 0;
	toy.go_id = "one/two/three";
	other.go_id = "one/two/four";
	toy.exe_path = write_exe(&other, "toy");
	must_refuse(&(struct gh_target_options){.core_path = write_core(&toy, "core")},
		    GH_ERR_MISMATCH, "one/two/four, the process has one/two/three");
	t = must_open(&(struct gh_target_options){.core_path = in_folder("core"),
						  .exe_path = write_exe(&toy, "right")});
	assert_false(t->forced);
	assert_string_equal(t->build_id, "one/two/three");
	gh_target_destroy(t);

	// no ids: the headers tell another program, and nothing tells one of the same shape
	toy.go_id = other.go_id = NULL;
	other.base = 0x800000;
	must_refuse(&(struct gh_target_options){.core_path = write_core(&toy, "core"),
						.exe_path = write_exe(&other, "toy")},
		    GH_ERR_MISMATCH, "its build id is none");
	t = must_open(&(struct gh_target_options){.core_path = in_folder("core"),
						  .exe_path = write_exe(&toy, "right")});
	assert_true(has_note(t, "could not be compared"));
	gh_target_destroy(t);
}

static void finds_go_ids_in_text(void **state)
{
	static const char text[] = "\xff Go build ID: \"aa/bb\"\n \xff";
	struct toy toy = {.base = 0x400000, .is_gcore = true};
	struct elf_writer exe, core;
	const char *exe_path = in_folder("toy");

	toy.exe_path = exe_path;
	toy_write_exe(&(struct toy){.base = 0x400000, .go_id = "aa/cc"}, &exe);
	save(&exe.file, "toy");
	toy_write_core(&toy, &core);
	for (size_t i = 0; i < core.nsegments; i++)
		if (core.segments[i].p_vaddr == toy.base)
			elf_put(&core.file, core.segments[i].p_offset + 0x1000, text,
				sizeof(text) - 1);
	must_refuse(&(struct gh_target_options){.core_path = save(&core.file, "core")},
		    GH_ERR_MISMATCH, "its build id is aa/cc, the process has aa/bb");
	elf_deinit(&exe);
	elf_deinit(&core);
}

static void refuses_what_is_no_core(void **state)
{
	struct elf_bytes junk = {0};
	struct elf_writer w;
	struct toy toy = plain;
	const char *core = write_core(&plain, "core");

	must_refuse(&(struct gh_target_options){.core_path = in_folder("none")}, GH_ERR_IO,
		    "No such file");
	must_refuse(&(struct gh_target_options){.core_path = folder}, GH_ERR_FORMAT,
		    "it is a directory");
	must_refuse(&(struct gh_target_options){.core_path = write_exe(&plain, "toy")},
		    GH_ERR_FORMAT, "it is an executable");
	must_refuse(&(struct gh_target_options){.core_path = core, .exe_path = core}, GH_ERR_FORMAT,
		    "it is a core file");
	must_refuse(&(struct gh_target_options){.core_path = save(&junk, "empty")}, GH_ERR_FORMAT,
		    "it is empty");
	elf_put(&junk, 0, "hello\n", 6);
	must_refuse(&(struct gh_target_options){.core_path = save(&junk, "text")}, GH_ERR_FORMAT,
		    "it is a text file");
	elf_put(&junk, 0, "\x28\xb5\x2f\xfd", 4);
	must_refuse(&(struct gh_target_options){.core_path = save(&junk, "zst")}, GH_ERR_FORMAT,
		    "zstd");
	elf_bytes_deinit(&junk);
	toy.machine = EM_RISCV;
	must_refuse(&(struct gh_target_options){.core_path = write_core(&toy, "riscv")},
		    GH_ERR_UNSUPPORTED, "riscv64");
	toy.machine = EM_AARCH64;
	must_refuse(
		&(struct gh_target_options){.core_path = core, .exe_path = write_exe(&toy, "arm")},
		GH_ERR_MISMATCH, "another architecture");

	toy_write_core(&plain, &w);
	w.file.data[EI_CLASS] = ELFCLASS32;
	must_refuse(&(struct gh_target_options){.core_path = save(&w.file, "bits")}, GH_ERR_FORMAT,
		    "32-bit");
	w.file.data[EI_CLASS] = ELFCLASS64;
	w.file.data[EI_DATA] = ELFDATA2MSB;
	must_refuse(&(struct gh_target_options){.core_path = save(&w.file, "big")}, GH_ERR_FORMAT,
		    "big-endian");
	w.file.data[EI_DATA] = ELFDATA2LSB;
	w.file.data[offsetof(Elf64_Ehdr, e_type)] = ET_REL;
	must_refuse(&(struct gh_target_options){.core_path = save(&w.file, "rel")}, GH_ERR_FORMAT,
		    "relocatable");
	must_refuse(&(struct gh_target_options){.core_path = core, .exe_path = in_folder("rel")},
		    GH_ERR_FORMAT, "relocatable");
	elf_deinit(&w);
	elf_init(&w, ET_CORE, EM_X86_64);
	elf_finish(&w);
	must_refuse(&(struct gh_target_options){.core_path = save(&w.file, "none")}, GH_ERR_FORMAT,
		    "holds no memory");
	elf_deinit(&w);
}

/* Every length from nothing to whole: an error, or a target that says what it lost. */
static void opens_truncated_cores(void **state)
{
	struct toy toy = plain;
	struct elf_writer w;
	size_t whole, stack_at;

	toy.exe_path = write_exe(&plain, "toy");
	toy_write_core(&toy, &w);
	whole = w.file.len;
	stack_at = whole - 0x3000;
	for (size_t len = 1; len <= whole; len += len < 0x1200 ? 13 : 0x37f) {
		struct gh_target_options options = {.core_path = in_folder("cut")};
		struct gh_target *t = NULL;
		struct gh_error *err;

		w.file.len = len;
		save(&w.file, "cut");
		err = gh_target_open_core(&options, &t);
		if (err) {
			assert_int_equal(err->code, GH_ERR_FORMAT);
			gh_error_destroy(err);
			continue;
		}
		assert_true(t->truncated);
		assert_int_equal(t->core_bytes, len);
		assert_int_equal(t->core_bytes_expected, whole);
		if (len > stack_at) { // half a segment
			assert_int_equal(t->lost_bytes, whole - len);
			assert_int_equal(t->lost_lo, TOY_STACK + (len - stack_at));
			assert_int_equal(gh_image_readable(t->image, TOY_STACK, 0x3000),
					 len - stack_at);
			assert_int_equal(gh_image_absence(t->image, TOY_STACK, 0x3000),
					 GH_TRUNCATED);
			expect_pattern(t, TOY_HEAP, TOY_HEAP, 0x6000);
		}
		gh_target_destroy(t);
	}
	w.file.len = whole;
	elf_deinit(&w);
}

static void notices_a_file_that_shrinks(void **state)
{
	struct toy toy = plain;
	struct gh_target *t;
	struct gh_error *err;

	toy.exe_path = write_exe(&plain, "toy");
	t = must_open(&(struct gh_target_options){.core_path = write_core(&toy, "core")});
	assert_int_equal(truncate(in_folder("core"), 100), 0);
	err = gh_target_check(t);
	assert_non_null(err);
	assert_int_equal(err->code, GH_ERR_IO);
	assert_non_null(strstr(err->message, "shrank"));
	gh_error_destroy(err);
	gh_target_destroy(t);
}

/* Never writable data, whatever the file says that the core omits. */
static void borrows_no_writable_pages(void **state)
{
	struct toy toy = plain;
	struct elf_writer w;
	struct gh_target *t;

	toy.exe_path = write_exe(&plain, "toy");
	toy_write_core(&toy, &w);
	for (size_t i = 0; i < w.nsegments; i++)
		if (w.segments[i].p_vaddr == toy.base + TOY_DATA)
			w.segments[i].p_filesz = 0;
	w.nsections = 0;
	elf_finish(&w);
	t = must_open(&(struct gh_target_options){.core_path = save(&w.file, "core")});
	assert_non_null(gh_image_at(t->image, toy.base + TOY_RODATA, TOY_DATA - TOY_RODATA));
	assert_null(gh_image_at(t->image, toy.base + TOY_DATA, 1));
	assert_int_equal(gh_image_absence(t->image, toy.base + TOY_DATA, 1), GH_NOT_IN_CORE);
	gh_target_destroy(t);
	elf_deinit(&w);
}

/* A shared object lends its pages if its build id is that of the process. */
static void borrows_from_shared_objects(void **state)
{
	enum { LIB = 0x10000000 };
	struct toy toy = plain, lib = {.base = 0, .is_pie = true, .id = 0x11};
	const char *lib_path = write_exe(&lib, "libtoy.so");
	struct elf_writer w, lib_file;

	toy.exe_path = write_exe(&plain, "toy");
	for (int wrong = 0; wrong < 2; wrong++) {
		struct elf_bytes notes = {0};
		struct gh_target *t;
		uint64_t at;

		toy_write_core(&toy, &w);
		elf_note_file(
			&notes,
			(struct elf_file_line[]){{LIB, LIB + 0x3000, 0, lib_path},
						 {LIB + 0x3000, LIB + 0x5000, 0x3000, lib_path}},
			2);
		elf_note_auxv(&notes, toy.base + TOY_ENTRY, toy.base + 64);
		at = gh_align_up(w.file.len, 0x1000);
		lib.id = wrong ? 0x12 : 0x11;
		toy_write_exe(&lib, &lib_file);
		elf_add_segment(&w, (Elf64_Phdr){PT_LOAD, PF_R, at, LIB, 0, 0x1000, 0x3000, 0x1000},
				lib_file.file.data);
		elf_add_segment(&w,
				(Elf64_Phdr){PT_LOAD, PF_R, 0, LIB + 0x3000, 0, 0, 0x2000, 0x1000},
				NULL);
		w.segments[0].p_offset = at + 0x1000;
		w.segments[0].p_filesz = notes.len;
		elf_put(&w.file, at + 0x1000, notes.data, notes.len);
		elf_finish(&w);
		t = must_open(&(struct gh_target_options){.core_path = save(&w.file, "core"),
							  .exe_path = toy.exe_path});
		assert_int_equal(t->nobjects, !wrong);
		if (wrong)
			assert_int_equal(gh_image_absence(t->image, LIB + 0x3000, 1),
					 GH_NOT_IN_CORE);
		else
			expect_pattern(t, LIB + 0x1000, 0x1000, 0x4000);
		gh_target_destroy(t);
		elf_bytes_deinit(&notes);
		elf_deinit(&lib_file);
		elf_deinit(&w);
	}
}

/* More segments than 16 bits count (PN_XNUM), each a page of one range. */
static void reads_more_than_64k_segments(void **state)
{
	enum { N = 70000, AT = 64 + N * sizeof(Elf64_Phdr) + sizeof(Elf64_Shdr) };
	_cleanup_free_ Elf64_Phdr *ph = gh_alloc_array(N, sizeof(*ph));
	Elf64_Shdr first = {.sh_info = N};
	struct elf_writer w;
	struct gh_target *t;

	elf_init(&w, ET_CORE, EM_X86_64);
	w.head.e_phnum = PN_XNUM;
	w.head.e_shoff = AT - sizeof(first);
	w.head.e_shnum = 1;
	for (uint64_t i = 0; i < N; i++) {
		uint8_t byte = toy_byte(i);

		// 16 bytes each, in the file the other way round: all must be moved
		ph[i] = (Elf64_Phdr){PT_LOAD, PF_R, AT + (N - 1 - i) * 16, 0x10000 + i * 16, 0, 16,
				     16,      1};
		elf_put(&w.file, ph[i].p_offset, &byte, 1);
	}
	elf_put(&w.file, AT, NULL, N * 16);
	elf_put(&w.file, 0, &w.head, sizeof(w.head));
	elf_put(&w.file, 64, ph, N * sizeof(*ph));
	elf_put(&w.file, w.head.e_shoff, &first, sizeof(first));
	t = must_open(&(struct gh_target_options){.core_path = save(&w.file, "core")});
	assert_non_null(gh_image_at(t->image, 0x10000, N * 16));
	for (uint64_t i = 0; i < N; i += 777)
		assert_int_equal(*(const uint8_t *)gh_image_at(t->image, 0x10000 + i * 16, 1),
				 toy_byte(i));
	gh_target_destroy(t);
	elf_deinit(&w);
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void touch_everything(const struct gh_target *t)
{
	size_t n;
	const struct gh_region *r = gh_image_regions(t->image, &n);

	for (size_t i = 0; i < n; i++) {
		uint64_t len = gh_min_u64(r[i].hi - r[i].lo, 1 << 16);
		const uint8_t *p = gh_image_at(t->image, r[i].lo, len);
		volatile uint8_t sum = 0;

		assert_true(i == 0 || r[i - 1].hi <= r[i].lo);
		assert_int_equal(p != NULL, r[i].host != NULL);
		for (uint64_t k = 0; p && k < len; k += 61)
			sum = (uint8_t)(sum + p[k]);
	}
}

/* Damage in headers and notes costs an error or a partial target, never a crash or a hang. */
static void survives_damage(void **state)
{
	enum { ROUNDS = 2000 };
	struct toy toy = plain;
	uint32_t seed = 42, opened = 0;
	struct elf_writer w;
	size_t end;

	toy.exe_path = write_exe(&plain, "toy");
	toy_write_core(&toy, &w);
	end = w.segments[0].p_offset + w.segments[0].p_filesz;
	for (int i = 0; i < ROUNDS; i++) {
		struct gh_target_options options = {
			.core_path = in_folder("damaged"), .force = i & 1, .no_mmap = i % 16 == 0};
		_cleanup_free_ uint8_t *kept = malloc(end);
		struct gh_target *t = NULL;
		struct gh_error *err;

		memcpy(kept, w.file.data, end);
		for (uint32_t k = 1 + next_random(&seed) % 8; k; k--) {
			// headers that are in use, or the notes
			size_t head = 64 + w.nsegments * sizeof(Elf64_Phdr);
			size_t at = next_random(&seed) % (head + w.segments[0].p_filesz);

			at = at < head ? at : at - head + w.segments[0].p_offset;
			w.file.data[at] = (uint8_t)next_random(&seed);
		}
		save(&w.file, "damaged");
		memcpy(w.file.data, kept, end);
		err = gh_target_open_core(&options, &t);
		if (!err) {
			touch_everything(t);
			opened++;
		}
		gh_error_destroy(err);
		gh_target_destroy(t);
	}
	assert_true(opened > ROUNDS / 4);
	elf_deinit(&w);
}

static int make_folder(void **state)
{
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	static const char *const names[] = {"toy",
					    "core",
					    "toy-arm64",
					    "pie",
					    "given",
					    "right",
					    "empty",
					    "text",
					    "zst",
					    "riscv",
					    "arm",
					    "bits",
					    "big",
					    "rel",
					    "none",
					    "cut",
					    "libtoy.so",
					    "damaged",
					    "no-such-toy",
					    "cwd/no-such-toy",
					    "root/bin/no-such-toy"};

	for (size_t i = 0; i < GH_ARRAY_SIZE(names); i++)
		unlink(in_folder(names[i]));
	rmdir(in_folder("root/bin"));
	rmdir(in_folder("root"));
	rmdir(in_folder("cwd"));
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_the_notes_tell),
		cmocka_unit_test(reads_arm64),
		cmocka_unit_test(finds_the_bias_of_pie),
		cmocka_unit_test(reads_gcore_and_without_mmap),
		cmocka_unit_test(looks_for_the_executable),
		cmocka_unit_test(compares_build_ids),
		cmocka_unit_test(finds_go_ids_in_text),
		cmocka_unit_test(refuses_what_is_no_core),
		cmocka_unit_test(opens_truncated_cores),
		cmocka_unit_test(notices_a_file_that_shrinks),
		cmocka_unit_test(borrows_no_writable_pages),
		cmocka_unit_test(borrows_from_shared_objects),
		cmocka_unit_test(reads_more_than_64k_segments),
		cmocka_unit_test(survives_damage),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
