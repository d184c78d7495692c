// SPDX-License-Identifier: Apache-2.0
// See conns.h.
#include "analysis/conns.h"

#include <stdlib.h>

#include "analysis/conn_addr.h"
#include "goruntime/map.h"
#include "graph/gotype.h"

enum {
	BATCH = 512,
	FD_CLOSED = 1, // internal/poll/fd_mutex.go
	FD_READ_LOCK = 2,
	FD_WRITE_LOCK = 4,
	FD_REFS = 0xfffff << 3,
	SOCK_STREAM = 1,
};

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
		[GH_CONN_DATABASE] = "sql.DB",
	};

	return names[kind];
}

struct finder;

/* A type whose objects are looked at, and the fields that are read of them. */
enum { MAX_FIELDS = 9 };
struct known {
	const char *type;
	const char *fields[MAX_FIELDS]; // paths; NULL ends them
	struct gh_error *(*look)(struct finder *f, const struct known *known, gh_addr object);
};

enum { FD_STATE, FD_SYSFD, FD_NET, FD_SOTYPE, FD_LADDR, FD_RADDR };
enum { FILE_STATE, FILE_SYSFD, FILE_NAME };
enum { BODY_CLOSED, BODY_RERR };
enum { PC_CONN, PC_CLOSED, PC_TRANSPORT };
enum { DB_OPEN, DB_FREE, DB_CLOSED, DB_CONNECTOR };

struct finder {
	struct gh_session *session;
	struct gh_conns *ret;
	gh_addr rtypes[5];		  // of the known types; 0: the program has none of them
	int64_t offsets[5][MAX_FIELDS];	  // of their fields; -1: no such field
	struct gh_addr_vec transports, idle; // sorted before they are searched
	struct gh_addr_vec persistent;	     // connections of HTTP clients that are open
};

static struct gh_error *look_at_socket(struct finder *f, const struct known *known, gh_addr object);
static struct gh_error *look_at_file(struct finder *f, const struct known *known, gh_addr object);
static struct gh_error *look_at_body(struct finder *f, const struct known *known, gh_addr object);
static struct gh_error *look_at_http(struct finder *f, const struct known *known, gh_addr object);
static struct gh_error *look_at_database(struct finder *f, const struct known *known,
					 gh_addr object);

static const struct known known[] = {
	{"net.netFD",
	 {[FD_STATE] = "pfd.fdmu.state",
	  [FD_SYSFD] = "pfd.Sysfd",
	  [FD_NET] = "net",
	  [FD_SOTYPE] = "sotype",
	  [FD_LADDR] = "laddr",
	  [FD_RADDR] = "raddr"},
	 look_at_socket},
	{"os.file",
	 {[FILE_STATE] = "pfd.fdmu.state", [FILE_SYSFD] = "pfd.Sysfd", [FILE_NAME] = "name"},
	 look_at_file},
	{"net/http.bodyEOFSignal", {[BODY_CLOSED] = "closed", [BODY_RERR] = "rerr"}, look_at_body},
	{"net/http.persistConn",
	 {[PC_CONN] = "conn", [PC_CLOSED] = "closed", [PC_TRANSPORT] = "t"},
	 look_at_http},
	{"database/sql.DB",
	 {[DB_OPEN] = "numOpen",
	  [DB_FREE] = "freeConn",
	  [DB_CLOSED] = "closed",
	  [DB_CONNECTOR] = "connector"},
	 look_at_database},
};

static gh_addr field(const struct finder *f, const struct known *k, gh_addr object, int i)
{
	int64_t offset = f->offsets[k - known][i];

	return offset < 0 ? 0 : object + (uint64_t)offset;
}

/* 0 where it cannot be read; ok_ret: it could. */
static uint64_t read_field(const struct finder *f, const struct known *k, gh_addr object, int i,
			   bool *ok_ret)
{
	gh_addr at = field(f, k, object, i);
	uint64_t value = 0;

	if (!at || !gh_read_u64(f->session->rt->image, at, &value))
		*ok_ret = false;
	return value;
}

