// SPDX-License-Identifier: Apache-2.0
// See obj_facts.h.
#include "command/obj_facts.h"

#include "analysis/histogram.h"

enum column { OBJECT, ADDRESS, TYPE, STRENGTH, FACT, CLAIMS, WORD, NAME };

const struct gh_column gh_fact_columns[GH_FACT_COLUMNS] = {
	[OBJECT] = {"object", GH_UNIT_ADDRESS, false},
	[ADDRESS] = {"address", GH_UNIT_ADDRESS, false},
	[TYPE] = {"type", GH_UNIT_TEXT, false},
	[STRENGTH] = {"strength", GH_UNIT_TEXT, false},
	[FACT] = {"fact", GH_UNIT_TEXT, false},
	[CLAIMS] = {"claims", GH_UNIT_TEXT, false},
	[WORD] = {"word", GH_UNIT_ADDRESS, false},
	[NAME] = {"name", GH_UNIT_TEXT, false},
};

enum { MAX_LINKS = 100 }; // of one chain

static const char *root_name(const struct gh_fact_rows *r, const struct gh_fact *fact)
{
	if (!fact->root_name)
		return gh_arena_printf(&r->report->arena, "goroutine %llu",
				       (unsigned long long)fact->goid);
	return gh_arena_printf(&r->report->arena, "%s %s", gh_root_kind_name(fact->root_kind),
			       fact->root_name);
}

/* How a word says what it says. */
static const char *fact_name(const struct gh_fact *fact)
{
	static const char *const names[] = {
		[GH_EDGE_UNKNOWN] = "word",	     [GH_EDGE_POINTER] = "pointer",
		[GH_EDGE_ARRAY] = "array",	     [GH_EDGE_SLICE] = "slice",
		[GH_EDGE_STRING] = "string",	     [GH_EDGE_EFACE] = "interface",
		[GH_EDGE_IFACE] = "interface",	     [GH_EDGE_FUNC] = "func",
		[GH_EDGE_REFLECT] = "reflect.Value", [GH_EDGE_DIRECTORY] = "map",
	};

	switch (fact->kind) {
	case GH_FACT_HEADER:
		return fact->header.at ? "header" : "span";
	case GH_FACT_SPECIAL:
		return "special";
	case GH_FACT_TIMER:
		return "timer";
	case GH_FACT_WORD:
	case GH_FACT_ROOT:
		if (fact->word.guessed && fact->word.code >= GH_CODE_FIRST)
			return "interface";
		return fact->word.kind < GH_ARRAY_SIZE(names) ? names[fact->word.kind] : "word";
	case GH_FACT_NONE:
		break;
	}
	return "none";
}

static const char *claimed(const struct gh_fact_rows *r, const struct gh_fact *fact)
{
	if (fact->kind == GH_FACT_HEADER)
		return gh_types_name(r->session->types, fact->header.type);
	if (!gh_mark_code(r->session->mark, fact->word.code).type)
		return NULL;
	return gh_object_name(r->session, r->session->mark, fact->word.code, 0, &r->report->arena);
}

static struct gh_error *add_fact(const struct gh_fact_rows *r, gh_addr object, gh_addr at,
				 const struct gh_fact *fact)
{
	struct gh_cell *cells = gh_table_row(r->table);
	struct gh_slot slot;
	gh_addr word = fact->kind == GH_FACT_HEADER ? fact->header.at : fact->word.at;

	if (!cells || !gh_slot_at(r->session, at, &r->report->arena, &slot))
		return gh_error_nomem();
	cells[OBJECT] = gh_cell_u64(object);
	cells[ADDRESS] = gh_cell_u64(slot.ref.base);
	cells[TYPE] = gh_cell_text(slot.name);
	cells[STRENGTH] = gh_cell_text(gh_strength_name(slot.strength));
	cells[FACT] = gh_cell_text(fact_name(fact));
	cells[CLAIMS] = gh_cell_text(claimed(r, fact));
	if (word)
		cells[WORD] = gh_cell_u64(word);
	if (fact->kind == GH_FACT_WORD || fact->kind == GH_FACT_TIMER)
		cells[NAME] = gh_cell_text(
			gh_slot_describe(r->session, word, &r->report->arena));
	else if (fact->kind == GH_FACT_ROOT)
		cells[NAME] = gh_cell_text(root_name(r, fact));
	return NULL;
}

static bool is_unknown(const struct gh_fact_rows *r, gh_addr object)
{
	struct gh_slot_ref ref;

	return gh_heap_find(r->session->heap, object, &ref) &&
	       gh_object_strength(r->session->mark, gh_mark_state(r->session->mark, ref.slot)) ==
		       GH_STRENGTH_UNKNOWN;
}

struct gh_error *gh_fact_rows_add(struct gh_fact_rows *r, gh_addr object)
{
	struct gh_fact fact = gh_why_object(r->session->why, object);
	struct gh_error *err = NULL;
	gh_addr at = object;

	for (int links = 0; !err; links++) {
		if (links == MAX_LINKS) {
			r->cut++;
			break;
		}
		err = add_fact(r, object, at, &fact);
		if (err || fact.kind != GH_FACT_WORD || fact.is_guess)
			break;
		if (!fact.part && is_unknown(r, at))
			break; // how it is reached is no reason for a type
		at = fact.holder;
		fact = fact.part ? gh_why_part(r->session->why, fact.part)
				 : gh_why_object(r->session->why, at);
	}
	return err;
}

struct gh_error *gh_fact_rows_begin(struct gh_fact_rows *r)
{
	struct gh_error *err = gh_session_why(r->session);

	if (err)
		return err;
	r->table = gh_report_table(r->report, "facts", gh_fact_columns, GH_FACT_COLUMNS);
	return r->table ? NULL : gh_error_nomem();
}

void gh_fact_rows_end(struct gh_fact_rows *r)
{
	gh_report_skip(r->report, "chains", r->cut, "longer than 100 links: cut there");
	gh_report_skip(r->report, "objects", gh_why_unexplained(r->session->why),
		       "the facts behind their types were not found again");
}
