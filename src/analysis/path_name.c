// SPDX-License-Identifier: Apache-2.0
// See path_name.h.
#include "analysis/path_name.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "graph/step_name.h"

enum {
	MAX_PERIOD = 4,	  // hops of a cycle of types that is folded
	FOLD_FROM = 3,	  // rounds
	MAX_TEXT = 1 << 16, // bytes of an expression
};

void gh_path_namer_init(struct gh_path_namer *namer, struct gh_session *session,
			struct gh_arena *arena)
{
	*namer = (struct gh_path_namer){
		.session = session,
		.arena = arena,
		.places = {.session = session, .arena = arena},
	};
}

void gh_path_namer_deinit(struct gh_path_namer *namer)
{
	gh_places_deinit(&namer->places);
}

/* Without DWARF: is it an interface, whose first word is an itab or a descriptor? */
static bool is_interface(const struct gh_session *s, const struct gh_static_var *var)
{
	gh_addr first;

	return var->size == 16 && gh_read_u64(s->rt->image, var->addr, &first) &&
	       (gh_module_of_types(s->rt, first) || gh_itab_type(s->rt, first));
}

/* A word of the value of a package variable. */
static void put_variable(struct gh_path_namer *namer, const struct gh_static_var *var, gh_addr at,
			 struct gh_strbuf *sb)
{
	struct gh_session *s = namer->session;
	struct gh_step step = {.type = gh_types_of_dwarf(s->types, var->type),
			       .data = var->addr,
			       .at = at,
			       .is_variable = true,
			       .merged = namer->merged,
			       .no_values = s->no_values};

	gh_strbuf_puts(sb, var->name);
	if (step.type)
		gh_step_name(s->mark, &step, sb);
	else if (at != var->addr && !(at == var->addr + 8 && is_interface(s, var)))
		gh_strbuf_printf(sb, "+0x%llx", (unsigned long long)(at - var->addr));
}

/* A word of static data: through values without a name up to the variable that leads to them. */
static void put_static(struct gh_path_namer *namer, gh_addr at, struct gh_strbuf *sb)
{
	struct gh_session *s = namer->session;
	struct gh_root links[GH_STATICS_MAX_LINKS];
	struct gh_static_var var;
	int n = 0;

	while (!gh_statics_variable(s->statics, n ? links[n - 1].at : at, &var)) {
		if (n == GH_STATICS_MAX_LINKS ||
		    !gh_statics_link(s->statics, n ? links[n - 1].at : at, &links[n]))
			return;
		n++;
	}
	put_variable(namer, &var, n ? links[n - 1].at : at, sb);
	for (; n; n--) {
		struct gh_word via = gh_edges_of_root(s->mark, &links[n - 1]);
		struct gh_code code = gh_mark_code(s->mark, via.code);
		struct gh_step step = {.type = code.type,
				       .is_array = code.form == GH_FORM_ARRAY,
				       .data = links[n - 1].value,
				       .at = n > 1 ? links[n - 2].at : at,
				       .via = &via,
				       .merged = namer->merged,
				       .no_values = s->no_values};

		gh_step_assertion(s->types, &via, sb);
		gh_step_name(s->mark, &step, sb);
	}
}

/* "goroutine 7 main.f.&x.next" as people write it; "goroutine […]" of many. True: "&x". */
static bool put_stack_place(const struct gh_path_namer *namer, const char *name,
			    struct gh_strbuf *sb)
{
	const char *digits = strchr(name, ' '), *offset = strstr(name, " sp+");
	const char *end = offset ? offset : name + strlen(name), *by_ref;

	if (namer->merged && digits) {
		gh_strbuf_puts(sb, "goroutine […]");
		name = digits + 1 + strcspn(digits + 1, " ");
	}
	by_ref = strstr(name, ".&");
	if (by_ref && by_ref < end) {
		gh_strbuf_add(sb, name, (size_t)(by_ref + 1 - name));
		name = by_ref + 2;
	}
	gh_strbuf_add(sb, name, name < end ? (size_t)(end - name) : 0);
	return by_ref && by_ref < end;
}

