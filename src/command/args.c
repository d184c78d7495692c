// SPDX-License-Identifier: Apache-2.0
// Words of one command line: common options, the command's own, and what was meant by a wrong one.
#include "command/command.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/team.h"

enum {
	MAX_CANDIDATES = 64,
	MAX_WORD = 64, // longer words have no near ones
};

static const struct gh_option common[] = {
	{"--limit", "-n", "N", "show N rows, 0 all (20; with --json, --csv and --short all)"},
	{"--json", NULL, NULL, "one JSON document on one line, exact values (docs/contract.md)"},
	{"--csv", NULL, NULL, "comma-separated values (RFC 4180), exact values"},
	{"--short", NULL, NULL, "only the column that names the rows, one a line, for pipes"},
	{"--type", NULL, "RE", "only types that match the extended regular expression"},
	{"--package", NULL, "RE", "only packages that match the extended regular expression"},
	{"--min", NULL, "SIZE", "only rows of at least SIZE bytes (512, 10M, 1GiB)"},
	{"--sort", NULL, "COL", "sort by a column: numbers from large, words from A"},
	{"--reverse", NULL, NULL, "the other way round"},
	{"--bytes", NULL, NULL, "exact bytes instead of KiB, MiB, GiB"},
	{"--max-mem", NULL, "SIZE",
	 "refuse what takes more memory than SIZE (as given: what this machine has)"},
	{"--threads", NULL, "N",
	 "use N processors (as given: all that this process may use, at most 8); the answer is "
	 "the same with any number"},
	{"--no-values", NULL, NULL, "keep the program's data (strings, keys, arguments) out"},
	{"--stats", NULL, NULL,
	 "say what the command cost: time, stage by stage, memory of our own and with files"},
	{"--help", "-h", NULL, "say what the command does"},
	{NULL, NULL, NULL, NULL},
};

const struct gh_option *gh_common_options(void)
{
	return common;
}

const char *gh_args_option(const struct gh_args *args, const char *name)
{
	for (size_t i = args->nown; i-- > 0;)
		if (strcmp(args->own[i].option->name, name) == 0)
			return args->own[i].value;
	return NULL;
}

bool gh_parse_size(const char *text, uint64_t *ret)
{
	static const char units[] = "kmgtpe";
	const char *unit;
	uint64_t scale = 1;
	char *end;
	double v;

	if (*text < '0' || *text > '9' || text[1] == 'x' || text[1] == 'X')
		return false;
	v = strtod(text, &end);
	end += *end == ' ';
	unit = *end ? strchr(units, *end | 0x20) : NULL;
	if (unit) {
		scale = 1ULL << (10 * (unit - units + 1));
		end++;
		if (*end == 'i' && (end[1] | 0x20) == 'b')
			end++;
	}
	if ((*end | 0x20) == 'b')
		end++;
	if (*end || !(v * (double)scale < 1.8e19))
		return false;
	*ret = (uint64_t)(v * (double)scale);
	return true;
}

/* The unit at *p, in ns, and past it. 0: none. */
static double duration_unit(const char **p)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"ms", 1e6}, {"us", 1e3},	{"µs", 1e3},   {"ns", 1},
		     {"s", 1e9},  {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}};

	for (size_t i = 0; i < GH_ARRAY_SIZE(units); i++) {
		size_t len = strlen(units[i].name);

		if (strncmp(*p, units[i].name, len) == 0) {
			*p += len;
			return units[i].ns;
		}
	}
	return 0;
}

bool gh_parse_duration(const char *text, int64_t *ret)
{
	double sum = 0;

	do {
		char *end;
		double v = *text >= '0' && *text <= '9' ? strtod(text, &end) : -1, unit;

		if (v < 0)
			return false;
		text = end;
		unit = duration_unit(&text);
		if (unit == 0)
			return false;
		sum += v * unit;
	} while (*text);
	if (!(sum < 9e18))
		return false;
	*ret = (int64_t)sum;
	return true;
}

bool gh_parse_address(const char *text, gh_addr *ret)
{
	char *end;

	if (text[0] != '0' || (text[1] | 0x20) != 'x' || !text[2] || strlen(text) > 18)
		return false;
	*ret = strtoull(text, &end, 16);
	return *end == '\0';
}

