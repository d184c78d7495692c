// SPDX-License-Identifier: Apache-2.0
// The base layer: containers against naive twins on random input, errors that gain context, every
// refusal.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bitmap.h"
#include "base/budget.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/goname.h"
#include "base/numbering.h"
#include "base/poll.h"
#include "base/radix.h"
#include "base/strbuf.h"
#include "base/team.h"
#include "base/text.h"
#include "base/vec.h"

GH_VEC(u32_vec, uint32_t);

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state;
}

static void vec_keeps_what_was_pushed(void **state)
{
	struct u32_vec v = {0};
	uint32_t seed = 1, twin = 1;

	for (size_t i = 0; i < 10000; i++)
		assert_true(u32_vec_push(&v, next_random(&seed)));
	assert_int_equal(v.len, 10000);
	for (size_t i = 0; i < v.len; i++)
		assert_int_equal(v.data[i], next_random(&twin));
	u32_vec_deinit(&v);
	assert_null(v.data);
}

static void vec_refuses_what_overflows(void **state)
{
	void *data = NULL;
	size_t cap = 0;

	assert_false(gh_vec_reserve(&data, &cap, SIZE_MAX, 8));
	assert_false(gh_vec_reserve(&data, &cap, SIZE_MAX / 4, 8));
	assert_null(data);
	assert_int_equal(cap, 0);
}

static void bitmap_agrees_with_bytes(void **state)
{
	enum { BITS = 1000 };
	_cleanup_free_ uint64_t *words = gh_alloc_array(gh_bitmap_words(BITS), 8);
	uint8_t naive[BITS] = {0};
	uint32_t seed = 7;

	assert_non_null(words);
	for (int i = 0; i < 20000; i++) {
		uint32_t r = next_random(&seed) >> 8, bit = r % BITS;

		switch (r / BITS % 3) {
		case 0:
			assert_int_equal(gh_bitmap_test_and_set(words, bit), naive[bit]);
			naive[bit] = 1;
			break;
		case 1:
			gh_bitmap_clear(words, bit);
			naive[bit] = 0;
			break;
		case 2:
			assert_int_equal(gh_bitmap_test(words, bit), naive[bit]);
			break;
		}
	}
	assert_int_equal(gh_bitmap_words(0), 0);
	assert_int_equal(gh_bitmap_words(64), 1);
	assert_int_equal(gh_bitmap_words(65), 2);
}

static void arena_gives_zeroed_separate_bytes(void **state)
{
	struct gh_arena arena = {0};
	char *last = NULL;

	for (size_t size = 1; size < 200000; size = size * 3 / 2 + 1) {
		char *p = gh_arena_alloc(&arena, size);

		assert_non_null(p);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, size);
		assert_ptr_not_equal(p, last);
		last = p;
	}
	assert_string_equal(gh_arena_printf(&arena, "%d-%s", 42, "x"), "42-x");
	assert_string_equal(gh_arena_strndup(&arena, "abcdef", 3), "abc");
	assert_null(gh_arena_alloc(&arena, SIZE_MAX - 3));
	gh_arena_deinit(&arena);
	assert_null(arena.chunks);
}

static void strbuf_appends(void **state)
{
	struct gh_strbuf sb = {0};
	_cleanup_free_ char *s = NULL;

	assert_string_equal(gh_strbuf_str(&sb), "");
	gh_strbuf_puts(&sb, "a");
	gh_strbuf_putc(&sb, 'b');
	for (int i = 0; i < 100; i++)
		gh_strbuf_printf(&sb, "%d", i % 10);
	assert_int_equal(sb.len, 102);
	s = gh_strbuf_steal(&sb);
	assert_memory_equal(s, "ab0123456789", 12);
	assert_null(sb.data);
}

