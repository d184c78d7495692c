// SPDX-License-Identifier: Apache-2.0
// See timer_rows.h.
#include "command/timer_rows.h"

#include <stdlib.h>

#include "analysis/alloc_site.h"
#include "analysis/owner_names.h"
#include "analysis/sharing.h"
#include "analysis/waiters.h"
#include "base/hash.h"
#include "command/code_cells.h"
#include "dwarf/offset_map.h"
#include "goruntime/traceback.h"

const struct gh_column gh_timer_columns[GH_TIMER_COLUMNS] = {
	[GH_TC_ADDRESS] = {"address", GH_UNIT_ADDRESS, false, .handle = 'o'},
	[GH_TC_KIND] = {"kind", GH_UNIT_TEXT, false},
	[GH_TC_STATE] = {"state", GH_UNIT_TEXT, false},
	[GH_TC_CALLBACK] = {"callback", GH_UNIT_TEXT, false},
	[GH_TC_CHANNEL] = {"channel", GH_UNIT_TEXT, false},
	[GH_TC_PERIOD_NS] = {"period_ns", GH_UNIT_NS, false},
	[GH_TC_DUE_NS] = {"due_ns", GH_UNIT_NS, false},
	[GH_TC_WHEN_NS] = {"when_ns", GH_UNIT_COUNT, true},
	[GH_TC_VERDICT] = {"verdict", GH_UNIT_TEXT, false},
	[GH_TC_OWNER] = {"owner", GH_UNIT_TEXT, false},
	[GH_TC_RETAINED] = {"retained", GH_UNIT_BYTES, false},
	[GH_TC_RETAINED_KIND] = {"retained_kind", GH_UNIT_TEXT, true},
	[GH_TC_CREATED_BY] = {"created_by", GH_UNIT_TEXT, true},
	[GH_TC_CREATED_SITE] = {"created_site", GH_UNIT_TEXT, true},
	[GH_TC_CHANNEL_ADDRESS] = {"channel_address", GH_UNIT_ADDRESS, true},
	[GH_TC_RECEIVERS] = {"receivers", GH_UNIT_COUNT, true},
	[GH_TC_CLOSURE] = {"closure", GH_UNIT_ADDRESS, true},
	[GH_TC_P] = {"p", GH_UNIT_COUNT, true},
	[GH_TC_CLOCK] = {"clock", GH_UNIT_TEXT, true},
	[GH_TC_CAPTURED] = {"captured", GH_UNIT_TEXT, true},
	[GH_TC_CAPTURED_STRENGTH] = {"captured_strength", GH_UNIT_TEXT, true},
};

GH_VEC(gh_text_vec, const char *);

/* Texts, each once: a hash table of them, at most half full. */
struct gh_timer_texts {
	const char **slots; // owned; texts are the arena's
	size_t cap, n;
	struct gh_waiters waiters;
	struct gh_offset_map by_place; // of shared objects: one more than the number of the text
	struct gh_text_vec names;
};

static struct gh_timer_texts *texts_create(struct gh_session *session)
{
	struct gh_timer_texts *texts = calloc(1, sizeof(*texts));

	if (!texts)
		return NULL;
	texts->cap = 256;
	texts->slots = gh_alloc_array(texts->cap, sizeof(*texts->slots));
	if (!texts->slots || !gh_waiters_init(session, &texts->waiters)) {
		free(texts->slots);
		free(texts);
		return NULL;
	}
	return texts;
}

static void texts_destroy(struct gh_timer_texts *texts)
{
	if (texts) {
		free(texts->slots);
		gh_waiters_deinit(&texts->waiters);
		gh_offset_map_deinit(&texts->by_place);
		gh_text_vec_deinit(&texts->names);
	}
	free(texts);
}

