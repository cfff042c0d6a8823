/* SPDX-License-Identifier: MIT */
/*
 * epoch.c - see epoch.h.
 *
 * The first thread that calls makes the page, and publishes it by one store. It takes no lock for
 * that, so a child that was forked in the middle finds either a page or none. If there is no memory
 * for a page, static memory is used instead. The kernel does not wipe that in a child.
 *
 * The constructor at the end is linked into a program only because other files refer to functions
 * of this file. A file of the static library with nothing but a constructor would be left out.
 */
#include "platform/epoch.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "platform/identity.h"
#include "platform/ofthread.h"
#include "platform/ownmap.h"
#include "platform/sys.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

struct page {
	_Atomic uint32_t epoch; /* 0: wiped, this is a new process */
	_Atomic uint32_t locks[MDG__EPOCH_LOCKS];
	_Atomic uint32_t stays; /* 1: nobody wipes this page */
	_Atomic uint32_t pid;   /* whose page it is, if it stays; with CHANGING: who is taking it */
};
#define CHANGING 0x80000000u

static struct page spare;               /* for want of memory */
static struct page *_Atomic page;       /* NULL: not made yet */
static _Atomic uint32_t never_the_same; /* always 0 */
static _Atomic uint32_t last_epoch;
_Atomic uint32_t *_Atomic mdg__epoch_word = &never_the_same;

/* Noted by a thread that is about to fork. Each thread has its own. It lies in a page that a child
 * touches anyway. */
static MDG__OF_THREAD uint32_t epoch_at_fork;

static uint32_t next_epoch(void)
{
	uint32_t next;
	do
		next = atomic_fetch_add_explicit(&last_epoch, 1, memory_order_relaxed) + 1;
	while (next == 0);
	return next;
}

/* ---- the page ---------------------------------------------------------------------------- */

static void *map(int shared_or_private)
{
	void *memory;
	int rc = mdg__map_own(NULL, mdg__page_size(), shared_or_private | MAP_ANONYMOUS, -1, 0,
	                      &memory);
	return rc < 0 ? NULL : memory;
}

/* Whether the kernel's yes can be believed. Memory that processes share cannot be wiped in one of
 * them. A kernel that knows the advice refuses it there. */
static bool tells_apart(void)
{
	void *memory = map(MAP_SHARED);
	if (memory == NULL)
		return false;
	int rc = mdg__sys_madvise(memory, mdg__page_size(), MADV_WIPEONFORK);
	(void)mdg__sys_munmap(memory, mdg__page_size());
	return rc == -EINVAL;
}

static struct page *make(void)
{
	struct page *mine = map(MAP_PRIVATE), *other = NULL;
	struct page *use = mine != NULL ? mine : &spare;
	uint32_t none = 0;
	bool wiped = mine != NULL &&
	             mdg__sys_madvise(mine, mdg__page_size(), MADV_WIPEONFORK) == 0 &&
	             tells_apart();
	atomic_store(&use->stays, !wiped);
	atomic_store(&use->pid, (uint32_t)mdg__pid());
	(void)atomic_compare_exchange_strong(&use->epoch, &none, next_epoch());
	if (!atomic_compare_exchange_strong(&page, &other, use)) {
		if (mine != NULL) /* another thread was faster */
			(void)mdg__sys_munmap(mine, mdg__page_size());
		return other;
	}
	if (wiped)
		atomic_store(&mdg__epoch_word, &use->epoch);
	return use;
}

static struct page *here(void)
{
	struct page *found = atomic_load_explicit(&page, memory_order_acquire);
	return found != NULL ? found : make();
}

/* ---- where nobody wipes ------------------------------------------------------------------ */

static void start_anew(struct page *found)
{
	for (int i = 0; i < MDG__EPOCH_LOCKS; i++)
		atomic_store(&found->locks[i], 0);
	atomic_store(&found->epoch, next_epoch());
}

/* The first call in a child fills in the page again. Other threads of the child wait for that. */
static void compare_pid(struct page *found)
{
	uint32_t self = (uint32_t)mdg__pid(), seen = atomic_load(&found->pid);
	mdg__sigmask mask;
	if (seen == self)
		return;
	mdg__signals_block(&mask);
	while ((seen = atomic_load(&found->pid)) != self) {
		if (seen == (self | CHANGING)) { /* another thread is at it */
			(void)mdg__sys_futex_wait(&found->pid, seen, false, 1000000);
		} else if (atomic_compare_exchange_strong(&found->pid, &seen, self | CHANGING)) {
			start_anew(found);
			atomic_store(&found->pid, self);
		}
	}
	mdg__signals_restore(&mask);
}

/* ---- the calls --------------------------------------------------------------------------- */

uint32_t mdg__epoch(void)
{
	struct page *found = here();
	if (atomic_load_explicit(&found->stays, memory_order_relaxed) != 0)
		compare_pid(found);
	uint32_t now = atomic_load_explicit(&found->epoch, memory_order_relaxed);
	while (now == 0) {
		uint32_t next = next_epoch();
		if (atomic_compare_exchange_strong(&found->epoch, &now, next))
			now = next; /* otherwise another thread was faster, and `now` is its page */
	}
	return now;
}

_Atomic uint32_t *mdg__epoch_lock(enum mdg__epoch_lock which)
{
	(void)mdg__epoch(); /* so that it is not the parent's */
	return &here()->locks[which];
}

/* ---- fork -------------------------------------------------------------------------------- */

MDG__AT_FORK static void before_fork(void)
{
	struct page *found = atomic_load_explicit(&page, memory_order_acquire);
	uint32_t now = found == NULL ? 0 : atomic_load(&found->epoch);
	if (epoch_at_fork != now) /* a write would copy the page */
		epoch_at_fork = now;
}

/* Writes only if the page was not wiped. Otherwise each child would need a page of its own. A
 * handler of the program may have run before this one and used Madang. Then the epoch has changed
 * already. */
MDG__AT_FORK static void after_in_child(void)
{
	struct page *found = atomic_load_explicit(&page, memory_order_acquire);
	if (found == NULL || epoch_at_fork == 0 || atomic_load(&found->epoch) != epoch_at_fork)
		return;
	atomic_store(&found->stays, 1);
	atomic_store(&mdg__epoch_word, &never_the_same);
	start_anew(found);
	atomic_store(&found->pid, (uint32_t)mdg__pid());
}

/* This runs before the other constructors of the library, which have no priority. So in a child its
 * handler runs before the handler of segment/fork.c. In the parent it runs after that one, just
 * before the fork. */
__attribute__((constructor(101))) static void register_handlers(void)
{
	(void)pthread_atfork(before_fork, NULL, after_in_child);
}
