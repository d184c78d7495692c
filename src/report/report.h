// SPDX-License-Identifier: Apache-2.0
// The result model: what a command found, as tables with typed columns, before anybody decides how
// it looks. Knows columns, units and escaping; nothing of Go.
#pragma once

#include "base/arena.h"
#include "base/budget.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "base/vec.h"

enum gh_unit {
	GH_UNIT_BYTES,
	GH_UNIT_COUNT,
	GH_UNIT_NS,
	GH_UNIT_SHARE, // 0 … 1
	GH_UNIT_ADDRESS,
	GH_UNIT_TEXT,
	GH_UNIT_BOOL,
	GH_UNIT_LIST, // of texts
};

/** The contract's name of a unit. */
const char *gh_unit_name(enum gh_unit unit);

enum gh_cell_kind {
	GH_CELL_NULL,
	GH_CELL_U64,
	GH_CELL_I64,
	GH_CELL_REAL,
	GH_CELL_TEXT,
	GH_CELL_LIST
};

/** One value. Null means unknown: never 0, never "". */
struct gh_cell {
	enum gh_cell_kind kind;
	uint32_t own_unit; // 0: the column's; else enum gh_unit + 1 (rows of names and values)
	union {
		uint64_t u64; // also BOOL and ADDRESS
		int64_t i64;
		double real;
		const char *text; // raw bytes, escaped by the renderer; borrowed: lives as long as
				  // the report
		struct {
			const char *const *items;
			size_t n;
		} list;
	};
};

/** Where a column stands in a table whose rows are paragraphs. */
enum gh_prose {
	GH_PROSE_NO,	   // people do not see it
	GH_PROSE_HEAD,	   // "proven, 62.0 MiB, 31.2 %: "
	GH_PROSE_SENTENCE, // what the paragraph says
	GH_PROSE_LINE,	   // a line of its own, behind the column's name
};

struct gh_column {
	const char *name; // as in the contract; static
	enum gh_unit unit;
	bool detail; // people see it only when there is room, or asked; machines always
	char handle; // letter of the handles that rows get by it ('o': $o1, $o2 …); 0: none
	uint8_t prose; // enum gh_prose
	bool below;    // a sentence: below the row where it has no room in it
	bool wraps;    // a sentence, the last that people see: it goes on below itself
};

struct gh_table;

/** Fill the cells of row i (lazy tables: one row of many millions at a time). */
typedef void (*gh_row_fn)(void *ctx, size_t row, struct gh_cell *cells);

struct gh_table {
	const char *name; // static
	const struct gh_column *columns;
	size_t ncolumns;
	size_t nrows;
	struct gh_cell *cells; // owned, nrows * ncolumns; NULL in a lazy table
	size_t cap;
	gh_row_fn row; // lazy tables
	void *row_ctx; // owned if row_ctx_destroy is set, else borrowed
	void (*row_ctx_destroy)(void *ctx);
	size_t first; // rows before it, in the order asked for, have been shown: `next`
	struct gh_cell
		*total; // owned, ncolumns, taken after filters and before -n; NULL: no total row
	size_t key;	// column that --short prints
	bool is_prose;	// people read rows as numbered paragraphs
	struct gh_budget *budget; // of the report
};
GH_VEC(gh_table_vec, struct gh_table *);

struct gh_note {
	const char *text;
};
GH_VEC(gh_note_vec, struct gh_note);

/** Something left out: what, how many, why. */
struct gh_skip {
	const char *what, *why;
	uint64_t count;
};
GH_VEC(gh_skip_vec, struct gh_skip);

/** One comparison of our totals with the runtime's own. */
struct gh_check {
	const char *name; // "allocated slots against allocCount"
	bool has_values;
	uint64_t ours, theirs;
	bool ok;
	const char *detail; // may be NULL
};
GH_VEC(gh_check_vec, struct gh_check);

/** What was looked at: the same in every document of one session. Texts borrowed from the session.
 */
struct gh_report_target {
	const char *kind; // "core", "live"; NULL: the command needs no target
	const char *go_version, *goarch, *build_id, *exe;
	uint64_t pid;
	bool has_pid, truncated, forced, has_now, has_now_error;
	int64_t now_ns, now_error_ns;
};

