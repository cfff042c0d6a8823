/* SPDX-License-Identifier: MIT */
/*
 * cond.c - a number that changes with each wake-up, and says whether anybody sleeps.
 *
 * One that waits notes the number while it holds the mutex, marks the word SLEEPING, gives the
 * mutex back, and sleeps while the number is the one it noted. The kernel compares the
 * word once more, so one that was signalled before it fell asleep does not.
 *
 * WHY SIGNAL WAKES ALL. One that is woken may die before it has the mutex, or with it, before
 * it has used what it was woken for; and in the second case only the program knows. If it was the
 * only one awake, the others would sleep on beside an item that nobody fetches. Woken all, they
 * queue for the mutex, which the kernel hands on at a death (MDG_OWNER_DIED), and each finds
 * out for itself. No death of those who wait has to be noticed here, and `pending` (thread.h)
 * is free for the mutex. The price is that all who sleep are woken for one item: for work that
 * is handed to one of many, a semaphore is the better object.
 *
 * WAKING says that a wake-up is under way. If the one that signals dies between changing the
 * word and waking, it is as if it had died before it signalled, but the next signal still
 * finds a mark, and wakes those too.
 *
 * What it does not do: notice that two threads wait with different mutexes.
 */
#include <limits.h>

#include "sync/owned.h"

struct cond {
	/* SLEEPING, WAKING, and a number modulo 2^30. SLEEPING is set by who waits, with the
	 * mutex held: who signals after changing what is waited for sees it, by the
	 * mutex's release and acquire. A change of the number releases; those that were asleep acquire,
	 * so also what was done without the mutex is seen. */
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
		/* It may be gone if the object was destroyed meanwhile. Relaxed: see struct cond. */
		if ((seen & SLEEPING) != 0 || atomic_compare_exchange_strong_explicit(
						      &cond->word, &seen, seen | SLEEPING,
						      memory_order_relaxed, memory_order_relaxed))
			rc = mdg__sleep(&cond->word, seen | SLEEPING, deadline,
			                (uint32_t)MDG__ANYONE);
	}
	return 0;
}

static int await(struct cond *cond, uint32_t noted, uint64_t deadline)
{
	uint32_t seen;
	for (int i = 0; i < MDG__SPINS && deadline != 0; i++) {
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
	/* Given back like this it would be broken for all. Only the owner writes it. */
	if (atomic_load_explicit(&owned->state, memory_order_relaxed) != 0)
		return -EINVAL;
	/* Relaxed: the mutex's release follows. */
	uint32_t noted = atomic_fetch_or_explicit(&inner->word, SLEEPING, memory_order_relaxed);
	(void)mdg_mutex_unlock(mutex);
	int rc = await(inner, noted, deadline);
	int relocked = mdg_mutex_lock(mutex);
	return relocked != 0 ? relocked : rc;
}

/* ---- waking ----------------------------------------------------------------------------- */

static __attribute__((noinline)) void wake_all(struct cond *cond, uint32_t seen)
{
	uint32_t woken;
	do {
		if ((seen & (SLEEPING | WAKING)) == 0)
			return; /* somebody else did */
		woken = ((seen & ~(SLEEPING | WAKING)) + ONE) | WAKING;
		/* Release: pairs with the acquire in is_woken. */
	} while (!atomic_compare_exchange_weak_explicit(
		&cond->word, &seen, woken, memory_order_release, memory_order_relaxed));
	(void)mdg__sys_futex_wake_bits(&cond->word, INT_MAX, (uint32_t)MDG__ANYONE);
	/* Done, unless another wakes anew and will say so itself. Nothing is read by it: relaxed. */
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

/* Who is about to sleep finds the number as it was, or another, and looks for itself. */
int mdg_cond_destroy(mdg_cond *cond)
{
	return mdg__sys_futex_has_sleepers(&inside(cond)->word) ? -EBUSY : 0;
}
