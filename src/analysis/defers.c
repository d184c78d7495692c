// SPDX-License-Identifier: Apache-2.0
// See defers.h.
#include "analysis/defers.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "dwarf/offset_map.h"
#include "graph/edges.h"
#include "graph/words.h"

enum {
	POLL_GOROUTINES = 1024,
	CHARGED_ROWS = 4096, // taken from the budget at a time
	MAX_DIRECT = 1 << 12, // objects behind one closure that are told apart
	CODE_WORD = 8,	     // of a closure
	CLOSURE_WORDS = 64,  // looked at, of one on the stack
	MAX_STATEMENTS = 4096, // of a frame
};

const char *gh_bound_name(enum gh_bound bound)
{
	switch (bound) {
	case GH_BOUND_UNKNOWN:
		return NULL;
	case GH_EXACT:
		return "exact";
	case GH_AT_LEAST:
		return "at_least";
	case GH_AT_MOST:
		return "at_most";
	}
	return NULL;
}

struct node_of {
	gh_addr addr;
	gh_node node;
};
GH_VEC(node_of_vec, struct node_of);

struct lister {
	struct gh_session *session;
	struct gh_defer_list *list;
	struct node_of_vec owners; // of defers, by address
	struct gh_offset_map codes; // number + 1 in the list, by pc
	struct gh_frame_vec frames;
	struct gh_defer_vec defers;
	struct gh_addr_vec direct; // slots behind one closure
	uint64_t direct_bytes, stack_words; // of it; pointers of a closure on the stack
	gh_addr closure;		    // its slot in the heap
	bool nomem;
};

