// SPDX-License-Identifier: Apache-2.0
// See leak_proof.h.
#include "analysis/leak_proof.h"

#include "graph/reach.h"

enum { INNER_FRAMES = 4 }; // that may be runtime.chanrecv2

struct maker {
	struct gh_session *session;
	struct gh_leak_proof *ret;
	struct gh_reach *reach;
};

/* In a synctest bubble waits are reasons of their own, which the bubble ends. */
static bool is_durable(const char *reason)
{
	size_t len = strlen(reason);

	return len > 10 && (strcmp(reason + len - 10, " (durable)") == 0 ||
			    strcmp(reason + len - 11, " (synctest)") == 0);
}

static bool is_candidate(const struct gh_goroutine *g, enum gh_wait_kind kind)
{
	if ((g->status != GH_G_WAITING && g->status != GH_G_LEAKED) || is_durable(g->wait_reason))
		return false;
	switch (kind) {
	case GH_WAIT_RECEIVE:
	case GH_WAIT_SEND:
	case GH_WAIT_SELECT:
	case GH_WAIT_MUTEX:
	case GH_WAIT_READ_LOCK:
	case GH_WAIT_WRITE_LOCK:
	case GH_WAIT_WAIT_GROUP:
	case GH_WAIT_COND:
		return true;
	case GH_WAIT_FOREVER: // main in select {} keeps the program running, and is meant
		return g->goid != 1 || strcmp(g->wait_reason, "select (no cases)") != 0;
	case GH_WAIT_NONE:
	case GH_WAIT_SEMAPHORE:
	case GH_WAIT_SLEEP:
	case GH_WAIT_IO:
	case GH_WAIT_COROUTINE:
	case GH_WAIT_RUNTIME:
		break;
	}
	return false;
}

static enum gh_wait_kind kind_of(const struct gh_blocked *b)
{
	return b->on == GH_BLOCKED_WAIT_GROUP ? GH_WAIT_WAIT_GROUP : b->wait->kind;
}

/* `v, ok := <-c` and `for range c` call another function than `<-c` does. */
static bool is_range(const struct gh_session *s, const struct gh_frame_vec *frames)
{
	for (size_t i = 0; i < frames->len && i < INNER_FRAMES; i++) {
		const char *name = gh_func_name(s->rt, &frames->data[i].func);

		if (name && strcmp(name, "runtime.chanrecv2") == 0)
			return true;
	}
	return false;
}

static bool add_channels(struct maker *m, const struct gh_blocked *b, struct gh_leak_candidate *c)
{
	const struct gh_runtime *rt = m->session->rt;

	for (size_t i = 0; i < b->wait->sudogs.len; i++) {
		const struct gh_sudog *s = &b->wait->sudogs.data[i];

		if (!s->chan)
			continue;
		if (!gh_addr_vec_push(&m->ret->objects, s->chan))
			return false;
		c->nobjects++;
		c->capacity = (uint32_t)gh_min_u64(
			gh_field_or_zero(rt, s->chan, GH_F_hchan_dataqsiz), UINT32_MAX);
		if (s->role != GH_SUDOG_RECEIVE || c->capacity ||
		    gh_field_or_zero(rt, s->chan, GH_F_hchan_elemsize))
			continue;
		if (!gh_addr_vec_push(&m->ret->signals, s->chan))
			return false;
		c->nsignals++;
	}
	return true;
}

static struct gh_error *note(void *ctx, const struct gh_blocked *b)
{
	struct maker *m = ctx;
	const struct gh_goroutine *g = &m->session->goroutines.data[b->g];
	struct gh_leak_candidate c = {.g = b->g,
				      .kind = (uint8_t)kind_of(b),
				      .first = (uint32_t)m->ret->objects.len,
				      .first_signal = (uint32_t)m->ret->signals.len};
	bool fine = m->ret->objects.len < UINT32_MAX; // there are no more signals

