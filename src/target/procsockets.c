// SPDX-License-Identifier: Apache-2.0
// Sockets of a process as /proc/PID/net has them (net/ipv4/tcp_ipv4.c, net/unix/af_unix.c of
// Linux). See procfs.h.
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "target/procfs.h"

enum {
	LINE = 512,
	MAX_LINES = 1 << 20,
	WORD_DIGITS = 8, // of an address: groups of them, each a word of the kernel's
	MAX_WORDS = 4,
};

/* "0100007F:1F90", or four words and a port. False: it is none, or no port (nobody). */
static bool read_address(const char *text, char *ret, size_t size)
{
	const char *colon = strchr(text, ':');
	size_t nwords = colon ? (size_t)(colon - text) / WORD_DIGITS : 0;
	uint32_t words[MAX_WORDS];
	char ip[INET6_ADDRSTRLEN];
	unsigned port;

	if ((nwords != 1 && nwords != MAX_WORDS) || sscanf(colon, ":%4X", &port) != 1 || !port)
		return false;
	for (size_t i = 0; i < nwords; i++)
		if (sscanf(text + i * WORD_DIGITS, "%8" SCNx32, &words[i]) != 1)
			return false;
	if (nwords == MAX_WORDS && !words[0] && !words[1] && words[2] == 0xffff0000) {
		words[0] = words[3]; // ::ffff:127.0.0.1
		nwords = 1;
	}
	if (!inet_ntop(nwords == 1 ? AF_INET : AF_INET6, words, ip, sizeof(ip)))
		return false;
	snprintf(ret, size, nwords == 1 ? "%s:%u" : "[%s]:%u", ip, port);
	return true;
}

/* A line of tcp, tcp6, udp, udp6. */
static bool describe_ip(const char *net, const char *line, uint64_t inode, char *ret, size_t size)
{
	char local[48], remote[48], from[64] = "", to[64];
	uint64_t found;

	if (sscanf(line, " %*s %47s %47s %*s %*s %*s %*s %*s %*s %" SCNu64, local, remote,
		   &found) != 3 ||
	    found != inode)
		return false;
	read_address(local, from, sizeof(from));
	if (read_address(remote, to, sizeof(to)))
		snprintf(ret, size, "%.3s %s -> %s", net, from, to);
	else
		snprintf(ret, size, "%.3s %s", net, from);
	return true;
}

/* A line of unix; the path may be missing. */
static bool describe_unix(const char *line, uint64_t inode, char *ret, size_t size)
{
	char path[128] = "";
	uint64_t found;

	if (sscanf(line, " %*s %*s %*s %*s %*s %*s %" SCNu64 " %127s", &found, path) < 1 ||
	    found != inode)
		return false;
	snprintf(ret, size, "unix%s%s", path[0] ? " " : "", path);
	return true;
}

bool gh_proc_socket(uint32_t pid, uint64_t inode, char *ret, size_t size)
{
	static const char *const nets[] = {"tcp", "tcp6", "udp", "udp6", "unix"};

	for (size_t i = 0; i < GH_ARRAY_SIZE(nets); i++) {
		char path[64], line[LINE];
		bool is_unix = strcmp(nets[i], "unix") == 0, found = false;
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%" PRIu32 "/net/%s", pid, nets[i]);
		file = fopen(path, "re");
		for (int n = 0; file && !found && n < MAX_LINES && fgets(line, sizeof(line), file);
		     n++)
			found = is_unix ? describe_unix(line, inode, ret, size)
					: describe_ip(nets[i], line, inode, ret, size);
		if (file)
			fclose(file);
		if (found)
			return true;
	}
	return false;
}
