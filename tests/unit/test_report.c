// SPDX-License-Identifier: Apache-2.0
// Reports: units for people, terminal safety, widths, order, limits, and the exact forms for
// machines.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>

#include "report/format.h"
#include "report/report.h"

static const struct gh_column columns[] = {
	{"type", GH_UNIT_TEXT, false},	    {"count", GH_UNIT_COUNT, false},
	{"bytes", GH_UNIT_BYTES, false},    {"share", GH_UNIT_SHARE, false},
	{"address", GH_UNIT_ADDRESS, true}, {"sure", GH_UNIT_BOOL, true},
};

static bool append(void *ctx, const char *text, size_t len)
{
	gh_strbuf_add(ctx, text, len);
	return true;
}

static char *render(const struct gh_report *report, struct gh_render_options options)
{
	struct gh_strbuf sb = {0};
	struct gh_error *err;

	if (!options.limit)
		options.limit = UINT64_MAX;
	err = gh_report_render(report, &options, append, &sb);
	assert_null(err);
	return gh_strbuf_steal(&sb);
}

/* It shows that, and is done with. */
static void assert_shown(struct gh_report *report, uint32_t width, const char *expected)
{
	char *text = render(report, (struct gh_render_options){.width = width});

	assert_string_equal(text, expected);
	free(text);
	gh_report_destroy(report);
}

static void add(struct gh_table *table, const char *type, uint64_t count, uint64_t bytes)
{
	struct gh_cell *row = gh_table_row(table);

	assert_non_null(row);
	row[0] = gh_cell_text(type);
	row[1] = gh_cell_u64(count);
	row[2] = gh_cell_u64(bytes);
	row[3] = gh_cell_real((double)bytes / 4096);
	row[4] = gh_cell_u64(0xc000012000);
	row[5] = gh_cell_u64(count > 1);
}

static struct gh_report *sample(void)
{
	struct gh_report *report = gh_report_create();
	struct gh_table *table = gh_report_table(report, "types", columns, GH_ARRAY_SIZE(columns));

	report->command = "top";
	add(table, "main.T", 3, 3072);
	add(table, "[]net/http.Header", 1, 512);
	add(table, "map[string]main.Session groups", 12, 512);
	gh_table_total(table)[1] = gh_cell_u64(16);
	gh_table_total(table)[2] = gh_cell_u64(4096);
	return report;
}

static void sizes_have_three_digits(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0 B"},
		{512, "512 B"},
		{1023, "1023 B"},
		{1024, "1.00 KiB"},
		{1536, "1.50 KiB"},
		{10235, "10.0 KiB"},
		{102300, "99.9 KiB"},
		{1023 * 1024, "1.00 MiB"},
		{1024 * 1024 - 1, "1.00 MiB"},
		{1321528399, "1.23 GiB"},
		{UINT64_MAX, "16.0 EiB"},
	};

	for (size_t i = 0; i < GH_ARRAY_SIZE(cases); i++) {
		struct gh_strbuf sb = {0};

		gh_format_bytes(&sb, cases[i].bytes);
		assert_string_equal(gh_strbuf_str(&sb), cases[i].text);
		gh_strbuf_deinit(&sb);
	}
}

static void durations_read_well(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{0, "0 ns"},
		{999, "999 ns"},
		{1000, "1.00 µs"},
		{1234567, "1.23 ms"},
		{59999999999, "60.0 s"},
		{60000000000, "1m00s"},
		{3661000000000, "1h01m"},
		{446400000000000, "5d04h"},
		{-1500, "-1.50 µs"},
		{INT64_MIN, "-106751d23h"},
	};

	for (size_t i = 0; i < GH_ARRAY_SIZE(cases); i++) {
		struct gh_strbuf sb = {0};

		gh_format_ns(&sb, cases[i].ns);
		assert_string_equal(gh_strbuf_str(&sb), cases[i].text);
		gh_strbuf_deinit(&sb);
	}
}

