// SPDX-License-Identifier: Apache-2.0
// See leaks.h.
#include "analysis/leaks.h"

#include <stdlib.h>

#include "analysis/contexts.h"
#include "analysis/leak_conns.h"
#include "analysis/leak_patterns.h"

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

/* Functions whose goroutines wait for what the program forgot to do, if nothing can wake them. */
static const struct {
	const char *function;
	struct gh_leak_pattern pattern;
} forgotten[] = {
	{"database/sql.(*DB).connectionOpener",
	 {"pool never closed", "close the sql.DB before it is dropped, or keep one for all"}},
	{"database/sql.(*Tx).awaitDone",
	 {"transaction never ended", "defer tx.Rollback() behind Begin; it does nothing once "
				     "Commit was called"}},
	{"database/sql.(*Rows).awaitDone",
	 {"rows never closed", "defer rows.Close() behind the check of the error"}},
	{"io.(*pipe).write",
	 {"pipe without a reader", "close the reader on every path that stops reading"}},
	{"io.(*pipe).read",
	 {"pipe without a writer", "close the writer when nothing more is written"}},
	{"net.(*pipe).", {"pipe without its other end", "close both ends of the net.Pipe"}},
	{"os/exec.(*Cmd).", {"command not waited for", "call Wait of each command that started"}},
	{"golang.org/x/sync/semaphore.(*Weighted).Acquire",
	 {"lock never released", "release on every path: defer Release right after Acquire"}},
};

