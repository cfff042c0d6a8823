/* SPDX-License-Identifier: MIT */
/*
 * perthread.c - a page of private memory for each thread: see perthread.h.
 *
 * A thread gets its page when it first needs it, with all signals blocked. Nobody is called when a
 * thread ends. So each page names its thread, and a new thread takes over the page of one that is
 * gone.
 *
 * A forked child has a copy of all pages, and none of them names a thread of the child. So its
 * only thread does not use the one that it points to, and gets one like a new thread.
 */
#include "platform/perthread.h"

#include <sys/mman.h>

#include "platform/ownmap.h"
#include "platform/signals.h"

enum { LOOKED_AT = 4 };

/* The pages of all threads. They are never given back. [A] */
static struct mdg__per_thread *_Atomic pages;
/* Where the next look for a page without a thread begins. [A] */
static struct mdg__per_thread *_Atomic hand;

MDG__OF_THREAD struct mdg__per_thread *mdg__own_page;

/* A page whose thread is gone. Only a few are looked at: each costs a system call. */
static struct mdg__per_thread *take_over(uint32_t tid)
{
	struct mdg__per_thread *page = atomic_load(&hand);
	for (int i = 0; i < LOOKED_AT; i++) {
		if (page == NULL)
			page = atomic_load(&pages);
		if (page == NULL)
			return NULL;
		uint32_t its = atomic_load(&page->tid);
		atomic_store(&hand, page->next);
		if (its != tid && !mdg__sys_thread_exists((int32_t)its) &&
		    atomic_compare_exchange_strong(&page->tid, &its, tid)) {
			page->turn = page->turn == UINT32_MAX ? 1 : page->turn + 1;
			return page;
		}
		page = page->next;
	}
	return NULL;
}

static struct mdg__per_thread *make(uint32_t tid)
{
	void *memory;
	if (mdg__map_own(NULL, MDG__PER_THREAD_PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &memory) <
	    0)
		return NULL;
	struct mdg__per_thread *page = memory; /* zeros */
	atomic_store_explicit(&page->tid, tid, memory_order_relaxed);
	page->turn = 1;
	page->next = atomic_load(&pages);
	while (!atomic_compare_exchange_weak(&pages, &page->next, page))
		;
	return page;
}

struct mdg__per_thread *mdg__per_thread_make(uint32_t tid)
{
	struct mdg__per_thread *page = mdg__per_thread(tid);
	if (page == NULL)
		page = take_over(tid);
	if (page == NULL)
		page = make(tid);
	mdg__own_page = page;
	return page;
}
