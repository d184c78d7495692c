// SPDX-License-Identifier: Apache-2.0
// One regular file, opened for reading: mapped whole, or read piece by piece where mapping is not
// wanted. Knows by their first bytes what people pass by mistake.
#pragma once

#include "base/budget.h"
#include "base/poll.h"

struct gh_file {
	char *path; // owned
	char *note; // owned: what is wrong with a compressed file that could be used all the same
	int fd;	    // of the file, or of what was unpacked from it
	uint64_t size;	      // when opened
	const uint8_t *bytes; // the whole file, or NULL when it is read in pieces
	bool mapped;	      // bytes is a mapping of fd, from offset 0 on
};

enum gh_file_mode {
	GH_FILE_MAP,   // bytes is a private mapping
	GH_FILE_COPY,  // bytes is a copy in anonymous memory; holes of the file cost nothing
	GH_FILE_PIECE, // bytes is NULL: gh_file_read only
};

struct gh_file_options {
	enum gh_file_mode mode;
	const char *scratch;	    // where compressed files are unpacked; NULL: the usual place
	const struct gh_poll *poll; // asked while unpacking; may be NULL
	struct gh_budget *budget;   // what a copy is taken from; may be NULL
};

/**
 * Open path; a compressed file is unpacked first (unpack.h), and read from there. Never blocks on a
 * FIFO. Errors: IO, FORMAT (not a regular file, or empty), those of gh_unpack. The file is
 * held open until gh_file_deinit, which accepts a zeroed struct.
 */
struct gh_error *gh_file_open(const char *path, const struct gh_file_options *options,
			      struct gh_file *ret) GH_MUST_CHECK;
void gh_file_deinit(struct gh_file *file);

/** Nothing is opened: a device or a FIFO that a core names may do things. */
bool gh_file_is_regular(const char *path);

/** Copy [offset, offset + len) into `to`. False: beyond the end, or it cannot be read. */
bool gh_file_read(const struct gh_file *file, uint64_t offset, void *to, uint64_t len);

/** Is the file still as large as when it was opened? Errors: IO (it shrank). */
struct gh_error *gh_file_check(const struct gh_file *file) GH_MUST_CHECK;

/**
 * What a file that is not ELF seems to be, as the end of a sentence with advice: "it is compressed
 * with zstd: decompress it first: zstd -d FILE". Static text; never NULL.
 */
const char *gh_file_describe(const void *head, uint64_t len);
