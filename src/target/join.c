// SPDX-License-Identifier: Apache-2.0
// Pieces that are neighbours in the target become neighbours here, so that a read may go across:
// pages of files are mapped anew, the rest is copied. See pieces.h.
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "target/pieces.h"

enum {
	MAP_MIN = 64 << 10,	// shorter pieces are copied: a mapping costs more
	COPY_ALWAYS = 64 << 20, // bytes that may be copied however small the files are
};

void gh_space_deinit(struct gh_space *space)
{
	for (size_t i = 0; i < space->owned.len; i++)
		munmap(space->owned.data[i].start, space->owned.data[i].len);
	gh_owned_vec_deinit(&space->owned);
}

static bool is_present(const struct gh_piece *p)
{
	return p->absence == GH_PRESENT && !p->fill;
}

static bool keep_mapping(struct gh_space *space, void *start, uint64_t len)
{
	if (gh_owned_vec_push(&space->owned, (struct gh_owned_mapping){start, len}))
		return true;
	munmap(start, len);
	return false;
}

uint8_t *gh_space_reserve(struct gh_space *space, uint64_t len)
{
	void *p;

	if (len == 0 || len > SIZE_MAX / 2)
		return NULL;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		 0);
	return p != MAP_FAILED && keep_mapping(space, p, len) ? p : NULL;
}

static uint64_t file_offset(const struct gh_piece *p)
{
	return (uint64_t)(p->host - p->file->bytes);
}

/* Can pages of its file stand at `to`? */
static bool is_mappable(const struct gh_piece *p, const uint8_t *to, uint64_t page)
{
	return p->file && p->file->mapped && p->hi - p->lo >= MAP_MIN &&
	       ((uintptr_t)to - file_offset(p)) % page == 0;
}

static bool copy(struct gh_space *space, uint8_t *to, const uint8_t *from, uint64_t len)
{
	if (len > space->copy_budget)
		return false;
	space->copy_budget -= len;
	memcpy(to, from, len);
	return true;
}

/* Whole pages are mapped, the ends copied. */
static bool place(struct gh_space *space, const struct gh_piece *p, uint8_t *to, uint64_t page)
{
	uint64_t len = p->hi - p->lo, head, body;

	if (!is_mappable(p, to, page))
		return copy(space, to, p->host, len);
	head = gh_align_up((uintptr_t)to, page) - (uintptr_t)to;
	body = (len - head) & ~(page - 1);
	if (body == 0)
		return copy(space, to, p->host, len);
	if (mmap(to + head, body, PROT_READ, MAP_PRIVATE | MAP_FIXED, p->file->fd,
		 (off_t)(file_offset(p) + head)) == MAP_FAILED)
		return false;
	return copy(space, to, p->host, head) &&
	       copy(space, to + head + body, p->host + head + body, len - head - body);
}

/* Where in a page the run has to begin for its largest piece to be mappable. */
static uint64_t phase_of(const struct gh_piece *run, size_t n, uint64_t page)
{
	uint64_t best = 0, phase = 0;

	for (size_t i = 0; i < n; i++) {
		const struct gh_piece *p = &run[i];

		if (!p->file || !p->file->mapped || p->hi - p->lo <= best)
			continue;
		best = p->hi - p->lo;
		phase = (file_offset(p) - (p->lo - run[0].lo)) & (page - 1);
	}
	return phase;
}

/* Bytes that moving the run would copy, but for the ends of pages; saturates. */
static uint64_t copy_cost(const struct gh_piece *run, size_t n, uint64_t phase, uint64_t page)
{
	uint64_t cost = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t at = phase + (run[i].lo - run[0].lo);

		if (!is_mappable(&run[i], (const uint8_t *)(uintptr_t)at, page) &&
		    gh_add(cost, run[i].hi - run[i].lo, &cost))
			return UINT64_MAX;
	}
	return cost;
}

/* Give n pieces without holes between them one local range. Refusals leave them as they were. */
static void join_run(struct gh_space *space, struct gh_piece *run, size_t n)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), phase = phase_of(run, n, page);
	uint64_t len = run[n - 1].hi - run[0].lo, budget = space->copy_budget, span;
	uint64_t cost = copy_cost(run, n, phase, page);
	uint8_t *base = NULL;
	size_t done = 0;

	if (cost <= budget && !gh_add(len, page * 2, &span) &&
	    gh_budget_take(space->budget, cost, "memory of the core that has to be moved"))
		base = gh_space_reserve(space, span);
	if (base) {
		base += phase;
		while (done < n &&
		       place(space, &run[done], base + (run[done].lo - run[0].lo), page))
			done++;
	}
	for (size_t i = 0; i < n && base && done == n; i++) {
		run[i].host = base + (run[i].lo - run[0].lo);
		run[i].file = NULL;
	}
	if (base && done < n) {
		struct gh_owned_mapping *last = &space->owned.data[--space->owned.len];

		munmap(last->start, last->len);
		space->copy_budget = budget;
	}
}

/* Pieces [i, end) that lie side by side in the target and are present. */
static size_t run_end(const struct gh_piece_vec *pieces, size_t i, bool *apart_ret)
{
	const struct gh_piece *p = pieces->data;

	*apart_ret = false;
	for (i++; i < pieces->len && is_present(&p[i]) && p[i].lo == p[i - 1].hi; i++)
		*apart_ret |= !gh_piece_follows(&p[i - 1], &p[i]);
	return i;
}

void gh_space_set_budget(struct gh_space *space, const struct gh_piece_vec *pieces)
{
	const struct gh_file *last = NULL;

	space->copy_budget = COPY_ALWAYS;
	for (size_t i = 0; i < pieces->len; i++) {
		const struct gh_file *file = pieces->data[i].file;

		if (file && file != last &&
		    gh_add(space->copy_budget, file->size, &space->copy_budget))
			space->copy_budget = UINT64_MAX;
		last = file;
	}
}

void gh_pieces_join(struct gh_piece_vec *pieces, struct gh_space *space)
{
	for (size_t i = 0; i < pieces->len;) {
		bool apart;
		size_t end;

		if (!is_present(&pieces->data[i])) {
			i++;
			continue;
		}
		end = run_end(pieces, i, &apart);
		if (apart)
			join_run(space, &pieces->data[i], end - i);
		i = end;
	}
}
