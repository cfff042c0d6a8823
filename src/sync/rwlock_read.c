/* SPDX-License-Identifier: MIT */
/*
 * rwlock_read.c - locking a rwlock for reading.
 */
#include <limits.h>

#include "sync/rwlock_slot.h"
#include "sync/rwlock_write.h"

/* ---- getting in ----------------------------------------------------------------------------- */

/* Whether readers must stay out: there is a writer, or a dead one, or one has left something. */
static inline bool closed(struct mdg__rwlock *rw)
{
	/* seq_cst: after the slot was taken; pairs with the one in mdg__rwlock_drain. Acquire:
	 * pairs with the release in mdg__robust_give, and brings state and inside. */
	uint32_t word = atomic_load_explicit(&rw->writer.robust.word, memory_order_seq_cst);
	uint32_t state = atomic_load_explicit(&rw->writer.state, memory_order_relaxed);
	uint32_t inside = atomic_load_explicit(&rw->inside, memory_order_relaxed);
	return ((word & ~MDG__WAITERS) | state | inside) != 0;
}

/* Whether a thread got in as a reader. If not: because the slot is taken, or the lock is closed. */
enum entry { ENTERED, SLOT_TAKEN, LOCK_CLOSED };

static enum entry enter(struct mdg__thread *thread, struct mdg__rwlock *rw, uint32_t at,
                        uint32_t seen)
{
	_Atomic uint32_t *word = &rw->slot[at].robust.word;
	enum entry result = SLOT_TAKEN;
	uintptr_t before = mdg__pending_begin(thread, word);
	if (mdg__slot_take(thread, rw, at, seen)) {
		result = closed(rw) ? LOCK_CLOSED : ENTERED;
		if (result == ENTERED)
			mdg__held_enter(thread, word);
		else if (!mdg__slot_give(word, thread->tid))
			mdg__slot_give_marked(rw, word);
	}
	mdg__pending_end(thread, before);
	return result;
}

/* Tries each slot, beginning with the thread's first. */
static enum entry enter_any(struct mdg__thread *thread, struct mdg__rwlock *rw)
{
	enum entry result = SLOT_TAKEN;
	for (uint32_t i = 0; i < MDG_READERS_MAX && result == SLOT_TAKEN; i++) {
		uint32_t at = (mdg__slot_first(thread) + i) % MDG_READERS_MAX;
		uint32_t seen =
			atomic_load_explicit(&rw->slot[at].robust.word, memory_order_relaxed);
		if ((seen & MDG__TID) == 0)
			result = enter(thread, rw, at, seen);
	}
	return result;
}

/* ---- waiting for the writer -------------------------------------------------------------- */

/* Passes a wake-up on: a woken reader wakes all other readers, and one writer. */
static void wake_others(_Atomic uint32_t *word)
{
	(void)mdg__sys_futex_wake_bits(word, INT_MAX, MDG__READERS);
	(void)mdg__sys_futex_wake_bits(word, 1, MDG__TAKERS);
}

/* Sleeps while the word has an owner. Returns 0 or what
 * mdg__sleep_ends does. [pending names it] */
static int sleep_while_owned(struct mdg__thread *thread, _Atomic uint32_t *word, uint64_t deadline)
{
	bool woken = false;
	for (;;) {
		uint32_t seen = atomic_load_explicit(word, memory_order_relaxed);
		if ((seen & MDG__TID) == 0) {
			if (woken)
				wake_others(word);
			return 0;
		}
		/* A thread that was woken may find the word owned again. Then it is that owner who
		 * wakes the others, as in owned.c. */
		uint32_t marked = seen | MDG__WAITERS | MDG__CAME;
		if (seen != marked &&
		    !atomic_compare_exchange_strong_explicit(
			    word, &seen, marked, memory_order_relaxed, memory_order_relaxed))
			continue;
		int rc = mdg__sleep_named(thread, word, marked, deadline, MDG__READERS);
		if (mdg__sleep_ends(thread, rc) < 0)
			return rc;
		woken = woken || rc == 0;
	}
}

static void spin_while_owned(_Atomic uint32_t *word)
{
	for (int i = 0; i < MDG__SPINS; i++) {
		uint32_t seen = atomic_load_explicit(word, memory_order_relaxed);
		if ((seen & MDG__TID) == 0 || (seen & MDG__WAITERS) != 0)
			return;
		mdg__cpu_pause();
	}
}

/* Waits until the writer's word has no owner; it may have one again at once. Returns 0 or
 * what mdg__sleep_ends does. */
