// SPDX-License-Identifier: Apache-2.0
// Table `waiting_on` of `goroutine`: what one goroutine waits for, and who else has to do with it.
#pragma once

#include "analysis/session.h"
#include "command/command.h"

enum { GH_WAITING_COLUMNS = 18 };
extern const struct gh_column gh_waiting_columns[GH_WAITING_COLUMNS];

/**
 * Add the table for goroutine g (index). Stages GOROUTINES and TYPES are there. A wait for a lock
 * marks the heap, for who may hold it. Errors: those of gh_waiting_load and gh_locks_find.
 */
struct gh_error *gh_waiting_table(struct gh_session *session, size_t g, struct gh_report *report,
				  struct gh_table **ret) GH_MUST_CHECK;
