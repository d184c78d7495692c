// SPDX-License-Identifier: Apache-2.0
// `conns`: open connections, listeners, files, response bodies, pools, by what they are and who has
// them.
#include <stdlib.h>

#include "analysis/conns.h"
#include "base/cleanup.h"
#include "command/command.h"
#include "command/heap_notes.h"

enum group_column {
	G_KIND,
	G_OWNER,
	G_COUNT,
	G_IN_USE,
	G_PEER,
	G_LOCAL,
	G_STATE,
	G_IDLE,
	G_WAITING,
	G_LIMIT,
	G_LOST,
	NGROUP,
};

static const struct gh_column group_columns[NGROUP] = {
	[G_KIND] = {"kind", GH_UNIT_TEXT, false},
	[G_OWNER] = {"owner", GH_UNIT_TEXT, false},
	[G_COUNT] = {"count", GH_UNIT_COUNT, false},
	[G_IN_USE] = {"in_use", GH_UNIT_COUNT, false},
	[G_PEER] = {"peer", GH_UNIT_TEXT, false},
	[G_LOCAL] = {"local", GH_UNIT_TEXT, true},
	[G_STATE] = {"state", GH_UNIT_TEXT, true},
	[G_IDLE] = {"idle", GH_UNIT_COUNT, true},
	[G_WAITING] = {"waiting", GH_UNIT_COUNT, true},
	[G_LIMIT] = {"limit", GH_UNIT_COUNT, true},
	[G_LOST] = {"lost", GH_UNIT_COUNT, true},
};

enum column {
	ADDRESS,
	KIND,
	FD,
	STATE,
	LOCAL,
	PEER,
	NAME,
	OWNER,
	COUNT,
	IN_USE,
	IDLE,
	WAITING,
	LIMIT,
	LOST,
	NCOLUMNS,
};

static const struct gh_column columns[NCOLUMNS] = {
	[ADDRESS] = {"address", GH_UNIT_ADDRESS, false, .handle = 'o'},
	[KIND] = {"kind", GH_UNIT_TEXT, false},
	[FD] = {"fd", GH_UNIT_COUNT, false},
	[STATE] = {"state", GH_UNIT_TEXT, false},
	[LOCAL] = {"local", GH_UNIT_TEXT, false},
	[PEER] = {"peer", GH_UNIT_TEXT, false},
	[NAME] = {"name", GH_UNIT_TEXT, false},
	[OWNER] = {"owner", GH_UNIT_TEXT, false},
	[COUNT] = {"count", GH_UNIT_COUNT, false},
	[IN_USE] = {"in_use", GH_UNIT_COUNT, false},
	[IDLE] = {"idle", GH_UNIT_COUNT, true},
	[WAITING] = {"waiting", GH_UNIT_COUNT, true},
	[LIMIT] = {"limit", GH_UNIT_COUNT, true},
	[LOST] = {"lost", GH_UNIT_COUNT, true},
};

enum {
	FIRST_EPHEMERAL = 10000, // of ports that net.ipv4.ip_local_port_range is set to
	MANY_SOCKETS = 3,	 // of one owner
};

/* Texts of many connections, sorted: how often each occurs. */
struct texts {
	const char **data; // owned
	size_t len;
};

