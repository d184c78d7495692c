// SPDX-License-Identifier: Apache-2.0
// The build info that every Go executable carries: toolchain version and module text. Mirrors
// debug/buildinfo (go1.18 and later, inline strings).
#pragma once

#include "target/elf_object.h"

struct gh_buildinfo {
	char *version; // owned: "go1.26.8"
	char *modinfo; // owned: lines "path\t…", "mod\t…", "dep\t…", "build\tKEY=VALUE"; may be ""
};

/** False when the executable carries none (it is no Go program), or one older than go1.18. */
bool gh_buildinfo_read(const struct gh_elf *elf, struct gh_buildinfo *ret);
void gh_buildinfo_deinit(struct gh_buildinfo *info);
