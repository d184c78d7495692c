// SPDX-License-Identifier: Apache-2.0
// The process as a whole: settings, age, arguments, what it died of. Mirrors runtime/proc.go,
// mgcpacer.go, panic.go, runtime1.go (go1.22 to go1.27).
#pragma once

#include "goruntime/goroutine.h"

/** What is not known has its has_… false. */
struct gh_process {
	bool has_gomaxprocs, has_gogc, has_memory_limit, has_uptime, has_gc_phase;
	uint64_t gomaxprocs;
	int64_t gogc;	      // -1: off
	int64_t memory_limit; // bytes; INT64_MAX: none
	int64_t uptime_ns;    // from the start of the runtime to gh_process_now
	const char *gc_phase; // "off", "mark", "mark termination"
};

/**
 * nanotime when the process stood still, where the target knows it (on Linux it is
 * CLOCK_MONOTONIC); else the latest nanotime found in memory: a core has no clock, and it was at
 * least so late. False: none was found.
 */
bool gh_process_now(const struct gh_runtime *rt, int64_t *ret);

/** Never fails: what cannot be read is not known. */
void gh_process_read(const struct gh_runtime *rt, struct gh_process *ret);

/** Append os.Args, quoted where a shell would need it; false when they cannot be read. */
struct gh_strbuf;
bool gh_process_args(const struct gh_runtime *rt, struct gh_strbuf *sb);

/**
 * The runtime.g that was running user code on the thread that died: of the M that was dying or
 * throwing, else of the thread that got the signal. 0: none (not dead, or it ran no goroutine).
 */
gh_addr gh_process_crashing_g(const struct gh_runtime *rt);

/**
 * Append the value of g's innermost panic: "type: value" where it can be told, else the type. False
 * when g is not panicking. with_value: false gives the type alone.
 */
bool gh_process_panic(const struct gh_runtime *rt, gh_addr g, bool with_value,
		      struct gh_strbuf *sb);

/**
 * Append the text that g passed to runtime.throw or runtime.fatal. The runtime keeps it nowhere: it
 * is the one string of the frame that points into the executable's constants. False: g is in
 * neither, or the text is not at hand. Errors: NOMEM.
 */
struct gh_error *gh_process_throw(const struct gh_runtime *rt, const struct gh_goroutine *g,
				  struct gh_strbuf *sb, bool *found_ret) GH_MUST_CHECK;

/**
 * The same for a throw on the system stack of the thread that died (out of memory, deadlock). That
 * stack cannot be walked from inside a signal handler, so that the return into throw is looked for.
 * False: none was found.
 */
bool gh_process_system_throw(const struct gh_runtime *rt, struct gh_strbuf *sb);

/** Does a process leave a core because of it? A debugger stops one by other signals. */
bool gh_signal_is_fatal(uint32_t signal);

/** Append the text that a Go string at addr holds, up to 4 KiB; false when unreadable. */
bool gh_process_string(const struct gh_runtime *rt, gh_addr addr, struct gh_strbuf *sb);
