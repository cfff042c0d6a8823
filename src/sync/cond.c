/* SPDX-License-Identifier: MIT */
/*
 * cond.c - a number that changes with each wake-up, in a word that also says whether a thread
 * sleeps.
 *
 * A waiter reads the number and marks the word SLEEPING while it holds the mutex. Then it unlocks
 * the mutex, and sleeps while the number is the one it read. The kernel compares the word once more
 * before the sleep. So a thread that is signalled before it falls asleep does not sleep.
 *
 * WHY SIGNAL WAKES ALL. A woken thread may die before it has the mutex, or with the mutex and
 * before it has used what it was woken for. Only the program knows whether it has. If it was the
 * only thread awake, the others would sleep on beside an item that nobody fetches. When all are
 * woken, they queue for the mutex. The kernel hands the mutex on at a death (MDG_OWNER_DIED), and
 * each thread looks for itself. So no death of a waiter has to be noticed here, and `pending`
 * (held.h) is free for the mutex. The price is that all sleepers are woken for one item. To hand
 * work to one thread of many, a semaphore is the better object.
 *
 * WAKING says that a wake-up is under way. The signalling thread may die after it changed the word
 * and before it woke the sleepers. Then it is as if it had died before the signal. But the next
 * signal still finds a mark, and wakes those sleepers too.
 *
 * What it does not do: notice that two threads wait with different mutexes.
 */
#include <limits.h>

#include "sync/owned.h"

struct cond {
	/* SLEEPING, WAKING, and a number modulo 2^30. A waiter sets SLEEPING while it holds the
	 * mutex. A thread that has changed the data under the mutex and then signals sees that
	 * mark, by the mutex's release and acquire. Changing the number releases, and a woken
	 * sleeper acquires; so it also sees what was done without the mutex. */
	_Atomic uint32_t word;
	uint32_t none[15];
	struct mdg__notes notes;
};
#define SLEEPING 1u
#define WAKING   2u
#define ONE      4u

_Static_assert(sizeof(struct cond) == sizeof(mdg_cond), "");
_Static_assert(offsetof(struct cond, notes) == 64, "the second line");
_Static_assert(sizeof(mdg_mutex) == sizeof(struct mdg__owned), "");

static struct cond *inside(mdg_cond *cond)
{
	return (struct cond *)(void *)cond;
}

/* ---- waiting -------------------------------------------------------------------------- */

/* Acquire: pairs with the release in wake. */
static bool is_woken(const struct cond *cond, uint32_t noted, uint32_t *ret_seen)
{
	*ret_seen = atomic_load_explicit(&cond->word, memory_order_acquire);
	return (*ret_seen ^ noted) >= ONE;
}

static int sleep_until(struct cond *cond, uint32_t noted, uint64_t deadline)
{
	uint32_t seen;
	int rc = 0;
	while (!is_woken(cond, noted, &seen)) {
		if (rc < 0)
			return rc;
		/* SLEEPING may be gone if the object was destroyed meanwhile. Relaxed: see struct
		 * cond. */
		if ((seen & SLEEPING) != 0 || atomic_compare_exchange_strong_explicit(
						      &cond->word, &seen, seen | SLEEPING,
						      memory_order_relaxed, memory_order_relaxed))
			rc = mdg__sleep(&cond->word, seen | SLEEPING, deadline,
			                (uint32_t)MDG__ANYONE);
	}
	return 0;
}

/* A thread spins before it sleeps, but not if another one waits already: many that spin take the
 * processors from those that have been woken. */
static int await(struct cond *cond, uint32_t noted, uint64_t deadline)
{
	int spins = deadline == 0 || (noted & SLEEPING) != 0 ? 0 : MDG__SPINS;
	uint32_t seen;
	for (int i = 0; i < spins; i++) {
		if (is_woken(cond, noted, &seen))
			return 0;
		mdg__cpu_pause();
	}
	if (deadline == 0)
		return is_woken(cond, noted, &seen) ? 0 : -ETIMEDOUT;
	_Atomic uint64_t *note = mdg__note_sleep(&cond->notes, mdg__this_thread.tid);
	int rc = sleep_until(cond, noted, deadline);
	mdg__note_awake(note);
	return rc;
}

int mdg_cond_wait(mdg_cond *cond, mdg_mutex *mutex)
{
	return mdg_cond_wait_until(cond, mutex, MDG_FOREVER);
}

int mdg_cond_wait_until(mdg_cond *cond, mdg_mutex *mutex, uint64_t deadline)
{
	struct cond *inner = inside(cond);
	const struct mdg__owned *owned = (const struct mdg__owned *)(const void *)mutex;
	if (!mdg__owned_is_mine(owned))
		return -EPERM;
	/* Unlocking now would break the mutex. Relaxed: only the owner writes the state. */
	if (atomic_load_explicit(&owned->state, memory_order_relaxed) != 0)
		return -EINVAL;
	/* Relaxed: the mutex's release follows. */
	uint32_t noted = atomic_fetch_or_explicit(&inner->word, SLEEPING, memory_order_relaxed);
	(void)mdg_mutex_unlock(mutex);
	int rc = await(inner, noted, deadline);
	int relocked;
	do
		relocked = mdg_mutex_lock(mutex);
	while (relocked == -EINTR); /* to a thread that wants to know of signal handlers */
	return relocked != 0 ? relocked : rc;
}

/* ---- waking ----------------------------------------------------------------------------- */

static __attribute__((noinline)) void wake_all(struct cond *cond, uint32_t seen)
{
	uint32_t woken;
	do {
		if ((seen & (SLEEPING | WAKING)) == 0)
			return; /* another thread has woken them */
		woken = ((seen & ~(SLEEPING | WAKING)) + ONE) | WAKING;
		/* Release: pairs with the acquire in is_woken. */
	} while (!atomic_compare_exchange_weak_explicit(
		&cond->word, &seen, woken, memory_order_release, memory_order_relaxed));
	(void)mdg__sys_futex_wake_bits(&cond->word, INT_MAX, (uint32_t)MDG__ANYONE);
	/* Clear WAKING. If another thread has begun to wake meanwhile, that thread will clear it.
	 * Relaxed: this publishes nothing else. */
	seen = woken;
	while ((seen & WAKING) != 0 && (seen ^ woken) < ONE &&
	       !atomic_compare_exchange_weak_explicit(&cond->word, &seen, seen & ~WAKING,
	                                              memory_order_relaxed, memory_order_relaxed))
		;
}

int mdg_cond_signal(mdg_cond *cond)
{
	return mdg_cond_broadcast(cond);
}

int mdg_cond_broadcast(mdg_cond *cond)
{
	struct cond *inner = inside(cond);
	/* Relaxed: see struct cond. */
	uint32_t seen = atomic_load_explicit(&inner->word, memory_order_relaxed);
	if (__builtin_expect((seen & (SLEEPING | WAKING)) != 0, 0))
		wake_all(inner, seen);
	return 0;
}

/* A thread that is about to sleep finds the number as it was, or another one, and looks for
 * itself. */
int mdg_cond_destroy(mdg_cond *cond)
{
	return mdg__sys_futex_has_sleepers(&inside(cond)->word) ? -EBUSY : 0;
}
