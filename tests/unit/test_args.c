// SPDX-License-Identifier: Apache-2.0
// Words of a command line: what they mean, what is refused and what is suggested instead.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "command/command.h"
#include "command/filter.h"

enum { MAX_WORDS = 12 };

static const struct gh_option options[] = {
	{"--by", NULL, "WHAT", "group by WHAT"},
	{"--dead", NULL, NULL, "garbage"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_command command = {
	.name = "probe", .usage = "probe [WHAT]", .options = options, .max_positional = 1};

static struct gh_error *parse(const char *const *words, struct gh_args *ret)
{
	size_t n = 0;

	while (words[n])
		n++;
	return gh_args_parse(&command, words, n, ret);
}

static void options_are_understood(void **state)
{
	static const char *const words[] = {"-n5",   "--json",	  "what",      "--min=10M",
					    "--by",  "size",	  "--dead",    "--sort",
					    "bytes", "--reverse", "--type=^a", NULL};
	struct gh_args args;

	assert_null(parse(words, &args));
	assert_int_equal(args.render.limit, 5);
	assert_true(args.limit_given);
	assert_int_equal(args.render.format, GH_FORMAT_JSON);
	assert_string_equal(args.positional[0], "what");
	assert_int_equal(args.min_bytes, 10 << 20);
	assert_string_equal(gh_args_option(&args, "--by"), "size");
	assert_string_equal(gh_args_option(&args, "--dead"), "");
	assert_null(gh_args_option(&args, "--all"));
	assert_string_equal(args.render.sort, "bytes");
	assert_true(args.render.reverse);
	assert_string_equal(args.type_re, "^a");
}

static void dashes_end_options(void **state)
{
	static const char *const words[] = {"-n", "0", "--", "--dead", NULL};
	struct gh_args args;

	assert_null(parse(words, &args));
	assert_int_equal(args.render.limit, UINT64_MAX);
	assert_int_equal(args.npositional, 1);
	assert_string_equal(args.positional[0], "--dead");
	assert_null(gh_args_option(&args, "--dead"));
}

static void wrong_words_are_named(void **state)
{
	static const struct {
		const char *words[MAX_WORDS];
		const char *says[3];
	} cases[] = {
		{{"--ded"}, {"'--ded'", "did you mean --dead?"}},
		{{"--jsn"}, {"'--jsn'", "did you mean --json?"}},
		{{"--min-size=3"}, {"'--min-size=3'", "--by, --dead", "goheap help probe"}},
		{{"-x"}, {"'-x'"}},
		{{"a", "b"}, {"'b' is one too many", "probe [WHAT]"}},
		{{"-n"}, {"-n needs a value"}},
		{{"-n", "-3"}, {"'-3'", "a number of rows"}},
		{{"-n", "ten"}, {"'ten'"}},
		{{"--min", "big"}, {"--min", "'big'", "10M"}},
		{{"--json=1"}, {"--json takes no value"}},
		{{"--json", "--csv"}, {"exclude each other"}},
	};

	for (size_t i = 0; i < GH_ARRAY_SIZE(cases); i++) {
		struct gh_args args;
		struct gh_error *err = parse(cases[i].words, &args);

		assert_non_null(err);
		assert_int_equal(err->code, GH_ERR_USAGE);
		for (size_t k = 0; k < 3 && cases[i].says[k]; k++)
			if (!strstr(err->message, cases[i].says[k]))
				fail_msg("'%s' does not say '%s'", err->message, cases[i].says[k]);
		gh_error_destroy(err);
	}
}

static void sizes_are_powers_of_1024(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"0", 0},	   {"512", 512},       {"512B", 512},	  {"10k", 10240},
		{"10K", 10240},	   {"1.5KiB", 1536},   {"10M", 10 << 20}, {"1GiB", 1 << 30},
		{"2 MB", 2 << 20}, {"1T", 1ULL << 40},
	};
	static const char *const bad[] = {"",	   "M",	    "-1",   "10X",
					  "1GiBs", "1e400", "0x10", "99999999E"};
	uint64_t bytes;

	for (size_t i = 0; i < GH_ARRAY_SIZE(good); i++) {
		assert_true(gh_parse_size(good[i].text, &bytes));
		assert_int_equal(bytes, good[i].bytes);
	}
	for (size_t i = 0; i < GH_ARRAY_SIZE(bad); i++)
		assert_false(gh_parse_size(bad[i], &bytes));
}

