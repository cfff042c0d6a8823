/* SPDX-License-Identifier: MIT */
/*
 * signed_lock.c - a lock that names its owner. signed_lock.h says how it is used.
 *
 * The turn makes sure that a take-over never robs an owner. A waiter that asks whether
 * the owner is gone needs time for that, and the lock may have changed hands twice in
 * the meantime, back to the process that was asked about. So a waiter
 *   1. reads word and turn together,
 *   2. asks whether the process that the word names is gone,
 *   3. swaps word and turn together.
 * Each taking is a new turn. So if the swap succeeds, the word was the same from 1 to 3
 * without a break, and the answer at 2 was about this very owner.
 */
#include <errno.h>

#include "platform/sys.h"
#include "registry/signed_lock.h"

#define WAITERS          0x8000u
#define SLOT1            0x7fffu
#define PATIENCE_NS      1000000u  /* sleep before the first question about the owner */
#define PATIENCE_MOST_NS 10000000u /* the sleep doubles before each next question, up to this */
#define SPINS            200

/* Word and turn, as one. */
union lock {
	struct {
		uint32_t word, turn;
	} as;
	uint64_t both;
};

static mdg__a64 *both_of(const struct mdg__signed_lock *lock)
{
	return (mdg__a64 *)(uintptr_t)lock->word;
}

static union lock look(const struct mdg__signed_lock *lock)
{
	return (union lock){ .both = atomic_load_explicit(both_of(lock), memory_order_relaxed) };
}

static bool is_free(union lock seen)
{
	return (seen.as.word & SLOT1) == 0;
}

/* Takes the lock from `seen`: free, or of an owner that is gone. Acquire: pairs with
 * the release in mdg__signed_lock_give_back, or with the kernel's word on the owner. */
static bool take(const struct mdg__signed_lock *lock, union lock seen, uint32_t word)
{
	union lock taken = { .as = { word, seen.as.turn + 1 } };
	return atomic_compare_exchange_strong_explicit(both_of(lock), &seen.both, taken.both,
	                                               memory_order_acquire, memory_order_relaxed);
}

/* Marks the lock as waited for. */
static bool mark(const struct mdg__signed_lock *lock, union lock *seen)
{
	uint32_t word = seen->as.word;
	if (word & WAITERS)
		return true;
	if (!atomic_compare_exchange_strong_explicit(lock->word, &word, word | WAITERS,
	                                             memory_order_relaxed, memory_order_relaxed))
		return false;
	seen->as.word |= WAITERS;
	return true;
}

/* How long to sleep before the question after so many others. */
static uint64_t patience(uint32_t rounds)
{
	uint64_t most = PATIENCE_MOST_NS;
	uint64_t wanted = (uint64_t)PATIENCE_NS << (rounds < 8 ? rounds : 8);
	return wanted < most ? wanted : most;
}

static bool spin_and_take(const struct mdg__signed_lock *lock, uint32_t sign)
{
	for (int i = 0; i < SPINS; i++) {
		union lock seen = look(lock);
		if (is_free(seen) && take(lock, seen, sign | (seen.as.word & WAITERS)))
			return true;
	}
	return false;
}

/* Sleeps and asks about the owner in turns. 0: taken; 1: taken over from an owner that is gone;
 * -ETIMEDOUT: the same owner has had the lock for `most` sleeps. */
static int sleep_and_take(const struct mdg__signed_lock *lock, uint32_t sign, uint32_t most)
{
	union lock before = { .both = 0 };
	uint32_t rounds = 0;
	for (;;) {
		union lock seen = look(lock);
		if (is_free(seen)) {
			/* Others may still be asleep: keep the mark, a spare wake is cheap. */
			if (take(lock, seen, sign | WAITERS))
				return 0;
			continue;
		}
		if (!mark(lock, &seen))
			continue;
		rounds = seen.both == before.both ? rounds : 0;
		before = seen;
		int rc = mdg__sys_futex_wait(lock->word, seen.as.word, true, patience(rounds));
		if (rc != -ETIMEDOUT)
			continue;
		if (lock->is_gone(lock->context, seen.as.word & ~WAITERS, ++rounds)) {
			if (take(lock, seen, sign | WAITERS))
				return 1;
		} else if (rounds >= most) {
			return -ETIMEDOUT;
		}
	}
}

int mdg__signed_lock_take_within(const struct mdg__signed_lock *lock, uint32_t sign, uint32_t most)
{
	union lock seen = look(lock);
	if ((seen.as.word == 0 && take(lock, seen, sign)) || spin_and_take(lock, sign))
		return 0;
	int rc = sleep_and_take(lock, sign, most);
	if (rc <= 0)
		return rc;
	rc = lock->repair(lock->context);
	if (rc < 0)
		mdg__signed_lock_give_back(lock, sign);
	return rc;
}

int mdg__signed_lock_take(const struct mdg__signed_lock *lock, uint32_t sign)
{
	return mdg__signed_lock_take_within(lock, sign, UINT32_MAX);
}

void mdg__signed_lock_give_back(const struct mdg__signed_lock *lock, uint32_t sign)
{
	/* Only if the word is this process's own: a lock that was taken over belongs to
	 * another process by now. Release: pairs with the acquire in take(). */
	for (;;) {
		uint32_t word = atomic_load_explicit(lock->word, memory_order_relaxed);
		if ((word & ~WAITERS) != sign)
			return;
		if (!atomic_compare_exchange_weak_explicit(
			    lock->word, &word, 0, memory_order_release, memory_order_relaxed))
			continue;
		if (word & WAITERS)
			(void)mdg__sys_futex_wake(lock->word, 1, true);
		return;
	}
}
