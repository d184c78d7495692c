// SPDX-License-Identifier: Apache-2.0
#include <zstd.h>

#include "target/unpack.h"

static void *create(void)
{
	return ZSTD_createDStream();
}

static void destroy(void *state)
{
	ZSTD_freeDStream(state);
}

static bool step(void *state, const uint8_t *in, size_t *in_len, uint8_t *out, size_t *out_len,
		 bool *done_ret)
{
	ZSTD_inBuffer input = {in, *in_len, 0};
	ZSTD_outBuffer output = {out, *out_len, 0};
	size_t left = ZSTD_decompressStream(state, &output, &input); // memory: 128 MiB at most

	*in_len = input.pos;
	*out_len = output.pos;
	*done_ret = left == 0;
	return !ZSTD_isError(left);
}

const struct gh_codec gh_codec_zstd = {"zstd", "\x28\xb5\x2f\xfd", 4, create, destroy, step};
