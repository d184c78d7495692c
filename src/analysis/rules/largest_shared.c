// SPDX-License-Identifier: Apache-2.0
// Objects that several owners hold, and on which a tenth of the heap or more hangs. As with
// largest-owner, one core cannot tell whether that is too much.
#include "analysis/finding.h"
#include "analysis/sharing.h"
#include "analysis/slot.h"
#include "base/cleanup.h"
#include "base/strbuf.h"

enum { SHARE = 10 }; // one part in so many of all live bytes

extern const struct gh_rule gh_rule_largest_shared;

/* Most of it hangs on other objects, or it is large by itself. */
static void add(struct gh_findings *f, const struct gh_sharing *sharing, const struct gh_shared *s)
{
	_cleanup_strbuf_ struct gh_strbuf owners = {0};
	bool is_alone = s->objects <= 1;
	struct gh_slot slot;

	if (!gh_slot_at(f->session, s->addr, &f->arena, &slot))
		return;
	gh_sharing_describe(sharing, s, true, &owners);
	gh_findings_add(
		f, &gh_rule_largest_shared,
		(struct gh_finding){
			.level = GH_LEVEL_POSSIBLE,
			.title = is_alone ? gh_findings_text(f, "one %s is large", slot.name)
					  : gh_findings_text(f, "one %s keeps %llu objects alive",
							     slot.name,
							     (unsigned long long)s->objects),
			.bytes = s->bytes,
			.bytes_kind = "exact",
			.evidence = gh_findings_text(f, "%sheld by %s",
						     is_alone ? "" : "all would go with it; ",
						     gh_strbuf_str(&owners)),
			.fix = is_alone ? "see whether all of it is needed"
					: "see what grows in it, and bound that",
			.more = gh_findings_text(f, "goheap %s 0x%llx", is_alone ? "path" : "dom",
						 (unsigned long long)s->addr),
			.key = slot.name,
		});
}

static struct gh_error *find(struct gh_findings *f)
{
	struct gh_error *err = gh_session_dominators(f->session);
	const struct gh_domtree *tree = f->session->domtree;
	uint64_t least;

	if (err)
		return err;
	least = f->session->owners->live_bytes / SHARE + 1;
	for (uint32_t place = 1; place < tree->n && !err; place++) {
		if (tree->retained[place] < least || !gh_is_shared(tree, place))
			continue;
		err = gh_session_sharing(f->session); // no sooner: most programs have none
		if (!err)
			add(f, f->session->sharing, gh_shared_at(f->session->sharing, place));
	}
	return err;
}

const struct gh_rule gh_rule_largest_shared = {
	.id = "largest-shared",
	.title = "Objects that several owners hold, and that keep much of the heap",
	.help = "In a server every handler reaches the store, so that no owner alone keeps it. The "
		"object through which all of it is reached stands for the store.",
	.is_general = true,
	.find = find,
};
