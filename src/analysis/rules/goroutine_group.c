// SPDX-License-Identifier: Apache-2.0
// Goroutines that stand at the same place and together keep a tenth of the heap or more. Whether
// they will ever go on is another rule's question: this one is possible at most.
#include "analysis/finding.h"
#include "analysis/goroutine_nodes.h"
#include "analysis/stackgroups.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "base/text.h"

enum { SHARE = 10 }; // one part in so many of all live bytes

extern const struct gh_rule gh_rule_goroutine_group;

struct group_find {
	struct gh_findings *f;
	struct gh_stack_groups groups;
	const struct gh_goroutine_node_vec *nodes;
};

static uint64_t retained_by(const struct group_find *find, const struct gh_stack_group *group)
{
	uint64_t sum = 0, bytes;

	for (size_t i = 0; i < group->count; i++)
		if (gh_goroutine_retained(find->f->session, find->nodes,
					  gh_stack_group_member(find->f->session, &find->groups,
								group, i),
					  &bytes))
			sum += bytes;
	return sum;
}

static void add(struct group_find *find, const struct gh_stack_group *group, uint64_t bytes)
{
	struct gh_findings *f = find->f;
	const struct gh_traceback *t = &group->traceback;
	const struct gh_goroutine *first =
		gh_stack_group_member(f->session, &find->groups, group, 0);
	const char *at = t->wait_function ? t->wait_function : t->top ? t->top : "unknown";
	_cleanup_strbuf_ struct gh_strbuf where = {0};

	gh_function_print(&where, at);
	gh_findings_add(
		f, &gh_rule_goroutine_group,
		(struct gh_finding){
			.level = GH_LEVEL_POSSIBLE,
			.title = gh_findings_text(f, "%zu goroutine%s in %s", group->count,
						  gh_plural(group->count),
						  gh_strbuf_str(&where)),
			.bytes = bytes,
			.bytes_kind = group->count == 1 ? "exact" : "at_least",
			.site = t->wait_file ? gh_findings_text(f, "%s:%d", t->wait_file,
								t->wait_line)
					     : NULL,
			.evidence = gh_findings_text(
				f, "%s%s%s; nothing else leads to what %s",
				gh_gstatus_name(group->status), *group->wait_reason ? ", " : "",
				group->wait_reason, group->count == 1 ? "it holds" : "they hold"),
			.fix = gh_findings_text(
				f, "see what %s frames hold, and drop what the rest does not need",
				group->count == 1 ? "its" : "their"),
			.more = gh_findings_text(f, "goheap dom %llu",
						 (unsigned long long)first->goid),
			.key = at,
			.owner = gh_goroutine_node(find->nodes, first),
		});
}

static struct gh_error *find(struct gh_findings *f)
{
	struct group_find find = {.f = f};
	struct gh_error *err = gh_findings_nodes(f, &find.nodes);
	uint64_t least = 0;

	if (!err)
		err = gh_stack_groups_load(f->session, NULL, NULL, &find.groups);
	if (!err)
		least = f->session->owners->live_bytes / SHARE + 1;
	for (size_t i = 0; !err && i < find.groups.len; i++) {
		uint64_t bytes = retained_by(&find, &find.groups.data[i]);

		if (bytes >= least)
			add(&find, &find.groups.data[i], bytes);
	}
	gh_stack_groups_deinit(&find.groups);
	return err;
}

const struct gh_rule gh_rule_goroutine_group = {
	.id = "goroutine-group",
	.title = "Goroutines at one place that keep much of the heap",
	.help = "Each holds something that nobody else holds; together it is a tenth of all live "
		"bytes or more. Work under way looks like this, too.",
	.is_general = true,
	.find = find,
};
