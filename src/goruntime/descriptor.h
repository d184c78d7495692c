// SPDX-License-Identifier: Apache-2.0
// File descriptors, as far as the memory of the process tells: the name that a file was opened by,
// the addresses of a connection. Mirrors internal/poll/fd_unix.go (FD), os/file_unix.go (file),
// net/fd_posix.go (netFD), go1.22 to go1.27: their fields lie at the same places in all of them.
#pragma once

#include "base/strbuf.h"
#include "goruntime/traceback.h"

enum gh_descriptor_kind {
	GH_DESCRIPTOR_UNKNOWN,
	GH_DESCRIPTOR_FILE,
	GH_DESCRIPTOR_PIPE, // of os.Pipe
	GH_DESCRIPTOR_SOCKET,
};

struct gh_descriptor {
	enum gh_descriptor_kind kind;
	gh_addr addr;	       // of the os.file or netFD; 0: none was found
	struct gh_strbuf name; // path; "tcp 127.0.0.1:80 -> 127.0.0.1:4711". Owned
};
/** The number of an os.file or netFD; false: it is closed, or cannot be read. */
bool gh_descriptor_number(const struct gh_runtime *rt, gh_addr addr, uint64_t *ret);

/** Fill kind, addr and name of *ret, which is zeroed or as gh_descriptor_find left it. */
void gh_descriptor_describe(const struct gh_runtime *rt, gh_addr addr, bool is_socket,
			    struct gh_descriptor *ret);

void gh_descriptor_deinit(struct gh_descriptor *descriptor);

/**
 * What goroutine g, whose stack was unwound, knows of descriptor fd: the os.File or connection whose
 * methods stand on its stack. Not found: kind UNKNOWN.
 */
void gh_descriptor_find(const struct gh_runtime *rt, const struct gh_goroutine *g,
			const struct gh_frame_vec *frames, uint64_t fd, struct gh_descriptor *ret);
