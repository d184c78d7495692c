// SPDX-License-Identifier: Apache-2.0
// Goroutines that wait for each other's locks. As sure as the weakest holder in the circle.
#include "analysis/deadlocks.h"
#include "analysis/goroutine_nodes.h"
#include "analysis/place.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "goruntime/traceback.h"

#include <string.h>

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

/* The locks' names, one a link, in the links' order. */
static struct gh_error *name_locks(struct deadlock_find *find, const struct gh_deadlock *d,
				   const char ***ret)
{
	const struct gh_deadlock_link *links = &find->deadlocks.links.data[d->first_link];
	const char **names = gh_arena_alloc(&find->f->arena, d->nlinks * sizeof(*names));
	struct gh_error *err = names ? NULL : gh_error_nomem();

	for (size_t i = 0; i < d->nlinks && !err; i++) {
		_cleanup_strbuf_ struct gh_strbuf name = {0};

		err = gh_lock_name(&find->places, &find->locks->all.data[links[i].lock], &name);
		names[i] = gh_findings_text(find->f, "%s", name.len ? gh_strbuf_str(&name)
								    : "a lock without a name");
	}
	*ret = names;
	return err;
}

/*
 * Where to begin to tell a circle, so that another run of the program tells it the same way: the
 * least of its rotations, by names. Two candidates race, and the loser skips what it matched.
 */
static size_t first_of_circle(const char *const *names, size_t n)
{
	size_t a = 0, b = 1, same = 0;

	while (a < n && b < n && same < n) {
		int order = strcmp(names[(a + same) % n], names[(b + same) % n]);

		if (!order) {
			same++;
			continue;
		}
		*(order > 0 ? &a : &b) += same + 1;
		b += a == b;
		same = 0;
	}
	return a < b ? a : b;
}

/* Which locks, or how many where they have one name. */
static const char *locks_of(struct gh_findings *f, const struct gh_deadlock *d,
			    const char *const *names, const char *list)
{
	for (size_t i = 1; i < d->nlinks; i++)
		if (strcmp(names[i], names[0]) != 0)
			return gh_findings_text(f, "the locks are %s", list);
	return d->nlinks == 1 ? gh_findings_text(f, "the lock is %s", names[0])
			      : gh_findings_text(f, "each of the %u locks is a %s",
						 (unsigned)d->nlinks, names[0]);
}

/* "5, 7, 9", and what they wait for by name. */
static void tell_circle(struct deadlock_find *find, const struct gh_deadlock *d, size_t first,
			const char *const *names, struct gh_strbuf *who, struct gh_strbuf *locks)
{
	const struct gh_deadlock_link *links = &find->deadlocks.links.data[d->first_link];

	for (size_t i = 0; i < d->nlinks && i < NAMED; i++) {
		size_t at = (first + i) % d->nlinks;

		gh_strbuf_printf(who, "%s%llu", i ? ", " : "",
				 (unsigned long long)goroutine_at(find, links[at].g)->goid);
		gh_strbuf_printf(locks, "%s%s", i ? ", " : "", names[at]);
	}
	if (d->nlinks > NAMED)
		gh_strbuf_printf(who, " and %zu more", d->nlinks - NAMED);
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
	const struct gh_deadlock_link *links = &find->deadlocks.links.data[d->first_link];
	_cleanup_strbuf_ struct gh_strbuf who = {0}, locks = {0};
	struct gh_findings *f = find->f;
	struct gh_traceback t = {0};
	const char **names, *what;
	size_t first;
	struct gh_error *err = name_locks(find, d, &names);

	if (err)
		return err;
	first = first_of_circle(names, d->nlinks);
	tell_circle(find, d, first, names, &who, &locks);
	what = locks_of(f, d, names, gh_strbuf_str(&locks));
	err = gh_traceback_summary(f->session->rt, goroutine_at(find, links[first].g), &t);
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
						    f, "%s; %llu more goroutine%s behind", what,
						    (unsigned long long)d->behind,
						    d->behind == 1 ? " waits" : "s wait")
					  : what,
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
