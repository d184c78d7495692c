// SPDX-License-Identifier: Apache-2.0
// From the words of the command line to a session. Internal to cli/.
#pragma once

#include "analysis/session.h"
#include "cli/options.h"

/** Errors: USAGE (no core named), those of gh_target_open_core. */
struct gh_error *open_session(const struct options *options, const struct gh_poll *poll,
			      struct gh_session **ret) GH_MUST_CHECK;
