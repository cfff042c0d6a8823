/* SPDX-License-Identifier: MIT */
/*
 * unmapped.c - gives up the locks in memory that the thread which holds them unmaps.
 *
 * platform/unmapping.h says why this is necessary. mdg_segment_detach refuses to unmap such memory.
 * shmdt, munmap, mmap over the memory and mremap cannot refuse, because the kernel would not. They
 * call this first. For each lock of the calling thread that lies there, this
 *   1. takes the lock out of the thread's list,
 *   2. writes to its word what the kernel would write at the thread's death, and
 *   3. wakes a sleeper. The next owner gets MDG_OWNER_DIED.
 * The thread may die on the way. `pending` names the word from before step 1 until after step 3,
 * so the kernel does what is missing.
 *
 * Everything that has an owner is in the thread's list: mutex, once, cell, transaction, a rwlock
 * held in either way, and a member's slot in a barrier.
 */
#include "sync/unmapped.h"

#include "platform/unmapping.h"
#include "sync/owned.h"

/* Whether any byte of the struct mdg__robust around this word lies in the range. */
static bool lies_in(uintptr_t word, uintptr_t start, size_t length)
{
	uintptr_t from = word - offsetof(struct mdg__robust, word);
	return length != 0 && from <= start + (length - 1) &&
	       from + (sizeof(struct mdg__robust) - 1) >= start;
}

static uintptr_t pending_word(const struct mdg__thread *thread)
{
	uintptr_t node = mdg__link_node(thread->head->pending);
	return node == 0 ? 0 : node - (uintptr_t)thread->to_node;
}

static bool holds(uintptr_t start, size_t length)
{
	const struct mdg__thread *thread = mdg__of_thread(&mdg__this_thread);
	if (thread->epoch == 0 || !mdg__epoch_is(thread->epoch))
		return false;
	for (uint32_t i = 0; i < thread->count; i++)
		if (lies_in((uintptr_t)thread->held[i].word, start, length))
			return true;
	/* This may run in a signal handler that has interrupted an operation. */
	uintptr_t word = pending_word(thread);
	return word != 0 && lies_in(word, start, length);
}

/* Does what the kernel does at a thread's death. */
static void mark_died(_Atomic uint32_t *word, uint32_t tid)
{
	/* Release: pairs with the acquire in take_marked, owned.c. */
	uint32_t seen = atomic_load_explicit(word, memory_order_relaxed);
	while ((seen & MDG__TID) == tid)
		if (atomic_compare_exchange_weak_explicit(
			    word, &seen, (seen & MDG__WAITERS) | MDG__DIED, memory_order_seq_cst,
			    memory_order_relaxed)) {
			if ((seen & MDG__WAITERS) != 0)
				(void)mdg__sys_futex_wake_bits(word, 1, (uint32_t)MDG__ANYONE);
			return;
		}
}

static void let_go(uintptr_t start, size_t length)
{
	struct mdg__thread *thread = mdg__of_thread(&mdg__this_thread);
	mdg__sigmask mask;
	if (!holds(start, length))
		return;
	mdg__signals_block(&mask);
	/* Begin with the latest. Then no link is written to a node whose memory is being
	 * unmapped. */
	for (int at = (int)thread->count - 1; at >= 0; at--) {
		_Atomic uint32_t *word = thread->held[at].word;
		if (!lies_in((uintptr_t)word, start, length))
			continue;
		uintptr_t before = mdg__pending_begin(thread, word);
		mdg__held_leave(thread, at);
		mark_died(word, thread->tid);
		mdg__pending_end(thread, before);
	}
	if (pending_word(thread) != 0 && lies_in(pending_word(thread), start, length))
		thread->head->pending = 0;
	mdg__signals_restore(&mask);
}

void mdg__unmapped_watch(void)
{
	static const struct mdg__unmapping functions = { holds, let_go };
	/* Release: pairs with the acquire in unmapping.h. */
	atomic_store_explicit(&mdg__unmapping, &functions, memory_order_release);
}
