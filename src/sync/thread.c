/* SPDX-License-Identifier: MIT */
/*
 * thread.c - finds the calling thread's robust list, and puts the anchors into it. held.h says why.
 *
 * Android's C library has no robust mutexes and registers no robust list. There, the thread
 * registers a list of its own. MDG__OWN_ROBUST_LIST makes it do so anywhere, for tests.
 *
 * A forked child inherits the parent's memory, but neither its thread id nor its list, and it holds
 * nothing. Its epoch differs (platform/epoch.h), so it is set up anew. A child of vfork must not
 * use locks.
 */
#include "sync/thread.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "platform/identity.h"
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
	if (mdg__sys_set_robust_list(&own_head, sizeof(own_head)) < 0)
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

/* The destructor of this key unlocks the anchors of a thread that ends and holds nothing. Then
 * the list is as it would be without us. A thread that still holds something keeps the anchors,
 * because the kernel needs them. */
static pthread_key_t at_end;
static bool at_end_exists;
/* Takes the witness out of the list, so that nobody follows a link in shared memory any more: some
 * C libraries walk over the list themselves when a thread ends. [it holds nothing else] */
static void witness_leave(struct mdg__thread *thread)
{
	_Atomic uint32_t *word = &thread->witness->word;
	uintptr_t before = mdg__pending_begin(thread, word);
	*thread->first = thread->back;
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(word, MDG__DIED, memory_order_release);
	mdg__pending_end(thread, before);
}

/* Values of later keys would make the C library allocate memory. */
enum { KEYS_AT_HAND = 32 };

static void thread_end(void *pointer)
{
	struct mdg__thread *thread = pointer;
	mdg__sigmask mask;
	mdg__signals_block(&mask);
	bool mine =
		thread == &mdg__this_thread && thread->epoch != 0 && mdg__epoch_is(thread->epoch);
	if (mine && thread->count == 0) {
		if (thread->witness != NULL)
			witness_leave(thread);
		memset(thread, 0,
		       sizeof(*thread)); /* a destructor that runs later sets the thread up anew */
		(void)pthread_mutex_unlock(&anchors[1]);
		(void)pthread_mutex_unlock(&anchors[0]);
	}
	mdg__signals_restore(&mask);
}

static __attribute__((constructor)) void at_end_make(void)
{
	at_end_exists = pthread_key_create(&at_end, thread_end) == 0;
}

/* The library may be unloaded. Then no thread that ends must call into it. */
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

/* Locks an anchor, which puts it at the front of the list. It is unlocked at the thread's end, if
 * at all. */
static int anchor_drop(pthread_mutex_t *anchor)
{
	pthread_mutexattr_t robust;
	if (pthread_mutexattr_init(&robust) != 0)
		return -ENOSYS;
	/* Process-shared, because some C libraries tell the kernel of no other robust mutexes. */
	bool done = pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST) == 0 &&
	            pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED) == 0;
	memset(anchor, 0, sizeof(anchors[0])); /* in a forked child it is the parent's */
	done = done && pthread_mutex_init(anchor, &robust) == 0 && pthread_mutex_lock(anchor) == 0;
	pthread_mutexattr_destroy(&robust);
	return done ? 0 : -ENOSYS;
}

/* Asks the kernel where the list is. After a bare clone(2) nobody has told the kernel. Then the
 * list is where it was in the parent, and this tells the kernel. */
static struct mdg__robust_head *registered(struct mdg__robust_head *inherited)
{
	size_t size = 0;
	void *found = NULL;
	if (mdg__sys_get_robust_list(&found, &size) < 0)
		return NULL;
	if (found == NULL && inherited != NULL &&
	    mdg__sys_set_robust_list(inherited, sizeof(*inherited)) == 0)
		return inherited;
	return size == sizeof(struct mdg__robust_head) ? found : NULL;
}

/* Some C libraries leave the parent's list in place in a forked child. Its nodes are still the
 * parent's and may lie in shared memory, and the library would write to them. The child holds
 * none of them. So this cuts the list off behind what the child itself has locked since
 * the fork. */
static void cut_inherited(struct mdg__robust_head *head)
{
	enum { NODES_MOST = 2048 }; /* as many as the kernel follows */
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

/* The anchors have just been locked and are ordinary mutexes. So no link to an anchor, and none
 * between them, has the mark MDG__LINK_PI. The link from the back anchor to what follows may have
 * it. */
static int list_find(struct mdg__thread *thread, struct mdg__robust_head *inherited)
{
	struct mdg__robust_head *head = registered(inherited);
	if (head == NULL)
		return -ENOSYS;
	uintptr_t front = head->list;
	if (front - (uintptr_t)&anchors[1] >= sizeof(anchors[1]))
		return -ENOSYS; /* this is not the list that we know */
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

/* Signals are blocked, because a handler would find the thread half set up. */
int mdg__thread_set_up(struct mdg__thread *thread)
{
	mdg__sigmask mask;
	int saved = errno, rc = 0;
	if (thread->epoch != 0 && mdg__epoch_is(thread->epoch))
		return 0; /* on kernels without MADV_WIPEONFORK each call comes here */
	mdg__signals_block(&mask);
	uint32_t epoch = mdg__epoch();
	if (thread->epoch != epoch)
		rc = set_up(thread, epoch);
	mdg__signals_restore(&mask);
	errno = saved;
	return rc;
}
