// SPDX-License-Identifier: Apache-2.0
// Types with some knowledge hidden against types with all of it: marks a core twice, once as always
// and once with malloc headers and large spans hidden, or one declared object in ten, and compares
// what each object is. Usage: holdout headers|declared CORE EXE. Prints one JSON document.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "analysis/session.h"
#include "base/cleanup.h"

enum { MAX_LISTED = 100 };

enum { NOTHING, HEADERS, DECLARED };
enum { ONE_IN = 10 };

static struct gh_error *mark(const char *core, const char *exe, int hide, struct gh_session **ret)
{
	struct gh_target_options options = {.core_path = core, .exe_path = exe};
	struct gh_target *target = NULL;
	struct gh_error *err = gh_target_open_core(&options, &target);

	if (!err)
		err = gh_session_create(target, ret);
	if (err)
		return err;
	(*ret)->hide_header_types = hide == HEADERS;
	(*ret)->hide_one_in = hide == DECLARED ? ONE_IN : 0;
	return gh_session_mark(*ret);
}

/* Name of what a slot holds; NULL: unknown, or known in part only. */
static const char *name_of(struct gh_session *s, uint64_t slot)
{
	struct gh_code code = gh_mark_code(s->mark, gh_mark_state(s->mark, slot));

	return code.form > GH_FORM_LOOSE && code.type ? gh_types_name(s->types, code.type) : NULL;
}

static bool is_inferred(struct gh_session *s, uint64_t slot)
{
	struct gh_code code = gh_mark_code(s->mark, gh_mark_state(s->mark, slot));

	return code.form > GH_FORM_TINY && code.strength == GH_STRENGTH_INFERRED;
}

/* A pointer to what an object begins with is right, and tells less. */
static bool begins_with(struct gh_session *full, struct gh_session *hidden, uint64_t slot)
{
	struct gh_code truth = gh_mark_code(full->mark, gh_mark_state(full->mark, slot));
	struct gh_code ours = gh_mark_code(hidden->mark, gh_mark_state(hidden->mark, slot));
	gh_addr rtype = gh_types_get(hidden->types, ours.type)->source;

	return gh_types_begins_with(full->types, truth.type, gh_types_of_rtype(full->types, rtype));
}

static json_t *compare(struct gh_session *full, struct gh_session *hidden)
{
	const struct gh_span_vec *spans = &full->heap->table.spans;
	json_int_t live = 0, other = 0, known = 0, of_headers = 0, guessed = 0, wrong = 0;
	json_int_t inferred = 0, inferred_wrong = 0;
	json_t *listed = json_array();

	for (size_t i = 0; i < spans->len; i++) {
		const struct gh_span *span = &spans->data[i];
		bool has_type = gh_span_has_header(span) || gh_span_is_large(span);

		for (uint32_t k = 0; k < span->nelems; k++) {
			uint64_t slot = span->slot0 + k;
			bool is_live = gh_state_is_live(gh_mark_state(full->mark, slot));
			const char *truth = is_live ? name_of(full, slot) : NULL;
			const char *ours = name_of(hidden, slot);

			live += is_live;
			other += is_live != gh_state_is_live(gh_mark_state(hidden->mark, slot));
			known += truth != NULL;
			of_headers += truth && has_type;
			guessed += truth && has_type && ours;
			inferred += truth && ours && is_inferred(hidden, slot) &&
				    !is_inferred(full, slot);
			if (!truth || !ours || !strcmp(truth, ours) ||
			    begins_with(full, hidden, slot))
				continue;
			inferred_wrong += is_inferred(hidden, slot) && !is_inferred(full, slot);
			if (wrong++ < MAX_LISTED)
				json_array_append_new(
					listed,
					json_pack("{s:I, s:I, s:s, s:s}", "address",
						  (json_int_t)(span->base + k * span->elem_bytes),
						  "bytes", (json_int_t)span->elem_bytes, "truth",
						  truth, "propagated", ours));
		}
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "live", live,
			 "not_the_same_live", other, "typed", known, "typed_by_header", of_headers,
			 "of_these_propagated", guessed, "contradictions", wrong, "inferred",
			 inferred, "inferred_wrong", inferred_wrong, "listed", listed);
}

int main(int argc, char **argv)
{
	struct gh_session *full = NULL, *hidden = NULL;
	_cleanup_error_ struct gh_error *err = NULL;
	json_t *document;

	if (argc != 4) {
		fprintf(stderr, "usage: holdout headers|declared CORE EXE\n");
		return 2;
	}
	err = mark(argv[2], argv[3], NOTHING, &full);
	if (!err)
		err = mark(argv[2], argv[3], strcmp(argv[1], "headers") ? DECLARED : HEADERS,
			   &hidden);
	if (err) {
		fprintf(stderr, "holdout: %s\n", err->message);
	} else {
		document = compare(full, hidden);
		json_dumpf(document, stdout, JSON_COMPACT);
		json_decref(document);
	}
	gh_session_destroy(full);
	gh_session_destroy(hidden);
	return err ? 1 : 0;
}
