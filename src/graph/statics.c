// SPDX-License-Identifier: Apache-2.0
// Static data: see statics.h. The collector's side of it is runtime/mgcmark.go:markrootBlock.
#include "graph/statics.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "graph/statics_table.h"
#include "graph/types_table.h"

static struct gh_error *add_block(struct gh_statics *s, const char *name, gh_addr lo, gh_addr hi,
				  gh_addr mask, uint64_t bits)
{
	const struct gh_image *image = s->rt->image;
	struct static_block b = {.lo = lo, .hi = hi, .name = name};

	if (hi <= lo)
		return NULL;
	b.nwords = gh_min_u64((hi - lo) / 8, bits);
	b.host = gh_image_at(image, lo, b.nwords * 8);
	b.mask = gh_image_at(image, mask, (b.nwords + 7) / 8);
	if (!b.host || !b.mask)
		b.nwords = 0;
	s->lost_words += (hi - lo) / 8 - b.nwords;
	if (!b.nwords)
		return NULL;
	b.edges = gh_alloc_array(b.nwords, sizeof(*b.edges));
	if (!b.edges || !static_block_vec_push(&s->blocks, b)) {
		free(b.edges);
		return gh_error_nomem();
	}
	return NULL;
}

static struct gh_error *add_blocks(struct gh_statics *s)
{
	struct gh_error *err = NULL;

	for (size_t i = 0; !err && i < s->rt->modules.len; i++) {
		const struct gh_module *m = &s->rt->modules.data[i];

		err = add_block(s, "data", m->data, m->edata, m->gcdatamask, m->gcdatamask_bits);
		if (!err)
			err = add_block(s, "bss", m->bss, m->ebss, m->gcbssmask, m->gcbssmask_bits);
	}
	return err;
}

struct static_block *gh_static_block_of(const struct gh_statics *s, gh_addr addr)
{
	for (size_t i = 0; i < s->blocks.len; i++)
		if (addr - s->blocks.data[i].lo < s->blocks.data[i].nwords * 8)
			return &s->blocks.data[i];
	return NULL;
}

struct gh_root gh_static_root(const struct static_block *b, uint64_t i)
{
	return (struct gh_root){
		.value = gh_u64_at(b->host + i * 8),
		.at = b->lo + i * 8,
		.edge = b->edges[i],
		.host = b->host + i * 8,
		.before = (uint32_t)gh_min_u64(i, UINT32_MAX),
		.after = (uint32_t)gh_min_u64(b->nwords - 1 - i, UINT32_MAX),
	};
}

/* A typed word leads on into static data: note what is there. */
static void carry_on(struct gh_statics *s, const struct gh_root *root)
{
	struct static_range r = {root->value, root->edge.type, 1};

	switch ((enum gh_edge_kind)root->edge.kind) {
	case GH_EDGE_POINTER:
		break;
	case GH_EDGE_SLICE:
		r.count = root->after >= 2 ? gh_u64_at(root->host + 16) : 0;
		break;
	case GH_EDGE_EFACE:
	case GH_EDGE_IFACE:
		if (root->before) {
			gh_addr type = gh_u64_at(root->host - 8);
			struct gh_edge edge;

			if (root->edge.kind == GH_EDGE_IFACE)
				type = gh_itab_type(s->rt, type);
			edge = gh_types_dynamic(s->types, type);
			r.type = edge.kind == GH_EDGE_POINTER ? edge.type : 0;
		}
		break;
	default:
		return;
	}
	if (r.type && r.count && !static_range_vec_push(&s->todo, r))
		s->nomem = true;
}

static void type_range(struct gh_statics *s, const struct static_range *r, gh_static_fn fn,
		       void *ctx)
{
	const struct gh_edge *edges = gh_types_edges(s->types, r->type);
	struct gh_type t = *gh_types_get(s->types, r->type);
	struct static_block *b = gh_static_block_of(s, r->addr);

	if (!edges || !b || t.size == 0 || t.size % 8 || r->addr % 8)
		return;
	for (uint64_t k = 0; k < r->count; k++) {
		uint64_t first = (r->addr - b->lo) / 8 + k * (t.size / 8);

		if (first >= b->nwords)
			break;
		for (uint64_t i = first, w = 0; w < t.nwords && i < b->nwords; i++, w++) {
			struct gh_root root;

			if (b->edges[i].kind != GH_EDGE_UNKNOWN ||
			    edges[w].kind == GH_EDGE_UNKNOWN || !(b->mask[i / 8] >> (i % 8) & 1))
				continue;
			b->edges[i] = edges[w];
			root = gh_static_root(b, i);
			if (!root.value)
				continue;
			carry_on(s, &root);
			if (fn)
				fn(ctx, b->name, &root);
		}
	}
}