/* Edits (insert, delete, replace, swap neighbours) from a to b; words up to MAX_WORD. */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][MAX_WORD + 1], la = strlen(a), lb = strlen(b);

	if (la > MAX_WORD || lb > MAX_WORD)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *row = rows[i % 3];
		const size_t *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);

			best = gh_min_u64(best, gh_min_u64(up[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = gh_min_u64(best, up2[j - 2] + 1);
			row[j] = best;
		}
	}
	return rows[la % 3][lb];
}

const char *gh_nearest(const char *word, const char *const *candidates)
{
	const char *nearest = NULL;
	size_t best = SIZE_MAX, len = strlen(word);

	for (; *candidates; candidates++) {
		bool starts = len >= 2 && strncmp(*candidates, word, len) == 0;
		size_t d = starts ? 1 : distance(word, *candidates);

		if (d < best && d <= 1 + len / 4) {
			best = d;
			nearest = *candidates;
		}
	}
	return nearest;
}

/* An option as found in the lists. */
struct found {
	const struct gh_option *option;
	bool own;
};

static const struct gh_option *find_in(const struct gh_option *list, const char *word, size_t len)
{
	for (; list && list->name; list++)
		if ((strlen(list->name) == len && memcmp(list->name, word, len) == 0) ||
		    (list->short_name && strlen(list->short_name) == len &&
		     memcmp(list->short_name, word, len) == 0))
			return list;
	return NULL;
}

static struct found find_option(const struct gh_command *command, const char *word, size_t len)
{
	struct found found = {.own = true};

	found.option = find_in(command->options, word, len);
	if (!found.option) {
		found.option = find_in(common, word, len);
		found.own = false;
	}
	return found;
}

static struct gh_error *unknown_option(const struct gh_command *command, const char *word)
{
	_cleanup_strbuf_ struct gh_strbuf own = {0};
	_cleanup_free_ char *name = strndup(word, strcspn(word, "="));
	const char *candidates[MAX_CANDIDATES + 1];
	const char *nearest;
	size_t n = 0;

	for (const struct gh_option *o = command->options; o && o->name; o++) {
		gh_strbuf_printf(&own, "%s%s", own.len ? ", " : "", o->name);
		if (n < MAX_CANDIDATES)
			candidates[n++] = o->name;
	}
	for (const struct gh_option *o = common; o->name && n < MAX_CANDIDATES; o++)
		candidates[n++] = o->name;
	candidates[n] = NULL;
	nearest = name ? gh_nearest(name, candidates) : NULL;
	if (nearest)
		return gh_error_create(GH_ERR_USAGE, "%s: unknown option '%s': did you mean %s?",
				       command->name, word, nearest);
	if (own.len)
		return gh_error_create(GH_ERR_USAGE,
				       "%s: unknown option '%s': its own are %s: `goheap help %s` "
				       "lists all",
				       command->name, word, gh_strbuf_str(&own), command->name);
	return gh_error_create(GH_ERR_USAGE,
			       "%s: unknown option '%s': `goheap help %s` lists what there is",
			       command->name, word, command->name);
}

static struct gh_error *bad_value(const struct gh_command *command, const char *option,
				  const char *value, const char *wanted)
{
	return gh_error_create(GH_ERR_USAGE, "%s: %s cannot be '%s': give %s", command->name,
			       option, value, wanted);
}

static struct gh_error *set_format(const struct gh_command *command, struct gh_args *args,
				   enum gh_format format)
{
	enum gh_format now = args->render.format;

	if (now != GH_FORMAT_TEXT && now != format)
		return gh_error_create(GH_ERR_USAGE,
				       "%s: --json, --csv and --short exclude each other: give one",
				       command->name);
	args->render.format = format;
	return NULL;
}

static struct gh_error *set_limit(struct gh_args *args, const char *value)
{
	char *end;
	unsigned long long n = strtoull(value, &end, 10);

	if (*value < '0' || *value > '9' || *end)
		return bad_value(args->command, "-n", value, "a number of rows, 0 for all");
	args->render.limit = n ? n : UINT64_MAX;
	args->limit_given = true;
	return NULL;
}

static struct gh_error *set_size(struct gh_args *args, const char *option, const char *value,
				 uint64_t *ret)
{
	if (gh_parse_size(value, ret))
		return NULL;
	return bad_value(args->command, option, value, "a size: 512, 10M, 1GiB");
}

static struct gh_error *set_threads(struct gh_args *args, const char *value)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || n < 1 || n > GH_TEAM_MAX)
		return gh_error_create(GH_ERR_USAGE, "--threads needs a number from 1 to %d, not '%s'",
				       GH_TEAM_MAX, value);
	args->threads = (unsigned int)n;
	return NULL;
}

