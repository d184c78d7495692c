// SPDX-License-Identifier: Apache-2.0
// Objects of the runtime that only describe an owner: g, m, p, sudog, _defer (runtime/runtime2.go).
// Found by the runtime's lists where there are some, and by the type that the mark gave them where
// they hang in lists of the program's own objects (a channel's queue, a semaphore's tree). See
// owners.h.
#include "graph/owner_build.h"

#include "goruntime/freelist.h"

enum { MAX_THREADS = 1 << 16 };

static void own_goroutines(struct owner_build *b)
{
	for (size_t i = 0; i < b->in->goroutines->len; i++) {
		gh_addr g = b->in->goroutines->data[i].addr;
		gh_node owner = gh_owner_of_g(b, g);

		if (owner == GH_NODE_ROOT)
			owner = gh_owner_runtime(b, "free goroutines");
		gh_owner_describe_slot(b, owner, g);
	}
}

/* runtime.allm, by m.alllink; each has a g0 and a g for signals that are in no list. */
static void own_threads(struct owner_build *b)
{
	const struct gh_runtime *rt = b->in->heap->rt;
	uint64_t m = 0;

	if (!rt->var[GH_V_allm])
		return;
	gh_read_u64(rt->image, rt->var[GH_V_allm], &m);
	for (int steps = 0; m && steps < MAX_THREADS; steps++) {
		gh_node owner = gh_owner_runtime(b, "threads");

		gh_owner_describe_slot(b, owner, m);
		gh_owner_describe_slot(b, owner, gh_field_or_zero(rt, m, GH_F_m_g0));
		gh_owner_describe_slot(b, owner, gh_field_or_zero(rt, m, GH_F_m_gsignal));
		m = gh_field_or_zero(rt, m, GH_F_m_alllink);
	}
}

/* What an object of such a type describes. */
static gh_node owner_of_sudog(struct owner_build *b, gh_addr sudog)
{
	gh_addr g = gh_field_or_zero(b->in->heap->rt, sudog, GH_F_sudog_g);
	gh_node owner = g ? gh_owner_of_g(b, g) : GH_NODE_ROOT;

	return owner != GH_NODE_ROOT ? owner : gh_owner_runtime(b, "free waiting records");
}

static gh_node owner_of_thread(struct owner_build *b, gh_addr object)
{
	(void)object;
	return gh_owner_runtime(b, "threads");
}

static gh_node owner_of_p(struct owner_build *b, gh_addr object)
{
	(void)object;
	return gh_owner_runtime(b, "processors");
}

static gh_node owner_of_defer(struct owner_build *b, gh_addr object)
{
	(void)object;
	return gh_owner_runtime(b, "free defer records");
}

static const struct {
	const char *type;
	gh_node (*owner)(struct owner_build *b, gh_addr object);
} kinds[] = {
	{"runtime.sudog", owner_of_sudog}, {"runtime.m", owner_of_thread},
	{"runtime.g", owner_of_thread},	   {"runtime.p", owner_of_p},
	{"runtime._defer", owner_of_defer},
};

/* The span's live objects of one of the codes. */
static void own_in_span(struct owner_build *b, const struct gh_span *span, const uint8_t *kind_of)
{
	for (uint32_t i = 0; i < span->nelems; i++) {
		uint16_t state = gh_state_at(&b->m->states, span->slot0 + i);
		gh_addr base = span->base + i * span->elem_bytes;

		if (state < GH_CODE_FIRST || !kind_of[state])
			continue;
		base += b->m->classes[span->spanclass].header;
		gh_owner_describe_slot(b, kinds[kind_of[state] - 1].owner(b, base), base);
	}
}

static void own_by_type(struct owner_build *b)
{
	size_t ncodes = gh_mark_ncodes(b->m);
	uint8_t *kind_of = gh_alloc_array(ncodes, 1); // 1 and up: of kinds
	const struct gh_span_vec *spans = &b->in->heap->table.spans;
	bool any = false;

	if (!kind_of) {
		b->nomem = true;
		return;
	}
	for (size_t code = GH_CODE_FIRST; code < ncodes; code++) {
		struct gh_code c = gh_mark_code(b->m, (uint16_t)code);
		const char *name;

		if (!gh_code_names(c) || c.form == GH_FORM_ARRAY)
			continue;
		name = gh_types_name(b->in->types, c.type);
		for (size_t k = 0; k < GH_ARRAY_SIZE(kinds); k++)
			if (!strcmp(name, kinds[k].type)) {
				kind_of[code] = (uint8_t)(k + 1);
				any = true;
			}
	}
	for (size_t i = 0; any && i < spans->len; i++)
		if (!gh_span_is_noscan(&spans->data[i]) && !gh_span_is_large(&spans->data[i]))
			own_in_span(b, &spans->data[i], kind_of);
	free(kind_of);
}

static void own_list(struct owner_build *b, const struct gh_addr_vec *list, const char *name)
{
	for (size_t i = 0; i < list->len; i++)
		gh_owner_describe_slot(b, gh_owner_runtime(b, name), list->data[i]);
}

static struct gh_error *own_free_records(struct owner_build *b)
{
	struct gh_freelists lists = {0};
	struct gh_error *err = gh_freelists_load(b->in->heap->rt, &lists);

	if (!err) {
		own_list(b, &lists.sudogs, "free waiting records");
		own_list(b, &lists.defers, "free defer records");
	}
	gh_freelists_deinit(&lists);
	return err;
}

struct gh_error *gh_owner_find_bookkeeping(struct owner_build *b)
{
	own_goroutines(b);
	own_threads(b);
	own_by_type(b);
	return b->nomem ? gh_error_nomem() : own_free_records(b);
}
