// SPDX-License-Identifier: Apache-2.0
// `find`: strings and bytes in live objects.
#include <stdlib.h>

#include "analysis/find.h"
#include "analysis/place.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "command/command.h"
#include "command/heap_notes.h"

enum column { ADDRESS, TYPE, BYTES, OFFSET, NAME, VALUE, REFERRER, OWNER, NCOLUMNS };

static const struct gh_column columns[NCOLUMNS] = {
	[ADDRESS] = {"address", GH_UNIT_ADDRESS, false, .handle = 'o'},
	[TYPE] = {"type", GH_UNIT_TEXT, false},
	[BYTES] = {"bytes", GH_UNIT_BYTES, false},
	[OFFSET] = {"offset", GH_UNIT_COUNT, false},
	[NAME] = {"name", GH_UNIT_TEXT, true},
	[VALUE] = {"value", GH_UNIT_TEXT, .below = true},
	[REFERRER] = {"referrer", GH_UNIT_TEXT, false},
	[OWNER] = {"owner", GH_UNIT_TEXT, false},
};

enum {
	BEFORE = 16, // bytes shown around what was found
	AROUND = 64,
	MAX_PATTERN = 4096,
	MAX_HOLDERS = 1000, // rows whose referrers are looked for
};

/* Occurrences; cells are made when a row is shown. */
struct listing {
	struct gh_session *session;
	struct gh_found found;	     // owned
	struct gh_range *ranges;     // owned: the objects of the first rows, by address
	struct gh_referrer *holders; // owned: of each range
	size_t nranges;
	struct gh_arena names;
	struct gh_places places;
};

static void listing_destroy(void *ctx)
{
	struct listing *l = ctx;

	if (!l)
		return;
	gh_found_deinit(l->session, &l->found);
	free(l->ranges);
	free(l->holders);
	gh_places_deinit(&l->places);
	gh_arena_deinit(&l->names);
	free(l);
}

static const char *keep(struct listing *l, const struct gh_strbuf *sb)
{
	return gh_arena_strndup(&l->names, gh_strbuf_str(sb), sb->len);
}

/* What stands around the occurrence, in the same object. */
static const char *context(struct listing *l, const struct gh_slot *slot, gh_addr at)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	uint64_t before = gh_min_u64(slot->ref.offset, BEFORE);
	uint64_t n = gh_min_u64(AROUND, slot->ref.elem_bytes - slot->ref.offset + before);
	const char *bytes = gh_image_at(l->session->rt->image, at - before, n);

	if (!bytes)
		return NULL;
	gh_text_quote(&sb, bytes, n);
	return keep(l, &sb);
}

static const char *place_in(struct listing *l, const struct gh_slot *slot)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	const char *name;

	gh_slot_name_place(l->session, slot, slot->ref.offset, &sb);
	name = gh_strbuf_str(&sb);
	name += *name == '.';
	return *name ? gh_arena_strndup(&l->names, name, strlen(name)) : NULL;
}

static void fill_holder(struct listing *l, const struct gh_slot *slot, struct gh_cell *cells)
{
	size_t i = gh_ranges_find(l->ranges, l->nranges, slot->ref.base);
	const struct gh_referrer *holder = i < l->nranges ? &l->holders[i] : NULL;
	_cleanup_strbuf_ struct gh_strbuf owner = {0};

	if (holder && holder->count)
		cells[REFERRER] = gh_cell_text(gh_places_referrer(&l->places, holder));
	if (gh_slot_owner(l->session, slot->ref.slot, holder ? holder->at : 0, &owner))
		cells[OWNER] = gh_cell_text(keep(l, &owner));
	else if (holder && holder->is_root)
		cells[OWNER] = cells[REFERRER];
}

static void fill_row(void *ctx, size_t row, struct gh_cell *cells)
{
	struct listing *l = ctx;
	gh_addr at = l->found.all.data[row];
	struct gh_slot slot;

	if (!gh_slot_at(l->session, at, &l->names, &slot))
		return;
	cells[ADDRESS] = gh_cell_u64(slot.ref.base);
	cells[TYPE] = gh_cell_text(slot.name);
	cells[BYTES] = gh_cell_u64(slot.ref.elem_bytes);
	cells[OFFSET] = gh_cell_u64(slot.ref.offset);
	cells[NAME] = gh_cell_text(place_in(l, &slot));
	cells[VALUE] = gh_cell_text(context(l, &slot, at));
	fill_holder(l, &slot, cells);
}

/* The objects of the first rows, each once: occurrences come by address. */
static struct gh_error *find_holders(struct listing *l)
{
	size_t n = gh_min_u64(l->found.all.len, MAX_HOLDERS);
	struct gh_slot_ref ref;

