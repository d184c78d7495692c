// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// This thread's resolver asks a port of loopback, and waits for long.
int ask_nobody(int port)
{
	if (res_init())
		return -1;
	_res.nscount = 1;
	_res.nsaddr_list[0].sin_family = AF_INET;
	_res.nsaddr_list[0].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	_res.nsaddr_list[0].sin_port = htons((unsigned short)port);
	_res.retrans = 600;
	_res.retry = 2;
	return 0;
}

// A terminal that nobody reads, full: a write to it waits.
int full_terminal(char *name, int size)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), fd;
	char bytes[4096];

	if (master < 0 || grantpt(master) || unlockpt(master) || ptsname_r(master, name, (size_t)size))
		return -1;
	fd = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -1;
	memset(bytes, 'x', sizeof(bytes));
	for (int full = 0; full < 5; full++) { // the kernel makes room as it moves what is there
		while (write(fd, bytes, sizeof(bytes)) > 0 || write(fd, bytes, 1) > 0)
			full = 0;
		usleep(10000);
	}
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return fd;
}
