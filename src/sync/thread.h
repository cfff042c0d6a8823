/* SPDX-License-Identifier: MIT */
/*
 * thread.h - the calling thread: who it is, and what it holds.
 *
 * Who dies while it holds a lock cannot say so; the kernel can. Each thread has a
 * ROBUST LIST, get_robust_list(2): a chain of nodes, each at a fixed distance from
 * a futex word. When the thread ends (exit, exec, kill -9), the kernel walks the
 * chain, and in every word that still holds the thread's id it sets OWNER_DIED and
 * wakes one sleeper. A reused id is no danger: the mark is made at the death.
 *
 * The list belongs to the C library, which enters its own robust mutexes in front.
 * So that neither meets the other's nodes, each thread locks two robust mutexes of
 * the C library until it ends, the ANCHORS, one right before the other in the list. What
 * lies between them is ours: the library changes a node's links only when a
 * neighbour is unlocked, and the anchors' neighbours towards the middle are the
 * anchors. The distance of node and word is that of the C library in use; an object
 * has room for every one there is (owned.h).
 *
 *     head -> (its mutexes) -> front -> ours -> ours -> back -> (its older ones) -> head
 *
 * The nodes lie in shared memory, as they must, and are only ever written there:
 * what a thread holds, and in which order, it knows from its own memory. A node
 * overwritten by somebody else can at worst hide the deaths of this thread's locks.
 *
 * LIST_OP_PENDING in the list's head names one more node. The kernel looks at it
 * too, and if its word names no owner wakes one sleeper: so a death between taking
 * a lock and entering it, between giving it back and waking, and between being
 * woken and taking it, is covered.
 *
 * All of it is private to the thread. A signal handler may take locks here, if it
 * gives them back: each store below leaves what a handler can build upon.
 */
#ifndef MADANG_SYNC_THREAD_H
#define MADANG_SYNC_THREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/epoch.h"
#include "platform/ofthread.h"

enum { MDG__HELD_MAX = 64 }; /* locks that one thread can hold at once */

/* struct robust_list_head of <linux/futex.h>. */
struct mdg__robust_head {
	volatile uintptr_t list;    /* link to the first node, see mdg__link_node */
	long futex_offset;          /* from a node to its word */
	volatile uintptr_t pending; /* a link, 0: none */
};

struct mdg__held {
	_Atomic uint32_t *word;
	uintptr_t below; /* the link to what follows: a node of ours, or the back anchor's */
};

struct mdg__thread {
	struct mdg__robust_head *head; /* NULL: not yet asked for */
	uint32_t epoch;                /* of the process that this was set up in */
	uint32_t tid;
	intptr_t to_node;          /* from a word to its node */
	volatile uintptr_t *first; /* the front anchor's link, where our stretch begins */
	uintptr_t back;            /* the back anchor's node, where it ends */
	uint32_t count;
	struct mdg__held held[MDG__HELD_MAX]; /* oldest first; word NULL: being entered */
};

extern MDG__OF_THREAD struct mdg__thread mdg__this_thread;

/* Sets the thread up: 0, or -ENOSYS where the kernel has no robust lists. */
int mdg__thread_set_up(struct mdg__thread *thread);

/* False says nothing: mdg__thread looks more closely. */
static inline bool mdg__thread_is_ready(const struct mdg__thread *thread)
{
	return thread->epoch != 0 && mdg__epoch_is_at_once(thread->epoch);
}

/* The calling thread, ready; NULL: cannot be. */
static inline struct mdg__thread *mdg__thread(void)
{
	struct mdg__thread *thread = &mdg__this_thread;
	if (__builtin_expect(!mdg__thread_is_ready(thread), 0) && mdg__thread_set_up(thread) < 0)
		return NULL;
	return thread;
}

/* A link says two things: which node follows, and by bit 0 that the word of that node is a
 * priority-inheritance futex. The C library sets the bit for its own mutexes of that kind, in
 * links and in `pending`, and the kernel goes by it. So the bit is taken off before a link is
 * followed or compared, and moves along where a link is copied. No word of ours is of that kind. */
#define MDG__LINK_PI ((uintptr_t)1)

static inline uintptr_t mdg__link_node(uintptr_t link)
{
	return link & ~MDG__LINK_PI;
}

/* Unaligned for some C libraries: one store all the same, on every machine here. */
typedef volatile uintptr_t mdg__link __attribute__((aligned(4), may_alias));

static inline uintptr_t mdg__node_of(const struct mdg__thread *thread, _Atomic uint32_t *word)
{
	return (uintptr_t)word + (uintptr_t)thread->to_node;
}

/* From here on a death passes on what was meant for this thread. Returns what to give to
 * mdg__pending_end: something else when a handler interrupted such an operation. */
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

/* Enters a word that holds this thread's id. [pending names it, count < MDG__HELD_MAX] */
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

/* Where the word stands among what the thread holds, or -1. */
static inline int mdg__held_find(const struct mdg__thread *thread, const _Atomic uint32_t *word)
{
	int at = (int)thread->count - 1;
	while (at >= 0 && thread->held[at].word != word)
		at--;
	return at;
}

void mdg__held_leave_middle(struct mdg__thread *thread, int at);

/* ---- unmapped.c ---- */
/* From here on the rooms below ask before they unmap something (platform/unmapping.h). */
void mdg__unmapped_watch(void);

/* Takes the latest entry out of the list, before its word is given back. [pending names it] */
static inline void mdg__held_leave_last(struct mdg__thread *thread, uint32_t at)
{
	*thread->first = thread->held[at].below;
	thread->held[at].word = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	thread->count = at;
}

/* The same with any entry. */
static inline void mdg__held_leave(struct mdg__thread *thread, int at)
{
	if (__builtin_expect(at != (int)thread->count - 1, 0))
		mdg__held_leave_middle(thread, at);
	else
		mdg__held_leave_last(thread, (uint32_t)at);
}

#endif