struct finder {
	struct gh_leaks *ret;
	struct gh_leaks_query query;
	size_t nmembers;
	struct gh_trace_frame_vec frames; // scratch
	int64_t *waits;			  // owned: scratch, of the largest group
	gh_addr *objects;		  // owned: likewise
	gh_addr *signals;		  // owned: channels as a context's, sorted, each once
	uint8_t *origins;		  // owned: enum gh_chan_origin of each
	size_t nsignals;
	struct gh_frame_vec physical;	  // scratch
	struct gh_leak_conns conns;	  // owned: once somebody asked for them
	bool has_conns;
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

static bool has_frame_of(const struct finder *f, const char *function)
{
	for (size_t i = 0; i < f->frames.len; i++) {
		const char *name = f->frames.data[i].source.function;

		if (name && strncmp(name, function, strlen(function)) == 0)
			return true;
	}
	return false;
}

/* NULL: no frame tells. */
static const struct gh_leak_pattern *what_was_forgotten(const struct finder *f)
{
	for (size_t i = 0; i < GH_ARRAY_SIZE(forgotten); i++)
		if (has_frame_of(f, forgotten[i].function))
			return &forgotten[i].pattern;
	return NULL;
}

/* A frame that says that such goroutines wait by design; NULL: none. */
static const char *why_parked(const struct finder *f)
{
	for (size_t i = 0; i < GH_ARRAY_SIZE(parked); i++)
		if (has_frame_of(f, parked[i].function))
			return parked[i].why;
	return NULL;
}

static int by_wait(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Different objects that these wait for: the first one of each. */
static size_t count_objects(struct finder *f, const struct gh_leak *leak)
{
	size_t n = 0;

	for (size_t i = 0; i < leak->count; i++) {
		const struct gh_leak_candidate *c =
			candidate(f, f->ret->members[leak->first + i]);

		if (c && c->nobjects)
			f->objects[n++] = f->ret->proof.objects.data[c->first];
	}
	return gh_addr_unique(f->objects, n);
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

static enum gh_chan_origin origin_of(const struct finder *f, gh_addr chan)
{
	const gh_addr *found =
		f->nsignals ? bsearch(&chan, f->signals, f->nsignals, sizeof(chan), gh_addr_compare)
			    : NULL;

	return found ? (enum gh_chan_origin)f->origins[found - f->signals] : GH_ORIGIN_UNKNOWN;
}

/* Whose channels they are: what one of them shows goes for all, as they run the same code. */
static void see_origins(const struct finder *f, const struct gh_leak *leak,
			struct gh_leak_evidence *e)
{
	for (size_t i = 0; i < leak->count && !e->context; i++) {
		const struct gh_leak_candidate *c =
			candidate(f, f->ret->members[leak->first + i]);

		for (uint32_t k = 0; c && k < c->nsignals; k++) {
			enum gh_chan_origin origin = origin_of(
				f, f->ret->proof.signals.data[c->first_signal + k]);

			e->context |= origin == GH_ORIGIN_CONTEXT;
			e->other |= origin == GH_ORIGIN_OTHER;
		}
	}
}

static struct gh_error *find_pattern(struct finder *f, struct gh_leak *leak, size_t different)
{
	struct gh_session *s = f->ret->session;
	uint32_t first = f->ret->members[leak->first];
	struct gh_leak_evidence e = {.candidate = candidate(f, first),
				     .shared = different < leak->count};
	struct gh_leak_pattern pattern;
	enum gh_unwind_end end;
	struct gh_error *err;

	if (!e.candidate)
		return NULL;
	f->physical.len = 0;
	err = gh_session_unwind(s, first, &f->physical, &end);
	if (err)
		return err;
	gh_chancode_read(s->rt, &f->physical,
			 f->ret->proof.signals.data + e.candidate->first_signal,
			 e.candidate->nsignals,
			 e.candidate->nobjects ? f->ret->proof.objects.data[e.candidate->first] : 0,
			 &e.code);
	see_origins(f, leak, &e);
	pattern = gh_leak_pattern(&e);
	leak->pattern = pattern.pattern;
	leak->fix = pattern.fix;
	return NULL;
}

/* Does each of them go with an open connection of its own? */
static struct gh_error *have_connections(struct finder *f, const struct gh_leak *leak, bool *ret)
{
	struct gh_error *err = f->has_conns ? NULL
					    : gh_leak_conns_find(f->ret->session, &f->conns);

	*ret = false;
	if (err)
		return err;
	f->has_conns = true;
	return gh_leak_conns_are_own(&f->conns, &f->ret->proof.nodes,
				     f->ret->members + leak->first, leak->count, ret);
}

static struct gh_error *judge(struct finder *f, struct gh_leak *leak)
{
	uint32_t first = f->ret->members[leak->first];
	const struct gh_leak_candidate *c = candidate(f, first);
	size_t different = count_objects(f, leak);
	struct gh_error *err = find_pattern(f, leak, different);
	bool is_pool, is_long, is_likely, with_conns = false;

	if (err)
		return err;
	if (leak->tier == GH_LEAK_PROVEN) {
		const struct gh_leak_pattern *known = what_was_forgotten(f);

		if (known) {
			leak->pattern = known->pattern;
			leak->fix = known->fix;
		}
		return NULL;
	}
	is_pool = c && (c->kind == GH_WAIT_RECEIVE || c->kind == GH_WAIT_SELECT) &&
		  leak->count > 1 && different * POOL_SHARE <= leak->count + POOL_SHARE - 1;
	is_long = leak->count >= f->query.count && median_wait(f, leak) >= f->query.wait_ns;
	is_likely = c && !is_pool && is_long && !why_parked(f);
	if (is_likely)
		err = have_connections(f, leak, &with_conns);
	leak->tier = is_likely && !with_conns ? GH_LEAK_LIKELY : GH_LEAK_PARKED;
	if (err || leak->tier == GH_LEAK_LIKELY)
		return err;
	leak->fix = NULL;
	leak->pattern = why_parked(f);
	if (!leak->pattern)
		leak->pattern = !c ? why_no_candidate(&f->ret->session->goroutines.data[first])
				: with_conns ? "each goes with an open connection of its own"
				: is_pool ? "a pool: many wait for few channels"
					  : "others can still wake it";
	return NULL;
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
	struct gh_error *err;

	for (size_t i = 0; i < of->count; i++) {
		uint32_t g = f->ret->groups.members[of->first + i];
		const struct gh_leak_candidate *c = candidate(f, g);

		if ((c && c->is_proven) == proven)
			f->ret->members[f->nmembers++] = g;
	}
	leak.count = f->nmembers - leak.first;
	if (!leak.count)
		return NULL;
	err = judge(f, &leak);
	if (err)
		return err;
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

/* Channels of empty values that somebody waits for: which are those of contexts? */
static struct gh_error *find_contexts(struct finder *f)
{
	const struct gh_addr_vec *signals = &f->ret->proof.signals;

	f->signals = gh_alloc_array(signals->len, sizeof(*f->signals));
	f->origins = gh_alloc_array(signals->len, sizeof(*f->origins));
	if (!f->signals || !f->origins)
		return gh_error_nomem();
	if (!signals->len)
		return NULL;
	memcpy(f->signals, signals->data, signals->len * sizeof(*f->signals));
	f->nsignals = gh_addr_unique(f->signals, signals->len);
	return gh_contexts_find(f->ret->session, f->signals, f->nsignals, f->origins);
}

static struct gh_error *find(struct finder *f)
{
	struct gh_leaks *ret = f->ret;
	struct gh_error *err = find_contexts(f);

	if (err)
		return err;
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
	gh_frame_vec_deinit(&f.physical);
	gh_leak_conns_deinit(&f.conns);
	free(f.waits);
	free(f.objects);
	free(f.signals);
	free(f.origins);
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
