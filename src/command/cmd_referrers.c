// SPDX-License-Identifier: Apache-2.0
// `referrers`: who points to an object.
#include "base/text.h"
#include "command/command.h"
#include "command/heap_notes.h"
#include "command/pointer_rows.h"

static void say(struct gh_report *report, const struct gh_slot *slot,
		const struct gh_referrers *referrers)
{
	uint64_t objects = referrers->all.len - referrers->nroots;

	report->headline = gh_arena_printf(
		&report->arena, "0x%llx, %s: %llu root%s and %llu object%s refer to it",
		(unsigned long long)slot->ref.base, slot->name,
		(unsigned long long)referrers->nroots, gh_plural(referrers->nroots),
		(unsigned long long)objects, gh_plural(objects));
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	struct gh_referrers referrers = {0};
	struct gh_slot slot;
	struct gh_error *err = gh_pointer_rows_object(session, args, report, &slot);

	if (!err)
		err = gh_referrers_find(
			session,
			(struct gh_range){slot.ref.base, slot.ref.base + slot.ref.elem_bytes},
			UINT64_MAX, &referrers);
	if (err)
		return err;
	say(report, &slot, &referrers);
	err = gh_pointer_rows(session, report, &referrers, /* is_refs= */ false);
	if (!err)
		gh_heap_notes(session, report);
	return err;
}

static const struct gh_option options[] = {
	{"--retained", NULL, NULL, GH_POINTER_RETAINED_HELP},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"objects", gh_pointer_columns, GH_POINTER_COLUMNS},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core referrers 0xc000012345", "roots and objects that hold a pointer into that object"},
	{"core referrers $o3 --retained", "and what each of them retains"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_referrers = {
	.name = "referrers",
	.summary = "Who points to an object: roots and other objects.",
	.usage = "referrers OBJ [--retained]",
	.help = "One row a referrer: roots first (kind global, goroutine, …; name: the variable, "
		"address: where the word lies), then live objects by address (name: the first "
		"field that points there, count: how many words do). Weak references are the "
		"runtime's and not among them. retained is there after a command that computed "
		"it, or with --retained.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.max_positional = 1,
	.needs_target = true,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_PACKAGE | GH_IGNORES_MIN,
	.run = run,
};
