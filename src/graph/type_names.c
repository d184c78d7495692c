// SPDX-License-Identifier: Apache-2.0
// Named types by their full name, for rules that know a type of the runtime or the standard library
// by name only. Built when the first rule asks. See types_table.h.
#include <stdlib.h>

#include "base/strbuf.h"
#include "graph/types_table.h"

enum { FIRST_CAP = 1 << 12 };

static uint64_t hash_of(const char *name)
{
	uint64_t h = 0xcbf29ce484222325ULL; // FNV-1a

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3ULL;
	return h ? h : 1;
}

static size_t bucket_of(const struct gh_types *types, uint64_t hash)
{
	size_t mask = types->named_cap - 1, i = (size_t)(hash >> 20) & mask;

	while (types->named[i].hash && types->named[i].hash != hash)
		i = (i + 1) & mask;
	return i;
}

static bool grow(struct gh_types *types)
{
	struct gh_named_rtype *old = types->named;
	size_t n = types->named_cap;

	types->named_cap = n ? n * 2 : FIRST_CAP;
	types->named = gh_alloc_array(types->named_cap, sizeof(*types->named));
	if (!types->named) {
		types->named = old;
		types->named_cap = n;
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (old[i].hash)
			types->named[bucket_of(types, old[i].hash)] = old[i];
	free(old);
	return true;
}

struct build {
	struct gh_types *types;
	struct gh_strbuf name;
};

static void add(void *ctx, gh_addr rtype)
{
	struct build *b = ctx;
	struct gh_types *types = b->types;
	struct gh_rtype t;
	uint64_t hash;
	size_t i;

	if (!gh_rtype_read(types->rt, rtype, &t) || !t.is_named ||
	    (types->nnamed * 2 >= types->named_cap && !grow(types)))
		return;
	gh_strbuf_reset(&b->name);
	gh_rtype_name(types->rt, rtype, &b->name);
	hash = hash_of(gh_strbuf_str(&b->name));
	i = bucket_of(types, hash);
	if (types->named[i].hash)
		return; // the first module's
	types->named[i] = (struct gh_named_rtype){hash, rtype};
	types->nnamed++;
}

gh_addr gh_types_rtype_named(struct gh_types *types, const char *name)
{
	struct build b = {.types = types};
	struct gh_strbuf found = {0};
	gh_addr rtype = 0;

	if (!types->named) {
		if (!grow(types))
			return 0;
		gh_rtype_scan(types->rt, add, &b);
		gh_strbuf_deinit(&b.name);
	}
	rtype = types->named[bucket_of(types, hash_of(name))].rtype;
	if (rtype)
		gh_rtype_name(types->rt, rtype, &found);
	if (strcmp(gh_strbuf_str(&found), name) != 0)
		rtype = 0; // another name with the same hash
	gh_strbuf_deinit(&found);
	return rtype;
}
