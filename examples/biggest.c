// SPDX-License-Identifier: Apache-2.0
// An example of goheap.h: the largest objects of a core, and its `info` as JSON.
//	cc biggest.c -o biggest $(pkg-config --cflags --libs goheap)
//	./biggest CORE [EXE]
#include <goheap.h>
#include <inttypes.h>
#include <stdio.h>

enum { SHOWN = 5, BATCH = 512 };

/* Say why, give the error back, and say what the program ends with. */
static int fail(struct goheap_error *error)
{
	fprintf(stderr, "biggest: %s (code %d)\n", goheap_error_message(error),
		(int)goheap_error_code(error));
	goheap_error_destroy(error);
	return 1;
}

static bool write_stdout(void *ctx, const char *text, size_t len)
{
	(void)ctx;
	return fwrite(text, 1, len, stdout) == len;
}

/* Keep the SHOWN largest, largest first; those that come first win a tie. */
static void keep(struct goheap_object *largest, const struct goheap_object *object)
{
	int at = SHOWN;

	while (at > 0 && largest[at - 1].bytes < object->bytes)
		at--;
	for (int i = SHOWN - 1; i > at; i--)
		largest[i] = largest[i - 1];
	if (at < SHOWN)
		largest[at] = *object;
}

static struct goheap_error *find(struct goheap_objects *objects, struct goheap_object *largest,
				 uint64_t *count_ret)
{
	struct goheap_object batch[BATCH];
	struct goheap_error *error;
	size_t n;

	while (!(error = goheap_objects_next(objects, batch, BATCH, &n)) && n) {
		*count_ret += n;
		for (size_t i = 0; i < n; i++)
			keep(largest, &batch[i]);
	}
	return error;
}

static struct goheap_error *show_largest(struct goheap_session *session)
{
	struct goheap_object largest[SHOWN] = {{0}};
	struct goheap_objects *objects;
	uint64_t count = 0;
	struct goheap_error *error =
		goheap_objects_create(session, GOHEAP_LIVE, /* type= */ NULL, &objects);

	if (error)
		return error;
	error = find(objects, largest, &count);
	if (!error) {
		printf("%" PRIu64 " live objects\n", count);
		for (int i = 0; i < SHOWN && largest[i].type; i++)
			printf("0x%" PRIx64 " %" PRIu64 " %s (%s)\n", largest[i].address,
			       largest[i].bytes, largest[i].type,
			       goheap_strength_name(largest[i].strength));
	}
	goheap_objects_destroy(objects); // type names die here
	return error;
}

int main(int argc, char **argv)
{
	static const char *const info[] = {"info", "--json", NULL};
	struct goheap_open_options options = {.size = sizeof(options)};
	struct goheap_session *session;
	struct goheap_error *error;

	if (argc < 2) {
		fprintf(stderr, "usage: biggest CORE [EXE] (goheap %s)\n", goheap_version());
		return 2;
	}
	options.core = argv[1];
	options.exe = argc > 2 ? argv[2] : NULL;
	error = goheap_open(&options, &session);
	if (error)
		return fail(error);
	error = show_largest(session);
	if (!error)
		error = goheap_run(session, info, write_stdout, NULL, /* findings_ret= */ NULL);
	goheap_close(session);
	return error ? fail(error) : 0;
}
