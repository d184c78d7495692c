// SPDX-License-Identifier: Apache-2.0
// See waiting_rows.h. People read each row as a sentence, machines as columns.
#include "command/waiting_rows.h"

#include "analysis/place.h"
#include "analysis/waiting.h"
#include "base/cleanup.h"
#include "command/code_cells.h"
#include "command/heap_notes.h"
#include "report/format.h"

enum column {
	WHAT,
	ADDRESS,
	TYPE,
	BUFFERED,
	CAPACITY,
	CLOSED,
	SENDERS,
	RECEIVERS,
	OTHERS,
	FD,
	PATH,
	DUE_NS,
	GOIDS,
	HOLDER,
	LEVEL,
	WAITERS,
	NAME,
	SENTENCE,
	NCOLUMNS
};

const struct gh_column gh_waiting_columns[GH_WAITING_COLUMNS] = {
	[WHAT] = {"what", GH_UNIT_TEXT, .prose = GH_PROSE_HEAD},
	[ADDRESS] = {"address", GH_UNIT_ADDRESS, false},
	[TYPE] = {"type", GH_UNIT_TEXT, false},
	[BUFFERED] = {"buffered", GH_UNIT_COUNT, false},
	[CAPACITY] = {"capacity", GH_UNIT_COUNT, false},
	[CLOSED] = {"closed", GH_UNIT_BOOL, false},
	[SENDERS] = {"senders", GH_UNIT_COUNT, false},
	[RECEIVERS] = {"receivers", GH_UNIT_COUNT, false},
	[OTHERS] = {"others", GH_UNIT_COUNT, true},
	[FD] = {"fd", GH_UNIT_COUNT, true},
	[PATH] = {"path", GH_UNIT_TEXT, true},
	[DUE_NS] = {"due_ns", GH_UNIT_NS, true},
	[GOIDS] = {"goids", GH_UNIT_LIST, true},
	[HOLDER] = {"holder", GH_UNIT_TEXT, true},
	[LEVEL] = {"level", GH_UNIT_TEXT, true},
	[WAITERS] = {"waiters", GH_UNIT_COUNT, true},
	[NAME] = {"name", GH_UNIT_TEXT, true},
	[SENTENCE] = {"sentence", GH_UNIT_TEXT, true, .prose = GH_PROSE_SENTENCE},
};
_Static_assert((int)NCOLUMNS == (int)GH_WAITING_COLUMNS, "the header tells others");

struct listing {
	struct gh_session *session;
	struct gh_report *report;
	struct gh_waiting_list list;
	struct gh_places places;
};

static void count(struct gh_strbuf *sb, uint64_t n, const char *one, const char *many)
{
	if (n)
		gh_strbuf_printf(sb, "%llu %s", (unsigned long long)n, n == 1 ? one : many);
	else
		gh_strbuf_printf(sb, "no %s", one);
}

/* "; the others: goroutines 5, 6 and 3 more" */
static void add_others(struct gh_strbuf *sb, const struct gh_waiting *w)
{
	uint64_t shown = gh_min_u64(w->nparties, GH_PARTIES_KEPT);

	if (!w->nparties)
		return;
	gh_strbuf_printf(sb, "; besides it goroutine%s ", w->nparties > 1 ? "s" : "");
	for (uint64_t i = 0; i < shown; i++)
		gh_strbuf_printf(sb, "%s%llu", i ? ", " : "", (unsigned long long)w->parties[i]);
	if (w->nparties > shown)
		gh_strbuf_printf(sb, " and %llu more", (unsigned long long)(w->nparties - shown));
}

/* "chan int at 0xc000012345, buffer 3 of 3, 12 senders, no receiver; besides it goroutines 5 …" */
static void say_chan(struct gh_strbuf *sb, const struct gh_waiting *w)
{
	gh_strbuf_printf(sb, "%s at 0x%llx", w->type ? w->type : "a channel",
			 (unsigned long long)w->addr);
	if (w->capacity)
		gh_strbuf_printf(sb, ", %llu of %llu in its buffer",
				 (unsigned long long)w->buffered, (unsigned long long)w->capacity);
	else
		gh_strbuf_puts(sb, ", no buffer");
	gh_strbuf_puts(sb, w->closed ? ", closed, " : ", ");
	count(sb, w->senders, "sender", "senders");
	gh_strbuf_puts(sb, ", ");
	count(sb, w->receivers, "receiver", "receivers");
	add_others(sb, w);
}

static void say_due(struct gh_strbuf *sb, const struct gh_waiting *w)
{
	if (!w->has_due)
		return;
	gh_strbuf_puts(sb, sb->len ? "; due in " : "due in ");
	gh_format_ns(sb, w->due_ns);
}

