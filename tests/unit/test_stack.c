// SPDX-License-Identifier: Apache-2.0
// Function tables, goroutines, unwinding and stack scanning, on a toy process of Go 1.26: three
// functions, one goroutine, tables made here byte by byte.
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "goruntime/stack.h"

enum {
	TEXT = 0x400000, // functions of 0x100 bytes
	TABLES = 0x500000,
	TABLE_BYTES = 0x4000,
	FTAB = TABLES,
	PCLNTABLE = TABLES + 0x400,
	FUNCNAMETAB = TABLES + 0x800,
	PCTAB = TABLES + 0xc00,
	CUTAB = TABLES + 0x1000,
	FILETAB = TABLES + 0x1100,
	GOFUNC = TABLES + 0x1800,
	RODATA = TABLES + 0x2000,
	ALLGS = TABLES + 0x3000, // the slice, and its array behind it
	STACK = 0x10000000,
	STACK_BYTES = 0x1000,
	STACK_HI = STACK + STACK_BYTES,
	HEAP = 0x20000000, // the g, defer records
	HEAP_BYTES = 0x2000,
	G = HEAP,
	OBJECT = 0x30000000, // what words point to; need not exist
	NO_FUNCDATA = -1,
};

/* The functions, in order of their text. */
enum { GOEXIT, OUTER, INNER, ASYNC, NFUNC };

static uint8_t tables[TABLE_BYTES], stack[STACK_BYTES], heap[HEAP_BYTES];
static struct gh_runtime rt;
static struct gh_target target;

static uint8_t *host(gh_addr addr)
{
	if (addr >= TABLES && addr < TABLES + TABLE_BYTES)
		return tables + (addr - TABLES);
	if (addr >= STACK && addr < STACK_HI)
		return stack + (addr - STACK);
	assert_true(addr >= HEAP && addr < HEAP + HEAP_BYTES);
	return heap + (addr - HEAP);
}

static void put64(gh_addr addr, uint64_t value)
{
	memcpy(host(addr), &value, 8);
}

static void put32(gh_addr addr, uint32_t value)
{
	memcpy(host(addr), &value, 4);
}

static void put_bytes(gh_addr addr, const void *bytes, size_t len)
{
	memcpy(host(addr), bytes, len);
}

static gh_addr entry(int func)
{
	return TEXT + (gh_addr)func * 0x100;
}

static gh_addr g_field(enum gh_layout_field field)
{
	return G + (gh_addr)rt.layout.offset[field];
}

static gh_addr sched(enum gh_layout_field field)
{
	return g_field(GH_F_g_sched) + (gh_addr)rt.layout.offset[field];
}

/*
 * A _func record: id as go1.26 numbers them, pcsp table, stack map index table, then funcdata of
 * args, locals, objects, inline tree.
 */
static void put_func(int func, const char *name, uint8_t id, uint8_t flag, uint32_t args,
		     uint32_t pcsp, const int32_t funcdata[4])
{
	gh_addr at = PCLNTABLE + (gh_addr)func * 0x80 + 0x10;
	uint32_t name_off = (uint32_t)func * 0x40 + 1;

	put32(FTAB + (gh_addr)func * 8, (uint32_t)func * 0x100);
	put32(FTAB + (gh_addr)func * 8 + 4, (uint32_t)(at - PCLNTABLE));
	put_bytes(FUNCNAMETAB + name_off, name, strlen(name) + 1);
	put32(at, (uint32_t)func * 0x100);
	put32(at + 4, name_off);
	put32(at + 8, args);
	put32(at + 16, pcsp);
	put32(at + 20, 0x40); // pcfile: file 0
	put32(at + 24, 0x48); // pcln: 10, from 0x50 on 20
	put32(at + 28, 3);
	host(at)[40] = id;
	host(at)[41] = flag;
	host(at)[43] = 4;
	put32(at + 44 + 4, 0x60); // stack map index: -1, from 0x10 on 0, from 0x80 on 1
	put32(at + 44 + 8, funcdata[3] == NO_FUNCDATA ? 0 : 0x70);
	for (int i = 0; i < 4; i++)
		put32(at + 44 + 12 + (gh_addr)i * 4, (uint32_t)funcdata[i]);
}