static int by_addr(const void *a, const void *b)
{
	const struct node_of *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static bool list_owners(struct lister *l)
{
	const struct gh_owner_graph *graph = l->session->owners;

	for (size_t i = 0; graph && i < graph->owners.len; i++) {
		const struct gh_owner *o = &graph->owners.data[i];

		if (o->kind == GH_ROOT_DEFER &&
		    !node_of_vec_push(&l->owners, (struct node_of){o->addr, (gh_node)i}))
			return false;
	}
	if (l->owners.len)
		qsort(l->owners.data, l->owners.len, sizeof(*l->owners.data), by_addr);
	return true;
}

static gh_node find_owner(const struct lister *l, const struct gh_defer *d)
{
	struct node_of key = {.addr = d->record ? d->record : d->fn_at};
	const struct node_of *found = l->owners.len ? bsearch(&key, l->owners.data, l->owners.len,
							      sizeof(key), by_addr)
						    : NULL;

	return found ? found->node : GH_NODE_NONE;
}

/* By the closure that is met first: it may lie on the stack. */
static struct gh_error *read_captured(struct lister *l, const struct gh_defer *d,
				      struct gh_deferred_code *code)
{
	struct gh_session *s = l->session;
	struct gh_closure_object closure = {
		.pc = code->pc, .words = CLOSURE_WORDS, .on_stack = true};

	if (!s->types || !s->mark)
		return NULL;
	if (d->fn && gh_edges_closure(s->mark, d->fn, &closure))
		closure.pc = code->pc;
	return gh_captured_read(s, &closure, l->list->arena, &code->captured);
}

/* Index of the code, read when it is met first. */
static struct gh_error *code_of(struct lister *l, const struct gh_defer *d, uint32_t *ret)
{
	gh_addr pc = d->code;
	struct gh_deferred_code_vec *codes = &l->list->codes;
	struct gh_deferred_code code = {.pc = pc};
	uint32_t known = gh_offset_map_get(&l->codes, pc);
	struct gh_error *err;
	struct gh_func func;

	if (known) {
		*ret = known - 1;
		return NULL;
	}
	if (pc && gh_func_find(l->session->rt, pc, &func))
		code.function = gh_func_name(l->session->rt, &func);
	err = pc ? read_captured(l, d, &code) : NULL;
	if (err)
		return err;
	*ret = (uint32_t)codes->len;
	if (!gh_deferred_code_vec_push(codes, code) ||
	    !gh_offset_map_put(&l->codes, pc, (uint32_t)codes->len))
		return gh_error_nomem();
	return NULL;
}

static void see_direct(void *ctx, gh_addr at, uint64_t value)
{
	struct lister *l = ctx;
	struct gh_slot_ref ref;

	(void)at;
	if (!gh_heap_find(l->session->heap, value, &ref) || ref.base == l->closure ||
	    l->direct.len >= MAX_DIRECT)
		return;
	for (size_t i = 0; i < l->direct.len; i++)
		if (l->direct.data[i] == ref.base)
			return;
	l->nomem |= !gh_addr_vec_push(&l->direct, ref.base);
	l->direct_bytes += ref.elem_bytes;
}

/* Objects directly behind the variables: of the closure in the heap, or of words on the stack. */
static void see_owner(struct lister *l, gh_node node, gh_addr closure)
{
	const struct gh_owner_graph *graph = l->session->owners;
	const struct gh_owner *o = &graph->owners.data[node];

	for (uint64_t i = 0; i < o->nwords; i++) {
		uint64_t value = graph->words[o->first_word + i].value;
		struct gh_word_slot t = gh_word_slot(graph->mark, value);

		if (t.slot == GH_SLOT_NONE)
			continue;
		if (value == closure) {
			l->closure = t.base;
			gh_object_words(graph->mark, t.base, t.page, see_direct, l);
		} else {
			l->stack_words += graph->words[o->first_word + i].at > closure;
			see_direct(l, 0, value);
		}
	}
}

static bool is_on_stack(const struct gh_goroutine *g, gh_addr addr)
{
	return addr >= g->stack_lo && addr < g->stack_hi;
}

/*
 * Bytes of the variables. DWARF names those that the compiler kept whole; the heap slot of a
 * closure bounds what there can be; a closure in static data captured nothing.
 */
static void measure_captured(const struct lister *l, const struct gh_goroutine *g,
			     const struct gh_defer *d, const struct gh_captured *c,
			     struct gh_defer_row *row)
{
	bool on_stack = is_on_stack(g, d->fn);
	uint64_t read = c->read > CODE_WORD ? c->read - CODE_WORD : 0;
	struct gh_slot_ref ref;
	bool in_heap = d->fn && gh_heap_find(l->session->heap, d->fn, &ref);

	row->captured = GH_EXACT;
	if (c->text && c->strength >= GH_STRENGTH_DECLARED) {
		row->captured_bytes = c->bytes;
		if (c->has_gaps || on_stack ||
		    (in_heap && ref.elem_bytes / 2 >= gh_align_up(c->end, 8)))
			row->captured = GH_AT_LEAST;
	} else if (in_heap) {
		row->captured_bytes = ref.elem_bytes - CODE_WORD;
		row->captured = GH_AT_MOST;
	} else if (on_stack) {
		row->captured_bytes = gh_max_u64(l->stack_words * 8, read);
		row->captured = GH_AT_LEAST;
	}
	row->captured_bytes += l->direct_bytes;
}

/* Objects directly behind a variable in a frame. */
static void see_variable(struct lister *l, gh_addr addr, const struct gh_captured_ref *ref)
{
	const struct gh_edge *edges = ref->type ? gh_types_edges(l->session->types, ref->type) : NULL;
	uint64_t nwords = edges ? gh_types_get(l->session->types, ref->type)->nwords : 0;
	uint64_t value;

	for (uint64_t i = 0; i < gh_min_u64(nwords, MAX_DIRECT); i++)
		if (gh_read_u64(l->session->rt->image, addr + i * 8, &value))
			see_direct(l, 0, value);
}

/* Variables that the closure has pointers to, if they lie in the frame: that holds them. */
static void see_frame(struct lister *l, const struct gh_goroutine *g, const struct gh_defer *d,
		      const struct gh_captured *c, struct gh_defer_row *row)
{
	uint64_t bytes = 0, value;

	l->direct.len = 0;
	l->direct_bytes = 0;
	for (size_t i = 0; i < c->nrefs; i++) {
		const struct gh_captured_ref *ref = &c->refs[i];

		if (!gh_read_u64(l->session->rt->image, d->fn + ref->offset, &value) ||
		    value < g->stack_lo || value >= g->stack_hi)
			continue;
		row->refers_to_frame = true;
		bytes += ref->size;
		see_variable(l, value, ref);
	}
	row->has_in_frame = row->refers_to_frame;
	row->in_frame_bytes = bytes + l->direct_bytes;
}

static void measure(struct lister *l, const struct gh_goroutine *g, const struct gh_defer *d,
		    const struct gh_deferred_code *code, struct gh_defer_row *row)
{
	gh_node node = find_owner(l, d);

	l->direct.len = 0;
	l->direct_bytes = l->stack_words = 0;
	l->closure = 0;
	if (node != GH_NODE_NONE) {
		see_owner(l, node, d->fn);
		row->retained = gh_domtree_retained(l->session->domtree, node);
		row->has_retained = true;
		row->retained_exactly = code->captured.is_whole || !is_on_stack(g, d->fn);
	}
	measure_captured(l, g, d, &code->captured, row);
	if (d->fn)
		see_frame(l, g, d, &code->captured, row);
}

static struct gh_error *push_row(struct lister *l, const struct gh_defer_row *row)
{
	struct gh_defer_list *list = l->list;
	uint64_t bytes = CHARGED_ROWS * sizeof(*row);

	if (list->rows.len * sizeof(*row) >= list->charged_bytes) {
		struct gh_error *err = gh_budget_charge(list->budget, bytes, "pending defers");

		if (err)
			return err;
		list->charged_bytes += bytes;
	}
	return gh_defer_row_vec_push(&list->rows, *row) ? NULL : gh_error_nomem();
}

static struct gh_error *add_defer(struct lister *l, const struct gh_goroutine *g,
				  const struct gh_defer *d, uint32_t chain)
{
	struct gh_defer_row row = {.record = d->record,
				   .closure = d->fn,
				   .goid = g->goid,
				   .chain = chain,
				   .kind = d->kind};
	struct gh_source_frame line;
	const struct gh_deferred_code *code;
	struct gh_error *err = code_of(l, d, &row.code);

	if (err)
		return err;
	code = &l->list->codes.data[row.code];
	if (d->frame != GH_DEFER_NO_FRAME)
		row.frame = gh_func_name(l->session->rt, &l->frames.data[d->frame].func);
	row.is_statement = gh_defer_site(l->session->rt, d, &line);
	row.file = line.file;
	row.line = line.line;
	if (l->session->domtree)
		measure(l, g, d, code, &row);
	return l->nomem ? gh_error_nomem() : push_row(l, &row);
}

/* A statement of one frame; of a range over a function, the function that it defers. */
struct statement {
	gh_addr pc, code;
	uint32_t count;
};
GH_VEC(statement_vec, struct statement);

static bool has_record(const struct gh_defer *d)
{
	return d->record && !d->is_list;
}

static struct statement *statement_of(struct statement_vec *statements, const struct gh_defer *d)
{
	struct statement *s;

	for (size_t i = 0; i < statements->len; i++) {
		s = &statements->data[i];
		if (s->pc == d->pc && (d->pc || s->code == d->code))
			return s;
	}
	if (statements->len == MAX_STATEMENTS)
		return &statements->data[MAX_STATEMENTS - 1]; // no compiler's work
	return statement_vec_push(statements, (struct statement){d->pc, d->code, 0})
		       ? &statements->data[statements->len - 1]
		       : NULL;
}

/* Defers [from, to) of one frame: how many each statement has pending. */
static struct gh_error *add_frame(struct lister *l, const struct gh_goroutine *g, size_t from,
				  size_t to)
{
	const struct gh_defer *defers = l->defers.data;
	struct statement_vec statements = {0};
	struct gh_error *err = NULL;

	for (size_t i = from; i < to && !err; i++) {
		struct statement *s =
			has_record(&defers[i]) ? statement_of(&statements, &defers[i]) : NULL;

		if (s)
			s->count++;
		else if (has_record(&defers[i]))
			err = gh_error_nomem();
	}
	for (size_t i = from; i < to && !err; i++) {
		if (!defers[i].is_list)
			err = add_defer(l, g, &defers[i],
					has_record(&defers[i])
						? statement_of(&statements, &defers[i])->count
						: 1);
	}
	statement_vec_deinit(&statements);
	return err;
}

static struct gh_error *add_defers(struct lister *l, const struct gh_goroutine *g)
{
	const struct gh_defer_vec *defers = &l->defers;
	struct gh_error *err = NULL;

	for (size_t i = 0, end; i < defers->len && !err; i = end) {
		for (end = i + 1; end < defers->len; end++)
			if (defers->data[end].sp != defers->data[i].sp)
				break;
		err = add_frame(l, g, i, end);
	}
	return err;
}

static struct gh_error *list_goroutine(struct lister *l, size_t i)
{
	const struct gh_goroutine *g = &l->session->goroutines.data[i];
	enum gh_unwind_end end;
	struct gh_error *err;

	l->frames.len = l->defers.len = 0;
	err = gh_session_unwind(l->session, i, &l->frames, &end);
	if (!err)
		err = gh_defers_load(l->session->rt, g, &l->frames, &l->defers, &l->list->skips);
	l->list->incomplete += end != GH_UNWIND_COMPLETE;
	return err ? err : add_defers(l, g);
}

static struct gh_error *list_all(struct lister *l)
{
	const struct gh_goroutine_vec *gs = &l->session->goroutines;
	struct gh_error *err = list_owners(l) ? NULL : gh_error_nomem();

	for (size_t i = 0; i < gs->len && !err; i++) {
		if (i % POLL_GOROUTINES == 0)
			err = gh_poll(&l->session->poll, "reading defers", i, gs->len);
		if (!err && !gh_goroutine_is_dead(&gs->data[i]))
			err = list_goroutine(l, i);
	}
	return err;
}

struct gh_error *gh_defer_list_create(struct gh_session *session, bool quick,
				      struct gh_arena *arena, struct gh_defer_list *ret)
{
	struct lister l = {.session = session, .list = ret};
	struct gh_error *err = gh_session_stacks(session);

	*ret = (struct gh_defer_list){.arena = arena, .budget = session->target->budget};
	if (!err && !quick)
		err = gh_session_dominators(session);
	if (!err)
		err = list_all(&l);
	node_of_vec_deinit(&l.owners);
	gh_offset_map_deinit(&l.codes);
	gh_frame_vec_deinit(&l.frames);
	gh_defer_vec_deinit(&l.defers);
	gh_addr_vec_deinit(&l.direct);
	if (err)
		gh_defer_list_deinit(ret);
	return err;
}

void gh_defer_list_deinit(struct gh_defer_list *list)
{
	gh_budget_give(list->budget, list->charged_bytes);
	gh_defer_row_vec_deinit(&list->rows);
	gh_deferred_code_vec_deinit(&list->codes);
	*list = (struct gh_defer_list){0};
}
