/* SPDX-License-Identifier: MIT */
/*
 * thread.c - setting a thread up; the rest is in thread.h, which says how it works.
 *
 * Where the C library registers no robust list (Android's has no robust mutexes), the
 * thread registers one of its own; MDG__OWN_ROBUST_LIST does that anywhere, for tests.
 *
 * A forked child inherits the parent's memory, but neither its id nor its list, and
 * holds nothing: its epoch is another one (platform/epoch.h), so it is set up anew. vfork children
 * may not use locks at all.
 */
#include "sync/thread.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>

#include "platform/identity.h"
#include "platform/raw.h"
#include "platform/sys.h"
#include "sync/owned.h"
#include "sync/unmapped.h"

#if defined(__BIONIC__) && !defined(MDG__OWN_ROBUST_LIST)
#define MDG__OWN_ROBUST_LIST
#endif

/* ---- the list -------------------------------------------------------------------------- */

#ifdef MDG__OWN_ROBUST_LIST

static MDG__OF_THREAD struct mdg__robust_head own_head;

static int list_prepare(struct mdg__thread *thread)
{
	memset(thread, 0, sizeof(*thread));
	own_head = (struct mdg__robust_head){ (uintptr_t)&own_head, -32, 0 };
	if ((int)MDG__RAW(SYS_set_robust_list, &own_head, sizeof(own_head)) < 0)
		return -ENOSYS;
	thread->head = &own_head;
	thread->first = &own_head.list;
	return 0;
}

static void give_back_at_end(struct mdg__thread *thread)
{
	(void)thread;
}

#else

static MDG__OF_THREAD pthread_mutex_t anchors[2]; /* back and front */

/* Unlocks the anchors of a thread that ends and holds nothing: then the list is as it would be
 * without us. Of one that holds something the kernel needs them. */
static pthread_key_t at_end;
static bool at_end_exists;
/* From here on the C library would allocate for a value. */
enum { KEYS_AT_HAND = 32 };

static void thread_end(void *pointer)
{
	struct mdg__thread *thread = pointer;
	mdg__sigmask mask;
	mdg__signals_block(&mask);
	bool mine =
		thread == &mdg__this_thread && thread->epoch != 0 && mdg__epoch_is(thread->epoch);
	if (mine && thread->count == 0) {
		memset(thread, 0, sizeof(*thread)); /* a later destructor sets up anew */
		(void)pthread_mutex_unlock(&anchors[1]);
		(void)pthread_mutex_unlock(&anchors[0]);
	}
	mdg__signals_restore(&mask);
}

static __attribute__((constructor)) void at_end_make(void)
{
	at_end_exists = pthread_key_create(&at_end, thread_end) == 0;
}

/* Whoever unloads the library must not leave a way into it behind. */
static __attribute__((destructor)) void at_end_drop(void)
{
	if (at_end_exists)
		(void)pthread_key_delete(at_end);
	at_end_exists = false;
}

static void give_back_at_end(struct mdg__thread *thread)
{
	if (at_end_exists && (unsigned)at_end < KEYS_AT_HAND)
		(void)pthread_setspecific(at_end, thread);
}

/* Locked as a thread's first act here, unlocked at its end if at all. */
static int anchor_drop(pthread_mutex_t *anchor)
{
	pthread_mutexattr_t robust;
	if (pthread_mutexattr_init(&robust) != 0)
		return -ENOSYS;
	/* Shared: else some C libraries do not tell the kernel. */
	bool done = pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST) == 0 &&
	            pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED) == 0;
	memset(anchor, 0, sizeof(anchors[0])); /* a forked child's is its parent's */
	done = done && pthread_mutex_init(anchor, &robust) == 0 && pthread_mutex_lock(anchor) == 0;
	pthread_mutexattr_destroy(&robust);
	return done ? 0 : -ENOSYS;
}

/* The kernel's word for where the list is; or after a bare clone(2), when nobody has told it,
 * where it was. */
