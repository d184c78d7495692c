// SPDX-License-Identifier: Apache-2.0
// The doctor's checks of goroutines, Ms and Ps. Mirrors invariants of runtime/proc.go (go1.22 to
// go1.27). See doctor_checks.h.
#include "analysis/doctor_checks.h"
#include "goruntime/stack.h"

enum {
	MAX_MS = 1 << 20, // a bound on a list that may be damaged
	MAX_PROCS = 1 << 16,
	POLL_EVERY = 1024,
};

static void check_counts(struct gh_doctor *doctor, const struct gh_session *session)
{
	uint64_t dead = 0, system = 0, all = session->goroutines.len, allglen;

	for (size_t i = 0; i < session->goroutines.len; i++) {
		dead += gh_goroutine_is_dead(&session->goroutines.data[i]);
		system += !gh_goroutine_is_dead(&session->goroutines.data[i]) &&
			  session->goroutines.data[i].system;
	}
	gh_doctor_add(doctor, "goroutines",
		      session->unreadable_goroutines ? GH_HEALTH_BAD : GH_HEALTH_OK,
		      session->unreadable_goroutines ? "their stacks keep objects alive that are "
						       "counted dead: take a whole core"
						     : NULL,
		      "%llu, %llu of them the runtime's own; %llu dead, %llu unreadable",
		      (unsigned long long)(all - dead), (unsigned long long)system,
		      (unsigned long long)dead, (unsigned long long)session->unreadable_goroutines);
	if (gh_goroutines_counted(session->rt, &allglen))
		gh_doctor_equal(doctor, "goroutines equal allglen",
				all + session->unreadable_goroutines, "entries of allgs", allglen,
				"in allglen");
}

struct unwinding {
	uint64_t complete, other[GH_UNWIND_TOO_DEEP + 1], first_goid;
	uint64_t misjudged; // by stage STACKS
};

static void add_unwinding(struct gh_doctor *doctor, const struct unwinding *u)
{
	static const char *const words[] = {
		[GH_UNWIND_COMPLETE] = "",
		[GH_UNWIND_NO_FUNC] = "outside of Go's code",
		[GH_UNWIND_BAD_SP] = "at a bad stack pointer",
		[GH_UNWIND_UNREADABLE] = "where the core has no stack",
		[GH_UNWIND_TOO_DEEP] = "too deep",
	};
	uint64_t failed = 0;
	int worst = 0;

	for (int i = 0; i <= GH_UNWIND_TOO_DEEP; i++) {
		failed += u->other[i];
		if (u->other[i] > u->other[worst])
			worst = i;
	}
	if (failed)
		gh_doctor_add(doctor, "stacks end in a top frame", GH_HEALTH_BAD,
			      "what only these stacks hold may be missing: see that goroutine",
			      "%llu do, %llu do not: most end %s; the first is goroutine %llu",
			      (unsigned long long)u->complete, (unsigned long long)failed,
			      words[worst], (unsigned long long)u->first_goid);
	else
		gh_doctor_add(doctor, "stacks end in a top frame", GH_HEALTH_OK, NULL,
			      "%llu stacks", (unsigned long long)u->complete);
}

static bool is_same_frame(const struct gh_frame *a, const struct gh_frame *b)
{
	return a->func.record == b->func.record && a->pc == b->pc && a->sym_pc == b->sym_pc &&
	       a->contpc == b->contpc && a->sp == b->sp && a->fp == b->fp && a->varp == b->varp &&
	       a->argp == b->argp && a->lr == b->lr && a->index == b->index;
}

/* Does stage STACKS say the same of this stack as its own words do? */
static struct gh_error *compare_kind(const struct gh_session *session, size_t g,
				     const struct gh_frame_vec *frames, struct unwinding *u)
{
	struct gh_frame_vec kind = {0};
	enum gh_unwind_end end;
	struct gh_error *err = gh_session_unwind(session, g, &kind, &end);
	bool is_same = kind.len == frames->len;

	for (size_t i = 0; i < kind.len && is_same; i++)
		is_same = is_same_frame(&kind.data[i], &frames->data[i]);
	u->misjudged += !is_same;
	gh_frame_vec_deinit(&kind);
	return err;
}

static void add_kinds(struct gh_doctor *doctor, const struct gh_session *session,
		      const struct unwinding *u)
{
	gh_doctor_add(doctor, "stacks with the same pcs have the same frames",
		      u->misjudged ? GH_HEALTH_BAD : GH_HEALTH_OK,
		      u->misjudged ? "report it: what waits where may be wrong" : NULL,
		      "%u kinds of stacks, %llu stacks that are not of theirs",
		      gh_stack_kinds_count(session->stacks), (unsigned long long)u->misjudged);
}

