// SPDX-License-Identifier: Apache-2.0
// The process as a whole. See process.h.
#include "goruntime/process.h"

#include <signal.h>

#include "goruntime/rtype.h"
#include "goruntime/stack.h"

enum {
	MAX_ARGS = 4096,
	MAX_ARG_BYTES = 4096,
	MAX_THROW_BYTES = 512,
	MAX_THROW_FRAME = 4096, // bytes of a frame of runtime.throw
	MAX_SYSTEM_STACK = 256 << 10,
	NEAR_THROW = 256,      // bytes above a return into throw that are its frame
	MAX_THREADS = 1 << 20, // of a list that may be damaged
};

static gh_addr field_addr(const struct gh_runtime *rt, enum gh_layout_var var,
			  enum gh_layout_field field)
{
	if (!rt->var[var] || !gh_has(&rt->layout, field))
		return 0;
	return rt->var[var] + (uint64_t)rt->layout.offset[field];
}

/* A nanotime can be believed if it lies after the start and within a century of it. */
static bool is_nanotime(int64_t start, int64_t t)
{
	return t > 0 && t >= start && t - start < 100LL * 365 * 86400 * 1000000000;
}

static int64_t start_time(const struct gh_runtime *rt)
{
	uint64_t start = 0;

	if (rt->var[GH_V_runtimeInitTime])
		gh_read_u64(rt->image, rt->var[GH_V_runtimeInitTime], &start);
	return (int64_t)start;
}

bool gh_process_now(const struct gh_runtime *rt, int64_t *ret)
{
	// the scheduler stamps these as it goes; lastpoll is 0 while a thread sits in the poller
	const gh_addr places[] = {
		field_addr(rt, GH_V_sched, GH_F_sched_lastpoll),
		field_addr(rt, GH_V_sched, GH_F_sched_procresizetime),
		field_addr(rt, GH_V_memstats, GH_F_mstats_last_gc_nanotime),
		rt->var[GH_V_runtimeInitTime],
	};
	int64_t start = start_time(rt), latest = 0;

	if (rt->target->has_clock) {
		*ret = (int64_t)rt->target->clock_ns;
		return true;
	}
	if (start <= 0)
		return false;
	for (size_t i = 0; i < GH_ARRAY_SIZE(places); i++) {
		uint64_t word;

		if (places[i] && gh_read_u64(rt->image, places[i], &word) &&
		    is_nanotime(start, (int64_t)word) && (int64_t)word > latest)
			latest = (int64_t)word;
	}
	*ret = latest;
	return latest > 0;
}

static void read_phase(const struct gh_runtime *rt, struct gh_process *ret)
{
	static const char *const phases[] = {"off", "mark", "mark termination"};
	uint32_t phase;

	if (!rt->var[GH_V_gcphase] || !gh_read_u32(rt->image, rt->var[GH_V_gcphase], &phase) ||
	    phase >= GH_ARRAY_SIZE(phases))
		return;
	ret->gc_phase = phases[phase];
	ret->has_gc_phase = true;
}

void gh_process_read(const struct gh_runtime *rt, struct gh_process *ret)
{
	gh_addr percent = field_addr(rt, GH_V_gcController, GH_F_gcController_gcPercent);
	gh_addr limit = field_addr(rt, GH_V_gcController, GH_F_gcController_memoryLimit);
	int64_t start = start_time(rt), now;
	uint64_t word;
	uint32_t half;

	*ret = (struct gh_process){0};
	if (rt->var[GH_V_gomaxprocs] && gh_read_u32(rt->image, rt->var[GH_V_gomaxprocs], &half)) {
		ret->gomaxprocs = half;
		ret->has_gomaxprocs = true;
	}
	if (percent && gh_read_u32(rt->image, percent, &half)) {
		ret->gogc = (int32_t)half;
		ret->has_gogc = true;
	}
	if (limit && gh_read_u64(rt->image, limit, &word)) {
		ret->memory_limit = (int64_t)word;
		ret->has_memory_limit = true;
	}
	if (start > 0 && gh_process_now(rt, &now)) {
		ret->uptime_ns = now - start;
		ret->has_uptime = true;
	}
	read_phase(rt, ret);
}

bool gh_process_string(const struct gh_runtime *rt, gh_addr addr, struct gh_strbuf *sb)
{
	uint64_t data, len;
	const char *p;

	if (!gh_read_u64(rt->image, addr, &data) || !gh_read_u64(rt->image, addr + 8, &len))
		return false;
	if (len == 0)
		return true;
	p = gh_image_at(rt->image, data, gh_min_u64(len, MAX_ARG_BYTES));
	if (!p)
		return false;
	gh_strbuf_add(sb, p, strnlen(p, gh_min_u64(len, MAX_ARG_BYTES)));
	if (len > MAX_ARG_BYTES)
		gh_strbuf_puts(sb, "…");
	return true;
}

