// SPDX-License-Identifier: Apache-2.0
// `locks`: what goroutines wait for in package sync, who may hold it, and who waits in a circle.
#include "analysis/deadlocks.h"
#include "analysis/place.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "command/code_cells.h"
#include "command/command.h"
#include "command/heap_notes.h"

enum column {
	ADDRESS,
	KIND,
	STATE,
	WAITERS,
	WAIT_NS_MAX,
	HOLDER,
	LEVEL,
	NAME,
	GOIDS,
	WAIT_NS_KIND,
	NCOLUMNS
};

static const struct gh_column columns[NCOLUMNS] = {
	[ADDRESS] = {"address", GH_UNIT_ADDRESS, false},
	[KIND] = {"kind", GH_UNIT_TEXT, false},
	[STATE] = {"state", GH_UNIT_TEXT, true},
	[WAITERS] = {"waiters", GH_UNIT_COUNT, false},
	[WAIT_NS_MAX] = {"wait_ns_max", GH_UNIT_NS, false},
	[HOLDER] = {"holder", GH_UNIT_TEXT, false},
	[LEVEL] = {"level", GH_UNIT_TEXT, false},
	[NAME] = {"name", GH_UNIT_TEXT, false},
	[GOIDS] = {"goids", GH_UNIT_LIST, true},
	[WAIT_NS_KIND] = {"wait_ns_kind", GH_UNIT_TEXT, true},
};

enum deadlock_column { D_LEVEL, D_COUNT, D_BEHIND, D_SENTENCE, D_GOIDS, NDEADLOCK };

static const struct gh_column deadlock_columns[NDEADLOCK] = {
	[D_LEVEL] = {"level", GH_UNIT_TEXT, false},
	[D_COUNT] = {"count", GH_UNIT_COUNT, false},
	[D_BEHIND] = {"behind", GH_UNIT_COUNT, false},
	[D_SENTENCE] = {"sentence", GH_UNIT_TEXT, false},
	[D_GOIDS] = {"goids", GH_UNIT_LIST, true},
};

enum { NAMED_LINKS = 8 }; // in one text

struct request {
	struct gh_session *session;
	struct gh_report *report;
	struct gh_locks locks;
	struct gh_deadlocks deadlocks;
	struct gh_places places;
};

static const struct gh_goroutine *goroutine(const struct request *r, uint32_t g)
{
	return &r->session->goroutines.data[g];
}

static unsigned long long goid(const struct request *r, uint32_t g)
{
	return (unsigned long long)goroutine(r, g)->goid;
}

static const char *keep(struct request *r, const struct gh_strbuf *sb)
{
	return gh_arena_strndup(&r->report->arena, gh_strbuf_str(sb), sb->len);
}

static struct gh_error *name_cell(struct request *r, const struct gh_lock *lock,
				  struct gh_cell *ret)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	struct gh_error *err = gh_lock_name(&r->places, lock, &sb);

	if (!err && sb.len)
		*ret = gh_cell_text(keep(r, &sb));
	return err;
}

static struct gh_cell holder_cell(struct request *r, const struct gh_lock *lock)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	gh_lock_describe_holders(r->session, &r->locks, lock, &sb);
	return sb.len ? gh_cell_text(keep(r, &sb)) : (struct gh_cell){0};
}

struct waiters {
	const struct request *r;
	const struct gh_lock *lock;
};

static uint64_t nth_waiter(const void *ctx, size_t i)
{
	const struct waiters *w = ctx;

	return goid(w->r, w->r->locks.waiters.data[w->lock->first_waiter + i].g);
}

struct circle {
	const struct request *r;
	const struct gh_deadlock *deadlock;
};

static uint64_t nth_link(const void *ctx, size_t i)
{
	const struct circle *c = ctx;

	return goid(c->r, c->r->deadlocks.links.data[c->deadlock->first_link + i].g);
}

static void fill_wait(const struct request *r, const struct gh_lock *lock, struct gh_cell *row)
{
	const struct gh_lock_waiter *waiters = &r->locks.waiters.data[lock->first_waiter];
	int64_t longest = -1, wait_ns;

	for (size_t i = 0; i < lock->nwaiters; i++)
		if (gh_session_wait_ns(r->session,
				       goroutine(r, waiters[i].g),
				       &wait_ns) &&
		    wait_ns > longest)
			longest = wait_ns;
	if (longest < 0)
		return;
	row[WAIT_NS_MAX] = gh_cell_i64(longest);
	row[WAIT_NS_KIND] = gh_cell_text("at_least");
}

