/* SPDX-License-Identifier: MIT */
/*
 * thread.c - starts and ends threads.
 */
#include <string.h>
#include <time.h>

#include "pump/thread.h"

enum { STACK_BYTES = 512 * 1024, AGAIN_MS = 2 };

static void nothing(int signal)
{
	(void)signal;
}

void thread_prepare(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof action);
	action.sa_handler = nothing;
	(void)sigaction(THREAD_SIGNAL, &action, NULL);
}

int thread_start(pthread_t *ret, void *(*body)(void *), void *argument)
{
	pthread_attr_t attributes;
	sigset_t all, old;
	int rc = pthread_attr_init(&attributes);

	if (rc != 0)
		return -rc;
	(void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
	(void)sigfillset(&all);
	(void)sigdelset(&all, THREAD_SIGNAL);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(ret, &attributes, body, argument);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attributes);
	return -rc;
}

void thread_end(pthread_t thread, atomic_bool *ended)
{
	const struct timespec pause = { .tv_nsec = AGAIN_MS * 1000000L };

	while (!atomic_load(ended)) {
		(void)pthread_kill(thread, THREAD_SIGNAL);
		(void)nanosleep(&pause, NULL);
	}
	(void)pthread_join(thread, NULL);
}
