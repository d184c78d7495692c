// SPDX-License-Identifier: Apache-2.0
// goheap memstats: what runtime.ReadMemStats would have said.
#include "base/cleanup.h"
#include "command/command.h"
#include "goruntime/stats.h"

static const struct gh_column memstats_columns[] = {
	{"name", GH_UNIT_TEXT, false},
	{"value", GH_UNIT_COUNT, false},
	{"why", GH_UNIT_TEXT, true},
};

static const struct gh_column gc_columns[] = {
	{"name", GH_UNIT_TEXT, false},
	{"value", GH_UNIT_COUNT, false},
};

static const struct gh_column pause_columns[] = {
	{"index", GH_UNIT_COUNT, false},
	{"pause_ns", GH_UNIT_NS, false},
	{"end_unix_ns", GH_UNIT_COUNT, true},
};

static const struct gh_column size_columns[] = {
	{"sizeclass", GH_UNIT_COUNT, false}, {"elem_bytes", GH_UNIT_BYTES, false},
	{"mallocs", GH_UNIT_COUNT, false},   {"frees", GH_UNIT_COUNT, false},
	{"in_memstats", GH_UNIT_BOOL, true},
};

static struct gh_cell stat_cell(enum gh_stat_id id, const struct gh_stat *stat)
{
	if (!stat->known)
		return (struct gh_cell){0};
	switch (gh_stat_unit(id)) {
	case GH_STAT_UNIT_BYTES:
		return gh_cell_in(gh_cell_u64(stat->value), GH_UNIT_BYTES);
	case GH_STAT_UNIT_COUNT:
	case GH_STAT_UNIT_UNIX_NS: // a point in time: as a duration it would read as 56 years
		return gh_cell_u64(stat->value);
	case GH_STAT_UNIT_NS:
		return gh_cell_in(gh_cell_u64(stat->value), GH_UNIT_NS);
	case GH_STAT_UNIT_SHARE:
		return gh_cell_in(gh_cell_real(stat->real), GH_UNIT_SHARE);
	case GH_STAT_UNIT_BOOL:
		return gh_cell_in(gh_cell_bool(stat->value), GH_UNIT_BOOL);
	}
	return (struct gh_cell){0};
}

static bool add_memstats(struct gh_report *report, const struct gh_memstats *stats)
{
	struct gh_table *table = gh_report_table(report, "memstats", memstats_columns,
						 GH_ARRAY_SIZE(memstats_columns));

	for (int id = 0; table && id < GH_STAT_COUNT; id++) {
		struct gh_cell *row = gh_table_row(table);

		if (!row)
			return false;
		row[0] = gh_cell_text(gh_stat_name(id));
		row[1] = stat_cell(id, &stats->stat[id]);
		row[2] = gh_cell_text(stats->stat[id].why);
	}
	return table != NULL;
}

static struct gh_cell bytes_cell(uint64_t bytes)
{
	return gh_cell_in(gh_cell_u64(bytes), GH_UNIT_BYTES);
}

static const char *phase_name(uint64_t phase)
{
	static const char *const names[] = {"off", "mark", "mark termination"};

	return phase < GH_ARRAY_SIZE(names) ? names[phase] : NULL;
}

/* What MemStats does not say and a person asks next. */
static bool add_gc(struct gh_report *report, const struct gh_memstats *s)
{
	struct gh_table *table =
		gh_report_table(report, "gc", gc_columns, GH_ARRAY_SIZE(gc_columns));
	struct gh_cell none = {0};

	return table && gh_table_named(table, "phase", gh_cell_text(phase_name(s->phase))) &&
	       gh_table_named(table, "GOGC", s->has_pacer ? gh_cell_i64(s->gc_percent) : none) &&
	       gh_table_named(table, "GOMEMLIMIT",
			      s->has_pacer && s->memory_limit != INT64_MAX
				      ? bytes_cell((uint64_t)s->memory_limit)
				      : none) &&
	       gh_table_named(table, "live_at_last_mark",
			      s->has_pacer ? bytes_cell(s->heap_marked) : none) &&
	       gh_table_named(table, "live_now_at_most",
			      s->has_pacer ? bytes_cell(s->heap_live) : none);
}

/* The latest pause first; what was never written is left out. */
static bool add_pauses(struct gh_report *report, const struct gh_memstats *stats)
{
	struct gh_table *table =
		gh_report_table(report, "pauses", pause_columns, GH_ARRAY_SIZE(pause_columns));
	uint64_t numgc = stats->stat[GH_STAT_NumGC].value;
	uint64_t n = gh_min_u64(numgc, GH_PAUSES);

	for (uint64_t i = 0; table && stats->has_pauses && i < n; i++) {
		uint64_t index = (numgc - 1 - i) % GH_PAUSES;
		struct gh_cell *row = gh_table_row(table);

		if (!row)
			return false;
		row[0] = gh_cell_u64(index);
		row[1] = gh_cell_u64(stats->pause_ns[index]);
		row[2] = gh_cell_u64(stats->pause_end[index]);
	}
	return table != NULL;
}

