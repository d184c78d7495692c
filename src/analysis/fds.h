// SPDX-License-Identifier: Apache-2.0
// What file descriptors are that a system call names: by what packages os and net have open, and,
// of a process that was copied a moment ago, by /proc.
#pragma once

#include "analysis/session.h"
#include "base/arena.h"
#include "dwarf/offset_map.h"
#include "goruntime/openfiles.h"

struct gh_fd {
	uint64_t fd;
	enum gh_descriptor_kind kind;
	const char *path; // or peer; NULL: not known
};
GH_VEC(gh_fd_vec, struct gh_fd);

/** Each is looked up once: many threads may be blocked in one. */
struct gh_fds {
	struct gh_session *session;    // borrowed
	struct gh_arena *arena;	       // borrowed: paths
	struct gh_open_file_vec files; // once has_files
	struct gh_fd_vec known;
	struct gh_offset_map by_fd; // one more than the index into known
	bool has_files;
};

/** kind UNKNOWN: nobody says. Computes stage HEAP. Errors: those of it; NOMEM. */
struct gh_error *gh_fds_find(struct gh_fds *fds, uint64_t fd, struct gh_fd *ret) GH_MUST_CHECK;
void gh_fds_deinit(struct gh_fds *fds);
