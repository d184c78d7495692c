// SPDX-License-Identifier: Apache-2.0
// Error values. See error.h for the contract.
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"

static struct gh_error error_nomem = {
	.code = GH_ERR_NOMEM, .message = (char *)"out of memory", .is_static = true};
static struct gh_error error_cancelled = {
	.code = GH_ERR_CANCELLED, .message = (char *)"cancelled", .is_static = true};

static const struct {
	const char *name, *python, *python_base;
	int exit_code;
} codes[GH_ERR_COUNT] = {
#define X(code, ...) [GH_ERR_##code] = {__VA_ARGS__},
	GH_ERROR_CODES(X)
#undef X
};

struct gh_error *gh_error_nomem(void)
{
	return &error_nomem;
}

struct gh_error *gh_error_cancelled(void)
{
	return &error_cancelled;
}

/* Takes the message over. */
static struct gh_error *create(enum gh_error_code code, char *message)
{
	struct gh_error *err = message ? calloc(1, sizeof(*err)) : NULL;

	if (!err) {
		free(message);
		return gh_error_nomem();
	}
	err->code = code;
	err->message = message;
	return err;
}

struct gh_error *gh_error_create(enum gh_error_code code, const char *fmt, ...)
{
	char *message = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&message, fmt, ap) < 0)
		message = NULL;
	va_end(ap);
	return create(code, message);
}

struct gh_error *gh_error_errno(int errnum, const char *fmt, ...)
{
	_cleanup_free_ char *what = NULL;
	char *message = NULL;
	char buf[128];
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&what, fmt, ap) < 0)
		what = NULL;
	va_end(ap);
	if (!what || asprintf(&message, "%s: %s", what, strerror_r(errnum, buf, sizeof(buf))) < 0)
		message = NULL;
	return create(GH_ERR_IO, message);
}

struct gh_error *gh_error_wrap(struct gh_error *err, const char *fmt, ...)
{
	_cleanup_free_ char *context = NULL;
	char *message = NULL;
	va_list ap;

	if (!err || err->is_static)
		return err;
	va_start(ap, fmt);
	if (vasprintf(&context, fmt, ap) < 0)
		context = NULL;
	va_end(ap);
	if (!context || asprintf(&message, "%s: %s", context, err->message) < 0)
		return err;
	free(err->message);
	err->message = message;
	return err;
}

void gh_error_destroy(struct gh_error *err)
{
	if (!err || err->is_static)
		return;
	free(err->message);
	free(err);
}

const char *gh_error_code_name(enum gh_error_code code)
{
	return codes[code].name;
}

const char *gh_error_python_name(enum gh_error_code code)
{
	return codes[code].python;
}

const char *gh_error_python_base(enum gh_error_code code)
{
	return codes[code].python_base;
}

int gh_error_exit_code(enum gh_error_code code)
{
	return codes[code].exit_code;
}
