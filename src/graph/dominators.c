// SPDX-License-Identifier: Apache-2.0
// Semi-NCA. See dominators.h.
#include "graph/dominators.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/vec.h"

enum {
	POLL_EVERY = 1 << 20, // vertices
	AHEAD = 24,	      // sources whose lines are on their way
};

/* A vertex of the forest of those that were looked at: one line for both. */
struct link {
	uint32_t parent; // or an ancestor, once the path to it was compressed
	uint32_t least;	 // semidominator on the path below that ancestor
};
GH_VEC(path_vec, uint32_t);

struct semi {
	struct link *links; // the caller's
	struct path_vec path;
	bool nomem;
};

/* The least semidominator on the path from v up to what is not linked yet: at most `limit`. */
static uint32_t eval(struct semi *s, uint32_t v, uint32_t limit)
{
	struct link *links = s->links;
	uint32_t top = v;

	if (links[v].parent <= limit)
		return links[v].least;
	s->path.len = 0;
	while (links[top].parent > limit) {
		if (!path_vec_push(&s->path, top)) {
			s->nomem = true;
			return 0;
		}
		top = links[top].parent;
	}
	for (size_t i = s->path.len; i-- > 0;) {
		struct link *at = &links[s->path.data[i]];
		const struct link *above = &links[at->parent];

		if (above->least < at->least)
			at->least = above->least;
		at->parent = above->parent;
	}
	return links[v].least;
}

/* Semidominators from the last vertex to the first; that of v replaces offset[v + 1]. */
static struct gh_error *find_semi(struct semi *s, uint32_t n, const uint32_t *parent,
				  uint32_t *offset, const uint32_t *sources,
				  const struct gh_poll *poll)
{
	struct gh_error *err = gh_poll(poll, "finding dominators", 0, n);

	for (uint32_t v = n; v-- > 1 && !err;) {
		uint32_t least = parent[v];

		for (uint32_t i = offset[v + 1]; i-- > offset[v];) {
			uint32_t from = sources[i], found;

			if (i >= AHEAD)
				__builtin_prefetch(&s->links[sources[i - AHEAD]]);
			found = from <= v ? from : eval(s, from, v);
			if (found < least)
				least = found;
		}
		s->links[v].least = least;
		offset[v + 1] = least;
		if (v % POLL_EVERY == 0)
			err = gh_poll(poll, "finding dominators", n - v, n);
	}
	return err || !s->nomem ? err : gh_error_nomem();
}

struct gh_error *gh_dominators(uint32_t n, uint32_t *parent, uint32_t *offset,
			       const uint32_t *sources, void *scratch, const struct gh_poll *poll)
{
	struct semi s = {.links = scratch};
	struct gh_error *err;

	_Static_assert(sizeof(*s.links) == GH_DOMINATORS_SCRATCH, "the header tells others");
	for (uint32_t v = 0; v < n; v++)
		s.links[v] = (struct link){parent[v], parent[v]};
	err = find_semi(&s, n, parent, offset, sources, poll);
	path_vec_deinit(&s.path);
	for (uint32_t v = 1; v < n && !err; v++)
		while (parent[v] > offset[v + 1])
			parent[v] = parent[parent[v]];
	return err;
}