static struct gh_error *add(struct finder *f, struct gh_conn conn)
{
	return gh_conn_vec_push(&f->ret->all, conn) ? NULL : gh_error_nomem();
}

static const char *io_state(uint64_t state, bool accepts)
{
	if (state & FD_CLOSED)
		return "closing";
	switch (state & (FD_READ_LOCK | FD_WRITE_LOCK)) {
	case FD_READ_LOCK:
		return accepts ? "accepting" : "reading";
	case FD_WRITE_LOCK:
		return "writing";
	case FD_READ_LOCK | FD_WRITE_LOCK:
		return "reading, writing";
	}
	return state & FD_REFS ? "in a call" : "idle";
}

static enum gh_conn_kind kind_of(const char *net, uint64_t len, bool is_stream, bool has_peer)
{
	if (len >= 3 && !memcmp(net, "tcp", 3))
		return has_peer ? GH_CONN_TCP : GH_CONN_TCP_LISTENER;
	if (len >= 3 && !memcmp(net, "udp", 3))
		return GH_CONN_UDP;
	if (len >= 4 && !memcmp(net, "unix", 4))
		return has_peer || !is_stream ? GH_CONN_UNIX : GH_CONN_UNIX_LISTENER;
	return GH_CONN_SOCKET;
}

static struct gh_error *look_at_socket(struct finder *f, const struct known *k, gh_addr object)
{
	const struct gh_runtime *rt = f->session->rt;
	struct gh_conn conn = {.addr = object, .count = 1, .is_program_data = true};
	bool ok = true;
	uint64_t state = read_field(f, k, object, FD_STATE, &ok), len;
	uint64_t sotype = read_field(f, k, object, FD_SOTYPE, &ok);
	const char *net;

	conn.fd = (int64_t)read_field(f, k, object, FD_SYSFD, &ok);
	net = gh_conn_string(rt, field(f, k, object, FD_NET), &len);
	f->ret->unreadable += !ok;
	if (!ok || conn.fd < 0)
		return NULL; // closed
	conn.local = gh_conn_address(rt, field(f, k, object, FD_LADDR), f->ret->arena);
	conn.peer = gh_conn_address(rt, field(f, k, object, FD_RADDR), f->ret->arena);
	conn.kind = kind_of(net ? net : "", net ? len : 0, sotype == SOCK_STREAM, conn.peer);
	conn.state = io_state(state, conn.kind == GH_CONN_TCP_LISTENER ||
					     conn.kind == GH_CONN_UNIX_LISTENER);
	return add(f, conn);
}

static struct gh_error *look_at_file(struct finder *f, const struct known *k, gh_addr object)
{
	struct gh_conn conn = {
		.addr = object, .kind = GH_CONN_FILE, .count = 1, .is_program_data = true};
	bool ok = true;
	uint64_t state = read_field(f, k, object, FILE_STATE, &ok), len;
	const char *name;

	conn.fd = (int64_t)read_field(f, k, object, FILE_SYSFD, &ok);
	f->ret->unreadable += !ok;
	if (!ok || conn.fd < 0)
		return NULL; // closed
	name = gh_conn_string(f->session->rt, field(f, k, object, FILE_NAME), &len);
	conn.name = name ? gh_arena_strndup(f->ret->arena, name, len) : NULL;
	conn.state = io_state(state, false);
	if (name && len == 2 && name[0] == '|') // os.Pipe calls its ends "|0" and "|1"
		conn.kind = GH_CONN_PIPE;
	return add(f, conn);
}

static struct gh_error *look_at_body(struct finder *f, const struct known *k, gh_addr object)
{
	struct gh_conn conn = {.addr = object, .kind = GH_CONN_BODY, .fd = -1, .count = 1};
	bool ok = true;
	uint64_t closed = read_field(f, k, object, BODY_CLOSED, &ok) & 0xff;