	if (g->system || !is_candidate(g, (enum gh_wait_kind)c.kind))
		return NULL;
	c.is_range = c.kind == GH_WAIT_RECEIVE && is_range(m->session, b->frames);
	if (c.kind == GH_WAIT_RECEIVE || c.kind == GH_WAIT_SEND || c.kind == GH_WAIT_SELECT) {
		fine = fine && add_channels(m, b, &c);
	} else if (c.kind != GH_WAIT_FOREVER && b->wait->object) {
		fine = fine && gh_addr_vec_push(&m->ret->objects, b->wait->object);
		c.nobjects = 1;
	}
	c.cannot_know = c.kind != GH_WAIT_FOREVER && (!c.nobjects || b->wait->damaged);
	fine = fine && gh_leak_candidate_vec_push(&m->ret->all, c);
	return fine ? NULL : gh_error_nomem();
}

/* Reached, or no object of the heap: then the program can get at it. */
static bool is_reached(const struct maker *m, const struct gh_leak_candidate *c)
{
	if (c->cannot_know)
		return true;
	for (size_t i = 0; i < c->nobjects; i++) {
		struct gh_slot_ref ref;

		if (!gh_heap_find(m->session->heap, m->ret->objects.data[c->first + i], &ref) ||
		    gh_reach_has(m->reach, ref.slot))
			return true;
	}
	return false;
}

/* An owner and all that lie in it. */
static void add_with_children(struct maker *m, gh_node node)
{
	const struct gh_owner_vec *owners = &m->session->owners->owners;

	gh_reach_owner(m->reach, node);
	for (gh_node child = owners->data[node].child; child; child = owners->data[child].sibling)
		gh_reach_owner(m->reach, child);
}

/*
 * The collector finds records of defers that lie in the heap through the g, whether its stack is
 * scanned or not, and so does the runtime's own profile.
 */
static void add_heap_defers(struct maker *m, gh_node node)
{
	const struct gh_owner_vec *owners = &m->session->owners->owners;

	for (gh_node child = owners->data[node].child; child; child = owners->data[child].sibling)
		if (gh_heap_page(m->session->heap, owners->data[child].addr))
			gh_reach_owner(m->reach, child);
}

static gh_node node_of(const struct maker *m, const struct gh_leak_candidate *c)
{
	return gh_goroutine_node(&m->ret->nodes, &m->session->goroutines.data[c->g]);
}

static int by_node(const void *a, const void *b)
{
	gh_node x = *(const gh_node *)a, y = *(const gh_node *)b;

	return x < y ? -1 : x > y;
}

/* Everything but the candidates. */
static struct gh_error *add_others(struct maker *m)
{
	const struct gh_owner_vec *owners = &m->session->owners->owners;
	size_t n = m->ret->all.len, k = 0;
	gh_node *out = gh_alloc_array(n, sizeof(*out));

	if (!out)
		return gh_error_nomem();
	for (size_t i = 0; i < n; i++)
		out[i] = node_of(m, &m->ret->all.data[i]);
	if (n)
		qsort(out, n, sizeof(*out), by_node);
	for (gh_node node = 1; node < owners->len; node++) {
		while (k < n && out[k] < node)
			k++;
		if (k < n && out[k] == node)
			add_heap_defers(m, node);
		else if (owners->data[node].parent == GH_NODE_ROOT)
			add_with_children(m, node);
	}
	free(out);
	return gh_reach_drain(m->reach, &m->session->poll);
}

/* One look at all that are left; what each reaches counts for those that come after it. */
static struct gh_error *sweep(struct maker *m, bool backward, bool *changed_ret)
{
	struct gh_leak_candidate_vec *all = &m->ret->all;
	struct gh_error *err = NULL;

	*changed_ret = false;
	for (size_t i = 0; i < all->len && !err; i++) {
		struct gh_leak_candidate *c = &all->data[backward ? all->len - 1 - i : i];
		gh_node node;

		if (i % 4096 == 0)
			err = gh_poll(&m->session->poll, "proving leaks", i, all->len);
		if (err || !c->is_proven || !is_reached(m, c))
			continue;
		c->is_proven = false;
		*changed_ret = true;
		node = node_of(m, c);
		if (node != GH_NODE_NONE) {
			const struct gh_owner_vec *owners = &m->session->owners->owners;

			gh_reach_owner(m->reach, node);
			for (gh_node k = owners->data[node].child; k; k = owners->data[k].sibling)
				if (!gh_heap_page(m->session->heap, owners->data[k].addr))
					gh_reach_owner(m->reach, k);
		}
		err = gh_reach_drain(m->reach, &m->session->poll);
	}
	return err;
}

