// SPDX-License-Identifier: Apache-2.0
// goheap.h on top of sessions and commands. Converts, nothing else.
#include "goheap.h"

#include <stdlib.h>

#include "analysis/objects.h"
#include "base/cleanup.h"
#include "command/command.h"

/* The public numbers are promised; a code without one does not compile. */
static const enum goheap_error_code public_codes[GH_ERR_COUNT] = {
#define X(code, ...) [GH_ERR_##code] = GOHEAP_ERROR_##code,
	GH_ERROR_CODES(X)
#undef X
};

_Static_assert((int)GOHEAP_UNKNOWN == (int)GH_STRENGTH_UNKNOWN &&
		       (int)GOHEAP_INFERRED == (int)GH_STRENGTH_INFERRED &&
		       (int)GOHEAP_DECLARED == (int)GH_STRENGTH_DECLARED &&
		       (int)GOHEAP_EXACT == (int)GH_STRENGTH_EXACT,
	       "strengths are the public ones");

struct goheap_session {
	struct gh_session *session; // owned
	goheap_poll_fn poll;
	void *ctx;
	bool wants_stop; // what poll said last
};

struct goheap_objects {
	struct gh_objects objects;
	struct gh_arena arena;
	char *type; // owned; NULL: any
};

/* A public error is an internal one under another name. */
static struct goheap_error *export(struct gh_error *err)
{
	return (struct goheap_error *)err;
}

static const struct gh_error *inside(const struct goheap_error *error)
{
	return (const struct gh_error *)error;
}

const char *goheap_version(void)
{
	return GOHEAP_VERSION;
}

enum goheap_error_code goheap_error_code(const struct goheap_error *error)
{
	return public_codes[inside(error)->code];
}

const char *goheap_error_message(const struct goheap_error *error)
{
	return inside(error)->message;
}

void goheap_error_destroy(struct goheap_error *error)
{
	gh_error_destroy((struct gh_error *)error);
}

static void on_progress(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
	struct goheap_session *session = ctx;

	session->wants_stop = session->poll(session->ctx, stage, done, total) != 0;
}

static bool on_cancelled(void *ctx)
{
	const struct goheap_session *session = ctx;

	return session->wants_stop;
}

/* Options as this version knows them: what an older caller does not have is zero. */
static struct gh_error *read_options(const struct goheap_open_options *options,
				     struct goheap_open_options *ret)
{
	const size_t least = offsetof(struct goheap_open_options, sysroot);

	*ret = (struct goheap_open_options){0};
	if (!options || options->size < least)
		return gh_error_create(GH_ERR_USAGE, "cannot open: size of the options is not set: "
						     "{.size = sizeof(options), …}");
	memcpy(ret, options, gh_min_u64(options->size, sizeof(*ret)));
	if (!ret->core == !ret->pid)
		return gh_error_create(GH_ERR_USAGE, "cannot open: set either core or pid");
	return NULL;
}

static struct gh_error *open_target(const struct goheap_open_options *options,
				    const struct gh_poll *poll, struct gh_target **ret)
{
	struct gh_target_options target_options = {
		.core_path = options->core,
		.exe_path = options->exe,
		.sysroot = options->sysroot,
		.force = options->force,
		.no_mmap = options->no_mmap,
		.max_mem_bytes = options->max_copy_bytes,
		.scratch = options->scratch,
		.poll = poll,
	};

	if (options->pid)
		return gh_target_open_pid(&target_options, options->pid, /* running= */ false, ret);
	return gh_target_open_core(&target_options, ret);
}

static struct gh_error *open_session(const struct goheap_open_options *options,
				     struct goheap_session *session)
{
	struct gh_poll poll = {0};
	struct gh_target *target;
	struct gh_error *err;

	if (options->poll)
		poll = (struct gh_poll){on_progress, on_cancelled, session};
	session->poll = options->poll;
	session->ctx = options->ctx;
	err = open_target(options, &poll, &target);
	if (!err)
		err = gh_session_create(target, &session->session);
	if (!err)
		session->session->poll = poll;
	return err;
}

