// SPDX-License-Identifier: Apache-2.0
// See leaks.h.
#include "analysis/leaks.h"

#include <stdlib.h>

/* Ten at one place are no accident; a minute is longer than most requests may take. */
const struct gh_leaks_query gh_leaks_query = {.count = 10, .wait_ns = 60000000000LL};

enum { POOL_SHARE = 10 }; // a pool waits for one channel for so many goroutines, or fewer channels

const char *gh_leak_tier_name(enum gh_leak_tier tier)
{
	static const char *const names[] = {
		[GH_LEAK_PROVEN] = "proven",
		[GH_LEAK_LIKELY] = "likely",
		[GH_LEAK_PARKED] = "parked",
	};

	return names[tier];
}

/* Functions whose goroutines wait by design, by any of their frames. */
static const struct {
	const char *function, *why;
} parked[] = {
	{"net/http.(*persistConn).", "a connection of an HTTP client waits for work"},
	{"net/http.(*Server).", "an HTTP server waits for connections"},
	{"net/http.(*conn).serve", "an HTTP server waits for a request"},
	{"net/http.(*http2", "an HTTP/2 connection waits for work"},
	{"net/http/internal/http2.", "an HTTP/2 connection waits for work"},
	{"database/sql.(*DB).connectionOpener", "a pool of database connections waits for work"},
	{"database/sql.(*DB).connectionCleaner", "a pool of database connections waits for work"},
	{"database/sql.(*Tx).awaitDone", "a transaction is open"},
	{"database/sql.(*Rows).awaitDone", "rows of a query are open"},
	{"os/signal.", "a signal handler"},
	{"context.(*cancelCtx).propagateCancel", "a context waits for its parent"},
	{"os/exec.(*Cmd).", "waits for a command that runs"},
	{"runtime.ensureSigM", "a signal handler"},
	{"google.golang.org/grpc.(*Server).", "a gRPC server: its client may still ask"},
	{"google.golang.org/grpc.(*ClientConn).", "a connection of a gRPC client"},
	{"google.golang.org/grpc/internal/", "a connection of gRPC waits for work"},
};

struct pattern {
	const char *pattern, *fix;
};

static struct pattern of_send(const struct gh_leak_candidate *c, bool shared)
{
	if (c->capacity == 1 && !shared)
		return (struct pattern){"double send",
					"send once, or in a select with the context's Done"};
	if (shared || c->capacity)
		return (struct pattern){"missing receiver",
					"keep receiving until all senders are done, or let them "
					"give up in a select"};
	return (struct pattern){"premature return",
				"give the channel room for the result (make(chan T, 1)), or send "
				"in a select with the context's Done"};
}

static struct pattern of_receive(const struct gh_leak_candidate *c)
{
	if (c->is_range)
		return (struct pattern){"range over a channel never closed",
					"close the channel when nothing more is sent"};
	return (struct pattern){"missing sender",
				"close the channel on every path of the sender, or receive in a "
				"select with the context's Done"};
}

/* shared: several of the group wait for one object. */
static struct pattern pattern_of(const struct gh_leak_candidate *c, bool shared)
{
	switch ((enum gh_wait_kind)c->kind) {
	case GH_WAIT_SEND:
		return of_send(c, shared);
	case GH_WAIT_RECEIVE:
		return of_receive(c);
	case GH_WAIT_SELECT:
		if (c->has_done)
			return (struct pattern){"forgotten context",
						"call the context's cancel function (defer "
						"cancel()), or close the done channel"};
		return (struct pattern){"select without a way out",
					"add a case that ends it: the context's Done"};
	case GH_WAIT_FOREVER:
		return (struct pattern){"wait that nothing ends",
					"make the channel before it is used; end the goroutine "
					"instead of select {}"};
	case GH_WAIT_MUTEX:
	case GH_WAIT_READ_LOCK:
	case GH_WAIT_WRITE_LOCK:
		return (struct pattern){"lock never released",
					"unlock on every path: defer Unlock right after Lock"};
	case GH_WAIT_WAIT_GROUP:
		return (struct pattern){"missing Done",
					"defer Done first thing in each goroutine that was added"};
	case GH_WAIT_COND:
		return (struct pattern){"missing Signal",
					"call Signal or Broadcast whenever the condition changes"};
	case GH_WAIT_NONE:
	case GH_WAIT_SEMAPHORE:
	case GH_WAIT_SLEEP:
	case GH_WAIT_IO:
	case GH_WAIT_COROUTINE:
	case GH_WAIT_RUNTIME:
		break;
	}
	return (struct pattern){NULL, NULL};
}

