// SPDX-License-Identifier: Apache-2.0
// See budget.h.
#include "base/budget.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"

enum {
	LOOK_EVERY = 256 << 10, // bytes taken between two looks at the process
	SPARE_BYTES = 16 << 20, // of what is available: page tables, and pages of files at work
	SPARE_SHARE = 8,	// or more
};

/* proc(5), statm: resident pages without those of files. */
static uint64_t anonymous_bytes(void)
{
	_cleanup_close_ int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	unsigned long long size, resident, shared;
	char text[128];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	if (sscanf(text, "%llu %llu %llu", &size, &resident, &shared) != 3 || resident < shared)
		return 0;
	return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void look(struct gh_budget *budget)
{
	uint64_t now = anonymous_bytes();

	budget->seen_bytes = now > budget->start_bytes ? now - budget->start_bytes : 0;
	budget->unseen_bytes = 0;
}

/* What is taken may not be touched yet, and what is touched was not always taken. */
static uint64_t ours(const struct gh_budget *budget)
{
	return gh_max_u64(budget->taken_bytes, budget->seen_bytes);
}

void gh_budget_init(struct gh_budget *budget)
{
	*budget = (struct gh_budget){.limit_bytes = UINT64_MAX, .start_bytes = anonymous_bytes()};
}

void gh_budget_deinit(struct gh_budget *budget)
{
	gh_error_destroy(budget->why);
	*budget = (struct gh_budget){0};
}

void gh_budget_begin(struct gh_budget *budget, uint64_t limit_bytes, uint64_t available)
{
	uint64_t now = anonymous_bytes();
	uint64_t spare = gh_max_u64(SPARE_BYTES, available / SPARE_SHARE);

	gh_error_destroy(budget->why);
	available -= gh_min_u64(available, spare);
	budget->why = NULL;
	budget->start_bytes = now > budget->seen_bytes ? now - budget->seen_bytes : 0;
	budget->is_asked_for = limit_bytes != 0;
	budget->limit_bytes = limit_bytes;
	if (!limit_bytes && gh_add(ours(budget), available, &budget->limit_bytes))
		budget->limit_bytes = UINT64_MAX;
	budget->peak_bytes = ours(budget);
}

void gh_budget_end(struct gh_budget *budget)
{
	look(budget);
}

/* Sizes as a person may give them back with --max-mem. */
struct size {
	unsigned long long n;
	const char *unit;
};

static struct size size_of(uint64_t bytes)
{
	if (bytes < 10 << 10)
		return (struct size){bytes, "bytes"};
	if (bytes < 10 << 20)
		return (struct size){(bytes + 1023) >> 10, "KiB"};
	return (struct size){gh_align_up(bytes, 1 << 20) >> 20, "MiB"};
}

static void refuse(struct gh_budget *budget, uint64_t bytes, const char *what)
{
	struct size need = size_of(bytes), held = size_of(ours(budget));
	struct size limit = size_of(budget->limit_bytes);

	if (budget->why)
		return;
	if (budget->is_asked_for)
		budget->why = gh_error_create(GH_ERR_LIMIT,
					      "not enough memory for %s: %llu %s beside the %llu "
					      "%s in use, and --max-mem "
					      "allows %llu %s: raise it",
					      what, need.n, need.unit, held.n, held.unit, limit.n,
					      limit.unit);
	else
		budget->why = gh_error_create(
			GH_ERR_LIMIT,
			"not enough memory for %s: %llu %s beside the %llu %s in use, and this "
			"machine has room for %llu %s in all: look at the core on a larger one, or "
			"try all the same with --max-mem SIZE",
			what, need.n, need.unit, held.n, held.unit, limit.n, limit.unit);
}

bool gh_budget_take(struct gh_budget *budget, uint64_t bytes, const char *what)
{
	uint64_t need;

	if (!budget)
		return true;
	budget->unseen_bytes += gh_min_u64(bytes, LOOK_EVERY);
	if (budget->unseen_bytes >= LOOK_EVERY)
		look(budget);
	if (gh_add(ours(budget), bytes, &need) || need > budget->limit_bytes) {
		refuse(budget, bytes, what);
		return false;
	}
	budget->taken_bytes += bytes;
	budget->peak_bytes = gh_max_u64(budget->peak_bytes, need);
	return true;
}

void gh_budget_give(struct gh_budget *budget, uint64_t bytes)
{
	if (budget)
		budget->taken_bytes -= gh_min_u64(bytes, budget->taken_bytes);
}

struct gh_error *gh_budget_charge(struct gh_budget *budget, uint64_t bytes, const char *what)
{
	return gh_budget_take(budget, bytes, what) ? NULL : gh_budget_why(budget, gh_error_nomem());
}

bool gh_budget_is_exceeded(struct gh_budget *budget, const char *what)
{
	if (!budget)
		return false;
	look(budget);
	budget->peak_bytes = gh_max_u64(budget->peak_bytes, ours(budget));
	if (ours(budget) > budget->limit_bytes)
		refuse(budget, ours(budget) - budget->limit_bytes, what);
	return budget->why != NULL;
}

struct gh_error *gh_budget_why(struct gh_budget *budget, struct gh_error *err)
{
	struct gh_error *why = budget ? budget->why : NULL;

	if (!why || !err || (err->code != GH_ERR_NOMEM && err->code != GH_ERR_CANCELLED))
		return err;
	budget->why = NULL;
	gh_error_destroy(err);
	return why;
}
