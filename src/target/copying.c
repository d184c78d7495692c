// SPDX-License-Identifier: Apache-2.0
// See copying.h and process_vm_readv(2).
#include "target/copying.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "target/open.h"

enum {
	PAGE = 4096,
	PIECE = 1 << 20,	// bytes that are asked for as one
	BATCH_BYTES = 16 << 20, // and in one call; between two looks whether all should end
	BATCH_PIECES = 512,	// the kernel takes 1024
	MAX_HELPERS = 3,
	POPULATE_BYTES = 256 << 20,
};
#define NEAR (1ULL << 30)

void gh_snapshot_destroy(struct gh_snapshot *snapshot)
{
	for (size_t i = 0; snapshot && i < snapshot->blocks.len; i++)
		munmap(snapshot->blocks.data[i].host,
		       snapshot->blocks.data[i].hi - snapshot->blocks.data[i].lo);
	if (snapshot)
		gh_block_vec_deinit(&snapshot->blocks);
	free(snapshot);
}

/* The first block that ends behind addr. */
static size_t find(const struct gh_snapshot *snapshot, gh_addr addr)
{
	size_t lo = 0, hi = snapshot->blocks.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (snapshot->blocks.data[mid].hi <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct gh_block *gh_snapshot_block(const struct gh_snapshot *snapshot, gh_addr addr)
{
	size_t i = find(snapshot, addr);
	const struct gh_block *block = &snapshot->blocks.data[i];

	return i < snapshot->blocks.len && addr >= block->lo ? block : NULL;
}

/* Address space alone, which no bound on memory counts. */
static struct gh_error *add_block(struct gh_snapshot *snapshot, gh_addr lo, gh_addr hi)
{
	size_t at = find(snapshot, lo);
	void *p =
		mmap(NULL, hi - lo, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct gh_block block = {lo, hi, p};
	struct gh_block *blocks;

	if (p == MAP_FAILED)
		return gh_error_errno(errno, "cannot make room for %llu MiB",
				      (unsigned long long)((hi - lo) >> 20));
	if (!gh_block_vec_push(&snapshot->blocks, block)) {
		munmap(p, hi - lo);
		return gh_error_nomem();
	}
	blocks = snapshot->blocks.data;
	memmove(&blocks[at + 1], &blocks[at], (snapshot->blocks.len - 1 - at) * sizeof(*blocks));
	blocks[at] = block;
	return NULL;
}

static struct gh_error *open_range(const struct gh_block *block, gh_addr lo, gh_addr hi)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), from = (lo - block->lo) & ~(page - 1);

	if (mprotect(block->host + from, hi - block->lo - from, PROT_READ | PROT_WRITE) == 0)
		return NULL;
	return gh_error_errno(errno, "cannot make room for %llu MiB",
			      (unsigned long long)((hi - lo) >> 20));
}

struct gh_error *gh_snapshot_cover(struct gh_snapshot *snapshot, const struct gh_range_vec *ranges)
{
	const struct gh_range *r = ranges->data;
	struct gh_error *err = NULL;

	for (size_t i = 0; i < ranges->len && !err; i++) {
		gh_addr lo = r[i].lo;

		while (lo < r[i].hi && !err) {
			size_t next = find(snapshot, lo);
			bool is_last = next == snapshot->blocks.len;
			gh_addr bound = is_last ? UINT64_MAX : snapshot->blocks.data[next].lo;
			gh_addr hi = r[i].hi;

			if (bound <= lo) { // within that block
				hi = gh_min_u64(hi, snapshot->blocks.data[next].hi);
				err = open_range(&snapshot->blocks.data[next], lo, hi);
				lo = hi;
				continue;
			}
			for (size_t k = i + 1; k < ranges->len && r[k].lo - hi < NEAR; k++)
				hi = r[k].hi;
			if (hi < UINT64_MAX - NEAR)
				hi += NEAR; // room to grow
			err = add_block(snapshot, lo, gh_min_u64(hi, bound));
		}
	}
	return err;
}

struct gh_error *gh_snapshot_populate(const struct gh_snapshot *snapshot,
				      const struct gh_range_vec *ranges, const struct gh_poll *poll)
{
	uint64_t done = 0, total = gh_ranges_bytes(ranges);

	for (size_t i = 0; i < ranges->len; i++) {
		struct gh_range r = ranges->data[i];

		while (r.lo < r.hi) {
			const struct gh_block *block = gh_snapshot_block(snapshot, r.lo);
			gh_addr hi = gh_min_u64(r.hi, r.lo + POPULATE_BYTES);
			struct gh_error *err = NULL;

			if (!block)
				break;
			hi = gh_min_u64(hi, block->hi);
			if (i % BATCH_PIECES == 0 || hi - r.lo > BATCH_BYTES)
				err = gh_poll(poll, "making room", done, total);
			if (err)
				return err;
			madvise(block->host + (r.lo - block->lo), hi - r.lo, MADV_POPULATE_WRITE);
			done += hi - r.lo;
			r.lo = hi;
		}
	}
	return NULL;
}

void gh_snapshot_zero(const struct gh_snapshot *snapshot, const struct gh_range_vec *ranges)
{
	for (size_t i = 0; i < ranges->len; i++) {
		struct gh_range r = ranges->data[i];

		while (r.lo < r.hi) {
			const struct gh_block *block = gh_snapshot_block(snapshot, r.lo);
			gh_addr hi = block ? gh_min_u64(r.hi, block->hi) : r.hi;

			if (block)
				memset(block->host + (r.lo - block->lo), 0, hi - r.lo);
			r.lo = hi;
		}
	}
}

/* ---- copying ---- */

struct piece {
	gh_addr from;
	uint8_t *to;
	uint32_t len;
};
GH_VEC(piece_vec, struct piece);

/* What the threads share; all but pid and pieces by atomic operations. */
struct work {
	uint32_t pid;
	struct piece_vec pieces;
	size_t next; // piece that nobody took yet
	uint64_t done, lost;
	bool is_over; // cancelled
	bool is_gone; // the process
};

static bool cut(const struct gh_snapshot *snapshot, const struct gh_range_vec *ranges,
		struct piece_vec *ret)
{
	for (size_t i = 0; i < ranges->len; i++) {
		struct gh_range r = ranges->data[i];

		while (r.lo < r.hi) {
			const struct gh_block *block = gh_snapshot_block(snapshot, r.lo);
			gh_addr hi = gh_min_u64(r.hi, (r.lo | (PIECE - 1)) + 1);
			struct piece piece = {.from = r.lo};

			if (!block)
				break;
			hi = gh_min_u64(hi, block->hi);
			piece.to = block->host + (r.lo - block->lo);
			piece.len = (uint32_t)(hi - r.lo);
			if (!piece_vec_push(ret, piece))
				return false;
			r.lo = hi;
		}
	}
	return true;
}

/* Page by page: one that cannot be read costs no other. */
static void copy_pages(struct work *w, const struct piece *piece)
{
	uint64_t lost = 0;

	for (uint32_t at = 0; at < piece->len; at += PAGE) {
		uint64_t len = gh_min_u64(PAGE, piece->len - at);
		ssize_t got = gh_proc_read(w->pid, piece->from + at, piece->to + at, len);

		if (got < 0 && errno == ESRCH) {
			__atomic_store_n(&w->is_gone, true, __ATOMIC_RELAXED);
			return;
		}
		lost += len - (uint64_t)(got < 0 ? 0 : got);
	}
	__atomic_fetch_add(&w->lost, lost, __ATOMIC_RELAXED);
}

static void copy_one_by_one(struct work *w, const struct piece *pieces, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (gh_proc_read(w->pid, pieces[i].from, pieces[i].to, pieces[i].len) !=
		    (ssize_t)pieces[i].len)
			copy_pages(w, &pieces[i]);
}

static void copy_batch(struct work *w, const struct piece *pieces, size_t n)
{
	struct iovec local[BATCH_PIECES] = {0}, remote[BATCH_PIECES] = {0};
	uint64_t len = 0;
	ssize_t got;

	for (size_t i = 0; i < n; i++) {
		local[i] = (struct iovec){pieces[i].to, pieces[i].len};
		remote[i] = (struct iovec){(void *)(uintptr_t)pieces[i].from, pieces[i].len};
		len += pieces[i].len;
	}
	got = process_vm_readv((pid_t)w->pid, local, n, remote, n, 0);
	if (got < 0 || (uint64_t)got < len)
		copy_one_by_one(w, pieces, n);
	__atomic_fetch_add(&w->done, len, __ATOMIC_RELAXED);
}

/* Take the next batch. False: there is none, or it is over. */
static bool copy_next(struct work *w)
{
	size_t first = __atomic_load_n(&w->next, __ATOMIC_RELAXED), n;

	do {
		uint64_t len = 0;

		for (n = 0; first + n < w->pieces.len && n < BATCH_PIECES && len < BATCH_BYTES; n++)
			len += w->pieces.data[first + n].len;
	} while (!__atomic_compare_exchange_n(&w->next, &first, first + n, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	if (n == 0 || __atomic_load_n(&w->is_over, __ATOMIC_RELAXED) ||
	    __atomic_load_n(&w->is_gone, __ATOMIC_RELAXED))
		return false;
	copy_batch(w, &w->pieces.data[first], n);
	return true;
}

static void *help(void *ctx)
{
	while (copy_next(ctx))
		;
	return NULL;
}

/* Signals are the face's: helpers take none. Fewer threads than wanted is no error. */
static size_t start_helpers(struct work *w, size_t n, pthread_t *ret)
{
	sigset_t all, old;
	size_t started = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (started < n && pthread_create(&ret[started], NULL, help, w) == 0)
		started++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return started;
}

static size_t wanted_helpers(const struct work *w)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = cpus > 1 ? (size_t)gh_min_u64((uint64_t)cpus - 1, MAX_HELPERS) : 0;

	return w->pieces.len > 16 ? n : 0;
}

static struct gh_error *run(struct work *w, const struct gh_poll *poll, uint64_t total)
{
	pthread_t helpers[MAX_HELPERS];
	size_t n = start_helpers(w, wanted_helpers(w), helpers);
	struct gh_error *err;

	do {
		err = gh_poll(poll, "copying", __atomic_load_n(&w->done, __ATOMIC_RELAXED), total);
	} while (!err && copy_next(w));
	if (err)
		__atomic_store_n(&w->is_over, true, __ATOMIC_RELAXED);
	for (size_t i = 0; i < n; i++)
		pthread_join(helpers[i], NULL);
	if (!err && w->is_gone)
		err = gh_error_create(GH_ERR_IO, "cannot copy process %u: it ended meanwhile",
				      w->pid);
	return err;
}

struct gh_error *gh_snapshot_copy(const struct gh_snapshot *snapshot, uint32_t pid,
				  const struct gh_range_vec *ranges, const struct gh_poll *poll,
				  uint64_t *lost_ret)
{
	struct work w = {.pid = pid};
	struct gh_error *err = cut(snapshot, ranges, &w.pieces)
				       ? run(&w, poll, gh_ranges_bytes(ranges))
				       : gh_error_nomem();

	piece_vec_deinit(&w.pieces);
	*lost_ret += w.lost;
	return err;
}
