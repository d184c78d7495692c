// SPDX-License-Identifier: Apache-2.0
// What is shared by those who look at objects of one package each: conn_files.c, conn_http.c,
// conn_sql.c. Types and fields are found by name. Internal to conns.
#pragma once

#include "analysis/conns.h"

enum { GH_CONN_FIELDS = 10, GH_CONN_TYPES = 24, GH_CONN_LEADS = 2 };

struct gh_conn_finder;
struct gh_conn_type;

/** A type whose objects are looked at, and the fields that are read of them. */
struct gh_conn_known {
	const char *type;
	const char *fields[GH_CONN_FIELDS]; // paths
	struct gh_error *(*look)(struct gh_conn_finder *f, const struct gh_conn_type *type,
				 gh_addr object);
	/* Where it leads to objects that no type of another package can lead to: an untyped object
	   of its size that does so is one. Empty: others may look like it. */
	struct {
		int field;
		const char *type; // NULL ends them
	} leads[GH_CONN_LEADS];
};

/** One that the program has. */
struct gh_conn_type {
	const struct gh_conn_known *known;
	gh_addr rtype;
	uint64_t slot_bytes; // of an object of its own
	int64_t offsets[GH_CONN_FIELDS]; // of its fields; -1: this release has no such field
};

/** An object of a known type that the mark has no type for. */
struct gh_conn_hidden {
	gh_addr addr;
	const struct gh_conn_type *type;
};
GH_VEC(gh_conn_hidden_vec, struct gh_conn_hidden);

/** What interfaces with such a type word lead to. */
struct gh_conn_word {
	uint64_t word;
	const struct gh_conn_type *type; // NULL: nothing that is looked at
};
enum { GH_CONN_WORDS = 1024 };

struct gh_conn_finder {
	struct gh_session *session;
	struct gh_conns *ret;
	struct gh_conn_type types[GH_CONN_TYPES];
	size_t ntypes;
	struct gh_addr_vec transports, idle; // sorted before they are searched
	struct gh_addr_vec persistent;	     // connections of HTTP/1 clients that are open
	struct gh_conn_hidden_vec hidden;
	uint64_t charged_bytes; // for these
	struct gh_conn_word words[GH_CONN_WORDS]; // looked up before, by hash
};

/** NULL: the program has no such type. */
const struct gh_conn_type *gh_conn_type_named(const struct gh_conn_finder *f, const char *name);

/** Address of a field; 0: there is no such field. */
gh_addr gh_conn_at(const struct gh_conn_type *type, gh_addr object, int field);

/** The word of a field; 0 where it cannot be read: *ok_ret is false then, else left alone. */
uint64_t gh_conn_read(const struct gh_conn_finder *f, const struct gh_conn_type *type,
		      gh_addr object, int field, bool *ok_ret);

struct gh_error *gh_conn_add(struct gh_conn_finder *f, struct gh_conn conn) GH_MUST_CHECK;

/** A peer's address as its net.netFD has it; NULL: not known. */
const char *gh_conn_peer(const struct gh_conn_finder *f, gh_addr net_conn);

/** The tables of types; NULL types end them. */
extern const struct gh_conn_known gh_conn_files[], gh_conn_https[], gh_conn_sqls[];

/** Once all objects were looked at: which connections of HTTP/1 clients are idle. */
struct gh_error *gh_conn_add_http(struct gh_conn_finder *f) GH_MUST_CHECK;

/**
 * Objects of known types that the mark has no types for (conn_hidden.c): first each untyped object
 * is searched for what it is and leads to, then all that was found is looked at. Errors: NOMEM, LIMIT.
 */
struct gh_error *gh_conn_search_untyped(struct gh_conn_finder *f, gh_addr addr,
					uint64_t bytes) GH_MUST_CHECK;
struct gh_error *gh_conn_look_at_hidden(struct gh_conn_finder *f) GH_MUST_CHECK;
