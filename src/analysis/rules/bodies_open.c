// SPDX-License-Identifier: Apache-2.0
// Response bodies of HTTP clients that nobody closed and no goroutine of the program can still get
// at: each holds its connection, two goroutines and their buffers. A body that was dropped may be
// garbage long since; then its connection is lent, and nobody has it. One that was read to its end
// has given its connection back, and holds nothing.
#include "analysis/conns.h"
#include "analysis/finding.h"

extern const struct gh_rule gh_rule_bodies_open;

enum { SOME = 5 }; // fewer may be under way

/* Of one kind: how many nobody uses, and what each of them alone retains. */
struct tally {
	uint64_t count, bytes;
};

static void count(const struct gh_session *s, const struct gh_conn *conn, struct tally *tally)
{
	gh_node node = gh_node_of_addr(s->owners, conn->addr);

	tally->count++;
	if (node != GH_NODE_NONE)
		tally->bytes += gh_domtree_retained(s->domtree, node);
}

static void add(struct gh_findings *f, const struct tally *bodies, const struct tally *lent)
{
	bool has_bodies = bodies->count >= lent->count;
	const struct tally *most = has_bodies ? bodies : lent;

	gh_findings_add(
		f, &gh_rule_bodies_open,
		(struct gh_finding){
			.level = GH_LEVEL_LIKELY,
			.title = gh_findings_text(f, "%llu HTTP response bodies that nobody closed",
						  (unsigned long long)most->count),
			.bytes = most->bytes,
			.bytes_kind = "at_least",
			.evidence = has_bodies
					    ? "no goroutine of the program has them on its stack"
					    : "their connections are lent, and no goroutine of the "
					      "program has them",
			.fix = "defer response.Body.Close() behind the check of the error",
			.more = "goheap conns",
			.key = "bodies",
		});
}

static struct gh_error *find(struct gh_findings *f)
{
	const struct gh_conns *conns = NULL;
	struct gh_error *err = gh_findings_conns(f, &conns);
	struct tally bodies = {0}, lent = {0};

	for (size_t i = 0; !err && i < conns->all.len; i++) {
		const struct gh_conn *conn = &conns->all.data[i];

		if (conn->in_use)
			continue;
		if (conn->kind == GH_CONN_BODY)
			count(f->session, conn, &bodies);
		else if (conn->kind == GH_CONN_HTTP_BUSY)
			count(f->session, conn, &lent);
	}
	if (!err && (bodies.count >= SOME || lent.count >= SOME))
		add(f, &bodies, &lent);
	return err;
}

const struct gh_rule gh_rule_bodies_open = {
	.id = "bodies-open",
	.title = "HTTP response bodies that nobody closed",
	.help = "Five and more that no goroutine has on its stack. A body that waits in a structure for "
		"somebody to read it looks the same.",
	.find = find,
};
