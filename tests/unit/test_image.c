// SPDX-License-Identifier: Apache-2.0
// The image against a naive twin on random overlapping ranges; ranges side by side; lazy regions
// with holes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "target/image.h"

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

/* What each byte of a small address space should be. */
enum { SPACE = 4096, ORIGIN = 0x10000 };

struct twin {
	enum gh_absence absence[SPACE];
	uint8_t byte[SPACE];
	bool writable[SPACE];
};

static void twin_add(struct twin *twin, uint64_t lo, uint64_t len, const uint8_t *bytes,
		     enum gh_absence why, bool writable)
{
	for (uint64_t i = 0; i < len; i++) {
		enum gh_absence was = twin->absence[lo + i];

		if (was == GH_PRESENT || (was != GH_UNMAPPED && !bytes))
			continue;
		twin->absence[lo + i] = why;
		twin->writable[lo + i] = writable;
		if (bytes)
			twin->byte[lo + i] = bytes[i];
	}
}

static void compare_read(const struct gh_image *image, const struct twin *twin, uint64_t lo,
			 uint64_t len)
{
	enum gh_absence why = GH_PRESENT;
	const uint8_t *p = gh_image_at(image, ORIGIN + lo, len);
	uint64_t present = 0;

	while (present < len && twin->absence[lo + present] == GH_PRESENT)
		present++;
	if (present < len)
		why = twin->absence[lo + present];
	assert_int_equal(gh_image_absence(image, ORIGIN + lo, len), why);
	assert_int_equal(gh_image_readable(image, ORIGIN + lo, len), present);
	assert_int_equal(p != NULL, why == GH_PRESENT);
	if (p)
		assert_memory_equal(p, twin->byte + lo, len);
}

static void agrees_with_a_naive_twin(void **state)
{
	static uint8_t bytes[SPACE * 2];
	uint32_t seed = 3;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)next_random(&seed);
	for (int round = 0; round < 300; round++) {
		struct twin twin;
		struct gh_image *image;

		for (size_t i = 0; i < SPACE; i++)
			twin.absence[i] = GH_UNMAPPED;
		assert_null(gh_image_create(&image));
		for (uint32_t k = next_random(&seed) % 24; k; k--) {
			uint64_t lo = next_random(&seed) % SPACE;
			uint64_t len = gh_min_u64(next_random(&seed) % 700, SPACE - lo);
			bool writable = next_random(&seed) % 2,
			     absent = next_random(&seed) % 3 == 0;
			const uint8_t *host = bytes + next_random(&seed) % SPACE;

			if (absent) {
				assert_null(gh_image_add_absent(image, ORIGIN + lo, len,
								GH_NOT_IN_CORE, writable));
				twin_add(&twin, lo, len, NULL, GH_NOT_IN_CORE, writable);
			} else {
				assert_null(gh_image_add(image, ORIGIN + lo, len, host, writable));
				twin_add(&twin, lo, len, host, GH_PRESENT, writable);
			}
		}
		assert_null(gh_image_seal(image));
		for (int i = 0; i < 500; i++) {
			uint64_t lo = next_random(&seed) % (SPACE - 1);
			uint64_t len = 1 + next_random(&seed) % gh_min_u64(400, SPACE - lo);
			const struct gh_region *r = gh_image_region(image, ORIGIN + lo);

			compare_read(image, &twin, lo, len);
			assert_int_equal(r != NULL, twin.absence[lo] != GH_UNMAPPED);
			if (r)
				assert_int_equal(r->writable, twin.writable[lo]);
		}
		gh_image_destroy(image);
	}
}

static void bounds_hold(void **state)
{
	static const uint8_t bytes[16] = {1, 2, 3};
	struct gh_image *image;

	assert_null(gh_image_create(&image));
	assert_null(gh_image_add(image, 0x1000, 16, bytes, false));
	assert_null(gh_image_add(image, UINT64_MAX - 7, 16, bytes, false)); // cut at the end
	assert_null(gh_image_add(image, 0x2000, 0, bytes, false));
	assert_null(gh_image_seal(image));
	assert_ptr_equal(gh_image_at(image, 0x1000, 16), bytes);
	assert_null(gh_image_at(image, 0x1000, 17));
	assert_null(gh_image_at(image, 0x1000, UINT64_MAX));
	assert_null(gh_image_at(image, 0xfff, 1));
	assert_null(gh_image_at(image, 0x1010, 0));
	assert_null(gh_image_at(image, 0x2000, 0));
	assert_ptr_equal(gh_image_at(image, UINT64_MAX - 7, 7), bytes);
	assert_null(gh_image_at(image, UINT64_MAX - 7, 8));
	assert_int_equal(gh_image_absence(image, UINT64_MAX - 3, 100), GH_UNMAPPED);
	gh_image_destroy(image);

	assert_null(gh_image_create(&image));
	assert_null(gh_image_seal(image));
	assert_null(gh_image_at(image, 0, 1));
	assert_int_equal(gh_image_readable(image, 0, 10), 0);
	gh_image_destroy(image);
}

