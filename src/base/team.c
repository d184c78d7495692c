// SPDX-License-Identifier: Apache-2.0
// See team.h. Each thread has a share of the tasks, and helps with those of others when it is done
// with its own: between processors that share no cache, what a task wrote last time is dear to
// fetch. One word says of a share which phase it is of, how many tasks it has and which comes next,
// so that a thread that slept through a phase cannot take a task of the next one for its own.
#include "base/team.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	SPINS = 2000,	     // before a thread sleeps: some tens of microseconds
	SPINS_A_YIELD = 200, // of the caller, who waits for tasks in other hands
	PATIENCE_NS = 500000, // of his, before he asks whether somebody was taken off a processor
	SUSPICIOUS = 4,	     // phases
	LOST_NS = 1000000,   // of a thread that was taken off its processor: less happens to all
	TROUBLE = 4,	     // what a phase that was held up counts, against one that was not
	REST = 8,	     // phases or more
	STACK_BYTES = 512 << 10,
};

struct share {
	_Alignas(64) _Atomic uint64_t ticket; // phase << 32 | tasks << 16 | next task
};

struct member {
	struct gh_team *team;
	unsigned int share; // its own
	// when the thread was last asked: switches that the kernel made of it, and its clocks
	long switches;
	int64_t wall_ns, cpu_ns;
};

struct gh_team {
	struct share shares[GH_TEAM_MAX];   // task i belongs to share i % nthreads
	_Alignas(64) _Atomic uint32_t done; // tasks of this phase
	_Alignas(64) _Atomic uint32_t phase;  // what sleepers look at
	_Atomic uint32_t sleepers;
	_Atomic bool ends;
	_Atomic bool was_preempted; // some thread, in the middle of a task
	void (*task)(void *ctx, unsigned int i);
	void *ctx;
	unsigned int nthreads; // with the caller, whose share is the first
	unsigned int rest;     // how often still gh_team_awake says NULL
	unsigned int trouble;  // of late
	unsigned int suspicious; // phases for which the caller still wants a reason
	struct member members[GH_TEAM_MAX];
	pthread_t threads[GH_TEAM_MAX];
};

unsigned int gh_processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;
	return CPU_COUNT(&set) > 0 ? (unsigned int)CPU_COUNT(&set) : 1;
}

