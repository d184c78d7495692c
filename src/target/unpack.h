// SPDX-License-Identifier: Apache-2.0
// Compressed files, as systemd-coredump and people write them: read as a stream into a sparse
// scratch file, which is then used in their place.
#pragma once

#include "base/poll.h"
#include "target/file.h"

struct gh_codec;

/** What unpacks a file that begins so; NULL: it is not compressed, or this build cannot. */
const struct gh_codec *gh_codec_of(const void *head, uint64_t len);

/**
 * Unpack what fd holds, from its start, into a nameless file. Runs of zeros become holes. What can
 * be had of a damaged or cut file is kept: *note_ret then says so (owned by the caller; else NULL).
 * scratch: a directory; NULL: $TMPDIR, else /var/tmp. Errors: IO, LIMIT (the scratch directory is
 * full), FORMAT (nothing came out), CANCELLED.
 */
struct gh_error *gh_unpack(const struct gh_codec *codec, const char *path, int fd,
			   const char *scratch, const struct gh_poll *poll, int *fd_ret,
			   char **note_ret) GH_MUST_CHECK;

/** One way to compress; target/codec_NAME.c. */
struct gh_codec {
	const char *name; // "zstd"
	const char *magic;
	uint32_t magic_len;
	void *(*create)(void); // NULL: out of memory
	void (*destroy)(void *state);
	/*
	 * Take from in, put to out, say how much of both. False: damaged. *done_ret: the stream
	 * ended; what follows begins anew.
	 */
	bool (*step)(void *state, const uint8_t *in, size_t *in_len, uint8_t *out, size_t *out_len,
		     bool *done_ret);
};

extern const struct gh_codec gh_codec_zstd, gh_codec_gzip, gh_codec_xz, gh_codec_lz4;
