// SPDX-License-Identifier: Apache-2.0
// What the collector would scan on a stack. See stack.h. Mirrors runtime/mgcmark.go (scanstack,
// scanframeworker, scanConservative), mgcstack.go, stkframe.go (getStackMap), stack.go
// (stackObjectRecord).
#include <elf.h>
#include <stdlib.h>

#include "base/bitmap.h"
#include "base/ring.h"
#include "goruntime/rtype.h"
#include "goruntime/unwind.h"

enum {
	NO_FRAME = UINT32_MAX,
	MIN_LEGAL_POINTER = 4096,     // runtime/malloc.go
	MAX_STACK_MAP_BITS = 1 << 27, // a frame of 1 GiB
	MAX_FRAME_OBJECTS = 1 << 20,
	OBJECT_RECORD_BYTES = 16, // runtime.stackObjectRecord
	STACK_ALIGN_ARM64 = 16,
	PUSHED_CALL_ARM64 = 16,
	// internal/abi.RegArgs on the stack of reflect's stubs: Ints, Floats, Ptrs, ReturnIsPtr
	REG_ARGS_AMD64 = 272,
	REG_ARGS_AMD64_PTRS = 24, // words before Ptrs
	REG_ARGS_AMD64_NPTRS = 9,
	REG_ARGS_ARM64 = 392,
	REG_ARGS_ARM64_PTRS = 32,
	REG_ARGS_ARM64_NPTRS = 16,
};

/* An address-taken variable, scanned once something points to it. */
struct stack_object {
	gh_addr addr;
	gh_addr mask; // address of the mask or GC program; 0: RegArgs
	uint32_t size, ptr_bytes;
	uint32_t frame;
	bool is_program, is_scanned;
};
GH_VEC(object_vec, struct stack_object);

struct gh_stack_scratch {
	struct gh_pc_cache cache;
	struct object_vec objects;
	struct gh_addr_vec precise, conservative; // pointers to the stack, still to follow
	struct gh_stack_word_vec conservative_words;
};

struct scan {
	const struct gh_runtime *rt;
	const struct gh_goroutine *g;
	struct gh_unwinder u;
	struct gh_stack_scan *ret;
	struct gh_stack_scratch *scratch;
	gh_addr unscanned; // where the frames that were not walked begin
	bool conservative; // the next frame is
	bool nomem;
};

/* {n int32, nbit int32, bytedata}: runtime.stackmap; or a bitvector of reflect. */
struct bits {
	uint64_t n;
	const uint8_t *data;
};

static uint32_t frame_index(const struct scan *s)
{
	return s->u.frame.index < GH_STACK_FRAMES_MAX ? s->u.frame.index : NO_FRAME;
}

static void see(struct scan *s, gh_addr at, uint64_t value, uint32_t frame, bool conservative)
{
	struct gh_stack_scratch *scratch = s->scratch;
	struct gh_stack_word word = {at, value, frame, conservative};

	if (value < MIN_LEGAL_POINTER)
		return;
	if (value < s->u.lo || value >= s->u.hi) {
		s->nomem |= !gh_stack_word_vec_push(
			conservative ? &scratch->conservative_words : &s->ret->words, word);
		return;
	}
	s->nomem |=
		!gh_addr_vec_push(conservative ? &scratch->conservative : &scratch->precise, value);
	if (!conservative)
		s->nomem |= !gh_stack_word_vec_push(&s->ret->inner, word);
}

/* Words [addr, addr + nwords * 8) of the stack whose bit is set; mask NULL: all. */
static bool see_block(struct scan *s, gh_addr addr, uint64_t nwords, const uint8_t *mask,
		      uint32_t frame, bool conservative)
{
	const uint8_t *p = gh_unwinder_bytes(&s->u, addr, nwords * 8);

	if (!p)
		return false;
	for (uint64_t i = 0; i < nwords; i++) {
		if (mask && i % 8 == 0 && mask[i / 8] == 0) {
			i += 7;
			continue;
		}
		if (!mask || mask[i / 8] >> (i % 8) & 1)
			see(s, addr + i * 8, gh_u64_at(p + i * 8), frame, conservative);
	}
	return true;
}

