// SPDX-License-Identifier: Apache-2.0
// The doctor's groups of checks, each in a file of its own. heap may be NULL: its tables are lost.
#pragma once

#include "analysis/diagnosis.h"
#include "analysis/session.h"

void gh_doctor_heap(struct gh_doctor *doctor, const struct gh_heap *heap);
void gh_doctor_pages(struct gh_doctor *doctor, const struct gh_runtime *rt,
		     uint64_t freed_arena_pages);
struct gh_error *gh_doctor_goroutines(struct gh_doctor *doctor,
				      struct gh_session *session) GH_MUST_CHECK;
struct gh_error *gh_doctor_live(struct gh_doctor *doctor, struct gh_session *session) GH_MUST_CHECK;
void gh_doctor_threads(struct gh_doctor *doctor, const struct gh_runtime *rt);
