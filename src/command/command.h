// SPDX-License-Identifier: Apache-2.0
// A command is one file with one const object, and one row in the table. Usage, GDB's help,
// completion and the docs all come from here.
#pragma once

#include "analysis/session.h"
#include "report/report.h"

/** An option of a command, or of all commands. */
struct gh_option {
	const char *name;	// "--min"; NULL ends a list
	const char *short_name; // "-n" or NULL
	const char *value;	// "SIZE", "RE", "COL", … NULL: a flag
	const char *help;	// one line
};

/** A worked example: what to type, and what it answers. */
struct gh_example {
	const char *args; // after "goheap "
	const char *says; // one line
};

/** A table that the command may answer with: for help, completion and tests. */
struct gh_table_shape {
	const char *name; // NULL ends a list
	const struct gh_column *columns;
	size_t ncolumns;
};

struct gh_args;

/** Common options that mean nothing to a command: given all the same, a note says so. */
enum gh_ignored { GH_IGNORES_TYPE = 1, GH_IGNORES_PACKAGE = 2, GH_IGNORES_MIN = 4 };

/** What a command reads of contents without pointers: each more than the one before. */
enum gh_contents {
	GH_READS_NONE,
	GH_READS_CHANNELS, // where channels begin
	GH_READS_VALUES,
};

struct gh_command {
	const char *name;
	const char *summary;		     // one sentence
	const char *usage;		     // "top [--by WHAT] [--dead|--all]"
	const char *help;		     // paragraphs: what the columns mean, what to do next
	const struct gh_option *options;     // own ones; the common ones are added; may be NULL
	const struct gh_example *examples;   // ends with args NULL
	const struct gh_table_shape *tables; // ends with name NULL; may be NULL
	size_t max_positional;
	bool needs_target;  // false: works without a session (help)
	bool reads_running; // a process need not stand still for it: it reads counters
	bool continues;	    // goes on with the last answer, in its order: next
	enum gh_contents reads; // of objects without pointers; of a process no more is copied
	bool all_rows;	    // people, too, see all rows unless -n says otherwise
	uint32_t people_rows; // what they see otherwise, if it fits a page of 24 lines; 0: 20
	bool counts_itself; // -n counts something else than rows: args->limit
	uint32_t ignores;   // of enum gh_ignored
	/* Fill the report. session is NULL when !needs_target. */
	struct gh_error *(*run)(struct gh_session *session, const struct gh_args *args,
				struct gh_report *report);
};

/** Parsed words of one command line. */
struct gh_args {
	const struct gh_command *command;
	const char *const *words; // as typed, for the report
	size_t nwords;
	const char *positional[8];
	size_t npositional;
	struct gh_render_options render;
	bool limit_given;
	uint64_t limit; // -n of a command that counts itself; 0: not given
	bool help;			  // --help: nothing else counts
	bool stats;			  // --stats: say what the command cost
	bool no_values;			  // --no-values
	uint64_t max_mem_bytes;		  // --max-mem; 0: not given
	unsigned int threads;		  // --threads; 0: not given
	uint64_t min_bytes;		  // --min
	const char *type_re, *package_re; // --type, --package; NULL
	struct {
		const struct gh_option *option;
		const char *value;
	} own[16]; // the command's own options as given
	size_t nown;
};

/** Value of an own option ("" for a flag that was given), NULL when not given. */
const char *gh_args_option(const struct gh_args *args, const char *name);

/** All commands, in the order of an investigation. */
const struct gh_command *const *gh_commands(size_t *n_ret);
const struct gh_command *gh_command_find(const char *name);

/** Options that every command has; ends with name NULL. */
const struct gh_option *gh_common_options(void);

/**
 * Words after the command's name. Long options take their value after "=" or as the next word,
 * short ones also joined ("-n5"); "--" ends options. Errors: USAGE, naming the word and what there
 * is instead. argv borrowed.
 */
struct gh_error *gh_args_parse(const struct gh_command *command, const char *const *argv,
			       size_t argc, struct gh_args *ret) GH_MUST_CHECK;

/**
 * Parse, run, render: what every face calls. argv[0] is the command's name. session may be NULL for
 * commands that need no target. defaults: width, colour and format of the face; options given in
 * argv win. *findings_ret (may be NULL): the command found what it was asked to look for.
 */
struct gh_error *gh_command_run(struct gh_session *session, const char *const *argv, size_t argc,
				const struct gh_render_options *defaults, gh_sink_fn sink,
				void *ctx, bool *findings_ret) GH_MUST_CHECK;

/** Full help of a command as text, 80 columns. Appends to sb. */
void gh_command_help(const struct gh_command *command, struct gh_strbuf *sb);

/** The error for a word that is no command. */
struct gh_error *gh_command_unknown(const char *name) GH_MUST_CHECK;

/** Bytes of "512", "10M", "1GiB", "1.5k" (all powers of 1024). False: not a size. */
bool gh_parse_size(const char *text, uint64_t *ret);

/** Nanoseconds of "90s", "1h30m", "250ms", "2d". False: not a duration. */
bool gh_parse_duration(const char *text, int64_t *ret);

/** An address as people write it: 0x and hexadecimal digits. False: it is none. */
bool gh_parse_address(const char *text, gh_addr *ret);

/** The candidate most like word, NULL when none is near. Ends with a NULL candidate. */
const char *gh_nearest(const char *word, const char *const *candidates);
