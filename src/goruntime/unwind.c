// SPDX-License-Identifier: Apache-2.0
// Unwinding goroutine stacks. See unwind.h and stack.h.
#include "goruntime/unwind.h"

#include <elf.h>

enum {
	MIN_FRAME_ARM64 = 8,	// sys.MinFrameSize: the caller's slot for LR
	PUSHED_CALL_ARM64 = 16, // what sigctxt.pushCall puts on the stack
	MAX_SIGNAL_FRAMES = 256,
	MAX_SIGNALS = 8,	      // nested handlers
	MAX_FOREIGN_STACK = 64 << 20, // of a thread: signal stacks are far smaller
	// struct ucontext above the frame of sigtramp (Linux, arch/*/include/uapi/asm)
	AMD64_UC_REGS = 40, // r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx
	AMD64_UC_NREGS = 15,
	AMD64_UC_RSP = 160,
	AMD64_UC_RIP = 168,
	AMD64_UC_FPSTATE = 224, // a pointer
	AMD64_UC_BYTES = 232,
	ARM64_SIGINFO_BYTES = 128, // lies before the ucontext
	ARM64_UC_REGS = 184,	   // x0 to x30
	ARM64_UC_NREGS = 31,
	ARM64_UC_SP = 432,
	ARM64_UC_PC = 440,
	ARM64_UC_RESERVED = 464, // records; the first is struct fpsimd_context
	ARM64_FPSIMD_MAGIC = 0x46508001,
	ARM64_FPSIMD_VREGS = 16,
	ARM64_FPSIMD_BYTES = 32 * 16,
	ARM64_UC_BYTES = ARM64_UC_RESERVED + ARM64_FPSIMD_VREGS + ARM64_FPSIMD_BYTES,
	ARM64_LR = 30,
};

static bool is_arm64(const struct gh_runtime *rt)
{
	return rt->target->machine == EM_AARCH64;
}

const uint8_t *gh_unwinder_bytes(const struct gh_unwinder *u, gh_addr addr, uint64_t len)
{
	if (addr < u->lo || addr > u->hi || len > u->hi - addr)
		return NULL;
	return u->host ? u->host + (addr - u->lo) : gh_image_at(u->rt->image, addr, len);
}

static bool stack_word(const struct gh_unwinder *u, gh_addr addr, uint64_t *ret)
{
	const uint8_t *p = gh_unwinder_bytes(u, addr, 8);

	if (p)
		*ret = gh_u64_at(p);
	return p != NULL;
}

static bool lookup(const struct gh_runtime *rt, gh_addr pc, struct gh_pc_entry *ret)
{
	ret->pc = pc;
	ret->map_index = INT32_MIN;
	ret->sp_delta = -1;
	if (!gh_func_find(rt, pc, &ret->func))
		return false;
	if (!gh_func_pcvalue(rt, &ret->func, ret->func.pcsp, pc, &ret->sp_delta))
		ret->sp_delta = -1;
	return true;
}

static struct gh_pc_entry *cache_slot(const struct gh_unwinder *u, gh_addr pc)
{
	uint64_t hash = pc * 0x9e3779b97f4a7c15ULL;

	return &u->cache->entries[hash >> 54 & (GH_PC_CACHE_ENTRIES - 1)];
}

/* Function of pc and its stack pointer delta; false when no function holds pc. */
static bool find_pc(const struct gh_unwinder *u, gh_addr pc, struct gh_func *func,
		    int32_t *sp_delta)
{
	struct gh_pc_entry one, *entry = &one;

	if (pc == 0)
		return false;
	if (u->cache)
		entry = cache_slot(u, pc);
	if (entry == &one || entry->pc != pc) {
		if (!lookup(u->rt, pc, entry)) {
			entry->pc = 0;
			return false;
		}
	}
	*func = entry->func;
	*sp_delta = entry->sp_delta;
	return true;
}

