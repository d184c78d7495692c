// SPDX-License-Identifier: Apache-2.0
// The goroutine that runs finalizers, or one that runs cleanups, waits inside of one: all others
// queue up behind it, with what they hold. A core cannot tell for how long, so it is likely at most.
#include "analysis/finding.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "goruntime/traceback.h"

extern const struct gh_rule gh_rule_finalizers_stuck;

/* Start functions: runtime/mfinal.go, mcleanup.go (go1.22 to go1.27). */
static const struct {
	const char *start, *queue; // queue: its owner's name (graph/roots.c)
	enum gh_root_kind kind;
} runners[] = {
	{"runtime.runfinq", "finalizer queue", GH_ROOT_FINALIZER},	 // up to go1.24
	{"runtime.runFinalizers", "finalizer queue", GH_ROOT_FINALIZER}, // go1.25+
	{"runtime.runCleanups", "cleanup queue", GH_ROOT_CLEANUP},	 // go1.25+
};

static const char *start_of(const struct gh_session *s, const struct gh_goroutine *g)
{
	struct gh_func func;
	const char *name;

	if (!g->start_pc || !gh_func_find(s->rt, g->start_pc, &func))
		return "";
	name = gh_func_name(s->rt, &func);
	return name ? name : "";
}

/* The queue's owner; GH_NODE_NONE: it is empty. */
static gh_node queue_of(const struct gh_session *s, enum gh_root_kind kind, const char *name)
{
	const struct gh_owner_vec *owners = &s->owners->owners;

	for (gh_node i = 2; i < owners->len; i++)
		if (owners->data[i].kind == kind && !strcmp(owners->data[i].name, name))
			return i;
	return GH_NODE_NONE;
}

static struct gh_error *add(struct gh_findings *f, const struct gh_goroutine *g, gh_node queue,
			    const char *what)
{
	const struct gh_session *s = f->session;
	struct gh_traceback traceback = {0};
	_cleanup_strbuf_ struct gh_strbuf where = {0};
	struct gh_error *err = gh_traceback_summary(s->rt, g, &traceback);

	if (err)
		return err;
	if (!traceback.wait_function)
		return NULL; // in no function of the program: between two of them
	gh_function_print(&where, traceback.wait_function);
	gh_findings_add(
		f, &gh_rule_finalizers_stuck,
		(struct gh_finding){
			.level = GH_LEVEL_LIKELY,
			.title = gh_findings_text(
				f, "%llu objects hang in the %s behind one that waits in %s",
				(unsigned long long)gh_domtree_count(s->domtree, queue), what,
				gh_strbuf_str(&where)),
			.bytes = gh_domtree_retained(s->domtree, queue),
			.bytes_kind = "at_least",
			.site = traceback.wait_file
					? gh_findings_text(f, "%s:%d", traceback.wait_file,
							   traceback.wait_line)
					: NULL,
			.evidence = gh_findings_text(f, "goroutine %llu waits there (%s), and runs "
							"the queue",
						     (unsigned long long)g->goid, g->wait_reason),
			.fix = "let it return quickly: hand slow or blocking work to a goroutine",
			.more = gh_findings_text(f, "goheap goroutine %llu",
						 (unsigned long long)g->goid),
			.key = gh_findings_text(f, "%s", traceback.wait_function),
			.owner = queue,
		});
	return NULL;
}

static struct gh_error *find(struct gh_findings *f)
{
	struct gh_session *s = f->session;
	struct gh_error *err = gh_session_dominators(s);

	for (size_t i = 0; !err && i < s->goroutines.len; i++) {
		const struct gh_goroutine *g = &s->goroutines.data[i];
		const char *start;

		if (g->status != GH_G_WAITING && g->status != GH_G_LEAKED)
			continue;
		start = start_of(s, g);
		for (size_t k = 0; !err && k < GH_ARRAY_SIZE(runners); k++) {
			gh_node queue;

			if (strcmp(start, runners[k].start) != 0)
				continue;
			queue = queue_of(s, runners[k].kind, runners[k].queue);
			if (queue != GH_NODE_NONE)
				err = add(f, g, queue, runners[k].queue);
		}
	}
	return err;
}

const struct gh_rule gh_rule_finalizers_stuck = {
	.id = "finalizers-stuck",
	.title = "Finalizers or cleanups that wait for one of them",
	.help = "The runtime runs finalizers one after the other on one goroutine. If that waits inside "
		"of one, what all others would free stays.",
	.find = find,
};
