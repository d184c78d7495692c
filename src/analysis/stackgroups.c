// SPDX-License-Identifier: Apache-2.0
// Grouping by stacks. See stackgroups.h.
//
// Two steps: goroutines whose stacks are of one kind (goruntime/stackkinds.h) and who say the same of
// themselves stand together; the frames of one of them are looked up, and those that say the same
// become one group.
#include "analysis/stackgroups.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/numbering.h"

enum {
	POLL_EVERY = 4096,
	// a goroutine: its place in the groups; the number of its group; sorting, for a moment
	MOMENTARY_BYTES = 3 * sizeof(uint32_t),
};

GH_VEC(group_vec, struct gh_stack_group);
GH_VEC(number_vec, uint32_t);

struct grouping {
	struct gh_session *session;
	struct gh_stack_groups *groups;
	struct gh_numbering kinds, signatures;
	struct number_vec group_of_kind;
	uint32_t *group_of; // owned: by member, as they come
	struct group_vec list;
	struct gh_frame_vec frames;
	struct gh_trace_frame_vec logical;
};

static void grouping_deinit(struct grouping *gr)
{
	gh_numbering_deinit(&gr->kinds);
	gh_numbering_deinit(&gr->signatures);
	number_vec_deinit(&gr->group_of_kind);
	free(gr->group_of);
	group_vec_deinit(&gr->list);
	gh_frame_vec_deinit(&gr->frames);
	gh_trace_frame_vec_deinit(&gr->logical);
}

static struct gh_hash128 kind_of(const struct grouping *gr, uint32_t index)
{
	const struct gh_goroutine *g = &gr->session->goroutines.data[index];
	struct gh_hash128 h = {g->status, g->system};

	gh_hash128_word(&h, (uintptr_t)g->wait_reason);
	gh_hash128_word(&h, g->go_pc);
	gh_hash128_word(&h, gh_stack_kind_of(gr->session->stacks, index));
	return h;
}

static struct gh_hash128 signature_of(const struct grouping *gr, const struct gh_goroutine *g,
				      const struct gh_traceback *traceback)
{
	struct gh_hash128 h = {g->status, g->system};

	gh_hash128_text(&h, g->wait_reason);
	gh_hash128_text(&h, traceback->created_by);
	gh_hash128_text(&h, traceback->created_file);
	gh_hash128_word(&h, (uint32_t)traceback->created_line);
	gh_hash128_word(&h, traceback->complete);
	for (size_t i = 0; i < gr->logical.len; i++) {
		const struct gh_source_frame *frame = &gr->logical.data[i].source;

		gh_hash128_text(&h, frame->function);
		gh_hash128_text(&h, frame->file);
		gh_hash128_word(&h, (uint32_t)frame->line);
	}
	return h;
}

/* The group of a kind of stack that is met for the first time. */
static struct gh_error *add_kind(struct grouping *gr, uint32_t index)
{
	const struct gh_goroutine *g = &gr->session->goroutines.data[index];
	struct gh_stack_group group = {
		.status = g->status, .wait_reason = g->wait_reason, .system = g->system};
	enum gh_unwind_end end;
	struct gh_error *err;
	uint32_t number;
	bool is_new;

	gr->frames.len = gr->logical.len = 0;
	err = gh_session_unwind(gr->session, index, &gr->frames, &end);
	if (!err)
		err = gh_traceback_frames(gr->session->rt, &gr->frames, &gr->logical);
	if (err)
		return err;
	gh_traceback_of(gr->session->rt, g, &gr->logical, &group.traceback);
	group.traceback.complete = end == GH_UNWIND_COMPLETE;
	if (!gh_numbering_find(&gr->signatures, signature_of(gr, g, &group.traceback), &number,
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

	if (!gh_numbering_find(&gr->kinds, kind_of(gr, index), &kind, &is_new))
		return gh_error_nomem();
	err = is_new ? add_kind(gr, index) : NULL;
	if (err)
		return err;
	number = gr->group_of_kind.data[kind];
	group = &gr->list.data[number];
	group->count++;
	group->stack_bytes += g->stack_hi > g->stack_lo ? g->stack_hi - g->stack_lo : 0;
	gr->group_of[gr->groups->nmembers] = number;
	gr->groups->members[gr->groups->nmembers++] = index;
	return NULL;
}

static int compare_member(const void *a, const void *b, void *ctx)
{
	const struct gh_goroutine *gs = ctx;
	uint64_t x = gs[*(const uint32_t *)a].goid, y = gs[*(const uint32_t *)b].goid;

	return x < y ? -1 : x > y;
}

/* Members of each group side by side, in the order of their numbers. */
static struct gh_error *sort_members(struct grouping *gr)
{
	struct gh_stack_groups *groups = gr->groups;
	_cleanup_free_ uint32_t *met = groups->members;
	size_t at = 0;

	groups->members = gh_alloc_array(groups->nmembers, sizeof(*groups->members));
	if (!groups->members)
		return gh_error_nomem();
	for (size_t i = 0; i < gr->list.len; i++) {
		gr->list.data[i].first = at;
		at += gr->list.data[i].count;
		gr->list.data[i].count = 0;
	}
	for (size_t i = 0; i < groups->nmembers; i++) {
		struct gh_stack_group *group = &gr->list.data[gr->group_of[i]];

		groups->members[group->first + group->count++] = met[i];
	}
	for (size_t i = 0; i < gr->list.len; i++)
		qsort_r(groups->members + gr->list.data[i].first, gr->list.data[i].count,
			sizeof(*groups->members), compare_member,
			gr->session->goroutines.data);
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
	struct gh_error *err = gh_session_stacks(gr->session);

	if (err)
		return err;
	groups->budget = gh_runtime_budget(gr->session->rt);
	err = gh_budget_charge(groups->budget, n * MOMENTARY_BYTES, "goroutines by their stacks");
	if (err)
		return err;
	groups->taken_bytes = n * MOMENTARY_BYTES;
	groups->members = gh_alloc_array(n, sizeof(*groups->members));
	gr->group_of = gh_alloc_array(n, sizeof(*gr->group_of));
	return groups->members && gr->group_of ? NULL : gh_error_nomem();
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
			err = gh_poll(&session->poll, "grouping stacks", i, gs->len);
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
	gh_budget_give(ret->budget, gs->len * (MOMENTARY_BYTES - sizeof(uint32_t)));
	ret->taken_bytes -= gs->len * (MOMENTARY_BYTES - sizeof(uint32_t));
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
	struct gh_frame_vec frames = {0};
	enum gh_unwind_end end;
	struct gh_error *err =
		gh_session_unwind(session, groups->members[group->first], &frames, &end);

	if (!err)
		err = gh_traceback_frames(session->rt, &frames, ret);
	gh_frame_vec_deinit(&frames);
	return err;
}