struct goheap_error *goheap_open(const struct goheap_open_options *options,
				 struct goheap_session **session_ret)
{
	struct goheap_open_options known;
	struct gh_error *err = read_options(options, &known);
	struct goheap_session *session;

	if (err)
		return export(err);
	session = calloc(1, sizeof(*session));
	if (!session)
		return export(gh_error_nomem());
	err = open_session(&known, session);
	if (err) {
		goheap_close(session);
		return export(err);
	}
	*session_ret = session;
	return NULL;
}

void goheap_close(struct goheap_session *session)
{
	if (!session)
		return;
	gh_session_destroy(session->session);
	free(session);
}

struct goheap_error *goheap_run(struct goheap_session *session, const char *const *words,
				goheap_write_fn write, void *ctx, bool *findings_ret)
{
	const struct gh_render_options defaults = {.format = GH_FORMAT_TEXT};
	size_t nwords = 0;

	while (words[nwords])
		nwords++;
	if (session)
		session->wants_stop = false;
	return export(gh_command_run(session ? session->session : NULL, words, nwords, &defaults,
				     write, ctx, findings_ret));
}

const char *goheap_strength_name(enum goheap_strength strength)
{
	bool is_known = strength >= GOHEAP_UNKNOWN && strength <= GOHEAP_EXACT;

	return gh_strength_name(is_known ? (enum gh_strength)strength : GH_STRENGTH_UNKNOWN);
}

static bool is_wanted(void *ctx, const char *type)
{
	const struct goheap_objects *objects = ctx;

	return strcmp(type, objects->type) == 0;
}

static struct gh_error *start(struct gh_session *session, enum goheap_which which,
			      struct goheap_objects *objects)
{
	struct gh_objects_query query = {
		.dead = which == GOHEAP_DEAD,
		.wanted = objects->type ? is_wanted : NULL,
		.ctx = objects,
		.arena = &objects->arena,
	};

	return gh_objects_init(session, &query, &objects->objects);
}

struct goheap_error *goheap_objects_create(struct goheap_session *session, enum goheap_which which,
					   const char *type, struct goheap_objects **objects_ret)
{
	struct goheap_objects *objects = calloc(1, sizeof(*objects));
	struct gh_error *err = NULL;

	if (objects && type)
		objects->type = strdup(type);
	if (!objects || (type && !objects->type))
		err = gh_error_nomem();
	session->wants_stop = false;
	if (!err)
		err = start(session->session, which, objects);
	if (err) {
		goheap_objects_destroy(objects);
		return export(err);
	}
	*objects_ret = objects;
	return NULL;
}

enum { BATCH = 128 };

/* At most BATCH of them. */
static struct gh_error *next_batch(struct goheap_objects *objects, struct goheap_object *ret,
				   size_t max, size_t *n_ret)
{
	struct gh_object batch[BATCH];
	struct gh_error *err =
		gh_objects_next(&objects->objects, batch, gh_min_u64(max, BATCH), n_ret);

	for (size_t i = 0; !err && i < *n_ret; i++)
		ret[i] = (struct goheap_object){
			.address = batch[i].addr,
			.bytes = batch[i].bytes,
			.type = batch[i].type,
			.strength = batch[i].strength,
		};
	return err;
}

struct goheap_error *goheap_objects_next(struct goheap_objects *objects, struct goheap_object *ret,
					 size_t max, size_t *n_ret)
{
	size_t n = 0, one = 1;

	while (n < max && one) {
		struct gh_error *err = next_batch(objects, ret + n, max - n, &one);

		if (err && n == 0)
			return export(err);
		if (err) { // what is there comes first; the next call meets it again
			gh_error_destroy(err);
			break;
		}
		n += one;
	}
	*n_ret = n;
	return NULL;
}

void goheap_objects_destroy(struct goheap_objects *objects)
{
	if (!objects)
		return;
	gh_objects_deinit(&objects->objects);
	gh_arena_deinit(&objects->arena);
	free(objects->type);
	free(objects);
}
