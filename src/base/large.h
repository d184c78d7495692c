// SPDX-License-Identifier: Apache-2.0
// Large arrays in pages of 2 MiB, where the kernel has such pages free.
#pragma once

#include "base/defs.h"

/**
 * Has the kernel so many bytes in free pages of 2 MiB? Where it has not, advice to use them has it
 * move other pages about until it has: that may take longer than the small pages would.
 */
bool gh_large_pages_at_hand(uint64_t bytes);

/** Bytes in such pages that a line of /proc/buddyinfo tells of, where small ones have `page` bytes. */
uint64_t gh_large_free_in_zone(const char *line, uint64_t page);

/** Advice for memory that is going to be touched all over: a fault for 2 MiB instead of 512. */
void gh_advise_large(void *p, uint64_t bytes);
