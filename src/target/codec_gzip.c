// SPDX-License-Identifier: Apache-2.0
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "target/unpack.h"

enum { WITH_GZIP_HEADER = 16 + MAX_WBITS };

static void *create(void)
{
	z_stream *z = calloc(1, sizeof(*z));

	if (z && inflateInit2(z, WITH_GZIP_HEADER) != Z_OK) {
		free(z);
		return NULL;
	}
	return z;
}

static void destroy(void *state)
{
	inflateEnd(state);
	free(state);
}

static bool step(void *state, const uint8_t *in, size_t *in_len, uint8_t *out, size_t *out_len,
		 bool *done_ret)
{
	z_stream *z = state;
	int code;

	z->next_in = (uint8_t *)(uintptr_t)in;
	z->avail_in = (uInt)gh_min_u64(*in_len, UINT_MAX);
	z->next_out = out;
	z->avail_out = (uInt)gh_min_u64(*out_len, UINT_MAX);
	code = inflate(z, Z_NO_FLUSH);
	*in_len = (size_t)(z->next_in - in);
	*out_len = (size_t)(z->next_out - out);
	*done_ret = code == Z_STREAM_END;
	if (*done_ret)
		inflateReset(z); // members may follow each other
	return code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR;
}

const struct gh_codec gh_codec_gzip = {"gzip", "\x1f\x8b", 2, create, destroy, step};
