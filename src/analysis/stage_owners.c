// SPDX-License-Identifier: Apache-2.0
// Stages OWNERS, DOMINATORS, SHARING, SHORTEST and BACKEDGES of a session. See session.h.
#include "analysis/session.h"
#include "analysis/sharing.h"

struct gh_error *gh_session_owners(struct gh_session *s)
{
	const struct gh_timers *timers;
	struct gh_error *err = gh_session_mark(s);

	if (!err && !s->owners)
		err = gh_session_timers_if_any(s, &timers);
	if (err || s->owners)
		return err;
	err = gh_owner_graph_create(&(struct gh_owner_input){.heap = s->heap,
							     .mark = s->mark,
							     .types = s->types,
							     .statics = s->statics,
							     .goroutines = &s->goroutines,
							     .timers = timers},
				    &s->poll, &s->owners);
	gh_lap(&s->laps, "owners");
	return err;
}

struct gh_error *gh_session_dominators(struct gh_session *s)
{
	struct gh_error *err = gh_session_owners(s);

	if (err || s->domtree)
		return err;
	err = gh_domtree_create(s->owners, &s->poll, &s->domtree);
	gh_lap(&s->laps, "dominators");
	return err;
}

struct gh_error *gh_session_sharing(struct gh_session *s)
{
	struct gh_error *err = gh_session_dominators(s);

	if (err || s->sharing)
		return err;
	err = gh_sharing_create(s->owners, s->domtree, &s->poll, &s->sharing);
	gh_lap(&s->laps, "sharing");
	return err;
}

struct gh_error *gh_session_shortest(struct gh_session *s)
{
	struct gh_error *err = gh_session_owners(s);

	if (err || s->shortest)
		return err;
	return gh_shortest_create(s->owners, &s->poll, &s->shortest);
}

struct gh_error *gh_session_backedges(struct gh_session *s)
{
	struct gh_error *err = gh_session_owners(s);

	if (err || s->backedges)
		return err;
	return gh_backedges_create(s->owners, &s->poll, &s->backedges);
}