static void errors_gain_context(void **state)
{
	struct gh_error *err = gh_error_create(GH_ERR_CORRUPT, "bad word at 0x%x", 0x10);

	err = gh_error_wrap(err, "span %d", 3);
	assert_string_equal(err->message, "span 3: bad word at 0x10");
	assert_int_equal(err->code, GH_ERR_CORRUPT);
	assert_int_equal(gh_error_exit_code(err->code), 3);
	gh_error_destroy(err);

	err = gh_error_errno(2, "cannot open %s", "x");
	assert_string_equal(err->message, "cannot open x: No such file or directory");
	gh_error_destroy(err);

	err = gh_error_wrap(gh_error_nomem(), "context");
	assert_ptr_equal(err, gh_error_nomem());
	gh_error_destroy(err);
	gh_error_destroy(NULL);
}

static void every_error_code_has_its_names(void **state)
{
	for (int code = 0; code < GH_ERR_COUNT; code++) {
		assert_non_null(gh_error_code_name(code));
		assert_non_null(gh_error_python_name(code));
		assert_in_range(gh_error_exit_code(code), 2, 3);
	}
}

static bool always(void *ctx)
{
	return true;
}

static void poll_cancels(void **state)
{
	struct gh_poll poll = {.cancelled = always};

	assert_null(gh_poll(NULL, "x", 0, 0));
	assert_ptr_equal(gh_poll(&poll, "x", 0, 0), gh_error_cancelled());
}

static void checked_arithmetic_refuses(void **state)
{
	uint64_t r;

	assert_true(gh_add(UINT64_MAX, (uint64_t)1, &r));
	assert_true(gh_mul(UINT64_MAX / 2, (uint64_t)3, &r));
	assert_false(gh_mul((uint64_t)3, (uint64_t)5, &r));
	assert_int_equal(r, 15);
	assert_int_equal(gh_align_up(4097, 4096), 8192);
	assert_int_equal(gh_align_up(UINT64_MAX, 4096), UINT64_MAX & ~4095ULL);
}

static void undoes_escapes_of_names(void **state)
{
	static const struct {
		const char *raw, *name;
	} cases[] = {
		{"gopkg.in/yaml%2ev3.(*T).M", "gopkg.in/yaml.v3.(*T).M"},
		{"main.local\xc2\xb7"
		 "12",
		 "main.local"},
		{"100%", "100%"},
		{"a%2", "a%2"},
		{"a%00b", "a%00b"}, // a NUL would end it
		{"a%zzb", "a%zzb"},
		{"", ""},
	};

	for (size_t i = 0; i < GH_ARRAY_SIZE(cases); i++) {
		struct gh_strbuf sb = {0};

		gh_goname_add(&sb, cases[i].raw);
		assert_string_equal(gh_strbuf_str(&sb), cases[i].name);
		gh_strbuf_deinit(&sb);
	}
}

static void budget_refuses_what_does_not_fit(void **state)
{
	struct gh_budget budget;
	struct gh_error *err;

	gh_budget_init(&budget);
	assert_true(gh_budget_take(NULL, UINT64_MAX, "anything"));
	assert_true(gh_budget_take(&budget, 1ULL << 50, "no bound was given"));
	gh_budget_give(&budget, 1ULL << 50);
	assert_int_equal(budget.peak_bytes, 1ULL << 50);

	gh_budget_begin(&budget, 100 << 20, 0);
	assert_true(budget.peak_bytes < 90 << 20);
	assert_null(gh_budget_charge(&budget, 60 << 20, "tables"));
	assert_false(gh_budget_take(&budget, 60 << 20, "more tables"));
	assert_false(gh_budget_take(&budget, UINT64_MAX, "what overflows")); // the first one counts
	assert_ptr_equal(gh_budget_why(&budget, NULL), NULL);
	err = gh_budget_why(&budget, gh_error_nomem());
	assert_int_equal(err->code, GH_ERR_LIMIT);
	assert_non_null(strstr(err->message, "more tables: 60 MiB beside the 60 MiB in use"));
	assert_non_null(strstr(err->message, "--max-mem allows 100 MiB"));
	gh_error_destroy(err);
	gh_budget_give(&budget, 30 << 20);
	assert_true(gh_budget_take(&budget, 60 << 20, "more tables"));
	assert_int_equal(budget.peak_bytes, 90 << 20);

	gh_budget_end(&budget);
	gh_budget_begin(&budget, 0, 17 << 20); // what is held, and one of 17 MiB
	err = gh_budget_charge(&budget, 2 << 20, "much");
	assert_non_null(err);
	assert_non_null(strstr(err->message, "this machine has room for 91 MiB"));
	gh_error_destroy(err);
	assert_ptr_equal(gh_budget_why(&budget, gh_error_nomem()), gh_error_nomem());
	gh_budget_deinit(&budget);
}

