// SPDX-License-Identifier: Apache-2.0
// See conn_addr.h.
#include "analysis/conn_addr.h"

#include "base/cleanup.h"
#include "base/ipaddr.h"
#include "goruntime/rtype.h"

enum {
	MAX_TEXT = 4096, // a path at most
	PORT = 24,	 // net.TCPAddr{IP, Port, Zone}, net.UDPAddr likewise
	MAX_WRAPPERS = 4,
};

bool gh_conn_field(const struct gh_types *types, struct gh_gotype type, const char *path,
		   struct gh_gofield *ret)
{
	struct gh_gofield at = {.type = type};
	uint64_t offset = 0;

	while (*path) {
		char name[32];
		size_t len = strcspn(path, ".");

		if (len >= sizeof(name))
			return false;
		memcpy(name, path, len);
		name[len] = 0;
		if (!gh_gotype_field_named(types, at.type, name, &at))
			return false;
		offset += at.offset;
		path += len + (path[len] == '.');
	}
	*ret = at;
	ret->offset = offset;
	return true;
}

const char *gh_conn_string(const struct gh_runtime *rt, gh_addr addr, uint64_t *len_ret)
{
	const uint8_t *p = addr ? gh_image_at(rt->image, addr, 16) : NULL;
	uint64_t len = p ? gh_u64_at(p + 8) : 0;

	if (!len || len > MAX_TEXT)
		return NULL;
	*len_ret = len;
	return gh_image_at(rt->image, gh_u64_at(p), len);
}

struct iface {
	gh_addr type, data;
};

static bool read_iface(const struct gh_runtime *rt, gh_addr addr, struct iface *ret)
{
	const uint8_t *p = addr ? gh_image_at(rt->image, addr, 16) : NULL;
	gh_addr itab = p ? gh_u64_at(p) : 0;

	if (!itab)
		return false;
	*ret = (struct iface){gh_itab_type(rt, itab), gh_u64_at(p + 8)};
	return ret->type && ret->data;
}

/* "*net.TCPAddr" as the binary has it: short, and these are no one else's. */
static bool is_named(const struct gh_runtime *rt, gh_addr type, const char *name)
{
	struct gh_rtype t;
	uint64_t len;
	const char *text = gh_rtype_read(rt, type, &t) ? gh_rtype_string(rt, &t, &len) : NULL;

	return text && len == strlen(name) && !memcmp(text, name, len);
}

/* As net.IP.String; nothing for what is none. port: in brackets where a port follows. */
static void put_ip(const struct gh_runtime *rt, gh_addr slice, bool port, struct gh_strbuf *sb)
{
	struct gh_slice ip = {0};
	const uint8_t *p = NULL;

	if (gh_read_slice(rt->image, slice, &ip) && (ip.len == 4 || ip.len == 16))
		p = gh_image_at(rt->image, ip.data, ip.len);
	if (p)
		gh_ip_add(sb, p, ip.len == 4, port);
}

const char *gh_conn_address(const struct gh_runtime *rt, gh_addr addr, struct gh_arena *arena)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	struct iface a;
	uint64_t port, len;

	if (!read_iface(rt, addr, &a))
		return NULL;
	if (is_named(rt, a.type, "*net.TCPAddr") || is_named(rt, a.type, "*net.UDPAddr")) {
		put_ip(rt, a.data, true, &sb);
		if (gh_read_u64(rt->image, a.data + PORT, &port))
			gh_strbuf_printf(&sb, ":%u", (unsigned)(port & 0xffff));
	} else if (is_named(rt, a.type, "*net.IPAddr")) {
		put_ip(rt, a.data, false, &sb);
	} else if (is_named(rt, a.type, "*net.UnixAddr")) {
		const char *name = gh_conn_string(rt, a.data, &len);

		gh_strbuf_add(&sb, name ? name : "@", name ? len : 1);
	}
	return sb.len ? gh_arena_strndup(arena, gh_strbuf_str(&sb), sb.len) : NULL;
}

gh_addr gh_conn_netfd(struct gh_session *session, gh_addr addr)
{
	static const char *const sockets[] = {"*net.TCPConn", "*net.UnixConn", "*net.UDPConn",
					      "*net.IPConn"};
	const struct gh_runtime *rt = session->rt;
	struct iface c;

	for (int depth = 0; depth < MAX_WRAPPERS && read_iface(rt, addr, &c); depth++) {
		uint64_t fd;

		for (size_t i = 0; i < GH_ARRAY_SIZE(sockets); i++)
			if (is_named(rt, c.type, sockets[i])) // net.TCPConn{conn{fd *netFD}}
				return gh_read_u64(rt->image, c.data, &fd) ? fd : 0;
		addr = c.data; // tls.Conn and most wrappers begin with the net.Conn below them
	}
	return 0;
}

const char *gh_conn_dynamic_type(struct gh_session *session, gh_addr addr)
{
	struct iface v;

	if (!read_iface(session->rt, addr, &v))
		return NULL;
	return gh_types_name(session->types, gh_types_of_rtype(session->types, v.type));
}
