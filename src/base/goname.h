// SPDX-License-Identifier: Apache-2.0
// Names as Go's own tools print them. In symbols, function tables and DWARF the compiler escapes
// dots and odd bytes of the last element of an import path as "%2e" (cmd/internal/objabi/path.go,
// PathToPrefix), and tells types of one name inside functions apart by "·N"
// (cmd/compile/internal/types/fmt.go).
#pragma once

#include "base/strbuf.h"

/** The next byte of the Go name, 0 at the end. Reads up to the NUL of *raw, never beyond. */
char gh_goname_next(const char **raw);

/** Append the Go name. */
void gh_goname_add(struct gh_strbuf *sb, const char *raw);