static void budget_sees_what_nobody_took(void **state)
{
	enum { BYTES = 64 << 20 };
	struct gh_budget budget;
	char *p;

	gh_budget_init(&budget);
	gh_budget_begin(&budget, 32 << 20, 0);
	assert_false(gh_budget_is_exceeded(&budget, "a test"));
	p = malloc(BYTES);
	assert_non_null(p);
	memset(p, 1, BYTES);
	assert_int_equal(p[BYTES / 2], 1);
	assert_true(gh_budget_is_exceeded(&budget, "a test"));
	free(p);
	gh_budget_deinit(&budget);
}

enum { TASKS = 1000, PHASES = 200 };

struct phases {
	uint32_t done[TASKS]; // by each task: phases
	uint64_t sum;	      // by the caller, of what the tasks wrote
	bool wrong;
};

static void count_phase(void *ctx, unsigned int i)
{
	struct phases *phases = ctx;

	phases->done[i]++;
}

/* A phase sees all that the one before it wrote, in whatever thread. */
static void compare_with_neighbour(void *ctx, unsigned int i)
{
	struct phases *phases = ctx;

	if (phases->done[i] != phases->done[(i + 1) % TASKS])
		phases->wrong = true;
}

static void team_does_each_task_once(void **state)
{
	static const unsigned int sizes[] = {1, 2, 3, GH_TEAM_MAX};

	for (size_t k = 0; k < GH_ARRAY_SIZE(sizes); k++) {
		struct phases phases = {0};
		struct gh_team *team = gh_team_create(sizes[k]);
		sigset_t before = {0}, after = {0};

		pthread_sigmask(SIG_BLOCK, NULL, &before);
		assert_true(sizes[k] == 1 ? !team : team != NULL);
		for (int i = 0; i < PHASES; i++) {
			if (i % 50 == 0)
				usleep(1000); // asleep by now
			gh_team_run(team, count_phase, &phases, TASKS);
			gh_team_run(team, compare_with_neighbour, &phases, TASKS);
			gh_team_run(team, compare_with_neighbour, &phases, 0);
			gh_team_run(team, compare_with_neighbour, &phases, 1);
		}
		gh_team_destroy(team);
		for (int i = 0; i < TASKS; i++)
			phases.sum += phases.done[i];
		assert_int_equal(phases.sum, TASKS * PHASES);
		assert_false(phases.wrong);
		pthread_sigmask(SIG_BLOCK, NULL, &after);
		assert_memory_equal(&before, &after, sizeof(before));
	}
	assert_true(gh_processors() >= 1);
}

static void test_text(void **state)
{
	static const char wide[] = "a\tb\"\\\xff\xe2\x80\xaez";
	struct gh_strbuf sb = {0};
	uint32_t code;

	(void)state;
	gh_text_quote(&sb, wide, sizeof(wide)); // its NUL, too
	assert_string_equal(gh_strbuf_str(&sb), "\"a\\tb\\\"\\\\\\xff\\u202ez\\x00\"");
	gh_strbuf_deinit(&sb);
	gh_text_quote(&sb, "\xe2\x80", 2); // a sequence that ends too early
	assert_string_equal(gh_strbuf_str(&sb), "\"\\xe2\\x80\"");
	gh_strbuf_deinit(&sb);
	assert_true(gh_text_is_plain("größer\n", 9));
	assert_false(gh_text_is_plain("a\0b", 3));
	assert_false(gh_text_is_plain("\xe2\x80", 2));
	assert_int_equal(gh_text_cut("aé", 3, 2), 1);
	assert_int_equal(gh_text_cut("aé", 3, 3), 3);
	assert_int_equal(gh_text_cut("\x80\x80\x80\x80\x80", 5, 4), 4);
	assert_int_equal(gh_utf8_decode("\xed\xa0\x80", &code), 0);
}

