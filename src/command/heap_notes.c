// SPDX-License-Identifier: Apache-2.0
// See heap_notes.h.
#include "command/heap_notes.h"

#include "base/text.h"

#define ULL(x) ((unsigned long long)(x))

static void check(const struct gh_session *s, struct gh_report *report)
{
	const struct gh_span_table *table = &s->heap->table;
	struct gh_mark_counts counts = gh_mark_counts(s->mark);
	uint64_t goroutines = 0;

	for (size_t i = 0; i < s->goroutines.len; i++)
		goroutines += !gh_goroutine_is_dead(&s->goroutines.data[i]);
	gh_report_check(report, "allocated slots against the spans' allocCount",
			s->heap->handed_out, table->alloc_count);
	gh_report_check(report, "pages of spans against pagesInUse", table->heap_pages,
			table->pages_in_use);
	gh_report_check(report, "goroutines whose stacks were scanned",
			s->root_counts.goroutines - s->root_counts.goroutines_skipped, goroutines);
	gh_report_check(report, "pointers to free slots", counts.to_free, 0);
	gh_report_check(report, "live slots that are not allocated",
			counts.live > s->heap->nallocated ? counts.live - s->heap->nallocated : 0,
			0);
}

static void skip(const struct gh_session *s, struct gh_report *report)
{
	const struct gh_span_table *table = &s->heap->table;
	struct gh_mark_counts counts = gh_mark_counts(s->mark);

	gh_report_skip(report, "spans", table->unreadable, "their records are not in the core");
	gh_report_skip(report, "spans", table->damaged, "their records are damaged");
	gh_report_skip(report, "allocation bits of spans", s->heap->bits_lost,
		       "they are not in the core");
	gh_report_skip(report, "live objects", counts.lost,
		       "the core lacks their bytes: what only they hold is missing");
	gh_report_skip(report, "live objects", counts.bad_headers,
		       "their headers lead to no type: what only they hold is missing");
	gh_report_skip(report, "goroutines", s->unreadable_goroutines, "they cannot be read");
	gh_report_skip(report, "stacks", s->root_counts.goroutines_skipped, "they cannot be read");
	gh_report_skip(report, "lists of the runtime", s->root_counts.damaged_lists,
		       "they end in nowhere");
	gh_report_skip(report, "entries of timer heaps", s->lost_timers,
		       "they are no timers, or are not in the core");
	gh_report_skip(report, "words of package variables", gh_statics_lost(s->statics),
		       "the core lacks them, or what tells which of them are pointers");
	gh_report_skip(report, "types", counts.codes_refused, "there are more than 65,000");
}

void gh_heap_notes(const struct gh_session *s, struct gh_report *report)
{
	struct gh_mark_counts counts = gh_mark_counts(s->mark);
	const struct gh_root_counts *roots = &s->root_counts;

	check(s, report);
	skip(s, report);
	if (!s->rt->dwarf)
		gh_report_note(report, "the executable has no DWARF: package variables and stacks "
				       "tell no types, so more objects stay unknown");
	if (counts.conservative)
		gh_report_note(report,
			       "%llu object%s (%llu bytes) live%s only by words that may be "
			       "pointers, as the collector itself would have it",
			       ULL(counts.conservative), gh_plural(counts.conservative),
			       ULL(counts.conservative_bytes),
			       counts.conservative == 1 ? "s" : "");
	if (roots->goroutines_off_safepoint)
		gh_report_note(report,
			       roots->goroutines_off_safepoint == 1
				       ? "%llu goroutine was running: its innermost frame and "
					 "registers were taken word by word"
				       : "%llu goroutines were running: their innermost frames and "
					 "registers were taken word by word",
			       ULL(roots->goroutines_off_safepoint));
	if (roots->goroutines_incomplete)
		gh_report_note(
			report,
			"%llu stacks could not be unwound to their end: the rest of them was "
			"taken word by word",
			ULL(roots->goroutines_incomplete));
	if (counts.conflicts)
		gh_report_note(report,
			       "%llu typed pointers contradict what they lead to and were "
			       "not believed",
			       ULL(counts.conflicts));
	if (counts.loose_dropped)
		gh_report_note(report,
			       "%llu pointers into objects were not used to infer types, as there "
			       "were too many: some objects are unknown that need not be",
			       ULL(counts.loose_dropped));
}

struct gh_error *gh_settle_part(const struct gh_session *session, struct gh_report *report,
				struct gh_error *err, const char *missing)
{
	err = gh_budget_why(session->target->budget, err);
	if (!err || (err->code != GH_ERR_CANCELLED && err->code != GH_ERR_LIMIT))
		return err;
	gh_report_note(report, "%s: %s", missing, err->message);
	gh_error_destroy(err);
	return NULL;
}