static void terminals_are_safe(void **state)
{
	static const struct {
		const char *raw, *text;
	} cases[] = {
		{"plain", "plain"},
		{"\x1b[31mred", "\\x1b[31mred"},
		{"two\nlines\t\r", "two\\nlines\\t\\r"},
		{"\xff\xc3", "\\xff\\xc3"},
		{"na\xc3\xafve", "na\xc3\xafve"},
		{"\xe2\x80\xae"
		 "evil",
		 "\\u{202e}evil"},
		{"\xc2\x9b"
		 "31m",
		 "\\u{9b}31m"},
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},
		{"\xc0\xaf", "\\xc0\\xaf"},
	};

	for (size_t i = 0; i < GH_ARRAY_SIZE(cases); i++) {
		struct gh_strbuf sb = {0};

		gh_format_escaped(&sb, cases[i].raw);
		assert_string_equal(gh_strbuf_str(&sb), cases[i].text);
		gh_strbuf_deinit(&sb);
	}
}

static void texts_fit(void **state)
{
	static const char *const texts[] = {"", "a", "github.com/some/module/pkg.(*Type).Method",
					    "\xe4\xb8\xad\xe6\x96\x87\xe5\xad\x97\xe7\xac\xa6",
					    "na\xc3\xafve caf\xc3\xa9"};

	for (size_t i = 0; i < GH_ARRAY_SIZE(texts); i++) {
		for (size_t width = 0; width < 50; width++) {
			struct gh_strbuf sb = {0};
			uint32_t code;

			gh_text_fit(&sb, texts[i], width);
			assert_true(gh_text_width(gh_strbuf_str(&sb)) <= width);
			if (gh_text_width(texts[i]) <= width)
				assert_string_equal(gh_strbuf_str(&sb), texts[i]);
			for (const char *p = gh_strbuf_str(&sb); *p;) {
				assert_true(gh_utf8_decode(p, &code) > 0);
				p += gh_utf8_decode(p, &code);
			}
			gh_strbuf_deinit(&sb);
		}
	}
}

static void folders_of_paths_go_first(void **state)
{
	static const char route[] = "[]github.com/caddy/v2/modules/web.Route";
	static const struct {
		const char *text;
		size_t width;
		const char *fitted;
	} cases[] = {
		{route, 39, route},
		{route, 38, "[]…/caddy/v2/modules/web.Route"},
		{route, 29, "[]…/modules/web.Route"},
		{route, 20, "[]…/web.Route"},
		{route, 12, "[]web.Route"},
		{route, 10, "[]we…Route"},
		{"github.com/a/caddy/v2.rawCfg", 20, "…/a/caddy/v2.rawCfg"},
		{"github.com/a/caddy/v2.rawCfg", 18, "…/caddy/v2.rawCfg"},
		{"map[string]*some.org/a/b.T groups", 25, "map[string]*…/b.T groups"},
		{"map[x.org/a/k.K]y.org/b/v.V", 20, "map[…/a/k.K]…/b/v.V"},
		{"/home/pkg/mod/x@v1.2.3/file.go:12", 16, "…/file.go:12"},
		{"net/http.(*Server).Serve", 23, "…/http.(*Server).Serve"},
		{"no path in it", 8, "no …n it"},
	};

	for (size_t i = 0; i < GH_ARRAY_SIZE(cases); i++) {
		struct gh_strbuf sb = {0};

		gh_text_fit(&sb, cases[i].text, cases[i].width);
		assert_string_equal(gh_strbuf_str(&sb), cases[i].fitted);
		gh_strbuf_deinit(&sb);
	}
}

static const struct gh_column many_texts[] = {
	{"count", GH_UNIT_COUNT, false}, {"state", GH_UNIT_TEXT, false},
	{"top", GH_UNIT_TEXT, false},	 {"site", GH_UNIT_TEXT, false},
	{"wait", GH_UNIT_NS, false},	 {"created_by", GH_UNIT_TEXT, false},
	{"locked_to", GH_UNIT_TEXT, false}, // of nobody
};

