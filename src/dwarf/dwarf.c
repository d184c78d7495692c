// SPDX-License-Identifier: Apache-2.0
// Opening and closing; package variables. See dwarf.h.
#include "dwarf/internal.h"

#include <dwarf.h>
#include <stdlib.h>

struct gh_error *gh_dwarf_open(struct gh_elf *elf, struct gh_budget *budget, struct gh_dwarf **ret)
{
	struct gh_dwarf *dwarf = calloc(1, sizeof(*dwarf));
	struct gh_error *err;

	if (!dwarf)
		return gh_error_nomem();
	dwarf->elf = elf;
	err = gh_dwarf_sections_load(elf, budget, &dwarf->sections);
	if (err) {
		gh_dwarf_destroy(dwarf);
		return err;
	}
	*ret = dwarf;
	return NULL;
}

void gh_dwarf_destroy(struct gh_dwarf *dwarf)
{
	if (!dwarf)
		return;
	gh_dwarf_local_deinit(dwarf);
	gh_dwarf_scan_deinit(dwarf);
	gh_dwarf_type_vec_deinit(&dwarf->types);
	gh_offset_map_deinit(&dwarf->type_of_die);
	free(dwarf->buckets);
	gh_dvar_vec_deinit(&dwarf->vars);
	gh_arena_deinit(&dwarf->arena);
	gh_dwarf_sections_deinit(&dwarf->sections);
	free(dwarf);
}

/* The fixed address of a variable. */
static bool fixed_address(Dwarf_Die *die, gh_addr *ret)
{
	Dwarf_Attribute attr, addr;
	Dwarf_Op *ops;
	Dwarf_Addr value;
	size_t n;

	if (!gh_dwarf_location_attr(die, DW_AT_location, /* integrate= */ false, &attr) ||
	    dwarf_getlocation(&attr, &ops, &n) != 0 || n != 1)
		return false;
	if (ops[0].atom == DW_OP_addr) {
		*ret = ops[0].number;
		return true;
	}
	if (ops[0].atom != DW_OP_addrx || dwarf_getlocation_attr(&attr, &ops[0], &addr) != 0 ||
	    dwarf_formaddr(&addr, &value) != 0)
		return false;
	*ret = value;
	return true;
}

static struct gh_error *add_variable(struct gh_dwarf *dwarf, uint64_t offset)
{
	struct gh_dvar var = {0};
	Dwarf_Die die, type;

	if (!gh_dwarf_die_at(dwarf, offset, &die) || !fixed_address(&die, &var.addr))
		return NULL;
	// C's definitions may have name and type in another DIE, their declaration
	if (gh_dwarf_referred(dwarf, &die, DW_AT_type, /* integrate= */ true, &type))
		var.type = gh_dwarf_type_intern(dwarf, &type);
	var.name = gh_dwarf_go_name(dwarf, gh_dwarf_raw_name(dwarf, &die));
	if (!var.name || !gh_dvar_vec_push(&dwarf->vars, var))
		return gh_error_nomem();
	return NULL;
}

static int compare_var(const void *a, const void *b)
{
	const struct gh_dvar *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return strcmp(x->name, y->name);
}

static struct gh_error *load_variables(struct gh_dwarf *dwarf, const struct gh_poll *poll)
{
	enum { POLL_EVERY = 4096 };
	struct gh_error *err = gh_dwarf_scan_all(dwarf, poll);

	dwarf->vars.len = 0;
	for (size_t i = 0; i < dwarf->var_dies.len && !err; i++) {
		if (i % POLL_EVERY == 0)
			err = gh_poll(poll, "reading variables", i, dwarf->var_dies.len);
		if (!err)
			err = add_variable(dwarf, dwarf->var_dies.data[i]);
	}
	if (err)
		return err;
	if (dwarf->vars.len)
		qsort(dwarf->vars.data, dwarf->vars.len, sizeof(*dwarf->vars.data), compare_var);
	dwarf->vars_loaded = true;
	return NULL;
}

struct gh_error *gh_dwarf_variables(struct gh_dwarf *dwarf, const struct gh_poll *poll,
				    const struct gh_dvar **ret, size_t *n_ret)
{
	struct gh_error *err = dwarf->vars_loaded ? NULL : load_variables(dwarf, poll);

	if (err)
		return err;
	*ret = dwarf->vars.data;
	*n_ret = dwarf->vars.len;
	return NULL;
}
