// SPDX-License-Identifier: Apache-2.0
// See referrers.h.
#include "analysis/referrers.h"

#include <stdlib.h>

enum { CHARGE = 1 << 16 }; // referrers charged at once

/* What both questions share: a word that leads into a range is a referrer. */
struct search {
	struct gh_session *session;
	const struct gh_range *ranges;
	size_t n;
	/* False: enough. */
	bool (*found)(struct search *s, size_t range, const struct gh_referrer *referrer);
	struct gh_referrers *all;  // of one range
	struct gh_referrer *first; // of several
	const struct gh_referrers_few *few;
	struct gh_referrer *last;  // owned: by range: the one that was counted last
	size_t missing;
	uint64_t max;
	gh_addr holder_lo, holder_hi; // of the object that the last word lies in
	bool stopped, nomem;
};

static void take(struct search *s, uint64_t value, const struct gh_referrer *referrer)
{
	size_t range = s->stopped ? s->n : gh_ranges_find(s->ranges, s->n, value);

	if (range < s->n)
		s->stopped = !s->found(s, range, referrer);
}

static void on_root(void *ctx, const struct gh_root_owner *owner, const struct gh_root *root)
{
	take(ctx, root->value,
	     &(struct gh_referrer){.at = root->at,
				   .value = root->value,
				   .count = 1,
				   .is_root = true,
				   .kind = (uint8_t)owner->kind,
				   .goid = owner->goid});
}

static void on_conservative(void *ctx, const struct gh_root_owner *owner, uint64_t value)
{
	take(ctx, value,
	     &(struct gh_referrer){.value = value,
				   .count = 1,
				   .is_root = true,
				   .conservative = true,
				   .kind = (uint8_t)owner->kind,
				   .goid = owner->goid});
}

/* Of one object: the owner is whoever the collector follows its words for. */
struct contents {
	struct search *search;
	const struct gh_root_owner *owner;
};

static void on_content(void *ctx, const struct gh_word *word)
{
	struct contents *c = ctx;

	on_root(c->search, c->owner, &(struct gh_root){.at = word->at, .value = word->value});
}

/* Words of an object that is no root itself; if it is live, the sweep finds them. */
static void on_contents(void *ctx, const struct gh_root_owner *owner, gh_addr object,
			struct gh_edge edge)
{
	struct search *s = ctx;
	struct contents c = {s, owner};
	struct gh_slot_ref ref;

	if (!gh_heap_find(s->session->heap, object, &ref) ||
	    gh_state_is_live(gh_mark_state(s->session->mark, ref.slot)))
		return;
	gh_edges_of_contents(s->session->mark, object, edge, on_content, &c);
}

static bool on_object(void *ctx, size_t range, gh_addr at, uint64_t value)
{
	struct search *s = ctx;

	s->stopped = !s->found(s, range,
			       &(struct gh_referrer){.at = at, .value = value, .count = 1});
	return !s->stopped;
}

static struct gh_error *run(struct search *s)
{
	struct gh_session *session = s->session;
	struct gh_root_sink sink = {.ctx = s,
				    .word = on_root,
				    .conservative = on_conservative,
				    .contents = on_contents};
	struct gh_error *err = gh_roots_visit(session->heap, session->types, session->statics,
					      &session->goroutines, &session->poll, &sink, NULL);

	if (!err && !s->stopped && s->all)
		s->all->nroots = s->all->all.len;
	if (!err && !s->stopped)
		err = gh_referrers_sweep(session->mark, s->ranges, s->n, &session->poll, on_object,
					 s);
	if (err)
		return err;
	return s->nomem ? gh_error_nomem() : NULL;
}

bool gh_referrers_push(struct gh_session *session, struct gh_referrers *referrers,
		       const struct gh_referrer *referrer)
{
	uint64_t bytes = CHARGE * sizeof(*referrer);

	if (referrers->all.len % CHARGE == 0) {
		if (!gh_budget_take(session->target->budget, bytes, "the list of pointers"))
			return false;
		referrers->charged_bytes += bytes;
	}
	return gh_referrer_vec_push(&referrers->all, *referrer);
}

