/* SPDX-License-Identifier: Apache-2.0 */
/**
 * goheap: the heap of a Go process, out of a core file or of the running process.
 *
 *	struct goheap_open_options options = {.size = sizeof(options), .core = "core"};
 *	struct goheap_session *session;
 *	struct goheap_error *error = goheap_open(&options, &session);
 *
 *	if (error) {
 *		fprintf(stderr, "%s\n", goheap_error_message(error));
 *		goheap_error_destroy(error);
 *		return 1;
 *	}
 *	…
 *	goheap_close(session);
 *
 * Build: cc program.c $(pkg-config --cflags --libs goheap)
 *
 * The library never prints, exits, aborts, forks, or touches signals. Whatever a core contains, it
 * answers or returns an error.
 *
 * Sessions are independent of each other and may live on different threads. One session belongs to
 * one thread at a time; nothing else may be done with it while a call works on it.
 *
 * Sizes are bytes; addresses are those of the analysed process, never C pointers of this one. All
 * texts are UTF-8 as far as the analysed process kept to it, and end with NUL.
 */
#ifndef GOHEAP_H
#define GOHEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/** The library's version, such as "0.1.0"; static. */
const char *goheap_version(void);

/* ---- Errors ---- */

/** What went wrong, coarsely. Numbers stay as they are; later versions may append some. */
enum goheap_error_code {
	GOHEAP_ERROR_NOMEM = 1,	      // out of memory
	GOHEAP_ERROR_CANCELLED = 2,   // the poll function asked to stop
	GOHEAP_ERROR_USAGE = 3,	      // an unknown command, option or value
	GOHEAP_ERROR_IO = 4,	      // the system refuses: no such file, not permitted, …
	GOHEAP_ERROR_FORMAT = 5,      // a file that is no core, no ELF file, …
	GOHEAP_ERROR_MISMATCH = 6,    // the executable is not the one that ran
	GOHEAP_ERROR_CORRUPT = 7,     // what was read contradicts itself
	GOHEAP_ERROR_MISSING = 8,     // the core, or the process, lacks what the answer needs
	GOHEAP_ERROR_UNSUPPORTED = 9, // an architecture or Go release that goheap does not know
	GOHEAP_ERROR_LIMIT = 10,      // more memory than allowed
};

/**
 * Functions that can fail return NULL when all is fine, or an error that the caller owns. What they
 * would have yielded through pointers is then untouched.
 */
struct goheap_error;

enum goheap_error_code goheap_error_code(const struct goheap_error *error);

/** What failed, why, what to do; one line, without an end of line. Lives as long as the error. */
const char *goheap_error_message(const struct goheap_error *error);

/** NULL is fine. */
void goheap_error_destroy(struct goheap_error *error);

/* ---- Sessions ---- */

/** One opened core or process, and all that was computed of it so far. */
struct goheap_session;

/**
 * Called at least every tenth of a second during long work, on the thread of the call, with what is
 * being done (static text) and how far it is: `done` of `total` units, total 0 when not known. A
 * non-zero result stops the work: the call returns GOHEAP_ERROR_CANCELLED and the session stays
 * usable. It must not call functions on the session.
 */
typedef int (*goheap_poll_fn)(void *ctx, const char *stage, uint64_t done, uint64_t total);

/**
 * What to open and how. Set size, and either core or pid; zeros elsewhere are right mostly. Later
 * versions append members: the library reads no more than `size` bytes. Everything is borrowed
 * during goheap_open(), but poll and ctx until goheap_close().
 */
struct goheap_open_options {
	size_t size;		 // sizeof(struct goheap_open_options)
	const char *core;	 // path of a core file, also compressed (zstd, gzip, xz, lz4)
	const char *exe;	 // path of the executable; NULL: it is looked for
	const char *sysroot;	 // stands before paths found in the core; NULL: none
	const char *scratch;	 // folder to unpack into; NULL: $TMPDIR, else /var/tmp
	uint32_t pid;		 // of a running process: it is stopped, copied and let go
	uint32_t force;		 // non-zero: go on although build ids differ; every report says so
	uint32_t no_mmap;	 // non-zero: read files rather than map them (failing disks)
	uint32_t reserved;	 // 0
	uint64_t max_copy_bytes; // the copy of a process may take; 0: what is available
	goheap_poll_fn poll;	 // NULL: work is not interrupted
	void *ctx;		 // of poll
};