/* Pieces of two files at any offset, larger than what is copied without a thought. */
static void puts_pieces_of_files_side_by_side(void **state)
{
	enum { LEN = 1 << 20, PIECES = 4, PIECE = LEN / PIECES };
	static const uint64_t shifts[] = {0, 4096, 24, 1520};
	char path[] = "/tmp/goheap-test-image-XXXXXX";
	_cleanup_close_ int fd = mkstemp(path);
	_cleanup_free_ uint8_t *bytes = malloc(LEN + 8192);
	uint32_t seed = 5;

	assert_true(fd >= 0);
	for (size_t i = 0; i < LEN + 8192; i++)
		bytes[i] = (uint8_t)next_random(&seed);
	assert_int_equal(write(fd, bytes, LEN + 8192), LEN + 8192);
	for (size_t k = 0; k < GH_ARRAY_SIZE(shifts) * 2; k++) {
		enum gh_file_mode mode = k % 2 ? GH_FILE_COPY : GH_FILE_MAP;
		uint64_t shift = shifts[k / 2];
		struct gh_image *image;
		struct gh_file file;
		const uint8_t *p;

		assert_null(gh_file_open(path, &(struct gh_file_options){.mode = mode}, &file));
		assert_null(gh_image_create(&image));
		for (uint64_t i = 0; i < PIECES; i++) // in the file the other way round
			assert_null(gh_image_add_file(image, 0x400000 + i * PIECE, PIECE, &file,
						      (PIECES - 1 - i) * PIECE + shift, i % 2));
		assert_null(gh_image_add(image, 0x400000 + LEN, 100, bytes, true));
		assert_null(gh_image_seal(image));
		p = gh_image_at(image, 0x400000, LEN + 100);
		assert_non_null(p);
		for (uint64_t i = 0; i < PIECES; i++)
			assert_memory_equal(p + i * PIECE, bytes + (PIECES - 1 - i) * PIECE + shift,
					    PIECE);
		assert_memory_equal(p + LEN, bytes, 100);
		assert_false(gh_image_region(image, 0x400000)->writable);
		assert_true(gh_image_region(image, 0x400000 + PIECE)->writable);
		gh_image_destroy(image);
		gh_file_deinit(&file);
	}
	unlink(path);
}

/* ---- lazy ---- */

struct source {
	gh_addr hole_lo, hole_hi;
	size_t calls;
};

static bool fill_source(void *ctx, gh_addr addr, void *to, uint64_t len)
{
	struct source *source = ctx;

	source->calls++;
	if (addr < source->hole_hi && addr + len > source->hole_lo)
		return false;
	for (uint64_t i = 0; i < len; i++)
		((uint8_t *)to)[i] = (uint8_t)((addr + i) >> 4);
	return true;
}

static void lazy_regions_are_filled_on_touch(void **state)
{
	const gh_addr lo = 0x700000000000, len = 5 * (uint64_t)GH_IMAGE_CHUNK + 0x3000;
	const gh_addr hole = lo + 3 * (uint64_t)GH_IMAGE_CHUNK + 0x5000;
	struct source source = {.hole_lo = hole, .hole_hi = hole + 0x2000};
	struct gh_image *image;
	const uint8_t *p;

	assert_null(gh_image_create(&image));
	assert_null(gh_image_add_lazy(image, lo, len - 0x1000, fill_source, &source, true));
	assert_null(
		gh_image_add_lazy(image, lo + len - 0x1000, 0x1000, fill_source, &source, false));
	assert_null(gh_image_seal(image));
	assert_int_equal(source.calls, 0);

	p = gh_image_at(image, lo + GH_IMAGE_CHUNK - 8, 16); // two chunks
	assert_non_null(p);
	assert_int_equal(source.calls, 2);
	assert_int_equal(p[0], (uint8_t)((lo + GH_IMAGE_CHUNK - 8) >> 4));
	assert_int_equal(p[8], (uint8_t)((lo + GH_IMAGE_CHUNK) >> 4));
	assert_ptr_equal(gh_image_at(image, lo + GH_IMAGE_CHUNK, 8), p + 8);
	assert_int_equal(source.calls, 2);

	assert_null(gh_image_at(image, hole, 1));
	assert_int_equal(gh_image_absence(image, hole, 1), GH_UNREADABLE);
	assert_null(gh_image_at(image, hole - 1, 2));
	assert_int_equal(gh_image_absence(image, hole - 1, 2), GH_UNREADABLE);
	assert_non_null(gh_image_at(image, hole - 8, 8));
	assert_non_null(gh_image_at(image, hole + 0x2000, 8));
	assert_null(gh_image_at(image, hole + 0x1fff, 2));
	assert_int_equal(gh_image_readable(image, hole - 100, 1000), 100);
	assert_int_equal(gh_image_readable(image, lo, len), hole - lo);
	assert_int_equal(gh_image_absence(image, lo, len), GH_UNREADABLE);

	// across the border of flags, up to the end and no further
	p = gh_image_at(image, lo + len - 0x2000, 0x2000);
	assert_non_null(p);
	assert_int_equal(p[0x1fff], (uint8_t)((lo + len - 1) >> 4));
	assert_null(gh_image_at(image, lo + len - 8, 9));
	assert_int_equal(gh_image_absence(image, lo + len - 8, 9), GH_UNMAPPED);
	gh_image_destroy(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_a_naive_twin),
		cmocka_unit_test(bounds_hold),
		cmocka_unit_test(puts_pieces_of_files_side_by_side),
		cmocka_unit_test(lazy_regions_are_filled_on_touch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
