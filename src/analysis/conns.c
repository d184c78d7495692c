// SPDX-License-Identifier: Apache-2.0
// Which objects are looked at, and in which order. See conns.h; what is known of each package
// stands in conn_files.c, conn_http.c and conn_sql.c.
#include <stdlib.h>

#include "analysis/conn_addr.h"
#include "analysis/conn_look.h"
#include "analysis/slot.h"
#include "goruntime/sizeclass.h"
#include "graph/gotype.h"

enum { BATCH = 512 };

const char *gh_conn_kind_name(enum gh_conn_kind kind)
{
	static const char *const names[GH_CONN_KINDS] = {
		[GH_CONN_TCP] = "TCP connection",
		[GH_CONN_TCP_LISTENER] = "TCP listener",
		[GH_CONN_UDP] = "UDP socket",
		[GH_CONN_UNIX] = "unix connection",
		[GH_CONN_UNIX_LISTENER] = "unix listener",
		[GH_CONN_SOCKET] = "socket",
		[GH_CONN_FILE] = "file",
		[GH_CONN_PIPE] = "pipe",
		[GH_CONN_BODY] = "HTTP response body",
		[GH_CONN_BODY_READ] = "HTTP response body, read",
		[GH_CONN_HTTP_IDLE] = "idle HTTP connection",
		[GH_CONN_HTTP_BUSY] = "HTTP connection",
		[GH_CONN_HTTP_REQUEST] = "HTTP/2 request",
		[GH_CONN_DATABASE] = "sql.DB",
		[GH_CONN_SQL_CONN] = "sql.Conn",
		[GH_CONN_SQL_TX] = "sql.Tx",
		[GH_CONN_SQL_ROWS] = "sql.Rows",
		[GH_CONN_SQL_STMT] = "sql.Stmt",
	};

	return names[kind];
}

const struct gh_conn_type *gh_conn_type_named(const struct gh_conn_finder *f, const char *name)
{
	for (size_t i = 0; i < f->ntypes; i++)
		if (strcmp(name, f->types[i].known->type) == 0)
			return &f->types[i];
	return NULL;
}

gh_addr gh_conn_at(const struct gh_conn_type *type, gh_addr object, int field)
{
	return type->offsets[field] < 0 ? 0 : object + (uint64_t)type->offsets[field];
}

uint64_t gh_conn_read(const struct gh_conn_finder *f, const struct gh_conn_type *type,
		      gh_addr object, int field, bool *ok_ret)
{
	gh_addr at = gh_conn_at(type, object, field);
	uint64_t value = 0;

	if (!at || !gh_read_u64(f->session->rt->image, at, &value))
		*ok_ret = false;
	return value;
}

struct gh_error *gh_conn_add(struct gh_conn_finder *f, struct gh_conn conn)
{
	return gh_conn_vec_push(&f->ret->all, conn) ? NULL : gh_error_nomem();
}

static uint64_t slot_bytes(const struct gh_types *types, struct gh_gotype type)
{
	struct gh_gotype_info info = {0};

	gh_gotype_read(types, type, &info);
	for (size_t i = 1; i < GH_SIZE_CLASSES; i++)
		if (gh_size_class_bytes[i] >= info.size)
			return gh_size_class_bytes[i];
	return 0;
}

static void find_type(struct gh_conn_finder *f, const struct gh_conn_known *known)
{
	struct gh_types *types = f->session->types;
	struct gh_gotype type = {.rtype = gh_types_rtype_named(types, known->type)};
	struct gh_conn_type *found = &f->types[f->ntypes];

	if (!type.rtype || f->ntypes == GH_CONN_TYPES)
		return;
	*found = (struct gh_conn_type){.known = known,
				       .rtype = type.rtype,
				       .slot_bytes = slot_bytes(types, type)};
	f->ntypes++;
	for (size_t i = 0; i < GH_CONN_FIELDS; i++) {
		struct gh_gofield at;

		found->offsets[i] = -1;
		if (known->fields[i] && gh_conn_field(types, type, known->fields[i], &at))
			found->offsets[i] = (int64_t)at.offset;
	}
}

static void find_types(struct gh_conn_finder *f)
{
	static const struct gh_conn_known *const tables[] = {gh_conn_files, gh_conn_https,
							     gh_conn_sqls};

	for (size_t i = 0; i < GH_ARRAY_SIZE(tables); i++)
		for (const struct gh_conn_known *k = tables[i]; k->type; k++)
			find_type(f, k);
}

static bool is_untyped(const char *type)
{
	return strncmp(type, "unknown scan ", 13) == 0;
}

static bool is_wanted(void *ctx, const char *type)
{
	return is_untyped(type) || gh_conn_type_named(ctx, type);
}

static struct gh_error *look_at(struct gh_conn_finder *f, const struct gh_object *object)
{
	const struct gh_conn_type *type = gh_conn_type_named(f, object->type);
	struct gh_slot slot;

	if (!type)
		return gh_conn_search_untyped(f, object->addr, object->bytes);
	if (!gh_slot_at(f->session, object->addr, f->ret->arena, &slot))
		return NULL;
	return type->known->look(f, type, object->addr + slot.header);
}

static struct gh_error *visit(struct gh_conn_finder *f, struct gh_objects *objects)
{
	struct gh_object batch[BATCH];
	struct gh_error *err = NULL;
	size_t n = 1;

	while (n && !err) {
		err = gh_objects_next(objects, batch, BATCH, &n);
		for (size_t i = 0; i < n && !err; i++)
			err = look_at(f, &batch[i]);
	}
	return err;
}

static int by_place(const void *a, const void *b)
{
	const struct gh_conn *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static struct gh_error *find(struct gh_conn_finder *f)
{
	struct gh_objects_query query = {
		.wanted = is_wanted, .ctx = f, .arena = f->ret->arena};
	struct gh_objects objects = {0};
	struct gh_error *err = gh_objects_init(f->session, &query, &objects);

	if (!err) {
		find_types(f);
		err = visit(f, &objects);
	}
	gh_objects_deinit(&objects);
	if (!err)
		err = gh_conn_look_at_hidden(f);
	if (!err)
		err = gh_conn_add_http(f);
	if (!err && f->ret->all.len)
		qsort(f->ret->all.data, f->ret->all.len, sizeof(*f->ret->all.data), by_place);
	return err;
}

static void finder_destroy(struct gh_conn_finder *f)
{
	if (!f)
		return;
	gh_addr_vec_deinit(&f->transports);
	gh_addr_vec_deinit(&f->idle);
	gh_addr_vec_deinit(&f->persistent);
	gh_conn_hidden_vec_deinit(&f->hidden);
	gh_budget_give(f->session->target->budget, f->charged_bytes);
	free(f);
}

struct gh_error *gh_conns_find(struct gh_session *session, struct gh_arena *arena,
			       struct gh_conns *ret)
{
	struct gh_conn_finder *f = gh_alloc_array(1, sizeof(*f));
	struct gh_error *err;

	*ret = (struct gh_conns){.arena = arena};
	if (!f)
		return gh_error_nomem();
	f->session = session;
	f->ret = ret;
	err = find(f);
	if (!err && ret->all.len)
		err = gh_conns_find_owners(session, ret);
	finder_destroy(f);
	if (err)
		gh_conns_deinit(ret);
	return err;
}

void gh_conns_deinit(struct gh_conns *conns)
{
	gh_conn_vec_deinit(&conns->all);
	gh_addr_vec_deinit(&conns->lists);
	gh_addr_vec_deinit(&conns->memories);
	gh_key_vec_deinit(&conns->lent);
}