static int32_t map_index_at(const struct gh_runtime *rt, const struct gh_func *func, gh_addr pc)
{
	int32_t index;

	// at entry, or in the prologue, the first map holds
	if (pc == func->entry ||
	    !gh_func_pcdata(rt, func, GH_PCDATA_STACK_MAP_INDEX, pc - 1, &index) || index == -1)
		return 0;
	return index;
}

int32_t gh_unwinder_map_index(struct gh_unwinder *u)
{
	const struct gh_frame *f = &u->frame;
	struct gh_pc_entry *entry = u->cache ? cache_slot(u, f->pc) : NULL;

	if (!entry || f->contpc != f->pc || entry->pc != f->pc)
		return map_index_at(u->rt, &f->func, f->contpc);
	if (entry->map_index == INT32_MIN)
		entry->map_index = map_index_at(u->rt, &f->func, f->pc);
	return entry->map_index;
}

static void finish(struct gh_unwinder *u, enum gh_unwind_end end)
{
	u->valid = false;
	u->end = end;
}

/* The return pc of a frame that was not told one; false when it cannot be read. */
static bool find_return(const struct gh_unwinder *u, struct gh_frame *f, bool innermost)
{
	uint8_t flag = f->func.flag;

	// on every way through it the frame of cgocallback can be unwound (runtime/traceback.go)
	if (f->func.id == GH_FUNC_CGOCALLBACK)
		flag &= (uint8_t)~GH_FUNC_FLAG_SP_WRITE;
	if ((flag & GH_FUNC_FLAG_TOP_FRAME) || ((flag & GH_FUNC_FLAG_SP_WRITE) && !innermost)) {
		f->lr = 0;
		return true;
	}
	if (u->uses_lr) {
		if (!((innermost && f->sp < f->fp) || f->lr == 0))
			return true;
		return stack_word(u, f->sp, &f->lr);
	}
	return f->lr != 0 || stack_word(u, f->fp - 8, &f->lr);
}

/* Fill in the rest of a frame whose function, pc and sp (and lr of the innermost) are known. */
static void resolve(struct gh_unwinder *u, int32_t sp_delta, bool innermost)
{
	struct gh_frame *f = &u->frame;

	if (f->func.pcsp == 0 || sp_delta < 0) {
		finish(u, GH_UNWIND_NO_FUNC); // no frame information: foreign code
		return;
	}
	f->fp = f->sp + (uint32_t)sp_delta + (u->uses_lr ? 0 : 8);
	if (f->sp < u->lo || f->fp < f->sp || f->fp > u->hi || f->sp % 8 || sp_delta % 8) {
		finish(u, GH_UNWIND_BAD_SP);
		return;
	}
	if (!find_return(u, f, innermost)) {
		finish(u, GH_UNWIND_UNREADABLE);
		return;
	}
	f->varp = u->uses_lr ? f->fp : f->fp - 8;
	if (f->varp > f->sp)
		f->varp -= 8; // the saved frame pointer
	f->argp = f->fp + (u->uses_lr ? MIN_FRAME_ARM64 : 0);
	f->contpc = f->pc;
	// where a frame that trapped goes on: at its deferreturn call, or never
	if (u->callee == GH_FUNC_SIGPANIC)
		f->contpc = f->func.deferreturn ? f->func.entry + f->func.deferreturn + 1 : 0;
	f->sym_pc = !u->trap && f->pc > f->func.entry ? f->pc - 1 : f->pc;
	u->valid = true;
}

/* A call of nil, or of something that is no code: begin in the caller. */
static bool begin_in_caller(struct gh_unwinder *u, int32_t *sp_delta)
{
	struct gh_frame *f = &u->frame;

	if (!stack_word(u, f->sp, &f->pc))
		return false;
	f->lr = 0;
	if (!u->uses_lr)
		f->sp += 8;
	return find_pc(u, f->pc, &f->func, sp_delta);
}