/**
 * Open a core or a process. *session_ret is the caller's, to be given back with goheap_close().
 * Cheap next to what follows: what a question needs is computed when it is asked, and kept.
 *
 * Errors: USAGE (neither or both of core and pid), IO, FORMAT, MISMATCH, UNSUPPORTED, MISSING,
 * LIMIT, CANCELLED, NOMEM.
 */
struct goheap_error *goheap_open(const struct goheap_open_options *options,
				 struct goheap_session **session_ret);

/** Give files and memory back. NULL is fine. Iterators are destroyed before their session. */
void goheap_close(struct goheap_session *session);

/* ---- Commands ---- */

/** Takes the next `len` bytes of a report. False: it wants no more, which is no error. */
typedef bool (*goheap_write_fn)(void *ctx, const char *text, size_t len);

/**
 * Run a command as the program does and write its report, in pieces.
 *
 * session: NULL will do for `help`.
 * words:   the command's name, then its options; ends with NULL. {"top", "-n", "5", NULL} gives
 *          the text that people read, {"top", "--json", NULL} one JSON document, "--csv" and
 *          "--short" what they say. docs/contract.md describes tables and columns.
 * write:   called on this thread, with ctx.
 * findings_ret: may be NULL; whether a command that looks for something found it.
 *
 * A report that lost pieces is an answer, and says so itself: `truncated`, `skipped`, `notes`.
 * Errors: USAGE, and those of what the command computes.
 */
struct goheap_error *goheap_run(struct goheap_session *session, const char *const *words,
				goheap_write_fn write, void *ctx, bool *findings_ret);

/* ---- Objects ---- */

/** How sure the type of an object is; more is surer. */
enum goheap_strength {
	GOHEAP_UNKNOWN = 0,  // nothing tells: type is "unknown scan 48", "unknown noscan 48"
	GOHEAP_INFERRED = 1, // size, pointer bits and pointers into it leave one type
	GOHEAP_DECLARED = 2, // a pointer of that type leads to it
	GOHEAP_EXACT = 3,    // the runtime wrote it down
};

/** "unknown", "inferred", "declared", "exact"; static. */
const char *goheap_strength_name(enum goheap_strength strength);

/** One heap object. The layout of this struct does not change. */
struct goheap_object {
	uint64_t address;  // of its heap slot
	uint64_t bytes;	   // of the slot: what the process pays
	const char *type;  // full name, as `top` prints it; lives as long as the iterator
	uint32_t strength; // enum goheap_strength
	uint32_t reserved; // 0
};

/** Live objects are those that the collector would keep; the others are garbage. */
enum goheap_which { GOHEAP_LIVE = 0, GOHEAP_DEAD = 1 };

/** Stands somewhere in the heap; objects come by address. */
struct goheap_objects;

/**
 * Find out which objects are live and what they are, and stand before the first. That is the
 * expensive part, done once a session; poll is called meanwhile.
 *
 * type: full name of the wanted type, copied; NULL: all objects.
 *
 * Errors: MISSING (the core lacks the span tables), CORRUPT, LIMIT, CANCELLED, NOMEM.
 */
struct goheap_error *goheap_objects_create(struct goheap_session *session, enum goheap_which which,
					   const char *type, struct goheap_objects **objects_ret);

/**
 * The next objects, at most `max` of them. *n_ret is 0 only after the last one. Some nanoseconds an
 * object where `max` is a few hundred. Other calls on the session may come in between.
 * Errors: CANCELLED, NOMEM; the iterator then stands where it stood.
 */
struct goheap_error *goheap_objects_next(struct goheap_objects *objects, struct goheap_object *ret,
					 size_t max, size_t *n_ret);

/** NULL is fine. */
void goheap_objects_destroy(struct goheap_objects *objects);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
