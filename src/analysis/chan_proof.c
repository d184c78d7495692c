// SPDX-License-Identifier: Apache-2.0
// Which channels nobody can serve any more. See chans.h.
//
// A goroutine is proven leaked only if none of the channels that it waits for was reached; so each of
// those is led to by such goroutines alone. Where memory was overwritten queues and goroutines may
// say different things: a channel counts only if each place in its queues is the wait of such a
// goroutine, as the goroutines tell it themselves.
#include "analysis/chans.h"
#include "analysis/leak_proof.h"

/* What proven ones wait for, each as often as one of them does; moved to the front, sorted. */
static size_t collect(struct gh_leak_proof *proof)
{
	gh_addr *objects = proof->objects.data;
	size_t n = 0;

	for (size_t i = 0; i < proof->all.len; i++) {
		const struct gh_leak_candidate *c = &proof->all.data[i];

		// objects of candidates stand in the order of these: nothing is overtaken
		for (size_t k = 0; c->is_proven && k < c->nobjects; k++)
			objects[n++] = objects[c->first + k];
	}
	gh_addr_sort(objects, n);
	return n;
}

static size_t first_at(const gh_addr *sorted, size_t n, gh_addr addr)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (sorted[mid] < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_waited_for(const struct gh_chan_list *list)
{
	for (size_t i = 0; i < list->rows.len; i++)
		if (list->rows.data[i].senders || list->rows.data[i].receivers)
			return true;
	return false;
}

struct gh_error *gh_chan_list_prove(struct gh_session *session, struct gh_chan_list *list)
{
	struct gh_leak_proof proof;
	struct gh_error *err;
	size_t n;

	if (!is_waited_for(list))
		return NULL;
	err = gh_leak_proof_make(session, &proof);
	if (err)
		return err;
	list->is_incomplete = proof.is_incomplete;
	n = collect(&proof);
	for (size_t i = 0; i < list->rows.len; i++) {
		struct gh_chan_row *row = &list->rows.data[i];
		uint64_t waiting = row->senders + row->receivers, places = 0;

		for (size_t k = first_at(proof.objects.data, n, row->addr);
		     k < n && proof.objects.data[k] == row->addr; k++)
			places++;
		row->is_stranded = waiting && places == waiting && !row->is_damaged;
	}
	gh_leak_proof_deinit(&proof);
	return NULL;
}