void gh_unwinder_init(struct gh_unwinder *u, const struct gh_runtime *rt, gh_addr lo, gh_addr hi,
		      const struct gh_stack_context *ctx, struct gh_pc_cache *cache)
{
	int32_t sp_delta;

	*u = (struct gh_unwinder){
		.rt = rt,
		.cache = cache,
		.lo = lo,
		.hi = hi,
		.frame = {.pc = ctx->pc, .sp = ctx->sp},
		.uses_lr = is_arm64(rt),
		.trap = ctx->start == GH_START_TRAP,
	};
	if (ctx->sp < lo || ctx->sp > hi) {
		finish(u, GH_UNWIND_BAD_SP);
		return;
	}
	u->host = gh_image_at(rt->image, lo, hi - lo);
	if (u->uses_lr)
		u->frame.lr = ctx->lr;
	if (!find_pc(u, ctx->pc, &u->frame.func, &sp_delta) &&
	    !((ctx->pc == 0 || u->trap) && begin_in_caller(u, &sp_delta))) {
		finish(u, GH_UNWIND_NO_FUNC);
		return;
	}
	resolve(u, sp_delta, /* innermost= */ true);
}

static bool is_injected_call(enum gh_func_id id)
{
	return id == GH_FUNC_SIGPANIC || id == GH_FUNC_ASYNC_PREEMPT || id == GH_FUNC_DEBUG_CALL;
}

/* arm64: the signal handler pushed LR before it faked a call. */
static bool pop_pushed_lr(struct gh_unwinder *u, int32_t *sp_delta)
{
	struct gh_frame *f = &u->frame;
	uint64_t pushed;

	if (!stack_word(u, f->sp, &pushed))
		return false;
	f->sp += PUSHED_CALL_ARM64;
	if (*sp_delta == 0)
		f->lr = pushed;
	return true;
}

void gh_unwinder_next(struct gh_unwinder *u)
{
	struct gh_frame *f = &u->frame;
	struct gh_frame caller = {.pc = f->lr, .sp = f->fp, .index = f->index + 1};
	bool injected = is_injected_call(f->func.id);
	int32_t sp_delta;

	if (!u->valid)
		return;
	if (f->lr == 0) {
		finish(u, f->func.flag & GH_FUNC_FLAG_TOP_FRAME ? GH_UNWIND_COMPLETE
								: GH_UNWIND_NO_FUNC);
		return;
	}
	if (!find_pc(u, f->lr, &caller.func, &sp_delta)) {
		finish(u, GH_UNWIND_NO_FUNC);
		return;
	}
	if (f->pc == f->lr && f->sp == f->fp) { // no way on
		finish(u, GH_UNWIND_BAD_SP);
		return;
	}
	u->trap = injected;
	u->callee = f->func.id;
	*f = caller;
	if (u->uses_lr && injected && !pop_pushed_lr(u, &sp_delta)) {
		finish(u, GH_UNWIND_UNREADABLE);
		return;
	}
	resolve(u, sp_delta, /* innermost= */ false);
}

/* The state of a thread, or what a signal handler of it interrupted. */
static void context_of_thread(const struct gh_runtime *rt, const struct gh_thread *thread,
			      struct gh_stack_context *ret)
{
	// amd64: r15 to rdi, then orig_rax, rip, …; arm64: x0 to x30, sp, pc
	uint32_t n = is_arm64(rt) ? ARM64_UC_NREGS : AMD64_UC_NREGS;

	*ret = (struct gh_stack_context){
		.start = GH_START_TRAP, .pc = thread->pc, .sp = thread->sp};
	ret->nregs = (uint32_t)gh_min_u64(n, thread->nregs);
	memcpy(ret->regs, thread->regs, ret->nregs * sizeof(ret->regs[0]));
	ret->nvectors = thread->nvectors;
	memcpy(ret->vectors, thread->vectors, sizeof(ret->vectors));
	if (is_arm64(rt) && ret->nregs > ARM64_LR)
		ret->lr = ret->regs[ARM64_LR];
}

