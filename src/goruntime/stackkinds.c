// SPDX-License-Identifier: Apache-2.0
// See stackkinds.h.
#include "goruntime/stackkinds.h"

#include <stdlib.h>

#include "base/numbering.h"
#include "goruntime/unwind.h"

enum {
	POLL_EVERY = 1024,
	AHEAD = 6,	     // goroutines whose stacks are asked for before they are walked
	KEPT_FRAMES = 1 << 15, // of all kinds
	LONG = 512,	       // frames: not kept
	CHARGED_KINDS = 4096,  // taken from the budget at a time
};

struct kind {
	uint32_t first, n; // of frames
	gh_addr sp;	   // where the walk of them began
	uint8_t end;	   // enum gh_unwind_end
	bool is_kept;
};
GH_VEC(kind_vec, struct kind);

struct gh_stack_kinds {
	const struct gh_runtime *rt;		   // borrowed, as the next one
	const struct gh_goroutine_vec *goroutines;
	uint32_t *kind_of; // owned: by goroutine
	struct kind_vec kinds;
	struct gh_frame_vec frames; // those of one stack of each kind
	uint64_t charged_bytes;
};

struct walk {
	struct gh_stack_kinds *ret;
	struct gh_numbering numbering;
	struct gh_frame_vec frames; // of the stack at hand
	struct gh_pc_cache cache;
};

/* Where the walk begins and what it meets make the hash, and how it ends. */
static struct gh_error *walk_stack(struct walk *w, const struct gh_goroutine *g, gh_addr *sp_ret,
				   struct gh_hash128 *h, enum gh_unwind_end *end_ret)
{
	struct gh_stack_context ctx;
	struct gh_unwinder u;

	w->frames.len = 0;
	*end_ret = GH_UNWIND_COMPLETE;
	gh_stack_context(w->ret->rt, g, &ctx);
	*sp_ret = ctx.sp;
	*h = (struct gh_hash128){ctx.start, ctx.pc};
	if (ctx.start == GH_START_NONE)
		return NULL;
	gh_unwinder_init(&u, w->ret->rt, g->stack_lo, g->stack_hi, &ctx, &w->cache);
	for (size_t n = 0; u.valid && n < GH_STACK_FRAMES_MAX; n++, gh_unwinder_next(&u)) {
		gh_hash128_word(h, u.frame.pc);
		if (n < LONG && !gh_frame_vec_push(&w->frames, u.frame))
			return gh_error_nomem();
	}
	gh_hash128_word(h, u.frame.lr); // of the last one, which leads nowhere
	*end_ret = u.valid ? GH_UNWIND_TOO_DEEP : u.end;
	gh_hash128_word(h, *end_ret);
	return NULL;
}

/* Where all stacks differ, what tells them apart grows with them. */
static struct gh_error *charge(struct gh_stack_kinds *kinds)
{
	uint64_t bytes = CHARGED_KINDS * (sizeof(struct kind) + 4 * sizeof(struct gh_hash128));
	struct gh_error *err;

	if (kinds->kinds.len % CHARGED_KINDS)
		return NULL;
	err = gh_budget_charge(gh_runtime_budget(kinds->rt), bytes, "stacks that differ");
	if (!err)
		kinds->charged_bytes += bytes;
	return err;
}

static struct gh_error *add_kind(struct walk *w, gh_addr sp, enum gh_unwind_end end)
{
	struct gh_stack_kinds *kinds = w->ret;
	struct kind kind = {.first = (uint32_t)kinds->frames.len, .sp = sp, .end = (uint8_t)end};
	struct gh_error *err = charge(kinds);

	if (err)
		return err;
	kind.is_kept = w->frames.len < LONG && kinds->frames.len + w->frames.len <= KEPT_FRAMES;
	if (kind.is_kept)
		kind.n = (uint32_t)w->frames.len;
	for (uint32_t i = 0; i < kind.n; i++)
		if (!gh_frame_vec_push(&kinds->frames, w->frames.data[i]))
			return gh_error_nomem();
	return kind_vec_push(&kinds->kinds, kind) ? NULL : gh_error_nomem();
}

static struct gh_error *look(struct walk *w, size_t i)
{
	const struct gh_goroutine *g = &w->ret->goroutines->data[i];
	enum gh_unwind_end end;
	struct gh_hash128 hash;
	struct gh_error *err;
	bool is_new;
	gh_addr sp;

