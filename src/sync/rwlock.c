/* SPDX-License-Identifier: MIT */
/*
 * rwlock.c - leaving a rwlock, and making it good or new. rwlock.h says how it works.
 */
#include "sync/rwlock.h"

#include "sync/rwlock_slot.h"
#include "sync/rwlock_write.h"

static inline bool held_for_writing(const struct mdg__rwlock *rw, const struct mdg__thread *thread,
                                    int at)
{
	return at >= 0 && thread->held[at].word == &rw->writer.robust.word;
}

/* ---- unlocking ------------------------------------------------------------------------------ */

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

static __attribute__((noinline)) int read_end_marked(struct mdg__thread *thread,
                                                     struct mdg__rwlock *rw, _Atomic uint32_t *word,
                                                     uintptr_t before)
{
	mdg__slot_give_marked(rw, word);
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
	if (held_for_writing(rw, thread, at))
		return write_end(thread, rw, at);
	_Atomic uint32_t *word = thread->held[at].word;
	uintptr_t before = mdg__pending_begin(thread, word);
	mdg__held_leave(thread, at);
	if (!mdg__slot_give(word, thread->tid))
		mdg__slot_give_marked(rw, word);
	mdg__pending_end(thread, before);
	return 0;
}

static __attribute__((noinline)) int write_end_waking(struct mdg__rwlock *rw, uintptr_t before)
{
	mdg__robust_wake(&rw->writer.robust, 1);
	mdg__pending_end(&mdg__this_thread, before);
	return 0;
}

/* Unlocks for a writer. [the lock is the latest that the thread holds, and its state is 0] */
static inline int write_end_latest(struct mdg__thread *thread, struct mdg__rwlock *rw)
{
	uintptr_t before;
	/* Release: as in write_end. */
	atomic_store_explicit(&rw->inside, 0, memory_order_release);
	if (!mdg__robust_give_latest(thread, &rw->writer.robust, &before))
		return write_end_waking(rw, before);
	mdg__pending_end(thread, before);
	return 0;
}

int mdg_rwlock_unlock(mdg_rwlock *lock)
{
	struct mdg__rwlock *rw = mdg__rwlock_of(lock);
	struct mdg__thread *thread = &mdg__this_thread;
	if (__builtin_expect(!mdg__thread_is_ready(thread), 0))
		return unlock_other(rw);
	_Atomic uint32_t *word = &rw->slot[mdg__slot_first(thread)].robust.word;
	uint32_t last = thread->count - 1;
	if (__builtin_expect(last >= MDG__HELD_MAX, 0))
		return unlock_other(rw);
	if (thread->held[last].word != word) {
		bool plain = thread->held[last].word == &rw->writer.robust.word &&
		             atomic_load_explicit(&rw->writer.state, memory_order_relaxed) == 0;
		return plain ? write_end_latest(thread, rw) : unlock_other(rw);
	}
	uintptr_t before = mdg__pending_begin(thread, word);
	mdg__held_leave_last(thread, last);
	if (!mdg__slot_give(word, thread->tid))
		return read_end_marked(thread, rw, word, before);
	mdg__pending_end(thread, before);
	return 0;
}

/* ---- repair, destruction -------------------------------------------------------------------- */

int mdg_rwlock_set_repaired(mdg_rwlock *lock)
{
	struct mdg__rwlock *rw = mdg__rwlock_of(lock);
	struct mdg__thread *thread = mdg__thread();
	if (thread == NULL || !held_for_writing(rw, thread, mdg__rwlock_held_at(thread, rw)))
		return -EPERM;
	if (atomic_load_explicit(&rw->writer.state, memory_order_relaxed) == 0)
		return -EINVAL;
	/* Release: after what the caller repaired. If this thread dies from here on, `inside` is
	 * still 1, and the next owner is told. */
	atomic_store_explicit(&rw->writer.state, 0, memory_order_release);
	return 0;
}

/* Goes in as a writer, so that nobody else is in. The bits in `used` stay, because a reader may
 * have seen that its bit is set. */
int mdg_rwlock_destroy(mdg_rwlock *lock)
{
	struct mdg__rwlock *rw = mdg__rwlock_of(lock);
	struct mdg__thread *thread = mdg__thread();
	if (thread == NULL)
		return -ENOSYS;
	if (mdg__rwlock_held_at(thread, rw) >= 0 || mdg__rwlock_has_readers(rw))
		return -EBUSY;
	int rc = mdg__owned_try(&rw->writer);
	if (!mdg__rwlock_is_taken(rc))
		return rc == -EDEADLK ? -EBUSY : rc;
	if (mdg__rwlock_drain(thread, rw, 0) < 0)
		return mdg__rwlock_give_up(rw, -EBUSY);
	atomic_store_explicit(&rw->writer.state, 0, memory_order_relaxed);
	atomic_store_explicit(&rw->inside, 0, memory_order_relaxed);
	return mdg__owned_give(&rw->writer);
}
