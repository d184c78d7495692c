// SPDX-License-Identifier: Apache-2.0
// Where map type descriptors differ between releases (internal/abi/map*.go), by enum gh_map_kind.
#pragma once

#include "goruntime/release.h"

/** Bytes of a map's descriptor before its uncommon part. */
static const uint32_t gh_map_type_bytes[] = {
	[GH_MAP_HMAP] = 88, [GH_MAP_SWISS] = 112, [GH_MAP_SWISS_STRIDED] = 136};

/** Offset of Flags. */
static const uint32_t gh_map_type_flags[] = {
	[GH_MAP_HMAP] = 84, [GH_MAP_SWISS] = 104, [GH_MAP_SWISS_STRIDED] = 128};