/* Words of one object come one after the other; its bounds are looked up at the first. */
static bool is_of_last(const struct search *s, const struct gh_referrer *referrer)
{
	return !referrer->is_root && referrer->at >= s->holder_lo && referrer->at < s->holder_hi;
}

static bool keep_all(struct search *s, size_t range, const struct gh_referrer *referrer)
{
	struct gh_referrer_vec *all = &s->all->all;
	struct gh_slot_ref ref;

	(void)range;
	if (is_of_last(s, referrer)) {
		all->data[all->len - 1].count += all->data[all->len - 1].count != UINT32_MAX;
		return true;
	}
	if (!gh_referrers_push(s->session, s->all, referrer)) {
		s->nomem = true;
		return false;
	}
	if (!referrer->is_root && gh_heap_find(s->session->heap, referrer->at, &ref)) {
		s->holder_lo = ref.base;
		s->holder_hi = ref.base + ref.elem_bytes;
	}
	return all->len < s->max;
}

struct gh_error *gh_referrers_find(struct gh_session *session, struct gh_range range, uint64_t max,
				   struct gh_referrers *ret)
{
	struct gh_referrers all = {0};
	struct search s = {.session = session,
			   .ranges = &range,
			   .n = 1,
			   .found = keep_all,
			   .all = &all,
			   .max = max};
	struct gh_error *err = run(&s);

	if (err) {
		gh_referrers_deinit(session, &all);
		return err;
	}
	if (s.stopped && all.all.len && all.all.data[all.all.len - 1].is_root)
		all.nroots = all.all.len;
	*ret = all;
	return NULL;
}

void gh_referrers_deinit(struct gh_session *session, struct gh_referrers *referrers)
{
	gh_budget_give(session->target->budget, referrers->charged_bytes);
	gh_referrer_vec_deinit(&referrers->all);
	*referrers = (struct gh_referrers){0};
}

static bool keep_first(struct search *s, size_t range, const struct gh_referrer *referrer)
{
	if (!s->first[range].count) {
		s->first[range] = *referrer;
		s->missing--;
	}
	return s->missing != 0;
}

struct gh_error *gh_referrers_first(struct gh_session *session, const struct gh_range *ranges,
				    size_t n, struct gh_referrer *ret)
{
	struct search s = {.session = session,
			   .ranges = ranges,
			   .n = n,
			   .found = keep_first,
			   .first = ret,
			   .missing = n};

	for (size_t i = 0; i < n; i++)
		ret[i] = (struct gh_referrer){0};
	return n ? run(&s) : NULL;
}

/* Another word of the holder that was counted last for this range? */
static bool is_of_holder(const struct search *s, const struct gh_referrer *last,
			 const struct gh_referrer *referrer)
{
	struct gh_slot_ref a, b;

	if (!last->count || last->is_root != referrer->is_root)
		return false;
	if (referrer->is_root)
		return referrer->goid && last->goid == referrer->goid &&
		       last->kind == referrer->kind;
	return gh_heap_find(s->session->heap, last->at, &a) &&
	       gh_heap_find(s->session->heap, referrer->at, &b) && a.slot == b.slot;
}

static bool keep_few(struct search *s, size_t range, const struct gh_referrer *referrer)
{
	const struct gh_referrers_few *few = s->few;
	struct gh_referrer *last = &s->last[range];
	uint64_t *count = &few->counts_ret[range];

	if (few->skip && few->skip(few->ctx, range, referrer))
		return true;
	if (is_of_holder(s, last, referrer)) {
		if (*count <= few->k && referrer->is_root && referrer->at)
			few->ret[range * few->k + *count - 1].at = referrer->at;
		return true;
	}
	if (*count < few->k)
		few->ret[range * few->k + *count] = *referrer;
	++*count;
	*last = *referrer;
	return true;
}

struct gh_error *gh_referrers_few(struct gh_session *session, const struct gh_range *ranges,
				  size_t n, const struct gh_referrers_few *few)
{
	struct search s = {
		.session = session, .ranges = ranges, .n = n, .found = keep_few, .few = few};
	struct gh_error *err;

	if (!n)
		return NULL;
	s.last = gh_alloc_array(n, sizeof(*s.last));
	err = s.last ? run(&s) : gh_error_nomem();
	free(s.last);
	return err;
}
