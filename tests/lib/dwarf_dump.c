// SPDX-License-Identifier: Apache-2.0
// Prints what the dwarf layer says of an executable, one fact a line and tabs between its parts,
// for tests that know better. Requests are lines of standard input, tabs between their parts: vars,
// struct NAME, field TYPE PATH, type VARIABLE, locals PC, captures PC. After each answer comes a
// line with a dot. With "time" as second argument: what the passes cost. With "damage" and a number
// of rounds: see dwarf_damage.h.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dwarf_damage.h"

static const char *const kinds[] = {"void", "base", "pointer", "struct", "array", "func", "other"};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int fail(struct gh_error *err)
{
	fprintf(stderr, "%s: %s\n", gh_error_code_name(err->code), err->message);
	gh_error_destroy(err);
	return 3;
}

static void print_type(struct gh_dwarf *dwarf, gh_dtype type)
{
	const struct gh_dtype_info *info = gh_dwarf_type(dwarf, type);

	printf("type\t%s\t%s\t%u\t%" PRIu64 "\t%s\t%s\t%" PRIu64 "\t%#" PRIx64 "\n", info->name,
	       kinds[info->kind], info->go_kind, info->size, gh_dwarf_type(dwarf, info->elem)->name,
	       gh_dwarf_type(dwarf, info->key)->name, info->count, info->rtype);
	for (uint32_t i = 0; i < info->nfields; i++) {
		const struct gh_dfield *field = &info->fields[i];

		printf("field\t%s\t%" PRIu64 "\t%s\t%s\n", field->name, field->offset,
		       gh_dwarf_type(dwarf, field->type)->name, field->embedded ? "embedded" : "");
	}
}

static int print_vars(struct gh_dwarf *dwarf, const char *only)
{
	const struct gh_dvar *vars;
	size_t n;
	struct gh_error *err = gh_dwarf_variables(dwarf, NULL, &vars, &n);

	if (err)
		return fail(err);
	for (size_t i = 0; i < n; i++) {
		if (only && strcmp(vars[i].name, only) != 0)
			continue;
		if (only)
			print_type(dwarf, vars[i].type);
		else
			printf("var\t%s\t%#" PRIx64 "\t%s\t%" PRIu64 "\n", vars[i].name,
			       vars[i].addr, gh_dwarf_type(dwarf, vars[i].type)->name,
			       gh_dwarf_type(dwarf, vars[i].type)->size);
	}
	return 0;
}

static int print_locals(struct gh_dwarf *dwarf, gh_addr pc)
{
	struct gh_dlocal_vec locals = {0};
	struct gh_error *err = gh_dwarf_locals(dwarf, pc, &locals);

	for (size_t i = 0; i < locals.len && !err; i++) {
		const struct gh_dlocal *local = &locals.data[i];

		printf("local\t%s\t%s\t%" PRId64 "\t%" PRIu64 "\t%" PRIu64 "\t%s\t%s\n",
		       local->name, gh_dwarf_type(dwarf, local->type)->name, local->cfa_offset,
		       local->size, local->type_offset, local->is_param ? "param" : "",
		       local->by_ref ? "ref" : "");
	}
	gh_dlocal_vec_deinit(&locals);
	return err ? fail(err) : 0;
}

static int print_captures(struct gh_dwarf *dwarf, gh_addr pc)
{
	struct gh_dcapture_vec captures = {0};
	struct gh_error *err = gh_dwarf_captures(dwarf, pc, &captures);

	for (size_t i = 0; i < captures.len && !err; i++)
		printf("capture\t%s\t%" PRIu64 "\t%s\n", captures.data[i].name,
		       captures.data[i].offset, gh_dwarf_type(dwarf, captures.data[i].type)->name);
	gh_dcapture_vec_deinit(&captures);
	return err ? fail(err) : 0;
}

static int print_field(struct gh_dwarf *dwarf, const char *name, const char *path)
{
	gh_dtype type = gh_dwarf_struct_find(dwarf, name);
	uint64_t offset, size;

	if (type && gh_dwarf_field_find(dwarf, type, path, &offset, &size))
		printf("offset\t%" PRIu64 "\t%" PRIu64 "\n", offset, size);
	return 0;
}

