// SPDX-License-Identifier: Apache-2.0
// `obj`: what lies at an address, and why it is of its type.
#include <stdlib.h>

#include "analysis/alloc_site.h"
#include "base/cleanup.h"
#include "command/code_cells.h"
#include "command/command.h"
#include "command/filter.h"
#include "command/heap_notes.h"
#include "command/obj_facts.h"
#include "command/value_rows.h"

enum column {
	ADDRESS,
	TYPE,
	BYTES,
	STRENGTH,
	NAME,
	RETAINED,
	RETAINED_KIND,
	REFERRER,
	PLACE,
	SPAN,
	WASTE,
	NCOLUMNS
};

static const struct gh_column columns[NCOLUMNS] = {
	[ADDRESS] = {"address", GH_UNIT_ADDRESS, false, .handle = 'o'},
	[TYPE] = {"type", GH_UNIT_TEXT, false},
	[BYTES] = {"bytes", GH_UNIT_BYTES, false},
	[STRENGTH] = {"strength", GH_UNIT_TEXT, false},
	[NAME] = {"name", GH_UNIT_TEXT, false},
	[RETAINED] = {"retained", GH_UNIT_BYTES, false},
	[RETAINED_KIND] = {"retained_kind", GH_UNIT_TEXT, true},
	[REFERRER] = {"referrer", GH_UNIT_TEXT, false},
	[PLACE] = {"place", GH_UNIT_TEXT, true},
	[SPAN] = {"span", GH_UNIT_ADDRESS, true},
	[WASTE] = {"waste", GH_UNIT_BYTES, true},
};

enum frame_column { F_OBJECT, F_FUNCTION, F_SITE, NFRAME };

static const struct gh_column frame_columns[NFRAME] = {
	[F_OBJECT] = {"object", GH_UNIT_ADDRESS, true},
	[F_FUNCTION] = {"function", GH_UNIT_TEXT, false},
	[F_SITE] = {"site", GH_UNIT_TEXT, false},
};

enum { MAX_SAMPLE = 1 << 20 };

/* An object whose referrer is to be found. */
struct object {
	struct gh_range range;
	size_t row;
};
GH_VEC(object_vec, struct object);

struct request {
	struct gh_session *session;
	struct gh_report *report;
	struct gh_table *objects;
	struct gh_table *allocation; // NULL: nothing shown so far was sampled
	struct gh_fact_rows facts;   // table NULL: nobody asked why
	struct gh_value_rows values; // table NULL: shown instead
	struct gh_places places;
	struct object_vec live;
};

/* The stack of its allocation, if the memory profile sampled that. */
static struct gh_error *add_allocation(struct request *r, const struct gh_span *span, gh_addr base)
{
	const struct gh_runtime *rt = r->session->rt;
	struct gh_source_frame frame;
	struct gh_alloc_stack stack;

	if (!span || !gh_alloc_stack_find(rt, span, base, &stack))
		return NULL;
	if (!r->allocation)
		r->allocation = gh_report_table(r->report, "allocation", frame_columns, NFRAME);
	if (!r->allocation)
		return gh_error_nomem();
	for (uint32_t i = 0; i < stack.depth; i++) {
		struct gh_cell *cells;

		if (!gh_alloc_stack_frame(rt, &stack, i, &frame))
			continue;
		cells = gh_table_row(r->allocation);
		if (!cells)
			return gh_error_nomem();
		cells[F_OBJECT] = gh_cell_u64(base);
		cells[F_FUNCTION] = gh_function_cell(r->report, frame.function);
		cells[F_SITE] = gh_site_cell(r->report, frame.file, frame.line);
	}
	return NULL;
}

static struct gh_error *add_value(struct request *r, const struct gh_span *span,
				  const struct gh_slot *slot)
{
	struct gh_error *err = slot->state == GH_SLOT_IS_FREE ? NULL
							      : gh_value_rows_slot(&r->values, slot);

	return err || slot->state == GH_SLOT_IS_FREE ? err
						     : add_allocation(r, span, slot->ref.base);
}

static struct gh_error *add_slot(struct request *r, const struct gh_slot *slot)
{
	const struct gh_span *span = gh_span_of_slot(&r->session->heap->table, slot->ref.slot);
	struct gh_cell *cells = gh_table_row(r->objects);
	struct object object = {
		.range = {slot->ref.base, slot->ref.base + slot->ref.elem_bytes},
		.row = r->objects->nrows - 1,
	};
	uint64_t retained;

