// SPDX-License-Identifier: Apache-2.0
// `obj`: what lies at an address, and why it is of its type.
#include <stdlib.h>

#include "analysis/histogram.h"
#include "base/cleanup.h"
#include "command/command.h"
#include "command/filter.h"
#include "command/heap_notes.h"

enum column { ADDRESS, TYPE, BYTES, STRENGTH, NAME, NCOLUMNS };

static const struct gh_column columns[NCOLUMNS] = {
	[ADDRESS] = {"address", GH_UNIT_ADDRESS, false},
	[TYPE] = {"type", GH_UNIT_TEXT, false},
	[BYTES] = {"bytes", GH_UNIT_BYTES, false},
	[STRENGTH] = {"strength", GH_UNIT_TEXT, false},
	[NAME] = {"name", GH_UNIT_TEXT, false},
};

enum fact_column {
	F_OBJECT,
	F_ADDRESS,
	F_TYPE,
	F_STRENGTH,
	F_FACT,
	F_CLAIMS,
	F_WORD,
	F_NAME,
	NFACTS
};

static const struct gh_column fact_columns[NFACTS] = {
	[F_OBJECT] = {"object", GH_UNIT_ADDRESS, false},
	[F_ADDRESS] = {"address", GH_UNIT_ADDRESS, false},
	[F_TYPE] = {"type", GH_UNIT_TEXT, false},
	[F_STRENGTH] = {"strength", GH_UNIT_TEXT, false},
	[F_FACT] = {"fact", GH_UNIT_TEXT, false},
	[F_CLAIMS] = {"claims", GH_UNIT_TEXT, false},
	[F_WORD] = {"word", GH_UNIT_ADDRESS, false},
	[F_NAME] = {"name", GH_UNIT_TEXT, false},
};

enum {
	MAX_LINKS = 100, // of one chain
	MAX_SAMPLE = 1 << 20,
};

struct request {
	struct gh_session *session;
	struct gh_report *report;
	struct gh_table *objects, *facts; // facts: NULL when nobody asked why
	uint64_t cut;			  // chains longer than MAX_LINKS
};

/* A slot with the mark that knows it: what is live, else what is garbage. */
static const struct gh_mark *mark_of(const struct gh_session *session, uint64_t slot)
{
	bool is_live = gh_state_is_live(gh_mark_state(session->mark, slot));

	return is_live || !session->garbage ? session->mark : session->garbage;
}

static const char *name_of(const struct request *r, const struct gh_slot_ref *ref,
			   enum gh_strength *strength_ret)
{
	const struct gh_mark *mark = mark_of(r->session, ref->slot);
	uint16_t state = gh_mark_state(mark, ref->slot);

	*strength_ret =
		gh_state_is_live(state) ? gh_object_strength(mark, state) : GH_STRENGTH_UNKNOWN;
	if (state == GH_SLOT_FREE)
		return "free slot";
	if (!gh_state_is_live(state))
		return "dead";
	return gh_object_name(r->session, mark, state, ref->class, &r->report->arena);
}

/* "main.node.next": the word at an address of a live object. */
static const char *place_in(const struct request *r, gh_addr word)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	enum gh_strength strength;
	struct gh_slot_ref ref;
	struct gh_code code;
	uint64_t header;
	const char *type;

	if (!gh_heap_find(r->session->heap, word, &ref))
		return NULL;
	type = name_of(r, &ref, &strength);
	code = gh_mark_code(r->session->mark, gh_mark_state(r->session->mark, ref.slot));
	header = gh_edges_header(r->session->mark, ref.base).at ? GH_MALLOC_HEADER_BYTES : 0;
	gh_strbuf_puts(&sb, type);
	if (code.type && code.form != GH_FORM_PARTIAL)
		gh_types_field_name(r->session->types, code.type, code.form == GH_FORM_ARRAY,
				    ref.offset - header, &sb);
	else
		gh_strbuf_printf(&sb, "+%llu", (unsigned long long)ref.offset);
	return gh_arena_strndup(&r->report->arena, gh_strbuf_str(&sb), sb.len);
}

static const char *root_name(const struct request *r, const struct gh_fact *fact)
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

