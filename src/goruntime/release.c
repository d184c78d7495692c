// SPDX-License-Identifier: Apache-2.0
// The table of Go releases, and the names behind the layout enums.
#include "goruntime/release.h"

#include <stdlib.h>

#include "goruntime/versions/versions.h"

static const struct gh_release *const releases[] = {
	&gh_release_go1_22, &gh_release_go1_23, &gh_release_go1_24,
	&gh_release_go1_25, &gh_release_go1_26, &gh_release_go1_27,
};

const struct gh_release *const *gh_releases(size_t *n_ret)
{
	*n_ret = GH_ARRAY_SIZE(releases);
	return releases;
}

const struct gh_release *gh_release_find(const char *build_version)
{
	char *end;
	unsigned long minor;

	if (strncmp(build_version, "go1.", 4) != 0)
		return NULL;
	minor = strtoul(build_version + 4, &end, 10);
	// "go1.26", "go1.26.8", "go1.26rc1", "go1.26.8-X:exp", "go1.25.4 X:exp"; not "go1.26x"
	if (end == build_version + 4 || (*end && !strchr(".rb- ", *end)))
		return NULL;
	for (size_t i = 0; i < GH_ARRAY_SIZE(releases); i++)
		if (releases[i]->minor == minor)
			return releases[i];
	return NULL;
}

struct gh_layout_name gh_layout_field_name(enum gh_layout_field field)
{
	static const struct gh_layout_name names[] = {
#define S(id, type)
#define F(id, type, path) [GH_F_##id] = {type, path},
#define V(id, name)
#include "goruntime/layout_fields.def"
#undef S
#undef F
#undef V
	};
	return names[field];
}

const char *gh_layout_struct_name(enum gh_layout_struct s)
{
	static const char *const names[] = {
#define S(id, type) [GH_S_##id] = type,
#define F(id, type, path)
#define V(id, name)
#include "goruntime/layout_fields.def"
#undef S
#undef F
#undef V
	};
	return names[s];
}

const char *gh_layout_var_name(enum gh_layout_var v)
{
	static const char *const names[] = {
#define S(id, type)
#define F(id, type, path)
#define V(id, name) [GH_V_##id] = name,
#include "goruntime/layout_fields.def"
#undef S
#undef F
#undef V
	};
	return names[v];
}
