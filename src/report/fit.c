// SPDX-License-Identifier: Apache-2.0
// Texts that have to fit a column. Of a path the first folders go before anything else does: types,
// functions and files are told apart by its end. See format.h.
#include "base/cleanup.h"
#include "report/format.h"

enum {
	MAX_FOLDERS = 3, // of a path, kept where there is room
	BARE = 0,	 // not even a sign that there were some
};

size_t gh_text_head(const char *text, size_t width)
{
	size_t at = 0;

	while (text[at]) {
		uint32_t code = 'x';
		size_t len = gh_utf8_decode(text + at, &code), w = gh_code_width(code);

		if (w > width)
			break;
		width -= w;
		at += len ? len : 1;
	}
	return at;
}

static bool is_in_path(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (unsigned char)c >= 0x80 || (c && strchr("/._-~%@+", c));
}

/* "v2" of an import path: it says nothing without the folder before it. */
static bool is_version(const char *name, const char *end)
{
	const char *at = name + 1;

	if (name == end || *name != 'v')
		return false;
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at > name + 1 && (at == end || *at == '.');
}

/* Where the last `keep` names of the path [path, end) begin. */
static const char *last_names(const char *path, const char *end, int keep)
{
	const char *at = end, *slash;

	for (;;) {
		const char *name_end = at;

		for (slash = at; slash > path && slash[-1] != '/';)
			slash--;
		if (slash == path)
			return path;
		if (!is_version(slash, name_end))
			keep--;
		if (keep <= 0)
			return slash;
		at = slash - 1;
	}
}

/* The text with at most so many folders and the name of each path. */
static void shorten(struct gh_strbuf *sb, const char *text, int folders)
{
	while (*text) {
		const char *end = text, *from;

		while (is_in_path(*end))
			end++;
		from = last_names(text, end, folders > 1 ? folders : 1);
		if (from > text && folders != BARE)
			gh_strbuf_puts(sb, "…/");
		gh_strbuf_add(sb, from, (size_t)(end - from));
		text = end;
		if (*text)
			gh_strbuf_putc(sb, *text++);
	}
}

size_t gh_text_least(const char *text)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	if (!strchr(text, '/'))
		return gh_text_width(text);
	shorten(&sb, text, BARE);
	return gh_strbuf_ok(&sb) ? gh_text_width(gh_strbuf_str(&sb)) : 0;
}

/* Its start and its end. */
static void cut(struct gh_strbuf *sb, const char *text, size_t width)
{
	size_t full = gh_text_width(text), head, skip;

	if (full <= width) {
		gh_strbuf_puts(sb, text);
		return;
	}
	if (width == 0)
		return;
	head = gh_text_head(text, (width - 1) / 2);
	gh_strbuf_add(sb, text, head);
	gh_strbuf_puts(sb, "…");
	// the tail: what is left once its start, up to the columns to spare, is skipped
	skip = gh_text_head(text, full - (width - 1 - (width - 1) / 2));
	while (gh_text_width(text + skip) > width - 1 - (width - 1) / 2)
		skip += gh_text_head(text + skip, 2) ? gh_text_head(text + skip, 2) : 1;
	gh_strbuf_puts(sb, text + skip);
}

void gh_text_fit(struct gh_strbuf *sb, const char *text, size_t width)
{
	_cleanup_strbuf_ struct gh_strbuf shorter = {0};

	if (gh_text_width(text) <= width || !strchr(text, '/')) {
		cut(sb, text, width);
		return;
	}
	for (int folders = MAX_FOLDERS; folders >= BARE; folders--) {
		shorter.len = 0;
		shorten(&shorter, text, folders);
		if (!gh_strbuf_ok(&shorter) || gh_text_width(gh_strbuf_str(&shorter)) <= width)
			break;
	}
	cut(sb, gh_strbuf_ok(&shorter) ? gh_strbuf_str(&shorter) : text, width);
}