/* Against qsort of the same keys; equal ones keep their order, which their values tell. */
static int by_key_then_value(const void *a, const void *b)
{
	const struct gh_key *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->value < y->value ? -1 : x->value > y->value;
}

static void things_are_numbered_as_they_come(void **state)
{
	enum { MANY = 5000, KINDS = 1200 };
	uint32_t numbers[KINDS], met = 0, seed = 11, number;
	struct gh_numbering numbering = {0};
	bool seen[KINDS] = {false}, is_new;

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		uint32_t kind = (next_random(&seed) >> 8) % KINDS;
		struct gh_hash128 hash = {0};

		gh_hash128_word(&hash, kind % 40);
		gh_hash128_text(&hash, kind % 2 ? "odd" : NULL);
		gh_hash128_word(&hash, kind / 40);
		assert_true(gh_numbering_find(&numbering, hash, &number, &is_new));
		assert_int_equal(is_new, !seen[kind]);
		assert_int_equal(number, seen[kind] ? numbers[kind] : met);
		met += !seen[kind];
		seen[kind] = true;
		numbers[kind] = number;
	}
	assert_int_equal(numbering.len, met);
	gh_numbering_deinit(&numbering);
}

static void keys_are_sorted(void **state)
{
	// few or many keys, which differ in low bits, in high ones or in all
	static const uint64_t masks[] = {0, 7, 0xffff0, 0xc000ffffff, 0xffULL << 56, UINT64_MAX};
	enum { MANY = 3000 };
	struct gh_key *keys = malloc(MANY * sizeof(*keys)), *twin = malloc(MANY * sizeof(*twin));
	uint32_t seed = 7;

	(void)state;
	for (size_t m = 0; m < GH_ARRAY_SIZE(masks); m++) {
		for (size_t n = 0; n <= MANY; n += n < 4 ? 1 : 749) {
			for (size_t i = 0; i < n; i++) {
				uint64_t high = next_random(&seed);

				keys[i] = (struct gh_key){
					(high << 32 | next_random(&seed)) & masks[m], i};
			}
			memcpy(twin, keys, n * sizeof(*keys));
			qsort(twin, n, sizeof(*twin), by_key_then_value);
			assert_true(gh_sort_keys(keys, n));
			for (size_t i = 0; i < n; i++) {
				assert_int_equal(keys[i].key, twin[i].key);
				assert_int_equal(keys[i].value, twin[i].value);
			}
			for (size_t i = 0; i < n; i += 97) {
				size_t first = gh_first_key(keys, n, keys[i].key);

				assert_true(first <= i && keys[first].key == keys[i].key);
				assert_true(!first || keys[first - 1].key < keys[i].key);
			}
		}
	}
	assert_int_equal(gh_first_key(keys, 0, 5), 0);
	free(keys);
	free(twin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(vec_keeps_what_was_pushed),
		cmocka_unit_test(vec_refuses_what_overflows),
		cmocka_unit_test(bitmap_agrees_with_bytes),
		cmocka_unit_test(keys_are_sorted),
		cmocka_unit_test(things_are_numbered_as_they_come),
		cmocka_unit_test(arena_gives_zeroed_separate_bytes),
		cmocka_unit_test(strbuf_appends),
		cmocka_unit_test(errors_gain_context),
		cmocka_unit_test(every_error_code_has_its_names),
		cmocka_unit_test(poll_cancels),
		cmocka_unit_test(checked_arithmetic_refuses),
		cmocka_unit_test(undoes_escapes_of_names),
		cmocka_unit_test(budget_refuses_what_does_not_fit),
		cmocka_unit_test(budget_sees_what_nobody_took),
		cmocka_unit_test(team_does_each_task_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