static void packages_of_names(void **state)
{
	static const struct {
		const char *name, *package;
	} cases[] = {
		{"main.T", "main"},
		{"*net/http.Server", "net/http"},
		{"[]*github.com/a/b.c/d.T", "github.com/a/b.c/d"},
		{"[4096]uint8", ""},
		{"string", ""},
		{"map[string]net/http.Header", "net/http"},
		{"map[main.K]int buckets", "main"},
		{"chan main.T buffer", "main"},
		{"main.G[net/http.T]", "main"},
		{"func net/http.(*conn).serve.func1", "net/http"},
		{"net/http.(*conn).serve", "net/http"},
		{"unknown scan 48", ""},
		{"[[[", ""},
		{"map[", ""},
		{"", ""},
	};

	for (size_t i = 0; i < GH_ARRAY_SIZE(cases); i++) {
		size_t len;
		const char *package = gh_name_package(cases[i].name, &len);

		assert_int_equal(len, strlen(cases[i].package));
		assert_memory_equal(package, cases[i].package, len);
	}
}

static void filters_are_extended_expressions(void **state)
{
	struct gh_args args = {.type_re = "^\\[\\].*(T|U)$", .package_re = "^main$"};
	struct gh_filter filter;
	struct gh_error *err;

	assert_null(gh_filter_init(&args, &filter));
	assert_true(gh_filter_type(&filter, "[]main.T"));
	assert_false(gh_filter_type(&filter, "main.T"));
	assert_false(gh_filter_type(&filter, "[]other.T"));
	gh_filter_deinit(&filter);
	args.type_re = "a(b";
	err = gh_filter_init(&args, &filter);
	assert_int_equal(err->code, GH_ERR_USAGE);
	assert_non_null(strstr(err->message, "'a(b'"));
	gh_error_destroy(err);
	gh_filter_deinit(&filter);
}

static bool append(void *ctx, const char *text, size_t len)
{
	gh_strbuf_add(ctx, text, len);
	return true;
}

static void every_command_has_help(void **state)
{
	const struct gh_render_options defaults = {0};
	const struct gh_command *const *commands;
	size_t n;

	commands = gh_commands(&n);
	for (size_t i = 0; i < n; i++) {
		const char *words[] = {"help", commands[i]->name};
		struct gh_strbuf sb = {0};
		struct gh_error *err = gh_command_run(NULL, words, 2, &defaults, append, &sb, NULL);

		assert_null(err);
		assert_non_null(strstr(gh_strbuf_str(&sb), commands[i]->summary));
		assert_non_null(strstr(gh_strbuf_str(&sb), "Examples:"));
		gh_strbuf_deinit(&sb);
		assert_ptr_equal(gh_command_find(commands[i]->name), commands[i]);
	}
	assert_null(gh_command_find("nothing"));
}

static void durations_have_units(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {{"90s", 90000000000}, {"1h30m", 5400000000000}, {"250ms", 250000000},
		    {"2d", 172800000000000}, {"1.5us", 1500},	     {"0s", 0}};
	static const char *const bad[] = {"", "5", "5x", "s", "-1s", "1h30", "1e400s", "99999999999d"};
	int64_t ns;

	for (size_t i = 0; i < GH_ARRAY_SIZE(good); i++) {
		assert_true(gh_parse_duration(good[i].text, &ns));
		assert_int_equal(ns, good[i].ns);
	}
	for (size_t i = 0; i < GH_ARRAY_SIZE(bad); i++)
		assert_false(gh_parse_duration(bad[i], &ns));
}

static void unknown_commands_get_a_near_one(void **state)
{
	struct gh_error *err = gh_command_unknown("gorutines");

	assert_non_null(strstr(err->message, "did you mean goroutines?"));
	gh_error_destroy(err);
	err = gh_command_unknown("xyzzy");
	assert_non_null(strstr(err->message, "goheap help"));
	gh_error_destroy(err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_understood),
		cmocka_unit_test(dashes_end_options),
		cmocka_unit_test(wrong_words_are_named),
		cmocka_unit_test(sizes_are_powers_of_1024),
		cmocka_unit_test(durations_have_units),
		cmocka_unit_test(packages_of_names),
		cmocka_unit_test(filters_are_extended_expressions),
		cmocka_unit_test(every_command_has_help),
		cmocka_unit_test(unknown_commands_get_a_near_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
