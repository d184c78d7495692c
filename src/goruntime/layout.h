// SPDX-License-Identifier: Apache-2.0
// Offsets of the runtime fields that we read, for one Go release on one architecture. One list
// (layout_fields.def) feeds the generated tables, the look-up in DWARF and their comparison.
#pragma once

#include "base/defs.h"

/* layout_fields.def:
 *   S(id, "runtime.mspan")                      a struct whose size we need
 *   F(id, "runtime.mspan", "field.path")        a field: its offset
 *   V(id, "runtime.mheap_")                     a package variable: its address
 */
enum gh_layout_field {
#define S(id, type)
#define F(id, type, path) GH_F_##id,
#define V(id, name)
#include "goruntime/layout_fields.def"
#undef S
#undef F
#undef V
	GH_F_COUNT
};

enum gh_layout_struct {
#define S(id, type) GH_S_##id,
#define F(id, type, path)
#define V(id, name)
#include "goruntime/layout_fields.def"
#undef S
#undef F
#undef V
	GH_S_COUNT
};

enum gh_layout_var {
#define S(id, type)
#define F(id, type, path)
#define V(id, name) GH_V_##id,
#include "goruntime/layout_fields.def"
#undef S
#undef F
#undef V
	GH_V_COUNT
};

enum { GH_ABSENT = -1 };

/** Offsets and sizes in bytes; GH_ABSENT where the release has no such field or struct. */
struct gh_layout {
	int32_t offset[GH_F_COUNT];
	uint8_t size[GH_F_COUNT]; // of the field, when it is 1, 2, 4 or 8 bytes; else 0
	int32_t struct_size[GH_S_COUNT];
};

struct gh_layout_name {
	const char *type; // "runtime.mspan"
	const char *path; // "startAddr"; NULL for a struct's size
};

struct gh_layout_name gh_layout_field_name(enum gh_layout_field field);
const char *gh_layout_struct_name(enum gh_layout_struct s);
const char *gh_layout_var_name(enum gh_layout_var v);

static inline bool gh_has(const struct gh_layout *layout, enum gh_layout_field field)
{
	return layout->offset[field] >= 0;
}
