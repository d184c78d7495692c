// SPDX-License-Identifier: Apache-2.0
// How single values look to people: sizes, durations, shares, and text that is safe on a terminal.
#pragma once

#include "base/strbuf.h"
#include "base/text.h"
#include "report/report.h"

/** IEC units with three digits: "512 B", "1.23 GiB". */
void gh_format_bytes(struct gh_strbuf *sb, uint64_t bytes);

/** "512 ns", "1.23 ms", "45.6 s", "2m03s", "3h24m", "5d03h"; negative ones with a sign. */
void gh_format_ns(struct gh_strbuf *sb, int64_t ns);

/** A finite number with up to nine decimals and a point, without the zeros at their end. */
void gh_format_real(struct gh_strbuf *sb, double v);

/**
 * Append text with everything that could command a terminal or reorder a line written as \n, \t,
 * \xNN or \u{NNNN}: controls, bytes that are not UTF-8, bidirectional and invisible characters.
 */
void gh_format_escaped(struct gh_strbuf *sb, const char *text);

/** Append the items of a cell that is a list, each escaped. */
void gh_format_list(struct gh_strbuf *sb, const struct gh_cell *cell, const char *separator);

/** The cell as people read it; "-" for null. */
void gh_format_cell(struct gh_strbuf *sb, const struct gh_cell *cell, enum gh_unit unit,
		    bool exact_bytes);

/** The unit of a cell: its own, or the column's. */
enum gh_unit gh_cell_unit(const struct gh_cell *cell, const struct gh_column *column);

/** Columns that a character, and escaped text, takes on a terminal. */
size_t gh_code_width(uint32_t code);
size_t gh_text_width(const char *text);

/** Bytes of the longest start of text that takes at most `width` columns. */
size_t gh_text_head(const char *text, size_t width);

/**
 * Append escaped text in at most `width` columns. Where it is longer the first folders of paths in
 * it go, as many as have to; if that is not enough it is cut in the middle with "…".
 */
void gh_text_fit(struct gh_strbuf *sb, const char *text, size_t width);

/** Columns that the text takes without the folders of its paths; 0: out of memory. */
size_t gh_text_least(const char *text);
