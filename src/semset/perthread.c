/* SPDX-License-Identifier: MIT */
/*
 * perthread.c - what the engine remembers for each thread, beside a few words.
 *
 * It is a page of private memory, and the thread has a pointer to it. The page itself is not memory
 * of a thread, because the C library has little of that for a library that is loaded late. A thread
 * gets its page when it first needs it, with all signals blocked. Nobody is called when a thread
 * ends. So each page names its thread, and a new thread takes over the page of one that is gone.
 * What the dead thread was a witness in is given back then.
 *
 * A forked child has a copy of all pages, and none of them names a thread of the child. So its
 * only thread does not use the one that it points to, and gets one like a new thread.
 */
#include "semset/perthread.h"

#include <sys/mman.h>

#include "platform/epoch.h"
#include "platform/ofthread.h"
#include "platform/ownmap.h"

enum { PAGE = 4096, LOOKED_AT = 4 };
_Static_assert(sizeof(struct mdg__per_thread) <= PAGE, "one page is enough");

/* The pages of all threads. They are never given back. [A] */
static struct mdg__per_thread *_Atomic pages;
/* Where the next look for a page without a thread begins. [A] */
static struct mdg__per_thread *_Atomic hand;

static MDG__OF_THREAD struct mdg__per_thread *own;

static void empty(struct mdg__per_thread *page)
{
	if (page->epoch != 0 && mdg__epoch_is(page->epoch))
		for (uint32_t i = 0; i < page->kept_count; i++)
			mdg__memory_leave(&page->kept[i].memory);
	for (uint32_t i = 0; i < MDG__SLIPS_KEPT; i++)
		page->slip[i] = (struct mdg__slip_kept){ NULL, 0 };
	page->kept_count = 0;
	page->epoch = 0;
}

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
		if (its != tid && mdg__thread_is_gone((int32_t)its) &&
		    atomic_compare_exchange_strong(&page->tid, &its, tid)) {
			empty(page);
			return page;
		}
		page = page->next;
	}
	return NULL;
}

static struct mdg__per_thread *make(uint32_t tid)
{
	void *memory;
	if (mdg__map_own(NULL, PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &memory) < 0)
		return NULL;
	struct mdg__per_thread *page = memory; /* zeros */
	atomic_store_explicit(&page->tid, tid, memory_order_relaxed);
	page->next = atomic_load(&pages);
	while (!atomic_compare_exchange_weak(&pages, &page->next, page))
		;
	return page;
}

static bool is_of(const struct mdg__per_thread *page, uint32_t tid)
{
	return page != NULL && atomic_load_explicit(&page->tid, memory_order_relaxed) == tid;
}

struct mdg__per_thread *mdg__per_thread(void)
{
	return is_of(own, mdg__this_thread.tid) ? own : NULL;
}

struct mdg__per_thread *mdg__per_thread_make(void)
{
	const struct mdg__thread *thread = mdg__thread();
	if (thread == NULL)
		return NULL;
	if (!is_of(own, thread->tid))
		own = take_over(thread->tid);
	if (own == NULL)
		own = make(thread->tid);
	return own;
}
