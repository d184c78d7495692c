// SPDX-License-Identifier: Apache-2.0
// Pools of databases, and what was taken out of them and not given back. Mirrors
// database/sql/sql.go, go1.22 to go1.27. See conn_look.h.
#include "analysis/conn_addr.h"
#include "analysis/conn_look.h"
#include "goruntime/map.h"

enum { DB_OPEN, DB_FREE, DB_CLOSED, DB_CONNECTOR, DB_LIMIT, DB_QUEUE, DB_QUEUE_MAP, DB_DEP };
enum { TAKEN_DONE, TAKEN_DB, TAKEN_CONN, TAKEN_CACHE, TAKEN_FIRST };
enum { DC_DB, DC_IN_USE, DC_CLOSED };

/* Requests for a connection: a map up to go1.22, a slice in a struct since. */
static uint64_t count_queue(const struct gh_conn_finder *f, const struct gh_conn_type *type,
			    gh_addr object)
{
	const struct gh_runtime *rt = f->session->rt;
	gh_addr slice = gh_conn_at(type, object, DB_QUEUE);
	gh_addr map_at = gh_conn_at(type, object, DB_QUEUE_MAP);
	struct gh_slice queue = {0};
	uint64_t map, n = 0;

	if (slice)
		return gh_read_slice(rt->image, slice, &queue) ? queue.len : 0;
	if (map_at && gh_read_u64(rt->image, map_at, &map) && map && gh_map_count(rt, map, &n))
		return n;
	return 0;
}

static struct gh_error *look_at_database(struct gh_conn_finder *f, const struct gh_conn_type *type,
					 gh_addr object)
{
	struct gh_conn conn = {.addr = object, .kind = GH_CONN_DATABASE, .fd = -1};
	gh_addr free_at = gh_conn_at(type, object, DB_FREE);
	struct gh_slice idle = {0};
	bool ok = true, has_dep = true;
	uint64_t dep = gh_conn_read(f, type, object, DB_DEP, &has_dep);

	conn.count = gh_conn_read(f, type, object, DB_OPEN, &ok);
	conn.limit = gh_conn_read(f, type, object, DB_LIMIT, &ok);
	if (!ok || !free_at || !gh_read_slice(f->session->rt->image, free_at, &idle)) {
		f->ret->unreadable++;
		return NULL;
	}
	if ((has_dep && dep && !gh_addr_vec_push(&f->ret->lists, dep)) ||
	    (idle.cap && !gh_addr_vec_push(&f->ret->memories, idle.data)))
		return gh_error_nomem();
	conn.state = gh_conn_read(f, type, object, DB_CLOSED, &ok) & 0xff ? "closed" : "open";
	conn.count = conn.count > INT32_MAX ? 0 : conn.count;
	conn.limit = conn.limit > INT32_MAX ? 0 : conn.limit; // negative: any number
	conn.in_use = conn.count - gh_min_u64(idle.len, conn.count);
	conn.waiting = gh_min_u64(count_queue(f, type, object), INT32_MAX);
	conn.peer = gh_conn_dynamic_type(f->session, gh_conn_at(type, object, DB_CONNECTOR));
	return conn.count || strcmp(conn.state, "closed") ? gh_conn_add(f, conn) : NULL;
}

/* The type of the connector of its pool: what people know a database by. */
static const char *connector_of(const struct gh_conn_finder *f, gh_addr database)
{
	const struct gh_conn_type *type = gh_conn_type_named(f, "database/sql.DB");

	return type && database ? gh_conn_dynamic_type(f->session,
						       gh_conn_at(type, database, DB_CONNECTOR))
				: NULL;
}

static enum gh_conn_kind kind_of(const struct gh_conn_type *type)
{
	switch (type->known->type[sizeof("database/sql.") - 1]) {
	case 'C':
		return GH_CONN_SQL_CONN;
	case 'T':
		return GH_CONN_SQL_TX;
	case 'R':
		return GH_CONN_SQL_ROWS;
	}
	return GH_CONN_SQL_STMT;
}