static struct mdg__robust_head *registered(struct mdg__robust_head *inherited)
{
	size_t size = 0;
	struct mdg__robust_head *head = NULL;
	if ((int)MDG__RAW(SYS_get_robust_list, 0, &head, &size) < 0)
		return NULL;
	if (head == NULL && inherited != NULL &&
	    (int)MDG__RAW(SYS_set_robust_list, inherited, sizeof(*inherited)) == 0)
		return inherited;
	return size == sizeof(*head) ? head : NULL;
}

/* Some C libraries leave a forked child the parent's list, with nodes that are the parent's still
 * (they may lie in shared memory) and that the library would write to. The child holds none of
 * them: the list is cut off behind what the child itself has locked since. */
static void cut_inherited(struct mdg__robust_head *head)
{
	enum { NODES_MOST = 2048 }; /* the kernel follows no more */
	uintptr_t end = (uintptr_t)&head->list;
	uint32_t tid = (uint32_t)mdg__tid();
	volatile uintptr_t *link = &head->list;
	for (int i = 0; i < NODES_MOST; i++) {
		uintptr_t node = mdg__link_node(*link);
		if (node == 0 || node == end)
			break;
		_Atomic uint32_t *word = (_Atomic uint32_t *)(node + (uintptr_t)head->futex_offset);
		if ((atomic_load_explicit(word, memory_order_relaxed) & MDG__TID) != tid)
			break;
		link = (volatile uintptr_t *)node;
	}
	*link = end;
}

/* The anchors are ordinary mutexes and were locked just now, so that no link to them has the mark
 * MDG__LINK_PI, and neither has any between them. What follows the back anchor may have it. */
static int list_find(struct mdg__thread *thread, struct mdg__robust_head *inherited)
{
	struct mdg__robust_head *head = registered(inherited);
	if (head == NULL)
		return -ENOSYS;
	uintptr_t front = head->list;
	if (front - (uintptr_t)&anchors[1] >= sizeof(anchors[1]))
		return -ENOSYS; /* not a list as we know it */
	thread->head = head;
	thread->first = (volatile uintptr_t *)front;
	thread->back = *thread->first;
	return thread->back - (uintptr_t)&anchors[0] < sizeof(anchors[0]) ? 0 : -ENOSYS;
}

static int list_prepare(struct mdg__thread *thread)
{
	struct mdg__robust_head *inherited = thread->head;
	if (inherited != NULL)
		cut_inherited(inherited);
	memset(thread, 0, sizeof(*thread));
	if (anchor_drop(&anchors[0]) < 0)
		return -ENOSYS;
	int rc = anchor_drop(&anchors[1]);
	if (rc == 0) {
		rc = list_find(thread, inherited);
		if (rc < 0)
			(void)pthread_mutex_unlock(&anchors[1]);
	}
	if (rc < 0) {
		(void)pthread_mutex_unlock(
			&anchors[0]); /* the next call finds nothing of this one */
		thread->head = NULL;
	}
	return rc;
}

#endif

static int set_up(struct mdg__thread *thread, uint32_t epoch)
{
	int rc = list_prepare(thread);
	if (rc < 0)
		return rc;
	thread->to_node = -thread->head->futex_offset;
	if (thread->to_node < MDG__NODE_NEAREST || thread->to_node > MDG__NODE_FARTHEST)
		return -ENOSYS;
	thread->tid = (uint32_t)mdg__tid();
	thread->epoch = epoch;
	mdg__unmapped_watch();
	give_back_at_end(thread);
	return 0;
}

/* Signals blocked: a handler would find it half done. */
int mdg__thread_set_up(struct mdg__thread *thread)
{
	mdg__sigmask mask;
	int saved = errno, rc = 0;
	if (thread->epoch != 0 && mdg__epoch_is(thread->epoch))
		return 0; /* where the kernel does not wipe, each call comes here to learn that */
	mdg__signals_block(&mask);
	uint32_t epoch = mdg__epoch();
	if (thread->epoch != epoch)
		rc = set_up(thread, epoch);
	mdg__signals_restore(&mask);
	errno = saved;
	return rc;
}