static void put_goroutine(const struct gh_path_namer *namer, gh_node owner, struct gh_strbuf *sb)
{
	if (namer->merged)
		gh_strbuf_puts(sb, "goroutine […]");
	else
		gh_owner_describe(namer->session->owners, owner, sb);
}

/* A word of what describes a goroutine: what it waits with, its record. */
static void put_own_word(struct gh_path_namer *namer, gh_node owner, gh_addr at,
			 struct gh_strbuf *sb)
{
	struct gh_session *s = namer->session;
	const char *name = gh_slot_describe(s, at, namer->arena);
	gh_addr g = s->owners->owners.data[owner].addr;

	put_goroutine(namer, owner, sb);
	if (name && strncmp(name, "runtime.sudog.elem", 18) == 0)
		for (size_t i = 0; i < s->goroutines.len; i++)
			if (s->goroutines.data[i].addr == g)
				name = s->goroutines.data[i].wait_reason;
	if (name)
		gh_strbuf_printf(sb, " (%s)", name);
}

/* True: it leads to the variable that was named. */
static bool put_goroutine_word(struct gh_path_namer *namer, gh_node owner, gh_addr at,
			       struct gh_strbuf *sb)
{
	_cleanup_error_ struct gh_error *err = NULL;
	struct gh_place place = {0};

	if (at)
		err = gh_place_find(&namer->places, at, &place);
	if (!err && place.kind == GH_PLACE_HEAP)
		put_own_word(namer, owner, at, sb);
	else if (!err && place.kind == GH_PLACE_STACK && place.name)
		return put_stack_place(namer, place.name, sb);
	else
		put_goroutine(namer, owner, sb);
	return false;
}

bool gh_path_is_expression(const struct gh_owner *owner)
{
	return owner->kind == GH_ROOT_GLOBAL || owner->kind == GH_ROOT_GOROUTINE ||
	       owner->kind == GH_ROOT_RUNTIME;
}

struct gh_word gh_path_root_word(struct gh_path_namer *namer, struct gh_owner_word word)
{
	struct gh_session *s = namer->session;
	struct gh_root root;

	if (word.at && gh_statics_word(s->statics, word.at, &root))
		return gh_edges_of_root(s->mark, &root);
	return (struct gh_word){.at = word.at, .value = word.value, .code = GH_CODE_UNKNOWN};
}

void gh_path_root_name(struct gh_path_namer *namer, gh_node owner, struct gh_owner_word word,
		       struct gh_strbuf *sb, struct gh_path_via *via_ret)
{
	struct gh_session *s = namer->session;
	const struct gh_owner *o = &s->owners->owners.data[owner];
	size_t before = sb->len;
	struct gh_root root;

	*via_ret = (struct gh_path_via){.word = gh_path_root_word(namer, word)};
	if (word.at && gh_statics_word(s->statics, word.at, &root))
		put_static(namer, word.at, sb);
	else if (o->kind == GH_ROOT_GOROUTINE)
		via_ret->is_variable = put_goroutine_word(namer, owner, word.at, sb);
	else if (o->kind == GH_ROOT_DEFER && o->name && namer->merged)
		gh_strbuf_printf(sb, "defer %s of goroutine […]", o->name);
	if (sb->len == before)
		gh_owner_describe(s->owners, owner, sb);
}

static gh_addr holder_of(const struct gh_path_namer *namer, gh_addr at)
{
	struct gh_slot_ref ref;

	if (!at || !gh_heap_find(namer->session->heap, at, &ref))
		return 0;
	return ref.base +
	       (gh_edges_header(namer->session->mark, ref.base).at ? GH_MALLOC_HEADER_BYTES : 0);
}

