// SPDX-License-Identifier: Apache-2.0
// Grouping by stacks. See stackgroups.h.
//
// Two steps: stacks whose pcs are equal are one kind, told apart by 128 bits of hash; the frames of
// one stack of each kind are looked up, and kinds that say the same become one group.
#include "analysis/stackgroups.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "goruntime/unwind.h"

enum { POLL_EVERY = 1024, FIRST_SLOTS = 256 };

struct hash {
	uint64_t a, b;
};

/* What was met, and its number: 0, 1, 2 … */
struct seen {
	struct {
		struct hash hash;
		uint32_t number; // and one more; 0: empty
	} *slots;		 // owned; nslots, a power of two
	size_t nslots, len;
};

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9fb21c651e98df25ULL;
	return h ^ h >> 32;
}

static void hash_word(struct hash *h, uint64_t word)
{
	h->a = mix(h->a, word);
	h->b = mix(h->b + 0x9e3779b97f4a7c15ULL, word);
}

static void hash_text(struct hash *h, const char *text)
{
	for (; text && *text; text++)
		hash_word(h, (uint8_t)*text);
	hash_word(h, 0x100);
}

static bool seen_grow(struct seen *seen)
{
	struct seen bigger = {.nslots = seen->nslots ? seen->nslots * 2 : FIRST_SLOTS};

	bigger.slots = gh_alloc_array(bigger.nslots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return false;
	for (size_t i = 0; i < seen->nslots; i++) {
		size_t at = seen->slots[i].hash.a & (bigger.nslots - 1);

		if (!seen->slots[i].number)
			continue;
		while (bigger.slots[at].number)
			at = (at + 1) & (bigger.nslots - 1);
		bigger.slots[at] = seen->slots[i];
	}
	bigger.len = seen->len;
	free(seen->slots);
	*seen = bigger;
	return true;
}

static void seen_deinit(struct seen *seen)
{
	free(seen->slots);
}

/* The number of what has this hash; is_new: it got the next one. False: out of memory. */
static bool seen_number(struct seen *seen, struct hash hash, uint32_t *ret, bool *is_new)
{
	size_t at;

	if (seen->len * 2 >= seen->nslots && !seen_grow(seen))
		return false;
	at = hash.a & (seen->nslots - 1);
	while (seen->slots[at].number &&
	       (seen->slots[at].hash.a != hash.a || seen->slots[at].hash.b != hash.b))
		at = (at + 1) & (seen->nslots - 1);
	*is_new = !seen->slots[at].number;
	if (*is_new) {
		seen->slots[at].hash = hash;
		seen->slots[at].number = (uint32_t)++seen->len;
	}
	*ret = seen->slots[at].number - 1;
	return true;
}

GH_VEC(group_vec, struct gh_stack_group);
GH_VEC(number_vec, uint32_t);

struct grouping {
	struct gh_session *session;
	struct gh_stack_groups *groups;
	struct seen kinds, signatures;
	struct number_vec group_of_kind;
	struct number_vec group_of; // by member, as they come
	struct group_vec list;
	struct gh_pc_cache *cache; // owned
	struct gh_frame_vec frames;
	struct gh_trace_frame_vec logical;
};

static void grouping_deinit(struct grouping *gr)
{
	seen_deinit(&gr->kinds);
	seen_deinit(&gr->signatures);
	number_vec_deinit(&gr->group_of_kind);
	number_vec_deinit(&gr->group_of);
	group_vec_deinit(&gr->list);
	gh_frame_vec_deinit(&gr->frames);
	gh_trace_frame_vec_deinit(&gr->logical);
	free(gr->cache);
}

/* Walk a stack: its pcs make the hash. */
static struct hash kind_of(struct grouping *gr, const struct gh_goroutine *g)
{
	struct hash h = {g->status, g->system};
	struct gh_stack_context ctx;
	struct gh_unwinder u;

	hash_word(&h, (uintptr_t)g->wait_reason);
	hash_word(&h, g->go_pc);
	gh_stack_context(gr->session->rt, g, &ctx);
	if (ctx.start == GH_START_NONE)
		return h;
	gh_unwinder_init(&u, gr->session->rt, g->stack_lo, g->stack_hi, &ctx, gr->cache);
	for (size_t n = 0; u.valid && n < GH_STACK_FRAMES_MAX; n++, gh_unwinder_next(&u))
		hash_word(&h, u.frame.sym_pc);
	hash_word(&h, u.valid ? GH_UNWIND_TOO_DEEP : u.end);
	return h;
}

static struct hash signature_of(const struct grouping *gr, const struct gh_goroutine *g,
				const struct gh_traceback *traceback)
{
	struct hash h = {g->status, g->system};

	hash_text(&h, g->wait_reason);
	hash_text(&h, traceback->created_by);
	hash_text(&h, traceback->created_file);
	hash_word(&h, (uint32_t)traceback->created_line);
	hash_word(&h, traceback->complete);
	for (size_t i = 0; i < gr->logical.len; i++) {
		const struct gh_source_frame *frame = &gr->logical.data[i].source;

		hash_text(&h, frame->function);
		hash_text(&h, frame->file);
		hash_word(&h, (uint32_t)frame->line);
	}
	return h;
}

/* The group of a kind of stack that is met for the first time. */
static struct gh_error *add_kind(struct grouping *gr, const struct gh_goroutine *g)
{
	struct gh_stack_group group = {
		.status = g->status, .wait_reason = g->wait_reason, .system = g->system};
	enum gh_unwind_end end;
	struct gh_error *err;
	uint32_t number;
	bool is_new;

	gr->frames.len = gr->logical.len = 0;
	err = gh_stack_unwind(gr->session->rt, g, &gr->frames, &end);
	if (!err)
		err = gh_traceback_frames(gr->session->rt, &gr->frames, &gr->logical);
	if (err)
		return err;
	gh_traceback_of(gr->session->rt, g, &gr->logical, &group.traceback);
	group.traceback.complete = end == GH_UNWIND_COMPLETE;
	if (!seen_number(&gr->signatures, signature_of(gr, g, &group.traceback), &number,
			 &is_new) ||
	    (is_new && !group_vec_push(&gr->list, group)) ||
	    !number_vec_push(&gr->group_of_kind, number))
		return gh_error_nomem();
	return NULL;
}

static struct gh_error *add_member(struct grouping *gr, uint32_t index)
{
	const struct gh_goroutine *g = &gr->session->goroutines.data[index];
	struct gh_stack_group *group;
	struct gh_error *err;
	uint32_t kind, number;
	bool is_new;

	if (!seen_number(&gr->kinds, kind_of(gr, g), &kind, &is_new))
		return gh_error_nomem();
	if (is_new) {
		err = add_kind(gr, g);
		if (err)
			return err;
	}
	number = gr->group_of_kind.data[kind];
	group = &gr->list.data[number];
	group->count++;
	group->stack_bytes += g->stack_hi > g->stack_lo ? g->stack_hi - g->stack_lo : 0;
	gr->groups->members[gr->group_of.len] = index;
	return number_vec_push(&gr->group_of, number) ? NULL : gh_error_nomem();
}

struct member {
	uint32_t group, index;
	uint64_t goid;
};

static int compare_member(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return x->goid < y->goid ? -1 : x->goid > y->goid;
}

/* Members of each group side by side. */
static struct gh_error *sort_members(struct grouping *gr)
{
	const struct gh_goroutine *gs = gr->session->goroutines.data;
	struct gh_stack_groups *groups = gr->groups;
	_cleanup_free_ struct member *members = NULL;
	size_t n = gr->group_of.len;

	members = gh_alloc_array(n, sizeof(*members));
	if (!members)
		return gh_error_nomem();
	for (size_t i = 0; i < n; i++)
		members[i] = (struct member){gr->group_of.data[i], groups->members[i],
					     gs[groups->members[i]].goid};
	qsort(members, n, sizeof(*members), compare_member);
	for (size_t i = 0; i < n; i++) {
		groups->members[i] = members[i].index;
		if (i == 0 || members[i].group != members[i - 1].group)
			gr->list.data[members[i].group].first = i;
	}
	groups->nmembers = n;
	return NULL;
}

/* Largest first. Where two are as large, the first was met first: allgs is in order of creation. */
static int compare_group(const void *a, const void *b)
{
	const struct gh_stack_group *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

static struct gh_error *prepare(struct grouping *gr)
{
	struct gh_stack_groups *groups = gr->groups;
	size_t n = gr->session->goroutines.len;
	struct gh_error *err;

	// its place in the groups; the number of its group; sorting, for a moment
	groups->budget = gh_runtime_budget(gr->session->rt);
	err = gh_budget_charge(groups->budget, n * (2 * sizeof(uint32_t) + sizeof(struct member)),
			       "goroutines by their stacks");
	if (err)
		return err;
	groups->taken_bytes = n * (2 * sizeof(uint32_t) + sizeof(struct member));
	groups->members = gh_alloc_array(n, sizeof(*groups->members));
	gr->cache = calloc(1, sizeof(*gr->cache));
	return groups->members && gr->cache ? NULL : gh_error_nomem();
}

struct gh_error *gh_stack_groups_load(struct gh_session *session, gh_goroutine_wanted_fn wanted,
				      void *ctx, struct gh_stack_groups *ret)
{
	_cleanup_(grouping_deinit) struct grouping gr = {.session = session, .groups = ret};
	const struct gh_goroutine_vec *gs = &session->goroutines;
	struct gh_error *err;

	*ret = (struct gh_stack_groups){0};
	err = prepare(&gr);
	for (size_t i = 0; !err && i < gs->len && i < UINT32_MAX; i++) {
		if (i % POLL_EVERY == 0)
			err = gh_poll(&session->poll, "walking stacks", i, gs->len);
		if (!err && !gh_goroutine_is_dead(&gs->data[i]) &&
		    (!wanted || wanted(ctx, &gs->data[i])))
			err = add_member(&gr, (uint32_t)i);
	}
	if (!err)
		err = sort_members(&gr);
	if (err)
		return err;
	if (gr.list.len)
		qsort(gr.list.data, gr.list.len, sizeof(*gr.list.data), compare_group);
	ret->data = gh_steal(gr.list.data);
	ret->len = gr.list.len;
	gh_budget_give(ret->budget, gs->len * (sizeof(uint32_t) + sizeof(struct member)));
	ret->taken_bytes -= gs->len * (sizeof(uint32_t) + sizeof(struct member));
	return NULL;
}

void gh_stack_groups_deinit(struct gh_stack_groups *groups)
{
	free(groups->data);
	free(groups->members);
	gh_budget_give(groups->budget, groups->taken_bytes);
	*groups = (struct gh_stack_groups){0};
}

struct gh_error *gh_stack_group_frames(const struct gh_session *session,
				       const struct gh_stack_groups *groups,
				       const struct gh_stack_group *group,
				       struct gh_trace_frame_vec *ret)
{
	const struct gh_goroutine *g = gh_stack_group_member(session, groups, group, 0);
	struct gh_frame_vec frames = {0};
	enum gh_unwind_end end;
	struct gh_error *err = gh_stack_unwind(session->rt, g, &frames, &end);

	if (!err)
		err = gh_traceback_frames(session->rt, &frames, ret);
	gh_frame_vec_deinit(&frames);
	return err;
}