/* Everything in [from, to), as far as it lies on the stack. */
static void see_range(struct scan *s, gh_addr from, gh_addr to, uint32_t frame)
{
	from = gh_max_u64(gh_align_up(from, 8), s->u.lo);
	to = gh_min_u64(to, s->u.hi);
	if (from < to && !s->u.host) // a truncated core may have the beginning
		to = from + gh_image_readable(s->rt->image, from, to - from);
	if (from < to)
		see_block(s, from, (to - from) / 8, NULL, frame, /* conservative= */ true);
}

/* A pointer that lies outside the stack: precise, of no frame. */
static void see_pointer(struct scan *s, gh_addr at)
{
	uint64_t value;

	if (gh_read_u64(s->rt->image, at, &value))
		see(s, at, value, NO_FRAME, /* conservative= */ false);
}

/* Row `index` of a stack map; false when the function has none that fits. */
static bool stack_map(const struct gh_runtime *rt, const struct gh_func *func, uint8_t which,
		      int32_t index, struct bits *ret)
{
	gh_addr at = gh_func_funcdata(rt, func, which);
	const uint8_t *p = at ? gh_image_at(rt->image, at, 8) : NULL;
	uint32_t n, nbit;
	uint64_t row;

	if (!p)
		return false;
	n = gh_u32_at(p);
	nbit = gh_u32_at(p + 4);
	if (n == 0 || n > INT32_MAX || nbit > MAX_STACK_MAP_BITS)
		return false;
	*ret = (struct bits){0};
	if (nbit == 0)
		return true;
	if (index < 0 || (uint32_t)index >= n)
		return false;
	row = (nbit + 7) / 8;
	ret->data = gh_image_at(rt->image, at + 8 + (uint64_t)index * row, row);
	ret->n = nbit;
	return ret->data != NULL;
}

/* The stubs of reflect.MakeFunc and of method values: arguments are known to the call only. */
static bool is_reflect_stub(const struct gh_runtime *rt, const struct gh_func *func)
{
	const char *name;

	if (func->args != (int32_t)GH_ARGS_SIZE_UNKNOWN)
		return false;
	name = gh_func_name(rt, func);
	return name && (strcmp(name, "reflect.makeFuncStub") == 0 ||
			strcmp(name, "reflect.methodValueCall") == 0);
}

/* runtime.reflectMethodValue {fn, stack *bitvector, argLen}: its argument map; none before start.
 */
static bool reflect_args(const struct scan *s, struct bits *ret)
{
	const struct gh_frame *f = &s->u.frame;
	gh_addr arg0 = f->sp + (s->u.uses_lr ? 8 : 0), limit = s->u.uses_lr ? f->fp : f->fp - 8;
	const uint8_t *p, *value, *vector;
	uint32_t n;

	if (arg0 >= limit)
		return false;
	p = gh_unwinder_bytes(&s->u, arg0, 40);
	value = p ? gh_image_at(s->rt->image, gh_u64_at(p), 24) : NULL;
	if (!value || gh_u64_at(value) != f->func.entry)
		return false;
	vector = gh_image_at(s->rt->image, gh_u64_at(value + 8), 16);
	n = vector ? gh_u32_at(vector) : 0;
	if (!vector || n > MAX_STACK_MAP_BITS)
		return false;
	if (!p[32]) // results are not valid yet
		n = (uint32_t)gh_min_u64(n, gh_u64_at(value + 16) / 8);
	ret->n = n;
	ret->data = n ? gh_image_at(s->rt->image, gh_u64_at(vector + 8), (n + 7) / 8) : NULL;
	return n == 0 || ret->data != NULL;
}

/* Bytes of arguments on the stack. */
static uint64_t arg_bytes(const struct scan *s)
{
	const struct gh_func *func = &s->u.frame.func;
	struct bits bits;

	if (func->args != (int32_t)GH_ARGS_SIZE_UNKNOWN)
		return func->args > 0 ? (uint64_t)func->args : 0;
	return is_reflect_stub(s->rt, func) && reflect_args(s, &bits) ? bits.n * 8 : 0;
}

