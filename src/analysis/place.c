// SPDX-License-Identifier: Apache-2.0
// See place.h.
#include "analysis/place.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/goname.h"

const char *gh_place_kind_name(enum gh_place_kind kind)
{
	static const char *const names[] = {
		[GH_PLACE_UNMAPPED] = "unmapped", [GH_PLACE_HEAP] = "heap",
		[GH_PLACE_STACK] = "stack",	  [GH_PLACE_GLOBAL] = "global",
		[GH_PLACE_CODE] = "code",	  [GH_PLACE_OTHER] = "other",
	};

	return names[kind];
}

void gh_places_deinit(struct gh_places *places)
{
	free(places->by_stack);
	gh_frame_vec_deinit(&places->frames);
	gh_dlocal_vec_deinit(&places->locals);
	*places = (struct gh_places){0};
}

static const char *keep(const struct gh_places *places, const struct gh_strbuf *sb)
{
	return gh_arena_strndup(places->arena, gh_strbuf_str(sb), sb->len);
}

static const struct gh_goroutine *goroutine_at(const struct gh_places *places, size_t i)
{
	return &places->session->goroutines.data[places->by_stack[i]];
}

static int by_stack(const void *a, const void *b, void *ctx)
{
	const struct gh_goroutine *all = ctx;
	gh_addr x = all[*(const uint32_t *)a].stack_lo, y = all[*(const uint32_t *)b].stack_lo;

	return x < y ? -1 : x > y;
}

static bool sort_stacks(struct gh_places *places)
{
	const struct gh_goroutine_vec *all = &places->session->goroutines;

	if (places->by_stack)
		return true;
	places->by_stack = gh_alloc_array(all->len, sizeof(*places->by_stack));
	if (!places->by_stack)
		return false;
	for (size_t i = 0; i < all->len; i++)
		if (!gh_goroutine_is_dead(&all->data[i]))
			places->by_stack[places->nstacks++] = (uint32_t)i;
	if (places->nstacks)
		qsort_r(places->by_stack, places->nstacks, sizeof(*places->by_stack), by_stack,
			all->data);
	return true;
}

/* Whose stack holds addr; NULL: nobody's. */
static const struct gh_goroutine *owner_of(const struct gh_places *places, gh_addr addr)
{
	size_t lo = 0, hi = places->nstacks;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (goroutine_at(places, mid)->stack_lo <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && addr < goroutine_at(places, lo - 1)->stack_hi ? goroutine_at(places, lo - 1)
								   : NULL;
}

static void name_inside(const struct gh_places *places, gh_dtype type, uint64_t offset,
			struct gh_strbuf *sb)
{
	struct gh_types *types = places->session->types;
	gh_type_id id = gh_types_of_dwarf(types, type);
	size_t before = sb->len;

	if (id)
		gh_types_field_name(types, id, false, offset, sb);
	if (offset && sb->len == before)
		gh_strbuf_printf(sb, "+%llu", (unsigned long long)offset);
}

/* The variable of the frame that holds addr, by the pc given. */
static bool in_variable(struct gh_places *places, const struct gh_frame *frame, gh_addr pc,
			gh_addr addr, struct gh_place *ret, struct gh_strbuf *sb)
{
	const struct gh_runtime *rt = places->session->rt;
	_cleanup_error_ struct gh_error *err = NULL;

	places->locals.len = 0;
	if (rt->dwarf)
		err = gh_dwarf_locals(rt->dwarf, pc - rt->target->exe_bias, &places->locals);
	for (size_t i = 0; !err && i < places->locals.len; i++) {
		const struct gh_dlocal *local = &places->locals.data[i];
		gh_addr at = frame->fp + (uint64_t)local->cfa_offset;
		const struct gh_dtype_info *info;

		if (addr - at >= local->size)
			continue;
		gh_strbuf_printf(sb, ".%s", local->name);
		name_inside(places, local->type, local->type_offset + (addr - at), sb);
		info = gh_dwarf_type(rt->dwarf, local->type);
		if (local->type_offset || local->size < info->size)
			return true; // the rest of it lies elsewhere
		ret->addr = at;
		ret->bytes = info->size;
		ret->type = gh_gotype_of_dwarf(places->session->types, local->type);
		return true;
	}
	return false;
}

static void name_function(struct gh_places *places, const struct gh_frame *frame,
			  struct gh_strbuf *sb)
{
	const char *name = gh_func_name(places->session->rt, &frame->func);

	gh_strbuf_putc(sb, ' ');
	gh_goname_add(sb, name ? name : "?");
}

/* A variable of the frame, with the function's name; false: none, and nothing is appended. */
static bool name_variable(struct gh_places *places, const struct gh_frame *frame, gh_addr addr,
			  struct gh_place *ret, struct gh_strbuf *sb)
{
	size_t before = sb->len;

	name_function(places, frame, sb);
	if (in_variable(places, frame, frame->sym_pc, addr, ret, sb) ||
	    in_variable(places, frame, frame->pc, addr, ret, sb))
		return true;
	sb->len = before;
	return false;
}

static void name_frame(struct gh_places *places, gh_addr addr, struct gh_place *ret,
		       struct gh_strbuf *sb)
{
	for (size_t i = 0; i < places->frames.len; i++) {
		const struct gh_frame *frame = &places->frames.data[i];

		if (addr < frame->sp || addr >= frame->fp)
			continue;
		// arguments lie behind the frame's end, in the caller's
		if (name_variable(places, frame, addr, ret, sb) ||
		    (i && name_variable(places, frame - 1, addr, ret, sb)))
			return;
		name_function(places, frame, sb);
		gh_strbuf_printf(sb, " sp+%llu", (unsigned long long)(addr - frame->sp));
		return;
	}
}

static struct gh_error *find_on_stack(struct gh_places *places, const struct gh_goroutine *g,
				      gh_addr addr, struct gh_place *ret)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	struct gh_error *err = NULL;
	enum gh_unwind_end end;

	if (places->unwound != g) {
		places->frames.len = 0;
		err = gh_stack_unwind(places->session->rt, g, &places->frames, &end);
		places->unwound = err ? NULL : g;
	}
	if (err)
		return err;
	*ret = (struct gh_place){.kind = GH_PLACE_STACK, .goid = g->goid};
	gh_strbuf_printf(&sb, "goroutine %llu", (unsigned long long)g->goid);
	name_frame(places, addr, ret, &sb);
	ret->name = keep(places, &sb);
	return ret->name ? NULL : gh_error_nomem();
}