static void what_has_no_room_stands_below(void **state)
{
	struct gh_report *report = gh_report_create();
	struct gh_table *table = gh_report_table(report, "groups", many_texts,
						 GH_ARRAY_SIZE(many_texts));
	struct gh_cell *row = gh_table_row(table);

	row[0] = gh_cell_u64(2500);
	row[1] = gh_cell_text("waiting");
	row[2] = gh_cell_text("internal/poll.runtime_pollWait");
	row[3] = gh_cell_text("/home/src/service/accept.go:653");
	row[4] = gh_cell_u64(22);
	row[5] = gh_cell_text("net/http.(*Server).Serve");
	row = gh_table_row(table);
	row[0] = gh_cell_u64(1);
	row[1] = gh_cell_text("runnable");
	row[2] = gh_cell_text("main.main");
	assert_shown(report, 72,
		     "count  state     top                      site"
		     "                      wait\n"
		     " 2500  waiting   …/poll.runtime_pollWait  …/service/accept.go:653"
		     "  22 ns\n"
		     "        created_by net/http.(*Server).Serve\n"
		     "    1  runnable  main.main                -      "
		     "                      -\n");
}

static const struct gh_column sentences[] = {
	{"bytes", GH_UNIT_BYTES, false},
	{"owners", GH_UNIT_TEXT, .below = true},
	{"type", GH_UNIT_TEXT, false},
};

static void sentences_stand_below(void **state)
{
	struct gh_report *report = gh_report_create();
	struct gh_table *table = gh_report_table(report, "shared", sentences,
						 GH_ARRAY_SIZE(sentences));
	struct gh_cell *row = gh_table_row(table);

	gh_report_table(report, "others", sentences, GH_ARRAY_SIZE(sentences));
	row[0] = gh_cell_u64(4096);
	row[1] = gh_cell_text("main.cache, goroutine 17 and goroutine 18");
	row[2] = gh_cell_text("example.org/shop.Session");
	assert_shown(report, 60,
		     "shared:\n"
		     "   bytes  type\n"
		     "4.00 KiB  example.org/shop.Session\n"
		     "        owners main.cache, goroutine 17 and goroutine 18\n"
		     "\nothers: none\n");
}

static const struct gh_column checks[] = {
	{"name", GH_UNIT_TEXT, false},
	{"detail", GH_UNIT_TEXT, .wraps = true},
	{"advice", GH_UNIT_TEXT, true}, // which only machines see here
};

static void the_last_sentence_goes_on_in_its_column(void **state)
{
	struct gh_report *report = gh_report_create();
	struct gh_table *table = gh_report_table(report, "checks", checks, GH_ARRAY_SIZE(checks));
	struct gh_cell *row = gh_table_row(table);

	row[0] = gh_cell_text("memory left out of the core");
	row[1] = gh_cell_text("9 ranges from 0x2a92e8000000 on, 0 of them writable");
	row[2] = gh_cell_text("take the core again, with all of its memory in it");
	row = gh_table_row(table);
	row[0] = gh_cell_text("build ids");
	row[1] = gh_cell_text("84e07f17bc7471297fad0233d51917ca307261df");
	row = gh_table_row(table);
	row[0] = gh_cell_text("DWARF");
	assert_shown(report, 60,
		     "name                         detail\n"
		     "memory left out of the core  9 ranges from 0x2a92e8000000\n"
		     "                             on, 0 of them writable\n"
		     "build ids                    84e07f17bc7471297fad0233d51917c\n"
		     "                             a307261df\n"
		     "DWARF                        -\n");
}

static void text_is_aligned_with_the_total_first(void **state)
{
	struct gh_report *report = sample();
	char *text = render(report, (struct gh_render_options){0});

	assert_string_equal(
		text,
		"type                            count     bytes   share  address       sure\n"
		"total                              16  4.00 KiB\n"
		"main.T                              3  3.00 KiB  75.0 %  0xc000012000  yes\n"
		"[]net/http.Header                   1     512 B  12.5 %  0xc000012000  no\n"
		"map[string]main.Session groups     12     512 B  12.5 %  0xc000012000  yes\n");
	free(text);
	gh_report_destroy(report);
}

static void no_line_is_wider_than_asked(void **state)
{
	struct gh_report *report = sample();

	gh_report_note(report,
		       "a sentence that says what could not be read and why, and what to do");
	gh_report_check(report, "allocated slots against the spans' own allocCount", 12, 13);
	gh_report_skip(report, "spans", 3, "their bits are not in the core: pass the executable");
	for (uint32_t width = 20; width < 100; width++) {
		char *text = render(report, (struct gh_render_options){.width = width});

		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
			assert_true(gh_text_width(line) <= width);
		free(text);
	}
	gh_report_destroy(report);
}