void gh_path_step_name(struct gh_path_namer *namer, gh_addr at, struct gh_strbuf *sb,
		       struct gh_path_via *via)
{
	struct gh_session *s = namer->session;
	struct gh_step step = {.at = at,
			       .via = via->word.value ? &via->word : NULL,
			       .holder = holder_of(namer, via->word.at),
			       .is_variable = via->is_variable,
			       .merged = namer->merged,
			       .no_values = s->no_values};
	_cleanup_strbuf_ struct gh_strbuf name = {0};
	struct gh_slot slot;

	if (!gh_slot_at(s, at, namer->arena, &slot))
		return;
	step.type = slot.code.type;
	step.is_array = slot.code.form == GH_FORM_ARRAY;
	step.data = slot.ref.base + slot.header;
	via->is_variable = gh_step_name(s->mark, &step, &name);
	if (name.len)
		gh_step_assertion(s->types, &via->word, sb);
	gh_strbuf_add(sb, gh_strbuf_str(&name), name.len);
	sb->failed |= name.failed;
	via->word = gh_edges_word(s->mark, at);
}

/* A row in the making: hops that have no text of their own belong to the one before. */
struct naming {
	struct gh_path_namer *namer;
	struct gh_path_row_vec *rows;
	size_t first; // row of this path
	struct gh_strbuf expression;
	bool inside; // the last row's object is a part of a map or the like
};

static bool is_inside(const struct naming *n, gh_addr object)
{
	struct gh_session *s = n->namer->session;
	struct gh_slot slot;

	return gh_slot_at(s, object, n->namer->arena, &slot) &&
	       gh_step_is_inside(s->types, slot.code.type);
}

static bool add_row(struct naming *n, const char *text, const struct gh_path_hop *hop)
{
	struct gh_path_row row = {.object = hop->object,
				  .word = hop->at,
				  .hops = hop->repeats,
				  .is_folded = hop->repeats > 1};
	struct gh_path_row *last = n->rows->len > n->first ? &n->rows->data[n->rows->len - 1] : NULL;

	if (!*text && last && !n->namer->all_hops) {
		if (n->inside) { // what it leads to is what people see
			last->object = hop->object;
			last->word = hop->at;
			n->inside = is_inside(n, hop->object);
		}
		last->hops += hop->repeats;
		return true;
	}
	row.name = gh_arena_strndup(n->namer->arena, text, strlen(text));
	n->inside = is_inside(n, hop->object);
	return row.name && gh_path_row_vec_push(n->rows, row);
}

static void put_count(struct gh_strbuf *sb, uint64_t count)
{
	if (count >= 1000) {
		put_count(sb, count / 1000);
		gh_strbuf_printf(sb, ",%03llu", (unsigned long long)(count % 1000));
	} else {
		gh_strbuf_printf(sb, "%llu", (unsigned long long)count);
	}
}

static bool put_cut(struct naming *n, const struct gh_path *path)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	struct gh_path_row row = {.hops = path->cut};

	gh_strbuf_puts(&sb, "… ");
	put_count(&sb, path->cut);
	gh_strbuf_puts(&sb, " more hops …");
	row.name = gh_arena_strndup(n->namer->arena, gh_strbuf_str(&sb), sb.len);
	return row.name && gh_path_row_vec_push(n->rows, row);
}

static bool name_hop(struct naming *n, const struct gh_path *path, size_t i,
		     struct gh_path_via *via)
{
	const struct gh_path_hop *hop = &path->hops.data[i];
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	if (hop->repeats > 1) // that leads to the first of them
		via->word = (struct gh_word){0};
	if (i == 0)
		gh_path_root_name(n->namer, path->owner,
				  (struct gh_owner_word){hop->at, hop->value}, &sb, via);
	else
		gh_path_step_name(n->namer, hop->at, &sb, via);
	if (hop->repeats > 1 && sb.len) {
		gh_strbuf_puts(&sb, " ×");
		put_count(&sb, hop->repeats);
	}
	return gh_strbuf_ok(&sb) && add_row(n, gh_strbuf_str(&sb), hop);
}

