// SPDX-License-Identifier: Apache-2.0
// Is what we read plausible? Facts that must hold in every healthy process, each checked against
// memory: where one does not, the target is damaged or we read it wrongly, and the reports say so.
#pragma once

#include "analysis/session.h"

enum gh_health {
	GH_HEALTH_OK,
	GH_HEALTH_WARN,	   // answers may be poorer, not wrong
	GH_HEALTH_BAD,	   // answers may be wrong
	GH_HEALTH_UNKNOWN, // could not be checked
};

struct gh_diagnosis {
	const char *name; // static
	enum gh_health health;
	const char *detail; // what was compared, with figures; lives as long as the doctor
	const char *advice; // what to do; NULL: nothing
};
GH_VEC(gh_diagnosis_vec, struct gh_diagnosis);

struct gh_doctor {
	struct gh_diagnosis_vec found;
	struct gh_arena arena;
	bool nomem;
};

const char *gh_health_name(enum gh_health health);

/** All checks in a fixed order. Errors: NOMEM, CANCELLED, and those of the runtime stage. */
struct gh_error *gh_doctor_run(struct gh_session *session, struct gh_doctor *ret) GH_MUST_CHECK;
void gh_doctor_deinit(struct gh_doctor *doctor);

/** Add one diagnosis; the detail is formatted. Out of memory is sticky in doctor->nomem. */
void gh_doctor_add(struct gh_doctor *doctor, const char *name, enum gh_health health,
		   const char *advice, const char *detail, ...) GH_PRINTF(5, 6);

/** Two figures that must be equal. */
void gh_doctor_equal(struct gh_doctor *doctor, const char *name, uint64_t ours, const char *what,
		     uint64_t theirs, const char *theirs_what);

/* Groups of checks, each in a file of its own. heap may be NULL (its tables are lost). */
void gh_doctor_target(struct gh_doctor *doctor, const struct gh_target *target);
void gh_doctor_runtime(struct gh_doctor *doctor, const struct gh_runtime *rt);
void gh_doctor_heap(struct gh_doctor *doctor, const struct gh_heap *heap);
void gh_doctor_pages(struct gh_doctor *doctor, const struct gh_runtime *rt,
		     uint64_t freed_arena_pages);
struct gh_error *gh_doctor_goroutines(struct gh_doctor *doctor,
				      struct gh_session *session) GH_MUST_CHECK;
struct gh_error *gh_doctor_live(struct gh_doctor *doctor, struct gh_session *session) GH_MUST_CHECK;
void gh_doctor_threads(struct gh_doctor *doctor, const struct gh_runtime *rt);
