/* SPDX-License-Identifier: MIT */
/*
 * unmapped.c - what becomes of locks whose memory the thread that holds them unmaps.
 *
 * platform/unmapping.h says why it matters. The native detach refuses. What cannot refuse, because
 * the kernel would not (shmdt, munmap, mmap over it, mremap), lets go first: the lock leaves the
 * thread's list, and its word gets what the kernel would write at the thread's death. Then a
 * sleeper is woken, and the next owner is told MDG_OWNER_DIED.
 *
 * A death on the way leaves nothing behind: `pending` names the word from before it leaves the list
 * until after the wake-up, and the kernel does what is missing.
 *
 * Everything with an owner lies in the thread's list: mutex, once, cell, transaction, either side
 * of a rwlock, a place in a barrier.
 */
#include "sync/unmapped.h"

#include "platform/unmapping.h"
#include "sync/owned.h"

/* Whether the word, or anything of the struct mdg__robust around it, lies there. */
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
	const struct mdg__thread *thread = &mdg__this_thread;
	if (thread->epoch == 0 || !mdg__epoch_is(thread->epoch))
		return false;
	for (uint32_t i = 0; i < thread->count; i++)
		if (lies_in((uintptr_t)thread->held[i].word, start, length))
			return true;
	uintptr_t word = pending_word(thread); /* of what this call has interrupted */
	return word != 0 && lies_in(word, start, length);
}

/* What the kernel does at a thread's death. */
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
	struct mdg__thread *thread = &mdg__this_thread;
	mdg__sigmask mask;
	if (!holds(start, length))
		return;
	mdg__signals_block(&mask);
	/* From the latest on: so no link is written to a node that has gone. */
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