static bool are_alike(const struct gh_path_row *a, const struct gh_path_row *b)
{
	return a->object && b->object && strcmp(a->name, b->name) == 0;
}

/* How often rows [at, at + period) come in a row. */
static size_t rounds_at(const struct gh_path_row_vec *rows, size_t at, size_t period)
{
	size_t rounds = 1;

	for (;; rounds++)
		for (size_t i = 0; i < period; i++) {
			size_t other = at + rounds * period + i;

			if (other >= rows->len || !are_alike(&rows->data[at + i], &rows->data[other]))
				return rounds;
		}
}

/* One row instead of `rounds` times `period`. */
static bool fold_rows(struct gh_path_namer *namer, struct gh_path_row_vec *rows, size_t at,
		      size_t period, size_t rounds)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	size_t n = period * rounds;
	struct gh_path_row row = rows->data[at + n - 1];

	for (size_t i = 0; i < period; i++)
		gh_strbuf_puts(&sb, rows->data[at + i].name);
	gh_strbuf_puts(&sb, " ×");
	put_count(&sb, rounds);
	row.is_folded = true;
	row.hops = 0;
	for (size_t i = 0; i < n; i++)
		row.hops += rows->data[at + i].hops;
	row.name = gh_arena_strndup(namer->arena, gh_strbuf_str(&sb), sb.len);
	if (!row.name)
		return false;
	rows->data[at] = row;
	memmove(&rows->data[at + 1], &rows->data[at + n],
		(rows->len - at - n) * sizeof(*rows->data));
	rows->len -= n - 1;
	return true;
}

static bool fold_cycles(struct naming *n)
{
	for (size_t at = n->first + 1; at < n->rows->len; at++)
		for (size_t period = 1; period <= MAX_PERIOD; period++) {
			size_t rounds = rounds_at(n->rows, at, period);

			if (rounds < FOLD_FROM || n->rows->data[at].is_folded)
				continue;
			if (!fold_rows(n->namer, n->rows, at, period, rounds))
				return false;
			break;
		}
	return true;
}

/* ".next ×500" stands in an expression as (.next ×500). */
static void put_expression(struct naming *n, const struct gh_path *path)
{
	const struct gh_owner *owner = &n->namer->session->owners->owners.data[path->owner];

	for (size_t i = n->first; i < n->rows->len && n->expression.len < MAX_TEXT; i++) {
		const char *name = n->rows->data[i].name;
		bool is_folded = n->rows->data[i].is_folded;

		if (i == n->first + 1 && !gh_path_is_expression(owner)) {
			gh_strbuf_puts(&n->expression, ": ");
			name += *name == '.';
		}
		gh_strbuf_printf(&n->expression, is_folded ? "(%s)" : "%s", name);
	}
}

struct gh_error *gh_path_name(struct gh_path_namer *namer, const struct gh_path *path,
			      struct gh_path_row_vec *ret, const char **expression_ret)
{
	struct naming n = {.namer = namer, .rows = ret, .first = ret->len};
	struct gh_path_via via = {0};
	bool ok = true;

	for (size_t i = 0; ok && i < path->hops.len; i++) {
		if (path->cut && i == path->cut_at)
			ok = put_cut(&n, path);
		ok = ok && name_hop(&n, path, i, &via);
	}
	ok = ok && (namer->all_hops || fold_cycles(&n));
	if (ok && ret->len > n.first && path->hops.len && !namer->all_hops)
		ret->data[ret->len - 1].object = path->hops.data[path->hops.len - 1].object;
	if (ok)
		put_expression(&n, path);
	*expression_ret = ok ? gh_arena_strndup(namer->arena, gh_strbuf_str(&n.expression),
						n.expression.len)
			     : NULL;
	gh_strbuf_deinit(&n.expression);
	return *expression_ret ? NULL : gh_error_nomem();
}
