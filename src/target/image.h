// SPDX-License-Identifier: Apache-2.0
// Memory as an image: every contiguous target range is one contiguous local range, so that a span,
// a stack or a module is addressable whole. Knows nothing of cores, processes or Go: others add
// regions; some regions fill themselves on first touch.
#pragma once

#include "target/file.h"

/** Why bytes are not there. */
enum gh_absence {
	GH_PRESENT,
	GH_UNMAPPED,	// no such address in the process
	GH_NOT_IN_CORE, // mapped, but the core omits it and no file could stand in
	GH_TRUNCATED,	// beyond the end of a truncated core
	GH_UNREADABLE,	// the debugger or the kernel refused
	GH_NOT_COPIED,	// of a process: left out of its copy, as nobody asked for it
};

/** Fill [addr, addr + len) of a lazy region into `to`. False: unreadable. Any errors stay inside.
 */
typedef bool (*gh_image_fill_fn)(void *ctx, gh_addr addr, void *to, uint64_t len);

/** One contiguous range. Regions never overlap and are sorted by lo. */
struct gh_region {
	gh_addr lo, hi;
	const uint8_t *host;	 // local bytes of lo; NULL when absence != GH_PRESENT
	enum gh_absence absence; // GH_PRESENT, or why all of it is missing
	bool lazy;		 // filled in chunks of GH_IMAGE_CHUNK on first touch
	bool writable;		 // of the target's mapping: code and constants are not
	gh_addr run_hi;		 // >= hi: the local bytes go on without a hole up to here
};

enum { GH_IMAGE_CHUNK = 2 << 20 };

struct gh_image;

struct gh_error *gh_image_create(struct gh_image **ret) GH_MUST_CHECK;
void gh_image_destroy(struct gh_image *image);

/** What copies are taken from; borrowed. Without one there is no bound. */
void gh_image_set_budget(struct gh_image *image, struct gh_budget *budget);

/**
 * Add a present range backed by local bytes that outlive the image. Where it overlaps what is
 * already there, what is there wins (add the best source first); absent parts may be replaced by
 * later present ones. Errors: NOMEM.
 */
struct gh_error *gh_image_add(struct gh_image *image, gh_addr lo, uint64_t len, const void *host,
			      bool writable) GH_MUST_CHECK;

/**
 * As gh_image_add, for bytes of a file that is mapped or copied whole and outlives the image: where
 * ranges must be moved side by side, its pages are mapped once more rather than copied. The range
 * must lie within the file.
 */
struct gh_error *gh_image_add_file(struct gh_image *image, gh_addr lo, uint64_t len,
				   const struct gh_file *file, uint64_t offset,
				   bool writable) GH_MUST_CHECK;

/** Add a range known to exist whose bytes are missing, and why. */
struct gh_error *gh_image_add_absent(struct gh_image *image, gh_addr lo, uint64_t len,
				     enum gh_absence why, bool writable) GH_MUST_CHECK;

/** Add a range that `fill` provides in chunks on first touch (reserved, not committed, until then).
 */
struct gh_error *gh_image_add_lazy(struct gh_image *image, gh_addr lo, uint64_t len,
				   gh_image_fill_fn fill, void *ctx, bool writable) GH_MUST_CHECK;

/**
 * Close the list: sort, and join adjacent ranges (whose local bytes are adjacent, or else by
 * mapping or copying them side by side) so that one target range is one local range, whatever its
 * flags: regions differ in `writable`, reads go across. Call once, after the last add and before
 * the first read. Errors: NOMEM. Where the kernel refuses the mappings, or more would have to be
 * copied than the files hold, ranges stay apart: a read across their border is then GH_UNREADABLE.
 */
struct gh_error *gh_image_seal(struct gh_image *image) GH_MUST_CHECK;

/**
 * Local bytes of [addr, addr + len), or NULL if any of them is missing. Valid as long as the image.
 * The pointer has the alignment of the file, which may be none. A lazy region is filled on the way:
 * only on the thread that owns the session. Cost: a binary search with a one-entry cache.
 */
const void *gh_image_at(const struct gh_image *image, gh_addr addr, uint64_t len);

/** Why gh_image_at would give NULL; GH_PRESENT if it would not. */
enum gh_absence gh_image_absence(const struct gh_image *image, gh_addr addr, uint64_t len);
const char *gh_absence_text(enum gh_absence why);

/** Bytes readable from addr on, up to max, without a hole. 0 when addr itself is missing. */
uint64_t gh_image_readable(const struct gh_image *image, gh_addr addr, uint64_t max);

/** The region that holds addr, or NULL. */
const struct gh_region *gh_image_region(const struct gh_image *image, gh_addr addr);

/** All regions, sorted. */
const struct gh_region *gh_image_regions(const struct gh_image *image, size_t *n_ret);

/** Single reads: false (and *ret untouched) when missing. */
static inline bool gh_read_u64(const struct gh_image *image, gh_addr addr, uint64_t *ret)
{
	const void *p = gh_image_at(image, addr, 8);

	if (p)
		*ret = gh_u64_at(p);
	return p != NULL;
}

static inline bool gh_read_u32(const struct gh_image *image, gh_addr addr, uint32_t *ret)
{
	const void *p = gh_image_at(image, addr, 4);

	if (p)
		*ret = gh_u32_at(p);
	return p != NULL;
}

static inline bool gh_read_u16(const struct gh_image *image, gh_addr addr, uint16_t *ret)
{
	const void *p = gh_image_at(image, addr, 2);

	if (p)
		*ret = gh_u16_at(p);
	return p != NULL;
}

static inline bool gh_read_u8(const struct gh_image *image, gh_addr addr, uint8_t *ret)
{
	const uint8_t *p = gh_image_at(image, addr, 1);

	if (p)
		*ret = *p;
	return p != NULL;
}