static bool add_sizes(struct gh_report *report, const struct gh_memstats *stats)
{
	struct gh_table *table =
		gh_report_table(report, "by_size", size_columns, GH_ARRAY_SIZE(size_columns));

	for (uint32_t i = 0; table && stats->has_by_size && i < GH_SIZE_CLASSES; i++) {
		struct gh_cell *row = gh_table_row(table);

		if (!row)
			return false;
		row[0] = gh_cell_u64(i);
		row[1] = gh_cell_u64(gh_size_class_bytes[i]);
		row[2] = gh_cell_u64(stats->mallocs[i]);
		row[3] = gh_cell_u64(stats->frees[i]);
		row[4] = gh_cell_bool(i < GH_BY_SIZE);
	}
	return table != NULL;
}

static void add_notes(struct gh_report *report, const struct gh_memstats *stats)
{
	const struct gh_stat *alloc = &stats->stat[GH_STAT_HeapAlloc];

	if (stats->has_spans && alloc->known && !alloc->why) {
		gh_report_check(report, "HeapAlloc against the spans' allocation bits",
				stats->span_bytes, alloc->value);
		gh_report_check(report, "HeapObjects against the spans' allocation bits",
				stats->span_objects, stats->stat[GH_STAT_HeapObjects].value);
	}
	if (stats->cached_objects)
		gh_report_note(report,
			       "the runtime's raw counters lag %llu objects behind, handed out of "
			       "per-P caches; they are added, as ReadMemStats would",
			       (unsigned long long)stats->cached_objects);
	if (stats->unread_caches)
		gh_report_skip(report, "per-P allocation caches", stats->unread_caches,
			       "their memory is not in the core");
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	_cleanup_error_ struct gh_error *no_heap = NULL;
	_cleanup_free_ struct gh_memstats *stats = calloc(1, sizeof(*stats));
	struct gh_error *err = gh_session_runtime(session);

	if (err)
		return err;
	if (!stats)
		return gh_error_nomem();
	no_heap = gh_session_spans(session);
	if (no_heap && (no_heap->code == GH_ERR_NOMEM || no_heap->code == GH_ERR_CANCELLED))
		return gh_steal(no_heap);
	if (no_heap)
		gh_report_note(report, "%s", no_heap->message);
	gh_memstats_read(session->rt, no_heap ? NULL : &session->heap->table, stats);
	if (!add_memstats(report, stats) || !add_gc(report, stats) || !add_pauses(report, stats) ||
	    !add_sizes(report, stats))
		return gh_error_nomem();
	add_notes(report, stats);
	return NULL;
}

static const char help_text[] =
	"The fields of runtime.MemStats, computed from the runtime's own counters as\n"
	"runtime.ReadMemStats would have done at this moment: what the Ps hold in their\n"
	"allocation caches is counted in, dead objects that were not swept yet count as\n"
	"allocated. HeapAlloc therefore holds garbage; for what is alive ask top.\n"
	"\n"
	"Table gc tells what MemStats does not: the phase of the collector, GOGC,\n"
	"GOMEMLIMIT, what the last mark found alive. Table pauses is the ring of PauseNs\n"
	"and PauseEnd, latest first. Table by_size is BySize with all 68 size classes;\n"
	"MemStats itself ends before class 61.\n"
	"\n"
	"A value that the core does not hold is null, and column why says why. Where span\n"
	"tables are lost, the counters answer, and what lags says so.";

static const struct gh_table_shape tables[] = {
	{"memstats", memstats_columns, GH_ARRAY_SIZE(memstats_columns)},
	{"gc", gc_columns, GH_ARRAY_SIZE(gc_columns)},
	{"pauses", pause_columns, GH_ARRAY_SIZE(pause_columns)},
	{"by_size", size_columns, GH_ARRAY_SIZE(size_columns)},
	{0},
};

static const struct gh_example examples[] = {
	{"memstats", "all statistics, 20 rows a table"},
	{"memstats -n 0 --bytes", "all rows, exact bytes"},
	{"memstats --json", "for programs: integers, nothing rounded"},
	{0},
};

const struct gh_command gh_cmd_memstats = {
	.name = "memstats",
	.summary = "Show the runtime's memory statistics, as runtime.MemStats.",
	.usage = "memstats",
	.help = help_text,
	.examples = examples,
	.tables = tables,
	.needs_target = true,
	.reads_running = true,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_PACKAGE | GH_IGNORES_MIN,
	.all_rows = true,
	.run = run,
};
