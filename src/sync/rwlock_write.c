/* SPDX-License-Identifier: MIT */
/*
 * rwlock_write.c - locking a rwlock for writing.
 */
#include "sync/rwlock_write.h"

#include "sync/rwlock_slot.h"

/* ---- waiting for the readers ------------------------------------------------------------- */

/* Sleeps until the reader with this marked word leaves, and sometimes looks again without being
 * woken, after *pause; rwlock.h says why. Such a look doubles *pause, up to a second. */
static int sleep_until_left(_Atomic uint32_t *word, uint32_t seen, uint64_t deadline,
                            uint64_t *pause)
{
	const uint64_t longest = 1000000000;
	int rc = mdg__sleep_at_most(word, seen, deadline, (uint32_t)MDG__ANYONE, *pause);
	if (*pause < longest)
		*pause *= 2;
	return rc;
}

/* Waits until one slot is empty; empties the slot of a dead reader. Returns 0, or what
 * mdg__sleep_ends does.
 * The writer's word is in this thread's list by now. So if this thread dies, that is known, and the
 * next writer waits in its place. */
static int await_empty(struct mdg__thread *thread, struct mdg__rwlock *rw, _Atomic uint32_t *word,
                       uint64_t deadline)
{
	_Atomic uint64_t *note = NULL;
	uint64_t pause = MDG__LOOK_AGAIN_NS;
	int rc = 0;
	for (int spins = 0; rc == 0; spins++) {
		/* seq_cst: after the word was taken; pairs with mdg__slot_take. Acquire: pairs
		 * with mdg__slot_give. */
		uint32_t seen = atomic_load_explicit(word, memory_order_seq_cst);
		if (seen == 0)
			break;
		if ((seen & MDG__TID) == 0) {
			/* Acquire: pairs with the kernel's mark of a death. */
			(void)atomic_compare_exchange_strong_explicit(
				word, &seen, 0, memory_order_acquire, memory_order_relaxed);
		} else if (spins < MDG__SPINS) {
			mdg__cpu_pause();
		} else if (deadline == 0) {
			rc = -ETIMEDOUT;
		} else if (mdg__slot_mark(word, &seen)) {
			note = note != NULL ? note
			                    : mdg__note_sleep(&rw->writer.notes, thread->tid);
			rc = sleep_until_left(word, seen, deadline, &pause);
			rc = mdg__sleep_ends(thread, rc);
		}
	}
	mdg__note_awake(note);
	return rc;
}