static struct gh_error *look_at_taken(struct gh_conn_finder *f, const struct gh_conn_type *type,
				      gh_addr object)
{
	struct gh_conn conn = {.addr = object, .kind = kind_of(type), .fd = -1, .count = 1};
	bool ok = true;
	uint64_t done = gh_conn_read(f, type, object, TAKEN_DONE, &ok) & 0xff;
	uint64_t database = 0, taken;

	if (gh_conn_at(type, object, TAKEN_DB)) {
		database = gh_conn_read(f, type, object, TAKEN_DB, &ok);
	} else { // Rows know their connection alone
		const struct gh_conn_type *dc = gh_conn_type_named(f, "database/sql.driverConn");

		taken = gh_conn_read(f, type, object, TAKEN_CONN, &ok);
		if (dc && taken)
			database = gh_conn_read(f, dc, taken, DC_DB, &ok);
	}
	f->ret->unreadable += !ok;
	if (!ok || done || !database)
		return NULL; // without a database: a zero value, or one that never became one
	conn.state = conn.kind == GH_CONN_SQL_TX ? "neither committed nor rolled back"
						 : "not closed";
	conn.peer = connector_of(f, database);
	return gh_conn_add(f, conn);
}

/* A statement knows the connections on which it was prepared, whoever has these now. */
static struct gh_error *look_at_statement(struct gh_conn_finder *f, const struct gh_conn_type *type,
					  gh_addr object)
{
	bool ok = true;
	uint64_t cache = gh_conn_read(f, type, object, TAKEN_CACHE, &ok);
	uint64_t first = gh_conn_read(f, type, object, TAKEN_FIRST, &ok);

	if ((cache && !gh_addr_vec_push(&f->ret->memories, cache)) ||
	    (first && !gh_addr_vec_push(&f->ret->memories, first)))
		return gh_error_nomem();
	return look_at_taken(f, type, object);
}

/* A connection of a pool. */
static struct gh_error *look_at_pooled(struct gh_conn_finder *f, const struct gh_conn_type *type,
				       gh_addr object)
{
	bool ok = true;
	uint64_t database = gh_conn_read(f, type, object, DC_DB, &ok);
	bool in_use = gh_conn_read(f, type, object, DC_IN_USE, &ok) & 0xff;
	bool closed = gh_conn_read(f, type, object, DC_CLOSED, &ok) & 0xff;

	if (!ok || !database || !in_use || closed)
		return NULL;
	return gh_key_vec_push(&f->ret->lent, (struct gh_key){object, database})
		       ? NULL
		       : gh_error_nomem();
}

const struct gh_conn_known gh_conn_sqls[] = {
	{"database/sql.DB",
	 {[DB_OPEN] = "numOpen",
	  [DB_FREE] = "freeConn",
	  [DB_CLOSED] = "closed",
	  [DB_CONNECTOR] = "connector",
	  [DB_LIMIT] = "maxOpen",
	  [DB_QUEUE] = "connRequests.s",
	  [DB_QUEUE_MAP] = "connRequests",
	  [DB_DEP] = "dep"},
	 look_at_database},
	{"database/sql.driverConn",
	 {[DC_DB] = "db", [DC_IN_USE] = "inUse", [DC_CLOSED] = "closed"},
	 look_at_pooled},
	{"database/sql.Conn",
	 {[TAKEN_DONE] = "done", [TAKEN_DB] = "db", [TAKEN_CONN] = "dc"},
	 look_at_taken,
	 {{TAKEN_DB, "database/sql.DB"}, {TAKEN_CONN, "database/sql.driverConn"}}},
	{"database/sql.Tx",
	 {[TAKEN_DONE] = "done", [TAKEN_DB] = "db", [TAKEN_CONN] = "dc"},
	 look_at_taken,
	 {{TAKEN_DB, "database/sql.DB"}, {TAKEN_CONN, "database/sql.driverConn"}}},
	{"database/sql.Rows",
	 {[TAKEN_DONE] = "closed", [TAKEN_CONN] = "dc"},
	 look_at_taken,
	 {{TAKEN_CONN, "database/sql.driverConn"}}},
	{"database/sql.Stmt",
	 {[TAKEN_DONE] = "closed", [TAKEN_DB] = "db", [TAKEN_CACHE] = "css", [TAKEN_FIRST] = "cgds"},
	 look_at_statement},
	{0},
};
