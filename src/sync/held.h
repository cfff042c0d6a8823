/* SPDX-License-Identifier: MIT */
/*
 * held.h - the locks that the calling thread holds, in a list that the kernel reads.
 *
 * A thread that dies holding a lock cannot say so. The kernel says it instead. Each thread has a
 * ROBUST LIST (get_robust_list(2)): a chain of nodes, one for each lock that the thread holds. Each
 * node lies at a fixed distance from the lock's futex word. When the thread ends, by exit, exec
 * or kill -9, the kernel walks the chain. In every word that still contains the thread's id it
 * replaces the id by OWNER_DIED, and it wakes one sleeper. Since this happens at the death itself,
 * it does not matter that thread ids are used again.
 *
 * SHARING THE LIST. The list belongs to the C library, which enters its own robust mutexes at the
 * front. The library must not come across our nodes, nor we across its nodes. So each thread
 * locks two robust mutexes of the C library and keeps them locked until it ends: the ANCHORS.
 * They lie one right before the other in the list, and our nodes lie between them:
 *
 *     head -> (its mutexes) -> front -> ours -> ours -> back -> (its older ones) -> head
 *
 * The last of ours may be a word that stays until the thread ends (witness.h). It is not among
 * `held`.
 *
 * The library changes a node's links only when it locks a mutex, which enters a node at the head,
 * or when it unlocks one of the node's neighbours in the list. As far as the library knows, the two
 * anchors are neighbours, and it unlocks neither while there are nodes of ours. The distance from
 * node to word is the one that the C library in use has chosen. An object has room for the node at
 * each distance that exists (owned.h).
 *
 * TRUST. The nodes must lie in shared memory, but the thread only writes them there. It knows from
 * its own memory which locks it holds, and in which order. If somebody overwrites a node, the
 * worst outcome is that the kernel does not notice the deaths of this thread's locks.
 *
 * PENDING. The list's head has one more field, list_op_pending, which names one more node. The
 * kernel looks at that node, too. If its word contains the thread's id, the kernel does what it
 * does for a node in the list. If its word names no owner, the kernel wakes one sleeper. This
 * covers a thread that dies
 *   - after it took a lock and before it entered the lock in the list;
 *   - after it gave the lock back and before it woke a sleeper;
 *   - after it was woken and before it took the lock.
 * A comment that says [pending names it] means: the caller has called mdg__pending_begin.
 *
 * All of this is private to one thread. A signal handler may take locks if it gives them back
 * before it returns: after each store below, the list is in a state on which a handler can build.
 * An entry that stays longer, a witness of the room semset, is made only if no operation was
 * interrupted (mdg__held_is_changing). It may come between the look at the list, which tells the
 * index of a lock, and the operation. Therefore "the latest" is asked again in the operation.
 */
#ifndef MADANG_SYNC_HELD_H
#define MADANG_SYNC_HELD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/ofthread.h"

enum { MDG__HELD_MAX = 64 }; /* locks that one thread can hold at once */

/* struct robust_list_head of <linux/futex.h>. */
struct mdg__robust_head {
	volatile uintptr_t list;    /* the link to the first node, see mdg__link_node */
	long futex_offset;          /* from a node to its word */
	volatile uintptr_t pending; /* list_op_pending: a link, or 0 */
};

struct mdg__held {
	_Atomic uint32_t *word;
	uintptr_t below; /* the link to the next node: one of ours, or the back anchor's */
};

struct mdg__thread {
	struct mdg__robust_head *head; /* NULL: not yet asked for */
	uint32_t epoch;                /* of the process in which this was set up */
	uint32_t tid;
	intptr_t to_node;          /* from a word to its node */
	volatile uintptr_t *first; /* the front anchor's link, where our part of the list begins */
	uintptr_t back;            /* the back anchor's node, where our part ends */
	/* Its part of the list ends with this word, if it is not NULL: witness.h */
	struct mdg__robust *witness;
	uint32_t count;
	uint32_t interruptible;               /* 1: signal handlers end its waits for locks */
	struct mdg__held held[MDG__HELD_MAX]; /* oldest first; word NULL: being entered */
};