static void put_pctabs(void)
{
	// pairs of zig-zag value delta (from -1) and pc delta
	static const uint8_t zero[] = {2, 0x80, 2, 0}; // 0 for 0x100 bytes
	static const uint8_t sp40[] = {2,    0x10, 0x80, 1,
				       0x7f, 0x7f, 0x71, 0}; // 0; 64 in 0x10 to 0x8f
	static const uint8_t sp20[] = {2, 0x10, 0x40, 0x70, 0x3f, 0x80, 1, 0};
	static const uint8_t line[] = {22, 0x50, 20, 0xb0, 1, 0};
	static const uint8_t map[] = {0, 0x10, 2, 0x70, 2, 0x80, 1, 0};
	static const uint8_t inl[] = {0, 0x20, 2, 0x10, 1, 0xd0, 1, 0}; // call 0 in 0x20 to 0x30

	put_bytes(PCTAB + 0x10, zero, sizeof(zero));
	put_bytes(PCTAB + 0x20, sp40, sizeof(sp40));
	put_bytes(PCTAB + 0x30, sp20, sizeof(sp20));
	put_bytes(PCTAB + 0x40, zero, sizeof(zero));
	put_bytes(PCTAB + 0x48, line, sizeof(line));
	put_bytes(PCTAB + 0x60, map, sizeof(map));
	put_bytes(PCTAB + 0x70, inl, sizeof(inl));
}

/* Stack maps and objects of main.outer, whose frame has 7 words of locals below varp. */
static void put_funcdata(void)
{
	static const uint8_t rows[] = {0x03, 0x41}; // words 0, 1; or 0, 6

	put32(GOFUNC + 0x10, 2); // locals: two rows of 7 bits
	put32(GOFUNC + 0x14, 7);
	put_bytes(GOFUNC + 0x18, rows, sizeof(rows));
	put32(GOFUNC + 0x20, 2); // args: two rows of one bit
	put32(GOFUNC + 0x24, 1);
	put_bytes(GOFUNC + 0x28, "\1\0", 2);
	put64(GOFUNC + 0x40, 2); // two stack objects of 16 bytes, a pointer in each second word
	for (gh_addr i = 0; i < 2; i++) {
		put32(GOFUNC + 0x48 + i * 16, (uint32_t)-40 + (uint32_t)i * 16);
		put32(GOFUNC + 0x4c + i * 16, 16);
		put32(GOFUNC + 0x50 + i * 16, 16);
		put32(GOFUNC + 0x54 + i * 16, 8);
	}
	put_bytes(RODATA + 8, "\2", 1);
	put32(GOFUNC + 0x80, 0x17000000); // inlined call: id (ignored bytes above), name, parent pc
	put32(GOFUNC + 0x84, 0x3c1);
	put32(GOFUNC + 0x88, 0x60);
	put_bytes(FUNCNAMETAB + 0x3c1, "main.tiny", 10);
	put_bytes(CUTAB, "\4\0\0\0", 4);
	put_bytes(FILETAB + 4, "/src/main.go", 13);
}

static void put_functions(void)
{
	static const int32_t none[] = {NO_FUNCDATA, NO_FUNCDATA, NO_FUNCDATA, NO_FUNCDATA};
	static const int32_t outer[] = {0x20, 0x10, 0x40, 0x80};
	uint8_t no_locals[8] = {1};
	int32_t inner[] = {NO_FUNCDATA, 0xc0, NO_FUNCDATA, NO_FUNCDATA};

	put_bytes(GOFUNC + 0xc0, no_locals, sizeof(no_locals));
	put_func(GOEXIT, "runtime.goexit", 8, GH_FUNC_FLAG_TOP_FRAME | GH_FUNC_FLAG_ASM, 0, 0x10,
		 none);
	put_func(OUTER, "main.outer", 0, 0, 8, 0x20, outer);
	put_func(INNER, "main.inner", 0, 0, 0, 0x30, inner);
	put_func(ASYNC, "runtime.asyncPreempt", 3, GH_FUNC_FLAG_ASM, 0, 0x30, inner);
	put32(FTAB + NFUNC * 8, NFUNC * 0x100);
	put_pctabs();
	put_funcdata();
}

/*
 * The stack, from above: goexit at STACK_HI - 0x20; outer with sp at OUTER_SP; inner below it.
 * outer: 0x40 bytes, then its return pc; saved BP at varp = sp + 0x38.
 */
