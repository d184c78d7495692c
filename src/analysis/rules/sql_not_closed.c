// SPDX-License-Identifier: Apache-2.0
// Conns, transactions and rows of package database/sql that nobody closed and no goroutine of the
// program can still get at: each keeps a connection from its pool, rows of a transaction the same one.
// A Conn in a package variable may wait there for its next use: that is possible at most.
#include "analysis/conns.h"
#include "analysis/finding.h"
#include "analysis/sharing.h"

extern const struct gh_rule gh_rule_sql_not_closed;

enum { SOME = 5 }; // fewer may be under way

struct tally {
	uint64_t conns, txs, rows;
	uint64_t kept;	  // Conns that a package variable leads to
	uint64_t waiting; // requests in the queues of all pools
};

/* Does a package variable lead to it? Variables come first among those that share. */
static struct gh_error *is_kept(struct gh_session *s, const struct gh_conn *conn, bool *ret)
{
	const struct gh_owner_graph *graph = s->owners;
	gh_node node = gh_node_of_addr(graph, conn->addr);
	const struct gh_shared *shared;
	struct gh_error *err;
	uint32_t top;

	*ret = false;
	if (node == GH_NODE_NONE)
		return NULL;
	top = gh_domtree_top(s->domtree, node);
	if (!gh_is_shared(s->domtree, top)) {
		*ret = graph->owners.data[s->domtree->node[top]].kind == GH_ROOT_GLOBAL;
		return NULL;
	}
	err = gh_session_sharing(s);
	if (err)
		return err;
	shared = gh_shared_at(s->sharing, top);
	*ret = shared->nowners &&
	       graph->owners.data[shared->owners[0]].kind == GH_ROOT_GLOBAL;
	return NULL;
}

static struct gh_error *count(struct gh_session *s, const struct gh_conn *conn, struct tally *tally)
{
	struct gh_error *err;
	bool kept;

	tally->waiting += conn->waiting;
	if (conn->in_use)
		return NULL;
	tally->txs += conn->kind == GH_CONN_SQL_TX;
	tally->rows += conn->kind == GH_CONN_SQL_ROWS;
	if (conn->kind != GH_CONN_SQL_CONN)
		return NULL;
	err = is_kept(s, conn, &kept);
	tally->kept += kept;
	tally->conns += !kept;
	return err;
}

static const char *waiting_text(struct gh_findings *f, const struct tally *t)
{
	if (!t->waiting)
		return "";
	return gh_findings_text(f, "; %llu request%s in the queue of a pool",
				(unsigned long long)t->waiting,
				t->waiting == 1 ? " stands" : "s stand");
}

static const char *part_text(struct gh_findings *f, const char *before, uint64_t n, const char *what)
{
	return n ? gh_findings_text(f, "%s%llu %s", before, (unsigned long long)n, what) : "";
}

static void add_left(struct gh_findings *f, const struct tally *t)
{
	gh_findings_add(
		f, &gh_rule_sql_not_closed,
		(struct gh_finding){
			.level = GH_LEVEL_LIKELY,
			.title = gh_findings_text(
				f, "%llu users of database connections were not closed",
				(unsigned long long)(t->conns + t->txs + t->rows)),
			.evidence = gh_findings_text(
				f, "%s%s%s, on no goroutine's stack%s",
				part_text(f, "", t->conns, "sql.Conn"),
				part_text(f, t->conns ? ", " : "", t->txs, "sql.Tx"),
				part_text(f, t->conns + t->txs ? ", " : "", t->rows, "sql.Rows"),
				waiting_text(f, t)),
			.fix = "defer rows.Close(), tx.Rollback() or conn.Close() behind the check of "
			       "the error",
			.more = "goheap conns",
			.key = "sql",
		});
}

static void add_kept(struct gh_findings *f, const struct tally *t)
{
	gh_findings_add(
		f, &gh_rule_sql_not_closed,
		(struct gh_finding){
			.level = GH_LEVEL_POSSIBLE,
			.title = gh_findings_text(f, "%llu sql.Conn are kept in package variables",
						  (unsigned long long)t->kept),
			.evidence = gh_findings_text(
				f, "each keeps a connection from its pool, and no goroutine has it on "
				   "its stack; it may wait for its next use%s",
				waiting_text(f, t)),
			.fix = "close those that nobody will use again; one that stays in a variable "
			       "is missing in its pool",
			.more = "goheap conns",
			.key = "sql kept",
		});
}

static struct gh_error *find(struct gh_findings *f)
{
	const struct gh_conns *conns = NULL;
	struct gh_error *err = gh_findings_conns(f, &conns);
	struct tally tally = {0};

	for (size_t i = 0; !err && i < conns->all.len; i++)
		err = count(f->session, &conns->all.data[i], &tally);
	if (!err && tally.conns + tally.txs + tally.rows >= SOME)
		add_left(f, &tally);
	if (!err && tally.kept >= SOME)
		add_kept(f, &tally);
	return err;
}

const struct gh_rule gh_rule_sql_not_closed = {
	.id = "sql-not-closed",
	.title = "Database connections that nobody gives back",
	.help = "Five sql.Conn, Tx and Rows and more that no goroutine has on its stack. One that waits "
		"in a structure for its next use looks the same; Conns in package variables are said "
		"apart, and are possible only.",
	.find = find,
};