static const char *claimed(const struct request *r, const struct gh_fact *fact)
{
	if (fact->kind == GH_FACT_HEADER)
		return gh_types_name(r->session->types, fact->header.type);
	if (!gh_mark_code(r->session->mark, fact->word.code).type)
		return NULL;
	return gh_object_name(r->session, r->session->mark, fact->word.code, 0, &r->report->arena);
}

static struct gh_error *add_fact(const struct request *r, gh_addr object, gh_addr at,
				 const struct gh_fact *fact)
{
	struct gh_cell *cells = gh_table_row(r->facts);
	enum gh_strength strength;
	struct gh_slot_ref ref;
	gh_addr word = fact->kind == GH_FACT_HEADER ? fact->header.at : fact->word.at;

	if (!cells || !gh_heap_find(r->session->heap, at, &ref))
		return gh_error_nomem();
	cells[F_OBJECT] = gh_cell_u64(object);
	cells[F_ADDRESS] = gh_cell_u64(ref.base);
	cells[F_TYPE] = gh_cell_text(name_of(r, &ref, &strength));
	cells[F_STRENGTH] = gh_cell_text(gh_strength_name(strength));
	cells[F_FACT] = gh_cell_text(fact_name(fact));
	cells[F_CLAIMS] = gh_cell_text(claimed(r, fact));
	if (word)
		cells[F_WORD] = gh_cell_u64(word);
	if (fact->kind == GH_FACT_WORD)
		cells[F_NAME] = gh_cell_text(place_in(r, word));
	else if (fact->kind == GH_FACT_ROOT)
		cells[F_NAME] = gh_cell_text(root_name(r, fact));
	return NULL;
}

static bool is_unknown(const struct request *r, gh_addr object)
{
	struct gh_slot_ref ref;

	return gh_heap_find(r->session->heap, object, &ref) &&
	       gh_object_strength(r->session->mark, gh_mark_state(r->session->mark, ref.slot)) ==
		       GH_STRENGTH_UNKNOWN;
}

/* From the object to what needs no reason. */
static struct gh_error *explain(struct request *r, gh_addr object)
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
		if (err || fact.kind != GH_FACT_WORD)
			break;
		if (!fact.part && is_unknown(r, at))
			break; // how it is reached is no reason for a type
		at = fact.holder;
		fact = fact.part ? gh_why_part(r->session->why, fact.part)
				 : gh_why_object(r->session->why, at);
	}
	return err;
}

static struct gh_error *add_object(struct request *r, const struct gh_slot_ref *ref)
{
	struct gh_cell *cells = gh_table_row(r->objects);
	enum gh_strength strength;

	if (!cells)
		return gh_error_nomem();
	cells[ADDRESS] = gh_cell_u64(ref->base);
	cells[TYPE] = gh_cell_text(name_of(r, ref, &strength));
	cells[BYTES] = gh_cell_u64(ref->elem_bytes);
	cells[STRENGTH] = gh_cell_text(gh_strength_name(strength));
	if (ref->offset)
		cells[NAME] = gh_cell_text(place_in(r, ref->base + ref->offset));
	if (r->facts && gh_state_is_live(gh_mark_state(r->session->mark, ref->slot)))
		return explain(r, ref->base);
	return NULL;
}

static struct gh_error *add_address(struct request *r, const char *word)
{
	struct gh_slot_ref ref;
	gh_addr addr;
	char *end;

	addr = strtoull(word, &end, 0);
	if (*word < '0' || *word > '9' || *end)
		return gh_error_create(
			GH_ERR_USAGE, "obj: '%s' is no address: `goheap objects` lists them", word);
	if (!gh_heap_find(r->session->heap, addr, &ref))
		return gh_error_create(GH_ERR_MISSING, "0x%llx is in no object of the heap",
				       (unsigned long long)addr);
	return add_object(r, &ref);
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* A step that leads through all n slots, each once, in an order that looks like none. */
static uint64_t stride_of(uint64_t n)
{
	uint64_t step = (uint64_t)((double)n * 0.6180339887) | 1;

	while (common_divisor(step, n) != 1)
		step++;
	return step;
}

/* n live objects whose type passes the filter, from all over the heap; fewer if there are fewer. */
static struct gh_error *add_sample(struct request *r, const struct gh_filter *filter, uint64_t n)
{
	uint64_t nslots = r->session->heap->table.nslots, slot = 0;
	uint64_t stride = nslots ? stride_of(nslots) : 0;
	struct gh_error *err = NULL;
	enum gh_strength strength;

