// SPDX-License-Identifier: Apache-2.0
// Reading pending defers. See defer.h.
#include "goruntime/defer.h"

#include "base/ring.h"

enum {
	BAD_DEFER = 1,	 // closes the list of a range over a function (runtime/panic.go, badDefer)
	OPEN_DEFERS = 8, // of a function (cmd/compile/internal/walk/stmt.go)
};

struct reader {
	const struct gh_runtime *rt;
	const struct gh_goroutine *g;
	const struct gh_frame_vec *frames;
	struct gh_defer_vec *ret;
	struct gh_defer_skips *skips;
	size_t frame; // the next one that was not looked at
	bool nomem;
};

static bool is_on_stack(const struct reader *r, gh_addr addr)
{
	return addr >= r->g->stack_lo && addr < r->g->stack_hi;
}

static gh_addr field_at(const struct reader *r, gh_addr base, enum gh_layout_field field)
{
	return base + (uint64_t)r->rt->layout.offset[field];
}

static void push(struct reader *r, struct gh_defer d)
{
	r->nomem |= !gh_defer_vec_push(r->ret, d);
}

/* The closure in the word at fn_at. False: it is none. A nil function is one that will panic. */
static bool read_closure(struct reader *r, struct gh_defer *d)
{
	struct gh_func func;

	if (!gh_read_u64(r->rt->image, d->fn_at, &d->fn)) {
		r->skips->unreadable++;
		return false;
	}
	if (!d->fn)
		return true;
	if (!gh_read_u64(r->rt->image, d->fn, &d->code)) {
		r->skips->unreadable++;
		return false;
	}
	if (gh_func_find(r->rt, d->code, &func) && func.entry == d->code)
		return true;
	r->skips->damaged++;
	return false;
}

/* runtime/panic.go, initOpenCodedDefers: bits and slots count down from varp. */
static void add_open_coded(struct reader *r, uint32_t index)
{
	const struct gh_frame *f = &r->frames->data[index];
	gh_addr info = gh_func_funcdata(r->rt, &f->func, GH_FUNCDATA_OPEN_CODED_DEFER_INFO);
	uint64_t bits_offset, slots_offset;
	uint8_t bits;

	if (!info || !gh_read_uvarint(r->rt->image, &info, &bits_offset) ||
	    !gh_read_uvarint(r->rt->image, &info, &slots_offset))
		return;
	// a frame that is still being made has no room for them yet
	if (bits_offset > f->varp - f->sp || slots_offset > f->varp - f->sp ||
	    !is_on_stack(r, f->varp - bits_offset))
		return;
	if (!gh_read_u8(r->rt->image, f->varp - bits_offset, &bits)) {
		r->skips->unreadable++;
		return;
	}
	for (uint64_t i = OPEN_DEFERS; i-- > 0;) {
		struct gh_defer d = {
			.kind = GH_DEFER_OPEN_CODED,
			.frame = index,
			.sp = f->sp,
			.fn_at = f->varp - slots_offset + i * 8,
		};

		if (bits >> i & 1 && is_on_stack(r, d.fn_at) && read_closure(r, &d))
			push(r, d);
	}
}

/* Open-coded ones of the frames up to the one whose stack pointer is sp: that frame's number. */
static uint32_t advance(struct reader *r, gh_addr sp)
{
	while (r->frame < r->frames->len && r->frames->data[r->frame].sp < sp)
		add_open_coded(r, (uint32_t)r->frame++);
	if (r->frame < r->frames->len && r->frames->data[r->frame].sp == sp)
		return (uint32_t)r->frame;
	return GH_DEFER_NO_FRAME;
}

static bool read_record(struct reader *r, gh_addr record, gh_addr record_at, struct gh_defer *ret)
{
	struct gh_defer d = {.record = record, .record_at = record_at};
	uint64_t heap;

	if (!gh_field(r->rt, record, GH_F__defer_heap, &heap) ||
	    !gh_field(r->rt, record, GH_F__defer_sp, &d.sp) ||
	    !gh_field(r->rt, record, GH_F__defer_pc, &d.pc)) {
		r->skips->unreadable++;
		return false;
	}
	d.is_heap = heap;
	d.kind = d.is_heap ? GH_DEFER_HEAP : GH_DEFER_STACK;
	d.fn_at = field_at(r, record, GH_F__defer_fn);
	if (d.is_heap == is_on_stack(r, record)) {
		r->skips->damaged++;
		return false;
	}
	*ret = d;
	return true;
}

