/* SPDX-License-Identifier: MIT */
/*
 * rwlock.c - clearing the state of a rwlock: its data are repaired, or it is made new.
 */
#include "sync/rwlock.h"

#include "sync/rwlock_write.h"

int mdg_rwlock_set_repaired(mdg_rwlock *lock)
{
	struct mdg__rwlock *rw = mdg__rwlock_of(lock);
	struct mdg__thread *thread = mdg__thread();
	if (thread == NULL ||
	    !mdg__rwlock_held_for_writing(rw, thread, mdg__rwlock_held_at(thread, rw)))
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
