// SPDX-License-Identifier: Apache-2.0
// Everything about one opened target, computed lazily in stages, once each. A command asks for the
// stage it needs and no more. A stage that was cancelled or failed leaves the session usable.
#pragma once

#include "goruntime/goroutine.h"
#include "goruntime/runtime.h"
#include "target/target.h"

struct gh_session {
	struct gh_target *target; // owned
	struct gh_poll poll;	  // progress and cancel of the face
	struct gh_runtime *rt;	  // stage RUNTIME; owned
	struct gh_goroutine_vec goroutines; // stage GOROUTINES
	uint64_t unreadable_goroutines;
	bool has_goroutines;
	bool no_values; // keep the program's data out of what is printed
	uint64_t max_mem_bytes; // 0: no bound
};

/** Takes the target over. */
struct gh_error *gh_session_create(struct gh_target *target, struct gh_session **ret) GH_MUST_CHECK;
void gh_session_destroy(struct gh_session *session);

/** Stages. Errors: those of the stage; CANCELLED. Asking twice is cheap. */
struct gh_error *gh_session_runtime(struct gh_session *session) GH_MUST_CHECK;
struct gh_error *gh_session_goroutines(struct gh_session *session) GH_MUST_CHECK;
