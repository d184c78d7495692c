// SPDX-License-Identifier: Apache-2.0
// Words of the program's command line: which target, which commands. Internal to cli/.
#pragma once

#include "base/error.h"
#include "base/vec.h"
#include "command/command.h"

/** Words of one command line; the array and the strings in `owned` are owned. */
struct words {
	const char **data;
	size_t len, cap;
	char *owned; // what split_words made; may be NULL
};
GH_VEC(words_vec, struct words);

struct options {
	const char *core, *exe, *sysroot, *scratch; // NULL: not given
	const char *files[2]; // as given by position; options_resolve turns them into core, exe
	size_t nfiles;
	uint32_t pid; // 0: not given
	bool force, no_mmap, help, version;
	struct words_vec commands; // owned
	struct words common;	   // options given before the command: they hold for each
};

/** Errors: USAGE, NOMEM. ret may be deinited in any case. */
struct gh_error *options_parse(int argc, char **argv, struct options *ret) GH_MUST_CHECK;
void options_deinit(struct options *options);

/**
 * Split a line as a shell would: blanks, '…', "…", backslash. No variables, no patterns. Errors:
 * USAGE (a quote that is not closed), NOMEM.
 */
struct gh_error *split_words(const char *line, struct words *ret) GH_MUST_CHECK;
bool words_push(struct words *words, const char *word) GH_MUST_CHECK;
void words_deinit(struct words *words);

/** The i-th of the program's own options; NULL beyond the last. */
const struct gh_option *options_own(size_t i);

/** Is the word that option? *value_ret is what stands behind its "="; NULL without one. */
bool options_match(const struct gh_option *option, const char *word, const char **value_ret);