static void limits_are_said(void **state)
{
	struct gh_report *report = sample();
	char *text = render(report, (struct gh_render_options){.limit = 1});

	assert_non_null(strstr(text, "… 2 more rows: -n 0 shows all\n"));
	assert_null(strstr(text, "net/http"));
	assert_non_null(strstr(text, "16  4.00 KiB")); // as before the limit
	free(text);
	gh_report_destroy(report);
}

/* The first words of the rows, in order. */
static void check_order(struct gh_report *report, const char *sort, bool reverse,
			const char *const *names)
{
	char *text = render(report, (struct gh_render_options){.format = GH_FORMAT_SHORT,
							       .sort = sort,
							       .reverse = reverse});
	char *line = strtok(text, "\n");

	for (; *names; names++, line = strtok(NULL, "\n"))
		assert_string_equal(line, *names);
	assert_null(line);
	free(text);
}

static void rows_are_sorted(void **state)
{
	static const char *const by_count[] = {"map[string]main.Session groups", "main.T",
					       "[]net/http.Header", "?", NULL};
	static const char *const by_count_up[] = {"[]net/http.Header", "main.T",
						  "map[string]main.Session groups", "?", NULL};
	static const char *const by_type[] = {"?", "[]net/http.Header", "main.T",
					      "map[string]main.Session groups", NULL};
	static const char *const stable[] = {"main.T", "[]net/http.Header",
					     "map[string]main.Session groups", "?", NULL};
	struct gh_report *report = sample();
	struct gh_cell *unknown = gh_table_row(report->tables.data[0]);
	struct gh_render_options wrong = {.sort = "size", .limit = 1};
	struct gh_strbuf sb = {0};
	struct gh_error *err;

	unknown[0] = gh_cell_text("?"); // the rest is null: last in either direction
	check_order(report, "count", false, by_count);
	check_order(report, "count", true, by_count_up);
	check_order(report, "type", false, by_type);
	check_order(report, "bytes", false, stable);
	err = gh_report_render(report, &wrong, append, &sb);
	assert_int_equal(err->code, GH_ERR_USAGE);
	assert_non_null(strstr(err->message, "'size'"));
	assert_non_null(strstr(err->message, "type, count, bytes"));
	gh_error_destroy(err);
	gh_strbuf_deinit(&sb);
	gh_report_destroy(report);
}

static void json_follows_the_contract(void **state)
{
	static const char *const keys[] = {"schema", "command",	  "args",    "target",
					   "tables", "selfcheck", "skipped", "notes"};
	struct gh_report *report = sample();
	const char *words[] = {"--json"};
	json_t *doc, *row, *value;
	const char *key;
	size_t i = 0;
	char *text;

	report->args = words;
	report->nargs = 1;
	report->target.kind = "core";
	gh_table_row(report->tables.data[0]); // a row of nulls
	text = render(report, (struct gh_render_options){.format = GH_FORMAT_JSON});
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1); // one line
	doc = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(doc);
	json_object_foreach(doc, key, value) assert_string_equal(key, keys[i++]);
	assert_int_equal(i, GH_ARRAY_SIZE(keys));
	assert_string_equal(json_string_value(json_object_get(doc, "schema")), "goheap/1");
	assert_true(json_is_null(json_object_get(json_object_get(doc, "target"), "pid")));
	value = json_object_get(json_object_get(doc, "tables"), "types");
	assert_int_equal(json_array_size(json_object_get(value, "columns")), 6);
	assert_int_equal(json_array_size(json_object_get(value, "rows")), 4);
	row = json_array_get(json_object_get(value, "rows"), 0);
	assert_int_equal(json_integer_value(json_object_get(row, "bytes")), 3072);
	assert_true(json_real_value(json_object_get(row, "share")) == 0.75);
	assert_string_equal(json_string_value(json_object_get(row, "address")), "0xc000012000");
	assert_true(json_is_true(json_object_get(row, "sure")));
	row = json_array_get(json_object_get(value, "rows"), 3);
	json_object_foreach(row, key, value) assert_true(json_is_null(value));
	json_decref(doc);
	free(text);
	gh_report_destroy(report);
}