static struct gh_error *set_common(struct gh_args *args, const char *name, const char *value)
{
	if (strcmp(name, "--limit") == 0)
		return set_limit(args, value);
	if (strcmp(name, "--json") == 0)
		return set_format(args->command, args, GH_FORMAT_JSON);
	if (strcmp(name, "--csv") == 0)
		return set_format(args->command, args, GH_FORMAT_CSV);
	if (strcmp(name, "--short") == 0)
		return set_format(args->command, args, GH_FORMAT_SHORT);
	if (strcmp(name, "--min") == 0)
		return set_size(args, name, value, &args->min_bytes);
	if (strcmp(name, "--max-mem") == 0)
		return set_size(args, name, value, &args->max_mem_bytes);
	if (strcmp(name, "--threads") == 0)
		return set_threads(args, value);
	if (strcmp(name, "--type") == 0)
		args->type_re = value;
	else if (strcmp(name, "--package") == 0)
		args->package_re = value;
	else if (strcmp(name, "--sort") == 0)
		args->render.sort = value;
	else if (strcmp(name, "--reverse") == 0)
		args->render.reverse = true;
	else if (strcmp(name, "--bytes") == 0)
		args->render.exact_bytes = true;
	else if (strcmp(name, "--no-values") == 0)
		args->no_values = true;
	else if (strcmp(name, "--stats") == 0)
		args->stats = true;
	else if (strcmp(name, "--help") == 0)
		args->help = true;
	return NULL;
}

static struct gh_error *set_option(struct gh_args *args, struct found found, const char *value)
{
	if (!found.own)
		return set_common(args, found.option->name, value);
	if (args->nown == GH_ARRAY_SIZE(args->own))
		return gh_error_create(GH_ERR_USAGE, "%s: too many options", args->command->name);
	args->own[args->nown].option = found.option;
	args->own[args->nown].value = value;
	args->nown++;
	return NULL;
}

/* The option at argv[*at], with its value, which may be the next word. */
static struct gh_error *parse_option(struct gh_args *args, const char *const *argv, size_t argc,
				     size_t *at)
{
	const char *word = argv[*at], *value = NULL;
	bool is_long = word[1] == '-';
	size_t len = is_long ? strcspn(word, "=") : gh_min_u64(strlen(word), 2);
	struct found found = find_option(args->command, word, len);

	if (!found.option)
		return unknown_option(args->command, word);
	if (word[len])
		value = word + len + (is_long ? 1 : 0);
	if (value && !found.option->value)
		return gh_error_create(GH_ERR_USAGE, "%s: %s takes no value", args->command->name,
				       found.option->name);
	if (found.option->value && !value) {
		if (*at + 1 >= argc)
			return gh_error_create(GH_ERR_USAGE, "%s: %.*s needs a value: %.*s %s",
					       args->command->name, (int)len, word, (int)len, word,
					       found.option->value);
		value = argv[++*at];
	}
	return set_option(args, found, value ? value : "");
}

static struct gh_error *parse_positional(struct gh_args *args, const char *word)
{
	const struct gh_command *command = args->command;
	size_t max = gh_min_u64(command->max_positional, GH_ARRAY_SIZE(args->positional));

	if (args->npositional == max && max == 0)
		return gh_error_create(GH_ERR_USAGE, "%s takes no '%s': usage: goheap %s",
				       command->name, word, command->usage);
	if (args->npositional == max)
		return gh_error_create(GH_ERR_USAGE, "%s: '%s' is one too many: usage: goheap %s",
				       command->name, word, command->usage);
	args->positional[args->npositional++] = word;
	return NULL;
}

static struct gh_error *parse_words(struct gh_args *args, const char *const *argv, size_t argc)
{
	bool options = true;

	for (size_t i = 0; i < argc; i++) {
		struct gh_error *err;

		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
			continue;
		}
		if (options && argv[i][0] == '-' && argv[i][1])
			err = parse_option(args, argv, argc, &i);
		else
			err = parse_positional(args, argv[i]);
		if (err)
			return err;
	}
	return NULL;
}

struct gh_error *gh_args_parse(const struct gh_command *command, const char *const *argv,
			       size_t argc, struct gh_args *ret)
{
	struct gh_args args = {.command = command, .words = argv, .nwords = argc};
	struct gh_error *err = parse_words(&args, argv, argc);

	if (err)
		return err;
	*ret = args;
	return NULL;
}
