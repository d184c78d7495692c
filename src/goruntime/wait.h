// SPDX-License-Identifier: Apache-2.0
// What a goroutine waits for, and the sudogs by which it stands in queues. Mirrors runtime/chan.go,
// select.go, sema.go, netpoll.go, time.go, runtime2.go (sudog, waitReason), go1.22 to go1.27.
#pragma once

#include "goruntime/stack.h"

enum gh_wait_kind {
	GH_WAIT_NONE,	 // it does not wait
	GH_WAIT_RECEIVE, // from a channel
	GH_WAIT_SEND,
	GH_WAIT_SELECT,
	GH_WAIT_FOREVER,   // on a nil channel, in select {}
	GH_WAIT_SEMAPHORE, // of the runtime or package sync, where the reason does not tell more
	GH_WAIT_MUTEX,
	GH_WAIT_READ_LOCK,  // RWMutex.RLock
	GH_WAIT_WRITE_LOCK, // RWMutex.Lock
	GH_WAIT_WAIT_GROUP,
	GH_WAIT_COND,
	GH_WAIT_SLEEP,
	GH_WAIT_IO,
	GH_WAIT_COROUTINE, // iter.Pull
	GH_WAIT_RUNTIME,   // for something of the runtime's own
};

enum gh_sudog_role {
	GH_SUDOG_RECEIVE,
	GH_SUDOG_SEND,
	GH_SUDOG_CASE,	    // of a select, and its queues are damaged: either of the two
	GH_SUDOG_SEMAPHORE, // elem: the uint32
	GH_SUDOG_COND,	    // elem: the notifyList (go1.26+, else 0)
};

/** A place in a queue; a heap object of the runtime's. */
struct gh_sudog {
	gh_addr addr, g;
	gh_addr at;	// the word that leads there from its goroutine (g.waiting, a waitlink); or 0
	gh_addr elem;	// where the value is taken from or put; 0: nobody wants it
	gh_addr elem_at; // the word of it that the collector follows
	gh_addr chan, chan_at;
	gh_addr next, prev, waitlink;
	uint8_t role; // enum gh_sudog_role
	bool is_select, success;
};
GH_VEC(gh_sudog_vec, struct gh_sudog);

struct gh_wait {
	enum gh_wait_kind kind;
	// of the semaphore (SEMAPHORE to WAIT_GROUP), the notifyList, the runtime.timer, the
	// pollDesc; 0: not known, or a channel (see the sudogs)
	gh_addr object;
	char io_mode;		    // 'r' or 'w' of IO; 0: not known
	struct gh_sudog_vec sudogs; // in the order of the goroutine's list; owned
	// sudogs that cannot be: cycles, of other goroutines, in no queue of their channel
	uint64_t damaged;
};

/** A goroutine in the table of semaphores. */
struct gh_sema_waiter {
	gh_addr g, sudog;
	gh_addr semaphore; // address of the uint32
};
GH_VEC(gh_sema_waiter_vec, struct gh_sema_waiter);

struct gh_semaphores {
	struct gh_sema_waiter_vec waiters; // sorted by g; owned
	uint64_t damaged;		   // entries, or the rest of a list, that cannot be
};

/**
 * All that wait in runtime.semtable: mutexes, wait groups, the runtime's own. *ret is zeroed
 * before. Errors: NOMEM.
 */
struct gh_error *gh_semaphores_load(const struct gh_runtime *rt,
				    struct gh_semaphores *ret) GH_MUST_CHECK;
void gh_semaphores_deinit(struct gh_semaphores *semaphores);

/**
 * What g waits for. semaphores, frames (of g): NULL where not at hand; then up to go1.25 the
 * objects of semaphores, of conditions and of IO are not known. *ret is zeroed before the first
 * call and may serve for one goroutine after the other. Errors: NOMEM.
 */
struct gh_error *gh_wait_load(const struct gh_runtime *rt, const struct gh_goroutine *g,
			      const struct gh_semaphores *semaphores,
			      const struct gh_frame_vec *frames, struct gh_wait *ret) GH_MUST_CHECK;
void gh_wait_deinit(struct gh_wait *wait);

/** The sudog at addr without its role in a select; false: missing. */
bool gh_sudog_read(const struct gh_runtime *rt, gh_addr addr, struct gh_sudog *ret);

/** By the runtime's reason; "" when it does not wait. */
enum gh_wait_kind gh_wait_kind_of(const char *reason);