enum { GOEXIT_SP = STACK_HI - 0x20, OUTER_SP = GOEXIT_SP - 0x48, INNER_SP = OUTER_SP - 0x28 };
enum { OUTER_VARP = OUTER_SP + 0x38 };

static void put_goroutine(gh_addr outer_pc, gh_addr pc, gh_addr sp)
{
	put64(g_field(GH_F_g_stack_lo), STACK);
	put64(g_field(GH_F_g_stack_lo) + 8, STACK_HI);
	put64(g_field(GH_F_g_goid), 7);
	put32(g_field(GH_F_g_atomicstatus), GH_G_WAITING);
	host(g_field(GH_F_g_waitreason))[0] = 19; // chan receive
	put64(g_field(GH_F_g_startpc), entry(OUTER));
	put64(sched(GH_F_gobuf_pc), pc);
	put64(sched(GH_F_gobuf_sp), sp);
	put64(INNER_SP + 0x20, outer_pc);
	put64(OUTER_SP + 0x40, entry(GOEXIT) + 1);
	put64(ALLGS, ALLGS + 0x20);
	put64(ALLGS + 8, 1);
	put64(ALLGS + 16, 1);
	put64(ALLGS + 0x20, G);
}

static int setup(void **state)
{
	static struct gh_module module = {.funcnametab = FUNCNAMETAB,
					  .cutab = CUTAB,
					  .filetab = FILETAB,
					  .pctab = PCTAB,
					  .pclntable = PCLNTABLE,
					  .ftab = FTAB,
					  .funcnametab_len = 0x400,
					  .cutab_len = 1,
					  .filetab_len = 0x100,
					  .pctab_len = 0x400,
					  .pclntable_len = 0x400,
					  .nftab = NFUNC + 1,
					  .minpc = TEXT,
					  .maxpc = TEXT + NFUNC * 0x100,
					  .text = TEXT,
					  .etext = TEXT + NFUNC * 0x100,
					  .rodata = RODATA,
					  .gofunc = GOFUNC};

	memset(tables, 0, sizeof(tables));
	memset(stack, 0, sizeof(stack));
	memset(heap, 0, sizeof(heap));
	target = (struct gh_target){.machine = EM_X86_64};
	assert_null(gh_image_create(&target.image));
	assert_null(gh_image_add(target.image, TABLES, TABLE_BYTES, tables, false));
	assert_null(gh_image_add(target.image, STACK, STACK_BYTES, stack, true));
	assert_null(gh_image_add(target.image, HEAP, HEAP_BYTES, heap, true));
	assert_null(gh_image_seal(target.image));
	rt = (struct gh_runtime){.target = &target,
				 .image = target.image,
				 .release = gh_release_find("go1.26.8"),
				 .modules = {.data = &module, .len = 1}};
	rt.layout = *rt.release->amd64;
	rt.var[GH_V_allgs] = ALLGS;
	put_functions();
	put_goroutine(entry(OUTER) + 0x40, entry(INNER) + 0x40, INNER_SP);
	*state = NULL;
	return 0;
}

static int teardown(void **state)
{
	gh_image_destroy(target.image);
	return 0;
}

static struct gh_goroutine load(void)
{
	struct gh_goroutine_vec list = {0};
	struct gh_goroutine g;
	uint64_t unreadable;

	assert_null(gh_goroutines_load(&rt, &list, &unreadable));
	assert_int_equal(list.len, 1);
	assert_int_equal(unreadable, 0);
	g = list.data[0];
	gh_goroutine_vec_deinit(&list);
	return g;
}

static void scan_into(struct gh_stack_scan *scan)
{
	struct gh_goroutine g = load();

	assert_null(gh_stack_scan(&rt, &g, scan));
}

/* How often the word at `at` was reported, precise or conservative. */
static int seen(const struct gh_stack_scan *scan, gh_addr at, uint64_t value, bool conservative)
{
	int n = 0;

	for (size_t i = 0; i < scan->words.len; i++)
		n += scan->words.data[i].at == at && scan->words.data[i].value == value &&
		     scan->words.data[i].conservative == conservative;
	return n;
}

