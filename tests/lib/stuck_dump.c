// SPDX-License-Identifier: Apache-2.0
// Prints what the runtime layer knows of waiting: a JSON object a line for each timer ("timer"),
// each goroutine with its wait, its defers and its panics ("goid"), and one of totals ("totals").
// Usage: stuck_dump CORE EXE
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "goruntime/defer.h"
#include "goruntime/freelist.h"
#include "goruntime/timer.h"
#include "goruntime/wait.h"

static json_t *hex(uint64_t value)
{
	char buffer[32];

	snprintf(buffer, sizeof(buffer), "0x%" PRIx64, value);
	return json_string(buffer);
}

static json_t *function(const struct gh_runtime *rt, gh_addr pc)
{
	struct gh_func func;
	const char *name = pc && gh_func_find(rt, pc, &func) ? gh_func_name(rt, &func) : NULL;

	return name ? json_string(name) : json_null();
}

/* "file:line" of the last logical frame: the function that holds the code. */
static json_t *site(const struct gh_runtime *rt, gh_addr pc)
{
	struct gh_source_frame_vec frames = {0};
	json_t *ret = json_null();
	struct gh_func func;

	if (pc && gh_func_find(rt, pc, &func) && gh_func_source_frames(rt, &func, pc, &frames) &&
	    frames.len && frames.data[0].file)
		ret = json_sprintf("%s:%d", frames.data[0].file, frames.data[0].line);
	gh_source_frame_vec_deinit(&frames);
	return ret;
}

static void print(json_t *row)
{
	if (!row)
		exit(1);
	json_dumpf(row, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(row);
}

struct timer_dump {
	const struct gh_runtime *rt;
	struct gh_timers timers;
	struct gh_timer_skips skips;
};

static struct gh_error *print_timer(void *ctx, const struct gh_timer *t)
{
	static const char *const states[] = {"armed", "stopped", "changing"};
	const struct timer_dump *dump = ctx;

	print(json_pack("{s:o, s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:b, s:b, s:b, s:i, s:i}",
			"timer", hex(t->addr), "kind", gh_timer_kind_name(t->kind), "state",
			states[t->state], "when_ns", (json_int_t)t->when_ns, "period_ns",
			(json_int_t)t->period_ns, "callback", function(dump->rt, t->callback),
			"arg", hex(t->arg), "slot", hex(t->slot), "is_chan", t->is_chan, "is_fake",
			t->is_fake, "is_zombie", t->is_zombie, "p",
			dump->timers.heaps.data[t->heap].p, "blocked", (int)t->blocked));
	return NULL;
}

static struct gh_error *print_timers(struct timer_dump *dump,
				     const struct gh_goroutine_vec *goroutines)
{
	struct gh_error *err = gh_timers_load(dump->rt, goroutines, NULL, &dump->timers);

	return err ? err
		   : gh_timers_visit(dump->rt, &dump->timers, NULL, print_timer, dump,
				     &dump->skips);
}

static json_t *sudogs_of(const struct gh_wait *wait)
{
	static const char *const roles[] = {"receive", "send", "case", "semaphore", "cond"};
	json_t *list = json_array();

	for (size_t i = 0; i < wait->sudogs.len; i++) {
		const struct gh_sudog *s = &wait->sudogs.data[i];

		json_array_append_new(
			list, json_pack("{s:o, s:s, s:o, s:o, s:b}", "addr", hex(s->addr), "role",
					roles[s->role], "chan", hex(s->chan), "elem", hex(s->elem),
					"is_select", s->is_select));
	}
	return list;
}

static json_t *defers_of(const struct gh_runtime *rt, const struct gh_frame_vec *frames,
			 const struct gh_defer_vec *defers)
{
	json_t *list = json_array();

	for (size_t i = 0; i < defers->len; i++) {
		const struct gh_defer *d = &defers->data[i];
		gh_addr frame = d->frame == GH_DEFER_NO_FRAME ? 0 : frames->data[d->frame].func.entry;

		json_array_append_new(
			list,
			json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:b, s:b}", "record",
				  hex(d->record), "kind", gh_defer_kind_name(d->kind), "function",
				  function(rt, d->code), "frame", function(rt, frame), "site",
				  site(rt, d->pc ? d->pc - 1 : 0), "closure", hex(d->fn), "is_list",
				  d->is_list, "is_heap", d->is_heap));
	}
	return list;
}

static json_t *panics_of(const struct gh_panic_vec *panics)
{
	json_t *list = json_array();

	for (size_t i = 0; i < panics->len; i++)
		json_array_append_new(list, json_pack("{s:b, s:b}", "recovered",
						      panics->data[i].is_recovered, "goexit",
						      panics->data[i].is_goexit));
	return list;
}

