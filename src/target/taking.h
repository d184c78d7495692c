// SPDX-License-Identifier: Apache-2.0
// Taking the copy of a process that nobody debugs: what is copied, when, and how long it stands
// still for that. Only for snapshot.c.
#pragma once

#include "target/attach.h"
#include "target/copying.h"

struct gh_taking {
	struct gh_target *target;
	struct gh_target *running; // the same process, read as it runs; NULL: not asked for
	const struct gh_target_options *options;
	struct gh_proc_map_vec maps;
	struct gh_range_vec covered;  // mappings of which anything is copied
	struct gh_range_vec resident; // with contents
	struct gh_range_vec spared;   // not to be copied, as far as we know
	struct gh_range_vec early;    // copied while it ran
	struct gh_range_vec clean;    // not written since
	struct gh_attachment attachment;
	bool has_dirty;	       // soft-dirty bits were cleared
	uint64_t copied_bytes; // while it stood still
	uint64_t lost_bytes;   // of pages that could not be read
};

void gh_taking_deinit(struct gh_taking *t);

/** List mappings and the pages with contents at this moment. Errors: IO, NOMEM. */
struct gh_error *gh_taking_list(struct gh_taking *t) GH_MUST_CHECK;

/** Does the mapping begin a file that is mapped for its code? */
bool gh_taking_begins_object(const struct gh_proc_map *map);

/**
 * Make room, stop the process, copy, let it go; notes of the target say what was done. Whatever
 * happens, the process runs on. Errors: IO, LIMIT (before it stopped), NOMEM, CANCELLED.
 */
struct gh_error *gh_taking_take(struct gh_taking *t) GH_MUST_CHECK;

/** Add to an image what was copied, and what was left out as absent. Errors: NOMEM. */
struct gh_error *gh_taking_add_memory(struct gh_image *image,
				      const struct gh_taking *t) GH_MUST_CHECK;

/** Bytes of the copy, for struct gh_memory: ctx is the struct gh_taking. */
const void *gh_taking_at(const void *ctx, gh_addr addr, uint64_t len);

/** Bytes of the process as it runs, for lazy regions: ctx is the number of the process. */
bool gh_taking_read_running(void *ctx, gh_addr addr, void *to, uint64_t len);