extern MDG__OF_THREAD struct mdg__thread mdg__this_thread;

/* A link is the address of the next node. Its bit 0 says that the word of that node is a
 * priority-inheritance futex. The C library sets the bit for its own mutexes of that kind, in links
 * and in `pending`, and the kernel reads it. None of our words is of that kind. So we take the bit
 * off before we follow or compare a link, and keep it when we copy a link. */
#define MDG__LINK_PI ((uintptr_t)1)

static inline uintptr_t mdg__link_node(uintptr_t link)
{
	return link & ~MDG__LINK_PI;
}

/* A link is not aligned for some C libraries. It is written by one store even so, on every machine
 * that Madang runs on. */
typedef volatile uintptr_t mdg__link __attribute__((aligned(4), may_alias));

static inline uintptr_t mdg__node_of(const struct mdg__thread *thread, _Atomic uint32_t *word)
{
	return (uintptr_t)word + (uintptr_t)thread->to_node;
}

/* From here on, if this thread dies, the kernel looks at `word` as PENDING says above. Returns what
 * must be given to mdg__pending_end: in a handler that interrupted such an operation, that is the
 * node of the interrupted one. */
static inline uintptr_t mdg__pending_begin(struct mdg__thread *thread, _Atomic uint32_t *word)
{
	uintptr_t before = thread->head->pending;
	thread->head->pending = mdg__node_of(thread, word);
	atomic_signal_fence(memory_order_seq_cst);
	return before;
}

static inline void mdg__pending_end(struct mdg__thread *thread, uintptr_t before)
{
	atomic_signal_fence(memory_order_seq_cst);
	thread->head->pending = before;
}

/* Whether the caller is in a handler that has interrupted an operation on the list. */
static inline bool mdg__held_is_changing(const struct mdg__thread *thread)
{
	return thread->head != NULL && thread->head->pending != 0;
}

/* Enters a word that contains this thread's id. [pending names it, count < MDG__HELD_MAX] */
static inline void mdg__held_enter(struct mdg__thread *thread, _Atomic uint32_t *word)
{
	struct mdg__held *held = &thread->held[thread->count];
	uintptr_t node = mdg__node_of(thread, word);
	thread->count++;
	atomic_signal_fence(memory_order_seq_cst);
	held->below = *thread->first;
	*(mdg__link *)node = held->below;
	atomic_signal_fence(memory_order_seq_cst);
	*thread->first = node;
	held->word = word;
	atomic_signal_fence(memory_order_seq_cst);
}

/* Returns the index of the word among what the thread holds, or -1. */
static inline int mdg__held_find(const struct mdg__thread *thread, const _Atomic uint32_t *word)
{
	int at = (int)thread->count - 1;
	while (at >= 0 && thread->held[at].word != word)
		at--;
	return at;
}

/* The same for any word within the `size` bytes at `object`. */
static inline int mdg__held_find_within(const struct mdg__thread *thread, const void *object,
                                        size_t size)
{
	int at = (int)thread->count - 1;
	while (at >= 0 && (uintptr_t)thread->held[at].word - (uintptr_t)object >= size)
		at--;
	return at;
}

/* The entry above this one links to it. */
void mdg__held_leave_middle(struct mdg__thread *thread, int at);

/* Takes the latest entry, at index `at`, out of the list. The caller gives the word back after
 * that. [pending names it] */
static inline void mdg__held_leave_latest(struct mdg__thread *thread, uint32_t at)
{
	*thread->first = thread->held[at].below;
	thread->held[at].word = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	thread->count = at;
}

/* The same for any entry. If it is not the latest, or a handler has made one more meanwhile, those
 * above stay. [pending names it] */
static inline void mdg__held_leave(struct mdg__thread *thread, int at)
{
	if (__builtin_expect(thread->count != (uint32_t)at + 1, 0))
		mdg__held_leave_middle(thread, at);
	else
		mdg__held_leave_latest(thread, (uint32_t)at);
}

#endif
