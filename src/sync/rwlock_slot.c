/* SPDX-License-Identifier: MIT */
/*
 * rwlock_slot.c - the readers' slots of a rwlock. rwlock_slot.h says what each function does.
 */
#include "sync/rwlock_slot.h"

#include <limits.h>

/* ---- giving back ------------------------------------------------------------------------ */

/* Wakes all threads that sleep because every slot was taken. All, because each of them looks at all
 * slots. */
static void wake_crowd(struct mdg__rwlock *rw)
{
	/* seq_cst: after the slot was emptied; pairs with the one in mdg__slot_await. */
	uint32_t seen = atomic_load_explicit(&rw->crowd, memory_order_seq_cst);
	if ((seen & 1) != 0 &&
	    atomic_compare_exchange_strong_explicit(&rw->crowd, &seen, seen + 1,
	                                            memory_order_relaxed, memory_order_relaxed))
		(void)mdg__sys_futex_wake_bits(&rw->crowd, INT_MAX, (uint32_t)MDG__ANYONE);
}

/* Two kinds of threads may sleep: the writer, of which there is one, and threads that want a slot.
 *
 * The slot may be emptied before the writer is woken, and this thread may be killed in between. So
 * the mark WAITERS stays in the empty slot: a reader that takes the slot meanwhile takes the mark
 * with it, and wakes the writer when it leaves. The mark goes away as in owned.c: when nobody
 * went to sleep since, and nobody sleeps. */
void mdg__slot_give_marked(struct mdg__rwlock *rw, _Atomic uint32_t *word)
{
	uint32_t held = mdg__this_thread.tid | MDG__WAITERS;
	/* seq_cst: release, as in mdg__slot_give; and before the load in wake_crowd. */
	if (atomic_load_explicit(word, memory_order_relaxed) != held ||
	    mdg__sys_futex_wake_bits(word, 1, (uint32_t)MDG__ANYONE) != 0 ||
	    !atomic_compare_exchange_strong_explicit(word, &held, 0, memory_order_seq_cst,
	                                             memory_order_relaxed)) {
		atomic_store_explicit(word, MDG__WAITERS, memory_order_seq_cst);
		(void)mdg__sys_futex_wake_bits(word, 1, (uint32_t)MDG__ANYONE);
	}
	wake_crowd(rw);
}

void mdg__slot_wake(struct mdg__rwlock *rw, _Atomic uint32_t *word)
{
	(void)mdg__sys_futex_wake_bits(word, 1, (uint32_t)MDG__ANYONE);
	wake_crowd(rw);
}

/* ---- taking ----------------------------------------------------------------------------- */

/* Lets writers find the slot from now on. This is done once in the life of a slot, and the slot's
 * `mark` says that it was done. The owner of the slot writes the mark; it goes with the word. */
static __attribute__((noinline, cold)) void slot_show(struct mdg__rwlock *rw, uint32_t at)
{
	/* seq_cst: before the load in `closed` (rwlock_read.c); pairs with the load in
	 * mdg__rwlock_drain. */
	(void)atomic_fetch_or_explicit(&rw->used[at / 32], UINT32_C(1) << at % 32,
	                               memory_order_seq_cst);
	rw->slot[at].robust.mark = MDG__SHARED_MARK;
}

/* If the word was not 0, threads that sleep on it may not have been woken yet: then the new word
 * has the mark WAITERS as well. */
bool mdg__slot_take(struct mdg__thread *thread, struct mdg__rwlock *rw, uint32_t at, uint32_t seen)
{
	struct mdg__robust *slot = &rw->slot[at].robust;
	uint32_t marks = seen != 0 ? MDG__WAITERS : 0;
	/* seq_cst: before the loads in slot_show and `closed`; pairs with await_empty. Acquire:
	 * pairs with mdg__slot_give. The thread that wrote `mark` had set the bit in `used`
	 * before. */
	if (__builtin_expect(!atomic_compare_exchange_strong_explicit(
				     &slot->word, &seen, thread->tid | marks, memory_order_seq_cst,
				     memory_order_relaxed),
	                     0))
		return false;
	if (__builtin_expect(slot->mark != MDG__SHARED_MARK, 0))
		slot_show(rw, at);
	return true;
}

/* ---- waiting ---------------------------------------------------------------------------- */

bool mdg__slot_mark(_Atomic uint32_t *word, uint32_t *ret_seen)
{
	/* seq_cst: pairs with mdg__slot_give_marked and mdg__slot_take. */
	uint32_t seen = atomic_load_explicit(word, memory_order_seq_cst);
	while ((seen & MDG__TID) != 0) {
		*ret_seen = seen | MDG__WAITERS | MDG__CAME;
		if (seen == *ret_seen ||
		    atomic_compare_exchange_weak_explicit(
			    word, &seen, *ret_seen, memory_order_seq_cst, memory_order_seq_cst))
			return true;
	}
	return false;
}

/* No `pending` covers this sleep. If this thread dies here, or is not woken because another thread
 * died, then others lose MDG__LOOK_AGAIN_NS at most. */
int mdg__slot_await(const struct mdg__thread *thread, struct mdg__rwlock *rw, uint64_t deadline)
{
	uint32_t ignored;
	if (deadline == 0)
		return -ETIMEDOUT;
	uint32_t seen = atomic_load_explicit(&rw->crowd, memory_order_relaxed);
	/* seq_cst: before the slots are looked at; pairs with wake_crowd. */
	if ((seen & 1) == 0 &&
	    atomic_compare_exchange_strong_explicit(&rw->crowd, &seen, seen + 1,
	                                            memory_order_seq_cst, memory_order_relaxed))
		seen++;
	if ((seen & 1) == 0)
		return 0;
	for (uint32_t i = 0; i < MDG_READERS_MAX; i++)
		if (!mdg__slot_mark(&rw->slot[i].robust.word, &ignored))
			return 0;
	return mdg__sleep_ends(thread, mdg__sleep_and_look(&rw->crowd, seen, deadline));
}
