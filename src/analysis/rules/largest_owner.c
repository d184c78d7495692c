// SPDX-License-Identifier: Apache-2.0
// Owners that keep a tenth of the heap or more alive: nobody knows from one core whether that is
// too much, so it is never more than possible.
#include "analysis/finding.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "base/text.h"

enum { SHARE = 10 }; // one part in so many of all live bytes

extern const struct gh_rule gh_rule_largest_owner;

static const char *advice(enum gh_root_kind kind)
{
	switch (kind) {
	case GH_ROOT_GLOBAL:
		return "bound it: a limit and eviction for a cache, removal of what is finished";
	case GH_ROOT_GOROUTINE:
	case GH_ROOT_TIMER:
		return "stop the timer when its work is done, and capture less in its function";
	case GH_ROOT_DEFER:
		return "let the deferred function capture less, or return before waiting";
	case GH_ROOT_FINALIZER:
	case GH_ROOT_CLEANUP:
		return "let finalizers and cleanups return quickly, and hold little";
	case GH_ROOT_WEAK:
	case GH_ROOT_RUNTIME:
	case GH_ROOT_KINDS:
		break;
	}
	return "see what it holds";
}

static void add(struct gh_findings *f, gh_node node)
{
	const struct gh_session *s = f->session;
	const struct gh_owner *o = &s->owners->owners.data[node];
	uint64_t retained = gh_domtree_retained(s->domtree, node);
	uint64_t objects = gh_domtree_count(s->domtree, node);
	_cleanup_strbuf_ struct gh_strbuf name = {0};
	const char *owner;

	gh_owner_describe(s->owners, node, &name);
	owner = gh_findings_text(f, "%s", gh_strbuf_str(&name));
	gh_findings_add(
		f, &gh_rule_largest_owner,
		(struct gh_finding){
			.level = GH_LEVEL_POSSIBLE,
			.title = gh_findings_text(f, "%s alone keeps %llu object%s alive", owner,
						  (unsigned long long)objects,
						  gh_plural(objects)),
			.bytes = retained,
			.bytes_kind = "exact",
			.evidence = gh_findings_text(f,
						     "nothing else leads to %s; growth cannot be "
						     "seen in one core",
						     objects == 1 ? "it" : "them"),
			.fix = advice(o->kind),
			.more = gh_findings_text(f, "goheap dom '%s'", owner),
			.key = owner,
			.owner = node,
		});
}

/* Goroutines have a rule of their own; what the runtime has for itself is nobody's fault. */
static bool is_candidate(const struct gh_owner *o)
{
	return o->parent == GH_NODE_ROOT && o->kind != GH_ROOT_GOROUTINE &&
	       o->kind != GH_ROOT_RUNTIME;
}

static struct gh_error *find(struct gh_findings *f)
{
	struct gh_error *err = gh_session_dominators(f->session);
	uint64_t least;

	if (err)
		return err;
	least = f->session->owners->live_bytes / SHARE + 1;
	for (gh_node i = 2; i < f->session->owners->owners.len; i++)
		if (is_candidate(&f->session->owners->owners.data[i]) &&
		    gh_domtree_retained(f->session->domtree, i) >= least)
			add(f, i);
	return NULL;
}

const struct gh_rule gh_rule_largest_owner = {
	.id = "largest-owner",
	.title = "Owners that keep much of the heap",
	.help = "A package variable, goroutine, timer or queue that alone keeps a tenth of all live "
		"bytes or more. Large is not leaked: two cores and a comparison tell more.",
	.is_general = true,
	.find = find,
};