static void scan_conservatively(struct scan *s)
{
	const struct gh_frame *f = &s->u.frame;
	gh_addr to = f->varp;

	// arm64: the word pushed by an injected call may be a pointer (runtime/mgcmark.go)
	if (s->u.uses_lr && to > f->sp &&
	    (f->func.id == GH_FUNC_SIGPANIC || f->func.id == GH_FUNC_ASYNC_PREEMPT ||
	     f->func.id == GH_FUNC_DEBUG_CALL))
		to += PUSHED_CALL_ARM64;
	see_range(s, f->sp, to, frame_index(s));
	see_range(s, f->argp, f->argp + arg_bytes(s), frame_index(s));
	s->ret->conservative_frames++;
}

static bool scan_locals(struct scan *s, int32_t index)
{
	const struct gh_frame *f = &s->u.frame;
	struct bits bits;

	if (f->varp - f->sp <= (s->u.uses_lr ? STACK_ALIGN_ARM64 : 0))
		return true;
	return stack_map(s->rt, &f->func, GH_FUNCDATA_LOCALS_POINTER_MAPS, index, &bits) &&
	       see_block(s, f->varp - bits.n * 8, bits.n, bits.data, frame_index(s), false);
}

static bool scan_args(struct scan *s, int32_t index, bool is_reflect)
{
	const struct gh_frame *f = &s->u.frame;
	struct bits bits = {0};

	if (is_reflect)
		return !reflect_args(s, &bits) || bits.n == 0 ||
		       see_block(s, f->argp, bits.n, bits.data, frame_index(s), false);
	if (f->func.args < 8) // none, or of unknown size
		return true;
	return stack_map(s->rt, &f->func, GH_FUNCDATA_ARGS_POINTER_MAPS, index, &bits) &&
	       see_block(s, f->argp, bits.n, bits.data, frame_index(s), false);
}

static void add_object(struct scan *s, struct stack_object object)
{
	if (object.addr < s->u.frame.sp) // not yet allocated in the frame
		return;
	if (object.size == 0 || !gh_unwinder_bytes(&s->u, object.addr, object.size))
		return;
	object.ptr_bytes = (uint32_t)gh_min_u64(object.ptr_bytes, object.size);
	object.frame = frame_index(s);
	s->nomem |= !object_vec_push(&s->scratch->objects, object);
}

static void add_reg_args(struct scan *s)
{
	uint32_t size = s->u.uses_lr ? REG_ARGS_ARM64 : REG_ARGS_AMD64;
	struct bits bits;

	if (reflect_args(s, &bits)) // the stub has a frame
		add_object(s, (struct stack_object){.addr = s->u.frame.varp - size,
						    .size = size,
						    .ptr_bytes = size});
}

static void add_objects(struct scan *s)
{
	const struct gh_frame *f = &s->u.frame;
	gh_addr at = gh_func_funcdata(s->rt, &f->func, GH_FUNCDATA_STACK_OBJECTS);
	const uint8_t *p = at ? gh_image_at(s->rt->image, at, 8) : NULL;
	uint64_t n = p ? gh_u64_at(p) : 0;

	if (n == 0 || n > MAX_FRAME_OBJECTS)
		return;
	p = gh_image_at(s->rt->image, at + 8, n * OBJECT_RECORD_BYTES);
	for (uint64_t i = 0; p && i < n; i++, p += OBJECT_RECORD_BYTES) {
		int32_t off = (int32_t)gh_u32_at(p), size = (int32_t)gh_u32_at(p + 4);
		int32_t ptr_bytes = (int32_t)gh_u32_at(p + 8);
		// up to go1.23 a negative ptrdata says that a GC program follows
		bool is_program = ptr_bytes < 0;

		if (size < 0 || ptr_bytes == INT32_MIN)
			continue;
		add_object(s,
			   (struct stack_object){
				   .addr = (off < 0 ? f->varp : f->argp) + (uint64_t)(int64_t)off,
				   .mask = f->func.module->rodata + gh_u32_at(p + 12),
				   .size = (uint32_t)size,
				   .ptr_bytes = (uint32_t)(is_program ? -ptr_bytes : ptr_bytes),
				   .is_program = is_program,
			   });
	}
}