static struct gh_error *check_stacks(struct gh_doctor *doctor, struct gh_session *session)
{
	struct gh_frame_vec frames = {0};
	struct unwinding u = {0};
	struct gh_error *err = gh_session_stacks(session);

	for (size_t i = 0; i < session->goroutines.len && !err; i++) {
		const struct gh_goroutine *g = &session->goroutines.data[i];
		enum gh_unwind_end end;

		if (i % POLL_EVERY == 0)
			err = gh_poll(&session->poll, "unwinding stacks", i,
				      session->goroutines.len);
		if (err || gh_goroutine_is_dead(g))
			continue;
		frames.len = 0;
		err = gh_stack_unwind(session->rt, g, &frames, &end);
		if (!err)
			err = compare_kind(session, i, &frames, &u);
		if (err)
			break;
		if (end == GH_UNWIND_COMPLETE)
			u.complete++;
		else if (u.other[end]++ == 0 && !u.first_goid)
			u.first_goid = g->goid;
	}
	gh_frame_vec_deinit(&frames);
	if (err)
		return err;
	add_unwinding(doctor, &u);
	add_kinds(doctor, session, &u);
	return NULL;
}

struct gh_error *gh_doctor_goroutines(struct gh_doctor *doctor, struct gh_session *session)
{
	_cleanup_error_ struct gh_error *lost = gh_session_goroutines(session);
	struct gh_error *err;

	if (lost && (lost->code == GH_ERR_NOMEM || lost->code == GH_ERR_CANCELLED)) {
		err = lost;
		lost = NULL;
		return err;
	}
	if (lost) {
		gh_doctor_add(doctor, "goroutines", GH_HEALTH_BAD, "take a whole core", "%s",
			      lost->message);
		return NULL;
	}
	check_counts(doctor, session);
	return check_stacks(doctor, session);
}

/* A list of Ms: each one's current goroutine names it as its M. */
static void check_ms(struct gh_doctor *doctor, const struct gh_runtime *rt)
{
	uint64_t n = 0, running = 0, bad = 0;
	gh_addr m = 0;

	if (!rt->var[GH_V_allm] || !gh_read_u64(rt->image, rt->var[GH_V_allm], &m))
		return;
	for (; m && n < MAX_MS; n++) {
		gh_addr curg = gh_field_or_zero(rt, m, GH_F_m_curg);

		if (curg) {
			running++;
			bad += gh_field_or_zero(rt, curg, GH_F_g_m) != m;
		}
		m = gh_field_or_zero(rt, m, GH_F_m_alllink);
	}
	gh_doctor_add(doctor, "threads and their goroutines agree",
		      bad ? GH_HEALTH_WARN : GH_HEALTH_OK,
		      bad ? "harmless if few: the core was taken in the middle of a switch" : NULL,
		      "%llu Ms, %llu with a goroutine, %llu of them not agreeing",
		      (unsigned long long)n, (unsigned long long)running, (unsigned long long)bad);
}

static void check_ps(struct gh_doctor *doctor, const struct gh_runtime *rt)
{
	uint64_t owned = 0, bad = 0, unread = 0;
	struct gh_slice allp;

	if (!rt->var[GH_V_allp] || !gh_read_slice(rt->image, rt->var[GH_V_allp], &allp))
		return;
	allp.len = gh_min_u64(allp.len, MAX_PROCS);
	for (uint64_t i = 0; i < allp.len; i++) {
		gh_addr p, m;

		if (!gh_read_u64(rt->image, allp.data + i * 8, &p) ||
		    !gh_field(rt, p, GH_F_p_m, &m)) {
			unread++;
			continue;
		}
		if (m == 0)
			continue;
		owned++;
		bad += gh_field_or_zero(rt, m, GH_F_m_p) != p;
	}
	gh_doctor_add(doctor, "processors and their threads agree",
		      bad      ? GH_HEALTH_WARN
		      : unread ? GH_HEALTH_UNKNOWN
			       : GH_HEALTH_OK,
		      bad ? "harmless if few: the core was taken in the middle of a hand-over"
			  : NULL,
		      "%llu Ps, %llu with an M, %llu of them not agreeing, %llu unreadable",
		      (unsigned long long)allp.len, (unsigned long long)owned,
		      (unsigned long long)bad, (unsigned long long)unread);
}

void gh_doctor_threads(struct gh_doctor *doctor, const struct gh_runtime *rt)
{
	check_ms(doctor, rt);
	check_ps(doctor, rt);
}
