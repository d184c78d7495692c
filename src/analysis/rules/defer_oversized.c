// SPDX-License-Identifier: Apache-2.0
// Deferred functions that keep a megabyte and more which nothing else keeps, while their function
// waits.
#include "analysis/defers.h"
#include "analysis/finding.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "goruntime/traceback.h"

extern const struct gh_rule gh_rule_defer_oversized;

enum { BIG = 1 << 20 };			    // bytes
static const int64_t long_ns = 10000000000; // 10 s

/* How long its goroutine has waited at least; 0: it does not wait, or that is not known. */
static int64_t wait_of(const struct gh_session *s, uint64_t goid)
{
	int64_t ns = 0;

	for (size_t i = 0; i < s->goroutines.len; i++)
		if (s->goroutines.data[i].goid == goid &&
		    gh_session_wait_ns(s, &s->goroutines.data[i], &ns))
			return ns;
	return 0;
}

static void add(struct gh_findings *f, const struct gh_defer_list *list,
		const struct gh_defer_row *row)
{
	const struct gh_deferred_code *code = &list->codes.data[row->code];
	_cleanup_strbuf_ struct gh_strbuf function = {0}, frame = {0};

	gh_function_print(&function, code->function ? code->function : "unknown");
	gh_function_print(&frame, row->frame ? row->frame : "an unknown function");
	gh_findings_add(
		f, &gh_rule_defer_oversized,
		(struct gh_finding){
			.level = wait_of(f->session, row->goid) >= long_ns ? GH_LEVEL_LIKELY
									   : GH_LEVEL_POSSIBLE,
			.title = gh_findings_text(f, "deferred %s keeps what only it refers to",
						  gh_strbuf_str(&function)),
			.bytes = row->retained,
			.bytes_kind = "exact",
			.site = row->file ? gh_findings_text(f, "%s:%d", row->file, row->line)
					  : NULL,
			.evidence = gh_findings_text(
				f, "goroutine %llu has not left %s%s%s",
				(unsigned long long)row->goid, gh_strbuf_str(&frame),
				code->captured && *code->captured ? "; captured: " : "",
				code->captured ? code->captured : ""),
			.fix = "capture the few values that the deferred function needs",
			.more = "goheap defers",
			.key = gh_findings_text(f, "%s", gh_strbuf_str(&function)),
			.owner = gh_findings_goroutine(f, row->goid),
		});
}

static struct gh_error *find(struct gh_findings *f)
{
	struct gh_defer_list list = {0};
	struct gh_error *err = gh_defer_list_create(f->session, false, &f->arena, &list);

	for (size_t i = 0; i < list.rows.len && !err; i++)
		if (list.rows.data[i].has_retained && list.rows.data[i].retained >= BIG)
			add(f, &list, &list.rows.data[i]);
	gh_defer_list_deinit(&list);
	return err;
}

const struct gh_rule gh_rule_defer_oversized = {
	.id = "defer-oversized",
	.title = "Deferred functions that captured much",
	.help = "A pending defer whose closure alone keeps a mebibyte or more. Likely when its goroutine "
		"waits for ten seconds and more, else possible.",
	.find = find,
};