static void scan_precisely(struct scan *s)
{
	bool is_reflect = is_reflect_stub(s->rt, &s->u.frame.func);
	int32_t index;

	if (s->u.frame.contpc == 0) // the frame will never go on
		return;
	index = gh_unwinder_map_index(&s->u);
	if (!scan_locals(s, index) || !scan_args(s, index, is_reflect)) {
		scan_conservatively(s); // damaged, or not a safepoint after all
		return;
	}
	if (is_reflect)
		add_reg_args(s);
	else
		add_objects(s);
}

/*
 * Off safepoints the write barrier may be under way: it holds the registers of a caller that did
 * not prepare for a call (runtime/asm_*.s, gcWriteBarrier).
 */
static bool holds_registers(const struct scan *s)
{
	const struct gh_func *func = &s->u.frame.func;
	const char *name;

	if (func->id == GH_FUNC_ASYNC_PREEMPT || func->id == GH_FUNC_DEBUG_CALL)
		return true;
	if (!(func->flag & GH_FUNC_FLAG_ASM))
		return false;
	name = gh_func_name(s->rt, func);
	return name && (strncmp(name, "gcWriteBarrier", 14) == 0 ||
			strncmp(name, "runtime.gcWriteBarrier", 22) == 0);
}

static void scan_frame(struct scan *s)
{
	bool holds = holds_registers(s);
	// interrupted in assembly, such as duffcopy: its caller may have registers to lose too
	bool leaf = s->u.frame.index == 0 && s->conservative &&
		    (s->u.frame.func.flag & GH_FUNC_FLAG_ASM);

	if (!s->conservative && !holds) {
		scan_precisely(s);
		return;
	}
	scan_conservatively(s);
	s->conservative = holds || leaf;
}

static void scan_frames(struct scan *s, const struct gh_stack_context *ctx)
{
	s->conservative = ctx->start == GH_START_TRAP;
	s->ret->off_safepoint = s->conservative;
	for (; s->u.valid && !s->nomem; gh_unwinder_next(&s->u)) {
		s->ret->nframes++;
		if (s->u.frame.index < GH_STACK_FRAMES_MAX)
			s->nomem |= !gh_frame_vec_push(&s->ret->frames, s->u.frame);
		scan_frame(s);
		s->unscanned = s->u.frame.fp;
	}
	for (uint32_t i = 0; i < ctx->nregs; i++)
		see(s, 0, ctx->regs[i], NO_FRAME, /* conservative= */ true);
	for (uint32_t i = 0; i < ctx->nvectors; i++)
		see(s, 0, ctx->vectors[i], NO_FRAME, /* conservative= */ true);
}

/* Frames only to show: what is in flight is not scanned by them. */
static void list_frames(struct scan *s)
{
	for (; s->u.valid && !s->nomem; gh_unwinder_next(&s->u)) {
		s->ret->nframes++;
		if (s->u.frame.index < GH_STACK_FRAMES_MAX)
			s->nomem |= !gh_frame_vec_push(&s->ret->frames, s->u.frame);
	}
}

/* go1.27+: vector registers of an asynchronously preempted goroutine (runtime/preempt_xreg.go). */
static void scan_vector_registers(struct scan *s)
{
	const struct gh_layout *layout = &s->rt->layout;
	gh_addr at = gh_field_or_zero(s->rt, s->g->addr, GH_F_g_xRegs);
	int32_t size = layout->struct_size[GH_S_xRegState];
	const uint8_t *p;

	if (!s->rt->release->scans_vector_registers || !at || size <= 0 ||
	    !(gh_field_or_zero(s->rt, s->g->addr, GH_F_g_asyncSafePoint) & 0xff))
		return;
	p = gh_image_at(s->rt->image, at, (uint64_t)size);
	for (int32_t i = 0; p && i + 8 <= size; i += 8)
		see(s, at + (uint32_t)i, gh_u64_at(p + i), NO_FRAME, /* conservative= */ true);
}