static void say_lock(struct gh_strbuf *sb, const struct gh_waiting *w, const struct gh_cell *row)
{
	const char *level = row[LEVEL].kind ? row[LEVEL].text : "";

	if (row[NAME].kind)
		gh_strbuf_printf(sb, "%s ", row[NAME].text);
	gh_strbuf_printf(sb, "at 0x%llx", (unsigned long long)w->addr);
	if (row[HOLDER].kind)
		gh_strbuf_printf(sb, ", %s %s", row[HOLDER].text,
				 strcmp(level, "likely") == 0
					 ? "likely holds it (a pending defer would let go of it)"
					 : "may hold it");
	if (row[WAITERS].kind) {
		gh_strbuf_puts(sb, ", ");
		count(sb, row[WAITERS].u64, "waits for it", "wait for it");
	}
	add_others(sb, w);
}

static void say_file(struct gh_strbuf *sb, const struct gh_waiting *w)
{
	gh_strbuf_printf(sb, "fd %llu", (unsigned long long)w->fd);
	if (w->path)
		gh_strbuf_printf(sb, ", %s", w->path);
}

static struct gh_cell sentence_cell(const struct listing *l, const struct gh_waiting *w,
				    const struct gh_cell *row)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};

	if (w->is_chan)
		say_chan(&sb, w);
	else if (w->is_lock && w->addr)
		say_lock(&sb, w, row);
	else if (w->has_fd)
		say_file(&sb, w);
	say_due(&sb, w);
	return sb.len ? gh_cell_copy(l->report, gh_strbuf_str(&sb), sb.len)
		      : (struct gh_cell){0};
}

static struct gh_error *fill_lock(struct listing *l, const struct gh_waiting *w,
				  struct gh_cell *row)
{
	_cleanup_strbuf_ struct gh_strbuf holder = {0}, name = {0};
	const struct gh_locks *locks = &l->list.locks;
	const struct gh_lock *lock;
	struct gh_error *err;

	if (!w->is_lock || w->lock == SIZE_MAX)
		return NULL;
	lock = &locks->all.data[w->lock];
	row[WAITERS] = gh_cell_u64(lock->nwaiters);
	gh_lock_describe_holders(l->session, locks, lock, &holder);
	if (holder.len) {
		row[HOLDER] = gh_cell_copy(l->report, gh_strbuf_str(&holder), holder.len);
		row[LEVEL] = gh_cell_text(
			gh_level_name(locks->holders.data[lock->first_holder].level));
	}
	err = gh_lock_name(&l->places, lock, &name);
	if (!err && name.len)
		row[NAME] = gh_cell_copy(l->report, gh_strbuf_str(&name), name.len);
	return err;
}

static uint64_t nth_party(const void *ctx, size_t i)
{
	const struct gh_waiting *w = ctx;

	return w->parties[i];
}

static struct gh_error *add_row(struct listing *l, struct gh_table *table,
				const struct gh_waiting *w)
{
	struct gh_cell *row = gh_table_row(table);
	struct gh_error *err = NULL;

	if (!row)
		return gh_error_nomem();
	row[WHAT] = gh_cell_text(w->what);
	if (w->addr)
		row[ADDRESS] = gh_cell_u64(w->addr);
	row[TYPE] = gh_cell_text(w->type);
	if (w->is_chan) {
		row[BUFFERED] = gh_cell_u64(w->buffered);
		row[CAPACITY] = gh_cell_u64(w->capacity);
		row[CLOSED] = gh_cell_bool(w->closed);
		row[SENDERS] = gh_cell_u64(w->senders);
		row[RECEIVERS] = gh_cell_u64(w->receivers);
	}
	if (w->has_fd)
		row[FD] = gh_cell_u64(w->fd);
	row[PATH] = gh_cell_text(w->path);
	if (w->has_due)
		row[DUE_NS] = gh_cell_i64(w->due_ns);
	row[OTHERS] = gh_cell_u64(w->nparties);
	if (w->nparties)
		err = gh_goids_cell(l->report, gh_min_u64(w->nparties, GH_PARTIES_KEPT), nth_party,
				    w, &row[GOIDS]);
	if (!err)
		err = fill_lock(l, w, row);
	if (!err)
		row[SENTENCE] = sentence_cell(l, w, row);
	return err;
}

struct gh_error *gh_waiting_table(struct gh_session *session, size_t g, struct gh_report *report,
				  struct gh_table **ret)
{
	struct listing l = {.session = session,
			    .report = report,
			    .places = {.session = session, .arena = &report->arena}};
	struct gh_error *err = gh_waiting_load(session, g, &report->arena, &l.list);

	if (err)
		return err;
	err = gh_settle_part(session, report, gh_waiting_find_locks(session, &l.list),
			     "who may hold the lock is not known");
	if (err) {
		gh_waiting_deinit(&l.list);
		return err;
	}
	*ret = gh_report_table(report, "waiting_on", gh_waiting_columns, NCOLUMNS);
	if (!*ret)
		err = gh_error_nomem();
	else
		(*ret)->is_prose = true;
	for (size_t i = 0; i < l.list.rows.len && !err; i++)
		err = add_row(&l, *ret, &l.list.rows.data[i]);
	gh_report_skip(report, "sudogs", l.list.damaged,
		       "they are damaged: queues may be longer");
	gh_places_deinit(&l.places);
	gh_waiting_deinit(&l.list);
	return err;
}