struct request {
	struct gh_session *session;
	struct gh_report *report;
	struct gh_conns conns;
	struct texts peers, locals;
	bool unused; // only what is not in use
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool collect(const struct request *r, bool peers, struct texts *ret)
{
	ret->data = gh_alloc_array(r->conns.all.len, sizeof(*ret->data));
	for (size_t i = 0; ret->data && i < r->conns.all.len; i++) {
		const struct gh_conn *c = &r->conns.all.data[i];
		const char *text = peers ? c->peer : c->local;

		if (text)
			ret->data[ret->len++] = text;
	}
	if (ret->len)
		qsort(ret->data, ret->len, sizeof(*ret->data), by_text);
	return ret->data;
}

/* How many are less than the text, or equal to it where `equal` is set. */
static size_t count_below(const struct texts *texts, const char *text, bool equal)
{
	size_t lo = 0, hi = texts->len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(texts->data[mid], text) < (equal ? 1 : 0))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static size_t occurrences(const struct texts *texts, const char *text)
{
	return text ? count_below(texts, text, true) - count_below(texts, text, false) : 0;
}

/*
 * "127.0.0.1:*": the port of the end that is not the server's, which is the one that fewer have, or
 * of one that nobody else has where the kernel may have chosen it.
 */
static const char *without_port(struct request *r, const char *text, size_t here, size_t there)
{
	const char *colon = text ? strrchr(text, ':') : NULL;

	if (!colon || here > there || atoi(colon + 1) < FIRST_EPHEMERAL ||
	    (here == there && here > 1))
		return text;
	return gh_arena_printf(&r->report->arena, "%.*s:*", (int)(colon - text), text);
}

static void drop_ports(struct request *r, struct gh_conn *c)
{
	size_t locals = occurrences(&r->locals, c->local), peers = occurrences(&r->peers, c->peer);

	c->peer = without_port(r, c->peer, peers, locals);
	c->local = without_port(r, c->local, locals, peers);
}

static bool is_listener(const struct gh_conn *c)
{
	return c->kind == GH_CONN_TCP_LISTENER || c->kind == GH_CONN_UNIX_LISTENER ||
	       (c->kind == GH_CONN_UDP && !c->peer);
}

static bool is_wanted(const struct request *r, const struct gh_conn *c)
{
	return !r->unused || c->in_use < c->count;
}

static int compare(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) : (a != NULL) - (b != NULL);
}

static int by_group(const void *a, const void *b)
{
	const struct gh_conn *x = a, *y = b;
	int order = (int)x->kind - (int)y->kind;

	if (!order)
		order = compare(x->owner, y->owner);
	if (!order)
		order = compare(x->peer, y->peer);
	if (!order)
		order = compare(x->local, y->local);
	return order ? order : x->addr < y->addr ? -1 : x->addr > y->addr;
}

static bool same_group(const struct gh_conn *x, const struct gh_conn *y)
{
	return x->kind == y->kind && !compare(x->owner, y->owner) && !compare(x->peer, y->peer) &&
	       !compare(x->local, y->local);
}

/* One row, of n connections that differ in nothing that counts. */
struct group {
	const struct gh_conn *first;
	uint64_t count, in_use, waiting, lost;
	bool same_state, same_limit;
};
GH_VEC(group_vec, struct group);

static int by_count(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->first < y->first ? -1 : x->first > y->first;
}

static struct gh_cell data_cell(const struct request *r, const struct gh_conn *c, const char *text)
{
	return c->is_program_data && r->session->no_values ? (struct gh_cell){0}
							   : gh_cell_text(text);
}

/* Of pools alone. */
static void fill_pool(struct gh_cell *idle, uint64_t count, uint64_t in_use, uint64_t waiting,
		      uint64_t limit, uint64_t lost)
{
	idle[0] = gh_cell_u64(count - gh_min_u64(in_use, count));
	idle[G_WAITING - G_IDLE] = gh_cell_u64(waiting);
	if (limit)
		idle[G_LIMIT - G_IDLE] = gh_cell_u64(limit);
	idle[G_LOST - G_IDLE] = gh_cell_u64(lost);
}

static struct gh_error *add_group(struct request *r, struct gh_table *table, const struct group *g)
{
	struct gh_cell *row = gh_table_row(table);

	if (!row)
		return gh_error_nomem();
	row[G_KIND] = gh_cell_text(gh_conn_kind_name(g->first->kind));
	row[G_OWNER] = gh_cell_text(g->first->owner);
	row[G_COUNT] = gh_cell_u64(g->count);
	row[G_IN_USE] = gh_cell_u64(g->in_use);
	row[G_PEER] = data_cell(r, g->first, g->first->peer);
	row[G_LOCAL] = data_cell(r, g->first, g->first->local);
	if (g->same_state)
		row[G_STATE] = gh_cell_text(g->first->state);
	if (g->first->kind == GH_CONN_DATABASE)
		fill_pool(&row[G_IDLE], g->count, g->in_use, g->waiting,
			  g->same_limit ? g->first->limit : 0, g->lost);
	return NULL;
}

