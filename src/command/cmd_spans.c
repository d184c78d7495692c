// SPDX-License-Identifier: Apache-2.0
// goheap spans: how full the size classes are.
#include <stdlib.h>

#include "base/bitmap.h"
#include "base/cleanup.h"
#include "command/command.h"
#include "command/heap_notes.h"

static const struct gh_column columns[] = {
	{"sizeclass", GH_UNIT_COUNT, false},  {"elem_bytes", GH_UNIT_BYTES, false},
	{"noscan", GH_UNIT_BOOL, false},      {"spans", GH_UNIT_COUNT, false},
	{"slots", GH_UNIT_COUNT, false},      {"live", GH_UNIT_COUNT, false},
	{"free", GH_UNIT_COUNT, false},	      {"garbage", GH_UNIT_COUNT, false},
	{"tail_bytes", GH_UNIT_BYTES, false}, {"bytes", GH_UNIT_BYTES, true},
};

enum column { SIZECLASS, ELEM, NOSCAN, SPANS, SLOTS, LIVE, FREE, GARBAGE, TAIL, BYTES };

/* One span class, or all of them. */
struct tally {
	uint64_t elem_bytes, spans, slots, live, allocated, bytes, slot_bytes;
	bool known; // every span's allocation bits were at hand
};

static uint64_t count_live(const struct gh_states *states, uint64_t slot0, uint32_t n)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < n; i++)
		count += gh_state_is_live(gh_state_at(states, slot0 + i));
	return count;
}

static void add_span(struct tally *t, const struct gh_span *span, const struct gh_heap *heap,
		     const struct gh_states *states)
{
	uint64_t bits[GH_PAGE_BYTES / 64];

	t->elem_bytes = span->elem_bytes;
	t->spans++;
	t->slots += span->nelems;
	t->bytes += gh_span_bytes(span);
	t->slot_bytes += span->nelems * span->elem_bytes;
	if (states)
		t->live += count_live(states, span->slot0, span->nelems);
	if (span->nelems > sizeof(bits) * 8 || !gh_span_handed_out(heap->rt, span, bits))
		t->known = false;
	else
		for (size_t w = 0; w < gh_bitmap_words(span->nelems); w++)
			t->allocated += (uint64_t)__builtin_popcountll(bits[w]);
}

static void fill_row(struct gh_cell *row, const struct tally *t, bool has_live)
{
	row[SPANS] = gh_cell_u64(t->spans);
	row[SLOTS] = gh_cell_u64(t->slots);
	if (has_live)
		row[LIVE] = gh_cell_u64(t->live);
	if (t->known)
		row[FREE] = gh_cell_u64(t->slots - t->allocated);
	if (t->known && has_live && t->allocated >= t->live)
		row[GARBAGE] = gh_cell_u64(t->allocated - t->live);
	row[TAIL] = gh_cell_u64(t->bytes - t->slot_bytes);
	row[BYTES] = gh_cell_u64(t->bytes);
}

static bool add_class(struct gh_table *table, uint32_t class, const struct tally *t, bool has_live)
{
	struct gh_cell *row = gh_table_row(table);

	if (!row)
		return false;
	row[SIZECLASS] = gh_cell_u64(class >> 1);
	if (class >> 1) // large objects have each a size of their own
		row[ELEM] = gh_cell_u64(t->elem_bytes);
	row[NOSCAN] = gh_cell_bool(class & 1);
	fill_row(row, t, has_live);
	return true;
}

/* states: of the mark, NULL when there is none. */
static struct gh_error *fill(const struct gh_heap *heap, const struct gh_states *states,
			     struct gh_report *report)
{
	struct tally tallies[GH_SPAN_CLASSES] = {0}, all = {.known = true};
	struct gh_table *table =
		gh_report_table(report, "classes", columns, GH_ARRAY_SIZE(columns));
	struct gh_cell *total;

	if (!table)
		return gh_error_nomem();
	for (int i = 0; i < GH_SPAN_CLASSES; i++)
		tallies[i].known = true;
	for (size_t i = 0; i < heap->table.spans.len; i++) {
		const struct gh_span *span = &heap->table.spans.data[i];

		add_span(&tallies[span->spanclass], span, heap, states);
		add_span(&all, span, heap, states);
	}
	for (uint32_t i = 0; i < GH_SPAN_CLASSES; i++)
		if (tallies[i].spans && !add_class(table, i, &tallies[i], states != NULL))
			return gh_error_nomem();
	total = gh_table_total(table);
	if (!total)
		return gh_error_nomem();
	fill_row(total, &all, states != NULL);
	return NULL;
}

static void add_checks(const struct gh_heap *heap, struct gh_report *report)
{
	const struct gh_span_table *table = &heap->table;

	gh_report_check(report, "allocated slots against the spans' allocCount", heap->handed_out,
			table->alloc_count);
	gh_report_check(report, "pages of spans against pagesInUse", table->heap_pages,
			table->pages_in_use);
	if (table->unreadable)
		gh_report_skip(report, "spans", table->unreadable,
			       "their records are not in the core");
	if (table->damaged)
		gh_report_skip(report, "spans", table->damaged, "their records are damaged");
	if (heap->bits_lost)
		gh_report_skip(report, "allocation bits of spans", heap->bits_lost,
			       "they are not in the core");
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	_cleanup_error_ struct gh_error *no_mark = NULL;
	struct gh_error *err = gh_session_heap(session);
	struct gh_states states;

	if (err)
		return err;
	no_mark = gh_session_mark(session);
	if (no_mark && (no_mark->code == GH_ERR_NOMEM || no_mark->code == GH_ERR_CANCELLED))
		return gh_steal(no_mark);
	if (no_mark)
		gh_report_note(report, "what is live is not known: %s", no_mark->message);
	else
		states = gh_mark_states(session->mark);
	err = fill(session->heap, no_mark ? NULL : &states, report);
	if (err)
		return err;
	if (no_mark)
		add_checks(session->heap, report);
	else
		gh_heap_notes(session, report);
	return NULL;
}

static const char help_text[] =
	"One row a size class, pointer-free (noscan) and scanned spans apart. A span is a\n"
	"run of pages cut into slots of one size; class 0 holds large objects, one a span.\n"
	"\n"
	"live     slots that the collector would keep\n"
	"free     slots never handed out, or swept: the runtime hands them out again\n"
	"garbage  slots handed out and not alive: the next sweep frees them\n"
	"tail     bytes of the spans that are no slots: remainders, pointer bits, marks\n"
	"\n"
	"Many free slots in spans that hold a few live ones each is fragmentation: those\n"
	"pages can neither go back to the system nor serve another class.";

static const struct gh_table_shape tables[] = {
	{"classes", columns, GH_ARRAY_SIZE(columns)},
	{0},
};

static const struct gh_example examples[] = {
	{"spans", "the classes in order"},
	{"spans --sort bytes", "what takes most memory first"},
	{0},
};

const struct gh_command gh_cmd_spans = {
	.name = "spans",
	.summary = "Show the heap's size classes: slots alive, free and garbage.",
	.usage = "spans",
	.help = help_text,
	.examples = examples,
	.tables = tables,
	.needs_target = true,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_PACKAGE | GH_IGNORES_MIN,
	.run = run,
};