static size_t place_of(const struct gh_timer_texts *texts, const char *text)
{
	uint64_t hash = gh_hash_bytes(GH_HASH_START, text, strlen(text));
	size_t i;

	for (i = hash & (texts->cap - 1); texts->slots[i]; i = (i + 1) & (texts->cap - 1))
		if (!strcmp(texts->slots[i], text))
			break;
	return i;
}

static bool grow(struct gh_timer_texts *texts)
{
	struct gh_timer_texts next = {.cap = texts->cap * 2};

	next.slots = gh_alloc_array(next.cap, sizeof(*next.slots));
	if (!next.slots)
		return false;
	for (size_t i = 0; i < texts->cap; i++)
		if (texts->slots[i])
			next.slots[place_of(&next, texts->slots[i])] = texts->slots[i];
	free(texts->slots);
	texts->slots = next.slots;
	texts->cap = next.cap;
	return true;
}

/* The one copy of a text; NULL: out of memory, or text is NULL. */
static const char *the(struct gh_timer_rows *rows, const char *text)
{
	struct gh_timer_texts *texts = rows->texts;
	size_t i;

	if (!text || (texts->n * 2 >= texts->cap && !grow(texts)))
		return NULL;
	i = place_of(texts, text);
	if (!texts->slots[i]) {
		texts->slots[i] = gh_arena_strndup(rows->arena, text, strlen(text));
		texts->n += texts->slots[i] != NULL;
	}
	return texts->slots[i];
}

struct gh_error *gh_timer_rows_create(struct gh_session *session, bool quick,
				      struct gh_arena *arena, struct gh_timer_rows **ret)
{
	struct gh_timer_rows *rows = calloc(1, sizeof(*rows));
	struct gh_error *err;

	if (!rows)
		return gh_error_nomem();
	rows->session = session;
	rows->arena = arena;
	rows->view = calloc(1, sizeof(*rows->view));
	err = rows->view ? gh_timer_view_create(session, quick, rows->view) : gh_error_nomem();
	if (!err) {
		rows->texts = texts_create(session);
		if (!rows->texts)
			err = gh_error_nomem();
	}
	if (err) {
		gh_timer_rows_destroy(rows);
		return err;
	}
	*ret = rows;
	return NULL;
}

void gh_timer_rows_destroy(void *ctx)
{
	struct gh_timer_rows *rows = ctx;

	if (!rows)
		return;
	if (rows->view)
		gh_timer_view_deinit(rows->view);
	free(rows->view);
	texts_destroy(rows->texts);
	gh_timer_capture_vec_deinit(&rows->captures);
	free(rows);
}

static const char *function_at(const struct gh_runtime *rt, gh_addr pc)
{
	struct gh_func func;

	return pc && gh_func_find(rt, pc, &func) ? gh_func_name(rt, &func) : NULL;
}

/* Is something of the program's called, or is it worth a name? Others do always the same. */
static bool has_callback(const struct gh_timer *t)
{
	return t->kind != GH_TIMER_TIMER && t->kind != GH_TIMER_TICKER &&
	       t->kind != GH_TIMER_SLEEP;
}

static const char *callback_of(const struct gh_timer_rows *rows, const struct gh_timer *t)
{
	return has_callback(t) ? function_at(rows->session->rt, t->callback) : NULL;
}

static struct gh_error *channel_of(struct gh_timer_rows *rows, size_t index, const char **ret)
{
	const struct gh_timer *t = gh_timer_view_at(rows->view, index);
	const struct gh_timer_fact *fact = &rows->view->facts[index];
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	const char *name;
	struct gh_error *err;

	*ret = NULL;
	if (t->kind != GH_TIMER_TIMER && t->kind != GH_TIMER_TICKER)
		return NULL;
	if (!fact->receivers) {
		*ret = "nobody waits";
		return NULL;
	}
	err = gh_waiters_place(&rows->texts->waiters, fact->receiver, &name);
	if (err)
		return err;
	gh_function_print(&sb, name);
	*ret = the(rows, gh_strbuf_str(&sb));
	return *ret ? NULL : gh_error_nomem();
}

