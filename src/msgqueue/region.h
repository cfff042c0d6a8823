/* SPDX-License-Identifier: MIT */
/*
 * region.h - what the engine remembers for each thread: its region in the thread's page.
 *
 * See platform/perthread.h. A few words that each call needs are memory of the thread itself.
 */
#ifndef MADANG_MSGQUEUE_REGION_H
#define MADANG_MSGQUEUE_REGION_H

#include <stdint.h>

#include "msgqueue/internal.h"
#include "platform/perthread.h"
#include "sync/held.h"

enum { MDG__SLIP_TABLE = 8 };

/* A slip of the thread, in the queue that is mapped at `base`: slips.c. */
struct mdg__slip_entry {
	char *base;
	uint64_t name;
	volatile uint32_t unit; /* 0: there is none, or a call has it */
	uint32_t by_lock;       /* calls by the lock since there was a slip */
	uint32_t batch;         /* cells that it gets at once. It is more each time */
};

/* Only the thread reads and writes it. */
struct mdg__queue_region {
	uint32_t turn; /* of the page: whose the rest is */
	/* A signal handler may use these in the middle of a call. */
	volatile uint32_t generation, slip_next;
	struct mdg__slip_entry slips[MDG__SLIP_TABLE];
	/* wait.c: the thread's latest sleep, if `latest_waiter` there is not NULL. */
	struct {
		struct mdg__queue queue; /* a copy: the caller's may be on a stack that is gone */
		uint32_t number, use, epoch;
	} latest;
};
_Static_assert(sizeof(struct mdg__queue_region) <= MDG__REGION_OF_QUEUES, "it has to fit");

/* The calling thread's, or NULL: it has none yet. */
static inline struct mdg__queue_region *mdg__queue_region(void)
{
	struct mdg__per_thread *page = mdg__per_thread(mdg__this_thread.tid);
	struct mdg__queue_region *region =
		page == NULL ? NULL : (struct mdg__queue_region *)(void *)page->of_queues;
	return region != NULL && region->turn == page->turn ? region : NULL;
}
/* The same, and makes it. All signals are blocked, or no handler can run. NULL: no memory. */
struct mdg__queue_region *mdg__queue_region_make(const struct mdg__thread *thread);

#endif
