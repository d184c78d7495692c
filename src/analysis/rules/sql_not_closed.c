// SPDX-License-Identifier: Apache-2.0
// Conns, transactions and rows of package database/sql that nobody closed and no goroutine of the
// program can still get at: each keeps a connection from its pool, rows of a transaction the same one.
#include "analysis/conns.h"
#include "analysis/finding.h"

extern const struct gh_rule gh_rule_sql_not_closed;

enum { SOME = 5 }; // fewer may be under way

struct tally {
	uint64_t conns, txs, rows;
	uint64_t waiting; // requests in the queues of all pools
};

static void count(const struct gh_conn *conn, struct tally *tally)
{
	tally->waiting += conn->waiting;
	if (conn->in_use)
		return;
	tally->conns += conn->kind == GH_CONN_SQL_CONN;
	tally->txs += conn->kind == GH_CONN_SQL_TX;
	tally->rows += conn->kind == GH_CONN_SQL_ROWS;
}

static void add(struct gh_findings *f, const struct tally *t)
{
	const char *waiting = "";

	if (t->waiting)
		waiting = gh_findings_text(f, "; %llu request%s in the queue of a pool",
					   (unsigned long long)t->waiting,
					   t->waiting == 1 ? " stands" : "s stand");
	gh_findings_add(
		f, &gh_rule_sql_not_closed,
		(struct gh_finding){
			.level = GH_LEVEL_LIKELY,
			.title = gh_findings_text(
				f, "%llu users of database connections were not closed",
				(unsigned long long)(t->conns + t->txs + t->rows)),
			.evidence = gh_findings_text(
				f, "by %llu sql.Conn, %llu sql.Tx and %llu sql.Rows that are on no "
				   "goroutine's stack%s",
				(unsigned long long)t->conns, (unsigned long long)t->txs,
				(unsigned long long)t->rows, waiting),
			.fix = "defer rows.Close(), tx.Rollback() or conn.Close() behind the check of "
			       "the error",
			.more = "goheap conns",
			.key = "sql",
		});
}

static struct gh_error *find(struct gh_findings *f)
{
	struct gh_conns conns = {0};
	struct gh_error *err = gh_conns_find(f->session, &f->arena, &conns);
	struct tally tally = {0};

	for (size_t i = 0; i < conns.all.len && !err; i++)
		count(&conns.all.data[i], &tally);
	gh_conns_deinit(&conns);
	if (!err && tally.conns + tally.txs + tally.rows >= SOME)
		add(f, &tally);
	return err;
}

const struct gh_rule gh_rule_sql_not_closed = {
	.id = "sql-not-closed",
	.title = "Database connections that nobody gives back",
	.help = "Five sql.Conn, Tx and Rows and more that no goroutine has on its stack. One that waits "
		"in a structure for its next use looks the same.",
	.find = find,
};
