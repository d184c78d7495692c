// SPDX-License-Identifier: Apache-2.0
// File descriptors. See descriptor.h.
#include "goruntime/descriptor.h"

#include <arpa/inet.h>

#include "goruntime/process.h"
#include "goruntime/rtype.h"

enum {
	FD_SYSFD = 16,	 // internal/poll.FD, which begins os.file and net.netFD
	FILE_NAME = 56,	 // os.file
	NETFD_NET = 80,	 // net.netFD
	NETFD_LADDR = 96,
	NETFD_RADDR = 112,
	NETFD_BYTES = 128,
	ADDR_PORT = 24, // net.TCPAddr, UDPAddr: IP []byte, Port int, Zone string
	MAX_NAME = 4096,
	MAX_WORDS = 4096, // of a stack that are looked at
};

void gh_descriptor_deinit(struct gh_descriptor *descriptor)
{
	gh_strbuf_deinit(&descriptor->name);
}

static void put_ip(struct gh_strbuf *sb, const uint8_t *ip, uint64_t len)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	char text[INET6_ADDRSTRLEN];

	if (len == 16 && memcmp(ip, mapped, sizeof(mapped)) == 0) {
		ip += sizeof(mapped);
		len = 4;
	}
	if (inet_ntop(len == 4 ? AF_INET : AF_INET6, ip, text, sizeof(text)))
		gh_strbuf_printf(sb, len == 4 ? "%s" : "[%s]", text);
}

/* The value behind a net.Addr: of one of package net's own types. */
static bool put_address(const struct gh_runtime *rt, gh_addr at, struct gh_strbuf *sb)
{
	_cleanup_strbuf_ struct gh_strbuf type = {0};
	uint64_t itab, data, port;
	struct gh_slice ip;
	const uint8_t *p;

	if (!gh_read_u64(rt->image, at, &itab) || !gh_read_u64(rt->image, at + 8, &data) || !itab ||
	    !data)
		return false;
	gh_rtype_name(rt, gh_itab_type(rt, itab), &type);
	if (strcmp(gh_strbuf_str(&type), "*net.UnixAddr") == 0)
		return gh_process_string(rt, data, sb);
	if (strcmp(gh_strbuf_str(&type), "*net.TCPAddr") != 0 &&
	    strcmp(gh_strbuf_str(&type), "*net.UDPAddr") != 0)
		return false;
	if (!gh_read_slice(rt->image, data, &ip) || !gh_read_u64(rt->image, data + ADDR_PORT, &port))
		return false;
	p = ip.len == 4 || ip.len == 16 ? gh_image_at(rt->image, ip.data, ip.len) : NULL;
	if (p)
		put_ip(sb, p, ip.len);
	gh_strbuf_printf(sb, ":%llu", (unsigned long long)port);
	return true;
}

static void describe_socket(const struct gh_runtime *rt, gh_addr netfd, struct gh_descriptor *ret)
{
	_cleanup_strbuf_ struct gh_strbuf peer = {0};

	ret->kind = GH_DESCRIPTOR_SOCKET;
	gh_process_string(rt, netfd + NETFD_NET, &ret->name);
	gh_strbuf_putc(&ret->name, ' ');
	put_address(rt, netfd + NETFD_LADDR, &ret->name);
	if (put_address(rt, netfd + NETFD_RADDR, &peer))
		gh_strbuf_printf(&ret->name, " -> %s", gh_strbuf_str(&peer));
}

/* os.Pipe names its ends "|0" and "|1". */
static void describe_file(const struct gh_runtime *rt, gh_addr file, struct gh_descriptor *ret)
{
	gh_process_string(rt, file + FILE_NAME, &ret->name);
	ret->kind = strcmp(gh_strbuf_str(&ret->name), "|0") == 0 ||
				    strcmp(gh_strbuf_str(&ret->name), "|1") == 0
			    ? GH_DESCRIPTOR_PIPE
			    : GH_DESCRIPTOR_FILE;
}

/* Is there an os.file or netFD of that descriptor? Its strings must be readable. */
static bool is_poll_fd(const struct gh_runtime *rt, gh_addr addr, uint64_t fd, uint64_t name_at)
{
	const uint8_t *p = addr % 8 == 0 ? gh_image_at(rt->image, addr, NETFD_BYTES) : NULL;
	uint64_t len;

	if (!p || gh_u64_at(p + FD_SYSFD) != fd)
		return false;
	len = gh_u64_at(p + name_at + 8);
	return len && len <= MAX_NAME && gh_image_at(rt->image, gh_u64_at(p + name_at), len);
}

bool gh_descriptor_number(const struct gh_runtime *rt, gh_addr addr, uint64_t *ret)
{
	return gh_read_u64(rt->image, addr + FD_SYSFD, ret) && *ret <= INT32_MAX;
}

void gh_descriptor_describe(const struct gh_runtime *rt, gh_addr addr, bool is_socket,
			    struct gh_descriptor *ret)
{
	ret->addr = addr;
	if (is_socket)
		describe_socket(rt, addr, ret);
	else
		describe_file(rt, addr, ret);
}

struct methods {
	bool of_file, of_net;
	uint32_t last; // index of the outermost frame of such a method
};

/* Which package's methods stand on the stack. Inlined ones do not count: others call those. */
static struct methods find_methods(const struct gh_runtime *rt, const struct gh_frame_vec *frames)
{
	struct gh_trace_frame_vec logical = {0};
	struct methods found = {0};

	gh_error_destroy(gh_traceback_frames(rt, frames, &logical)); // out of memory: less is found
	for (size_t i = 0; i < logical.len; i++) {
		const char *name = logical.data[i].source.function;
		bool file = name && (strncmp(name, "os.(*File)", 10) == 0 ||
				     strncmp(name, "os.(*file)", 10) == 0);
		bool net = name && strncmp(name, "net.(*", 6) == 0;

		found.of_file |= file;
		found.of_net |= net;
		if (file || net || (name && strncmp(name, "internal/poll.(*FD)", 19) == 0))
			found.last = logical.data[i].physical;
	}
	gh_trace_frame_vec_deinit(&logical);
	return found;
}

void gh_descriptor_find(const struct gh_runtime *rt, const struct gh_goroutine *g,
			const struct gh_frame_vec *frames, uint64_t fd, struct gh_descriptor *ret)
{
	struct methods methods = find_methods(rt, frames);
	uint64_t name_at = methods.of_net ? NETFD_NET : FILE_NAME;
	gh_addr at, end;

	*ret = (struct gh_descriptor){0};
	if (!frames->len || !(methods.of_file || methods.of_net) || fd > INT32_MAX)
		return;
	at = frames->data[0].sp;
	// arguments of the outermost one lie in the frame of its caller
	end = frames->data[gh_min_u64(methods.last + 1, frames->len - 1)].fp;
	end = gh_min_u64(gh_min_u64(end, g->stack_hi), at + MAX_WORDS * 8);
	for (; at + 8 <= end; at += 8) {
		uint64_t word;

		if (!gh_read_u64(rt->image, at, &word) || word < 4096 ||
		    !is_poll_fd(rt, word, fd, name_at))
			continue;
		gh_descriptor_describe(rt, word, methods.of_net, ret);
		return;
	}
}