static bool has_several(const struct gh_timer_fact *fact)
{
	return fact->place || fact->has_more || fact->others[0] != GH_NODE_NONE;
}

/*
 * Callbacks of timers, this one's among them, say least: of a context all of its family's. What
 * keeps handles of weak pointers says nothing.
 */
static bool says_least(const struct gh_session *session, gh_node owner)
{
	enum gh_root_kind kind = session->owners->owners.data[owner].kind;

	return kind == GH_ROOT_TIMER || kind == GH_ROOT_WEAK;
}

static bool add_but_timers(void *ctx, gh_node owner, uint32_t step)
{
	struct gh_owner_names *names = ctx;

	return says_least(names->session, owner) || gh_owner_names_add(names, owner, step);
}

/* Those that hold a shared object which has the timer. False: some were left out. */
static bool add_sharers(struct gh_timer_rows *rows, uint32_t place, struct gh_owner_names *names)
{
	struct gh_error *err = gh_session_sharing(rows->session);
	const struct gh_sharing *sharing = rows->session->sharing;
	const struct gh_shared *shared;
	bool is_all;

	if (err) {
		gh_error_destroy(err); // no memory for who shares what: the others are named
		return false;
	}
	shared = gh_shared_at(sharing, place);
	is_all = gh_sharing_owners(sharing, shared, add_but_timers, names);
	if (!names->n)
		is_all = gh_sharing_owners(sharing, shared, gh_owner_names_add, names);
	return is_all;
}

/* Under what the names of those that share an object are remembered: the one of them that counts,
 * which a million objects may have in common, or else the object's place. */
static uint64_t key_of_sharers(const struct gh_timer_rows *rows, uint32_t place)
{
	struct gh_error *err = gh_session_sharing(rows->session);
	const struct gh_shared *shared;
	uint64_t lone = 0;

	if (err) {
		gh_error_destroy(err); // the names say that others are left out
		return place;
	}
	shared = gh_shared_at(rows->session->sharing, place);
	for (uint32_t i = 0; i < shared->nowners && !shared->more; i++) {
		if (says_least(rows->session, shared->owners[i]))
			continue;
		if (lone)
			return place;
		lone = 1ULL << 32 | shared->owners[i];
	}
	return lone ? lone : place;
}

static const char *owners_of(struct gh_timer_rows *rows, const struct gh_timer_fact *fact)
{
	bool by_place = fact->owner == GH_NODE_NONE && fact->place && !fact->has_more &&
			fact->others[0] == GH_NODE_NONE;
	uint64_t key = by_place ? key_of_sharers(rows, fact->place) : 0;
	uint32_t known = key ? gh_offset_map_get(&rows->texts->by_place, key) : 0;
	struct gh_arena arena = {0};
	struct gh_owner_names names = {.session = rows->session, .arena = &arena};
	bool is_all = !fact->has_more;
	const char *text;

	if (known)
		return rows->texts->names.data[known - 1];
	if (fact->owner != GH_NODE_NONE)
		is_all &= gh_owner_names_add(&names, fact->owner, 0);
	for (size_t i = 0; i < GH_ARRAY_SIZE(fact->others); i++)
		if (fact->others[i] != GH_NODE_NONE)
			is_all &= gh_owner_names_add(&names, fact->others[i], 0);
	if (fact->place)
		is_all &= add_sharers(rows, fact->place, &names);
	text = the(rows, gh_owner_names_join(&names, is_all));
	gh_arena_deinit(&arena);
	if (key && text && gh_text_vec_push(&rows->texts->names, text) &&
	    !gh_offset_map_put(&rows->texts->by_place, key,
			       (uint32_t)rows->texts->names.len))
		return NULL;
	return text;
}