static bool is_plain(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "@%+=:,./_-";

	return *word && word[strspn(word, plain)] == '\0';
}

static void put_quoted(struct gh_strbuf *sb, const char *word)
{
	if (is_plain(word)) {
		gh_strbuf_puts(sb, word);
		return;
	}
	gh_strbuf_putc(sb, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			gh_strbuf_puts(sb, "'\\'");
		gh_strbuf_putc(sb, *word);
	}
	gh_strbuf_putc(sb, '\'');
}

bool gh_process_args(const struct gh_runtime *rt, struct gh_strbuf *sb)
{
	struct gh_slice args;

	if (!rt->var[GH_V_argslice] || !gh_read_slice(rt->image, rt->var[GH_V_argslice], &args) ||
	    args.len == 0 || args.len > MAX_ARGS)
		return false;
	for (uint64_t i = 0; i < args.len; i++) {
		struct gh_strbuf word = {0};
		bool readable = gh_process_string(rt, args.data + i * 16, &word);

		if (i)
			gh_strbuf_putc(sb, ' ');
		put_quoted(sb, readable ? gh_strbuf_str(&word) : "?");
		gh_strbuf_deinit(&word);
		if (!readable && i == 0)
			return false;
	}
	return true;
}

static bool is_dying(const struct gh_runtime *rt, gh_addr m)
{
	return gh_field_or_zero(rt, m, GH_F_m_dying) || gh_field_or_zero(rt, m, GH_F_m_throwing);
}

bool gh_signal_is_fatal(uint32_t signal)
{
	switch (signal) {
	case SIGABRT:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGQUIT:
	case SIGSEGV:
	case SIGSYS:
	case SIGXCPU:
	case SIGXFSZ:
		return true;
	default:
		return false;
	}
}

/* The M that was dying or throwing; else, after a fatal signal, that of the thread that got it. */
static gh_addr crashing_m(const struct gh_runtime *rt)
{
	const struct gh_target *target = rt->target;
	gh_addr m = 0, dying = 0, signalled = 0;
	uint32_t tid = target->threads.len ? target->threads.data[0].tid : 0;

	if (!rt->var[GH_V_allm])
		return 0;
	gh_read_u64(rt->image, rt->var[GH_V_allm], &m);
	for (int i = 0; m && i < MAX_THREADS; i++) {
		bool is_first = tid && gh_field_or_zero(rt, m, GH_F_m_procid) == tid;

		if (is_dying(rt, m) && (!dying || is_first))
			dying = m;
		if (is_first)
			signalled = m;
		m = gh_field_or_zero(rt, m, GH_F_m_alllink);
	}
	return dying ? dying : gh_signal_is_fatal(target->signal) ? signalled : 0;
}

gh_addr gh_process_crashing_g(const struct gh_runtime *rt)
{
	gh_addr m = crashing_m(rt);

	return m ? gh_field_or_zero(rt, m, GH_F_m_curg) : 0;
}

/* The value behind a data word, for the kinds that print as themselves. */
static bool put_value(const struct gh_runtime *rt, const struct gh_rtype *type, gh_addr data,
		      struct gh_strbuf *sb)
{
	uint64_t size = type->size, word;
	const void *p;

	if (type->kind == GH_KIND_STRING)
		return gh_process_string(rt, data, sb);
	if (type->kind < GH_KIND_BOOL || type->kind > GH_KIND_UINTPTR || size > 8 || size == 0)
		return false;
	p = gh_image_at(rt->image, data, size);
	if (!p)
		return false;
	word = size == 8   ? gh_u64_at(p)
	       : size == 4 ? gh_u32_at(p)
	       : size == 2 ? gh_u16_at(p)
			   : *(const uint8_t *)p;
	if (type->kind == GH_KIND_BOOL)
		gh_strbuf_puts(sb, word ? "true" : "false");
	else if (type->kind <= GH_KIND_INT64)
		gh_strbuf_printf(
			sb, "%lld",
			(long long)((int64_t)(word << (64 - 8 * size)) >> (64 - 8 * size)));
	else
		gh_strbuf_printf(sb, "%llu", (unsigned long long)word);
	return true;
}

