/* SPDX-License-Identifier: MIT */
/*
 * rwlock_unlock.c - unlocking a rwlock, whichever way it is held. rwlock.h says how it works.
 */
#include "sync/rwlock_slot.h"
#include "sync/rwlock_write.h"

static int write_end(struct mdg__thread *thread, struct mdg__rwlock *rw, int at)
{
	if (__builtin_expect(atomic_load_explicit(&rw->writer.state, memory_order_relaxed) != 0, 0))
		atomic_store_explicit(&rw->writer.state, MDG__BROKEN, memory_order_relaxed);
	/* Release: after all that the caller wrote. If this thread is killed from here on, nobody
	 * need be told. */
	atomic_store_explicit(&rw->inside, 0, memory_order_release);
	mdg__robust_give(thread, &rw->writer.robust, at, 1);
	return 0;
}

static __attribute__((noinline)) int read_end_marked(struct mdg__rwlock *rw, uintptr_t before)
{
	struct mdg__thread *thread = mdg__of_thread(&mdg__this_thread);
	_Atomic uint32_t *word = &rw->slot[mdg__slot_first(thread)].robust.word;
	if (!mdg__slot_give(word, thread->tid))
		mdg__slot_give_marked(rw, word);
	mdg__pending_end(thread, before);
	return 0;
}

static __attribute__((noinline)) int read_end_waking(struct mdg__rwlock *rw, uintptr_t before)
{
	struct mdg__thread *thread = mdg__of_thread(&mdg__this_thread);
	mdg__slot_wake(rw, &rw->slot[mdg__slot_first(thread)].robust.word);
	mdg__pending_end(thread, before);
	return 0;
}

/* The rare cases: a writer that was told of a death, a reader in another than its first slot, or a
 * lock that is not the latest that the thread holds. */
static __attribute__((noinline)) int unlock_other(struct mdg__rwlock *rw)
{
	struct mdg__thread *thread = mdg__thread();
	int at = thread == NULL ? -1 : mdg__rwlock_held_at(thread, rw);
	if (at < 0)
		return -EPERM;
	if (mdg__rwlock_held_for_writing(rw, thread, at))
		return write_end(thread, rw, at);
	_Atomic uint32_t *word = thread->held[at].word;
	uintptr_t before = mdg__pending_begin(thread, word);
	mdg__held_leave(thread, at);
	if (!mdg__slot_give(word, thread->tid))
		mdg__slot_give_marked(rw, word);
	mdg__pending_end(thread, before);
	return 0;
}

/* A handler has made one more entry since the caller looked. */
static __attribute__((noinline, cold)) int end_interrupted(struct mdg__rwlock *rw, uintptr_t before)
{
	mdg__pending_end(mdg__of_thread(&mdg__this_thread), before);
	return unlock_other(rw);
}

static __attribute__((noinline)) int write_end_waking(struct mdg__rwlock *rw, uintptr_t before)
{
	mdg__robust_wake(&rw->writer.robust, 1);
	mdg__pending_end(mdg__of_thread(&mdg__this_thread), before);
	return 0;
}

/* The two common cases. Their rare cases are calls at the end, so that they need no stack. [the
 * lock is the latest that the thread holds, at index `at`] */

/* [its state is 0] */
static inline int write_end_latest(struct mdg__thread *thread, struct mdg__rwlock *rw, uint32_t at)
{
	_Atomic uint32_t *word = &rw->writer.robust.word;
	uint32_t held = thread->tid;
	/* Release: as in write_end. */
	atomic_store_explicit(&rw->inside, 0, memory_order_release);
	uintptr_t before = mdg__pending_begin(thread, word);
	if (__builtin_expect(thread->count != at + 1, 0))
		return end_interrupted(rw, before);
	mdg__held_leave_latest(thread, at);
	/* Release: as in mdg__robust_give. */
	if (__builtin_expect(!atomic_compare_exchange_strong_explicit(
				     word, &held, 0, memory_order_release, memory_order_relaxed),
	                     0))
		return write_end_waking(rw, before);
	mdg__pending_end(thread, before);
	return 0;
}

/* [`word` is that of the thread's first slot] */
static inline int read_end_latest(struct mdg__thread *thread, struct mdg__rwlock *rw,
                                  _Atomic uint32_t *word, uint32_t at)
{
	uintptr_t before = mdg__pending_begin(thread, word);
	if (__builtin_expect(thread->count != at + 1, 0))
		return end_interrupted(rw, before);
	mdg__held_leave_latest(thread, at);
	if (__builtin_expect(mdg__slot_is_wanted(rw, word, thread->tid), 0))
		return read_end_marked(rw, before);
	if (__builtin_expect(!mdg__slot_empty(rw, word), 0))
		return read_end_waking(rw, before);
	mdg__pending_end(thread, before);
	return 0;
}

int mdg_rwlock_unlock(mdg_rwlock *lock)
{
	struct mdg__rwlock *rw = mdg__rwlock_of(lock);
	struct mdg__thread *thread = mdg__of_thread(&mdg__this_thread);
	if (__builtin_expect(!mdg__thread_is_ready(thread), 0))
		return unlock_other(rw);
	_Atomic uint32_t *word = &rw->slot[mdg__slot_first(thread)].robust.word;
	uint32_t last = thread->count - 1;
	if (__builtin_expect(last >= MDG__HELD_MAX, 0))
		return unlock_other(rw);
	if (thread->held[last].word == word)
		return read_end_latest(thread, rw, word, last);
	bool plain = thread->held[last].word == &rw->writer.robust.word &&
	             atomic_load_explicit(&rw->writer.state, memory_order_relaxed) == 0;
	return plain ? write_end_latest(thread, rw, last) : unlock_other(rw);
}
