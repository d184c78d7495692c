// SPDX-License-Identifier: Apache-2.0
// `refs`: what an object points to.
#include "base/text.h"
#include "command/command.h"
#include "command/heap_notes.h"
#include "command/pointer_rows.h"
#include "graph/edges.h"

struct collect {
	struct gh_session *session;
	struct gh_referrers words;
	bool nomem;
};

static void keep(void *ctx, const struct gh_word *word)
{
	struct gh_referrer pointer = {.at = word->at, .value = word->value, .count = 1};
	struct collect *c = ctx;
	struct gh_slot_ref ref;

	if (c->nomem || !gh_heap_find(c->session->heap, word->value, &ref))
		return;
	c->nomem = !gh_referrers_push(c->session, &c->words, &pointer);
}

static void say(struct gh_report *report, const struct gh_slot *slot, uint64_t n)
{
	if (slot->state != GH_SLOT_IS_LIVE)
		gh_report_note(report, "0x%llx is not live: what it points to is not looked for",
			       (unsigned long long)slot->ref.base);
	report->headline =
		gh_arena_printf(&report->arena, "0x%llx, %s: %llu pointer%s to objects",
				(unsigned long long)slot->ref.base, slot->name,
				(unsigned long long)n, gh_plural(n));
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	struct collect c = {.session = session};
	struct gh_slot slot;
	struct gh_error *err = gh_pointer_rows_object(session, args, report, &slot);

	if (err)
		return err;
	gh_edges_of(session->mark, slot.ref.base, keep, &c);
	if (c.nomem) {
		gh_referrers_deinit(session, &c.words);
		return gh_error_nomem();
	}
	say(report, &slot, c.words.all.len);
	err = gh_pointer_rows(session, report, &c.words, /* is_refs= */ true);
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
	{"core refs 0xc000012345", "where the pointers of that object lead"},
	{"core refs $o3 --retained --sort retained", "the heaviest of them first"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_refs = {
	.name = "refs",
	.summary = "What an object points to.",
	.usage = "refs OBJ [--retained]",
	.help = "One row a pointer into the heap, in the order of the object's words: name is the "
		"field that holds it, the rest is of the object behind it. retained is there "
		"after a command that computed it, or with --retained.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.max_positional = 1,
	.needs_target = true,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_PACKAGE | GH_IGNORES_MIN,
	.run = run,
};