/* conns: sorted by group. */
static struct gh_error *make_groups(const struct request *r, const struct gh_conn *conns, size_t n,
				    struct group_vec *ret)
{
	for (size_t i = 0; i < n; i++) {
		struct group *last = ret->len ? &ret->data[ret->len - 1] : NULL;

		if (!is_wanted(r, &conns[i]))
			continue;
		if (!last || !same_group(last->first, &conns[i])) {
			if (!group_vec_push(ret,
					    (struct group){.first = &conns[i],
							   .same_state = true,
							   .same_limit = true}))
				return gh_error_nomem();
			last = &ret->data[ret->len - 1];
		}
		last->count += conns[i].count;
		last->in_use += conns[i].in_use;
		last->waiting += conns[i].waiting;
		last->lost += conns[i].lost;
		last->same_limit &= last->first->limit == conns[i].limit;
		last->same_state &= !compare(last->first->state, conns[i].state);
	}
	if (ret->len)
		qsort(ret->data, ret->len, sizeof(*ret->data), by_count);
	return NULL;
}

static bool is_alone(const struct gh_conn *c) { return c->kind == GH_CONN_UDP && !c->peer; }

/*
 * Sockets of one owner that differ in their ports alone: those of clients, which send from whatever
 * port the kernel gives them. Conns are sorted by group; whether the order changes.
 */
static bool drop_ports_of_sockets(struct request *r, struct gh_conn *conns, size_t n)
{
	bool any = false;

	for (size_t i = 0, end; i < n; i = end) {
		const char *last = NULL;

		for (end = i + 1; end < n && is_alone(&conns[i]) && is_alone(&conns[end]) &&
				  !compare(conns[i].owner, conns[end].owner);)
			end++;
		for (size_t k = i; k < end && end - i >= MANY_SOCKETS; k++) {
			const char *local = conns[k].local;
			bool has_other = (last && !compare(last, local)) ||
					 (k + 1 < end && !compare(local, conns[k + 1].local));

			last = local;
			if (!has_other)
				conns[k].local = without_port(r, local, 1, 1);
			any = true;
		}
	}
	return any;
}

static struct gh_error *list_groups(struct request *r)
{
	struct gh_table *table = gh_report_table(r->report, "groups", group_columns, NGROUP);
	size_t n = r->conns.all.len;
	_cleanup_free_ struct gh_conn *conns = gh_alloc_array(n, sizeof(*conns));
	struct group_vec groups = {0};
	struct gh_error *err;

	if (!table || !conns || !collect(r, true, &r->peers) || !collect(r, false, &r->locals))
		return gh_error_nomem();
	for (size_t i = 0; i < n; i++) {
		conns[i] = r->conns.all.data[i];
		if (!is_listener(&conns[i]))
			drop_ports(r, &conns[i]);
	}
	if (n)
		qsort(conns, n, sizeof(*conns), by_group);
	if (drop_ports_of_sockets(r, conns, n))
		qsort(conns, n, sizeof(*conns), by_group);
	err = make_groups(r, conns, n, &groups);
	for (size_t i = 0; i < groups.len && !err; i++)
		err = add_group(r, table, &groups.data[i]);
	group_vec_deinit(&groups);
	return err;
}

static struct gh_error *list_all(struct request *r)
{
	struct gh_table *table = gh_report_table(r->report, "conns", columns, NCOLUMNS);

	if (!table)
		return gh_error_nomem();
	for (size_t i = 0; i < r->conns.all.len; i++) {
		const struct gh_conn *c = &r->conns.all.data[i];
		struct gh_cell *row;

		if (!is_wanted(r, c))
			continue;
		row = gh_table_row(table);
		if (!row)
			return gh_error_nomem();
		row[ADDRESS] = gh_cell_u64(c->addr);
		row[KIND] = gh_cell_text(gh_conn_kind_name(c->kind));
		if (c->fd >= 0)
			row[FD] = gh_cell_i64(c->fd);
		row[STATE] = gh_cell_text(c->state);
		row[LOCAL] = data_cell(r, c, c->local);
		row[PEER] = data_cell(r, c, c->peer);
		row[NAME] = data_cell(r, c, c->name);
		row[OWNER] = gh_cell_text(c->owner);
		row[COUNT] = gh_cell_u64(c->count);
		row[IN_USE] = gh_cell_u64(c->in_use);
		if (c->kind == GH_CONN_DATABASE)
			fill_pool(&row[IDLE], c->count, c->in_use, c->waiting, c->limit,
				  c->lost);
	}
	return NULL;
}

