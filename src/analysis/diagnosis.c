// SPDX-License-Identifier: Apache-2.0
// See diagnosis.h.
#include "analysis/diagnosis.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *gh_health_name(enum gh_health health)
{
	static const char *const names[] = {
		[GH_HEALTH_OK] = "ok",
		[GH_HEALTH_WARN] = "warn",
		[GH_HEALTH_BAD] = "bad",
		[GH_HEALTH_UNKNOWN] = "unknown",
	};
	return names[health];
}

void gh_doctor_add(struct gh_doctor *doctor, const char *name, enum gh_health health,
		   const char *advice, const char *detail, ...)
{
	char text[512];
	char *copy;
	va_list args;

	va_start(args, detail);
	vsnprintf(text, sizeof(text), detail, args);
	va_end(args);
	copy = gh_arena_strndup(&doctor->arena, text, strlen(text));
	if (!copy ||
	    !gh_diagnosis_vec_push(&doctor->found, (struct gh_diagnosis){.name = name,
									 .health = health,
									 .detail = copy,
									 .advice = advice}))
		doctor->nomem = true;
}

void gh_doctor_equal(struct gh_doctor *doctor, const char *name, uint64_t ours, const char *what,
		     uint64_t theirs, const char *theirs_what)
{
	if (ours == theirs)
		gh_doctor_add(doctor, name, GH_HEALTH_OK, NULL, "%llu %s", (unsigned long long)ours,
			      what);
	else
		gh_doctor_add(doctor, name, GH_HEALTH_BAD,
			      "the core was taken in the middle of a change, or is damaged",
			      "%llu %s, but %llu %s", (unsigned long long)ours, what,
			      (unsigned long long)theirs, theirs_what);
}

void gh_doctor_deinit(struct gh_doctor *doctor)
{
	gh_diagnosis_vec_deinit(&doctor->found);
	gh_arena_deinit(&doctor->arena);
	*doctor = (struct gh_doctor){0};
}
