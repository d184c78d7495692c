// SPDX-License-Identifier: Apache-2.0
// What the renderers share: rows in the order and number asked for, and output in pieces. Internal
// to report/.
#pragma once

#include "report/report.h"

/** The rows of a table as they are to be shown. */
struct gh_rows {
	const struct gh_table *table;
	uint64_t *order;	 // owned: row numbers; NULL: as given
	struct gh_cell *scratch; // owned: one row of a lazy table
	bool backwards;		 // without an order
	size_t first, n;	 // rows to show
};

/** Errors: NOMEM. A column that the table lacks leaves the order as given. */
struct gh_error *gh_rows_init(const struct gh_table *table, const struct gh_render_options *options,
			      struct gh_rows *ret) GH_MUST_CHECK;
void gh_rows_deinit(struct gh_rows *rows);

/** Cells of the i-th row shown; valid until the next call. */
const struct gh_cell *gh_rows_at(struct gh_rows *rows, size_t i);

/** Output: collects pieces and hands them to the sink, until the sink has had enough. */
struct gh_out {
	struct gh_strbuf sb;
	gh_sink_fn sink;
	void *ctx;
	bool stopped;
};

/** Hand over what has been collected, if it is much or `all`. */
void gh_out_flush(struct gh_out *out, bool all);

void gh_put_spaces(struct gh_strbuf *sb, size_t n);

/** End a line without blanks before its end. */
void gh_end_line(struct gh_strbuf *sb);

/**
 * Escaped text in lines of at most `width` columns, the first one of `first`, all others indented;
 * the last one is not ended.
 */
void gh_put_lines(struct gh_strbuf *sb, const char *text, size_t first, size_t width, size_t indent);

/**
 * Escaped text in as many lines as it needs, all but the first indented. width 0: one line.
 */
void gh_put_sentence(struct gh_out *out, uint32_t width, size_t indent, const char *sentence);

/** How many rows were left out, and how to see them; nothing for 0. */
void gh_put_rest(struct gh_out *out, const struct gh_render_options *options, size_t nrows);

/** A table whose rows are paragraphs. */
struct gh_error *gh_put_prose(const struct gh_table *table, const struct gh_render_options *options,
			      struct gh_out *out) GH_MUST_CHECK;

struct gh_error *gh_render_text(const struct gh_report *report,
				const struct gh_render_options *options,
				struct gh_out *out) GH_MUST_CHECK;
struct gh_error *gh_render_json(const struct gh_report *report,
				const struct gh_render_options *options,
				struct gh_out *out) GH_MUST_CHECK;
struct gh_error *gh_render_csv(const struct gh_report *report,
			       const struct gh_render_options *options,
			       struct gh_out *out) GH_MUST_CHECK;
struct gh_error *gh_render_short(const struct gh_report *report,
				 const struct gh_render_options *options,
				 struct gh_out *out) GH_MUST_CHECK;