bool gh_statics_knows(const struct gh_statics *s, gh_addr addr, gh_type_id type, uint64_t count)
{
	const struct static_range *recent = &s->recent[(addr >> 3) % GH_STATICS_RECENT];

	return recent->addr == addr && recent->type == type && recent->count >= count;
}

void gh_statics_type(struct gh_statics *s, gh_addr addr, gh_type_id type, uint64_t count,
		     gh_static_fn fn, void *ctx)
{
	struct static_range *recent = &s->recent[(addr >> 3) % GH_STATICS_RECENT];

	if (gh_statics_knows(s, addr, type, count))
		return;
	*recent = (struct static_range){addr, type, count};
	if (!gh_static_block_of(s, addr) || !static_range_vec_push(&s->todo, *recent))
		return;
	while (s->todo.len) {
		struct static_range r = s->todo.data[--s->todo.len];

		type_range(s, &r, fn, ctx);
	}
}

static void type_variables(struct gh_statics *s)
{
	gh_addr bias = s->rt->target->exe_bias;

	for (size_t i = 0; i < s->nvars; i++) {
		gh_type_id type = gh_types_of_dwarf(s->types, s->vars[i].type);

		if (type)
			gh_statics_type(s, s->vars[i].addr + bias, type, 1, NULL, NULL);
	}
	memset(s->recent, 0, sizeof(s->recent));
}

/* What the compiler laid out for the program and left out of DWARF. */
static struct gh_error *type_compiler_made(struct gh_statics *s)
{
	struct gh_elf_symbol_vec symbols = {0};
	struct gh_error *err = gh_elf_data_symbols(s->rt->target->exe, &symbols);

	for (size_t i = 0; i < symbols.len && !err; i++) {
		const char *name = gh_types_of_compiler_made(symbols.data[i].name);
		gh_dtype type = name ? gh_dwarf_struct_find(s->rt->dwarf, name) : 0;

		if (type)
			gh_statics_type(s, symbols.data[i].addr + s->rt->target->exe_bias,
					gh_types_of_dwarf(s->types, type), 1, NULL, NULL);
	}
	gh_elf_symbol_vec_deinit(&symbols);
	memset(s->recent, 0, sizeof(s->recent));
	return err;
}

struct gh_error *gh_statics_create(const struct gh_runtime *rt, struct gh_types *types,
				   const struct gh_poll *poll, struct gh_statics **ret)
{
	struct gh_statics *s = calloc(1, sizeof(*s));
	struct gh_error *err;

	if (!s)
		return gh_error_nomem();
	s->rt = rt;
	s->types = types;
	err = add_blocks(s);
	if (!err && rt->dwarf)
		err = gh_dwarf_variables(rt->dwarf, poll, &s->vars, &s->nvars);
	if (!err) {
		type_variables(s);
		err = s->nomem ? gh_error_nomem() : NULL;
	}
	if (!err && rt->dwarf && rt->target->exe)
		err = type_compiler_made(s);
	if (err) {
		gh_statics_destroy(s);
		return err;
	}
	*ret = s;
	return NULL;
}

void gh_statics_destroy(struct gh_statics *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->blocks.len; i++)
		free(s->blocks.data[i].edges);
	static_block_vec_deinit(&s->blocks);
	static_range_vec_deinit(&s->todo);
	gh_elf_symbol_vec_deinit(&s->symbols);
	static_link_vec_deinit(&s->links);
	gh_arena_deinit(&s->arena);
	free(s);
}

uint64_t gh_statics_range(const struct gh_statics *s, gh_addr *lo_ret)
{
	gh_addr lo = UINT64_MAX, hi = 0;

	for (size_t i = 0; i < s->blocks.len; i++) {
		lo = gh_min_u64(lo, s->blocks.data[i].lo);
		hi = gh_max_u64(hi, s->blocks.data[i].hi);
	}
	*lo_ret = hi ? lo : 0;
	return hi ? hi - lo : 0;
}

void gh_statics_visit(struct gh_statics *s, bool names, gh_static_fn fn, void *ctx)
{
	s->words = s->untyped = 0;
	for (size_t k = 0; k < s->blocks.len; k++) {
		const struct static_block *b = &s->blocks.data[k];

		for (uint64_t i = 0; i < b->nwords; i++) {
			struct gh_root root;

			if (!(b->mask[i / 8] >> (i % 8) & 1))
				continue;
			root = gh_static_root(b, i);
			if (!root.value)
				continue;
			s->words++;
			s->untyped += root.edge.kind == GH_EDGE_UNKNOWN;
			fn(ctx, names ? gh_statics_owner_name(s, root.at, b->name) : b->name, &root);
		}
	}
}

uint64_t gh_statics_untyped(const struct gh_statics *s)
{
	return s->untyped;
}

uint64_t gh_statics_words(const struct gh_statics *s)
{
	return s->words;
}

uint64_t gh_statics_lost(const struct gh_statics *statics)
{
	return statics->lost_words;
}
