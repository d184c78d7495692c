// SPDX-License-Identifier: Apache-2.0
// What passes --type and --package. See filter.h.
#include "command/filter.h"

#include <stdlib.h>

#include "base/cleanup.h"

struct gh_error *gh_filter_compile(const char *option, const char *re, regex_t *ret)
{
	int rc = regcomp(ret, re, REG_EXTENDED | REG_NOSUB);
	char why[128];

	if (rc == 0)
		return NULL;
	if (rc == REG_ESPACE)
		return gh_error_nomem();
	regerror(rc, ret, why, sizeof(why));
	return gh_error_create(GH_ERR_USAGE,
			       "%s '%s' is not a regular expression: %s: write \\[ for [ and \\* "
			       "for *",
			       option, re, why);
}

struct gh_error *gh_filter_init(const struct gh_args *args, struct gh_filter *ret)
{
	struct gh_error *err;

	*ret = (struct gh_filter){.min_bytes = args->min_bytes};
	if (args->type_re) {
		err = gh_filter_compile("--type", args->type_re, &ret->type);
		if (err)
			return err;
		ret->has_type = true;
	}
	if (args->package_re) {
		err = gh_filter_compile("--package", args->package_re, &ret->package);
		if (err)
			return err;
		ret->has_package = true;
	}
	return NULL;
}

void gh_filter_deinit(struct gh_filter *filter)
{
	if (filter->has_type)
		regfree(&filter->type);
	if (filter->has_package)
		regfree(&filter->package);
	*filter = (struct gh_filter){0};
}

bool gh_filter_package(const struct gh_filter *filter, const char *package, size_t len)
{
	_cleanup_free_ char *copy = NULL;

	if (!filter->has_package)
		return true;
	copy = strndup(package, len);
	return copy && regexec(&filter->package, copy, 0, NULL, 0) == 0;
}

bool gh_filter_type(const struct gh_filter *filter, const char *type_name)
{
	const char *package;
	size_t len;

	if (filter->has_type && regexec(&filter->type, type_name, 0, NULL, 0) != 0)
		return false;
	if (!filter->has_package)
		return true;
	package = gh_name_package(type_name, &len);
	return gh_filter_package(filter, package, len);
}

/* Past the bracket that closes the one at p; the end of the text when none does. */
static const char *past_bracket(const char *p)
{
	size_t depth = 0;

	for (; *p; p++) {
		if (*p == '[')
			depth++;
		else if (*p == ']' && --depth == 0)
			return p + 1;
	}
	return p;
}

/* Past one layer around a type: pointer, slice, array, channel, function, map. NULL: none. */
static const char *past_layer(const char *p, const char **map_key_ret)
{
	static const char *const words[] = {"chan ", "<-chan ", "chan<- ", "func "};

	if (*p == '*' || *p == '(')
		return p + 1;
	if (*p == '[')
		return past_bracket(p);
	if (strncmp(p, "map[", 4) == 0) {
		*map_key_ret = p + 4;
		return past_bracket(p + 3);
	}
	for (size_t i = 0; i < GH_ARRAY_SIZE(words); i++)
		if (strncmp(p, words[i], strlen(words[i])) == 0)
			return p + strlen(words[i]);
	return NULL;
}

/* "net/http" of "net/http.conn": up to the first dot after the last slash before any bracket. */
static const char *bare_package(const char *p, size_t *len_ret)
{
	size_t end = strcspn(p, "[({ ]"), start = 0;
	const char *dot;

	for (size_t i = 0; i < end; i++)
		if (p[i] == '/')
			start = i;
	dot = memchr(p + start, '.', end - start);
	*len_ret = dot ? (size_t)(dot - p) : 0;
	return p;
}

const char *gh_name_package(const char *name, size_t *len_ret)
{
	const char *key = NULL, *p = name, *next;

	while ((next = past_layer(p, &key)))
		p = next;
	p = bare_package(p, len_ret);
	if (*len_ret == 0 && key) {
		p = key;
		while ((next = past_layer(p, &key)))
			p = next;
		p = bare_package(p, len_ret);
	}
	return p;
}

const char *gh_name_package_or_not(const char *name, size_t *len_ret)
{
	const char *package = gh_name_package(name, len_ret);

	if (package && *len_ret)
		return package;
	package = strncmp(name, "unknown ", 8) ? "(built-in types)" : "(unknown)";
	*len_ret = strlen(package);
	return package;
}

struct gh_error *gh_type_arg_init(const struct gh_args *args, const char *word,
				  struct gh_type_arg *ret)
{
	ret->name = word;
	return gh_filter_init(args, &ret->filter);
}

void gh_type_arg_deinit(struct gh_type_arg *arg)
{
	gh_filter_deinit(&arg->filter);
}

bool gh_type_arg_means(void *ctx, const char *type)
{
	const struct gh_type_arg *arg = ctx;

	return (!arg->name || !strcmp(type, arg->name)) && gh_filter_type(&arg->filter, type);
}

struct gh_error *gh_type_arg_widen(struct gh_type_arg *arg, bool *ret)
{
	struct gh_error *err = NULL;

	*ret = arg->name && !arg->filter.has_type;
	if (*ret)
		err = gh_filter_compile("the type", arg->name, &arg->filter.type);
	if (*ret && !err)
		arg->filter.has_type = true;
	arg->name = NULL;
	return err;
}

struct gh_error *gh_type_arg_none(const struct gh_args *args, const char *word)
{
	const char *const what[][2] = {
		{"of type", word},
		{"of a type that matches", args->type_re},
		{"in a package that matches", args->package_re},
	};
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	for (size_t i = 0; i < GH_ARRAY_SIZE(what); i++)
		if (what[i][1])
			gh_strbuf_printf(&sb, "%s%s %s", sb.len ? " and " : "", what[i][0],
					 what[i][1]);
	return gh_error_create(GH_ERR_MISSING, "no live object is %s: `goheap top` lists the types",
			       gh_strbuf_str(&sb));
}
