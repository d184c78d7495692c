// SPDX-License-Identifier: Apache-2.0
// See shown.h.
#include "command/shown.h"

#include <stdlib.h>

#include "analysis/histogram.h"

static void note_handle(void *ctx, char letter, uint64_t number, uint64_t value)
{
	struct gh_shown *shown = ctx;
	struct gh_handle handle = {.letter = letter, .number = number, .value = value};
	bool kept = gh_handle_vec_push(&shown->last, handle);

	(void)kept; // out of memory loses the name, not the answer
	if (letter != 'o')
		return;
	if (!shown->objects)
		shown->objects = gh_alloc_array(GH_HANDLES_KEPT, sizeof(*shown->objects));
	if (shown->objects)
		shown->objects[number % GH_HANDLES_KEPT] = value;
}

static void shown_destroy(struct gh_shown *shown)
{
	if (!shown)
		return;
	gh_report_destroy(shown->rest);
	free(shown->sort);
	free(shown->objects);
	gh_handle_vec_deinit(&shown->last);
	free(shown);
}

struct gh_shown *gh_shown_of(struct gh_session *session)
{
	struct gh_shown *shown = session->shown;

	if (shown)
		return shown;
	shown = calloc(1, sizeof(*shown));
	if (!shown)
		return NULL;
	shown->handles = (struct gh_handles){.next = 1, .shown = note_handle, .ctx = shown};
	session->shown = shown;
	session->shown_destroy = shown_destroy;
	return shown;
}

/* Count what was shown; true: there is more. */
static bool advance(struct gh_report *report, uint64_t limit)
{
	bool more = false;

	for (size_t i = 0; i < report->tables.len; i++) {
		struct gh_table *table = report->tables.data[i];

		table->first += gh_min_u64(table->nrows - table->first, limit);
		more |= table->first < table->nrows;
	}
	return more && !report->headline_only;
}

void gh_shown_keep(struct gh_shown *shown, struct gh_report *report,
		   const struct gh_render_options *options)
{
	char *sort = options->sort ? strdup(options->sort) : NULL;
	bool more = advance(report, options->limit) && (sort || !options->sort);

	gh_report_destroy(shown->rest);
	free(shown->sort);
	shown->rest = more ? report : NULL;
	shown->sort = sort;
	shown->reverse = options->reverse;
	shown->exact_bytes = options->exact_bytes;
	shown->limit = options->limit;
	if (strcmp(report->command, "next") != 0)
		shown->command = report->command;
	// the words that it was asked with go with their command line
	report->args = NULL;
	report->nargs = 0;
	if (!more)
		gh_report_destroy(report);
}

void gh_shown_resume(const struct gh_shown *shown, struct gh_args *args)
{
	args->render.sort = shown->sort;
	args->render.reverse = shown->reverse;
	args->render.exact_bytes |= shown->exact_bytes;
	if (!args->limit_given && args->render.format == GH_FORMAT_TEXT && shown->limit)
		args->render.limit = shown->limit;
}

/* "$o3": its letter and number. False: the word is no handle. */
static bool parse_handle(const char *word, char *letter_ret, uint64_t *number_ret)
{
	char *end;

	if (word[0] != '$' || (word[1] != 'o' && word[1] != 'g') || word[2] < '0' || word[2] > '9')
		return false;
	*letter_ret = word[1];
	*number_ret = strtoull(word + 2, &end, 10);
	return *end == '\0';
}

static struct gh_error *unknown_object(const struct gh_shown *shown, const char *word)
{
	uint64_t next = shown ? shown->handles.next : 1;

	if (next == 1)
		return gh_error_create(GH_ERR_USAGE,
				       "there is no object %s: no row was shown yet that has a "
				       "handle: `objects`, for example, at the prompt or in gdb",
				       word);
	return gh_error_create(
		GH_ERR_USAGE, "there is no object %s: the rows shown were $o%llu to $o%llu", word,
		(unsigned long long)(next > GH_HANDLES_KEPT ? next - GH_HANDLES_KEPT : 1),
		(unsigned long long)(next - 1));
}

struct gh_error *gh_shown_expand(struct gh_session *session, const char *word,
				 struct gh_arena *arena, const char **ret)
{
	const struct gh_shown *shown = session ? session->shown : NULL;
	const char *text;
	uint64_t number;
	char letter;

	*ret = word;
	if (!parse_handle(word, &letter, &number))
		return NULL;
	if (letter == 'g') {
		text = word + 2;
	} else {
		if (!shown || !shown->objects || number == 0 || number >= shown->handles.next ||
		    shown->handles.next - number > GH_HANDLES_KEPT)
			return unknown_object(shown, word);
		text = gh_arena_printf(
			arena, "0x%llx",
			(unsigned long long)shown->objects[number % GH_HANDLES_KEPT]);
	}
	if (!text)
		return gh_error_nomem();
	*ret = text;
	return NULL;
}

static bool describe_object(struct gh_session *session, gh_addr addr, struct gh_arena *arena,
			    struct gh_handle_target *ret)
{
	const struct gh_mark *mark = session->mark;
	const struct gh_span *span;
	struct gh_slot_ref ref;
	uint16_t state;

	*ret = (struct gh_handle_target){.addr = addr};
	if (!mark || !gh_heap_find(session->heap, addr, &ref))
		return true;
	if (!gh_state_is_live(gh_mark_state(mark, ref.slot)) && session->garbage)
		mark = session->garbage;
	state = gh_mark_state(mark, ref.slot);
	span = gh_span_of_slot(&session->heap->table, ref.slot);
	ret->bytes = ref.elem_bytes - ref.offset;
	if (ref.offset == 0 && span) {
		ret->addr += gh_span_header_bytes(span);
		ret->bytes -= gh_span_header_bytes(span);
	}
	if (ref.offset == 0 && gh_state_is_live(state) &&
	    gh_object_strength(mark, state) != GH_STRENGTH_UNKNOWN)
		ret->type = gh_object_name(session, mark, state, ref.class, arena);
	return true;
}

bool gh_handle_describe(struct gh_session *session, const struct gh_handle *handle,
			struct gh_arena *arena, struct gh_handle_target *ret)
{
	if (handle->letter == 'o')
		return describe_object(session, handle->value, arena, ret);
	for (size_t i = 0; i < session->goroutines.len; i++) {
		const struct gh_goroutine *g = &session->goroutines.data[i];

		if (g->goid != handle->value || gh_goroutine_is_dead(g))
			continue;
		*ret = (struct gh_handle_target){.addr = g->addr, .type = "runtime.g"};
		return true;
	}
	return false;
}
