// SPDX-License-Identifier: Apache-2.0
// The table of Go releases: versions as they stand in binaries, and what each release must have.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "goruntime/release.h"

static void versions_find_their_release(void **state)
{
	static const struct {
		const char *version;
		uint32_t minor; // 0: not known
	} cases[] = {
		{"go1.22.12", 22},
		{"go1.26.8", 26},
		{"go1.26.8-X:exp1,noexp2", 26},
		{"go1.25.4 X:synctest", 25},
		{"go1.27rc1", 27},
		{"go1.27", 27},
		{"go1.21.13", 0},
		{"go1.99", 0},
		{"go1.2", 0},
		{"go1.", 0},
		{"go1.26x", 0},
		{"devel go1.28-abc", 0},
		{"", 0},
	};

	for (size_t i = 0; i < GH_ARRAY_SIZE(cases); i++) {
		const struct gh_release *release = gh_release_find(cases[i].version);

		if (cases[i].minor == 0) {
			assert_null(release);
		} else {
			assert_non_null(release);
			assert_int_equal(release->minor, cases[i].minor);
		}
	}
}

static void check_layout(const struct gh_layout *layout)
{
	static const enum gh_layout_field required[] = {
		GH_F_mspan_startAddr, GH_F_mspan_largeType,  GH_F_mheap_allspans,
		GH_F_g_goid,	      GH_F_g_atomicstatus,   GH_F_moduledata_types,
		GH_F_hchan_buf,	      GH_F_mheap_heapArenas,
	};

	for (size_t i = 0; i < GH_ARRAY_SIZE(required); i++)
		assert_true(gh_has(layout, required[i]));
	assert_int_equal(layout->size[GH_F_mspan_nelems], 2);
	assert_int_equal(layout->size[GH_F_g_goid], 8);
	assert_true(layout->struct_size[GH_S_mspan] >= 160);
}

static void every_release_is_whole(void **state)
{
	const struct gh_release *const *releases;
	size_t n;

	releases = gh_releases(&n);
	assert_true(n >= 6);
	for (size_t i = 0; i < n; i++) {
		const struct gh_release *r = releases[i];

		assert_true(i == 0 || r->minor == releases[i - 1]->minor + 1);
		check_layout(r->amd64);
		check_layout(r->arm64);
		for (uint32_t k = 0; k < r->nwait_reasons; k++)
			assert_non_null(r->wait_reasons[k]);
		// exactly one kind of map
		assert_int_equal(gh_has(r->amd64, GH_F_hmap_buckets), r->map_kind == GH_MAP_HMAP);
		assert_int_equal(gh_has(r->amd64, GH_F_Map_dirPtr), r->map_kind != GH_MAP_HMAP);
		assert_int_equal(r->inline_marks && r->gc_programs, 0);
	}
}

static void every_layout_entry_has_a_name(void **state)
{
	for (int i = 0; i < GH_F_COUNT; i++) {
		struct gh_layout_name name = gh_layout_field_name(i);

		assert_non_null(name.type);
		assert_non_null(name.path);
	}
	for (int i = 0; i < GH_S_COUNT; i++)
		assert_non_null(gh_layout_struct_name(i));
	for (int i = 0; i < GH_V_COUNT; i++)
		assert_non_null(gh_layout_var_name(i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_find_their_release),
		cmocka_unit_test(every_release_is_whole),
		cmocka_unit_test(every_layout_entry_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
