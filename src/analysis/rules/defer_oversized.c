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

/** Defers of one function that keep much. */
struct big_defers {
	const struct gh_defer_row *row; // the first of them
	uint64_t count, retained;
	int64_t wait_ns; // the longest
};
GH_VEC(big_defers_vec, struct big_defers);

static bool collect(const struct gh_session *s, const struct gh_defer_list *list,
		    struct big_defers_vec *ret)
{
	for (size_t i = 0; i < list->rows.len; i++) {
		const struct gh_defer_row *row = &list->rows.data[i];
		struct big_defers one = {row, 1, row->retained, 0};
		size_t k = 0;

		if (!row->has_retained || row->retained < BIG)
			continue;
		one.wait_ns = wait_of(s, row->goid);
		while (k < ret->len && ret->data[k].row->code != row->code)
			k++;
		if (k == ret->len) {
			if (!big_defers_vec_push(ret, one))
				return false;
			continue;
		}
		ret->data[k].count++;
		ret->data[k].retained += row->retained;
		if (one.wait_ns > ret->data[k].wait_ns)
			ret->data[k].wait_ns = one.wait_ns;
	}
	return true;
}

static const char *title_of(struct gh_findings *f, uint64_t count, const char *function)
{
	return count == 1 ? gh_findings_text(f, "deferred %s keeps what only it refers to", function)
			  : gh_findings_text(f, "%llu deferred %s keep what only they refer to",
					     (unsigned long long)count, function);
}

static void add(struct gh_findings *f, const struct gh_defer_list *list,
		const struct big_defers *big)
{
	const struct gh_defer_row *row = big->row;
	const struct gh_deferred_code *code = &list->codes.data[row->code];
	_cleanup_strbuf_ struct gh_strbuf function = {0}, frame = {0};

	gh_function_print(&function, code->function ? code->function : "unknown");
	gh_function_print(&frame, row->frame ? row->frame : "an unknown function");
	gh_findings_add(
		f, &gh_rule_defer_oversized,
		(struct gh_finding){
			.level = big->wait_ns >= long_ns ? GH_LEVEL_LIKELY : GH_LEVEL_POSSIBLE,
			.title = title_of(f, big->count, gh_strbuf_str(&function)),
			.bytes = big->retained,
			.bytes_kind = big->count == 1 ? "exact" : "at_least",
			.site = row->file ? gh_findings_text(f, "%s:%d", row->file, row->line)
					  : NULL,
			.evidence = gh_findings_text(
				f, "goroutine %llu%s %s not left %s%s%s",
				(unsigned long long)row->goid, big->count == 1 ? "" : " and others",
				big->count == 1 ? "has" : "have", gh_strbuf_str(&frame),
				code->captured.text && *code->captured.text ? "; captured: " : "",
				code->captured.text ? code->captured.text : ""),
			.fix = "capture the few values that the deferred function needs",
			.more = "goheap defers",
			.key = gh_findings_text(f, "%s", gh_strbuf_str(&function)),
			.owner = gh_findings_goroutine(f, row->goid),
		});
}

static struct gh_error *find(struct gh_findings *f)
{
	const struct gh_defer_list *list = NULL;
	struct big_defers_vec big = {0};
	struct gh_error *err = gh_findings_defers(f, &list);

	if (!err && !collect(f->session, list, &big))
		err = gh_error_nomem();
	for (size_t i = 0; i < big.len && !err; i++)
		add(f, list, &big.data[i]);
	big_defers_vec_deinit(&big);
	return err;
}

const struct gh_rule gh_rule_defer_oversized = {
	.id = "defer-oversized",
	.title = "Deferred functions that captured much",
	.help = "A pending defer whose closure alone keeps a mebibyte or more. Likely when its goroutine "
		"waits for ten seconds and more, else possible.",
	.find = find,
};
