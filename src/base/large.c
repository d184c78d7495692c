// SPDX-License-Identifier: Apache-2.0
// See large.h.
#include "base/large.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	LARGE_PAGE = 2 << 20,
	ORDERS_MAX = 32, // of /proc/buddyinfo: the kernel has 11
};

/* "Node 0, zone Normal 12 3 …": free blocks of 1, 2, 4 … pages. */
uint64_t gh_large_free_in_zone(const char *line, uint64_t page)
{
	const char *at = strstr(line, "zone ");
	uint64_t ret = 0;
	char *end;

	at = at ? at + strlen("zone ") : NULL;
	at = at ? strchr(at + strspn(at, " "), ' ') : NULL; // behind its name
	for (int order = 0; at && order < ORDERS_MAX; order++, at = end) {
		uint64_t n = strtoull(at, &end, 10);

		if (end == at)
			break;
		if (page << order >= LARGE_PAGE)
			ret += n * (page << order);
	}
	return ret;
}

bool gh_large_pages_at_hand(uint64_t bytes)
{
	FILE *file = fopen("/proc/buddyinfo", "re");
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), found = 0;
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		found += gh_large_free_in_zone(line, page);
	if (file)
		fclose(file);
	return found >= bytes;
}

void gh_advise_large(void *p, uint64_t bytes)
{
	uint64_t from = gh_align_up((uintptr_t)p, LARGE_PAGE);
	uint64_t to = ((uintptr_t)p + bytes) & ~(uint64_t)(LARGE_PAGE - 1);

	if (to > from)
		madvise((void *)(uintptr_t)from, to - from, MADV_HUGEPAGE);
}
