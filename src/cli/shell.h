// SPDX-License-Identifier: Apache-2.0
// What a shell offers while a goheap command line is typed. Internal to cli/.
#pragma once

#include "base/defs.h"

/**
 * Print what may stand in the place of the last word, one a line: goheap --complete WORD ... TOKEN.
 * A line ":files" or ":folders" says that names of those fit as well. A word "=" counts for
 * nothing: bash makes three words of --exe=FILE. False: out of memory.
 */
bool shell_complete(char **words, size_t nwords) GH_MUST_CHECK;
