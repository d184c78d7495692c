// SPDX-License-Identifier: Apache-2.0
// Bytes that claim to be text: UTF-8, what is safe on a terminal, and Go's way to write a string so
// that nothing of it is lost.
#pragma once

#include "base/strbuf.h"

/** Length of the UTF-8 sequence at p (1 to 4) and its code point; 0 when it is not UTF-8. */
size_t gh_utf8_decode(const char *p, uint32_t *ret);

/** Controls, marks that reorder a line, and what nobody can see. */
bool gh_code_is_dangerous(uint32_t code);

/** Append len bytes as a Go string literal: "a\tb\xff\u202e". */
void gh_text_quote(struct gh_strbuf *sb, const char *bytes, size_t len);

/** Is it UTF-8 without anything dangerous but line ends and tabs? */
bool gh_text_is_plain(const char *bytes, size_t len);

/** The longest prefix of at most `max` bytes that does not end within a UTF-8 sequence. */
size_t gh_text_cut(const char *bytes, size_t len, size_t max);

/** What a noun ends with behind that number: "1 row", "2 rows". */
static inline const char *gh_plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}
