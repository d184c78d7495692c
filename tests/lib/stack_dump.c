// SPDX-License-Identifier: Apache-2.0
// Prints what the stack layer knows of a core: one JSON object a line for each goroutine, its
// frames and what would be scanned. For tests that compare with the runtime's own traceback.
// Usage: stack_dump CORE EXE [--words]
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "goruntime/stack.h"

static int fail(struct gh_error *err)
{
	fprintf(stderr, "stack_dump: %s\n", err->message);
	gh_error_destroy(err);
	return 1;
}

static json_t *text(const char *s)
{
	json_t *value = s ? json_string(s) : NULL;

	return value ? value : json_null();
}

static json_t *hex(uint64_t value)
{
	char buffer[32];

	snprintf(buffer, sizeof(buffer), "0x%" PRIx64, value);
	return json_string(buffer);
}

static void add_frames(const struct gh_runtime *rt, const struct gh_frame *frame, json_t *list)
{
	struct gh_source_frame_vec sources = {0};

	if (!gh_func_source_frames(rt, &frame->func, frame->sym_pc, &sources))
		exit(1);
	for (size_t i = 0; i < sources.len; i++) {
		const struct gh_source_frame *s = &sources.data[i];

		json_array_append_new(
			list, json_pack("{s:o, s:o, s:i, s:b, s:i, s:i, s:o, s:o, s:b}", "function",
					text(s->function), "file", text(s->file), "line", s->line,
					"inlined", s->inlined, "id", s->id, "physical",
					frame->index, "pc", hex(frame->pc), "sp", hex(frame->sp),
					"dead", frame->contpc == 0));
	}
	gh_source_frame_vec_deinit(&sources);
}

static json_t *words(const struct gh_stack_scan *scan)
{
	json_t *list = json_array();

	for (size_t i = 0; i < scan->words.len; i++) {
		const struct gh_stack_word *w = &scan->words.data[i];

		json_array_append_new(list,
				      json_pack("[o, o, I, b]", hex(w->at), hex(w->value),
						w->frame == UINT32_MAX ? (json_int_t)-1 : w->frame,
						w->conservative));
	}
	return list;
}

static void print(const struct gh_runtime *rt, const struct gh_goroutine *g,
		  struct gh_stack_scan *scan, bool with_words)
{
	json_t *frames = json_array(), *row;
	_cleanup_strbuf_ struct gh_strbuf labels = {0};
	const struct gh_thread *thread = gh_goroutine_thread(rt, g);
	size_t conservative = 0;

	for (size_t i = 0; i < scan->frames.len; i++)
		add_frames(rt, &scan->frames.data[i], frames);
	for (size_t i = 0; i < scan->words.len; i++)
		conservative += scan->words.data[i].conservative;
	gh_goroutine_labels(rt, g, &labels);
	row = json_pack("{s:I, s:o, s:o, s:s, s:s, s:b, s:b, s:I, s:i, s:s, s:I, s:b, s:b, s:b, "
			"s:I, s:I, s:I, s:o}",
			"goid", (json_int_t)g->goid, "lo", hex(g->stack_lo), "hi", hex(g->stack_hi),
			"state", gh_gstatus_name(g->status), "wait_reason", g->wait_reason,
			"system", g->system, "locked", g->locked, "parent",
			(json_int_t)gh_goroutine_parent(rt, g), "tid", thread ? (int)thread->tid : 0,
			"labels", gh_strbuf_str(&labels), "end", (json_int_t)scan->end, "skipped",
			scan->skipped, "whole_stack", scan->whole_stack, "off_safepoint",
			scan->off_safepoint, "nframes", (json_int_t)scan->nframes, "precise",
			(json_int_t)(scan->words.len - conservative), "conservative",
			(json_int_t)conservative, "frames", frames);
	if (with_words)
		json_object_set_new(row, "words", words(scan));
	json_dumpf(row, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(row);
}

static int dump(const struct gh_runtime *rt, bool with_words)
{
	struct gh_goroutine_vec list = {0};
	struct gh_stack_scan scan = {0};
	uint64_t unreadable = 0;
	struct gh_error *err = gh_goroutines_load(rt, &list, &unreadable);

	for (size_t i = 0; i < list.len && !err; i++) {
		err = gh_stack_scan(rt, &list.data[i], &scan);
		if (!err)
			print(rt, &list.data[i], &scan, with_words);
	}
	gh_stack_scan_deinit(&scan);
	gh_goroutine_vec_deinit(&list);
	return err ? fail(err) : 0;
}

int main(int argc, char **argv)
{
	struct gh_target_options options = {.core_path = argc > 1 ? argv[1] : NULL,
					    .exe_path = argc > 2 ? argv[2] : NULL};
	struct gh_target *target = NULL;
	struct gh_runtime *rt = NULL;
	struct gh_error *err;
	int status;

	if (argc < 3) {
		fprintf(stderr, "usage: stack_dump CORE EXE [--words]\n");
		return 2;
	}
	err = gh_target_open_core(&options, &target);
	if (!err)
		err = gh_runtime_open(target, NULL, &rt);
	status = err ? fail(err) : dump(rt, argc > 3);
	gh_runtime_destroy(rt);
	gh_target_destroy(target);
	return status;
}
