// SPDX-License-Identifier: Apache-2.0
// Many goroutines wait for one lock. Under load that happens; when they have waited long and nobody
// seems to hold it, an Unlock was lost.
#include "analysis/goroutine_nodes.h"
#include "analysis/locks.h"
#include "analysis/place.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "goruntime/traceback.h"

extern const struct gh_rule gh_rule_lock_pileup;

enum { MANY = 20 };			    // waiters
static const int64_t long_ns = 10000000000; // 10 s: no lock of a healthy program takes that

struct pileup_find {
	struct gh_findings *f;
	const struct gh_locks *locks;
	const struct gh_goroutine_node_vec *nodes;
	struct gh_places places;
};

/** What the waiters of one lock come to. */
struct pileup {
	uint64_t bytes;
	int64_t longest_ns;
};

static struct pileup sum_up(const struct pileup_find *find, const struct gh_lock *lock)
{
	const struct gh_session *s = find->f->session;
	struct pileup p = {0};

	for (size_t i = 0; i < lock->nwaiters; i++) {
		const struct gh_goroutine *g =
			&s->goroutines.data[find->locks->waiters.data[lock->first_waiter + i].g];
		uint64_t bytes;
		int64_t ns;

		if (gh_goroutine_retained(s, find->nodes, g, &bytes))
			p.bytes += bytes;
		if (gh_session_wait_ns(s, g, &ns) && ns > p.longest_ns)
			p.longest_ns = ns;
	}
	return p;
}

static struct gh_error *add(struct pileup_find *find, const struct gh_lock *lock)
{
	struct gh_findings *f = find->f;
	struct pileup p = sum_up(find, lock);
	const struct gh_goroutine *first =
		&f->session->goroutines.data[find->locks->waiters.data[lock->first_waiter].g];
	_cleanup_strbuf_ struct gh_strbuf name = {0};
	struct gh_traceback t = {0};
	struct gh_error *err = gh_lock_name(&find->places, lock, &name);
	bool is_lost = lock->is_held && !lock->nholders && p.longest_ns >= long_ns;

	if (!err)
		err = gh_traceback_summary(f->session->rt, first, &t);
	if (err)
		return err;
	if (!name.len)
		gh_strbuf_puts(&name, "without a name");
	gh_findings_add(
		f, &gh_rule_lock_pileup,
		(struct gh_finding){
			.level = is_lost ? GH_LEVEL_LIKELY : GH_LEVEL_POSSIBLE,
			.title = gh_findings_text(f, "%zu goroutines wait for the %s %s",
						  lock->nwaiters, gh_lock_kind_name(lock->kind),
						  gh_strbuf_str(&name)),
			.bytes = p.bytes,
			.bytes_kind = "at_least",
			.site = t.wait_file ? gh_findings_text(f, "%s:%d", t.wait_file, t.wait_line)
					    : NULL,
			.evidence = gh_findings_text(
				f, "%s%s",
				lock->nholders ? "`goheap locks` names who may hold it"
					       : "nobody was found who holds it",
				p.longest_ns < 100000000
					? ""
					: gh_findings_text(f, ", and one waits for at least %.1f s",
							   (double)p.longest_ns / 1e9)),
			.fix = "unlock by defer right behind Lock, and hold no lock while waiting",
			.more = "goheap locks",
			.key = gh_findings_text(f, "%s", gh_strbuf_str(&name)),
			.owner = gh_goroutine_node(find->nodes, first),
		});
	return NULL;
}

static struct gh_error *find(struct gh_findings *f)
{
	struct pileup_find find = {.f = f,
				   .places = {.session = f->session, .arena = &f->arena}};
	struct gh_error *err = gh_findings_nodes(f, &find.nodes);

	if (!err)
		err = gh_findings_locks(f, &find.locks);
	for (size_t i = 0; !err && i < find.locks->all.len; i++) {
		const struct gh_lock *lock = &find.locks->all.data[i];

		if (lock->nwaiters >= MANY &&
		    (lock->kind == GH_LOCK_MUTEX || lock->kind == GH_LOCK_RWMUTEX))
			err = add(&find, lock);
	}
	gh_places_deinit(&find.places);
	return err;
}

const struct gh_rule gh_rule_lock_pileup = {
	.id = "lock-pileup",
	.title = "Many goroutines that wait for one lock",
	.help = "Twenty and more. Likely when the lock is held, nobody was found who holds it, and one "
		"waits for ten seconds and more; else possible: a busy lock looks like that.",
	.find = find,
};
