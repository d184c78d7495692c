// SPDX-License-Identifier: Apache-2.0
// Goroutines that will never run again, or hang by all signs: the tiers of `leaks`.
#include "analysis/finding.h"
#include "analysis/goroutine_nodes.h"
#include "analysis/leaks.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "base/text.h"

extern const struct gh_rule gh_rule_goroutine_leak;

static void add(struct gh_findings *f, const struct gh_leaks *leaks, const struct gh_leak *leak,
		const struct gh_goroutine_node_vec *nodes)
{
	const struct gh_stack_group *group = &leaks->groups.data[leak->group];
	const struct gh_traceback *t = &group->traceback;
	const struct gh_goroutine *first =
		&f->session->goroutines.data[leaks->members[leak->first]];
	const char *at = t->wait_function ? t->wait_function : t->top ? t->top : "unknown";
	bool proven = leak->tier == GH_LEAK_PROVEN;
	_cleanup_strbuf_ struct gh_strbuf where = {0}, creator = {0};

	gh_function_print(&where, at);
	gh_function_print(&creator, t->created_by ? t->created_by : "the runtime");
	gh_findings_add(
		f, &gh_rule_goroutine_leak,
		(struct gh_finding){
			.level = proven ? GH_LEVEL_PROVEN : GH_LEVEL_LIKELY,
			.title = gh_findings_text(f, "%zu goroutine%s in %s %s (%s)", leak->count,
						  gh_plural(leak->count),
						  gh_strbuf_str(&where),
						  proven	      ? "will never go on"
						  : leak->count == 1 ? "seems to hang"
								     : "seem to hang",
						  group->wait_reason),
			.bytes = leak->retained,
			.bytes_kind = leak->count == 1 ? "exact" : "at_least",
			.site = t->wait_file ? gh_findings_text(f, "%s:%d", t->wait_file,
								t->wait_line)
					     : NULL,
			.evidence = gh_findings_text(
				f, "%s; started by %s",
				!proven		   ? leak->pattern
				: leak->count == 1 ? "nothing alive reaches what it waits for"
						   : "nothing alive reaches what they wait for",
				gh_strbuf_str(&creator)),
			.fix = leak->fix ? leak->fix : "see why nobody wakes what waits there",
			.more = "goheap leaks",
			.key = gh_findings_text(f, "%s %s", at, t->created_by ? t->created_by : ""),
			.owner = gh_goroutine_node(nodes, first),
		});
}

static struct gh_error *find(struct gh_findings *f)
{
	const struct gh_goroutine_node_vec *nodes = NULL;
	struct gh_leaks leaks = {0};
	struct gh_error *err = gh_findings_nodes(f, &nodes);

	if (!err)
		err = gh_leaks_find(f->session, &gh_leaks_query, &leaks);
	for (size_t i = 0; i < leaks.all.len && !err; i++)
		if (leaks.all.data[i].tier != GH_LEAK_PARKED)
			add(f, &leaks, &leaks.all.data[i], nodes);
	gh_leaks_deinit(&leaks);
	return err;
}

const struct gh_rule gh_rule_goroutine_leak = {
	.id = "goroutine-leak",
	.title = "Goroutines that nobody will wake",
	.help = "proven: nothing alive reaches what they wait for, as the runtime's own "
		"goroutineleak profile computes. likely: many at one place that have waited long and "
		"are no pool.",
	.find = find,
};
