// SPDX-License-Identifier: Apache-2.0
// See finding.h.
#include <stdarg.h>
#include <stdlib.h>

#include "analysis/conns.h"
#include "analysis/defers.h"
#include "analysis/goroutine_nodes.h"
#include "analysis/locks.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "rules_table.h" // GH_RULES(X), made of the list in meson.build

#define X(name) extern const struct gh_rule gh_rule_##name;
GH_RULES(X)
#undef X

static const struct gh_rule *const rules[] = {
#define X(name) &gh_rule_##name,
	GH_RULES(X)
#undef X
};

const struct gh_rule *const *gh_rules(size_t *n_ret)
{
	*n_ret = GH_ARRAY_SIZE(rules);
	return rules;
}

const char *gh_level_name(enum gh_level level)
{
	switch (level) {
	case GH_LEVEL_POSSIBLE:
		return "possible";
	case GH_LEVEL_LIKELY:
		return "likely";
	case GH_LEVEL_PROVEN:
		return "proven";
	}
	return "possible";
}

static uint64_t hash(uint64_t h, const char *text)
{
	static const uint8_t end = 0xff; // in no UTF-8

	return gh_hash_bytes(gh_hash_bytes(h, text, strlen(text)), &end, 1);
}

void gh_findings_add(struct gh_findings *findings, const struct gh_rule *rule,
		     struct gh_finding finding)
{
	finding.rule = rule;
	finding.fingerprint = hash(hash(GH_HASH_START, rule->id), finding.key);
	findings->nomem |= !gh_finding_vec_push(&findings->all, finding);
}

const char *gh_findings_text(struct gh_findings *findings, const char *fmt, ...)
{
	char *text = NULL;
	const char *copy;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	copy = len < 0 ? NULL : gh_arena_strndup(&findings->arena, text, (size_t)len);
	if (len >= 0)
		free(text);
	findings->nomem |= !copy;
	return copy ? copy : "";
}

gh_node gh_findings_goroutine(const struct gh_findings *findings, uint64_t goid)
{
	const struct gh_owner_vec *owners = &findings->session->owners->owners;

	for (gh_node i = 1; i < owners->len; i++)
		if (owners->data[i].kind == GH_ROOT_GOROUTINE && owners->data[i].goid == goid)
			return i;
	return 0;
}

struct gh_error *gh_findings_locks(struct gh_findings *findings, const struct gh_locks **ret)
{
	struct gh_error *err = NULL;

	if (!findings->locks) {
		findings->locks = calloc(1, sizeof(*findings->locks));
		err = findings->locks ? gh_locks_find(findings->session, findings->locks)
				      : gh_error_nomem();
	}
	*ret = findings->locks;
	return err;
}

struct gh_error *gh_findings_defers(struct gh_findings *findings, const struct gh_defer_list **ret)
{
	struct gh_error *err = NULL;

	if (!findings->defers) {
		findings->defers = calloc(1, sizeof(*findings->defers));
		err = findings->defers ? gh_defer_list_create(findings->session, /* quick= */ false,
							      &findings->arena, findings->defers)
				       : gh_error_nomem();
	}
	*ret = findings->defers;
	return err;
}

struct gh_error *gh_findings_conns(struct gh_findings *findings, const struct gh_conns **ret)
{
	struct gh_error *err = NULL;

	if (!findings->conns) {
		findings->conns = calloc(1, sizeof(*findings->conns));
		err = findings->conns ? gh_conns_find(findings->session, &findings->arena,
						      findings->conns)
				      : gh_error_nomem();
	}
	*ret = findings->conns;
	return err;
}

struct gh_error *gh_findings_nodes(struct gh_findings *findings,
				   const struct gh_goroutine_node_vec **ret)
{
	struct gh_error *err = NULL;

	if (!findings->nodes) {
		findings->nodes = calloc(1, sizeof(*findings->nodes));
		err = findings->nodes ? gh_goroutine_nodes_load(findings->session, findings->nodes)
				      : gh_error_nomem();
	}
	*ret = findings->nodes;
	return err;
}

static int by_bytes(const void *a, const void *b)
{
	const struct gh_finding *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	if (x->level != y->level)
		return x->level < y->level ? 1 : -1;
	return strcmp(x->title, y->title);
}

/* Is there a surer finding about the same owner, or one that says more? */
static bool is_outdone(const struct gh_findings *findings, const struct gh_finding *f)
{
	for (size_t i = 0; f->owner && i < findings->all.len; i++) {
		const struct gh_finding *other = &findings->all.data[i];

		if (other->owner == f->owner &&
		    (other->level > f->level ||
		     (f->rule->is_general && !other->rule->is_general)))
			return true;
	}
	return false;
}

static void drop_outdone(struct gh_findings *findings)
{
	size_t kept = 0;

	for (size_t i = 0; i < findings->all.len; i++)
		findings->all.data[i].is_outdone = is_outdone(findings, &findings->all.data[i]);
	for (size_t i = 0; i < findings->all.len; i++)
		if (!findings->all.data[i].is_outdone)
			findings->all.data[kept++] = findings->all.data[i];
	findings->all.len = kept;
}

struct gh_error *gh_findings_create(struct gh_session *session, struct gh_findings *ret)
{
	struct gh_error *err = NULL;

	*ret = (struct gh_findings){.session = session};
	for (size_t i = 0; i < GH_ARRAY_SIZE(rules) && !err; i++)
		err = rules[i]->find(ret);
	drop_outdone(ret);
	if (ret->all.len)
		qsort(ret->all.data, ret->all.len, sizeof(*ret->all.data), by_bytes);
	return !err && ret->nomem ? gh_error_nomem() : err;
}

void gh_findings_deinit(struct gh_findings *findings)
{
	if (findings->locks)
		gh_locks_deinit(findings->locks);
	if (findings->defers)
		gh_defer_list_deinit(findings->defers);
	if (findings->conns)
		gh_conns_deinit(findings->conns);
	if (findings->nodes)
		gh_goroutine_node_vec_deinit(findings->nodes);
	free(findings->locks);
	free(findings->defers);
	free(findings->conns);
	free(findings->nodes);
	gh_finding_vec_deinit(&findings->all);
	gh_arena_deinit(&findings->arena);
	*findings = (struct gh_findings){0};
}
