// SPDX-License-Identifier: Apache-2.0
// What `timers` shows of single timers, made when a row is shown, and what it groups them by.
#pragma once

#include "analysis/timers.h"
#include "command/timer_captured.h"
#include "report/report.h"

enum gh_timer_column {
	GH_TC_ADDRESS,
	GH_TC_KIND,
	GH_TC_STATE,
	GH_TC_CALLBACK,
	GH_TC_CHANNEL,
	GH_TC_PERIOD_NS,
	GH_TC_DUE_NS,
	GH_TC_WHEN_NS,
	GH_TC_VERDICT,
	GH_TC_OWNER,
	GH_TC_RETAINED,
	GH_TC_RETAINED_KIND,
	GH_TC_CREATED_BY,
	GH_TC_CREATED_SITE,
	GH_TC_CHANNEL_ADDRESS,
	GH_TC_RECEIVERS,
	GH_TC_CLOSURE,
	GH_TC_P,
	GH_TC_CLOCK,
	GH_TC_CAPTURED,
	GH_TC_CAPTURED_STRENGTH,
	GH_TIMER_COLUMNS
};
extern const struct gh_column gh_timer_columns[GH_TIMER_COLUMNS];

struct gh_timer_rows {
	struct gh_session *session; // borrowed
	struct gh_timer_view *view; // owned
	struct gh_arena *arena;	    // borrowed: texts, as long as the report
	struct gh_timer_texts *texts; // owned: each text once
	struct gh_timer_capture_vec captures; // by function
	gh_addr last_pc;	      // of the function that was named last
	const char *last_name;
};

/** Errors: those of gh_timer_view_create. */
struct gh_error *gh_timer_rows_create(struct gh_session *session, bool quick,
				      struct gh_arena *arena,
				      struct gh_timer_rows **ret) GH_MUST_CHECK;
void gh_timer_rows_destroy(void *rows);

/** Timers of one group agree in all of it. Texts are one for each meaning: compared by address. */
struct gh_timer_key {
	const char *callback; // function; NULL: none of the program's
	const char *channel;
	const char *owner; // the variable, or the function that goroutines started in
	int64_t period_ns;
	uint8_t kind, verdict;
	bool is_fake; // of a synctest bubble
};

struct gh_error *gh_timer_rows_key(struct gh_timer_rows *rows, size_t index,
				   struct gh_timer_key *ret) GH_MUST_CHECK;
/** By all of it; the period last. */
int gh_timer_key_compare(const struct gh_timer_key *a, const struct gh_timer_key *b);
uint64_t gh_timer_key_hash(const struct gh_timer_key *key);

/** By which clock it counts, as the contract says it. */
const char *gh_timer_clock(bool is_fake);

/** Time left; negative: it should have fired. False: not armed, or there is no clock. */
bool gh_timer_rows_due(const struct gh_timer_rows *rows, size_t index, int64_t *ret);

/** Cells of a group of `count` timers like this one. */
struct gh_cell gh_timer_rows_verdict(struct gh_timer_rows *rows, size_t index, uint64_t count);
struct gh_cell gh_timer_rows_owner(struct gh_timer_rows *rows, size_t index, uint64_t count);
/** What its closure captured, and how sure that is; unknown where memory ran out. */
void gh_timer_rows_captured(struct gh_timer_rows *rows, size_t index, struct gh_cell *captured,
			    struct gh_cell *strength);

/** A table of all of them, one a row; takes rows over in any case. Errors: NOMEM. */
struct gh_error *gh_timer_rows_table(struct gh_timer_rows *rows,
				     struct gh_report *report) GH_MUST_CHECK;
