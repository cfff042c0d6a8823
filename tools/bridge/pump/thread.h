/* SPDX-License-Identifier: MIT */
/*
 * thread.h - threads that block in the library, and how they are ended.
 *
 * A signal without meaning (THREAD_SIGNAL) ends a wait of the library with -EINTR. It is sent again
 * until the thread says that it has ended, because one that comes just before the wait is lost.
 */
#ifndef BRIDGE_PUMP_THREAD_H
#define BRIDGE_PUMP_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#define THREAD_SIGNAL SIGUSR1

/* Once, in the main thread, before all others: the signal's handler. */
void thread_prepare(void);
/* With a small stack, and all signals but THREAD_SIGNAL blocked. 0, or a negated errno. */
int thread_start(pthread_t *ret, void *(*body)(void *), void *argument);
/* The thread has been told to end. Wakes it until *ended, and joins. */
void thread_end(pthread_t thread, atomic_bool *ended);

#endif
