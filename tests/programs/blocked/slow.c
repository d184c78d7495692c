// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

long slow_read(int fd)
{
	char byte;

	return read(fd, &byte, 1);
}

static void *alone(void *unused)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL); // the runtime's signals are for its own threads
	pause();
	return unused;
}

void start_alone(int n)
{
	for (int i = 0; i < n; i++) {
		pthread_t thread;

		pthread_create(&thread, NULL, alone, NULL);
	}
}

void die(void)
{
	signal(SIGABRT, SIG_DFL); // no handler of the runtime's: threads stay where they are
	abort();
}
