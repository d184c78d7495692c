// SPDX-License-Identifier: Apache-2.0
// What packages os and net have open, by file descriptor. Both put a finalizer on what they open
// (os/file_unix.go, net/fd_posix.go, go1.22 to go1.27), so that no mark is needed to find it.
#pragma once

#include "goruntime/descriptor.h"
#include "goruntime/span.h"

struct gh_open_file {
	uint64_t fd;
	gh_addr addr; // of the os.file or net.netFD
	bool is_socket;
};
GH_VEC(gh_open_file_vec, struct gh_open_file);

/** By descriptor; *ret is deinited by the caller in any case. Errors: NOMEM. */
struct gh_error *gh_open_files_load(const struct gh_runtime *rt, const struct gh_span_table *table,
				    struct gh_open_file_vec *ret) GH_MUST_CHECK;

/** What the descriptor is; false: nobody in memory says, or more than one does. */
bool gh_open_files_find(const struct gh_runtime *rt, const struct gh_open_file_vec *files,
			uint64_t fd, struct gh_descriptor *ret);
