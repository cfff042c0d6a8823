/* SPDX-License-Identifier: MIT */
/*
 * held.c - what held.h has no need to inline of the calling thread's list of locks.
 */
#include "sync/held.h"

MDG__OF_THREAD struct mdg__thread mdg__this_thread;

/* The entry above this one links to it. That link is in shared memory, with a copy in `below`. */
void mdg__held_leave_middle(struct mdg__thread *thread, int at)
{
	struct mdg__held *above = &thread->held[at + 1];
	*(mdg__link *)mdg__node_of(thread, above->word) = thread->held[at].below;
	above->below = thread->held[at].below;
	atomic_signal_fence(memory_order_seq_cst);
	uint32_t count = thread->count;
	for (uint32_t i = (uint32_t)at; i + 1 < count; i++)
		thread->held[i] = thread->held[i + 1];
	thread->held[count - 1].word = NULL;
	thread->count--;
}