	if (!cells || (slot->state == GH_SLOT_IS_LIVE && !object_vec_push(&r->live, object)))
		return gh_error_nomem();
	cells[ADDRESS] = gh_cell_u64(slot->ref.base);
	cells[TYPE] = gh_cell_text(slot->name);
	cells[BYTES] = gh_cell_u64(slot->ref.elem_bytes);
	cells[STRENGTH] = gh_cell_text(gh_strength_name(slot->strength));
	if (!gh_slot_is_whole(slot))
		cells[NAME] = gh_cell_text(
			gh_slot_describe(r->session, slot->ref.base + slot->ref.offset,
					 &r->report->arena));
	cells[PLACE] = gh_cell_text(gh_place_kind_name(GH_PLACE_HEAP));
	if (span)
		cells[SPAN] = gh_cell_u64(span->base);
	if (gh_slot_retained(r->session, slot, &retained)) {
		cells[RETAINED] = gh_cell_u64(retained);
		cells[RETAINED_KIND] = gh_cell_text("exact");
	}
	if (slot->value_bytes)
		cells[WASTE] = gh_cell_u64(slot->ref.elem_bytes - slot->value_bytes);
	if (r->facts.table)
		return slot->state == GH_SLOT_IS_LIVE ? gh_fact_rows_add(&r->facts, slot->ref.base)
						      : NULL;
	return add_value(r, span, slot);
}

/* What lies on a stack, in static data, in code. */
static struct gh_error *add_place(struct request *r, gh_addr addr, const struct gh_place *place)
{
	struct gh_cell *cells = gh_table_row(r->objects);

	if (!cells)
		return gh_error_nomem();
	cells[ADDRESS] = gh_cell_u64(place->addr ? place->addr : addr);
	if (gh_gotype_is_known(place->type)) {
		cells[TYPE] = gh_cell_text(gh_gotype_name(r->session->types, place->type));
		cells[BYTES] = gh_cell_u64(place->bytes);
	}
	cells[NAME] = gh_cell_text(place->name);
	cells[PLACE] = gh_cell_text(gh_place_kind_name(place->kind));
	return r->values.table ? gh_value_rows_variable(&r->values, place) : NULL;
}

static struct gh_error *add_address(struct request *r, const char *word)
{
	struct gh_place place;
	struct gh_error *err;
	gh_addr addr;

	if (!gh_parse_address(word, &addr))
		return gh_error_create(
			GH_ERR_USAGE, "obj: '%s' is no address: `goheap objects` lists them", word);
	err = gh_place_find(&r->places, addr, &place);
	if (err)
		return err;
	if (place.kind == GH_PLACE_HEAP)
		return add_slot(r, &place.slot);
	if (place.kind == GH_PLACE_UNMAPPED)
		return gh_error_create(GH_ERR_MISSING,
				       "0x%llx is in no object of the heap, and in no other memory "
				       "of the process that is at hand",
				       (unsigned long long)addr);
	return add_place(r, addr, &place);
}

static int by_address(const void *a, const void *b)
{
	const struct object *x = a, *y = b;

	return x->range.lo < y->range.lo ? -1 : x->range.lo > y->range.lo;
}

/* Whoever was asked for twice has one range. */
static size_t ranges_of(const struct object_vec *live, struct gh_range *ranges)
{
	size_t n = 0;

	for (size_t i = 0; i < live->len; i++)
		if (!n || ranges[n - 1].lo != live->data[i].range.lo)
			ranges[n++] = live->data[i].range;
	return n;
}

/* Who refers to the objects shown: one sweep for all of them. */
static struct gh_error *find_referrers(struct request *r)
{
	_cleanup_free_ struct gh_range *ranges = gh_alloc_array(r->live.len, sizeof(*ranges));
	_cleanup_free_ struct gh_referrer *found = gh_alloc_array(r->live.len, sizeof(*found));
	struct gh_error *err;
	size_t n, at;

	if (!ranges || !found)
		return gh_error_nomem();
	if (!r->live.len)
		return NULL;
	qsort(r->live.data, r->live.len, sizeof(*r->live.data), by_address);
	n = ranges_of(&r->live, ranges);
	err = gh_referrers_first(r->session, ranges, n, found);
	for (size_t i = 0; !err && i < r->live.len; i++) {
		const struct object *object = &r->live.data[i];

		at = gh_ranges_find(ranges, n, object->range.lo);
		if (at < n && found[at].count)
			r->objects->cells[object->row * NCOLUMNS + REFERRER] =
				gh_cell_text(gh_places_referrer(&r->places, &found[at]));
	}
	return err;
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