/* One defer record: its closure, its link, and itself if it lies in the heap. */
static void scan_defer(struct scan *s, gh_addr at, gh_addr record)
{
	const int32_t *offset = s->rt->layout.offset;
	uint64_t heap = gh_field_or_zero(s->rt, record, GH_F__defer_heap);

	see_pointer(s, record + (uint64_t)offset[GH_F__defer_fn]);
	see_pointer(s, record + (uint64_t)offset[GH_F__defer_link]);
	if (heap & 0xff)
		see_pointer(s, at);
}

static void scan_defers(struct scan *s)
{
	const struct gh_layout *layout = &s->rt->layout;
	gh_addr at = s->g->addr + (uint64_t)layout->offset[GH_F_g__defer];
	struct gh_ring ring = {0};
	gh_addr record = gh_goroutine_defer(s->rt, s->g);

	while (record && !s->nomem && !gh_ring_closes(&ring, record)) {
		scan_defer(s, at, record);
		at = record + (uint64_t)layout->offset[GH_F__defer_link];
		if (!gh_field(s->rt, record, GH_F__defer_link, &record))
			return;
	}
}

static int compare_object(const void *a, const void *b)
{
	gh_addr x = ((const struct stack_object *)a)->addr;
	gh_addr y = ((const struct stack_object *)b)->addr;

	return x < y ? -1 : x > y;
}

/* Walked from the innermost frame out, they come sorted; only damage needs the sort. */
static void index_objects(struct object_vec *objects)
{
	bool is_sorted = true;

	for (size_t i = 1; i < objects->len && is_sorted; i++)
		is_sorted = objects->data[i - 1].addr < objects->data[i].addr;
	if (!is_sorted)
		qsort(objects->data, objects->len, sizeof(*objects->data), compare_object);
}

