// SPDX-License-Identifier: Apache-2.0

// The C side: calls Go back on the calling thread and on threads of its own.

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "_cgo_export.h"

void call_back(uintptr_t handle)
{
	goCallback(handle);
}

static void *thread_in_c(void *unused)
{
	(void)unused;
	for (;;)
		pause();
}

static void *thread_in_go(void *handle)
{
	goCallback((uintptr_t)handle);
	return NULL;
}

// Blocks all signals in the thread that never sees Go: the runtime would otherwise wait for it
// to show its stack.
void start_threads(uintptr_t handle)
{
	pthread_t thread;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_create(&thread, NULL, thread_in_c, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_create(&thread, NULL, thread_in_go, (void *)handle);
}