/* "12 open sockets and files, 3 of them on no goroutine's stack; 200 HTTP response bodies …" */
static void conclude(struct request *r)
{
	uint64_t open = 0, unused = 0, bodies = 0, taken = 0, waiting = 0, lost = 0;
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	struct gh_report *report = r->report;

	for (size_t i = 0; i < r->conns.all.len; i++) {
		const struct gh_conn *c = &r->conns.all.data[i];

		open += c->kind < GH_CONN_BODY;
		unused += c->kind < GH_CONN_BODY && !c->in_use;
		bodies += c->kind == GH_CONN_BODY || c->kind == GH_CONN_BODY_READ;
		taken += c->kind >= GH_CONN_SQL_CONN;
		waiting += c->waiting;
		lost += c->lost;
	}
	gh_strbuf_printf(&sb,
			 "%llu open sockets and files, %llu of them on no goroutine's stack; %llu "
			 "HTTP response bodies not closed",
			 (unsigned long long)open, (unsigned long long)unused,
			 (unsigned long long)bodies);
	if (taken)
		gh_strbuf_printf(&sb, "; %llu of package sql not closed",
				 (unsigned long long)taken);
	if (lost)
		gh_strbuf_printf(&sb, "; %llu of a pool that nobody can give back",
				 (unsigned long long)lost);
	if (waiting)
		gh_strbuf_printf(&sb, "; %llu wait for a connection of a pool",
				 (unsigned long long)waiting);
	report->headline = gh_arena_strndup(&report->arena, gh_strbuf_str(&sb), sb.len);
	gh_report_skip(report, "objects", r->conns.unreadable,
		       "connections whose memory is missing, or of a type that is not known");
}

static struct gh_error *run(struct gh_session *session, const struct gh_args *args,
			    struct gh_report *report)
{
	struct request r = {.session = session,
			    .report = report,
			    .unused = gh_args_option(args, "--unused")};
	struct gh_error *err = gh_conns_find(session, &report->arena, &r.conns);

	if (!err)
		err = gh_args_option(args, "--all") ? list_all(&r) : list_groups(&r);
	if (!err) {
		conclude(&r);
		gh_heap_notes(session, report);
	}
	free(r.peers.data);
	free(r.locals.data);
	gh_conns_deinit(&r.conns);
	return err;
}

static const struct gh_option options[] = {
	{"--all", NULL, NULL, "one a row, with its file descriptor, state, name"},
	{"--unused", NULL, NULL, "only those that no goroutine uses any more"},
	{NULL, NULL, NULL, NULL},
};

static const struct gh_table_shape tables[] = {
	{"groups", group_columns, NGROUP},
	{"conns", columns, NCOLUMNS},
	{NULL, NULL, 0},
};

static const struct gh_example examples[] = {
	{"core conns", "open connections, files, response bodies, pools: how many, and whose"},
	{"core conns --unused", "those that no goroutine uses any more"},
	{"core conns --all --sort fd", "one a row, by file descriptor"},
	{NULL, NULL},
};

const struct gh_command gh_cmd_conns = {
	.name = "conns",
	.summary = "Open connections, files, HTTP response bodies, database pools.",
	.usage = "conns [--all] [--unused]",
	.help = "What package net and os have open; response bodies of HTTP clients that were not "
		"closed (each holds its connection, or its stream of HTTP/2, until it is read to "
		"its end); requests of HTTP/2 that have no response yet; connections that HTTP "
		"clients have, idle ones apart (what lies under them counts as a TCP connection, "
		"too); pools of databases, and what was taken out of them: sql.Conn, Tx, Rows and "
		"Stmt that were not closed.\n"
		"\n"
		"owner is who holds it as a whole: the variable or goroutine without which it "
		"would go, or those that share it, three at most. in_use counts those that a "
		"goroutine can get at from its stack; goroutines that only serve connections of HTTP "
		"clients and pools do not count. Of pools it is what they have lent out; idle, "
		"waiting and limit are theirs alone: connections that nobody has, requests in the "
		"queue for one, and what SetMaxOpenConns allows; lost are those lent out that nothing "
		"alive leads to any more: what had them was dropped without Close.\n"
		"\n"
		"Ports that the kernel seems to have chosen are *; --all shows them.\n",
	.options = options,
	.examples = examples,
	.tables = tables,
	.needs_target = true,
	.ignores = GH_IGNORES_TYPE | GH_IGNORES_PACKAGE | GH_IGNORES_MIN,
	.reads = GH_READS_VALUES, // addresses and names
	.run = run,
};
