// SPDX-License-Identifier: Apache-2.0
// The doctor's checks of the live set: what no correct mark of a sound heap may find. See
// doctor_checks.h.
#include "analysis/doctor_checks.h"
#include "base/cleanup.h"

#define ULL(x) ((unsigned long long)(x))

/* A count that must be 0. */
static void check_none(struct gh_doctor *doctor, const char *name, uint64_t n, const char *what,
		       const char *advice)
{
	gh_doctor_add(doctor, name, n ? GH_HEALTH_BAD : GH_HEALTH_OK, n ? advice : NULL, "%llu %s",
		      ULL(n), what);
}

/* The same was said of the same object before, by another pointer. */
static bool is_said(const struct gh_conflict *conflicts, size_t i)
{
	const struct gh_conflict *c = &conflicts[i];

	while (i-- > 0)
		if (conflicts[i].addr == c->addr && conflicts[i].claimed == c->claimed &&
		    conflicts[i].found == c->found)
			return true;
	return false;
}

/* Unsafe casts do this, and so would we if we typed wrongly: the first ones, one a row. */
static void list_conflicts(struct gh_doctor *doctor, const struct gh_session *session)
{
	static const char name[] = "typed pointers not believed";
	uint64_t all = gh_mark_counts(session->mark).conflicts;
	const struct gh_conflict *conflicts;
	size_t n;

	conflicts = gh_mark_conflicts(session->mark, &n);
	gh_doctor_add(doctor, name, all ? GH_HEALTH_WARN : GH_HEALTH_OK,
		      all ? "does the program cast pointers with unsafe? else goheap errs" : NULL,
		      "%llu", ULL(all));
	for (size_t i = 0; i < n; i++) {
		gh_type_id found = conflicts[i].found;

		if (is_said(conflicts, i))
			continue;
		gh_doctor_add(doctor, name, GH_HEALTH_WARN, NULL, "0x%llx: a pointer says %s, %s",
			      ULL(conflicts[i].addr),
			      gh_types_name(session->types, conflicts[i].claimed),
			      found ? gh_types_name(session->types, found)
				    : "its size or pointer bits say otherwise");
	}
}

static void check_live(struct gh_doctor *doctor, const struct gh_session *session)
{
	struct gh_mark_counts counts = gh_mark_counts(session->mark);
	const struct gh_root_counts *roots = &session->root_counts;
	uint64_t allocated = session->heap->nallocated;

	check_none(doctor, "pointers lead to allocated slots", counts.to_free,
		   "pointers to free slots",
		   "the core was taken in the middle of a change, is damaged, or goheap errs");
	if (counts.live <= allocated)
		gh_doctor_add(doctor, "what is live is allocated", GH_HEALTH_OK, NULL,
			      "%llu live of %llu allocated slots", ULL(counts.live),
			      ULL(allocated));
	else
		gh_doctor_add(doctor, "what is live is allocated", GH_HEALTH_BAD,
			      "the core is damaged, or goheap errs",
			      "%llu live, but %llu allocated slots", ULL(counts.live),
			      ULL(allocated));
	check_none(doctor, "live objects can be read", counts.lost, "are not in the core",
		   "what only they hold is missing: take a whole core");
	check_none(doctor, "type headers lead to types", counts.bad_headers, "do not",
		   "what only these objects hold is missing: the heap is damaged");
	check_none(doctor, "lists of the runtime end", roots->damaged_lists, "end in nowhere",
		   "what only they hold is missing: the core is damaged");
	gh_doctor_add(
		doctor, "stacks scanned", roots->goroutines_skipped ? GH_HEALTH_BAD : GH_HEALTH_OK,
		roots->goroutines_skipped ? "what only they hold is missing: take a whole core"
					  : NULL,
		"%llu, %llu of them running, %llu unwound in part; %llu skipped",
		ULL(roots->goroutines), ULL(roots->goroutines_off_safepoint),
		ULL(roots->goroutines_incomplete), ULL(roots->goroutines_skipped));
	gh_doctor_add(doctor, "live by conservative roots only", GH_HEALTH_OK, NULL,
		      "%llu objects, %llu bytes", ULL(counts.conservative),
		      ULL(counts.conservative_bytes));
	list_conflicts(doctor, session);
}

struct gh_error *gh_doctor_live(struct gh_doctor *doctor, struct gh_session *session)
{
	_cleanup_error_ struct gh_error *err = NULL;

	if (!session->heap) // said already
		return NULL;
	err = gh_session_mark(session);
	if (!err)
		check_live(doctor, session);
	else if (err->code == GH_ERR_NOMEM || err->code == GH_ERR_CANCELLED)
		return gh_steal(err);
	else
		gh_doctor_add(doctor, "live set", GH_HEALTH_BAD, "take a whole core", "%s",
			      err->message);
	return NULL;
}