static struct gh_error *prove(struct maker *m)
{
	struct gh_leak_candidate_vec *all = &m->ret->all;
	struct gh_error *err = add_others(m);
	bool changed = true;

	for (size_t i = 0; i < all->len; i++)
		all->data[i].is_proven = true;
	for (int round = 0; changed && !err; round++)
		err = sweep(m, round % 2, &changed);
	if (err)
		return err;
	for (size_t i = 0; i < all->len; i++) {
		all->data[i].is_proven &= !m->ret->is_incomplete;
		m->ret->nproven += all->data[i].is_proven;
	}
	m->ret->proven_bytes =
		m->session->owners->live_bytes -
		gh_min_u64(gh_reach_sum(m->reach).bytes, m->session->owners->live_bytes);
	return NULL;
}

/* Most often each waits for one object: lists that grow one beside the other leave holes. */
static struct gh_error *reserve(struct gh_session *session, struct gh_leak_proof *ret)
{
	const struct gh_goroutine_vec *gs = &session->goroutines;
	uint64_t n = 0, bytes;
	struct gh_error *err;

	for (size_t i = 0; i < gs->len; i++)
		n += gs->data[i].status == GH_G_WAITING || gs->data[i].status == GH_G_LEAKED;
	bytes = n * (sizeof(*ret->all.data) + sizeof(*ret->objects.data) +
		     sizeof(*ret->signals.data));
	ret->budget = session->target->budget;
	err = gh_budget_charge(ret->budget, bytes, "goroutines that wait");
	if (err)
		return err;
	ret->charged_bytes = bytes;
	if (!gh_vec_reserve_exactly((void **)&ret->all.data, &ret->all.cap, n,
				    sizeof(*ret->all.data)) ||
	    !gh_vec_reserve_exactly((void **)&ret->objects.data, &ret->objects.cap, n,
				    sizeof(*ret->objects.data)) ||
	    !gh_vec_reserve_exactly((void **)&ret->signals.data, &ret->signals.cap, n,
				    sizeof(*ret->signals.data)))
		return gh_error_nomem();
	return NULL;
}

struct gh_error *gh_leak_proof_make(struct gh_session *session, struct gh_leak_proof *ret)
{
	struct maker m = {.session = session, .ret = ret};
	struct gh_error *err;

	*ret = (struct gh_leak_proof){0};
	err = gh_goroutine_nodes_load(session, &ret->nodes);
	if (!err)
		err = reserve(session, ret);
	if (!err)
		err = gh_blocked_visit(session, note, &m, &ret->counts);
	if (!err)
		err = gh_reach_create(session->owners, NULL, &m.reach);
	if (!err) {
		ret->is_incomplete = !gh_session_saw_all(session);
		err = prove(&m);
	}
	gh_reach_destroy(m.reach);
	if (err)
		gh_leak_proof_deinit(ret);
	return err;
}

void gh_leak_proof_deinit(struct gh_leak_proof *proof)
{
	gh_leak_candidate_vec_deinit(&proof->all);
	gh_addr_vec_deinit(&proof->objects);
	gh_addr_vec_deinit(&proof->signals);
	gh_goroutine_node_vec_deinit(&proof->nodes);
	gh_budget_give(proof->budget, proof->charged_bytes);
	proof->charged_bytes = 0;
}

const struct gh_leak_candidate *gh_leak_candidate_of(const struct gh_leak_proof *proof, uint32_t g)
{
	size_t lo = 0, hi = proof->all.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (proof->all.data[mid].g < g)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < proof->all.len && proof->all.data[lo].g == g ? &proof->all.data[lo] : NULL;
}