struct finder {
	struct gh_leaks *ret;
	struct gh_leaks_query query;
	size_t nmembers;
	struct gh_trace_frame_vec frames; // scratch
	int64_t *waits;			  // owned: scratch, of the largest group
	gh_addr *objects;		  // owned: likewise
};

static bool is_wanted(void *ctx, const struct gh_goroutine *g)
{
	(void)ctx;
	return !g->system && (g->status == GH_G_WAITING || g->status == GH_G_LEAKED);
}

static const struct gh_leak_candidate *candidate(const struct finder *f, uint32_t g)
{
	return gh_leak_candidate_of(&f->ret->proof, g);
}

/* Why goroutines that wait for no channel or lock wait. */
static const char *why_no_candidate(const struct gh_goroutine *g)
{
	switch (gh_wait_kind_of(g->wait_reason)) {
	case GH_WAIT_SLEEP:
		return "sleeps";
	case GH_WAIT_IO:
		return "waits for a file or connection";
	case GH_WAIT_FOREVER:
		return "keeps the program running";
	case GH_WAIT_COROUTINE:
		return "an iterator that may be asked again";
	case GH_WAIT_NONE:
	case GH_WAIT_RECEIVE:
	case GH_WAIT_SEND:
	case GH_WAIT_SELECT:
	case GH_WAIT_SEMAPHORE:
	case GH_WAIT_MUTEX:
	case GH_WAIT_READ_LOCK:
	case GH_WAIT_WRITE_LOCK:
	case GH_WAIT_WAIT_GROUP:
	case GH_WAIT_COND:
	case GH_WAIT_RUNTIME:
		break;
	}
	return "the runtime wakes it";
}

/* A frame that says that such goroutines wait by design; NULL: none. */
static const char *why_parked(const struct finder *f)
{
	for (size_t i = 0; i < f->frames.len; i++)
		for (size_t k = 0; k < GH_ARRAY_SIZE(parked); k++) {
			const char *name = f->frames.data[i].source.function;

			if (name && strncmp(name, parked[k].function,
					    strlen(parked[k].function)) == 0)
				return parked[k].why;
		}
	return NULL;
}

static int by_address(const void *a, const void *b)
{
	gh_addr x = *(const gh_addr *)a, y = *(const gh_addr *)b;

	return x < y ? -1 : x > y;
}