/* What the bodies of a range over a function deferred (runtime/panic.go, deferprocat). */
static void add_list(struct reader *r, const struct gh_defer *holder)
{
	gh_addr at = holder->head, record;
	struct gh_ring ring = {0};

	if (!gh_read_u64(r->rt->image, at, &record)) {
		r->skips->unreadable++;
		return;
	}
	while (record && record != BAD_DEFER && !r->nomem) {
		struct gh_defer d;

		if (gh_ring_closes(&ring, record)) {
			r->skips->damaged++;
			return;
		}
		if (!read_record(r, record, at, &d))
			return;
		d.kind = GH_DEFER_RANGE_FUNC;
		d.holder = holder->record;
		d.sp = holder->sp; // theirs are not set before they are to run
		d.pc = 0;
		d.frame = holder->frame;
		if (read_closure(r, &d))
			push(r, d);
		at = field_at(r, record, GH_F__defer_link);
		if (!gh_read_u64(r->rt->image, at, &record))
			return;
	}
}

static void add_record(struct reader *r, struct gh_defer d)
{
	uint64_t is_list = gh_field_or_zero(r->rt, d.record, GH_F__defer_rangefunc);

	d.frame = advance(r, d.sp);
	if (!is_list) {
		if (read_closure(r, &d))
			push(r, d);
		return;
	}
	d.kind = GH_DEFER_RANGE_FUNC;
	d.is_list = true;
	d.head = gh_field_or_zero(r->rt, d.record, GH_F__defer_head);
	add_list(r, &d);
	push(r, d);
}

struct gh_error *gh_defers_load(const struct gh_runtime *rt, const struct gh_goroutine *g,
				const struct gh_frame_vec *frames, struct gh_defer_vec *ret,
				struct gh_defer_skips *skips)
{
	struct reader r = {.rt = rt, .g = g, .frames = frames, .ret = ret, .skips = skips};
	gh_addr at = field_at(&r, g->addr, GH_F_g__defer), record = gh_goroutine_defer(rt, g);
	struct gh_ring ring = {0};

	if (gh_goroutine_is_dead(g))
		return NULL;
	while (record && !r.nomem) {
		struct gh_defer d;

		if (gh_ring_closes(&ring, record)) {
			skips->damaged++;
			break;
		}
		if (read_record(&r, record, at, &d))
			add_record(&r, d);
		at = field_at(&r, record, GH_F__defer_link);
		if (!gh_read_u64(rt->image, at, &record))
			break;
	}
	while (r.frame < frames->len && !r.nomem)
		add_open_coded(&r, (uint32_t)r.frame++);
	return r.nomem ? gh_error_nomem() : NULL;
}

struct gh_error *gh_panics_load(const struct gh_runtime *rt, const struct gh_goroutine *g,
				struct gh_panic_vec *ret, struct gh_defer_skips *skips)
{
	gh_addr addr = gh_goroutine_is_dead(g) ? 0 : gh_goroutine_panic(rt, g);
	struct gh_ring ring = {0};

	while (addr) {
		struct gh_panic p = {.addr = addr};
		gh_addr arg_at = addr + (uint64_t)rt->layout.offset[GH_F__panic_arg];

		if (addr < g->stack_lo || addr >= g->stack_hi || gh_ring_closes(&ring, addr)) {
			skips->damaged++;
			return NULL;
		}
		if (!gh_read_u64(rt->image, arg_at, &p.arg_type) ||
		    !gh_read_u64(rt->image, arg_at + 8, &p.arg)) {
			skips->unreadable++;
			return NULL;
		}
		p.is_recovered = gh_field_or_zero(rt, addr, GH_F__panic_recovered);
		p.is_goexit = gh_field_or_zero(rt, addr, GH_F__panic_goexit);
		if (!gh_panic_vec_push(ret, p))
			return gh_error_nomem();
		addr = gh_field_or_zero(rt, addr, GH_F__panic_link);
	}
	return NULL;
}

const char *gh_defer_kind_name(enum gh_defer_kind kind)
{
	switch (kind) {
	case GH_DEFER_HEAP:
		return "heap";
	case GH_DEFER_STACK:
		return "stack";
	case GH_DEFER_OPEN_CODED:
		return "open-coded";
	case GH_DEFER_RANGE_FUNC:
		return "range-over-func";
	}
	return "unknown";
}

bool gh_defer_site(const struct gh_runtime *rt, const struct gh_defer *defer,
		   struct gh_source_frame *ret)
{
	struct gh_func func;

	*ret = (struct gh_source_frame){0};
	if (defer->pc && gh_func_find(rt, defer->pc - 1, &func))
		gh_func_line(rt, &func, defer->pc - 1, ret);
	if (ret->file)
		return true;
	if (defer->code && gh_func_find(rt, defer->code, &func))
		gh_func_line(rt, &func, defer->code, ret);
	return false;
}