/* Goroutines by what they run, defers by what they will run: one text for all that are alike. */
static const char *owner_of(struct gh_timer_rows *rows, const struct gh_timer_fact *fact)
{
	const struct gh_owner_graph *graph = rows->session->owners;
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	const struct gh_owner *o;
	const char *name;

	if (graph && has_several(fact))
		return owners_of(rows, fact);
	if (!graph || fact->owner == GH_NODE_NONE)
		return NULL;
	o = &graph->owners.data[fact->owner];
	if (o->kind == GH_ROOT_DEFER) {
		gh_function_print(&sb, o->name ? o->name : "unknown function");
		return the(rows, gh_strbuf_str(&sb));
	}
	if (o->kind != GH_ROOT_GOROUTINE) {
		gh_owner_describe(graph, fact->owner, &sb);
		return the(rows, gh_strbuf_str(&sb));
	}
	name = function_at(rows->session->rt,
			   gh_field_or_zero(rows->session->rt, o->addr, GH_F_g_startpc));
	gh_function_print(&sb, name ? name : "unknown function");
	return the(rows, gh_strbuf_str(&sb));
}

static bool is_owned_by(const struct gh_timer_rows *rows, const struct gh_timer_fact *fact,
			enum gh_root_kind kind)
{
	return rows->session->owners && fact->owner != GH_NODE_NONE &&
	       rows->session->owners->owners.data[fact->owner].kind == kind;
}

struct gh_error *gh_timer_rows_key(struct gh_timer_rows *rows, size_t index,
				   struct gh_timer_key *ret)
{
	const struct gh_timer *t = gh_timer_view_at(rows->view, index);
	const struct gh_timer_fact *fact = &rows->view->facts[index];

	if (t->callback != rows->last_pc || !rows->last_pc) { // alike ones come together
		rows->last_name = the(rows, function_at(rows->session->rt, t->callback));
		rows->last_pc = t->callback;
	}
	*ret = (struct gh_timer_key){
		.callback = has_callback(t) ? rows->last_name : NULL,
		.owner = owner_of(rows, fact),
		.period_ns = t->period_ns,
		.kind = t->kind,
		.verdict = fact->verdict,
		.is_fake = t->is_fake,
	};
	return channel_of(rows, index, &ret->channel);
}

static int compare_text(const char *a, const char *b)
{
	if (a == b)
		return 0;
	return !a ? -1 : !b ? 1 : strcmp(a, b);
}

int gh_timer_key_compare(const struct gh_timer_key *a, const struct gh_timer_key *b)
{
	int order;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->verdict != b->verdict)
		return a->verdict < b->verdict ? -1 : 1;
	if (a->is_fake != b->is_fake)
		return a->is_fake < b->is_fake ? -1 : 1;
	order = compare_text(a->callback, b->callback);
	if (!order)
		order = compare_text(a->channel, b->channel);
	if (!order)
		order = compare_text(a->owner, b->owner);
	if (order || a->period_ns == b->period_ns)
		return order;
	return a->period_ns < b->period_ns ? -1 : 1;
}

/* Texts are each there once, so that their addresses stand for them. */
uint64_t gh_timer_key_hash(const struct gh_timer_key *key)
{
	uint64_t words[] = {(uintptr_t)key->callback, (uintptr_t)key->channel,
			    (uintptr_t)key->owner, (uint64_t)key->period_ns,
			    (uint64_t)key->is_fake << 16 | (uint64_t)key->kind << 8 | key->verdict};
	uint64_t hash = 0;

	for (size_t i = 0; i < GH_ARRAY_SIZE(words); i++)
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ULL ^ hash >> 29;
	return hash;
}

bool gh_timer_rows_due(const struct gh_timer_rows *rows, size_t index, int64_t *ret)
{
	const struct gh_timer *t = gh_timer_view_at(rows->view, index);
	int64_t now;

	if (t->state == GH_TIMER_STOPPED || t->when_ns <= 0 ||
	    !gh_timer_view_now(rows->session, rows->view, t, &now))
		return false;
	return !__builtin_sub_overflow(t->when_ns, now, ret);
}