/* Data and bss, with pointers and without. */
static bool is_static(const struct gh_module *m, gh_addr addr)
{
	return (addr >= m->data && addr < m->edata) || (addr >= m->bss && addr < m->ebss) ||
	       (addr >= m->noptrdata && addr < m->enoptrdata) ||
	       (addr >= m->noptrbss && addr < m->enoptrbss);
}

static bool find_global(struct gh_places *places, gh_addr addr, struct gh_place *ret)
{
	const struct gh_session *s = places->session;
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	struct gh_static_var var;
	bool is_data = false;

	for (size_t i = 0; !is_data && i < s->rt->modules.len; i++)
		is_data = is_static(&s->rt->modules.data[i], addr);
	if (!is_data)
		return false;
	*ret = (struct gh_place){.kind = GH_PLACE_GLOBAL};
	if (!gh_statics_variable(s->statics, addr, &var))
		return true;
	ret->addr = var.addr;
	ret->bytes = var.size;
	ret->type = gh_gotype_of_dwarf(s->types, var.type);
	gh_strbuf_puts(&sb, var.name);
	name_inside(places, var.type, addr - var.addr, &sb);
	ret->name = keep(places, &sb);
	return true;
}

struct gh_error *gh_place_find(struct gh_places *places, gh_addr addr, struct gh_place *ret)
{
	struct gh_session *session = places->session;
	_cleanup_strbuf_ struct gh_strbuf code = {0};
	const struct gh_goroutine *g;

	*ret = (struct gh_place){0};
	if (gh_slot_at(session, addr, places->arena, &ret->slot)) {
		ret->kind = GH_PLACE_HEAP;
		ret->name = gh_slot_is_whole(&ret->slot)
				    ? ret->slot.name
				    : gh_slot_describe(session, addr, places->arena);
		return NULL;
	}
	if (!sort_stacks(places))
		return gh_error_nomem();
	g = owner_of(places, addr);
	if (g)
		return find_on_stack(places, g, addr, ret);
	if (find_global(places, addr, ret))
		return NULL;
	if (gh_value_code(session->types, addr, &code)) {
		ret->kind = GH_PLACE_CODE;
		ret->name = keep(places, &code);
	} else if (gh_image_at(session->rt->image, addr, 1)) {
		ret->kind = GH_PLACE_OTHER;
	}
	return NULL;
}

const char *gh_places_referrer(struct gh_places *places, const struct gh_referrer *referrer)
{
	_cleanup_error_ struct gh_error *err = NULL;
	struct gh_place place = {0};

	if (!referrer->is_root)
		return gh_slot_describe(places->session, referrer->at, places->arena);
	if (referrer->at)
		err = gh_place_find(places, referrer->at, &place);
	if (!err && place.name)
		return place.name;
	if (!referrer->goid)
		return gh_root_kind_name((enum gh_root_kind)referrer->kind);
	return gh_arena_printf(places->arena, "goroutine %llu, %s",
			       (unsigned long long)referrer->goid,
			       referrer->conservative ? "a word that may be a pointer"
						      : "a register");
}
