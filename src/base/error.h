// SPDX-License-Identifier: Apache-2.0
// Errors are values: what failed, why, what to do. They travel up and gain context on the way; only
// a face prints them. NULL means fine.
#pragma once

#include "base/defs.h"

/**
 * Code, its name, its class in Python and the built-in one that this is a kind of, the exit code of
 * the program.
 */
#define GH_ERROR_CODES(X)                                                                          \
	X(NOMEM, "out of memory", "OutOfMemoryError", "MemoryError", 3)                            \
	X(CANCELLED, "cancelled", "Cancelled", "KeyboardInterrupt", 3)                             \
	X(USAGE, "usage", "UsageError", "ValueError", 2)                                           \
	X(IO, "i/o", "FileError", "OSError", 3)                                                    \
	X(FORMAT, "unusable file", "FormatError", "ValueError", 3)                                 \
	X(MISMATCH, "mismatch", "MismatchError", "ValueError", 3)                                  \
	X(CORRUPT, "corrupt", "CorruptError", "ValueError", 3)                                     \
	X(MISSING, "missing", "MissingError", "LookupError", 3)                                    \
	X(UNSUPPORTED, "unsupported", "UnsupportedError", "NotImplementedError", 3)                \
	X(LIMIT, "limit", "LimitError", "MemoryError", 3)

enum gh_error_code {
#define X(code, ...) GH_ERR_##code,
	GH_ERROR_CODES(X)
#undef X
		GH_ERR_COUNT
};

struct gh_error {
	enum gh_error_code code;
	char *message; // owned unless is_static; lower case, no full stop
	bool is_static;
};

/**
 * Make an error. The message says what failed, why, what to do: "cannot type the heap: no
 * moduledata found: pass the executable with --exe". Falls back to the static out-of-memory error.
 */
struct gh_error *gh_error_create(enum gh_error_code code, const char *fmt, ...)
	GH_PRINTF(2, 3) GH_MUST_CHECK;

/** As gh_error_create, with ": strerror(errnum)" appended and code IO. */
struct gh_error *gh_error_errno(int errnum, const char *fmt, ...) GH_PRINTF(2, 3) GH_MUST_CHECK;

/** Put "context: " before the message of err. Consumes err, returns it (or a replacement). */
struct gh_error *gh_error_wrap(struct gh_error *err, const char *fmt, ...)
	GH_PRINTF(2, 3) GH_MUST_CHECK;

void gh_error_destroy(struct gh_error *err);

/** Static errors: cost nothing, may be destroyed any number of times. */
struct gh_error *gh_error_nomem(void) GH_MUST_CHECK;
struct gh_error *gh_error_cancelled(void) GH_MUST_CHECK;

const char *gh_error_code_name(enum gh_error_code code);
/** "UsageError"; and the built-in class below it, "ValueError". */
const char *gh_error_python_name(enum gh_error_code code);
const char *gh_error_python_base(enum gh_error_code code);
int gh_error_exit_code(enum gh_error_code code);

static inline void gh_cleanup_error(struct gh_error **err)
{
	gh_error_destroy(*err);
}
#define _cleanup_error_ __attribute__((cleanup(gh_cleanup_error)))
