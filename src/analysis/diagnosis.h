// SPDX-License-Identifier: Apache-2.0
// What one check of the doctor has found, and the list of all.
#pragma once

#include "base/arena.h"
#include "base/vec.h"

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

/** Add one diagnosis; the detail is formatted. Out of memory is sticky in doctor->nomem. */
void gh_doctor_add(struct gh_doctor *doctor, const char *name, enum gh_health health,
		   const char *advice, const char *detail, ...) GH_PRINTF(5, 6);

/** Two figures that must be equal. */
void gh_doctor_equal(struct gh_doctor *doctor, const char *name, uint64_t ours, const char *what,
		     uint64_t theirs, const char *theirs_what);

void gh_doctor_deinit(struct gh_doctor *doctor);
