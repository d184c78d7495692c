// SPDX-License-Identifier: Apache-2.0
// Connections that a pool of package database/sql has lent out and that nothing alive leads to, the
// pool's own lists aside: the Rows or Conn that had them were dropped without Close, and nobody else
// can give them back.
#include "analysis/conns.h"
#include "analysis/finding.h"
#include "base/text.h"

extern const struct gh_rule gh_rule_sql_lost;

static void add(struct gh_findings *f, const struct gh_conn *pool)
{
	const char *limit = "", *waiting = "";

	if (pool->limit)
		limit = gh_findings_text(f, " of at most %llu", (unsigned long long)pool->limit);
	if (pool->waiting)
		waiting = gh_findings_text(f, "; %llu request%s in its queue",
					   (unsigned long long)pool->waiting,
					   pool->waiting == 1 ? " stands" : "s stand");
	gh_findings_add(
		f, &gh_rule_sql_lost,
		(struct gh_finding){
			.level = gh_session_saw_all(f->session) ? GH_LEVEL_PROVEN
								: GH_LEVEL_LIKELY,
			.title = gh_findings_text(
				f, "%llu connection%s of a sql.DB will never come back",
				(unsigned long long)pool->lost, gh_plural(pool->lost)),
			.bytes = pool->lost_bytes,
			.bytes_kind = "at_least",
			.evidence = gh_findings_text(
				f, "it has lent them out, and no Rows, Conn, Tx or goroutine has "
				   "them; it has opened %llu%s%s",
				(unsigned long long)pool->count, limit, waiting),
			.fix = "defer rows.Close() or conn.Close() behind the check of the error",
			.more = "goheap conns",
			.key = pool->peer ? pool->peer : "sql",
		});
}

static struct gh_error *find(struct gh_findings *f)
{
	const struct gh_conns *conns = NULL;
	struct gh_error *err = gh_findings_conns(f, &conns);

	for (size_t i = 0; !err && i < conns->all.len; i++)
		if (conns->all.data[i].lost)
			add(f, &conns->all.data[i]);
	return err;
}

const struct gh_rule gh_rule_sql_lost = {
	.id = "sql-lost",
	.title = "Database connections that nobody can give back",
	.help = "Connections that a sql.DB has lent out while nothing but its own lists leads to them: "
		"Rows that were neither read to their end nor closed, a Conn that was not closed. "
		"A Tx is always held by a goroutine of the pool.",
	.find = find,
};
