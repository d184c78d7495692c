// SPDX-License-Identifier: Apache-2.0
// `chans`: what nobody has read yet, who waits in the queues, and for whom nobody will ever come.
#include "base/cleanup.h"
#include "command/chan_tables.h"
#include "command/heap_notes.h"

static void filter_rows(struct gh_chan_row_vec *rows, const struct gh_filter *filter)
{
	size_t n = 0;

	for (size_t i = 0; i < rows->len; i++)
		if (gh_filter_type(filter, rows->data[i].type))
			rows->data[n++] = rows->data[i];
	rows->len = n;
}

/* What nobody will do is proven from the owner graph; without memory for that the rest is told. */
static struct gh_error *prove(struct gh_chan_view *view)
{
	struct gh_error *err = gh_chan_list_prove(view->session, &view->list);

	err = gh_settle_part(view->session, view->report, err,
			     "who could serve those that wait is not known");
	if (!err && view->list.is_incomplete)
		gh_report_note(view->report, "memory is missing: for none of those that wait is "
					     "it proven that nobody could serve them");
	return err;
}

static void conclude(struct gh_chan_view *view)
{
	uint64_t waiting[2] = {0}, stranded[2] = {0};
	struct gh_arena *arena = &view->report->arena;
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	for (size_t i = 0; i < view->list.rows.len; i++) {
		const struct gh_chan_row *row = &view->list.rows.data[i];

		waiting[0] += row->receivers;
		waiting[1] += row->senders;
		stranded[0] += row->is_stranded ? row->receivers : 0;
		stranded[1] += row->is_stranded ? row->senders : 0;
	}
	gh_strbuf_printf(&sb, "%zu channels: %llu wait to send, %llu to receive",
			 view->list.rows.len, (unsigned long long)waiting[1],
			 (unsigned long long)waiting[0]);
	if (stranded[1])
		gh_strbuf_printf(&sb, "; %llu senders, no goroutine that could receive",
				 (unsigned long long)stranded[1]);
	if (stranded[0])
		gh_strbuf_printf(&sb, "; %llu receivers, no goroutine that could send or close",
				 (unsigned long long)stranded[0]);
	view->report->headline = gh_arena_strndup(arena, gh_strbuf_str(&sb), sb.len);
	gh_report_skip(view->report, "channels", view->list.damaged,
		       "they hold more than they can, or their queues end early");
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	_cleanup_filter_ struct gh_filter filter = {0};
	_cleanup_(gh_chan_view_deinit)
	struct gh_chan_view view = {.session = session, .report = report};
	bool all = gh_args_option(args, "--all");
	struct gh_error *err = gh_filter_init(args, &filter);

	if (!err && all)
		err = gh_session_dominators(session);
	if (!err)
		err = gh_chan_list_create(session, &view.list);
	if (err)
		return err;
	filter_rows(&view.list.rows, &filter);
	err = prove(&view);
	if (err)
		return err;
	conclude(&view);
	err = all ? gh_chan_rows(&view)
		  : gh_chan_groups(&view, &filter, args->render.format == GH_FORMAT_TEXT);
	if (!err)
		gh_heap_notes(session, report);
	return err;
}

static const struct gh_option options[] = {
	{"--all", NULL, NULL, "one channel a row, with its owner, who refers to it and who waits"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_example examples[] = {
	{"core chans", "channels by type, those with most unread bytes first; who waits for them"},
	{"core chans --sort senders", "types that most goroutines wait to send to"},
	{"core chans --all --type 'main.Job$'", "each channel of jobs: who holds it, who waits"},
	{NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"groups", gh_chan_group_columns, GH_CHAN_NGROUP},
	{"waiters", gh_chan_party_columns, GH_CHAN_NPARTY},
	{"chans", gh_chan_columns, GH_CHAN_NCOLUMNS},
	{NULL, NULL, 0},
};

const struct gh_command gh_cmd_chans = {
	.name = "chans",
	.summary = "Channels: what is unread, who waits to send or receive.",
	.usage = "chans [--all]",
	.help = "unread is what was sent and not received yet, unread_bytes the elements "
		"themselves, without what they point to. senders and receivers count goroutines "
		"in the channels' queues, one that waits in a select once for each of its "
		"channels; table waiters has them by their stacks.\n"
		"\n"
		"verdict says where nobody can ever come: nothing leads to the channel but those "
		"who wait, and what leads to these, as `goheap leaks` proves it for goroutines. "
		"stranded counts them. Nothing is said where others can get at the channel, "
		"whether they will or not.\n"
		"\n"
		"owner (--all) is who alone leads to the channel, `shared` if there are several: "
		"then owners names some. referrers are package variables, variables of goroutines "
		"and fields of objects that hold it, those who wait for it aside.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.needs_target = true,
	.reads = GH_READS_CHANNELS,
	.run = run,
};