/* What its words say: "locked, 3 waiting, starving". */
static struct gh_cell state_cell(struct request *r, const struct gh_lock *lock)
{
	static const char *const types[] = {
		[GH_LOCK_MUTEX] = "sync.Mutex",		 [GH_LOCK_RWMUTEX] = "sync.RWMutex",
		[GH_LOCK_WAIT_GROUP] = "sync.WaitGroup", [GH_LOCK_COND] = NULL,
		[GH_LOCK_FD] = NULL,			 [GH_LOCK_SEMAPHORE] = NULL,
	};
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	struct gh_gotype type = {0};

	if (types[lock->kind])
		type.rtype = gh_types_rtype_named(r->session->types, types[lock->kind]);
	if (!type.rtype)
		return (struct gh_cell){0};
	gh_value_brief(r->session->types, type, lock->addr, /* max= */ 120, /* no_data= */ false,
		       &sb);
	return gh_cell_text(keep(r, &sb));
}

static struct gh_error *add_lock(struct request *r, struct gh_table *table,
				 const struct gh_lock *lock)
{
	struct gh_cell *row = gh_table_row(table);
	struct gh_error *err;

	if (!row)
		return gh_error_nomem();
	row[ADDRESS] = gh_cell_u64(lock->addr);
	row[KIND] = gh_cell_text(gh_lock_kind_name(lock->kind));
	row[STATE] = state_cell(r, lock);
	row[WAITERS] = gh_cell_u64(lock->nwaiters);
	row[HOLDER] = holder_cell(r, lock);
	if (lock->nholders)
		row[LEVEL] = gh_cell_text(
			gh_level_name(r->locks.holders.data[lock->first_holder].level));
	fill_wait(r, lock, row);
	err = name_cell(r, lock, &row[NAME]);
	return err ? err
		   : gh_goids_cell(r->report, lock->nwaiters, nth_waiter,
				   &(struct waiters){r, lock}, &row[GOIDS]);
}

static int by_waiters(const void *a, const void *b)
{
	const struct gh_lock *x = *(const struct gh_lock *const *)a;
	const struct gh_lock *y = *(const struct gh_lock *const *)b;

	if (x->nwaiters != y->nwaiters)
		return x->nwaiters < y->nwaiters ? 1 : -1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* The one with most waiters first. */
static struct gh_error *list_locks(struct request *r, struct gh_table *table)
{
	struct gh_cell *total = gh_table_total(table);
	size_t n = r->locks.all.len;
	_cleanup_free_ const struct gh_lock **order = gh_alloc_array(n, sizeof(struct gh_lock *));
	struct gh_error *err = NULL;

	if (!order || !total)
		return gh_error_nomem();
	for (size_t i = 0; i < n; i++)
		order[i] = &r->locks.all.data[i];
	if (n)
		qsort(order, n, sizeof(struct gh_lock *), by_waiters);
	for (size_t i = 0; i < n && !err; i++) {
		if (i % 256 == 0)
			err = gh_poll(&r->session->poll, "naming locks", i, n);
		if (!err)
			err = add_lock(r, table, order[i]);
	}
	total[WAITERS] = gh_cell_u64(r->locks.waiters.len);
	return err;
}

/* "goroutine 18 waits for main.a, which goroutine 19 holds" */
static struct gh_error *add_link(struct request *r, const struct gh_deadlock *d, size_t i,
				 struct gh_strbuf *sb)
{
	const struct gh_deadlock_link *links = &r->deadlocks.links.data[d->first_link];
	const struct gh_lock *lock = &r->locks.all.data[links[i].lock];
	uint32_t next = links[(i + 1) % d->nlinks].g;
	size_t before;
	struct gh_error *err;

	gh_strbuf_printf(sb, "%sgoroutine %llu waits for the %s ", i ? "; " : "",
			 goid(r, links[i].g), gh_lock_kind_name(lock->kind));
	before = sb->len;
	err = gh_lock_name(&r->places, lock, sb);
	if (!lock->is_global)
		gh_strbuf_printf(sb, "%sat 0x%llx", sb->len > before ? " " : "",
				 (unsigned long long)lock->addr);
	if (next == links[i].g)
		gh_strbuf_printf(sb, ", which it %s itself",
				 d->level == GH_LEVEL_LIKELY ? "holds" : "may hold");
	else
		gh_strbuf_printf(sb, ", which goroutine %llu %s", goid(r, next),
				 d->level == GH_LEVEL_LIKELY ? "holds" : "may hold");
	return err;
}

static struct gh_error *add_deadlock(struct request *r, struct gh_table *table,
				     const struct gh_deadlock *d)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	struct gh_cell *row = gh_table_row(table);
	struct gh_error *err = NULL;

	if (!row)
		return gh_error_nomem();
	for (size_t i = 0; i < d->nlinks && i < NAMED_LINKS && !err; i++)
		err = add_link(r, d, i, &sb);
	if (err)
		return err;
	if (d->nlinks > NAMED_LINKS)
		gh_strbuf_printf(&sb, "; and so on, %zu in all", d->nlinks);
	row[D_LEVEL] = gh_cell_text(gh_level_name(d->level));
	row[D_COUNT] = gh_cell_u64(d->nlinks);
	row[D_BEHIND] = gh_cell_u64(d->behind);
	row[D_SENTENCE] = gh_cell_text(keep(r, &sb));
	return gh_goids_cell(r->report, d->nlinks, nth_link, &(struct circle){r, d},
			     &row[D_GOIDS]);
}

