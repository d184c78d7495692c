// SPDX-License-Identifier: Apache-2.0
// Sockets and files: net.netFD, os.file. Mirrors net/fd_posix.go, os/file_unix.go,
// internal/poll/fd_mutex.go, go1.22 to go1.27. See conn_look.h.
#include "analysis/conn_addr.h"
#include "analysis/conn_look.h"

enum {
	FD_CLOSED = 1, // internal/poll/fd_mutex.go
	FD_READ_LOCK = 2,
	FD_WRITE_LOCK = 4,
	FD_REFS = 0xfffff << 3,
	SOCK_STREAM = 1,
};

enum { FD_STATE, FD_SYSFD, FD_NET, FD_SOTYPE, FD_LADDR, FD_RADDR };
enum { FILE_STATE, FILE_SYSFD, FILE_NAME };

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

static struct gh_error *look_at_socket(struct gh_conn_finder *f, const struct gh_conn_type *type,
				       gh_addr object)
{
	const struct gh_runtime *rt = f->session->rt;
	struct gh_conn conn = {.addr = object, .count = 1, .is_program_data = true};
	bool ok = true;
	uint64_t state = gh_conn_read(f, type, object, FD_STATE, &ok), len;
	uint64_t sotype = gh_conn_read(f, type, object, FD_SOTYPE, &ok);
	const char *net;

	conn.fd = (int64_t)gh_conn_read(f, type, object, FD_SYSFD, &ok);
	net = gh_conn_string(rt, gh_conn_at(type, object, FD_NET), &len);
	f->ret->unreadable += !ok;
	if (!ok || conn.fd < 0)
		return NULL; // closed
	conn.local = gh_conn_address(rt, gh_conn_at(type, object, FD_LADDR), f->ret->arena);
	conn.peer = gh_conn_address(rt, gh_conn_at(type, object, FD_RADDR), f->ret->arena);
	conn.kind = kind_of(net ? net : "", net ? len : 0, sotype == SOCK_STREAM, conn.peer);
	conn.state = io_state(state, conn.kind == GH_CONN_TCP_LISTENER ||
					     conn.kind == GH_CONN_UNIX_LISTENER);
	return gh_conn_add(f, conn);
}

static struct gh_error *look_at_file(struct gh_conn_finder *f, const struct gh_conn_type *type,
				     gh_addr object)
{
	struct gh_conn conn = {
		.addr = object, .kind = GH_CONN_FILE, .count = 1, .is_program_data = true};
	bool ok = true;
	uint64_t state = gh_conn_read(f, type, object, FILE_STATE, &ok), len;
	const char *name;

	conn.fd = (int64_t)gh_conn_read(f, type, object, FILE_SYSFD, &ok);
	f->ret->unreadable += !ok;
	if (!ok || conn.fd < 0)
		return NULL; // closed
	name = gh_conn_string(f->session->rt, gh_conn_at(type, object, FILE_NAME), &len);
	conn.name = name ? gh_arena_strndup(f->ret->arena, name, len) : NULL;
	conn.state = io_state(state, false);
	if (name && len == 2 && name[0] == '|') // os.Pipe calls its ends "|0" and "|1"
		conn.kind = GH_CONN_PIPE;
	return gh_conn_add(f, conn);
}

const char *gh_conn_peer(const struct gh_conn_finder *f, gh_addr net_conn)
{
	const struct gh_conn_type *type = gh_conn_type_named(f, "net.netFD");
	gh_addr fd = type && net_conn ? gh_conn_netfd(f->session, net_conn) : 0;

	return fd ? gh_conn_address(f->session->rt, gh_conn_at(type, fd, FD_RADDR), f->ret->arena)
		  : NULL;
}

const struct gh_conn_known gh_conn_files[] = {
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
	{0},
};