	w->ret->kind_of[i] = GH_STACK_NO_KIND;
	if (gh_goroutine_is_dead(g))
		return NULL;
	err = walk_stack(w, g, &sp, &hash, &end);
	if (err)
		return err;
	if (!gh_numbering_find(&w->numbering, hash, &w->ret->kind_of[i], &is_new))
		return gh_error_nomem();
	return is_new ? add_kind(w, sp, end) : NULL;
}

static struct gh_error *look_at_all(struct walk *w, const struct gh_poll *poll)
{
	const struct gh_goroutine_vec *all = w->ret->goroutines;
	struct gh_error *err = NULL;

	for (size_t i = 0; i < all->len && !err; i++) {
		if (i % POLL_EVERY == 0)
			err = gh_poll(poll, "walking stacks", i, all->len);
		if (i + AHEAD < all->len)
			gh_stack_prefetch(w->ret->rt, &all->data[i + AHEAD]);
		if (!err)
			err = look(w, i);
	}
	return err;
}

struct gh_error *gh_stack_kinds_create(const struct gh_runtime *rt,
				       const struct gh_goroutine_vec *goroutines,
				       const struct gh_poll *poll, struct gh_stack_kinds **ret)
{
	struct gh_stack_kinds *kinds = calloc(1, sizeof(*kinds));
	struct walk *w = calloc(1, sizeof(*w));
	struct gh_error *err = kinds && w ? NULL : gh_error_nomem();
	uint64_t bytes = goroutines->len * sizeof(*kinds->kind_of);

	if (!err)
		err = gh_budget_charge(gh_runtime_budget(rt), bytes, "where goroutines are");
	if (!err) {
		*kinds = (struct gh_stack_kinds){
			.rt = rt, .goroutines = goroutines, .charged_bytes = bytes};
		w->ret = kinds;
		kinds->kind_of = gh_alloc_array(goroutines->len, sizeof(*kinds->kind_of));
		err = kinds->kind_of ? look_at_all(w, poll) : gh_error_nomem();
	}
	if (w) {
		gh_numbering_deinit(&w->numbering);
		gh_frame_vec_deinit(&w->frames);
	}
	free(w);
	if (err) {
		gh_stack_kinds_destroy(kinds);
		return err;
	}
	*ret = kinds;
	return NULL;
}

void gh_stack_kinds_destroy(struct gh_stack_kinds *kinds)
{
	if (!kinds)
		return;
	if (kinds->rt)
		gh_budget_give(gh_runtime_budget(kinds->rt), kinds->charged_bytes);
	free(kinds->kind_of);
	kind_vec_deinit(&kinds->kinds);
	gh_frame_vec_deinit(&kinds->frames);
	free(kinds);
}

uint32_t gh_stack_kinds_count(const struct gh_stack_kinds *kinds)
{
	return (uint32_t)kinds->kinds.len;
}

uint32_t gh_stack_kind_of(const struct gh_stack_kinds *kinds, size_t g)
{
	return kinds->kind_of[g];
}

static struct gh_frame moved(struct gh_frame f, uint64_t by)
{
	f.sp += by;
	f.fp += by;
	f.varp += by;
	f.argp += by;
	return f;
}

struct gh_error *gh_stack_kinds_unwind(const struct gh_stack_kinds *kinds, size_t g,
				       struct gh_frame_vec *ret, enum gh_unwind_end *end_ret)
{
	const struct gh_goroutine *goroutine = &kinds->goroutines->data[g];
	uint32_t number = kinds->kind_of[g];
	struct gh_stack_context ctx;
	const struct kind *kind;

	*end_ret = GH_UNWIND_COMPLETE;
	if (number == GH_STACK_NO_KIND)
		return NULL;
	kind = &kinds->kinds.data[number];
	if (!kind->is_kept)
		return gh_stack_unwind(kinds->rt, goroutine, ret, end_ret);
	gh_stack_context(kinds->rt, goroutine, &ctx);
	for (uint32_t i = 0; i < kind->n; i++)
		if (!gh_frame_vec_push(ret, moved(kinds->frames.data[kind->first + i],
						  ctx.sp - kind->sp)))
			return gh_error_nomem();
	*end_ret = (enum gh_unwind_end)kind->end;
	return NULL;
}
