// SPDX-License-Identifier: Apache-2.0
// Timers: every timer in a P's heap, or in that of a synctest bubble; and single ones by address.
// Mirrors runtime/time.go (p.timers []*timer up to go1.22, struct timers since go1.23), netpoll.go
// (deadlines), synctest.go (go1.24+).
#pragma once

#include "base/radix.h"
#include "goruntime/goroutine.h"

/** By the function that the runtime calls; names are the contract's. */
enum gh_timer_kind {
	GH_TIMER_TIMER,	     // time.NewTimer, time.After: sends on its channel once
	GH_TIMER_TICKER,     // time.NewTicker, time.Tick: sends on its channel again and again
	GH_TIMER_AFTER_FUNC, // time.AfterFunc: starts a goroutine
	GH_TIMER_SLEEP,	     // time.Sleep of a goroutine
	GH_TIMER_CONTEXT,    // an AfterFunc that ends a context
	GH_TIMER_DEADLINE,   // SetDeadline of a file or connection
	GH_TIMER_RUNTIME,    // the runtime's own
};
enum { GH_TIMER_KINDS = GH_TIMER_RUNTIME + 1 };

enum gh_timer_state {
	GH_TIMER_ARMED,	   // will fire at when_ns
	GH_TIMER_STOPPED,  // or has fired: will not fire, may still lie in a heap
	GH_TIMER_CHANGING, // the core was taken while somebody fired, changed or moved it
};

enum { GH_TIMER_NO_HEAP = UINT32_MAX };

struct gh_timer {
	gh_addr addr;	   // of the runtime.timer, which may lie inside another object
	gh_addr slot;	   // where it stands in its heap's array: the word's address; 0: in no heap
	gh_addr f;	   // the funcval that the runtime calls
	gh_addr arg;	   // channel, funcval (AfterFunc), g (Sleep), pollDesc (deadline)
	gh_addr callback;  // code of what runs in the end: of an AfterFunc the function given to it
	int64_t when_ns;   // nanotime of the next firing; 0 when stopped
	int64_t period_ns; // 0: once
	uint32_t heap;	   // index into heaps, GH_TIMER_NO_HEAP: none
	uint8_t kind;	   // enum gh_timer_kind
	uint8_t state;	   // enum gh_timer_state
	// go1.23+: it has a channel and stands in a heap only while somebody waits on that
	// (asynctimerchan=0). Without it a channel's timer stands in a heap until it fires.
	bool is_chan;
	bool calls_arg; // f is time.goFunc: made by time.AfterFunc
	bool is_fake; // of a synctest bubble: when_ns is in its time
	// go1.23+: out of the heap for all but the array: stopped, or a channel nobody waits on
	bool is_zombie;
	uint32_t blocked; // go1.23+: goroutines that wait on the channel
};
GH_VEC(gh_timer_vec, struct gh_timer);

/** One set of timers. */
struct gh_timer_heap {
	gh_addr owner;	    // the P or the bubble
	gh_addr set;	    // the struct timers, or up to go1.22 the slice itself
	int32_t p;	    // id of the P, -1: a bubble's
	gh_addr array;	    // backing array in the Go heap: []*timer, []timerWhen since go1.23
	uint64_t len, cap;  // entries
	uint32_t elem_bytes;
	int64_t now_ns;	    // a bubble's time; 0: the clock's
	bool is_locked;	    // it was being changed: an entry may stand twice, or not at all
};
GH_VEC(gh_timer_heap_vec, struct gh_timer_heap);

/** Where timers stand: 16 bytes each, to be kept; what they say is read when it is asked for. */
struct gh_timers {
	struct gh_key_vec entries; // timer; heap << 32 | index. By address; one may stand twice
	struct gh_timer_heap_vec heaps; // not empty ones
	bool can_leave; // the release takes a channel's timer out while nobody waits, by default
	uint64_t unreadable; // entries or heaps whose memory is missing
	struct gh_budget *budget; // borrowed
	uint64_t charged_bytes;
};

/**
 * The timers in all heaps. goroutines: for their bubbles; NULL: none. *ret is zeroed before. Cost: a
 * sort by address. Errors: NOMEM, MISSING (no list of Ps), CANCELLED.
 */
struct gh_error *gh_timers_load(const struct gh_runtime *rt,
				const struct gh_goroutine_vec *goroutines,
				const struct gh_poll *poll, struct gh_timers *ret) GH_MUST_CHECK;
void gh_timers_deinit(struct gh_timers *timers);

/** What a visit left out, by why. */
struct gh_timer_skips {
	uint64_t unreadable; // timers whose memory is missing
	uint64_t damaged;    // entries that are no timers of their heap
	uint64_t doubles;    // entries of a timer that was seen before
	uint64_t lost; // of all these, which may be other timers; and timers whose callback is no code
};

typedef struct gh_error *(*gh_timer_fn)(void *ctx, const struct gh_timer *timer);

/**
 * Call fn for each timer in a heap, stopped ones included (state says so), by address, each once.
 * skips may be NULL. Errors: those of fn; CANCELLED.
 */
struct gh_error *gh_timers_visit(const struct gh_runtime *rt, const struct gh_timers *timers,
				 const struct gh_poll *poll, gh_timer_fn fn, void *ctx,
				 struct gh_timer_skips *skips) GH_MUST_CHECK;

/** The runtime.timer at addr, in a heap or not: slot and heap are not looked for. False: missing. */
bool gh_timer_read(const struct gh_runtime *rt, gh_addr addr, struct gh_timer *ret);

/** The word that holds the data of a timer's argument. */
static inline gh_addr gh_timer_arg_at(const struct gh_runtime *rt, const struct gh_timer *timer)
{
	return timer->addr + (uint64_t)rt->layout.offset[GH_F_timer_arg] + 8;
}

/** Where the runtime.timer of a *time.Timer or *time.Ticker lies (the struct behind them, go1.23+:
 * runtime.timeTimer; before: time.Timer). */
gh_addr gh_timer_of_object(const struct gh_runtime *rt, gh_addr object);

/** "Timer", "AfterFunc", … as the contract prints it. */
const char *gh_timer_kind_name(enum gh_timer_kind kind);