static int by_wait(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Different objects that these wait for: the first one of each. */
static size_t count_objects(struct finder *f, const struct gh_leak *leak)
{
	size_t n = 0, different = 0;

	for (size_t i = 0; i < leak->count; i++) {
		const struct gh_leak_candidate *c =
			candidate(f, f->ret->members[leak->first + i]);

		if (c && c->nobjects)
			f->objects[n++] = f->ret->proof.objects.data[c->first];
	}
	if (n)
		qsort(f->objects, n, sizeof(*f->objects), by_address);
	for (size_t i = 0; i < n; i++)
		different += !i || f->objects[i] != f->objects[i - 1];
	return different;
}

/* Half of them wait longer; those whose wait nobody knows count 0. */
static int64_t median_wait(struct finder *f, const struct gh_leak *leak)
{
	for (size_t i = 0; i < leak->count; i++) {
		const struct gh_goroutine *g =
			&f->ret->session->goroutines.data[f->ret->members[leak->first + i]];

		f->waits[i] = 0;
		if (!gh_session_wait_ns(f->ret->session, g, &f->waits[i]))
			f->waits[i] = 0;
	}
	qsort(f->waits, leak->count, sizeof(*f->waits), by_wait);
	return f->waits[leak->count / 2];
}

static void judge(struct finder *f, struct gh_leak *leak)
{
	uint32_t first = f->ret->members[leak->first];
	const struct gh_leak_candidate *c = candidate(f, first);
	size_t different = count_objects(f, leak);
	struct pattern pattern = {NULL, NULL};
	bool is_pool, is_long;

	if (c)
		pattern = pattern_of(c, different < leak->count);
	leak->pattern = pattern.pattern;
	leak->fix = pattern.fix;
	if (leak->tier == GH_LEAK_PROVEN)
		return;
	is_pool = c && (c->kind == GH_WAIT_RECEIVE || c->kind == GH_WAIT_SELECT) &&
		  leak->count > 1 && different * POOL_SHARE <= leak->count + POOL_SHARE - 1;
	is_long = leak->count >= f->query.count && median_wait(f, leak) >= f->query.wait_ns;
	leak->tier = c && !is_pool && is_long && !why_parked(f) ? GH_LEAK_LIKELY : GH_LEAK_PARKED;
	if (leak->tier == GH_LEAK_LIKELY)
		return;
	leak->fix = NULL;
	leak->pattern = why_parked(f);
	if (!leak->pattern)
		leak->pattern = !c ? why_no_candidate(&f->ret->session->goroutines.data[first])
				: is_pool ? "a pool: many wait for few channels"
					  : "others can still wake it";
}

static void sum_up(struct finder *f, struct gh_leak *leak)
{
	struct gh_session *s = f->ret->session;

	leak->wait_ns_max = -1;
	for (size_t i = 0; i < leak->count; i++) {
		const struct gh_goroutine *g =
			&s->goroutines.data[f->ret->members[leak->first + i]];
		uint64_t bytes;
		int64_t wait_ns;

		if (gh_goroutine_retained(s, &f->ret->proof.nodes, g, &bytes))
			leak->retained += bytes;
		if (gh_session_wait_ns(s, g, &wait_ns) && wait_ns > leak->wait_ns_max)
			leak->wait_ns_max = wait_ns;
	}
}

/* The members of a group that are proven, or those that are not. */
static struct gh_error *add_part(struct finder *f, size_t group, bool proven)
{
	const struct gh_stack_group *of = &f->ret->groups.data[group];
	struct gh_leak leak = {.tier = proven ? GH_LEAK_PROVEN : GH_LEAK_PARKED,
			       .group = group,
			       .first = f->nmembers};

	for (size_t i = 0; i < of->count; i++) {
		uint32_t g = f->ret->groups.members[of->first + i];
		const struct gh_leak_candidate *c = candidate(f, g);

		if ((c && c->is_proven) == proven)
			f->ret->members[f->nmembers++] = g;
	}
	leak.count = f->nmembers - leak.first;
	if (!leak.count)
		return NULL;
	judge(f, &leak);
	sum_up(f, &leak);
	return gh_leak_vec_push(&f->ret->all, leak) ? NULL : gh_error_nomem();
}

static struct gh_error *add_group(struct finder *f, size_t group)
{
	struct gh_error *err;

	f->frames.len = 0;
	err = gh_stack_group_frames(f->ret->session, &f->ret->groups, &f->ret->groups.data[group],
				    &f->frames);
	if (!err)
		err = add_part(f, group, /* proven= */ true);
	if (!err)
		err = add_part(f, group, /* proven= */ false);
	return err;
}

static int by_weight(const void *a, const void *b)
{
	const struct gh_leak *x = a, *y = b;

	if (x->tier != y->tier)
		return x->tier < y->tier ? -1 : 1;
	if (x->retained != y->retained)
		return x->retained < y->retained ? 1 : -1;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->group < y->group ? -1 : x->group > y->group;
}

static struct gh_error *find(struct finder *f)
{
	struct gh_leaks *ret = f->ret;
	struct gh_error *err = NULL;

	ret->members = gh_alloc_array(ret->groups.nmembers, sizeof(*ret->members));
	f->waits = gh_alloc_array(ret->groups.nmembers, sizeof(*f->waits));
	f->objects = gh_alloc_array(ret->groups.nmembers, sizeof(*f->objects));
	if (!ret->members || !f->waits || !f->objects)
		return gh_error_nomem();
	for (size_t i = 0; i < ret->groups.len && !err; i++)
		err = add_group(f, i);
	if (!err && ret->all.len)
		qsort(ret->all.data, ret->all.len, sizeof(*ret->all.data), by_weight);
	return err;
}

struct gh_error *gh_leaks_find(struct gh_session *session, const struct gh_leaks_query *query,
			       struct gh_leaks *ret)
{
	struct finder f = {.ret = ret, .query = *query};
	struct gh_error *err;

	*ret = (struct gh_leaks){.session = session};
	err = gh_leak_proof_make(session, &ret->proof);
	if (!err)
		err = gh_stack_groups_load(session, is_wanted, NULL, &ret->groups);
	if (!err)
		err = find(&f);
	gh_trace_frame_vec_deinit(&f.frames);
	free(f.waits);
	free(f.objects);
	if (err)
		gh_leaks_deinit(ret);
	return err;
}

void gh_leaks_deinit(struct gh_leaks *leaks)
{
	gh_leak_proof_deinit(&leaks->proof);
	gh_stack_groups_deinit(&leaks->groups);
	gh_leak_vec_deinit(&leaks->all);
	free(leaks->members);
	leaks->members = NULL;
}