	if (read_field(f, k, object, BODY_RERR, &ok))
		conn.kind = GH_CONN_BODY_READ;
	conn.state = conn.kind == GH_CONN_BODY ? "not closed" : "read to its end, not closed";
	f->ret->unreadable += !ok;
	return ok && !closed ? add(f, conn) : NULL;
}

/* Whether it is idle is known once all transports are. */
static struct gh_error *look_at_http(struct finder *f, const struct known *k, gh_addr object)
{
	bool ok = true;
	uint64_t closed = read_field(f, k, object, PC_CLOSED, &ok);
	uint64_t transport = read_field(f, k, object, PC_TRANSPORT, &ok);

	f->ret->unreadable += !ok;
	if (!ok || closed)
		return NULL;
	if (transport && !gh_addr_vec_push(&f->transports, transport))
		return gh_error_nomem();
	return gh_addr_vec_push(&f->persistent, object) ? NULL : gh_error_nomem();
}

static struct gh_error *look_at_database(struct finder *f, const struct known *k, gh_addr object)
{
	struct gh_conn conn = {.addr = object, .kind = GH_CONN_DATABASE, .fd = -1};
	gh_addr free_at = field(f, k, object, DB_FREE);
	struct gh_slice idle = {0};
	bool ok = true;

	conn.count = read_field(f, k, object, DB_OPEN, &ok);
	if (!ok || !free_at || !gh_read_slice(f->session->rt->image, free_at, &idle)) {
		f->ret->unreadable++;
		return NULL;
	}
	conn.state = read_field(f, k, object, DB_CLOSED, &ok) & 0xff ? "closed" : "open";
	conn.count = conn.count > INT32_MAX ? 0 : conn.count;
	conn.in_use = conn.count - gh_min_u64(idle.len, conn.count);
	conn.peer = gh_conn_dynamic_type(f->session, field(f, k, object, DB_CONNECTOR));
	return conn.count || strcmp(conn.state, "closed") ? add(f, conn) : NULL;
}

static int by_address(const void *a, const void *b)
{
	gh_addr x = *(const gh_addr *)a, y = *(const gh_addr *)b;

	return x < y ? -1 : x > y;
}

static void sort(struct gh_addr_vec *v)
{
	if (v->len)
		qsort(v->data, v->len, sizeof(*v->data), by_address);
}

struct idle_keys {
	struct finder *f;
	bool nomem;
};

static bool see_idle(void *ctx, const struct gh_map_entry *entry)
{
	struct idle_keys *keys = ctx;
	uint64_t conn;

	if (entry->key && gh_read_u64(keys->f->session->rt->image, entry->key, &conn) && conn)
		keys->nomem |= !gh_addr_vec_push(&keys->f->idle, conn);
	return !keys->nomem;
}

/* Transport.idleLRU.m has all idle connections as its keys (net/http/transport.go, connLRU). */
static struct gh_error *find_idle(struct finder *f)
{
	struct gh_types *types = f->session->types;
	struct gh_gotype transport = {.rtype = gh_types_rtype_named(types, "net/http.Transport")};
	struct idle_keys keys = {.f = f};
	struct gh_gotype_info info;
	struct gh_map_slots slots;
	struct gh_gofield map;

	if (!f->transports.len || !gh_conn_field(types, transport, "idleLRU.m", &map) ||
	    !gh_gotype_read(types, map.type, &info) || !info.group ||
	    !gh_map_slots(f->session->rt, info.group, &slots))
		return NULL;
	sort(&f->transports);
	for (size_t i = 0; i < f->transports.len && !keys.nomem; i++) {
		uint64_t m;

		if (i && f->transports.data[i] == f->transports.data[i - 1])
			continue;
		if (gh_read_u64(f->session->rt->image, f->transports.data[i] + map.offset, &m) && m)
			gh_map_visit(f->session->rt, m, &slots, see_idle, &keys);
	}
	sort(&f->idle);
	return keys.nomem ? gh_error_nomem() : NULL;
}

