// SPDX-License-Identifier: Apache-2.0
// In which system call a thread stands, by its registers and the instruction there. See thread.h.
#include <elf.h>
#include <errno.h>

#include "goruntime/syscalls.h"
#include "goruntime/thread.h"

enum {
	MAX_SYSCALL = 1024,
	SYSCALL_BYTES = 2,
	BEFORE_SYSCALL = 16, // bytes in which its number is loaded
	SVC = 0xd4000001,    // svc #0 (arm64)
	SVC_BYTES = 4,
	ARM64_NUMBER = 8, // x8; arguments are in x0 to x5
};

/* Places of registers in struct user_regs_struct and in struct sigcontext (amd64). */
struct places {
	uint8_t rax, args[GH_SYSCALL_ARGS]; // rdi, rsi, rdx, r10, r8, r9
};
static const struct places of_thread = {10, {14, 13, 12, 7, 9, 8}};
static const struct places of_signal = {13, {8, 9, 12, 2, 0, 1}};
enum { ORIG_RAX = 15 }; // of a thread

static bool is_syscall_at(const struct gh_runtime *rt, gh_addr pc, bool otherwise)
{
	const uint8_t *p = gh_image_at(rt->image, pc, SYSCALL_BYTES);

	return p ? p[0] == 0x0f && p[1] == 0x05 : otherwise;
}

/* The constant that is loaded into eax before the system call at pc. */
static bool loaded_number(const struct gh_runtime *rt, gh_addr pc, uint64_t *ret)
{
	const uint8_t *p = gh_image_at(rt->image, pc - BEFORE_SYSCALL, BEFORE_SYSCALL);

	for (int i = BEFORE_SYSCALL - 5; p && i >= 0; i--) {
		uint32_t number = gh_u32_at(p + i + 1);

		if (p[i] == 0xb8 && number < MAX_SYSCALL) { // mov $n, %eax
			*ret = number;
			return true;
		}
		if (i >= 2 && p[i] == 0xc0 && p[i - 1] == 0xc7 && number < MAX_SYSCALL) {
			*ret = number; // mov $n, %rax
			return true;
		}
	}
	return false;
}

/*
 * A handler returns to the system call (then rax is its number again), or behind it with EINTR or, of
 * a goroutine that is in a system call, with what was done so far (then the number is lost but where
 * code has it as a constant).
 */
static bool number_of_signal(const struct gh_runtime *rt, const struct gh_stack_context *ctx,
			     const struct gh_mthread *t, bool *known_ret, uint64_t *ret)
{
	bool calls = t->goroutine && t->goroutine->status == GH_G_SYSCALL;
	uint64_t rax = ctx->regs[of_signal.rax];

	*known_ret = true;
	if (is_syscall_at(rt, ctx->pc, false) && rax < MAX_SYSCALL) {
		*ret = rax;
		return true;
	}
	if (!is_syscall_at(rt, ctx->pc - SYSCALL_BYTES, false) ||
	    (rax != (uint64_t)-EINTR && !calls))
		return false;
	*known_ret = loaded_number(rt, ctx->pc - SYSCALL_BYTES, ret);
	return true;
}

static void call_on_amd64(const struct gh_runtime *rt, const struct gh_stack_context *ctx,
			  struct gh_mthread *t)
{
	const struct places *places = ctx->from_signal ? &of_signal : &of_thread;
	uint64_t number = 0;
	bool known = true;

	if (ctx->from_signal) {
		t->is_in_kernel = number_of_signal(rt, ctx, t, &known, &number);
	} else {
		number = t->thread->nregs > ORIG_RAX ? t->thread->regs[ORIG_RAX] : UINT64_MAX;
		t->is_in_kernel = number < MAX_SYSCALL &&
				  is_syscall_at(rt, ctx->pc - SYSCALL_BYTES, true);
	}
	if (!t->is_in_kernel)
		return;
	if (known)
		t->call = gh_syscall_name(rt->target->machine, number);
	for (size_t i = 0; i < GH_SYSCALL_ARGS; i++)
		t->args[i] = ctx->regs[places->args[i]];
}

static bool is_svc_at(const struct gh_runtime *rt, gh_addr pc)
{
	const uint8_t *p = gh_image_at(rt->image, pc, SVC_BYTES);

	return p && gh_u32_at(p) == SVC;
}

/*
 * The kernel lets a call that it interrupts begin again: pc is back at the instruction, x0 the
 * first argument again (arch/arm64/kernel/signal.c, do_signal). One that ends with EINTR has x0
 * lost.
 */
static void call_on_arm64(const struct gh_runtime *rt, const struct gh_stack_context *ctx,
			  struct gh_mthread *t)
{
	bool again, interrupted;

	if (ctx->nregs <= ARM64_NUMBER || ctx->regs[ARM64_NUMBER] >= MAX_SYSCALL)
		return;
	again = is_svc_at(rt, ctx->pc);
	interrupted = !again && is_svc_at(rt, ctx->pc - SVC_BYTES) &&
		      ctx->regs[0] == (uint64_t)-EINTR;
	t->is_in_kernel = again || interrupted;
	if (!t->is_in_kernel)
		return;
	t->call = gh_syscall_name(rt->target->machine, ctx->regs[ARM64_NUMBER]);
	for (size_t i = 0; i < GH_SYSCALL_ARGS; i++)
		t->args[i] = ctx->regs[i];
	if (interrupted)
		t->args[0] = UINT64_MAX;
}

void gh_thread_call(const struct gh_runtime *rt, const struct gh_stack_context *ctx,
		    struct gh_mthread *t)
{
	if (!ctx->nregs)
		return;
	if (rt->target->machine == EM_X86_64)
		call_on_amd64(rt, ctx, t);
	else if (rt->target->machine == EM_AARCH64)
		call_on_arm64(rt, ctx, t);
}
