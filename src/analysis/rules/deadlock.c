// SPDX-License-Identifier: Apache-2.0
// Goroutines that wait for each other's locks. As sure as the weakest holder in the circle.
#include "analysis/deadlocks.h"
#include "analysis/goroutine_nodes.h"
#include "analysis/place.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "goruntime/traceback.h"

extern const struct gh_rule gh_rule_deadlock;

enum { NAMED = 4 }; // goroutines of a circle

struct deadlock_find {
	struct gh_findings *f;
	const struct gh_locks *locks;
	struct gh_deadlocks deadlocks;
	const struct gh_goroutine_node_vec *nodes;
	struct gh_places places;
};

static const struct gh_goroutine *goroutine_at(const struct deadlock_find *find, uint32_t i)
{
	return &find->f->session->goroutines.data[i];
}

/* "goroutines 5, 7 and 9", and what they wait for by name. */
static struct gh_error *name_circle(struct deadlock_find *find, const struct gh_deadlock *d,
				    struct gh_strbuf *who, struct gh_strbuf *locks)
{
	const struct gh_deadlock_link *links = &find->deadlocks.links.data[d->first_link];
	struct gh_error *err = NULL;

	for (size_t i = 0; i < d->nlinks && i < NAMED && !err; i++) {
		size_t before;

		gh_strbuf_printf(who, "%s%llu", i ? ", " : "",
				 (unsigned long long)goroutine_at(find, links[i].g)->goid);
		gh_strbuf_puts(locks, i ? ", " : "");
		before = locks->len;
		err = gh_lock_name(&find->places, &find->locks->all.data[links[i].lock], locks);
		if (locks->len == before)
			gh_strbuf_puts(locks, "a lock without a name");
	}
	if (d->nlinks > NAMED)
		gh_strbuf_printf(who, " and %zu more", d->nlinks - NAMED);
	return err;
}

static uint64_t retained_by(const struct deadlock_find *find, const struct gh_deadlock *d)
{
	uint64_t sum = 0, bytes;

	for (size_t i = 0; i < d->nlinks; i++) {
		uint32_t g = find->deadlocks.links.data[d->first_link + i].g;

		if (gh_goroutine_retained(find->f->session, find->nodes, goroutine_at(find, g),
					  &bytes))
			sum += bytes;
	}
	return sum;
}

static struct gh_error *add(struct deadlock_find *find, const struct gh_deadlock *d)
{
	const struct gh_deadlock_link *first = &find->deadlocks.links.data[d->first_link];
	_cleanup_strbuf_ struct gh_strbuf who = {0}, locks = {0};
	struct gh_findings *f = find->f;
	struct gh_traceback t = {0};
	struct gh_error *err = name_circle(find, d, &who, &locks);

	if (!err)
		err = gh_traceback_summary(f->session->rt, goroutine_at(find, first->g), &t);
	if (err)
		return err;
	gh_findings_add(
		f, &gh_rule_deadlock,
		(struct gh_finding){
			.level = d->level,
			.title = gh_findings_text(
				f, d->nlinks == 1 ? "goroutine %s waits for a lock that it holds itself"
						  : "goroutines %s wait for each other's locks",
				gh_strbuf_str(&who)),
			.bytes = retained_by(find, d),
			.bytes_kind = "at_least",
			.site = t.wait_file ? gh_findings_text(f, "%s:%d", t.wait_file, t.wait_line)
					    : NULL,
			.evidence =
				d->behind ? gh_findings_text(
						    f, "the locks are %s; %llu more goroutines wait "
						       "behind them",
						    gh_strbuf_str(&locks),
						    (unsigned long long)d->behind)
					  : gh_findings_text(f, "the locks are %s",
							     gh_strbuf_str(&locks)),
			.fix = "take the locks in the same order everywhere, and unlock by defer",
			.more = "goheap locks",
			.key = gh_findings_text(f, "%s", gh_strbuf_str(&locks)),
		});
	return NULL;
}

static struct gh_error *find(struct gh_findings *f)
{
	struct deadlock_find find = {.f = f,
				     .places = {.session = f->session, .arena = &f->arena}};
	struct gh_error *err = gh_findings_nodes(f, &find.nodes);

	if (!err)
		err = gh_findings_locks(f, &find.locks);
	if (!err)
		err = gh_deadlocks_find(f->session, find.locks, &find.deadlocks);
	for (size_t i = 0; i < find.deadlocks.all.len && !err; i++)
		err = add(&find, &find.deadlocks.all.data[i]);
	gh_places_deinit(&find.places);
	gh_deadlocks_deinit(&find.deadlocks);
	return err;
}

const struct gh_rule gh_rule_deadlock = {
	.id = "deadlock",
	.title = "Goroutines that wait for each other's locks",
	.help = "The runtime does not record who holds a lock: a deferred Unlock makes a goroutine a "
		"likely holder, a frame behind a call of Lock a possible one. The circle is as sure "
		"as the weakest of these.",
	.find = find,
};