static void conclude(struct request *r)
{
	struct gh_report *report = r->report;

	report->headline = gh_arena_printf(
		&report->arena, "%zu goroutine%s for %zu lock%s; %zu deadlock%s",
		r->locks.waiters.len, r->locks.waiters.len == 1 ? " waits" : "s wait",
		r->locks.all.len, gh_plural(r->locks.all.len), r->deadlocks.all.len,
		gh_plural(r->deadlocks.all.len));
	gh_report_skip(report, "goroutines", r->locks.counts.no_object,
		       "the lock that they wait for was not found");
	gh_report_skip(report, "waits", r->locks.counts.damaged,
		       "entries of queues that cannot be");
	gh_report_skip(report, "defers", r->locks.skips.damaged + r->locks.skips.unreadable,
		       "records that cannot be read, or cannot be");
	gh_report_skip(report, "goroutines", r->session->unreadable_goroutines,
		       "they cannot be read from the target");
}

static struct gh_error *list(struct request *r)
{
	struct gh_table *locks = gh_report_table(r->report, "locks", columns, NCOLUMNS);
	struct gh_table *deadlocks =
		gh_report_table(r->report, "deadlocks", deadlock_columns, NDEADLOCK);
	struct gh_error *err = NULL;

	if (!locks || !deadlocks)
		return gh_error_nomem();
	err = list_locks(r, locks);
	for (size_t i = 0; i < r->deadlocks.all.len && !err; i++)
		err = add_deadlock(r, deadlocks, &r->deadlocks.all.data[i]);
	return err;
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	struct request r = {.session = session,
			    .report = report,
			    .places = {.session = session, .arena = &report->arena}};
	struct gh_error *err = gh_locks_find(session, &r.locks);

	(void)args;
	if (!err)
		err = gh_deadlocks_find(session, &r.locks, &r.deadlocks);
	if (!err)
		err = list(&r);
	if (!err) {
		conclude(&r);
		gh_heap_notes(session, report);
	}
	gh_places_deinit(&r.places);
	gh_deadlocks_deinit(&r.deadlocks);
	gh_locks_deinit(&r.locks);
	return err;
}

static const struct gh_table_shape tables[] = {
	{"locks", columns, NCOLUMNS},
	{"deadlocks", deadlock_columns, NDEADLOCK},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core locks", "what goroutines wait for in package sync, and who waits in a circle"},
	{"core locks --sort wait_ns_max", "the longest waits first"},
	{"core locks --json | jq '.tables.deadlocks.rows[].sentence'",
	 "each deadlock in one sentence"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_locks = {
	.name = "locks",
	.summary = "Locks that goroutines wait for, who may hold them, and deadlocks.",
	.usage = "locks",
	.help = "Mutexes, RWMutexes, wait groups, conds and semaphores that somebody waits for, "
		"the one with most waiters first. state is what the lock itself says, name what "
		"it lies in: a package variable, or the field of an object's type. Waits are "
		"lower bounds: the runtime notes the first collection that saw a goroutine "
		"blocked.\n"
		"\n"
		"The runtime does not record who holds a lock. level is likely where a pending "
		"defer of the holder would unlock it (of a WaitGroup: would call Done), possible "
		"where one of its frames stands behind a call of Lock and has the lock's address "
		"at hand. holder is empty where neither is seen, and where the lock is free.\n"
		"\n"
		"Table deadlocks: goroutines each of which waits for a lock that the next one "
		"holds, in a circle; behind counts the others that wait for these locks. A "
		"deadlock is as sure as its weakest holder.\n",
	.examples = examples,
	.tables = tables,
	.needs_target = true,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_PACKAGE | GH_IGNORES_MIN,
	.reads = GH_READS_VALUES, // a lock alone has no pointers
	.run = run,
};