struct gh_cell gh_timer_rows_verdict(struct gh_timer_rows *rows, size_t index, uint64_t count)
{
	const struct gh_timer_fact *fact = &rows->view->facts[index];
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	switch ((enum gh_timer_verdict)fact->verdict) {
	case GH_TIMER_UNJUDGED:
		return (struct gh_cell){0};
	case GH_TIMER_UNSTOPPABLE:
		return gh_cell_text("unstoppable");
	case GH_TIMER_HELD:
		return gh_cell_text("held");
	case GH_TIMER_IS_STOPPED:
		return gh_cell_text("stopped");
	case GH_TIMER_IN_USE:
		break;
	}
	if (fact->owner == GH_NODE_NONE && !has_several(fact))
		return gh_cell_text("unstoppable, in use");
	gh_strbuf_puts(&sb, "unstoppable, in use by ");
	if (has_several(fact))
		gh_strbuf_puts(&sb, owner_of(rows, fact) ? owner_of(rows, fact) : "several");
	else if (is_owned_by(rows, fact, GH_ROOT_GOROUTINE) && count > 1)
		gh_strbuf_puts(&sb, "goroutines");
	else
		gh_owner_describe(rows->session->owners, fact->owner, &sb);
	return gh_cell_text(the(rows, gh_strbuf_str(&sb)));
}

struct gh_cell gh_timer_rows_owner(struct gh_timer_rows *rows, size_t index, uint64_t count)
{
	const struct gh_timer_fact *fact = &rows->view->facts[index];
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	const char *name = owner_of(rows, fact);

	if (!name)
		return (struct gh_cell){0};
	if (has_several(fact))
		return gh_cell_text(name);
	if (is_owned_by(rows, fact, GH_ROOT_GOROUTINE) && count > 1)
		gh_owner_name(rows->session, fact->owner, &sb);
	else if (is_owned_by(rows, fact, GH_ROOT_GOROUTINE))
		gh_strbuf_printf(&sb, "goroutine %llu (%s)", (unsigned long long)fact->goid, name);
	else if (is_owned_by(rows, fact, GH_ROOT_DEFER) && count > 1)
		gh_strbuf_printf(&sb, "defers of %s", name);
	else if (is_owned_by(rows, fact, GH_ROOT_DEFER))
		gh_owner_describe(rows->session->owners, fact->owner, &sb);
	else
		return gh_cell_text(name);
	return gh_cell_text(the(rows, gh_strbuf_str(&sb)));
}

const char *gh_timer_clock(bool is_fake)
{
	return is_fake ? "bubble" : "real";
}

/* Where it was allocated, if the memory profile sampled that. */
static void fill_created(struct gh_timer_rows *rows, const struct gh_timer *t,
			 struct gh_cell *cells)
{
	_cleanup_strbuf_ struct gh_strbuf function = {0}, site = {0};
	struct gh_source_frame frame;

	if (!rows->session->heap || !gh_alloc_site(rows->session, t->addr, &frame))
		return;
	gh_function_print(&function, frame.function);
	cells[GH_TC_CREATED_BY] = gh_cell_text(the(rows, gh_strbuf_str(&function)));
	if (!frame.file)
		return;
	gh_strbuf_printf(&site, "%s:%d", frame.file, frame.line);
	cells[GH_TC_CREATED_SITE] = gh_cell_text(the(rows, gh_strbuf_str(&site)));
}

void gh_timer_rows_captured(struct gh_timer_rows *rows, size_t index, struct gh_cell *captured,
			    struct gh_cell *strength)
{
	const struct gh_timer *t = gh_timer_view_at(rows->view, index);
	const struct gh_captured *found;

	gh_error_destroy(
		gh_timer_captured(rows->session, t, rows->arena, &rows->captures, &found));
	if (!found || !found->text || !*found->text)
		return;
	*captured = gh_cell_text(found->text);
	*strength = gh_cell_text(gh_strength_name(found->strength));
}