int mdg__rwlock_drain(struct mdg__thread *thread, struct mdg__rwlock *rw, uint64_t deadline)
{
	/* The word was taken before, seq_cst (owned.h, owned.c); pairs with `closed`. */
	for (uint32_t i = 0; i < MDG_READERS_MAX / 32; i++) {
		/* seq_cst: pairs with slot_show. */
		uint32_t used = atomic_load_explicit(&rw->used[i], memory_order_seq_cst);
		for (; used != 0; used &= used - 1) {
			uint32_t at = 32 * i + (uint32_t)__builtin_ctz(used);
			int rc = await_empty(thread, rw, &rw->slot[at].robust.word, deadline);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

/* `try` calls this first, so that it need not keep readers out only to learn that it cannot get
 * in. */
bool mdg__rwlock_has_readers(struct mdg__rwlock *rw)
{
	for (uint32_t i = 0; i < MDG_READERS_MAX / 32; i++) {
		uint32_t used = atomic_load_explicit(&rw->used[i], memory_order_relaxed);
		for (; used != 0; used &= used - 1) {
			uint32_t at = 32 * i + (uint32_t)__builtin_ctz(used);
			if ((atomic_load_explicit(&rw->slot[at].robust.word, memory_order_relaxed) &
			     MDG__TID) != 0)
				return true;
		}
	}
	return false;
}

/* ---- going in ----------------------------------------------------------------------------- */

int mdg__rwlock_go_in(struct mdg__thread *thread, struct mdg__rwlock *rw, uint64_t deadline)
{
	if (atomic_load_explicit(&rw->writer.state, memory_order_relaxed) >= MDG__BROKEN)
		return mdg__rwlock_give_up(rw, MDG_BROKEN);
	int rc = mdg__rwlock_drain(thread, rw, deadline);
	if (rc < 0)
		return mdg__rwlock_give_up(rw, rc);
	bool left = mdg__rwlock_was_left(rw);
	/* If this thread dies before this store or after it, the next owner is told either way. */
	if (left)
		atomic_store_explicit(&rw->writer.state, MDG__UNREPAIRED, memory_order_relaxed);
	atomic_store_explicit(&rw->inside, 1, memory_order_relaxed);
	/* The store is made before anything that the caller writes. If this thread is killed, the
	 * next owner sees its stores in this order. */
	atomic_signal_fence(memory_order_seq_cst);
	return left ? MDG_OWNER_DIED : 0;
}

static __attribute__((noinline)) int write_other(struct mdg__rwlock *rw, uint64_t deadline)
{
	struct mdg__thread *thread = mdg__thread();
	if (thread == NULL)
		return -ENOSYS;
	if (mdg__rwlock_held_at(thread, rw) >= 0)
		return -EDEADLK;
	int rc = mdg__owned_take(&rw->writer, deadline);
	return mdg__rwlock_is_taken(rc) ? mdg__rwlock_go_in(thread, rw, deadline) : rc;
}

/* Does what mdg__rwlock_go_in does, if no writer has left anything and no reader is in. False: it
 * is not so, and mdg__rwlock_go_in has to be called. */
static inline bool go_in_at_once(struct mdg__rwlock *rw)
{
	if (mdg__rwlock_was_left(rw))
		return false;
	for (uint32_t i = 0; i < MDG_READERS_MAX / 32; i++) {
		/* seq_cst, both: as in mdg__rwlock_drain and await_empty. */
		uint32_t used = atomic_load_explicit(&rw->used[i], memory_order_seq_cst);
		for (; used != 0; used &= used - 1) {
			uint32_t at = 32 * i + (uint32_t)__builtin_ctz(used);
			if (atomic_load_explicit(&rw->slot[at].robust.word, memory_order_seq_cst) !=
			    0)
				return false;
		}
	}
	atomic_store_explicit(&rw->inside, 1, memory_order_relaxed);
	/* As in mdg__rwlock_go_in. */
	atomic_signal_fence(memory_order_seq_cst);
	return true;
}

/* The rare cases are calls at the end, so that the common case needs no stack. */
static inline int write_until(struct mdg__rwlock *rw, uint64_t deadline)
{
	struct mdg__thread *thread = mdg__of_thread(&mdg__this_thread);
	if (__builtin_expect(!mdg__thread_is_ready(thread) ||
	                             mdg__rwlock_held_at(thread, rw) >= 0 ||
	                             !mdg__owned_take_free(&rw->writer),
	                     0))
		return write_other(rw, deadline);
	return __builtin_expect(go_in_at_once(rw), 1) ? 0 : mdg__rwlock_go_in(thread, rw, deadline);
}

/* ---- the calls ---------------------------------------------------------------------------- */

int mdg_rwlock_write(mdg_rwlock *lock)
{
	return write_until(mdg__rwlock_of(lock), MDG_FOREVER);
}

int mdg_rwlock_write_until(mdg_rwlock *lock, uint64_t deadline)
{
	return write_until(mdg__rwlock_of(lock), deadline);
}

int mdg_rwlock_trywrite(mdg_rwlock *lock)
{
	struct mdg__rwlock *rw = mdg__rwlock_of(lock);
	struct mdg__thread *thread = mdg__thread();
	if (thread == NULL)
		return -ENOSYS;
	if (mdg__rwlock_held_at(thread, rw) >= 0)
		return -EDEADLK;
	if (mdg__rwlock_has_readers(rw))
		return -EBUSY;
	int rc = mdg__owned_try(&rw->writer);
	if (mdg__rwlock_is_taken(rc))
		rc = mdg__rwlock_go_in(thread, rw, 0);
	return rc == -ETIMEDOUT ? -EBUSY : rc;
}