static void finds_functions(void **state)
{
	struct gh_func func;

	assert_false(gh_func_find(&rt, TEXT - 1, &func));
	assert_false(gh_func_find(&rt, TEXT + NFUNC * 0x100, &func));
	for (int i = 0; i < NFUNC; i++) {
		assert_true(gh_func_find(&rt, entry(i), &func));
		assert_int_equal(func.entry, entry(i));
		assert_true(gh_func_find(&rt, entry(i) + 0xff, &func));
		assert_int_equal(func.entry, entry(i));
		assert_int_equal(func.end, entry(i) + 0x100);
	}
	assert_string_equal(gh_func_name(&rt, &func), "runtime.asyncPreempt");
	assert_int_equal(func.id, GH_FUNC_ASYNC_PREEMPT);
}

static void decodes_pc_values(void **state)
{
	struct gh_func func;
	int32_t value;

	assert_true(gh_func_find(&rt, entry(OUTER), &func));
	assert_true(gh_func_pcvalue(&rt, &func, func.pcsp, entry(OUTER) + 0xf, &value));
	assert_int_equal(value, 0);
	assert_true(gh_func_pcvalue(&rt, &func, func.pcsp, entry(OUTER) + 0x10, &value));
	assert_int_equal(value, 64);
	assert_true(gh_func_pcdata(&rt, &func, GH_PCDATA_STACK_MAP_INDEX, entry(OUTER), &value));
	assert_int_equal(value, -1);
	assert_true(
		gh_func_pcdata(&rt, &func, GH_PCDATA_STACK_MAP_INDEX, entry(OUTER) + 0x80, &value));
	assert_int_equal(value, 1);
	assert_false(gh_func_pcdata(&rt, &func, 3, entry(OUTER), &value));	// no such table
	assert_false(gh_func_pcvalue(&rt, &func, 0, entry(OUTER), &value));	// none
	assert_false(gh_func_pcvalue(&rt, &func, 0x400, entry(OUTER), &value)); // beyond
	assert_false(gh_func_pcvalue(&rt, &func, 0x3f0, entry(OUTER), &value)); // only zeros
}

static void lists_inlined_calls(void **state)
{
	struct gh_source_frame_vec frames = {0};
	struct gh_func func;

	assert_true(gh_func_find(&rt, entry(OUTER), &func));
	assert_true(gh_func_source_frames(&rt, &func, entry(OUTER) + 0x28, &frames));
	assert_int_equal(frames.len, 2);
	assert_string_equal(frames.data[0].function, "main.tiny");
	assert_true(frames.data[0].inlined);
	assert_int_equal(frames.data[0].line, 10);
	assert_string_equal(frames.data[1].function, "main.outer");
	assert_string_equal(frames.data[1].file, "/src/main.go");
	assert_int_equal(frames.data[1].line, 20); // of the parent pc, 0x60
	gh_source_frame_vec_deinit(&frames);
}

static void survives_endless_inlining(void **state)
{
	struct gh_source_frame_vec frames = {0};
	struct gh_func func;

	put32(GOFUNC + 0x88, 0x28); // its own parent
	assert_true(gh_func_find(&rt, entry(OUTER), &func));
	assert_true(gh_func_source_frames(&rt, &func, entry(OUTER) + 0x28, &frames));
	assert_true(frames.len > 1);
	gh_source_frame_vec_deinit(&frames);
}

static void reads_goroutine(void **state)
{
	struct gh_goroutine g = load();

	assert_int_equal(g.goid, 7);
	assert_int_equal(g.status, GH_G_WAITING);
	assert_string_equal(g.wait_reason, "chan receive");
	assert_false(g.system);
	assert_null(gh_goroutine_thread(&rt, &g));
}

static void counts_unreadable_goroutines(void **state)
{
	struct gh_goroutine_vec list = {0};
	uint64_t unreadable;

	put64(ALLGS + 8, 3);
	put64(ALLGS + 16, 3);
	put64(ALLGS + 0x28, 0x1000);
	assert_null(gh_goroutines_load(&rt, &list, &unreadable));
	assert_int_equal(list.len, 1);
	assert_int_equal(unreadable, 2);
	put64(ALLGS + 8, UINT64_MAX);
	list.len = 0;
	assert_null(gh_goroutines_load(&rt, &list, &unreadable));
	assert_int_equal(list.len, 1);
	// it says that it is dead, and what it waits for
	put64(ALLGS + 8, 1);
	put32(g_field(GH_F_g_atomicstatus), GH_G_DEAD);
	list.len = 0;
	assert_null(gh_goroutines_load(&rt, &list, &unreadable));
	assert_int_equal(list.len, 0);
	assert_int_equal(unreadable, 1);
	gh_goroutine_vec_deinit(&list);
}

