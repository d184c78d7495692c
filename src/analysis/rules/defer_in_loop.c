// SPDX-License-Identifier: Apache-2.0
// Deferred calls that pile up in a loop: they run when the function returns, not at the end of a
// turn.
#include <stdlib.h>

#include "analysis/defers.h"
#include "analysis/finding.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "goruntime/traceback.h"

extern const struct gh_rule gh_rule_defer_in_loop;

enum { LONG = 100 }; // pending calls of one statement in one frame

/** Chains of one statement, of all goroutines. */
struct chain {
	const struct gh_defer_row *row; // the first of them
	uint64_t count, longest, retained;
};
GH_VEC(chain_vec, struct chain);

static int by_site(const void *a, const void *b)
{
	const struct gh_defer_row *x = ((const struct chain *)a)->row;
	const struct gh_defer_row *y = ((const struct chain *)b)->row;
	int order = strcmp(x->file ? x->file : "", y->file ? y->file : "");

	if (order || x->line != y->line)
		return order ? order : x->line - y->line;
	return x->code < y->code ? -1 : x->code > y->code;
}

static bool collect(const struct gh_defer_list *list, struct chain_vec *chains)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->rows.len; i++) {
		const struct gh_defer_row *row = &list->rows.data[i];

		if (row->chain >= LONG &&
		    !chain_vec_push(chains, (struct chain){row, 1, row->chain, row->retained}))
			return false;
	}
	if (!chains->len)
		return true;
	qsort(chains->data, chains->len, sizeof(*chains->data), by_site);
	for (size_t i = 1; i < chains->len; i++) {
		struct chain *last = &chains->data[kept], *next = &chains->data[i];

		if (by_site(last, next)) {
			chains->data[++kept] = *next;
			continue;
		}
		last->count++;
		last->retained += next->retained;
		last->longest = gh_max_u64(last->longest, next->longest);
	}
	chains->len = kept + 1;
	return true;
}

static void add(struct gh_findings *f, const struct gh_defer_list *list, const struct chain *c)
{
	const struct gh_deferred_code *code = &list->codes.data[c->row->code];
	_cleanup_strbuf_ struct gh_strbuf function = {0}, frame = {0};

	gh_function_print(&function, code->function ? code->function : "unknown");
	gh_function_print(&frame, c->row->frame ? c->row->frame : "an unknown function");
	gh_findings_add(
		f, &gh_rule_defer_in_loop,
		(struct gh_finding){
			.level = GH_LEVEL_LIKELY,
			.title = gh_findings_text(f, "%llu deferred calls of %s pile up in %s",
						  (unsigned long long)c->count,
						  gh_strbuf_str(&function), gh_strbuf_str(&frame)),
			.bytes = c->retained,
			.bytes_kind = "at_least",
			.site = c->row->file ? gh_findings_text(f, "%s:%d", c->row->file,
								c->row->line)
					     : NULL,
			.evidence =
				c->longest == c->count
					? "one statement in a loop, run when the function returns"
					: gh_findings_text(f,
							   "one statement in a loop, %llu in one "
							   "frame, run when the function returns",
							   (unsigned long long)c->longest),
			.fix = "make the body of the loop a function, so that its defers run at its end",
			.more = "goheap defers",
			.key = gh_findings_text(f, "%s %s", gh_strbuf_str(&frame),
						gh_strbuf_str(&function)),
			.owner = gh_findings_goroutine(f, c->row->goid),
		});
}

static struct gh_error *find(struct gh_findings *f)
{
	const struct gh_defer_list *list = NULL;
	struct chain_vec chains = {0};
	struct gh_error *err = gh_findings_defers(f, &list);

	if (!err && !collect(list, &chains))
		err = gh_error_nomem();
	for (size_t i = 0; i < chains.len && !err; i++)
		add(f, list, &chains.data[i]);
	chain_vec_deinit(&chains);
	return err;
}

const struct gh_rule gh_rule_defer_in_loop = {
	.id = "defer-in-loop",
	.title = "Deferred calls that pile up in a loop",
	.help = "A hundred pending calls of one defer statement in one frame, and more. A loop that ends "
		"soon is no leak: how long it goes on cannot be seen in one core.",
	.find = find,
};
