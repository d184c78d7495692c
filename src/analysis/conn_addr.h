// SPDX-License-Identifier: Apache-2.0
// Values of package net as texts: addresses, and what a net.Conn is underneath. Fields of exported
// structs (net.TCPAddr, net.UnixAddr) lie where they always have; go1.22 to go1.27.
#pragma once

#include "analysis/session.h"
#include "base/arena.h"
#include "graph/gotype.h"

/** A field by its path, "pfd.fdmu.state". */
bool gh_conn_field(const struct gh_types *types, struct gh_gotype type, const char *path,
		   struct gh_gofield *ret);

/** Bytes of a Go string at addr; borrowed. NULL: empty, missing, or longer than any such text. */
const char *gh_conn_string(const struct gh_runtime *rt, gh_addr addr, uint64_t *len_ret);

/** The net.Addr at addr: "127.0.0.1:80", "/run/x.sock". NULL: none, or of another kind. */
const char *gh_conn_address(const struct gh_runtime *rt, gh_addr addr, struct gh_arena *arena);

/** The net.netFD under the net.Conn that lies at addr, and under its wrappers; 0: none found. */
gh_addr gh_conn_netfd(struct gh_session *session, gh_addr addr);

/** Name of the dynamic type of an interface with methods at addr; NULL: none. */
const char *gh_conn_dynamic_type(struct gh_session *session, gh_addr addr);
