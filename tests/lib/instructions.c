// SPDX-License-Identifier: Apache-2.0
// Reads instructions from stdin, one a line in hexadecimal digits, with bytes of others behind each,
// and prints for each its length as goruntime/x86.h finds it, and where it jumps.
#include <stdio.h>
#include <string.h>

#include "goruntime/x86.h"

enum { MAX_BYTES = 64, MAX_LINE = 256 };

static uint64_t parse(const char *line, uint8_t *code)
{
	uint64_t n = 0;
	unsigned int byte;

	while (n < MAX_BYTES && sscanf(line + 2 * n, "%2x", &byte) == 1)
		code[n++] = (uint8_t)byte;
	return n;
}

int main(void)
{
	char line[MAX_LINE];

	while (fgets(line, sizeof(line), stdin)) {
		uint8_t code[MAX_BYTES];
		struct gh_x86 found;
		uint64_t n = parse(line, code);

		if (!gh_x86_decode(code, n, &found))
			puts("0");
		else
			printf("%u %d %lld\n", found.length, (int)found.kind,
			       (long long)found.target);
		// whatever the bytes, nothing behind them is read
		for (uint64_t cut = 0; cut < n; cut++) {
			uint8_t exactly[MAX_BYTES];

			memcpy(exactly + MAX_BYTES - cut, code, cut);
			if (gh_x86_decode(exactly + MAX_BYTES - cut, cut, &found) &&
			    found.length > cut)
				return 1;
		}
	}
	return 0;
}
