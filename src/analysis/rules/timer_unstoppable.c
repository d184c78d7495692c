// SPDX-License-Identifier: Apache-2.0
// Timers that nothing but the timer heap and their own callback leads to: nobody can stop them. A
// ticker of that kind never ends; other timers matter when they are many or keep much, and are far
// from due.
#include <stdlib.h>

#include "analysis/finding.h"
#include "analysis/timers.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "goruntime/functab.h"
#include "goruntime/traceback.h"

extern const struct gh_rule gh_rule_timer_unstoppable;

enum {
	MANY = 20,
	MUCH = 64 << 10, // bytes
};
static const int64_t soon_ns = 60000000000; // a minute

/** Timers of one callback. */
struct timer_group {
	gh_addr callback;
	uint8_t kind; // enum gh_timer_kind
	bool is_periodic;
	uint64_t count, retained;
	int64_t due_ns; // of the first one, from now on
	gh_addr addr;	// of the first
};
GH_VEC(timer_group_vec, struct timer_group);

static int by_callback(const void *a, const void *b)
{
	const struct timer_group *x = a, *y = b;

	if (x->callback != y->callback)
		return x->callback < y->callback ? -1 : 1;
	return x->kind != y->kind ? (int)x->kind - (int)y->kind
				  : (int)x->is_periodic - (int)y->is_periodic;
}

static bool collect(const struct gh_session *s, const struct gh_timer_view *view,
		    struct timer_group_vec *groups)
{
	size_t kept = 0;

	for (size_t i = 0; i < gh_timer_view_len(view); i++) {
		const struct gh_timer *t = gh_timer_view_at(view, i);
		struct timer_group one = {.callback = t->callback,
					  .kind = t->kind,
					  .is_periodic = t->period_ns > 0,
					  .count = 1,
					  .retained = view->facts[i].retained,
					  .addr = t->addr};
		int64_t now = 0;

		if (view->facts[i].verdict != GH_TIMER_UNSTOPPABLE)
			continue;
		if (gh_timer_view_now(s, view, t, &now))
			one.due_ns = t->when_ns - now;
		if (!timer_group_vec_push(groups, one))
			return false;
	}
	if (!groups->len)
		return true;
	qsort(groups->data, groups->len, sizeof(*groups->data), by_callback);
	for (size_t i = 1; i < groups->len; i++) {
		struct timer_group *last = &groups->data[kept], *next = &groups->data[i];

		if (by_callback(last, next)) {
			groups->data[++kept] = *next;
			continue;
		}
		last->count++;
		last->retained += next->retained;
		last->due_ns = next->due_ns < last->due_ns ? next->due_ns : last->due_ns;
	}
	groups->len = kept + 1;
	return true;
}

static void add(struct gh_findings *f, const struct timer_group *g)
{
	const struct gh_runtime *rt = f->session->rt;
	const char *kind = gh_timer_kind_name((enum gh_timer_kind)g->kind);
	_cleanup_strbuf_ struct gh_strbuf name = {0};
	struct gh_source_frame line = {0};
	struct gh_func func;

	if (g->callback && gh_func_find(rt, g->callback, &func)) {
		const char *function = gh_func_name(rt, &func);

		gh_function_print(&name, function ? function : "unknown");
		gh_func_line(rt, &func, g->callback, &line);
	}
	gh_findings_add(
		f, &gh_rule_timer_unstoppable,
		(struct gh_finding){
			.level = GH_LEVEL_PROVEN,
			.title = gh_findings_text(f, "%llu %s timer%s%s%s that nobody can stop",
						  (unsigned long long)g->count, kind,
						  g->count == 1 ? "" : "s", name.len ? " of " : "",
						  gh_strbuf_str(&name)),
			.bytes = g->retained,
			.bytes_kind = "at_least",
			.site = line.file && name.len ? gh_findings_text(f, "%s:%d", line.file,
									 line.line)
						      : NULL,
			.evidence = gh_findings_text(
				f, "only the timer heap leads to %s; %s",
				g->count == 1 ? "it" : "them",
				g->is_periodic ? "a ticker runs for ever"
					       : gh_findings_text(f, "due in %lld s at the earliest",
								  (long long)(g->due_ns /
									      1000000000))),
			.fix = "keep the timer where its work ends, and call Stop there",
			.more = "goheap timers",
			.key = gh_findings_text(f, "%s %s", kind, gh_strbuf_str(&name)),
		});
}

static struct gh_error *find(struct gh_findings *f)
{
	struct timer_group_vec groups = {0};
	struct gh_timer_view view = {0};
	struct gh_error *err = gh_timer_view_create(f->session, false, &view);

	if (err && err->code == GH_ERR_MISSING) {
		gh_error_destroy(err);
		return NULL;
	}
	if (!err && !collect(f->session, &view, &groups))
		err = gh_error_nomem();
	for (size_t i = 0; i < groups.len && !err; i++) {
		const struct timer_group *g = &groups.data[i];

		if (g->is_periodic ||
		    (g->due_ns >= soon_ns && (g->count >= MANY || g->retained >= MUCH)))
			add(f, g);
	}
	timer_group_vec_deinit(&groups);
	gh_timer_view_deinit(&view);
	return err;
}

const struct gh_rule gh_rule_timer_unstoppable = {
	.id = "timer-unstoppable",
	.title = "Timers that nobody can stop",
	.help = "Tickers nobody has, and timers that are due in a minute or later, twenty of a kind or "
		"64 KiB and more. A timer that is meant to be forgotten looks the same.",
	.find = find,
};
