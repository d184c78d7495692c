// SPDX-License-Identifier: Apache-2.0
#include <lz4frame.h>

#include "target/unpack.h"

static void *create(void)
{
	LZ4F_dctx *z = NULL;

	return LZ4F_isError(LZ4F_createDecompressionContext(&z, LZ4F_VERSION)) ? NULL : z;
}

static void destroy(void *state)
{
	LZ4F_freeDecompressionContext(state);
}

static bool step(void *state, const uint8_t *in, size_t *in_len, uint8_t *out, size_t *out_len,
		 bool *done_ret)
{
	size_t left = LZ4F_decompress(state, out, out_len, in, in_len, NULL);

	*done_ret = left == 0;
	return !LZ4F_isError(left);
}

const struct gh_codec gh_codec_lz4 = {"lz4", "\x04\x22\x4d\x18", 4, create, destroy, step};
