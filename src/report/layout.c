// SPDX-License-Identifier: Apache-2.0
// How wide the columns of a table are where a terminal has no room for all of it. See layout.h.
#include "report/layout.h"

#include "base/cleanup.h"
#include "report/format.h"

enum {
	MIN_TEXT = 12,	// a text column is cut down to this, no further while others can give
	FAIR_TEXT = 16, // leaves enough of a text not to put it elsewhere
	MIN_FOLDED = 60, // columns of a terminal that shows rows in two lines
	MIN_WRAPPED = 24, // of a sentence that takes several lines
};

void gh_layout_widen(struct gh_layout *l, size_t column, const char *text)
{
	struct gh_column_layout *c = &l->columns[column];

	c->width = gh_max_u64(c->width, gh_text_width(text));
	if (l->width && c->flexible)
		c->least = gh_max_u64(c->least, gh_text_least(text));
}

static size_t total_width(const struct gh_layout *l)
{
	size_t width = l->handle_width;

	for (size_t c = 0; c < l->table->ncolumns; c++)
		if (l->columns[c].width)
			width += l->columns[c].width + (width ? GH_COLUMN_GAP : 0);
	return width;
}

/* Columns without a value go first, then those that are details, the last one first. */
static void drop_details(struct gh_layout *l)
{
	for (size_t c = l->table->ncolumns; c-- > 1 && total_width(l) > l->width;)
		if (l->has_rows && !l->columns[c].filled)
			l->columns[c].width = 0;
	for (size_t c = l->table->ncolumns; c-- > 1 && total_width(l) > l->width;)
		if (l->table->columns[c].detail)
			l->columns[c].width = 0;
}

/* Take what is missing from the widest text, again and again, down to a width or, with `folders`
 * only, to what texts take without folders. False: nothing left to take. */
static bool shrink_texts(struct gh_layout *l, size_t least, bool folders)
{
	size_t width = total_width(l);

	for (; width > l->width; width--) {
		struct gh_column_layout *widest = NULL;

		for (size_t c = 0; c < l->table->ncolumns; c++) {
			struct gh_column_layout *column = &l->columns[c];
			size_t end = folders ? gh_max_u64(least, column->least) : least;

			if (column->flexible && column->width > end &&
			    (!widest || column->width > widest->width))
				widest = column;
		}
		if (!widest)
			return false;
		widest->width--;
	}
	return true;
}

/* Every column as wide as what it shows. */
static void spread(struct gh_layout *l, const size_t *widths)
{
	for (size_t c = 0; c < l->table->ncolumns; c++) {
		l->columns[c].width = widths[c];
		l->columns[c].folded = false;
	}
}

/*
 * Too many texts for a line: the last ones go below their row, until the others have room; with
 * `whole`, for all of what they say but folders. False: not even that helps.
 */
static bool fold(struct gh_layout *l, const size_t *widths, bool whole)
{
	spread(l, widths);
	for (size_t c = l->table->ncolumns; c-- > 1;) {
		struct gh_column_layout *column = &l->columns[c];

		if (!column->flexible || !column->width || (whole && column->least <= MIN_TEXT))
			continue;
		column->folded = true;
		column->width = 0;
		if (shrink_texts(l, MIN_TEXT, true) ||
		    (!whole && shrink_texts(l, MIN_TEXT, false)))
			return true;
	}
	spread(l, widths);
	return false;
}

/* Whole sentences go below where they do not fit as they are. */
static bool fold_sentences(struct gh_layout *l, const size_t *widths)
{
	bool any = false;

	spread(l, widths);
	for (size_t c = 1; c < l->table->ncolumns; c++) {
		if (!l->table->columns[c].below || !l->columns[c].width)
			continue;
		l->columns[c].folded = any = true;
		l->columns[c].width = 0;
	}
	return any && (shrink_texts(l, MIN_TEXT, true) || shrink_texts(l, FAIR_TEXT, false));
}

/* All texts but the first below, and of the other columns as many as there is room for. */
static bool fold_all(struct gh_layout *l, const size_t *widths)
{
	spread(l, widths);
	for (size_t c = 1; c < l->table->ncolumns; c++) {
		if (!l->columns[c].flexible || !l->columns[c].width)
			continue;
		l->columns[c].folded = true;
		l->columns[c].width = 0;
	}
	for (size_t c = l->table->ncolumns;
	     c-- > 1 && !shrink_texts(l, MIN_TEXT, true) && !shrink_texts(l, MIN_TEXT, false);)
		l->columns[c].width = 0;
	return total_width(l) <= l->width;
}

/* A sentence in several lines loses nothing. */
static bool wrap(struct gh_layout *l)
{
	size_t over = total_width(l) - l->width;

	for (size_t c = 1; c < l->table->ncolumns; c++) {
		if (!l->table->columns[c].wraps || l->columns[c].width < over + MIN_WRAPPED)
			continue;
		l->columns[c].width -= over;
		return true;
	}
	return false;
}

/* In the order in which people miss least. */
static bool fit_texts(struct gh_layout *l, const size_t *widths)
{
	bool may_fold = l->width >= MIN_FOLDED;

	if (total_width(l) <= l->width || wrap(l))
		return true;
	if (shrink_texts(l, MIN_TEXT, true) || (may_fold && fold_sentences(l, widths)))
		return true;
	spread(l, widths);
	if (shrink_texts(l, FAIR_TEXT, false) || (may_fold && fold(l, widths, true)))
		return true;
	spread(l, widths);
	if (shrink_texts(l, MIN_TEXT, false) ||
	    (may_fold && (fold(l, widths, false) || fold_all(l, widths))))
		return true;
	return shrink_texts(l, 4, false);
}

void gh_layout_fit(struct gh_layout *l)
{
	_cleanup_free_ size_t *widths = NULL;

	if (!l->width)
		return;
	drop_details(l);
	widths = gh_alloc_array(l->table->ncolumns, sizeof(*widths));
	for (size_t c = 0; widths && c < l->table->ncolumns; c++)
		widths[c] = l->columns[c].width;
	if (widths && fit_texts(l, widths))
		return;
	// a very narrow terminal: columns from the right, and then whatever remains is cut
	for (size_t c = l->table->ncolumns; c-- > 1 && total_width(l) > l->width;)
		l->columns[c].width = 0;
	if (total_width(l) > l->width)
		l->handle_width = 0;
	if (l->columns[0].width > l->width)
		l->columns[0].width = l->width;
}