static struct gh_error *add_http(struct finder *f)
{
	const struct known *k = &known[3];
	struct gh_error *err = find_idle(f);

	for (size_t i = 0; i < f->persistent.len && !err; i++) {
		struct gh_conn conn = {.addr = f->persistent.data[i],
				       .kind = GH_CONN_HTTP_BUSY,
				       .fd = -1,
				       .count = 1,
				       .state = "lent",
				       .is_program_data = true};
		gh_addr fd = gh_conn_netfd(f->session, field(f, k, conn.addr, PC_CONN));

		if (f->idle.len && bsearch(&conn.addr, f->idle.data, f->idle.len,
					   sizeof(conn.addr), by_address)) {
			conn.kind = GH_CONN_HTTP_IDLE;
			conn.state = "idle";
		}
		if (fd && f->offsets[0][FD_RADDR] >= 0)
			conn.peer = gh_conn_address(f->session->rt, field(f, known, fd, FD_RADDR),
						    f->ret->arena);
		err = add(f, conn);
	}
	return err;
}

static void find_fields(struct finder *f)
{
	struct gh_types *types = f->session->types;

	for (size_t i = 0; i < GH_ARRAY_SIZE(known); i++) {
		struct gh_gotype type = {.rtype = gh_types_rtype_named(types, known[i].type)};

		f->rtypes[i] = type.rtype;
		for (size_t k = 0; k < MAX_FIELDS; k++) {
			struct gh_gofield at;

			f->offsets[i][k] = -1;
			if (type.rtype && known[i].fields[k] &&
			    gh_conn_field(types, type, known[i].fields[k], &at))
				f->offsets[i][k] = (int64_t)at.offset;
		}
	}
}

static const struct known *known_named(const char *type)
{
	for (size_t i = 0; i < GH_ARRAY_SIZE(known); i++)
		if (strcmp(type, known[i].type) == 0)
			return &known[i];
	return NULL;
}

static bool is_wanted(void *ctx, const char *type)
{
	(void)ctx;
	return known_named(type) != NULL;
}

static struct gh_error *visit(struct finder *f, struct gh_objects *objects)
{
	struct gh_object batch[BATCH];
	struct gh_error *err = NULL;
	size_t n = 1;

	while (n && !err) {
		err = gh_objects_next(objects, batch, BATCH, &n);
		for (size_t i = 0; i < n && !err; i++) {
			const struct known *k = known_named(batch[i].type);

			if (k && f->rtypes[k - known])
				err = k->look(f, k, batch[i].addr);
		}
	}
	return err;
}

static int by_place(const void *a, const void *b)
{
	const struct gh_conn *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static struct gh_error *find(struct finder *f)
{
	struct gh_objects_query query = {.wanted = is_wanted, .arena = f->ret->arena};
	struct gh_objects objects = {0};
	struct gh_error *err = gh_objects_init(f->session, &query, &objects);

	if (!err) {
		find_fields(f);
		err = visit(f, &objects);
	}
	gh_objects_deinit(&objects);
	if (!err)
		err = add_http(f);
	if (!err && f->ret->all.len)
		qsort(f->ret->all.data, f->ret->all.len, sizeof(*f->ret->all.data), by_place);
	return err;
}

struct gh_error *gh_conns_find(struct gh_session *session, struct gh_arena *arena,
			       struct gh_conns *ret)
{
	struct finder f = {.session = session, .ret = ret};
	struct gh_error *err;

	*ret = (struct gh_conns){.arena = arena};
	err = find(&f);
	if (!err && ret->all.len)
		err = gh_conns_find_owners(session, ret);
	gh_addr_vec_deinit(&f.transports);
	gh_addr_vec_deinit(&f.idle);
	gh_addr_vec_deinit(&f.persistent);
	if (err)
		gh_conns_deinit(ret);
	return err;
}

void gh_conns_deinit(struct gh_conns *conns)
{
	gh_conn_vec_deinit(&conns->all);
}
