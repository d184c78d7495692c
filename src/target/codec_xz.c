// SPDX-License-Identifier: Apache-2.0
#include <lzma.h>
#include <stdlib.h>

#include "target/unpack.h"

enum { MAX_MEMORY = 512 << 20 };

static void *create(void)
{
	lzma_stream *z = calloc(1, sizeof(*z));

	if (z && lzma_stream_decoder(z, MAX_MEMORY, 0) != LZMA_OK) {
		free(z);
		return NULL;
	}
	return z;
}

static void destroy(void *state)
{
	lzma_end(state);
	free(state);
}

static bool step(void *state, const uint8_t *in, size_t *in_len, uint8_t *out, size_t *out_len,
		 bool *done_ret)
{
	lzma_stream *z = state;
	lzma_ret code;

	z->next_in = in;
	z->avail_in = *in_len;
	z->next_out = out;
	z->avail_out = *out_len;
	code = lzma_code(z, LZMA_RUN);
	*in_len = (size_t)(z->next_in - in);
	*out_len = (size_t)(z->next_out - out);
	*done_ret = code == LZMA_STREAM_END;
	if (*done_ret && lzma_stream_decoder(z, MAX_MEMORY, 0) != LZMA_OK)
		return false; // streams may follow each other
	return code == LZMA_OK || code == LZMA_STREAM_END || code == LZMA_BUF_ERROR;
}

const struct gh_codec gh_codec_xz = {"xz",
				     "\xfd"
				     "7zXZ",
				     5,
				     create,
				     destroy,
				     step};
