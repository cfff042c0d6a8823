/* SPDX-License-Identifier: MIT */
/*
 * perthread.h - a page of private memory for each thread: for what is too large for ofthread.h.
 *
 * The C library keeps little memory of threads for a library that is loaded late: glibc has about
 * 1664 bytes. So a thread has a pointer to its page there, and each room has a region in the page.
 * perthread.c says how a thread gets its page, and what happens to it when the thread ends.
 *
 * A region outlives its thread. The next thread that has the page finds what the last one left.
 * `turn` says which thread it is. A room keeps the turn in its region. If the two differ, the
 * region is not this thread's yet: it is new, or the dead thread's. Then the room cleans it, with
 * all signals blocked, and notes the turn last.
 */
#ifndef MADANG_PLATFORM_PERTHREAD_H
#define MADANG_PLATFORM_PERTHREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/ofthread.h"

enum { MDG__PER_THREAD_PAGE = 4096, MDG__REGION_OF_QUEUES = 640, MDG__REGION_OF_SETS = 3072 };

/* Only the thread reads and writes it, except for the first two fields. */
struct mdg__per_thread {
	struct mdg__per_thread *next; /* constant */
	_Atomic uint32_t tid;         /* whose it is [A] */
	uint32_t turn;                /* how many threads have had it; never 0 */
	_Alignas(16) unsigned char of_queues[MDG__REGION_OF_QUEUES];
	_Alignas(16) unsigned char of_sets[MDG__REGION_OF_SETS];
};
_Static_assert(sizeof(struct mdg__per_thread) <= MDG__PER_THREAD_PAGE, "one page is enough");

extern MDG__OF_THREAD struct mdg__per_thread *mdg__own_page;

/* The page of the calling thread, which has this id, or NULL: it has none yet. */
static inline struct mdg__per_thread *mdg__per_thread(uint32_t tid)
{
	struct mdg__per_thread *page = mdg__own_page;
	bool own = page != NULL && atomic_load_explicit(&page->tid, memory_order_relaxed) == tid;
	return __builtin_expect(own, 1) ? page : NULL;
}

/* The same, and gets one. All signals are blocked. NULL: no memory. */
struct mdg__per_thread *mdg__per_thread_make(uint32_t tid);

#endif
