// SPDX-License-Identifier: Apache-2.0
// See contexts.h.
#include "analysis/contexts.h"

#include "base/cleanup.h"
#include "goruntime/rtype.h"
#include "graph/referrers.h"

struct search {
	struct gh_session *session;
	uint8_t *ret;
	gh_type_id context; // context.cancelCtx, which others begin with; 0: the program has none
};

/* A word of an interface's data: is what stands before it the type of such channels? */
static bool is_chan_in_interface(const struct search *s, gh_addr at)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	uint64_t type;

	if (!gh_read_u64(s->session->rt->image, at - 8, &type) ||
	    !gh_module_of_types(s->session->rt, type))
		return false;
	gh_rtype_name(s->session->rt, type, &sb);
	return strcmp(gh_strbuf_str(&sb), "chan struct {}") == 0;
}

/* Field done of a cancelCtx, or of what begins with one: its first field is the parent. */
static bool is_done(const struct search *s, const struct gh_slot_ref *ref, gh_addr at)
{
	_cleanup_strbuf_ struct gh_strbuf name = {0};
	uint64_t itab;

	if (!s->context || ref->offset < 8 || !is_chan_in_interface(s, at) ||
	    !gh_read_u64(s->session->rt->image, ref->base, &itab) || !itab ||
	    !gh_itab_type(s->session->rt, itab))
		return false;
	gh_types_field_name(s->session->types, s->context, false, ref->offset, &name);
	return strncmp(gh_strbuf_str(&name), ".done.", 6) == 0;
}

/* What captured the channel knows as little of it as the code that waits. */
static bool is_closure(const struct search *s, const struct gh_slot_ref *ref)
{
	uint16_t state = gh_mark_state(s->session->mark, ref->slot);
	struct gh_code code = gh_mark_code(s->session->mark, state);

	return gh_types_get(s->session->types, code.type)->shape == GH_SHAPE_CLOSURE;
}

static bool note(void *ctx, size_t range, gh_addr at, uint64_t value)
{
	struct search *s = ctx;
	struct gh_slot_ref ref;

	(void)value;
	// a sudog, say, tells who waits
	if (s->ret[range] == GH_ORIGIN_CONTEXT || !gh_heap_find(s->session->heap, at, &ref) ||
	    gh_owner_of_slot(s->session->owners, ref.slot) != GH_NODE_NONE ||
	    is_closure(s, &ref))
		return true;
	s->ret[range] = is_done(s, &ref, at) ? GH_ORIGIN_CONTEXT : GH_ORIGIN_OTHER;
	return true;
}

struct gh_error *gh_contexts_find(struct gh_session *session, const gh_addr *channels, size_t n,
				  uint8_t *ret)
{
	struct search s = {.session = session, .ret = ret};
	struct gh_budget *budget = session->target->budget;
	uint64_t bytes = n * sizeof(struct gh_range);
	_cleanup_free_ struct gh_range *ranges = NULL;
	gh_addr type = gh_types_rtype_named(session->types, "context.cancelCtx");
	struct gh_error *err = gh_budget_charge(budget, bytes, "channels of contexts");

	if (err)
		return err;
	s.context = type ? gh_types_of_rtype(session->types, type) : 0;
	ranges = gh_alloc_array(n, sizeof(*ranges));
	for (size_t i = 0; ranges && i < n; i++) {
		ranges[i] = (struct gh_range){channels[i], channels[i] + 1};
		ret[i] = GH_ORIGIN_UNKNOWN;
	}
	err = ranges ? gh_referrers_sweep(session->mark, ranges, n, &session->poll, note, &s)
		     : gh_error_nomem();
	gh_budget_give(budget, bytes);
	return err;
}