	for (uint64_t i = 0; !err && i < nslots && r->objects->nrows < n; i++) {
		struct gh_slot_ref ref;

		slot = (slot + stride) % nslots;
		if (!gh_state_is_live(gh_mark_state(r->session->mark, slot)) ||
		    !gh_heap_find(r->session->heap, gh_heap_slot_base(r->session->heap, slot),
				  &ref) ||
		    ref.elem_bytes < filter->min_bytes ||
		    !gh_filter_type(filter, name_of(r, &ref, &strength)))
			continue;
		err = add_object(r, &ref);
		if (!err && i % 1024 == 0)
			err = gh_poll(&r->session->poll, "drawing objects", r->objects->nrows, n);
	}
	return err;
}

static struct gh_error *sample_size(const struct gh_args *args, uint64_t *ret)
{
	const char *word = gh_args_option(args, "--sample");
	char *end;

	*ret = word ? strtoull(word, &end, 10) : 0;
	if (word && (*end || !*ret || *ret > MAX_SAMPLE))
		return gh_error_create(GH_ERR_USAGE,
				       "obj: --sample takes a number from 1 to %d, not '%s'",
				       MAX_SAMPLE, word);
	if (!word && !args->npositional)
		return gh_error_create(GH_ERR_USAGE, "obj: give an address: `goheap objects` "
						     "lists them, `obj --sample 5` draws some");
	return NULL;
}

static struct gh_error *fill(struct request *r, const struct gh_args *args,
			     const struct gh_filter *filter, uint64_t sample)
{
	struct gh_error *err = NULL;

	r->objects = gh_report_table(r->report, "objects", columns, NCOLUMNS);
	if (!r->objects)
		return gh_error_nomem();
	if (gh_args_option(args, "--why-type")) {
		err = gh_session_why(r->session);
		r->facts = err ? NULL : gh_report_table(r->report, "facts", fact_columns, NFACTS);
		if (!err && !r->facts)
			err = gh_error_nomem();
	}
	for (size_t i = 0; !err && i < args->npositional; i++)
		err = add_address(r, args->positional[i]);
	if (!err && sample)
		err = add_sample(r, filter, sample);
	if (r->cut)
		gh_report_skip(r->report, "chains", r->cut, "longer than 100 links: cut there");
	if (!err && r->facts && gh_why_unexplained(r->session->why))
		gh_report_skip(r->report, "objects", gh_why_unexplained(r->session->why),
			       "the facts behind their types were not found again");
	return err;
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	struct request r = {.session = session, .report = report};
	_cleanup_filter_ struct gh_filter filter = {0};
	struct gh_error *err;
	uint64_t sample;

	err = sample_size(args, &sample);
	if (!err)
		err = gh_filter_init(args, &filter);
	if (!err)
		err = gh_session_mark(session);
	if (!err)
		err = fill(&r, args, &filter, sample);
	if (!err)
		gh_heap_notes(session, report);
	return err;
}

static const struct gh_option options[] = {
	{"--why-type", NULL, NULL, "the chain of facts that gave the object its type"},
	{"--sample", NULL, "N", "N live objects from all over the heap (always the same ones)"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"objects", columns, NCOLUMNS},
	{"facts", fact_columns, NFACTS},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core obj 0xc000012345", "the object that this address lies in"},
	{"core obj 0xc000012345 --why-type", "and how its type is known"},
	{"core obj --sample 5 --type 'main[.]' --why-type", "five objects of package main"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_obj = {
	.name = "obj",
	.summary = "One heap object: what lies at an address, and how its type is known.",
	.usage = "obj ADDRESS ... [--why-type] | obj --sample N [--why-type]",
	.help = "An address may point anywhere into the object; name then says which field it "
		"is.\n\n"
		"--why-type adds a table of facts, one a line: the word at `word`, in the object "
		"of the next line (name says which field), claims `claims`. A chain ends at a "
		"root (a package variable, a goroutine) or at what tells its own type: the "
		"allocator's header, the span of a large object, a finalizer's record, or an "
		"object "
		"of unknown type in which an interface shows.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.max_positional = 8,
	.needs_target = true,
	.run = run,
};