static void json_survives_any_text(void **state)
{
	static const struct gh_column text_column[] = {{"text", GH_UNIT_TEXT, false}};
	struct gh_report *report = gh_report_create();
	struct gh_table *table = gh_report_table(report, "t", text_column, 1);
	json_t *doc;
	char *text;

	report->command = "\xff";
	for (int c = 1; c < 256; c++) {
		char raw[] = {(char)c, '"', '\\', '\0'};

		gh_table_row(table)[0] = gh_cell_copy(report, raw, 3);
	}
	gh_table_row(table)[0] = gh_cell_real(0.0 / 0.0);
	text = render(report, (struct gh_render_options){.format = GH_FORMAT_JSON});
	doc = json_loads(text, 0, NULL);
	assert_non_null(doc);
	json_decref(doc);
	free(text);
	gh_report_destroy(report);
}

static void csv_is_quoted_and_exact(void **state)
{
	struct gh_report *report = sample();
	char *text;

	add(report->tables.data[0], "func(\"a\", b)", 1, 7);
	text = render(report, (struct gh_render_options){.format = GH_FORMAT_CSV});
	assert_string_equal(text,
			    "type,count,bytes,share,address,sure\r\n"
			    "main.T,3,3072,0.75,0xc000012000,true\r\n"
			    "[]net/http.Header,1,512,0.125,0xc000012000,false\r\n"
			    "map[string]main.Session groups,12,512,0.125,0xc000012000,true\r\n"
			    "\"func(\"\"a\"\", b)\",1,7,0.001708984,0xc000012000,false\r\n");
	free(text);
	gh_report_table(report, "empty", columns, 1);
	text = render(report, (struct gh_render_options){.format = GH_FORMAT_CSV, .limit = 1});
	assert_string_equal(text, "# table types\r\ntype,count,bytes,share,address,sure\r\n"
				  "main.T,3,3072,0.75,0xc000012000,true\r\n"
				  "\r\n# table empty\r\ntype\r\n");
	free(text);
	gh_report_destroy(report);
}

static void lazy_row(void *ctx, size_t row, struct gh_cell *cells)
{
	size_t *calls = ctx;

	++*calls;
	cells[1] = gh_cell_u64(row);
}

static bool stop_soon(void *ctx, const char *text, size_t len)
{
	size_t *left = ctx;

	*left = *left > len ? *left - len : 0;
	return *left > 0;
}

static void lazy_tables_make_what_is_shown(void **state)
{
	struct gh_report *report = gh_report_create();
	struct gh_table *table =
		gh_report_table(report, "objects", columns, GH_ARRAY_SIZE(columns));
	struct gh_render_options options = {.format = GH_FORMAT_JSON, .limit = UINT64_MAX};
	size_t calls = 0, left = 1000;
	struct gh_error *err;
	char *text;

	report->command = "objects";
	table->nrows = 10 * 1000 * 1000;
	table->row = lazy_row;
	table->row_ctx = &calls;
	text = render(report, (struct gh_render_options){.limit = 5});
	assert_true(calls <= 10);
	free(text);
	calls = 0;
	err = gh_report_render(report, &options, stop_soon, &left); // the reader goes away
	assert_null(err);
	assert_true(calls < 10 * 1000);
	gh_report_destroy(report);
}

static void values_may_have_units_of_their_own(void **state)
{
	static const struct gh_column pair[] = {{"name", GH_UNIT_TEXT, false},
						{"value", GH_UNIT_TEXT, false}};
	struct gh_report *report = gh_report_create();
	struct gh_table *table = gh_report_table(report, "info", pair, 2);
	struct gh_cell *row = gh_table_row(table);
	char *text;

	report->command = "info";
	row[0] = gh_cell_text("limit");
	row[1] = gh_cell_in(gh_cell_u64(1 << 20), GH_UNIT_BYTES);
	text = render(report, (struct gh_render_options){0});
	assert_non_null(strstr(text, "limit  1.00 MiB\n"));
	free(text);
	text = render(report, (struct gh_render_options){.exact_bytes = true});
	assert_non_null(strstr(text, "limit  1048576\n"));
	free(text);
	text = render(report, (struct gh_render_options){.format = GH_FORMAT_JSON});
	assert_non_null(strstr(text, "{\"name\":\"limit\",\"value\":1048576}"));
	free(text);
	gh_report_destroy(report);
}

