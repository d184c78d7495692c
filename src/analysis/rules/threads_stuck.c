// SPDX-License-Identifier: Apache-2.0
// Many threads in one kind of call that does not come back: each costs its stack, and a place among
// the threads that the process may have.
#include "analysis/finding.h"
#include "analysis/threads.h"
#include "base/cleanup.h"

extern const struct gh_rule gh_rule_threads_stuck;

enum { SHORTEST_NS = 100000000 }; // that is worth a word

/* Where most of the kind are: the first site will do, as groups of `threads` tell all. */
static const char *site_of(struct gh_findings *f, const struct gh_threads *threads,
			   const char *kind)
{
	for (size_t i = 0; i < threads->infos.len; i++) {
		const struct gh_thread_info *info = &threads->infos.data[i];

		if (info->blocked && !strcmp(info->blocked, kind) && info->site_file)
			return gh_findings_text(f, "%s:%d", info->site_file, info->site_line);
	}
	return NULL;
}

static void add(struct gh_findings *f, const struct gh_threads *threads,
		const struct gh_thread_verdict *v)
{
	_cleanup_strbuf_ struct gh_strbuf what = {0};

	gh_thread_verdict_describe(v, &what);
	if (v->has_wait && v->wait_ns_max >= SHORTEST_NS)
		gh_strbuf_printf(&what, ", one for at least %.1f s",
				 (double)v->wait_ns_max / 1e9);
	gh_findings_add(
		f, &gh_rule_threads_stuck,
		(struct gh_finding){
			.level = v->is_likely ? GH_LEVEL_LIKELY : GH_LEVEL_POSSIBLE,
			.title = gh_findings_text(f, "%llu of %zu threads are blocked in one kind of "
						     "call",
						  (unsigned long long)v->count,
						  threads->infos.len),
			.site = site_of(f, threads, v->kind),
			.evidence = gh_findings_text(f, "%s", gh_strbuf_str(&what)),
			.fix = "use what waits without a thread, or limit how many such calls run at a "
			       "time",
			.more = "goheap threads",
			.key = gh_findings_text(f, "%s", v->kind),
		});
}

static struct gh_error *find(struct gh_findings *f)
{
	struct gh_threads threads = {0};
	struct gh_error *err = gh_threads_load(f->session, &threads);

	for (size_t i = 0; i < threads.verdicts.len && !err; i++)
		add(f, &threads, &threads.verdicts.data[i]);
	gh_threads_deinit(&threads);
	return err;
}

const struct gh_rule gh_rule_threads_stuck = {
	.id = "threads-stuck",
	.title = "Many threads in one kind of call",
	.help = "More threads than the program has processors by far, in the same kind of system call "
		"or C function. Likely when half of them have been there for a second.",
	.find = find,
};