static struct gh_cell address_cell(gh_addr addr)
{
	return addr ? gh_cell_u64(addr) : (struct gh_cell){0};
}

/* Out of memory leaves a cell unknown. */
static void fill_row(void *ctx, size_t row, struct gh_cell *cells)
{
	static const char *const states[] = {"armed", "stopped", "changing"};
	struct gh_timer_rows *rows = ctx;
	const struct gh_timer *t = gh_timer_view_at(rows->view, row);
	const struct gh_timer_fact *fact = &rows->view->facts[row];
	const char *name = callback_of(rows, t), *channel = NULL;
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	int64_t due;

	if (name)
		gh_function_print(&sb, name);
	gh_error_destroy(channel_of(rows, row, &channel));
	cells[GH_TC_ADDRESS] = gh_cell_u64(t->addr);
	cells[GH_TC_KIND] = gh_cell_text(gh_timer_kind_name(t->kind));
	cells[GH_TC_STATE] = gh_cell_text(states[t->state]);
	cells[GH_TC_CALLBACK] = gh_cell_text(name ? the(rows, gh_strbuf_str(&sb)) : NULL);
	cells[GH_TC_CHANNEL] = gh_cell_text(channel);
	if (t->period_ns)
		cells[GH_TC_PERIOD_NS] = gh_cell_i64(t->period_ns);
	if (gh_timer_rows_due(rows, row, &due))
		cells[GH_TC_DUE_NS] = gh_cell_i64(due);
	if (t->state != GH_TIMER_STOPPED)
		cells[GH_TC_WHEN_NS] = gh_cell_i64(t->when_ns);
	cells[GH_TC_CLOCK] = gh_cell_text(gh_timer_clock(t->is_fake));
	cells[GH_TC_VERDICT] = gh_timer_rows_verdict(rows, row, 1);
	cells[GH_TC_OWNER] = gh_timer_rows_owner(rows, row, 1);
	fill_created(rows, t, cells);
	if (fact->has_retained) {
		cells[GH_TC_RETAINED] = gh_cell_u64(fact->retained);
		cells[GH_TC_RETAINED_KIND] = gh_cell_text("exact");
	}
	if (t->kind == GH_TIMER_TIMER || t->kind == GH_TIMER_TICKER) {
		cells[GH_TC_CHANNEL_ADDRESS] = address_cell(t->arg);
		cells[GH_TC_RECEIVERS] = gh_cell_u64(fact->receivers);
	}
	if (t->kind == GH_TIMER_AFTER_FUNC || t->kind == GH_TIMER_CONTEXT)
		cells[GH_TC_CLOSURE] = address_cell(t->arg);
	gh_timer_rows_captured(rows, row, &cells[GH_TC_CAPTURED], &cells[GH_TC_CAPTURED_STRENGTH]);
	if (t->heap != GH_TIMER_NO_HEAP && rows->view->timers->heaps.data[t->heap].p >= 0)
		cells[GH_TC_P] = gh_cell_i64(rows->view->timers->heaps.data[t->heap].p);
}

struct gh_error *gh_timer_rows_table(struct gh_timer_rows *rows, struct gh_report *report)
{
	struct gh_table *table =
		gh_report_table(report, "timers", gh_timer_columns, GH_TIMER_COLUMNS);
	struct gh_cell *total = table ? gh_table_total(table) : NULL;
	uint64_t retained = 0;

	if (!total) {
		gh_timer_rows_destroy(rows);
		return gh_error_nomem();
	}
	table->row = fill_row;
	table->row_ctx = rows;
	table->row_ctx_destroy = gh_timer_rows_destroy;
	table->nrows = gh_timer_view_len(rows->view);
	for (size_t i = 0; i < table->nrows; i++)
		retained += rows->view->facts[i].retained;
	total[GH_TC_RETAINED] = gh_cell_u64(retained);
	return NULL;
}
