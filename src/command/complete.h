// SPDX-License-Identifier: Apache-2.0
// What may stand next on a command line. All faces complete with this.
#pragma once

#include "base/vec.h"
#include "command/command.h"

GH_VEC(gh_choice_vec, const char *); // borrowed from the tables of commands

/**
 * Append what begins with `token` and may follow the words before it: a command, an option, a
 * column after --sort, a command after help. In the order of the tables. False: out of memory.
 */
bool gh_command_complete(const char *const *before, size_t nbefore, const char *token,
			 struct gh_choice_vec *ret) GH_MUST_CHECK;