/* Vector registers as the kernel saved them for a signal (struct sigcontext of Linux). */
static void vectors_of_signal(const struct gh_runtime *rt, const uint8_t *ucontext,
			      struct gh_stack_context *ret)
{
	bool arm = is_arm64(rt);
	uint64_t len = arm ? ARM64_FPSIMD_BYTES : GH_AMD64_XSAVE_BYTES - GH_AMD64_XMM;
	const uint8_t *p = NULL;

	if (!arm) {
		gh_addr fpstate = gh_u64_at(ucontext + AMD64_UC_FPSTATE);

		p = gh_image_at(rt->image, fpstate + GH_AMD64_XMM, len);
	} else if (gh_u32_at(ucontext + ARM64_UC_RESERVED) == ARM64_FPSIMD_MAGIC) {
		p = ucontext + ARM64_UC_RESERVED + ARM64_FPSIMD_VREGS;
	}
	if (!p)
		return;
	ret->nvectors = (uint32_t)(len / 8);
	memcpy(ret->vectors, p, len);
}

static bool context_of_signal(const struct gh_runtime *rt, gh_addr sigtramp_fp,
			      struct gh_stack_context *ret)
{
	bool arm = is_arm64(rt);
	gh_addr uc = sigtramp_fp + (arm ? ARM64_SIGINFO_BYTES : 0);
	const uint8_t *p = gh_image_at(rt->image, uc, arm ? ARM64_UC_BYTES : AMD64_UC_BYTES);

	if (!p)
		return false;
	*ret = (struct gh_stack_context){
		.start = GH_START_TRAP,
		.pc = gh_u64_at(p + (arm ? ARM64_UC_PC : AMD64_UC_RIP)),
		.sp = gh_u64_at(p + (arm ? ARM64_UC_SP : AMD64_UC_RSP)),
		.from_signal = true,
		.nregs = arm ? ARM64_UC_NREGS : AMD64_UC_NREGS,
	};
	memcpy(ret->regs, p + (arm ? ARM64_UC_REGS : AMD64_UC_REGS),
	       ret->nregs * sizeof(ret->regs[0]));
	if (arm)
		ret->lr = ret->regs[ARM64_LR];
	vectors_of_signal(rt, p, ret);
	return true;
}

static bool is_function(const struct gh_runtime *rt, const struct gh_func *func, const char *name)
{
	const char *s = gh_func_name(rt, func);

	return s && strcmp(s, name) == 0;
}

/* The code that ends a handler: Go's own, or libc's in programs with cgo (mov $15, %rax; syscall).
 */