	for (uint64_t i = 0; !err && i < nslots && r->objects->nrows < n; i++) {
		struct gh_slot object;

		slot = (slot + stride) % nslots;
		if (!gh_state_is_live(gh_mark_state(r->session->mark, slot)) ||
		    !gh_slot_at(r->session, gh_heap_slot_base(r->session->heap, slot),
				&r->report->arena, &object) ||
		    object.ref.elem_bytes < filter->min_bytes ||
		    !gh_filter_type(filter, object.name))
			continue;
		err = add_slot(r, &object);
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
	if (gh_args_option(args, "--why-type"))
		err = gh_fact_rows_begin(&r->facts);
	else
		err = gh_value_rows_begin(&r->values, args);
	for (size_t i = 0; !err && i < args->npositional; i++)
		err = add_address(r, args->positional[i]);
	if (!err && sample)
		err = add_sample(r, filter, sample);
	if (!err && r->facts.table) {
		gh_fact_rows_end(&r->facts);
	} else if (!err) {
		gh_value_rows_end(&r->values);
		err = find_referrers(r);
	}
	return err;
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	struct request r = {
		.session = session,
		.report = report,
		.facts = {.session = session, .report = report},
		.values = {.session = session, .report = report, .places = &r.places},
		.places = {.session = session, .arena = &report->arena},
	};
	_cleanup_filter_ struct gh_filter filter = {0};
	struct gh_error *err;
	uint64_t sample;

	err = sample_size(args, &sample);
	if (!err)
		err = gh_filter_init(args, &filter);
	if (!err)
		err = gh_session_mark(session);
	if (!err && gh_args_option(args, "--retained"))
		err = gh_session_dominators(session);
	if (!err)
		err = fill(&r, args, &filter, sample);
	gh_places_deinit(&r.places);
	object_vec_deinit(&r.live);
	if (!err)
		gh_heap_notes(session, report);
	return err;
}

static const struct gh_table_shape tables[] = {
	{"objects", columns, NCOLUMNS},
	{"value", gh_value_columns, GH_VALUE_COLUMNS},
	{"allocation", frame_columns, NFRAME},
	{"facts", gh_fact_columns, GH_FACT_COLUMNS},
	{NULL, NULL, 0},
};

static const struct gh_option options[] = {
	{"--depth", NULL, "N", GH_VALUE_DEPTH_HELP},
	{"--elements", NULL, "N", GH_VALUE_ELEMENTS_HELP},
	{"--retained", NULL, NULL, "compute what it retains"},
	{"--why-type", NULL, NULL, "the chain of facts that gave the object its type"},
	{"--sample", NULL, "N", "N live objects from all over the heap (always the same ones)"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_example examples[] = {
	{"core obj 0xc000012345", "the object that this address lies in, and its value"},
	{"core obj $o3 --depth 3", "three pointers deep"},
	{"core obj 0xc000012345 --why-type", "and how its type is known"},
	{"core obj --sample 5 --type 'main[.]' --why-type", "five objects of package main"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_obj = {
	.name = "obj",
	.summary = "What lies at an address: its type, its value, how the type is known.",
	.usage = "obj ADDRESS ... [--depth N] [--elements N] [--why-type] | obj --sample N",
	.help = "An address may point anywhere into an object; name then says which field it is. "
		"It may lie on a stack (name: goroutine, frame, variable), in static data (name: "
		"package variable and field) or in code (name: function, file and line) as well.\n\n"
		"The table `value` has a row for each part, named as in Go: next.id, buf[3], "
		"m[\"u42\"], err.(*errors.errorString).s; `*` is the value itself. What a pointer "
		"to a struct leads to has the pointer's own name: --depth says how far. Strings are "
		"Go literals, cut after 120 bytes. With --no-values structure stays, and strings, "
		"numbers and keys are left out.\n\n"
		"Where the memory profile sampled the allocation of the object (a program that links "
		"a profiler, one in 512 KiB), the table `allocation` has its stack.\n\n"
		"referrer is the first root or object that points there: `referrers` lists all. "
		"retained is there after a command that computed it, or with --retained. waste is "
		"what the slot has beyond the value. --why-type gives a table of facts "
		"instead, one a line: the word at `word`, in the object of the next line (name says "
		"which field), claims `claims`. A chain ends at a root (a package variable, a "
		"goroutine) or at what tells its own type: the allocator's header, the span of a "
		"large object, a finalizer's record, or an object of unknown type in which an "
		"interface shows.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.max_positional = 8,
	.needs_target = true,
	.reads = GH_READS_VALUES,
	.all_rows = true,
	.run = run,
};
