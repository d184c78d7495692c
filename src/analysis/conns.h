// SPDX-License-Identifier: Apache-2.0
// Open connections, listeners and files, response bodies of HTTP clients that nobody closed, idle
// connections of HTTP clients, pools of databases: what they are, who owns them, and whether a
// goroutine of the program can still get at them. Objects are found by the names of their types,
// fields by theirs, through descriptors: releases differ in data alone. Knows package net, os,
// internal/poll, net/http (HTTP/1) and database/sql, go1.22 to go1.27.
#pragma once

#include "analysis/objects.h"
#include "base/arena.h"
#include "base/radix.h"

enum gh_conn_kind {
	GH_CONN_TCP,
	GH_CONN_TCP_LISTENER,
	GH_CONN_UDP,
	GH_CONN_UNIX,
	GH_CONN_UNIX_LISTENER,
	GH_CONN_SOCKET, // any other
	GH_CONN_FILE,
	GH_CONN_PIPE,
	GH_CONN_BODY,	   // not closed, and not read to its end: holds its connection
	GH_CONN_BODY_READ, // read to its end, and not closed
	GH_CONN_HTTP_IDLE,
	GH_CONN_HTTP_BUSY,
	GH_CONN_HTTP_REQUEST, // HTTP/2: no response yet
	GH_CONN_DATABASE,
	GH_CONN_SQL_CONN, // taken out of its pool, and not closed
	GH_CONN_SQL_TX,	  // neither committed nor rolled back
	GH_CONN_SQL_ROWS, // not closed
	GH_CONN_SQL_STMT, // not closed
	GH_CONN_KINDS,
};

/** "TCP connection", … */
const char *gh_conn_kind_name(enum gh_conn_kind kind);

struct gh_conn {
	gh_addr addr; // of the net.netFD, os.file, …
	enum gh_conn_kind kind;
	int64_t fd;	    // -1: none of its own
	uint64_t count;	    // connections of a pool; else 1
	uint64_t in_use;    // of these
	uint64_t waiting;   // of a pool: requests for a connection that are queued
	uint64_t limit;	    // of a pool: connections at most; 0: any number
	uint64_t lost;	    // of a pool: of those in use; nothing alive can give them back
	uint64_t lost_bytes; // that these keep
	const char *local, *peer; // "127.0.0.1:80"; NULL: none
	const char *name;   // of a file; NULL: none
	const char *state;  // "reading", "closing", "idle", …; static
	const char *owner;  // who holds it, as a whole: see conn_owners.c
	bool is_program_data; // local, peer and name are
};
GH_VEC(gh_conn_vec, struct gh_conn);

struct gh_conns {
	struct gh_conn_vec all;	 // by address
	struct gh_arena *arena;	 // borrowed: texts
	struct gh_addr_vec lists; // of all that a client or a pool has lent: no way to use these
	struct gh_addr_vec memories; // where pools and statements may name connections that others
				     // have by now
	struct gh_key_vec lent;	 // connections that pools have lent out, and the pool of each
	uint64_t unreadable;	 // objects whose memory is missing
};

/**
 * Computes stage DOMINATORS. Texts live in arena. *ret is zeroed before. Errors: those of the
 * stage; NOMEM, CANCELLED.
 */
struct gh_error *gh_conns_find(struct gh_session *session, struct gh_arena *arena,
			       struct gh_conns *ret) GH_MUST_CHECK;
void gh_conns_deinit(struct gh_conns *conns);

/** Fill owners and in_use (of what is no pool): called by gh_conns_find. */
struct gh_error *gh_conns_find_owners(struct gh_session *session,
				      struct gh_conns *conns) GH_MUST_CHECK;