static struct stack_object *find_object(const struct object_vec *objects, gh_addr addr)
{
	size_t lo = 0, hi = objects->len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (objects->data[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0 || addr - objects->data[lo - 1].addr >= objects->data[lo - 1].size)
		return NULL;
	return &objects->data[lo - 1];
}

static void scan_reg_args(struct scan *s, const struct stack_object *object, bool conservative)
{
	uint32_t first = s->u.uses_lr ? REG_ARGS_ARM64_PTRS : REG_ARGS_AMD64_PTRS;
	uint32_t n = s->u.uses_lr ? REG_ARGS_ARM64_NPTRS : REG_ARGS_AMD64_NPTRS;
	static const uint8_t all[] = {0xff, 0xff};

	see_block(s, object->addr + first * 8, n, all, object->frame, conservative);
}

/* An object so large that its mask is a program (up to go1.23). */
static void scan_program_object(struct scan *s, const struct stack_object *object,
				bool conservative)
{
	struct gh_rtype type = {
		.ptr_bytes = object->ptr_bytes, .gcdata = object->mask, .gc_program = true};
	uint64_t nwords = object->ptr_bytes / 8;
	uint64_t *words = gh_alloc_array(gh_bitmap_words(nwords), sizeof(*words));

	if (!words)
		s->nomem = true;
	else if (gh_rtype_mask(s->rt, &type, nwords, words))
		// little-endian: the words are the mask's bytes
		see_block(s, object->addr, nwords, (const uint8_t *)words, object->frame,
			  conservative);
	free(words);
}

static void scan_object(struct scan *s, const struct stack_object *object, bool conservative)
{
	uint64_t nwords = object->ptr_bytes / 8;
	const uint8_t *mask;

	if (!object->mask) {
		scan_reg_args(s, object, conservative);
		return;
	}
	if (object->is_program) {
		scan_program_object(s, object, conservative);
		return;
	}
	mask = nwords ? gh_image_at(s->rt->image, object->mask, (nwords + 7) / 8) : NULL;
	if (mask)
		see_block(s, object->addr, nwords, mask, object->frame, conservative);
}

/* Follow pointers to stack objects; precise ones first, so that objects are scanned so if possible.
 */
static void trace_objects(struct scan *s)
{
	struct gh_stack_scratch *scratch = s->scratch;

	index_objects(&scratch->objects);
	while (!s->nomem && scratch->precise.len + scratch->conservative.len) {
		bool conservative = scratch->precise.len == 0;
		struct gh_addr_vec *list = conservative ? &scratch->conservative : &scratch->precise;
		struct stack_object *object =
			find_object(&scratch->objects, list->data[--list->len]);

		if (!object || object->is_scanned)
			continue;
		object->is_scanned = true;
		scan_object(s, object, conservative);
	}
}

static bool reset(struct gh_stack_scan *scan)
{
	struct gh_stack_scan fresh = {
		.frames = scan->frames,
		.words = scan->words,
		.inner = scan->inner,
		.scratch = scan->scratch,
	};

	if (!fresh.scratch)
		fresh.scratch = calloc(1, sizeof(*fresh.scratch));
	if (!fresh.scratch)
		return false;
	fresh.frames.len = 0;
	fresh.words.len = 0;
	fresh.inner.len = 0;
	fresh.scratch->objects.len = 0;
	fresh.scratch->precise.len = 0;
	fresh.scratch->conservative.len = 0;
	fresh.scratch->conservative_words.len = 0;
	*scan = fresh;
	return true;
}

static void scan_stack(struct scan *s, const struct gh_stack_context *ctx)
{
	const struct gh_runtime *rt = s->rt;
	gh_addr panic = gh_goroutine_panic(rt, s->g);
	gh_addr sched = s->g->addr + (uint64_t)rt->layout.offset[GH_F_g_sched];

	see_pointer(s, sched + (uint64_t)rt->layout.offset[GH_F_gobuf_ctxt]);
	scan_vector_registers(s);
	if (ctx->start == GH_START_LOST)
		list_frames(s);
	else
		scan_frames(s, ctx);
	s->ret->end = s->u.end;
	// what no frame accounts for: all, or the rest where unwinding failed
	if (ctx->start == GH_START_LOST || s->u.end != GH_UNWIND_COMPLETE) {
		s->ret->whole_stack = true;
		see_range(s, s->unscanned, s->u.hi, NO_FRAME);
	}
	scan_defers(s);
	if (panic >= s->u.lo && panic < s->u.hi) // panics always lie on the stack
		see(s, 0, panic, NO_FRAME, /* conservative= */ false);
	trace_objects(s);
}

struct gh_error *gh_stack_scan(const struct gh_runtime *rt, const struct gh_goroutine *g,
			       struct gh_stack_scan *ret)
{
	struct scan s = {.rt = rt, .g = g, .ret = ret};
	struct gh_stack_context ctx;

	if (!reset(ret))
		return gh_error_nomem();
	s.scratch = ret->scratch;
	gh_stack_context(rt, g, &ctx);
	if (ctx.start == GH_START_NONE)
		return NULL;
	gh_unwinder_init(&s.u, rt, g->stack_lo, g->stack_hi, &ctx, &s.scratch->cache);
	s.unscanned = ctx.sp >= g->stack_lo && ctx.sp < g->stack_hi ? ctx.sp : g->stack_lo;
	ret->skipped =
		g->stack_lo >= g->stack_hi || gh_image_readable(rt->image, s.unscanned, 8) < 8;
	scan_stack(&s, &ctx);
	for (size_t i = 0; i < s.scratch->conservative_words.len && !s.nomem; i++)
		s.nomem =
			!gh_stack_word_vec_push(&ret->words, s.scratch->conservative_words.data[i]);
	return s.nomem ? gh_error_nomem() : NULL;
}

void gh_stack_scan_deinit(struct gh_stack_scan *scan)
{
	struct gh_stack_scratch *scratch = scan->scratch;

	gh_frame_vec_deinit(&scan->frames);
	gh_stack_word_vec_deinit(&scan->words);
	gh_stack_word_vec_deinit(&scan->inner);
	if (scratch) {
		object_vec_deinit(&scratch->objects);
		gh_addr_vec_deinit(&scratch->precise);
		gh_addr_vec_deinit(&scratch->conservative);
		gh_stack_word_vec_deinit(&scratch->conservative_words);
	}
	free(scratch);
	*scan = (struct gh_stack_scan){0};
}
