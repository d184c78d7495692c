// SPDX-License-Identifier: Apache-2.0
// The releases, one object a file. A new one is a file, its two generated tables, a line here and a
// line in release.c.
#pragma once

#include "goruntime/release.h"

extern const struct gh_release gh_release_go1_22;
extern const struct gh_release gh_release_go1_23;
extern const struct gh_release gh_release_go1_24;
extern const struct gh_release gh_release_go1_25;
extern const struct gh_release gh_release_go1_26;
extern const struct gh_release gh_release_go1_27;
