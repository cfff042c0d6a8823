/* SPDX-License-Identifier: MIT */
/*
 * thread.h - makes the calling thread ready to hold locks. What it holds is in held.h.
 *
 * A thread is set up at its first lock, and once more after it was forked: the epoch
 * (platform/epoch.h) tells a forked child that the thread it sees was its parent's.
 */
#ifndef MADANG_SYNC_THREAD_H
#define MADANG_SYNC_THREAD_H

#include "platform/epoch.h"
#include "sync/held.h"

/* Sets the thread up. Returns 0, or -ENOSYS where the kernel has no robust lists. */
int mdg__thread_set_up(struct mdg__thread *thread);

/* True: the thread is ready. False: it may be ready even so; mdg__thread finds out. */
static inline bool mdg__thread_is_ready(const struct mdg__thread *thread)
{
	return thread->epoch != 0 && mdg__epoch_is_at_once(thread->epoch);
}

/* Returns the calling thread, ready; NULL where the kernel has no robust lists. */
static inline struct mdg__thread *mdg__thread(void)
{
	struct mdg__thread *thread = mdg__of_thread(&mdg__this_thread);
	if (__builtin_expect(!mdg__thread_is_ready(thread), 0) && mdg__thread_set_up(thread) < 0)
		return NULL;
	return thread;
}

#endif
