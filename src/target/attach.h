// SPDX-License-Identifier: Apache-2.0
// Holding a process still. Threads are seized, not attached: should we die at any moment, the
// kernel lets them run on.
#pragma once

#include "target/open.h"
#include "target/procfs.h"

/** A thread that is held. */
struct gh_held_thread {
	uint32_t tid;
	int signal; // that was on its way to the thread: delivered when it is let go
};
GH_VEC(gh_held_vec, struct gh_held_thread);

struct gh_attachment {
	uint32_t pid;
	struct gh_held_vec held;
};

/**
 * Stop all threads, those that start meanwhile too. Errors: IO (not permitted: says which setting;
 * traced by another; gone), NOMEM, CANCELLED. Whatever happens, call gh_detach.
 */
struct gh_error *gh_attach(uint32_t pid, const struct gh_poll *poll,
			   struct gh_attachment *ret) GH_MUST_CHECK;

/** Registers of all held threads, the first thread's first. Errors: NOMEM. */
struct gh_error *gh_attached_registers(const struct gh_attachment *attachment, uint16_t machine,
				       struct gh_thread_vec *ret) GH_MUST_CHECK;

/** Let all threads run on. */
void gh_detach(struct gh_attachment *attachment);