static int await_writer(struct mdg__thread *thread, struct mdg__rwlock *rw, uint64_t deadline)
{
	_Atomic uint32_t *word = &rw->writer.robust.word;
	if (deadline == 0)
		return -ETIMEDOUT;
	spin_while_owned(word);
	if ((atomic_load_explicit(word, memory_order_relaxed) & MDG__TID) == 0)
		return 0;
	_Atomic uint64_t *note = mdg__note_sleep(&rw->writer.notes, thread->tid);
	uintptr_t before = mdg__pending_begin(thread, word);
	int rc = sleep_while_owned(thread, word, deadline);
	mdg__pending_end(thread, before);
	mdg__note_awake(note);
	return rc;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The writer's word has no owner, but a dead writer may have left something. Then this reader
 * goes in as a writer. If the dead writer was not in yet, it left nothing. Then this clears the
 * word and returns -EAGAIN, and readers may come in. */
static int take_over(struct mdg__thread *thread, struct mdg__rwlock *rw, uint64_t deadline)
{
	int rc = mdg__owned_try(&rw->writer);
	if (!mdg__rwlock_is_taken(rc))
		return rc == -EBUSY ? -EAGAIN : rc;
	return mdg__rwlock_was_left(rw) ? mdg__rwlock_go_in(thread, rw, deadline)
	                                : mdg__rwlock_give_up(rw, -EAGAIN);
}

/* Makes one attempt. Returns -EAGAIN: make another one. */
static int read_step(struct mdg__thread *thread, struct mdg__rwlock *rw, uint64_t deadline)
{
	/* Acquire: pairs with mdg__robust_give; brings state and inside. */
	uint32_t word = atomic_load_explicit(&rw->writer.robust.word, memory_order_acquire);
	int rc;
	if ((word & MDG__TID) != 0) {
		rc = await_writer(thread, rw, deadline);
		return rc < 0 ? rc : -EAGAIN;
	}
	if ((word & MDG__DIED) == 0 &&
	    atomic_load_explicit(&rw->writer.state, memory_order_relaxed) >= MDG__BROKEN)
		return MDG_BROKEN;
	if ((word & MDG__DIED) != 0 || mdg__rwlock_was_left(rw))
		return take_over(thread, rw, deadline);
	enum entry entry = enter_any(thread, rw);
	if (entry == SLOT_TAKEN) {
		rc = mdg__slot_await(thread, rw, deadline);
		return rc < 0 ? rc : -EAGAIN;
	}
	return entry == ENTERED ? 0 : -EAGAIN;
}

static __attribute__((noinline)) int read_other(struct mdg__rwlock *rw, uint64_t deadline)
{
	struct mdg__thread *thread = mdg__thread();
	if (thread == NULL)
		return -ENOSYS;
	if (mdg__rwlock_held_at(thread, rw) >= 0)
		return -EDEADLK;
	if (thread->count == MDG__HELD_MAX)
		return -ENOLCK;
	int rc;
	do
		rc = read_step(thread, rw, deadline);
	while (rc == -EAGAIN);
	return rc;
}

/* The fast path has taken the slot, but a writer is there as well, or the slot was never used
 * before. This leaves the slot and goes the slow way. */
static __attribute__((noinline, cold)) int
read_back(struct mdg__thread *thread, struct mdg__rwlock *rw, uint64_t deadline, uintptr_t before)
{
	_Atomic uint32_t *word = &rw->slot[mdg__slot_first(thread)].robust.word;
	if (!mdg__slot_give(word, thread->tid))
		mdg__slot_give_marked(rw, word);
	mdg__pending_end(thread, before);
	return read_other(rw, deadline);
}

/* The fast path. It does what `enter` does with one slot, and leaves the rare cases to a call at
 * the end. */
static inline __attribute__((always_inline)) int read_until(struct mdg__rwlock *rw,
                                                            uint64_t deadline)
{
	struct mdg__thread *thread = mdg__of_thread(&mdg__this_thread);
	if (__builtin_expect(!mdg__thread_is_ready(thread) || thread->count == MDG__HELD_MAX ||
	                             mdg__rwlock_held_at(thread, rw) >= 0,
	                     0))
		return read_other(rw, deadline);
	uint32_t at = mdg__slot_first(thread);
	_Atomic uint32_t *word = &rw->slot[at].robust.word;
	uintptr_t before = mdg__pending_begin(thread, word);
	uint32_t free = 0;
	/* seq_cst: as in mdg__slot_take. */
	if (__builtin_expect(!atomic_compare_exchange_strong_explicit(word, &free, thread->tid,
	                                                              memory_order_seq_cst,
	                                                              memory_order_relaxed),
	                     0)) {
		mdg__pending_end(thread, before);
		return read_other(rw, deadline);
	}
	if (__builtin_expect((rw->slot[at].robust.mark != MDG__SHARED_MARK) | closed(rw), 0))
		return read_back(thread, rw, deadline, before);
	mdg__held_enter(thread, word);
	mdg__pending_end(thread, before);
	return 0;
}

/* ---- the calls ------------------------------------------------------------------------------- */

int mdg_rwlock_read(mdg_rwlock *lock)
{
	return read_until(mdg__rwlock_of(lock), MDG_FOREVER);
}

int mdg_rwlock_read_until(mdg_rwlock *lock, uint64_t deadline)
{
	return read_until(mdg__rwlock_of(lock), deadline);
}

int mdg_rwlock_tryread(mdg_rwlock *lock)
{
	int rc = read_until(mdg__rwlock_of(lock), 0);
	return rc == -ETIMEDOUT ? -EBUSY : rc;
}
