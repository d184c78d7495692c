// SPDX-License-Identifier: Apache-2.0
// Places in code. See code_cells.h.
#include "command/code_cells.h"

#include "command/filter.h"
#include "goruntime/traceback.h"

struct gh_cell gh_function_cell(struct gh_report *report, const char *name)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	if (!name)
		return (struct gh_cell){0};
	gh_function_print(&sb, name);
	return gh_cell_copy(report, gh_strbuf_str(&sb), sb.len);
}

struct gh_cell gh_site_cell(struct gh_report *report, const char *file, int32_t line)
{
	if (!file)
		return (struct gh_cell){0};
	return gh_cell_text(gh_arena_printf(&report->arena, "%s:%d", file, line));
}

struct gh_error *gh_goids_cell(struct gh_report *report, size_t n,
			       uint64_t (*nth)(const void *ctx, size_t i), const void *ctx,
			       struct gh_cell *ret)
{
	const char **items = gh_arena_alloc(&report->arena, n * sizeof(*items));

	for (size_t i = 0; items && i < n; i++) {
		items[i] = gh_arena_printf(&report->arena, "%llu",
					   (unsigned long long)nth(ctx, i));
		if (!items[i])
			return gh_error_nomem();
	}
	if (!items)
		return gh_error_nomem();
	*ret = gh_cell_list(items, n);
	return NULL;
}

struct gh_error *gh_function_filter_init(const struct gh_args *args, const char *option,
					 struct gh_function_filter *ret)
{
	const char *re = gh_args_option(args, option);
	struct gh_error *err = re ? gh_filter_compile(option, re, &ret->re) : NULL;

	ret->given = re && !err;
	return err;
}

void gh_function_filter_deinit(struct gh_function_filter *filter)
{
	if (filter->given)
		regfree(&filter->re);
	*filter = (struct gh_function_filter){0};
}

bool gh_function_filter(const struct gh_function_filter *filter, const char *name)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	if (!filter->given)
		return true;
	if (!name)
		return false;
	gh_function_print(&sb, name);
	return regexec(&filter->re, gh_strbuf_str(&sb), 0, NULL, 0) == 0;
}