static inline void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static void futex(_Atomic uint32_t *word, int op, uint32_t value)
{
	syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

/* Do tasks of a share until none is left to take. */
static void work_on(struct gh_team *team, unsigned int number)
{
	_Atomic uint64_t *word = &team->shares[number].ticket;
	uint64_t ticket = atomic_load_explicit(word, memory_order_acquire);

	while ((uint16_t)ticket < (uint16_t)(ticket >> 16)) {
		if (!atomic_compare_exchange_weak_explicit(word, &ticket, ticket + 1,
							   memory_order_acq_rel,
							   memory_order_acquire))
			continue;
		team->task(team->ctx, number + (uint16_t)ticket * team->nthreads);
		atomic_fetch_add_explicit(&team->done, 1, memory_order_release);
		ticket = atomic_load_explicit(word, memory_order_acquire);
	}
}

/* Of one's own share first. */
static void work(struct gh_team *team, unsigned int own)
{
	for (unsigned int i = 0; i < team->nthreads; i++)
		work_on(team, (own + i) % team->nthreads);
}

static int64_t ns_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Was the calling thread taken off its processor, for long, since it was last asked? */
static bool was_preempted(struct member *member)
{
	struct member before = *member;
	struct rusage usage;

	if (getrusage(RUSAGE_THREAD, &usage) != 0)
		return false;
	member->switches = usage.ru_nivcsw;
	member->wall_ns = ns_of(CLOCK_MONOTONIC);
	member->cpu_ns = ns_of(CLOCK_THREAD_CPUTIME_ID);
	return member->switches != before.switches &&
	       member->wall_ns - before.wall_ns - (member->cpu_ns - before.cpu_ns) > LOST_NS;
}

/* Until there is another phase than `seen`; returns it. */
static uint32_t wait_for_phase(struct gh_team *team, uint32_t seen)
{
	uint32_t phase = seen;

	for (int i = 0; i < SPINS && phase == seen; i++) {
		relax();
		phase = atomic_load(&team->phase);
	}
	while (phase == seen) {
		atomic_fetch_add(&team->sleepers, 1);
		futex(&team->phase, FUTEX_WAIT_PRIVATE, seen);
		atomic_fetch_sub(&team->sleepers, 1);
		phase = atomic_load(&team->phase);
	}
	return phase;
}

static void *serve(void *arg)
{
	struct member *member = arg;
	struct gh_team *team = member->team;
	uint32_t phase = 0;

	// the first phase begins when all threads are there
	phase = wait_for_phase(team, phase);
	while (!atomic_load(&team->ends)) {
		was_preempted(member);
		work(team, member->share);
		if (was_preempted(member))
			atomic_store(&team->was_preempted, true);
		phase = wait_for_phase(team, phase);
	}
	return NULL;
}

/* Say that something is new to look at. */
static void announce(struct gh_team *team)
{
	atomic_fetch_add(&team->phase, 1);
	if (atomic_load(&team->sleepers))
		futex(&team->phase, FUTEX_WAKE_PRIVATE, INT_MAX);
}

static void start_threads(struct gh_team *team, unsigned int n)
{
	sigset_t all, old;
	pthread_attr_t attr;

	if (pthread_attr_init(&attr) != 0)
		return;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old); // the threads inherit it
	for (; team->nthreads < n; team->nthreads++) {
		struct member *member = &team->members[team->nthreads];

		*member = (struct member){team, team->nthreads};
		if (pthread_create(&team->threads[team->nthreads], &attr, serve, member) != 0)
			break;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
}

struct gh_team *gh_team_create(unsigned int nthreads)
{
	struct gh_team *team;

	if (nthreads < 2)
		return NULL;
	team = aligned_alloc(64, gh_align_up(sizeof(*team), 64));
	if (!team)
		return NULL;
	memset(team, 0, sizeof(*team));
	team->nthreads = 1;
	start_threads(team, (unsigned int)gh_min_u64(nthreads, GH_TEAM_MAX));
	if (team->nthreads == 1) {
		gh_team_destroy(team);
		return NULL;
	}
	return team;
}

void gh_team_destroy(struct gh_team *team)
{
	if (!team)
		return;
	atomic_store(&team->ends, true);
	announce(team);
	for (unsigned int i = 1; i < team->nthreads; i++)
		pthread_join(team->threads[i], NULL);
	free(team);
}

struct gh_team *gh_team_awake(struct gh_team *team)
{
	if (!team || !team->rest)
		return team;
	team->rest--;
	return NULL;
}

static bool is_done(struct gh_team *team, unsigned int n)
{
	return atomic_load_explicit(&team->done, memory_order_acquire) == n;
}

/* True: it took longer than tasks do. */
static bool wait_until_done(struct gh_team *team, unsigned int n)
{
	int64_t start = 0;

	for (int i = 1; !is_done(team, n); i++) {
		relax();
		if (i % SPINS_A_YIELD)
			continue;
		if (!start)
			start = ns_of(CLOCK_MONOTONIC);
		sched_yield();
	}
	return start && ns_of(CLOCK_MONOTONIC) - start > PATIENCE_NS;
}

/*
 * Was it late because a thread was taken off its processor? The thread says so a moment after it is
 * done. Now and then that costs less than to be alone; where it is each fifth phase, it does not.
 */
static void judge(struct gh_team *team, bool was_late)
{
	bool preempted = atomic_exchange(&team->was_preempted, false);

	team->suspicious = was_late ? SUSPICIOUS : team->suspicious;
	if (team->suspicious && preempted) {
		team->suspicious = 0;
		team->trouble += TROUBLE;
	} else {
		team->suspicious -= team->suspicious > 0;
		team->trouble -= team->trouble > 0;
	}
	if (team->trouble >= 2 * TROUBLE) {
		team->rest = REST;
		team->trouble = TROUBLE;
	}
}

void gh_team_run(struct gh_team *team, void (*task)(void *ctx, unsigned int i), void *ctx,
		 unsigned int n)
{
	uint64_t phase;

	if (!team || n < 2) {
		for (unsigned int i = 0; i < n; i++)
			task(ctx, i);
		return;
	}
	team->task = task;
	team->ctx = ctx;
	atomic_store_explicit(&team->done, 0, memory_order_relaxed);
	phase = atomic_load_explicit(&team->phase, memory_order_relaxed) + 1;
	for (unsigned int i = 0; i < team->nthreads; i++) {
		uint64_t tasks = n / team->nthreads + (i < n % team->nthreads);

		atomic_store_explicit(&team->shares[i].ticket, phase << 32 | tasks << 16,
				      memory_order_release);
	}
	announce(team);
	work(team, 0);
	judge(team, wait_until_done(team, n));
}
