// SPDX-License-Identifier: Apache-2.0
// Is what we read plausible? Facts that must hold in every healthy process, each checked against
// memory: where one does not, the target is damaged or we read it wrongly, and the reports say so.
#pragma once

#include "analysis/diagnosis.h"
#include "analysis/session.h"

/** All checks in a fixed order. Errors: NOMEM, CANCELLED, and those of the runtime stage. */
struct gh_error *gh_doctor_run(struct gh_session *session, struct gh_doctor *ret) GH_MUST_CHECK;
