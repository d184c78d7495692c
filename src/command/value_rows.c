// SPDX-License-Identifier: Apache-2.0
// See value_rows.h.
#include "command/value_rows.h"

#include <stdlib.h>

#include "base/cleanup.h"

enum column { NAME, TYPE, VALUE, ADDRESS, OBJECT };

enum {
	MAX_DEPTH = 64,
	MAX_ELEMENTS = 100000,
	NODES_ALL = 200000, // with --elements 0
};

const struct gh_column gh_value_columns[GH_VALUE_COLUMNS] = {
	[NAME] = {"name", GH_UNIT_TEXT, false},
	[TYPE] = {"type", GH_UNIT_TEXT, false},
	[VALUE] = {"value", GH_UNIT_TEXT, false},
	[ADDRESS] = {"address", GH_UNIT_ADDRESS, true},
	[OBJECT] = {"object", GH_UNIT_ADDRESS, true},
};

static struct gh_error *number(const struct gh_args *args, const char *option, uint32_t max,
			       uint32_t *ret)
{
	const char *word = gh_args_option(args, option);
	unsigned long long n;
	char *end;

	if (!word)
		return NULL;
	n = strtoull(word, &end, 10);
	if (*word < '0' || *word > '9' || *end || n > max)
		return gh_error_create(GH_ERR_USAGE, "%s takes a number up to %u, not '%s'",
				       option, max, word);
	*ret = (uint32_t)n;
	return NULL;
}

struct gh_error *gh_value_rows_begin(struct gh_value_rows *rows, const struct gh_args *args)
{
	struct gh_error *err;

	rows->limits = gh_value_limits;
	rows->limits.no_data = rows->session->no_values;
	err = number(args, "--depth", MAX_DEPTH, &rows->limits.follow);
	if (!err)
		err = number(args, "--elements", MAX_ELEMENTS, &rows->limits.elements);
	if (err)
		return err;
	if (!rows->limits.elements)
		rows->limits.elements = UINT32_MAX;
	if (rows->limits.elements > gh_value_limits.elements)
		rows->limits.nodes = NODES_ALL;
	rows->table = gh_report_table(rows->report, "value", gh_value_columns, GH_VALUE_COLUMNS);
	if (!rows->table)
		return gh_error_nomem();
	rows->table->key = NAME;
	return NULL;
}

/* Names continue each other; the first has no dot before it, but for what a pointer leads to. */
static struct gh_error *add(struct gh_value_rows *rows, gh_addr object, const char *prefix,
			    const struct gh_value *value)
{
	struct gh_arena *arena = &rows->report->arena;
	const char *own = value->name ? value->name : "";
	bool drops_dot = !*prefix && *own == '.' && own[1] != '*';
	const char *name = gh_arena_printf(arena, "%s%s", prefix, own + drops_dot);
	struct gh_error *err = NULL;
	struct gh_cell *cells;

	cells = name ? gh_table_row(rows->table) : NULL;
	if (!cells)
		return gh_error_nomem();
	cells[OBJECT] = gh_cell_u64(object);
	cells[NAME] = gh_cell_text(*name ? name : "*");
	cells[TYPE] = gh_cell_text(value->type);
	cells[VALUE] = gh_cell_text(value->text);
	if (value->addr)
		cells[ADDRESS] = gh_cell_u64(value->addr);
	for (const struct gh_value *v = value->children; v && !err; v = v->next)
		err = add(rows, object, name, v);
	return err;
}

/* What a pointer without a type leads to. */
static void about(void *ctx, gh_addr addr, struct gh_strbuf *sb)
{
	struct gh_places *places = ctx;
	_cleanup_error_ struct gh_error *err = NULL;
	struct gh_place place;

	err = gh_place_find(places, addr, &place);
	if (!err && place.name)
		gh_strbuf_puts(sb, place.name);
}

static struct gh_value_reader reader_of(struct gh_value_rows *rows)
{
	return (struct gh_value_reader){
		.types = rows->session->types,
		.arena = &rows->report->arena,
		.limits = rows->limits,
		.about = about,
		.ctx = rows->places,
	};
}

static struct gh_error *add_tree(struct gh_value_rows *rows, gh_addr object,
				 const struct gh_value_reader *reader, const struct gh_value *value)
{
	if (!value)
		return gh_error_nomem();
	rows->cut += reader->cut;
	return add(rows, object, "", value);
}

struct gh_error *gh_value_rows_slot(struct gh_value_rows *rows, const struct gh_slot *slot)
{
	struct gh_value_reader reader = reader_of(rows);
	struct gh_value_place place = gh_slot_value(slot);
	struct gh_value *value = gh_value_read(&reader, &place);

	if (value && !place.type)
		value->type = slot->name;
	return add_tree(rows, slot->ref.base, &reader, value);
}

struct gh_error *gh_value_rows_variable(struct gh_value_rows *rows, const struct gh_place *place)
{
	struct gh_value_reader reader = reader_of(rows);

	if (!place->addr || !gh_gotype_is_known(place->type))
		return NULL;
	return add_tree(rows, place->addr, &reader,
			gh_value_read_typed(&reader, place->addr, place->type));
}

void gh_value_rows_end(struct gh_value_rows *rows)
{
	gh_report_skip(rows->report, "values", rows->cut,
		       "there are more than --elements asks for");
}