struct gh_report {
	struct gh_budget *budget; // what rows are taken from; borrowed; NULL: no bound
	const char *command;
	const char *const *args;
	size_t nargs;
	struct gh_report_target target;
	struct gh_table_vec tables; // owned
	struct gh_check_vec checks;
	struct gh_skip_vec skipped;
	struct gh_note_vec notes;
	struct gh_arena arena; // texts of cells, notes, skips
	const char *headline;  // one sentence above the first table for people; NULL: none
	bool headline_only;    // people see the headline and no table (help); machines see all
	bool findings;	       // exit code 1 (check)
};

struct gh_report *gh_report_create(void);
void gh_report_destroy(struct gh_report *report);
void gh_table_destroy(struct gh_table *table);

/** Add a table; owned by the report. NULL: out of memory. */
struct gh_table *gh_report_table(struct gh_report *report, const char *name,
				 const struct gh_column *columns, size_t ncolumns);

/** People need no empty table: the report's last one goes if it has no row. */
void gh_report_drop_empty(struct gh_report *report, struct gh_table *table);

/** Add a row to a table whose columns are a name and a value. False: out of memory. */
bool gh_table_named(struct gh_table *table, const char *name, struct gh_cell value);

/** Add a row of nulls and yield its cells; valid until the next row. NULL: out of memory. */
struct gh_cell *gh_table_row(struct gh_table *table);
/** The total row, made of nulls on first use. */
struct gh_cell *gh_table_total(struct gh_table *table);

struct gh_cell gh_cell_u64(uint64_t v);
struct gh_cell gh_cell_i64(int64_t v);
struct gh_cell gh_cell_real(double v);
struct gh_cell gh_cell_bool(bool v);
struct gh_cell gh_cell_text(const char *text); // NULL gives a null cell; borrowed
struct gh_cell gh_cell_copy(struct gh_report *report, const char *text, size_t len); // copied
struct gh_cell gh_cell_list(const char *const *items, size_t n);		     // borrowed

/** The same value in a unit of its own, not the column's: a table of names and values. */
struct gh_cell gh_cell_in(struct gh_cell cell, enum gh_unit unit);

/** Notes are shown once each. Out of memory loses the note, not the report. */
void gh_report_note(struct gh_report *report, const char *fmt, ...) GH_PRINTF(2, 3);
void gh_report_skip(struct gh_report *report, const char *what, uint64_t count, const char *why);
void gh_report_check(struct gh_report *report, const char *name, uint64_t ours, uint64_t theirs);

enum gh_format { GH_FORMAT_TEXT, GH_FORMAT_JSON, GH_FORMAT_CSV, GH_FORMAT_SHORT };

/**
 * Handles: short names of the rows that a dialogue shows, which its later commands take. A column
 * of addresses numbers its rows one after the other, any other gives its value as the number.
 */
struct gh_handles {
	uint64_t next; // number of the next address
	/* A row got a handle. */
	void (*shown)(void *ctx, char letter, uint64_t number, uint64_t value);
	void *ctx;
};
enum { GH_HANDLES_A_TABLE = 1000 }; // further rows of one answer get none

struct gh_render_options {
	enum gh_format format;
	uint64_t limit;	  // rows a table; UINT64_MAX: all
	uint32_t width;	  // columns of the terminal; 0: no limit
	bool exact_bytes; // --bytes
	bool colour;
	const char *sort; // column name, or NULL: as given
	bool reverse;
	const char *how_next;	    // what shows the rows that are left out; NULL: nothing does
	struct gh_handles *handles; // of texts for people; NULL: rows get none
};

/** Where rendered text goes, in pieces. False: stop (the reader went away). */
typedef bool (*gh_sink_fn)(void *ctx, const char *text, size_t len);

/**
 * How many rows a table, of options->limit at most, the whole text may have to fit so many lines; 1
 * at least.
 */
uint64_t gh_report_fit(const struct gh_report *report, const struct gh_render_options *options,
		       size_t lines);

/**
 * Sort, limit and write. Text is never wider than options->width: detail columns go first, then
 * long texts are cut. JSON is one line. CSV is RFC 4180; --short is the key column of the first
 * table. Errors: NOMEM, USAGE (no such column to sort by: names the ones there are).
 */
struct gh_error *gh_report_render(const struct gh_report *report,
				  const struct gh_render_options *options, gh_sink_fn sink,
				  void *ctx) GH_MUST_CHECK;