static void escapes_labels(void **state)
{
	struct gh_goroutine g = load();
	struct gh_strbuf sb = {0};

	assert_false(gh_goroutine_labels(&rt, &g, &sb));
	put64(g_field(GH_F_g_labels), HEAP + 0x1000);
	put64(HEAP + 0x1000, HEAP + 0x1100); // list
	put64(HEAP + 0x1008, 1);
	put64(HEAP + 0x1100, HEAP + 0x1200); // key
	put64(HEAP + 0x1108, 3);
	put64(HEAP + 0x1110, HEAP + 0x1203); // value
	put64(HEAP + 0x1118, 4);
	put_bytes(HEAP + 0x1200, "who\x1b[=m", 7);
	assert_true(gh_goroutine_labels(&rt, &g, &sb));
	assert_string_equal(gh_strbuf_str(&sb), "who=\\x1b[\\=m");
	gh_strbuf_deinit(&sb);
}

static void unwinds(void **state)
{
	struct gh_goroutine g = load();
	struct gh_frame_vec frames = {0};
	enum gh_unwind_end end;

	assert_null(gh_stack_unwind(&rt, &g, &frames, &end));
	assert_int_equal(end, GH_UNWIND_COMPLETE);
	assert_int_equal(frames.len, 3);
	assert_int_equal(frames.data[0].func.entry, entry(INNER));
	assert_int_equal(frames.data[1].func.entry, entry(OUTER));
	assert_int_equal(frames.data[1].sp, OUTER_SP);
	assert_int_equal(frames.data[1].fp, GOEXIT_SP);
	assert_int_equal(frames.data[1].varp, OUTER_VARP);
	assert_int_equal(frames.data[1].sym_pc, entry(OUTER) + 0x3f);
	assert_int_equal(frames.data[2].func.id, GH_FUNC_GOEXIT);
	gh_frame_vec_deinit(&frames);
}

static void scans_by_maps(void **state)
{
	struct gh_stack_scan scan = {0};
	gh_addr locals = OUTER_VARP - 7 * 8;

	for (gh_addr i = 0; i < 7; i++)
		put64(locals + i * 8, OBJECT + i);
	put64(GOEXIT_SP, OBJECT + 100); // outer's argument
	put64(sched(GH_F_gobuf_ctxt), OBJECT + 200);
	scan_into(&scan);
	assert_int_equal(scan.words.len, 4);
	assert_int_equal(seen(&scan, locals, OBJECT, false), 1);
	assert_int_equal(seen(&scan, locals + 8, OBJECT + 1, false), 1);
	assert_int_equal(seen(&scan, GOEXIT_SP, OBJECT + 100, false), 1);
	assert_int_equal(seen(&scan, sched(GH_F_gobuf_ctxt), OBJECT + 200, false), 1);
	assert_false(scan.whole_stack);
	// another pc, another row; the scan may be used again
	put64(INNER_SP + 0x20, entry(OUTER) + 0x88);
	scan_into(&scan);
	assert_int_equal(seen(&scan, locals + 48, OBJECT + 6, false), 1);
	assert_int_equal(seen(&scan, locals + 8, OBJECT + 1, false), 0);
	assert_int_equal(seen(&scan, GOEXIT_SP, OBJECT + 100, false), 0);
	assert_int_equal(scan.words.len, 3);
	gh_stack_scan_deinit(&scan);
}

/* Object 0 at varp - 40, object 1 at varp - 24; a pointer in the second word of each. */
static void scans_objects_that_are_reached(void **state)
{
	struct gh_stack_scan scan = {0};
	gh_addr locals = OUTER_VARP - 7 * 8, object0 = OUTER_VARP - 40, object1 = OUTER_VARP - 24;

	put64(object0 + 8, object1 + 3); // an interior pointer to the other one
	put64(object1 + 8, OBJECT);
	scan_into(&scan);
	assert_int_equal(scan.words.len, 0);
	put64(locals, object0);
	scan_into(&scan);
	assert_int_equal(scan.words.len, 1);
	assert_int_equal(seen(&scan, object1 + 8, OBJECT, false), 1);
	// not from one to the other when nothing reaches the first
	put64(locals, object1);
	put64(object1 + 8, object0);
	put64(object0 + 8, object1);
	scan_into(&scan);
	assert_int_equal(scan.words.len, 0);
	gh_stack_scan_deinit(&scan);
}

