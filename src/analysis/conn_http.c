// SPDX-License-Identifier: Apache-2.0
// Clients of HTTP/1 and HTTP/2: response bodies that were not closed, requests without a response,
// connections lent and idle. Mirrors net/http/transport.go and the HTTP/2 client, which is part of
// net/http (h2_bundle.go) up to go1.26, net/http/internal/http2 since, and golang.org/x/net/http2
// in programs that bring their own. See conn_look.h.
#include <stdlib.h>

#include "analysis/conn_addr.h"
#include "analysis/conn_look.h"
#include "goruntime/map.h"

enum { BODY_CLOSED, BODY_RERR };
enum { PC_CONN, PC_CLOSED, PC_TRANSPORT, PC_ALT };
enum { CS_CLIENT, CS_RESPONSE, CS_BUFFER, CS_ERR, CS_BREAK_ERR, CS_ABORT_ERR };
enum { CC_CONN, CC_CLOSED, CC_STREAMS, CC_RESERVED, CC_PENDING };

static struct gh_error *look_at_body(struct gh_conn_finder *f, const struct gh_conn_type *type,
				     gh_addr object)
{
	struct gh_conn conn = {.addr = object, .kind = GH_CONN_BODY, .fd = -1, .count = 1};
	bool ok = true;
	uint64_t closed = gh_conn_read(f, type, object, BODY_CLOSED, &ok) & 0xff;

	if (gh_conn_read(f, type, object, BODY_RERR, &ok))
		conn.kind = GH_CONN_BODY_READ;
	conn.state = conn.kind == GH_CONN_BODY ? "not closed" : "read to its end, not closed";
	f->ret->unreadable += !ok;
	return ok && !closed ? gh_conn_add(f, conn) : NULL;
}

/* What a response has for a body when it has none: noBody, missingBody, and likewise. */
static bool has_body(const struct gh_conn_finder *f, const struct gh_conn_type *type,
		     gh_addr response)
{
	struct gh_types *types = f->session->types;
	struct gh_gotype stream = {.rtype = type->rtype};
	struct gh_gofield res, body;
	struct gh_gotype_info info;
	const char *name;

	if (!gh_conn_field(types, stream, type->known->fields[CS_RESPONSE], &res) ||
	    !gh_gotype_read(types, res.type, &info) ||
	    !gh_conn_field(types, info.elem, "Body", &body))
		return true;
	name = gh_conn_dynamic_type(f->session, response + body.offset);
	return name && !strstr(name, "oBody") && !strstr(name, "issingBody");
}

/*
 * A stream of HTTP/2: the body that a client reads is the stream itself. Its pipe has a buffer
 * until it was read to its end or closed; breakErr is set by Close alone.
 */
static struct gh_error *look_at_stream(struct gh_conn_finder *f, const struct gh_conn_type *type,
				       gh_addr object)
{
	struct gh_conn conn = {.addr = object, .kind = GH_CONN_BODY, .fd = -1, .count = 1};
	bool ok = true;
	uint64_t client = gh_conn_read(f, type, object, CS_CLIENT, &ok);
	uint64_t response = gh_conn_read(f, type, object, CS_RESPONSE, &ok);
	bool closed = gh_conn_read(f, type, object, CS_BREAK_ERR, &ok) != 0;
	bool aborted = gh_conn_read(f, type, object, CS_ABORT_ERR, &ok) != 0;
	bool has_buffer = gh_conn_read(f, type, object, CS_BUFFER, &ok) != 0;
	bool ended = gh_conn_read(f, type, object, CS_ERR, &ok) != 0;

	f->ret->unreadable += !ok;
	if (!ok || !client || closed || (!response && (aborted || ended)))
		return NULL;
	conn.state = "not closed";
	if (!response) {
		conn.kind = GH_CONN_HTTP_REQUEST;
		conn.state = "no response yet";
	} else if (!has_buffer) {
		if (!has_body(f, type, response))
			return NULL;
		conn.kind = GH_CONN_BODY_READ;
		conn.state = "read to its end, not closed";
	} else if (aborted) {
		conn.kind = GH_CONN_BODY_READ; // there is no more of it
		conn.state = "cancelled, not closed";
	}
	return gh_conn_add(f, conn);
}

