// SPDX-License-Identifier: Apache-2.0
// Which package variable a static address belongs to: by DWARF, else by the symbol table. What the
// compiler lays out for `var c = &Cache{…}` has no symbol in the executable: it belongs to the
// variable whose words lead there. See statics.h.
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/goname.h"
#include "graph/statics_table.h"

enum { MAX_VALUE_BYTES = 1 << 20 }; // of a static value without a name

/* The last variable of DWARF that starts at or below addr, a link-time address. */
static bool by_dwarf(const struct gh_statics *s, gh_addr addr, struct gh_static_var *ret)
{
	size_t lo = 0, hi = s->nvars;
	const struct gh_dvar *var;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->vars[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return false;
	var = &s->vars[lo - 1];
	*ret = (struct gh_static_var){
		.name = var->name,
		.addr = var->addr + s->rt->target->exe_bias,
		.size = gh_max_u64(gh_dwarf_type(s->rt->dwarf, var->type)->size, 1),
		.type = var->type,
	};
	return addr - var->addr < ret->size;
}

/* "a/b%2ev2.x" -> "a/b.v2.x" */
static const char *plain_name(struct gh_statics *s, const char *raw)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	const char *name = NULL;

	if (!strchr(raw, '%') && !strstr(raw, "\xc2\xb7"))
		return raw;
	gh_goname_add(&sb, raw);
	if (gh_strbuf_ok(&sb))
		name = gh_arena_strndup(&s->arena, gh_strbuf_str(&sb), sb.len);
	return name ? name : raw;
}

static bool by_symbol(struct gh_statics *s, gh_addr addr, struct gh_static_var *ret)
{
	const struct gh_elf_symbol *symbol;
	size_t lo = 0, hi = s->symbols.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->symbols.data[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return false;
	symbol = &s->symbols.data[lo - 1];
	if (addr - symbol->addr >= symbol->size)
		return false;
	*ret = (struct gh_static_var){
		.name = symbol->name,
		.addr = symbol->addr + s->rt->target->exe_bias,
		.size = symbol->size,
	};
	return true;
}

static bool find(struct gh_statics *s, gh_addr addr, struct gh_static_var *ret)
{
	addr -= s->rt->target->exe_bias;
	return (s->nvars && by_dwarf(s, addr, ret)) || by_symbol(s, addr, ret);
}

static int by_value(const void *a, const void *b)
{
	const struct static_link *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static bool is_scanned(const struct static_block *b, uint64_t i)
{
	return b->mask[i / 8] >> (i % 8) & 1;
}

/* Words that lead to static data without a name. */
static bool load_links(struct gh_statics *s)
{
	struct gh_static_var var;

	for (size_t k = 0; k < s->blocks.len; k++) {
		const struct static_block *b = &s->blocks.data[k];

		for (uint64_t i = 0; i < b->nwords; i++) {
			uint64_t value = gh_u64_at(b->host + i * 8);
			struct static_link link = {value, b->lo + i * 8};

			if (!is_scanned(b, i) || !gh_static_block_of(s, value) ||
			    find(s, value, &var))
				continue;
			if (!static_link_vec_push(&s->links, link))
				return false;
		}
	}
	if (s->links.len)
		qsort(s->links.data, s->links.len, sizeof(*s->links.data), by_value);
	return true;
}

/* What does not fit into memory is left without a name. */
static void load(struct gh_statics *s)
{
	_cleanup_error_ struct gh_error *err = NULL;

	if (s->has_names)
		return;
	s->has_names = true;
	if (s->rt->target->exe)
		err = gh_elf_data_symbols(s->rt->target->exe, &s->symbols);
	if (err || !load_links(s))
		s->links.len = 0;
}

bool gh_statics_variable(struct gh_statics *s, gh_addr addr, struct gh_static_var *ret)
{
	load(s);
	if (!find(s, addr, ret))
		return false;
	ret->name = plain_name(s, ret->name);
	return true;
}

bool gh_statics_word(const struct gh_statics *s, gh_addr at, struct gh_root *ret)
{
	const struct static_block *b = gh_static_block_of(s, at);

	if (!b || at % 8 || !is_scanned(b, (at - b->lo) / 8))
		return false;
	*ret = gh_static_root(b, (at - b->lo) / 8);
	return true;
}

bool gh_statics_link(struct gh_statics *s, gh_addr addr, struct gh_root *ret)
{
	const struct static_block *b;
	const struct static_link *link;
	size_t lo = 0, hi;

	load(s);
	hi = s->links.len;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->links.data[mid].value <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	while (lo > 1 && s->links.data[lo - 2].value == s->links.data[lo - 1].value)
		lo--; // the first of those that lead there
	link = lo ? &s->links.data[lo - 1] : NULL;
	if (!link || addr - link->value >= MAX_VALUE_BYTES ||
	    gh_static_block_of(s, link->value) != gh_static_block_of(s, addr))
		return false;
	b = gh_static_block_of(s, link->at);
	*ret = gh_static_root(b, (link->at - b->lo) / 8);
	return true;
}

const char *gh_statics_owner_name(struct gh_statics *s, gh_addr addr, const char *otherwise)
{
	struct gh_static_var var;
	struct gh_root link;

	for (int i = 0; i < GH_STATICS_MAX_LINKS; i++) {
		if (gh_statics_variable(s, addr, &var))
			return var.name;
		if (!gh_statics_link(s, addr, &link))
			break;
		addr = link.at;
	}
	return otherwise;
}