static const struct gh_column key_columns[] = {{"key", GH_UNIT_COUNT, false}};

static char *keys(struct gh_table *table, struct gh_report *report, uint64_t limit)
{
	struct gh_render_options options = {.format = GH_FORMAT_CSV,
					    .limit = limit,
					    .sort = "key",
					    .reverse = table->nrows % 2};

	return render(report, options);
}

/* What a short answer selects begins as the whole one does, and pages put it together. */
static void pages_are_the_whole(void **state)
{
	uint32_t seed = 1;

	for (size_t n = 1; n < 40; n++) {
		struct gh_report *report = gh_report_create();
		struct gh_table *table = gh_report_table(report, "keys", key_columns, 1);
		struct gh_strbuf pages = {0};
		char *whole;

		for (size_t i = 0; i < n; i++) {
			seed = seed * 1664525 + 1013904223;
			gh_table_row(table)[0] = gh_cell_u64(seed >> 28);
		}
		whole = keys(table, report, UINT64_MAX);
		gh_strbuf_puts(&pages, "key\r\n");
		for (uint64_t step = 1 + n % 7; table->first < n; table->first += step) {
			char *page;

			step = gh_min_u64(step, n - table->first);
			page = keys(table, report, step);
			gh_strbuf_puts(&pages, page + strlen("key\r\n"));
			free(page);
		}
		assert_string_equal(gh_strbuf_str(&pages), whole);
		gh_strbuf_deinit(&pages);
		free(whole);
		gh_report_destroy(report);
	}
}

static void count_handle(void *ctx, char letter, uint64_t number, uint64_t value)
{
	assert_int_equal(letter, 'o');
	*(uint64_t *)ctx += number * 1000 + value;
}

static void rows_of_a_dialogue_have_handles(void **state)
{
	static const struct gh_column named[] = {{"address", GH_UNIT_ADDRESS, false, 'o'}};
	struct gh_report *report = gh_report_create();
	struct gh_table *table = gh_report_table(report, "objects", named, 1);
	uint64_t sum = 0;
	struct gh_handles handles = {.next = 9, .shown = count_handle, .ctx = &sum};
	struct gh_render_options options = {
		.limit = 2, .how_next = "goheap next", .handles = &handles};
	char *text;

	for (uint64_t i = 1; i <= 4; i++)
		gh_table_row(table)[0] = gh_cell_u64(i);
	gh_table_row(table)[0] = (struct gh_cell){0};
	text = render(report, options);
	assert_string_equal(text,
			    "      address\n$o9   0x1\n$o10  0x2\n… 3 more rows: `goheap next`\n");
	free(text);
	assert_int_equal(sum, 9001 + 10002);
	table->first = 2;
	text = render(report, (struct gh_render_options){.handles = &handles});
	assert_string_equal(text, "      address\n$o11  0x3\n$o12  0x4\n      -\n");
	free(text);
	text = render(report,
		      (struct gh_render_options){.format = GH_FORMAT_CSV, .handles = &handles});
	assert_null(strchr(text, '$'));
	free(text);
	gh_report_destroy(report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_have_three_digits),
		cmocka_unit_test(durations_read_well),
		cmocka_unit_test(terminals_are_safe),
		cmocka_unit_test(texts_fit),
		cmocka_unit_test(folders_of_paths_go_first),
		cmocka_unit_test(what_has_no_room_stands_below),
		cmocka_unit_test(sentences_stand_below),
		cmocka_unit_test(the_last_sentence_goes_on_in_its_column),
		cmocka_unit_test(text_is_aligned_with_the_total_first),
		cmocka_unit_test(no_line_is_wider_than_asked),
		cmocka_unit_test(limits_are_said),
		cmocka_unit_test(rows_are_sorted),
		cmocka_unit_test(json_follows_the_contract),
		cmocka_unit_test(json_survives_any_text),
		cmocka_unit_test(csv_is_quoted_and_exact),
		cmocka_unit_test(lazy_tables_make_what_is_shown),
		cmocka_unit_test(values_may_have_units_of_their_own),
		cmocka_unit_test(pages_are_the_whole),
		cmocka_unit_test(rows_of_a_dialogue_have_handles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