/* What stands on one goroutine's stack and in its queues. */
struct state {
	struct gh_frame_vec frames;
	struct gh_defer_vec defers;
	struct gh_panic_vec panics;
	struct gh_wait wait;
	struct gh_defer_skips skips;
	uint64_t damaged_sudogs;
};

static struct gh_error *print_goroutine(const struct gh_runtime *rt, const struct gh_goroutine *g,
					const struct gh_semaphores *semaphores, struct state *s)
{
	enum gh_unwind_end end;
	struct gh_error *err;
	char mode[2] = {0};

	s->frames.len = s->defers.len = s->panics.len = 0;
	err = gh_stack_unwind(rt, g, &s->frames, &end);
	if (!err)
		err = gh_defers_load(rt, g, &s->frames, &s->defers, &s->skips);
	if (!err)
		err = gh_panics_load(rt, g, &s->panics, &s->skips);
	if (!err)
		err = gh_wait_load(rt, g, semaphores, &s->frames, &s->wait);
	if (err)
		return err;
	s->damaged_sudogs += s->wait.damaged;
	mode[0] = s->wait.io_mode;
	print(json_pack("{s:I, s:o, s:s, s:s, s:i, s:o, s:s, s:o, s:o, s:o}", "goid",
			(json_int_t)g->goid, "g", hex(g->addr), "state",
			gh_gstatus_name(g->status), "reason", g->wait_reason, "wait",
			(int)s->wait.kind, "object", hex(s->wait.object), "io", mode, "sudogs",
			sudogs_of(&s->wait), "defers", defers_of(rt, &s->frames, &s->defers),
			"panics", panics_of(&s->panics)));
	return NULL;
}

static struct gh_error *print_goroutines(const struct gh_runtime *rt,
					 const struct gh_goroutine_vec *list,
					 const struct gh_semaphores *semaphores, struct state *s)
{
	struct gh_error *err = NULL;

	for (size_t i = 0; i < list->len && !err; i++)
		if (!gh_goroutine_is_dead(&list->data[i]))
			err = print_goroutine(rt, &list->data[i], semaphores, s);
	gh_frame_vec_deinit(&s->frames);
	gh_defer_vec_deinit(&s->defers);
	gh_panic_vec_deinit(&s->panics);
	gh_wait_deinit(&s->wait);
	return err;
}

static struct gh_error *dump(const struct gh_runtime *rt)
{
	struct gh_goroutine_vec list = {0};
	struct gh_semaphores semaphores = {0};
	struct gh_freelists lists = {0};
	struct timer_dump dump = {.rt = rt};
	struct state s = {0};
	uint64_t unreadable = 0;
	struct gh_error *err = gh_goroutines_load(rt, &list, &unreadable);

	if (!err)
		err = gh_semaphores_load(rt, &semaphores);
	if (!err)
		err = gh_freelists_load(rt, &lists);
	if (!err)
		err = print_timers(&dump, &list);
	if (!err)
		err = print_goroutines(rt, &list, &semaphores, &s);
	if (!err)
		print(json_pack(
			"{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "totals",
			"totals", "unreadable_timers", (json_int_t)(dump.timers.unreadable + dump.skips.unreadable),
			"damaged_timers", (json_int_t)dump.skips.damaged, "double_timers",
			(json_int_t)dump.skips.doubles, "heaps", (json_int_t)dump.timers.heaps.len,
			"unreadable_defers", (json_int_t)s.skips.unreadable, "damaged_defers",
			(json_int_t)s.skips.damaged, "damaged_semaphores",
			(json_int_t)semaphores.damaged, "damaged_sudogs",
			(json_int_t)s.damaged_sudogs, "free_sudogs", (json_int_t)lists.sudogs.len,
			"free_defers", (json_int_t)lists.defers.len, "semaphores",
			(json_int_t)semaphores.waiters.len));
	gh_timers_deinit(&dump.timers);
	gh_freelists_deinit(&lists);
	gh_semaphores_deinit(&semaphores);
	gh_goroutine_vec_deinit(&list);
	return err;
}

int main(int argc, char **argv)
{
	struct gh_target_options options = {.core_path = argc > 1 ? argv[1] : NULL,
					    .exe_path = argc > 2 ? argv[2] : NULL};
	struct gh_target *target = NULL;
	struct gh_runtime *rt = NULL;
	struct gh_error *err;

	if (argc < 3) {
		fprintf(stderr, "usage: stuck_dump CORE EXE\n");
		return 2;
	}
	err = gh_target_open_core(&options, &target);
	if (!err)
		err = gh_runtime_open(target, NULL, &rt);
	if (!err)
		err = dump(rt);
	if (err)
		fprintf(stderr, "stuck_dump: %s\n", err->message);
	gh_runtime_destroy(rt);
	gh_target_destroy(target);
	if (err)
		gh_error_destroy(err);
	return err ? 1 : 0;
}