static void scans_preempted_frames_conservatively(void **state)
{
	struct gh_stack_scan scan = {0};

	// inner stands for asyncPreempt's frame now, outer was interrupted
	put64(sched(GH_F_gobuf_pc), entry(ASYNC) + 0x40);
	put64(INNER_SP, OBJECT);	      // a saved register
	put64(INNER_SP + 8, OUTER_VARP - 40); // a pointer to a stack object: conservative too
	put64(OUTER_VARP - 32, OBJECT + 2);
	put64(OUTER_VARP - 16, OBJECT + 1); // not in outer's map
	put64(GOEXIT_SP, OBJECT + 100);
	scan_into(&scan);
	assert_int_equal(scan.end, GH_UNWIND_COMPLETE);
	assert_int_equal(scan.conservative_frames, 2);
	assert_int_equal(seen(&scan, INNER_SP, OBJECT, true), 1);
	assert_int_equal(seen(&scan, OUTER_VARP - 16, OBJECT + 1, true), 1);
	assert_int_equal(seen(&scan, GOEXIT_SP, OBJECT + 100, true), 1);
	for (size_t i = 0; i < scan.words.len; i++)
		assert_true(scan.words.data[i].conservative);
	gh_stack_scan_deinit(&scan);
}

static void follows_defers(void **state)
{
	struct gh_stack_scan scan = {0};
	const int32_t *offset = rt.layout.offset;
	gh_addr one = HEAP + 0x1000, two = OUTER_VARP - 56;

	put64(g_field(GH_F_g__defer), one);
	host(one + (gh_addr)offset[GH_F__defer_heap])[0] = 1;
	put64(one + (gh_addr)offset[GH_F__defer_fn], OBJECT);
	put64(one + (gh_addr)offset[GH_F__defer_link], two); // on the stack
	put64(two + (gh_addr)offset[GH_F__defer_fn], OBJECT + 8);
	put64(two + (gh_addr)offset[GH_F__defer_link], one); // bites its tail
	scan_into(&scan);
	assert_true(seen(&scan, one + (gh_addr)offset[GH_F__defer_fn], OBJECT, false));
	assert_true(seen(&scan, g_field(GH_F_g__defer), one, false));
	assert_true(seen(&scan, two + (gh_addr)offset[GH_F__defer_fn], OBJECT + 8, false));
	assert_true(seen(&scan, two + (gh_addr)offset[GH_F__defer_link], one, false));
	gh_stack_scan_deinit(&scan);
}

static void copying_scans_everything(void **state)
{
	struct gh_stack_scan scan = {0};

	put32(g_field(GH_F_g_atomicstatus), GH_G_COPYSTACK);
	put64(OUTER_VARP - 16, OBJECT);
	put64(INNER_SP - 8, OBJECT + 1); // below sp
	scan_into(&scan);
	assert_true(scan.whole_stack);
	assert_int_equal(scan.frames.len, 3);
	assert_int_equal(seen(&scan, OUTER_VARP - 16, OBJECT, true), 1);
	assert_int_equal(seen(&scan, INNER_SP - 8, OBJECT + 1, true), 0);
	gh_stack_scan_deinit(&scan);
}

static void the_dead_have_no_words(void **state)
{
	struct gh_stack_scan scan = {0};

	put64(sched(GH_F_gobuf_ctxt), OBJECT);
	put32(g_field(GH_F_g_atomicstatus), GH_G_DEAD);
	host(g_field(GH_F_g_waitreason))[0] = 0;
	scan_into(&scan);
	assert_int_equal(scan.words.len + scan.frames.len, 0);
	gh_stack_scan_deinit(&scan);
}