bool gh_process_panic(const struct gh_runtime *rt, gh_addr g, bool with_value, struct gh_strbuf *sb)
{
	gh_addr panic = gh_field_or_zero(rt, g, GH_F_g__panic);
	struct gh_strbuf value = {0};
	struct gh_rtype type;
	gh_addr arg;
	uint64_t words[2];

	if (!panic || !gh_has(&rt->layout, GH_F__panic_arg) ||
	    gh_field_or_zero(rt, panic, GH_F__panic_goexit))
		return false;
	arg = panic + (uint64_t)rt->layout.offset[GH_F__panic_arg];
	if (!gh_read_u64(rt->image, arg, &words[0]) || !gh_read_u64(rt->image, arg + 8, &words[1]))
		return false;
	if (words[0] == 0) {
		gh_strbuf_puts(sb, "nil");
		return true;
	}
	if (!gh_rtype_read(rt, words[0], &type))
		return false;
	gh_rtype_name(rt, words[0], sb);
	// preprintpanics (panic.go) has replaced errors and Stringers by their text
	if (with_value && put_value(rt, &type, words[1], &value))
		gh_strbuf_printf(sb, ": %s", gh_strbuf_str(&value));
	gh_strbuf_deinit(&value);
	return true;
}

/* Is it a constant of the executable that reads as a sentence? */
static const char *constant_text(const struct gh_runtime *rt, gh_addr data, uint64_t len)
{
	const struct gh_region *region = gh_image_region(rt->image, data);
	const char *p;

	if (len < 2 || len > MAX_THROW_BYTES || !region || region->writable)
		return NULL;
	p = gh_image_at(rt->image, data, len);
	for (uint64_t i = 0; p && i < len; i++)
		if (p[i] < ' ' || p[i] > '~')
			return NULL;
	return p;
}

static bool is_throw(const struct gh_runtime *rt, const struct gh_func *func)
{
	const char *name = gh_func_name(rt, func);

	return name && (strcmp(name, "runtime.throw") == 0 || strcmp(name, "runtime.fatal") == 0);
}

/*
 * throw and fatal capture their argument in a closure on their stack, for systemstack to print
 * (panic.go): the words {code, data, len} lie in the frame; without optimisation also the argument.
 */
static bool find_throw_text(const struct gh_runtime *rt, gh_addr from, gh_addr to,
			    struct gh_strbuf *sb)
{
	for (gh_addr at = from; at + 16 <= to; at += 8) {
		uint64_t data, len;
		const char *text = NULL;

		if (gh_read_u64(rt->image, at, &data) && gh_read_u64(rt->image, at + 8, &len))
			text = constant_text(rt, data, len);
		if (text) {
			gh_strbuf_add(sb, text, len);
			return true;
		}
	}
	return false;
}

struct gh_error *gh_process_throw(const struct gh_runtime *rt, const struct gh_goroutine *g,
				  struct gh_strbuf *sb, bool *found_ret)
{
	struct gh_frame_vec frames = {0};
	enum gh_unwind_end end;
	struct gh_error *err = gh_stack_unwind(rt, g, &frames, &end);

	*found_ret = false;
	for (size_t i = 0; !err && i < frames.len && !*found_ret; i++) {
		const struct gh_frame *frame = &frames.data[i];

		if (is_throw(rt, &frame->func) && frame->fp > frame->sp &&
		    frame->fp - frame->sp <=
			    MAX_THROW_FRAME) // the caller keeps room for the argument
			*found_ret = find_throw_text(rt, frame->sp, frame->fp + 16, sb);
	}
	gh_frame_vec_deinit(&frames);
	return err;
}

bool gh_process_system_throw(const struct gh_runtime *rt, struct gh_strbuf *sb)
{
	gh_addr m = crashing_m(rt), g0 = m ? gh_field_or_zero(rt, m, GH_F_m_g0) : 0;
	gh_addr stack = g0 + (uint64_t)rt->layout.offset[GH_F_g_stack_lo];
	struct gh_func func;
	uint64_t lo, hi, pc;

	if (!g0 || !gh_has(&rt->layout, GH_F_g_stack_lo) || !gh_read_u64(rt->image, stack, &lo) ||
	    !gh_read_u64(rt->image, stack + 8, &hi) || hi <= lo || hi % 8)
		return false;
	if (hi - lo > MAX_SYSTEM_STACK) // of a thread that C made: the runtime uses its upper end
		lo = hi - MAX_SYSTEM_STACK;
	for (gh_addr at = lo; at < hi; at += 8)
		if (gh_read_u64(rt->image, at, &pc) && gh_func_find(rt, pc, &func) &&
		    is_throw(rt, &func) &&
		    find_throw_text(rt, at + 8, gh_min_u64(at + 8 + NEAR_THROW, hi), sb))
			return true;
	return false;
}