	l->ranges = gh_alloc_array(n, sizeof(*l->ranges));
	l->holders = gh_alloc_array(n, sizeof(*l->holders));
	if (!l->ranges || !l->holders)
		return gh_error_nomem();
	for (size_t i = 0; i < n; i++) {
		if (!gh_heap_find(l->session->heap, l->found.all.data[i], &ref) ||
		    (l->nranges && l->ranges[l->nranges - 1].lo == ref.base))
			continue;
		l->ranges[l->nranges++] =
			(struct gh_range){ref.base, ref.base + ref.elem_bytes};
	}
	return gh_referrers_first(l->session, l->ranges, l->nranges, l->holders);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

/* "de ad be ef", "0xdeadbeef" into bytes; false: it is no such thing. */
static bool parse_hex(const char *text, uint8_t *bytes, size_t *len_ret)
{
	size_t n = 0;

	if (text[0] == '0' && (text[1] | 0x20) == 'x')
		text += 2;
	while (*text && n < MAX_PATTERN) {
		if (*text == ' ') {
			text++;
			continue;
		}
		if (digit(text[0]) < 0 || digit(text[1]) < 0)
			return false;
		bytes[n++] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
		text += 2;
	}
	*len_ret = n;
	return !*text;
}

static struct gh_error *read_pattern(const struct gh_args *args, uint8_t *bytes,
				     struct gh_pattern *ret)
{
	const char *word = args->npositional ? args->positional[0] : "";
	size_t len = strlen(word);

	if (args->no_values)
		return gh_error_create(GH_ERR_USAGE,
				       "find shows what the program's data is: it does not go with "
				       "--no-values");
	*ret = (struct gh_pattern){word, len};
	if (gh_args_option(args, "--hex")) {
		if (!parse_hex(word, bytes, &len))
			return gh_error_create(GH_ERR_USAGE,
					       "find: '%s' are no pairs of hexadecimal digits",
					       word);
		*ret = (struct gh_pattern){bytes, len};
	}
	if (!len || len > MAX_PATTERN)
		return gh_error_create(GH_ERR_USAGE, "find: give 1 to %d bytes to look for",
				       MAX_PATTERN);
	return NULL;
}

static struct gh_error *read_max(const struct gh_args *args, uint64_t *ret)
{
	const char *word = gh_args_option(args, "--max");
	char *end;

	*ret = word ? strtoull(word, &end, 10) : UINT64_MAX;
	if (word && (*word < '0' || *word > '9' || *end || !*ret))
		return gh_error_create(GH_ERR_USAGE, "find: --max takes a number, not '%s'", word);
	return NULL;
}

static struct gh_error *tabulate(struct listing *l, struct gh_report *report)
{
	struct gh_table *table = gh_report_table(report, "found", columns, NCOLUMNS);

	if (!table) {
		listing_destroy(l);
		return gh_error_nomem();
	}
	table->row = fill_row;
	table->row_ctx = l;
	table->row_ctx_destroy = listing_destroy;
	table->nrows = l->found.all.len;
	report->headline =
		l->found.total
			? gh_arena_printf(&report->arena, "%s%llu place%s in %llu live object%s",
					  l->found.stopped ? "at least " : "",
					  (unsigned long long)l->found.total,
					  gh_plural(l->found.total),
					  (unsigned long long)l->found.objects,
					  gh_plural(l->found.objects))
			: gh_arena_printf(&report->arena, "in none of the %llu live objects",
					  (unsigned long long)gh_mark_counts(l->session->mark).live);
	if (l->found.stopped)
		gh_report_note(report, "the search ended at the number of places that --max asks for");
	if (l->found.all.len > MAX_HOLDERS)
		gh_report_note(report, "referrers were looked for of the first %d places only",
			       MAX_HOLDERS);
	return NULL;
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	uint8_t bytes[MAX_PATTERN];
	struct gh_pattern pattern;
	struct listing *l;
	uint64_t max;
	struct gh_error *err = read_pattern(args, bytes, &pattern);

	if (!err)
		err = read_max(args, &max);
	if (!err)
		err = gh_session_mark(session);
	if (!err && gh_args_option(args, "--owners"))
		err = gh_session_dominators(session);
	if (err)
		return err;
	l = calloc(1, sizeof(*l));
	if (!l)
		return gh_error_nomem();
	l->session = session;
	l->places = (struct gh_places){.session = session, .arena = &l->names};
	err = gh_find(session, pattern, max, &l->found);
	if (!err)
		err = find_holders(l);
	if (err) {
		listing_destroy(l);
		return err;
	}
	err = tabulate(l, report);
	if (!err)
		gh_heap_notes(session, report);
	return err;
}

static const struct gh_option options[] = {
	{"--hex", NULL, NULL, "PATTERN is pairs of hexadecimal digits: 'de ad be ef'"},
	{"--max", NULL, "N", "stop after N places"},
	{"--owners", NULL, NULL, "compute who owns the objects"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"found", columns, NCOLUMNS},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core find 'Bearer '", "tokens that are still in memory, and who holds them"},
	{"core find --hex 1f8b08 --max 100", "gzip headers; the first hundred"},
	{"core find session-42 --owners", "with the variable or goroutine that owns each"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_find = {
	.name = "find",
	.summary = "Strings and bytes in live objects.",
	.usage = "find PATTERN [--hex] [--max N] [--owners]",
	.help = "PATTERN is plain text, as it stands in memory. address, type and bytes are those "
		"of the object that it lies in, offset and name where in it, value is what stands "
		"around it, referrer the first root or object that points to the object: "
		"`referrers` lists all. owner is the variable, goroutine or queue without which "
		"the object would be garbage, `shared` if there are several; it is there after a "
		"command that computed it, or with --owners.\n\n"
		"What is garbage is not looked at. A slot may be larger than the value in it: "
		"behind the end of a string or a slice something older may stand.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.max_positional = 1,
	.needs_target = true,
	.reads = GH_READS_VALUES,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_PACKAGE | GH_IGNORES_MIN,
	.run = run,
};