static struct gh_error *look_at_client(struct gh_conn_finder *f, const struct gh_conn_type *type,
				       gh_addr object)
{
	struct gh_conn conn = {.addr = object,
			       .kind = GH_CONN_HTTP_BUSY,
			       .fd = -1,
			       .count = 1,
			       .state = "lent",
			       .is_program_data = true};
	bool ok = true;
	uint64_t closed, streams, open = 0;

	if (!gh_conn_at(type, object, CC_STREAMS))
		return NULL; // of x/net where it only wraps net/http's own
	closed = gh_conn_read(f, type, object, CC_CLOSED, &ok) & 0xff;
	streams = gh_conn_read(f, type, object, CC_STREAMS, &ok);
	open = gh_conn_read(f, type, object, CC_RESERVED, &ok);
	open += gh_conn_read(f, type, object, CC_PENDING, &ok);
	f->ret->unreadable += !ok;
	if (!ok || closed)
		return NULL;
	if (!open && (!streams || !gh_map_count(f->session->rt, streams, &open) || !open)) {
		conn.kind = GH_CONN_HTTP_IDLE;
		conn.state = "idle";
	}
	conn.peer = gh_conn_peer(f, gh_conn_at(type, object, CC_CONN));
	if (streams && !gh_addr_vec_push(&f->ret->lists, streams))
		return gh_error_nomem();
	return gh_conn_add(f, conn);
}

/* Whether it is idle is known once all transports are. One with `alt` stands for HTTP/2. */
static struct gh_error *look_at_http(struct gh_conn_finder *f, const struct gh_conn_type *type,
				     gh_addr object)
{
	bool ok = true;
	uint64_t closed = gh_conn_read(f, type, object, PC_CLOSED, &ok);
	uint64_t transport = gh_conn_read(f, type, object, PC_TRANSPORT, &ok);
	uint64_t alt = gh_conn_read(f, type, object, PC_ALT, &ok);

	f->ret->unreadable += !ok;
	if (!ok || closed || alt)
		return NULL;
	if (transport && !gh_addr_vec_push(&f->transports, transport))
		return gh_error_nomem();
	return gh_addr_vec_push(&f->persistent, object) ? NULL : gh_error_nomem();
}

static void sort(struct gh_addr_vec *v)
{
	gh_addr_sort(v->data, v->len);
}

struct idle_keys {
	struct gh_conn_finder *f;
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
static struct gh_error *find_idle(struct gh_conn_finder *f)
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

struct gh_error *gh_conn_add_http(struct gh_conn_finder *f)
{
	const struct gh_conn_type *type = gh_conn_type_named(f, "net/http.persistConn");
	struct gh_error *err = find_idle(f);

	for (size_t i = 0; i < f->persistent.len && !err; i++) {
		struct gh_conn conn = {.addr = f->persistent.data[i],
				       .kind = GH_CONN_HTTP_BUSY,
				       .fd = -1,
				       .count = 1,
				       .state = "lent",
				       .is_program_data = true};

		if (f->idle.len && bsearch(&conn.addr, f->idle.data, f->idle.len,
					   sizeof(conn.addr), gh_addr_compare)) {
			conn.kind = GH_CONN_HTTP_IDLE;
			conn.state = "idle";
		}
		conn.peer = gh_conn_peer(f, gh_conn_at(type, conn.addr, PC_CONN));
		err = gh_conn_add(f, conn);
	}
	return err;
}

#define STREAM(name, path)                                                                         \
	{                                                                                          \
		name,                                                                              \
			{[CS_CLIENT] = path "cc",                                                  \
			 [CS_RESPONSE] = path "res",                                               \
			 [CS_BUFFER] = path "bufPipe.b",                                           \
			 [CS_ERR] = path "bufPipe.err",                                            \
			 [CS_BREAK_ERR] = path "bufPipe.breakErr",                                 \
			 [CS_ABORT_ERR] = path "abortErr"},                                        \
			look_at_stream                                                             \
	}
#define CLIENT(name)                                                                               \
	{                                                                                          \
		name,                                                                              \
			{[CC_CONN] = "tconn",                                                      \
			 [CC_CLOSED] = "closed",                                                   \
			 [CC_STREAMS] = "streams",                                                 \
			 [CC_RESERVED] = "streamsReserved",                                        \
			 [CC_PENDING] = "pendingRequests"},                                        \
			look_at_client                                                             \
	}

const struct gh_conn_known gh_conn_https[] = {
	{"net/http.bodyEOFSignal", {[BODY_CLOSED] = "closed", [BODY_RERR] = "rerr"}, look_at_body},
	{"net/http.persistConn",
	 {[PC_CONN] = "conn", [PC_CLOSED] = "closed", [PC_TRANSPORT] = "t", [PC_ALT] = "alt"},
	 look_at_http},
	STREAM("net/http.http2clientStream", ""),
	STREAM("net/http/internal/http2.clientStream", ""),
	STREAM("net/http/internal/http2.ClientRequest", "stream."), // has it inside
	STREAM("golang.org/x/net/http2.clientStream", ""),
	CLIENT("net/http.http2ClientConn"),
	CLIENT("net/http/internal/http2.ClientConn"),
	CLIENT("golang.org/x/net/http2.ClientConn"),
	{0},
};