/* What frames do not account for any more is scanned conservatively. */
static void a_broken_stack_costs_precision_only(void **state)
{
	struct gh_stack_scan scan = {0};

	put64(INNER_SP + 0x20, 0x1234); // no code
	put64(OUTER_VARP - 16, OBJECT);
	scan_into(&scan);
	assert_int_equal(scan.end, GH_UNWIND_NO_FUNC);
	assert_true(scan.whole_stack);
	assert_int_equal(seen(&scan, OUTER_VARP - 16, OBJECT, true), 1);
	put64(sched(GH_F_gobuf_sp), STACK_HI + 8);
	scan_into(&scan);
	assert_int_equal(scan.end, GH_UNWIND_BAD_SP);
	assert_int_equal(scan.frames.len, 0);
	put64(g_field(GH_F_g_stack_lo), 0x7000); // not in the core
	put64(g_field(GH_F_g_stack_lo) + 8, 0x8000);
	scan_into(&scan);
	assert_true(scan.skipped);
	assert_int_equal(scan.words.len, 0);
	gh_stack_scan_deinit(&scan);
}

/* Interrupted in outer: registers and that frame are conservative, and its caller is not. */
static void a_running_goroutine_has_registers(void **state)
{
	enum { M = HEAP + 0x1800, RAX = 10 };
	struct gh_thread thread = {
		.tid = 42, .nregs = 27, .pc = entry(OUTER) + 0x20, .sp = OUTER_SP};
	struct gh_stack_scan scan = {0};

	thread.regs[RAX] = OBJECT + 7;
	target.threads = (struct gh_thread_vec){.data = &thread, .len = 1};
	put32(g_field(GH_F_g_atomicstatus), GH_G_RUNNING);
	put64(g_field(GH_F_g_m), M);
	put64(M + (gh_addr)rt.layout.offset[GH_F_m_procid], 42);
	put64(M + (gh_addr)rt.layout.offset[GH_F_m_curg], G);
	put64(OUTER_VARP - 16, OBJECT);
	scan_into(&scan);
	assert_true(scan.off_safepoint);
	assert_int_equal(scan.end, GH_UNWIND_COMPLETE);
	assert_int_equal(scan.frames.len, 2);
	assert_int_equal(scan.frames.data[0].sym_pc, entry(OUTER) + 0x20);
	assert_int_equal(seen(&scan, 0, OBJECT + 7, true), 1);
	assert_int_equal(seen(&scan, OUTER_VARP - 16, OBJECT, true), 1);
	gh_stack_scan_deinit(&scan);
}

/* Any word of tables, g and stack may be anything: no crash, no hang (sanitizers watch). */
static void survives_damage(void **state)
{
	struct gh_stack_scan scan = {0};
	uint64_t seed = 12345;

	for (int round = 0; round < 3000; round++) {
		for (int i = 0; i < 8; i++) {
			uint8_t *at[] = {tables, stack, heap};
			size_t size[] = {0x2100, STACK_BYTES, 0x200};
			uint64_t r = seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
			size_t which = r >> 33 & 1 ? 0 : 1 + (r >> 34 & 1);

			r >>= 36;
			at[which][r % size[which]] = (uint8_t)(r >> 16);
		}
		for (int status = 0; status < 12; status++) {
			struct gh_goroutine g;
			struct gh_goroutine_vec list = {0};
			uint64_t unreadable;

			put32(g_field(GH_F_g_atomicstatus), (uint32_t)status);
			put64(ALLGS + 0x20, G);
			assert_null(gh_goroutines_load(&rt, &list, &unreadable));
			g = list.data[0];
			assert_null(gh_stack_scan(&rt, &g, &scan));
			gh_goroutine_vec_deinit(&list);
		}
		if (round % 50 == 49) { // start over from something whole
			teardown(NULL);
			setup(state);
		}
	}
	gh_stack_scan_deinit(&scan);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(finds_functions),
		TEST(decodes_pc_values),
		TEST(lists_inlined_calls),
		TEST(survives_endless_inlining),
		TEST(reads_goroutine),
		TEST(counts_unreadable_goroutines),
		TEST(escapes_labels),
		TEST(unwinds),
		TEST(scans_by_maps),
		TEST(scans_objects_that_are_reached),
		TEST(scans_preempted_frames_conservatively),
		TEST(follows_defers),
		TEST(copying_scans_everything),
		TEST(the_dead_have_no_words),
		TEST(a_broken_stack_costs_precision_only),
		TEST(a_running_goroutine_has_registers),
		TEST(survives_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
