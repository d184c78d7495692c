// SPDX-License-Identifier: Apache-2.0
// See openfiles.h.
#include "goruntime/openfiles.h"

#include <stdlib.h>

#include "goruntime/rtype.h"
#include "goruntime/special.h"

enum { MAX_FILES = 1 << 20 }; // as many as Linux lets a process open

/* Descriptors of pointer types that were looked at before: most finalizers are of few types. */
struct kinds {
	gh_addr file, socket;
	gh_addr others[8];
	size_t next;
};

static bool is_named(const struct gh_runtime *rt, const struct gh_rtype *type, const char *name)
{
	uint64_t len;
	const char *text = gh_rtype_string(rt, type, &len);

	return text && len == strlen(name) && !memcmp(text, name, len);
}

/* Is it *os.file or *net.netFD? */
static bool is_open_kind(const struct gh_runtime *rt, struct kinds *kinds, gh_addr rtype)
{
	struct gh_rtype t;

	if (!rtype || rtype == kinds->file || rtype == kinds->socket)
		return rtype != 0;
	for (size_t i = 0; i < GH_ARRAY_SIZE(kinds->others); i++)
		if (kinds->others[i] == rtype)
			return false;
	if (gh_rtype_read(rt, rtype, &t) && is_named(rt, &t, "*os.file"))
		kinds->file = rtype;
	else if (gh_rtype_read(rt, rtype, &t) && is_named(rt, &t, "*net.netFD"))
		kinds->socket = rtype;
	else
		kinds->others[kinds->next++ % GH_ARRAY_SIZE(kinds->others)] = rtype;
	return rtype == kinds->file || rtype == kinds->socket;
}

static bool add(const struct gh_runtime *rt, struct kinds *kinds, const struct gh_special *special,
		struct gh_open_file_vec *ret)
{
	gh_addr rtype = gh_field_or_zero(rt, special->record, GH_F_specialfinalizer_ot);
	uint64_t fd;

	if (special->kind != GH_SPECIAL_FINALIZER || !is_open_kind(rt, kinds, rtype) ||
	    !gh_descriptor_number(rt, special->object, &fd) || ret->len >= MAX_FILES)
		return true;
	return gh_open_file_vec_push(
		ret, (struct gh_open_file){fd, special->object, rtype == kinds->socket});
}

static int by_fd(const void *a, const void *b)
{
	const struct gh_open_file *x = a, *y = b;

	if (x->fd != y->fd)
		return x->fd < y->fd ? -1 : 1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

struct gh_error *gh_open_files_load(const struct gh_runtime *rt, const struct gh_span_table *table,
				    struct gh_open_file_vec *ret)
{
	struct kinds kinds = {0};
	struct gh_special special;

	for (size_t i = 0; i < table->spans.len; i++) {
		const struct gh_span *span = &table->spans.data[i];
		struct gh_special_walk walk = {0};

		while (gh_special_next(rt, span, &walk, &special))
			if (!add(rt, &kinds, &special, ret))
				return gh_error_nomem();
	}
	if (ret->len)
		qsort(ret->data, ret->len, sizeof(*ret->data), by_fd);
	return NULL;
}

bool gh_open_files_find(const struct gh_runtime *rt, const struct gh_open_file_vec *files,
			uint64_t fd, struct gh_descriptor *ret)
{
	size_t lo = 0, hi = files->len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (files->data[mid].fd < fd)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == files->len || files->data[lo].fd != fd ||
	    (lo + 1 < files->len && files->data[lo + 1].fd == fd))
		return false;
	gh_descriptor_describe(rt, files->data[lo].addr, files->data[lo].is_socket, ret);
	return true;
}