static int print_times(struct gh_elf *elf)
{
	const struct gh_dtype_info *info;
	const struct gh_dvar *vars;
	struct gh_dlocal_vec locals = {0};
	struct gh_dwarf *dwarf;
	double start = now();
	size_t n;
	struct gh_error *err = gh_dwarf_open(elf, NULL, &dwarf);

	if (err)
		return fail(err);
	printf("open\t%.4f\n", now() - start);
	start = now();
	info = gh_dwarf_type(dwarf, gh_dwarf_struct_find(dwarf, "runtime.mspan"));
	printf("struct\t%.4f\t%s\n", now() - start, info->name);
	start = now();
	err = gh_dwarf_variables(dwarf, NULL, &vars, &n);
	printf("vars\t%.4f\t%zu\n", now() - start, err ? 0 : n);
	start = now();
	for (int round = 0; round < 2 && !err; round++) {
		// round 0 decodes the functions, round 1 finds them decoded
		for (gh_addr pc = gh_elf_entry(elf), i = 0; i < 10000 && !err; i++, pc += 256) {
			locals.len = 0;
			err = gh_dwarf_locals(dwarf, pc, &locals);
		}
		printf("locals\t%.4f\t10000\n", now() - start);
		start = now();
	}
	gh_dlocal_vec_deinit(&locals);
	gh_dwarf_destroy(dwarf);
	return err ? fail(err) : 0;
}

static int answer(struct gh_dwarf *dwarf, const char *what, const char *first, const char *second)
{
	gh_dtype type;

	if (strcmp(what, "vars") == 0)
		return print_vars(dwarf, NULL);
	if (strcmp(what, "type") == 0)
		return print_vars(dwarf, first);
	if (strcmp(what, "locals") == 0)
		return print_locals(dwarf, strtoull(first, NULL, 0));
	if (strcmp(what, "captures") == 0)
		return print_captures(dwarf, strtoull(first, NULL, 0));
	if (strcmp(what, "field") == 0)
		return print_field(dwarf, first, second);
	if (strcmp(what, "struct") != 0)
		return 2;
	type = gh_dwarf_struct_find(dwarf, first);
	if (type)
		print_type(dwarf, type);
	return 0;
}

static int answer_all(struct gh_elf *elf)
{
	struct gh_dwarf *dwarf;
	char line[4096];
	int status = 0;
	struct gh_error *err = gh_dwarf_open(elf, NULL, &dwarf);

	if (err)
		return fail(err);
	while (!status && fgets(line, sizeof(line), stdin)) {
		char *rest, *what, *first;

		line[strcspn(line, "\n")] = '\0';
		rest = line;
		what = strsep(&rest, "\t");
		first = rest ? strsep(&rest, "\t") : line;
		status = answer(dwarf, what, first, rest ? rest : "");
		puts(".");
	}
	gh_dwarf_destroy(dwarf);
	return status;
}

/* Damage the file, which has sections that are not compressed. */
static int damage(struct gh_elf *elf, unsigned int rounds)
{
	enum { NPCS = 40, STRIDE = 4096 };
	gh_addr pcs[NPCS];

	for (unsigned int i = 0; i < NPCS; i++)
		pcs[i] = gh_elf_entry(elf) + (gh_addr)i * STRIDE;
	return gh_test_damage(gh_elf_path(elf), rounds, /* seed= */ 20260101, pcs, NPCS) ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct gh_elf *elf;
	struct gh_error *err;
	int status;

	if (argc < 2) {
		fprintf(stderr, "usage: dwarf_dump EXE [time | damage ROUNDS] <REQUESTS\n");
		return 2;
	}
	err = gh_elf_open(argv[1], &elf);
	if (err)
		return fail(err);
	if (argc > 3 && strcmp(argv[2], "damage") == 0)
		status = damage(elf, (unsigned int)strtoul(argv[3], NULL, 0));
	else
		status = argc > 2 ? print_times(elf) : answer_all(elf);
	gh_elf_destroy(elf);
	return status;
}
