/* SPDX-License-Identifier: MIT */
/*
 * interrupt.c - whether signal handlers end the waits of a thread for locks.
 *
 * The setting is a field of the thread. owned.h says where the waits look at it
 * (mdg__sleep_ends). Madang's own locks are waited for by the same code: in heaps and queues with
 * all signals blocked, and in maps the caller goes on after -EINTR.
 */
#include <errno.h>

#include "madang/sync.h"
#include "sync/thread.h"

int mdg_sync_set_interruptible(int on)
{
	struct mdg__thread *thread = mdg__thread();
	if (thread == NULL)
		return -ENOSYS;
	int before = (int)thread->interruptible;
	thread->interruptible = on != 0;
	return before;
}
