// SPDX-License-Identifier: Apache-2.0
// See pointer_rows.h.
#include "command/pointer_rows.h"

#include <stdlib.h>

#include "base/cleanup.h"

enum column { ADDRESS, TYPE, BYTES, RETAINED, NAME, COUNT, KIND, RETAINED_KIND };

enum { NAMES_A_CHARGE = 1 << 20 }; // bytes

const struct gh_column gh_pointer_columns[GH_POINTER_COLUMNS] = {
	[ADDRESS] = {"address", GH_UNIT_ADDRESS, false, .handle = 'o'},
	[TYPE] = {"type", GH_UNIT_TEXT, false},
	[BYTES] = {"bytes", GH_UNIT_BYTES, false},
	[RETAINED] = {"retained", GH_UNIT_BYTES, false},
	[NAME] = {"name", GH_UNIT_TEXT, false},
	[COUNT] = {"count", GH_UNIT_COUNT, false},
	[KIND] = {"kind", GH_UNIT_TEXT, true},
	[RETAINED_KIND] = {"retained_kind", GH_UNIT_TEXT, true},
};

struct listing {
	struct gh_session *session;
	struct gh_referrers pointers; // owned
	bool is_refs;
	struct gh_arena names;
	uint64_t charged_bytes;
	struct gh_places places;
};

static void listing_destroy(void *ctx)
{
	struct listing *l = ctx;

	if (!l)
		return;
	gh_referrers_deinit(l->session, &l->pointers);
	gh_budget_give(l->session->target->budget, l->charged_bytes);
	gh_places_deinit(&l->places);
	gh_arena_deinit(&l->names);
	free(l);
}

/* Names of many millions of rows may be more than there is room for: then rows have none. */
static bool has_room(struct listing *l)
{
	while (l->names.total >= l->charged_bytes) {
		if (!gh_budget_take(l->session->target->budget, NAMES_A_CHARGE, "names of rows"))
			return false;
		l->charged_bytes += NAMES_A_CHARGE;
	}
	return true;
}

static void fill_object(struct listing *l, const struct gh_slot *slot, struct gh_cell *cells)
{
	uint64_t retained;

	cells[ADDRESS] = gh_cell_u64(slot->ref.base);
	cells[TYPE] = gh_cell_text(slot->name);
	cells[BYTES] = gh_cell_u64(slot->ref.elem_bytes);
	cells[KIND] = gh_cell_text("object");
	if (gh_slot_retained(l->session, slot, &retained)) {
		cells[RETAINED] = gh_cell_u64(retained);
		cells[RETAINED_KIND] = gh_cell_text("exact");
	}
}

/* "next", "[3].key": as it continues the object. */
static const char *name_in(struct listing *l, const struct gh_slot *slot, gh_addr at)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	const char *name;

	gh_slot_name_place(l->session, slot, at - slot->ref.base, &sb);
	name = gh_strbuf_str(&sb);
	if (*name == '.')
		name++;
	return *name ? gh_arena_strndup(&l->names, name, strlen(name)) : NULL;
}

static void fill_root(struct listing *l, const struct gh_referrer *p, struct gh_cell *cells)
{
	if (p->at)
		cells[ADDRESS] = gh_cell_u64(p->at);
	cells[KIND] = gh_cell_text(gh_root_kind_name((enum gh_root_kind)p->kind));
	cells[NAME] = gh_cell_text(has_room(l) ? gh_places_referrer(&l->places, p) : NULL);
}

static void fill_row(void *ctx, size_t row, struct gh_cell *cells)
{
	struct listing *l = ctx;
	const struct gh_referrer *p = &l->pointers.all.data[row];
	struct gh_slot holder, target;

	cells[COUNT] = gh_cell_u64(p->count);
	if (p->is_root) {
		fill_root(l, p, cells);
		return;
	}
	if (!gh_slot_at(l->session, p->at, &l->names, &holder))
		return;
	if (!l->is_refs)
		fill_object(l, &holder, cells);
	else if (gh_slot_at(l->session, p->value, &l->names, &target))
		fill_object(l, &target, cells);
	cells[NAME] = gh_cell_text(has_room(l) ? name_in(l, &holder, p->at) : NULL);
}

struct gh_error *gh_pointer_rows_object(struct gh_session *session, const struct gh_args *args,
					struct gh_report *report, struct gh_slot *ret)
{
	const char *word = args->npositional ? args->positional[0] : NULL;
	struct gh_error *err;
	gh_addr addr;

	if (!word || !gh_parse_address(word, &addr))
		return gh_error_create(GH_ERR_USAGE,
				       "%s: give the address of an object, not '%s': `goheap "
				       "objects` lists them",
				       args->command->name, word ? word : "");
	err = gh_session_mark(session);
	if (!err && gh_args_option(args, "--retained"))
		err = gh_session_dominators(session);
	if (err)
		return err;
	if (!gh_slot_at(session, addr, &report->arena, ret))
		return gh_error_create(GH_ERR_MISSING,
				       "0x%llx is in no object of the heap: `goheap obj 0x%llx` says "
				       "what it is",
				       (unsigned long long)addr, (unsigned long long)addr);
	return NULL;
}

static uint64_t count_words(const struct gh_referrers *pointers)
{
	uint64_t words = 0;

	for (size_t i = 0; i < pointers->all.len; i++)
		words += pointers->all.data[i].count;
	return words;
}

struct gh_error *gh_pointer_rows(struct gh_session *session, struct gh_report *report,
				 struct gh_referrers *pointers, bool is_refs)
{
	struct gh_table *table =
		gh_report_table(report, "objects", gh_pointer_columns, GH_POINTER_COLUMNS);
	struct gh_cell *cells = table ? gh_table_total(table) : NULL;
	struct listing *l = cells ? calloc(1, sizeof(*l)) : NULL;

	if (!l) {
		gh_referrers_deinit(session, pointers);
		return gh_error_nomem();
	}
	l->session = session;
	l->pointers = *pointers;
	*pointers = (struct gh_referrers){0};
	l->is_refs = is_refs;
	l->places = (struct gh_places){.session = session, .arena = &l->names};
	table->row = fill_row;
	table->row_ctx = l;
	table->row_ctx_destroy = listing_destroy;
	table->nrows = l->pointers.all.len;
	cells[COUNT] = gh_cell_u64(count_words(&l->pointers));
	return NULL;
}