static bool is_sigreturn(const struct gh_runtime *rt, gh_addr pc)
{
	static const uint8_t restorer[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
	enum { SYSCALL_AT = 7 };
	struct gh_func func;
	const uint8_t *p;

	if (gh_func_find(rt, pc, &func))
		return is_function(rt, &func, "runtime.sigreturn__sigaction");
	if (is_arm64(rt))
		return false;
	p = gh_image_at(rt->image, pc, sizeof(restorer));
	if (p && memcmp(p, restorer, sizeof(restorer)) == 0)
		return true;
	p = gh_image_at(rt->image, pc - SYSCALL_AT, sizeof(restorer));
	return p && memcmp(p, restorer, sizeof(restorer)) == 0;
}

static bool is_sigtramp(const struct gh_runtime *rt, const struct gh_func *func)
{
	return is_function(rt, func, "runtime.sigtramp") ||
	       is_function(rt, func, "runtime.cgoSigtramp");
}

/* Unwind a foreign stack (gsignal's) up to the signal handler's entry; false when there is none. */
static bool find_sigtramp(const struct gh_runtime *rt, const struct gh_stack_context *from,
			  struct gh_stack_context *ret)
{
	uint64_t bytes = gh_image_readable(rt->image, from->sp, MAX_FOREIGN_STACK);
	struct gh_unwinder u;

	if (is_sigreturn(rt, from->pc)) // has popped its own address
		return context_of_signal(rt, from->sp, ret);
	gh_unwinder_init(&u, rt, from->sp, from->sp + bytes, from, NULL);
	for (int i = 0; u.valid && i < MAX_SIGNAL_FRAMES; i++, gh_unwinder_next(&u))
		if (is_sigtramp(rt, &u.frame.func))
			return context_of_signal(rt, u.frame.fp, ret);
	return false;
}

/* What a signal handler interrupted; the handler itself may be in the vDSO. */
static bool leave_signal(const struct gh_runtime *rt, gh_addr m, struct gh_stack_context *ctx)
{
	struct gh_stack_context vdso = {.start = GH_START_SAFEPOINT,
					.pc = gh_field_or_zero(rt, m, GH_F_m_vdsoPC),
					.sp = gh_field_or_zero(rt, m, GH_F_m_vdsoSP)};

	return find_sigtramp(rt, ctx, ctx) || (vdso.sp > ctx->sp && find_sigtramp(rt, &vdso, ctx));
}

void gh_thread_context(const struct gh_runtime *rt, const struct gh_thread *thread, gh_addr m,
		       struct gh_stack_context *ret)
{
	context_of_thread(rt, thread, ret);
	for (int i = 0; i < MAX_SIGNALS && leave_signal(rt, m, ret); i++)
		;
}

static bool on_stack(const struct gh_goroutine *g, gh_addr sp)
{
	return sp > g->stack_lo && sp < g->stack_hi;
}

/* The thread is in the vDSO, on g0's stack: it left word in its m (runtime/sys_linux_*.s). */
static bool context_of_vdso(const struct gh_runtime *rt, const struct gh_goroutine *g, gh_addr m,
			    struct gh_stack_context *ret)
{
	gh_addr sp = gh_field_or_zero(rt, m, GH_F_m_vdsoSP);

	if (!on_stack(g, sp))
		return false;
	*ret = (struct gh_stack_context){.start = GH_START_SAFEPOINT,
					 .pc = gh_field_or_zero(rt, m, GH_F_m_vdsoPC),
					 .sp = sp};
	return true;
}

static gh_addr sched_lr(const struct gh_runtime *rt, const struct gh_goroutine *g)
{
	if (!is_arm64(rt)) // return addresses are on the stack
		return 0;
	return gh_field_or_zero(rt, g->addr + (uint64_t)rt->layout.offset[GH_F_g_sched],
				GH_F_gobuf_lr);
}

/* No registers: they take a kilobyte, and are not looked at beyond their number. */
static void begin(struct gh_stack_context *ctx, enum gh_stack_start start)
{
	ctx->start = start;
	ctx->pc = ctx->sp = ctx->lr = 0;
	ctx->is_syscall = ctx->from_signal = false;
	ctx->nregs = ctx->nvectors = 0;
}

static void context_saved(const struct gh_runtime *rt, const struct gh_goroutine *g,
			  struct gh_stack_context *ret)
{
	begin(ret, GH_START_SAFEPOINT);
	if (g->in_syscall) {
		ret->pc = gh_field_or_zero(rt, g->addr, GH_F_g_syscallpc);
		ret->sp = gh_field_or_zero(rt, g->addr, GH_F_g_syscallsp);
		ret->is_syscall = true;
		return;
	}
	ret->pc = g->sched_pc;
	ret->sp = g->sched_sp;
	ret->lr = sched_lr(rt, g);
}

/* gogo has switched to the goroutine's stack but not jumped yet: its saved pc is the truth. */
static void leave_gogo(const struct gh_runtime *rt, const struct gh_goroutine *g,
		       struct gh_stack_context *ctx)
{
	struct gh_func func;

	if (!gh_func_find(rt, ctx->pc, &func) || !(func.flag & GH_FUNC_FLAG_SP_WRITE) ||
	    !is_function(rt, &func, "runtime.gogo"))
		return;
	ctx->start = GH_START_SAFEPOINT;
	ctx->pc = g->sched_pc;
	ctx->lr = sched_lr(rt, g);
	ctx->nregs = 0;
	ctx->nvectors = 0;
}

static void context_running(const struct gh_runtime *rt, const struct gh_goroutine *g,
			    struct gh_stack_context *ret)
{
	const struct gh_thread *thread = gh_goroutine_thread(rt, g);
	gh_addr m = gh_field_or_zero(rt, g->addr, GH_F_g_m);

	if (!thread) {
		// between two states: its m does not claim it, so what was saved still holds
		if (m && gh_field_or_zero(rt, m, GH_F_m_curg) != g->addr &&
		    on_stack(g, g->sched_sp))
			context_saved(rt, g, ret);
		return;
	}
	context_of_thread(rt, thread, ret);
	for (int i = 0; i < MAX_SIGNALS; i++) {
		if (on_stack(g, ret->sp)) {
			leave_gogo(rt, g, ret);
			return;
		}
		if (!leave_signal(rt, m, ret))
			break;
	}
	// not on its own stack: in the vDSO, or on g0 after systemstack, mcall, morestack, cgo
	if (context_of_vdso(rt, g, m, ret))
		return;
	if (on_stack(g, g->sched_sp))
		context_saved(rt, g, ret);
	else
		begin(ret, GH_START_LOST);
}

void gh_stack_context(const struct gh_runtime *rt, const struct gh_goroutine *g,
		      struct gh_stack_context *ret)
{
	begin(ret, GH_START_NONE);
	switch (g->status) {
	case GH_G_IDLE:
	case GH_G_DEAD:
	case GH_G_DEADEXTRA:
		return;
	case GH_G_RUNNING:
		ret->start = GH_START_LOST;
		if (g->in_syscall) // just entering or leaving a system call
			context_saved(rt, g, ret);
		else
			context_running(rt, g, ret);
		return;
	case GH_G_COPYSTACK:
		// the frames may be in flight; pc and sp of the old stack serve to show them
		context_saved(rt, g, ret);
		ret->start = GH_START_LOST;
		return;
	case GH_G_RUNNABLE:
	case GH_G_SYSCALL:
	case GH_G_WAITING:
	case GH_G_PREEMPTED:
	case GH_G_LEAKED:
		break;
	}
	context_saved(rt, g, ret);
}

void gh_stack_prefetch(const struct gh_runtime *rt, const struct gh_goroutine *g)
{
	enum { LINE = 64, LINES = 8 }; // of the innermost frames
	gh_addr sp = g->sched_sp; // those in system calls are few
	const char *host = !gh_goroutine_is_dead(g) && on_stack(g, sp)
				   ? gh_image_at(rt->image, sp, 8)
				   : NULL;

	for (uint64_t at = 0; host && at < LINE * LINES && at < g->stack_hi - sp; at += LINE)
		__builtin_prefetch(host + at);
}

struct gh_error *gh_stack_unwind(const struct gh_runtime *rt, const struct gh_goroutine *g,
				 struct gh_frame_vec *ret, enum gh_unwind_end *end_ret)
{
	struct gh_stack_context ctx;
	struct gh_unwinder u;
	size_t n = 0;

	*end_ret = GH_UNWIND_COMPLETE;
	gh_stack_context(rt, g, &ctx);
	if (ctx.start == GH_START_NONE)
		return NULL;
	gh_unwinder_init(&u, rt, g->stack_lo, g->stack_hi, &ctx, NULL);
	for (; u.valid; gh_unwinder_next(&u)) {
		if (n++ == GH_STACK_FRAMES_MAX) {
			*end_ret = GH_UNWIND_TOO_DEEP;
			return NULL;
		}
		if (!gh_frame_vec_push(ret, u.frame))
			return gh_error_nomem();
	}
	*end_ret = u.end;
	return NULL;
}
