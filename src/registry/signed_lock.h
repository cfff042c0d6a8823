/* SPDX-License-Identifier: MIT */
/*
 * signed_lock.h - a lock in shared memory that names its owner, so that its owner may die.
 *
 * The shared part is eight bytes, zero at first, in two halves:
 *
 *     word   bits 0..14   the owner's slot index + 1; 0: nobody
 *            bit  15      a waiter may be asleep
 *            bits 16..31  the low bits of the generation of the owner's slot
 *     turn   how often the lock was taken
 *
 * The word without bit 15 is the owner's sign, as presence.h makes it. `word` and
 * `turn` change together, by compare-and-swap.
 *
 * A waiter spins, then sleeps a little, asks whether the owner is gone, and then
 * sleeps longer each time. If the owner is gone, the waiter swaps the exact word and
 * turn for its own. So just one waiter takes the lock over. It calls `repair` before
 * it goes on, and what the dead owner had begun is set right there.
 *
 * What it does not do: take the lock from an owner that lives but is stopped. The
 * others wait until the owner goes on or dies. It does not tell apart the threads of
 * one process either, and it is not fair.
 */
#ifndef MADANG_REGISTRY_SIGNED_LOCK_H
#define MADANG_REGISTRY_SIGNED_LOCK_H

#include <stdbool.h>

#include "registry/layout.h"

struct mdg__signed_lock {
	mdg__a32 *word; /* shared; `turn` is the next 32 bits. Aligned to 8 bytes */
	void *context;  /* for the two functions */
	/* Whether the owner with this sign is gone. Asked after each sleep, with how
	 * many sleeps there were during this turn, so that a costly question can be
	 * asked rarely. True also for a sign that nobody can have given. */
	bool (*is_gone)(void *context, uint32_t sign, uint32_t rounds);
	/* Called with the lock held after it was taken over. When it fails, the lock
	 * is given back and the taking fails with the same code. */
	int (*repair)(void *context);
};

/* 0, or what `repair` said. */
int mdg__signed_lock_take(const struct mdg__signed_lock *lock, uint32_t sign);
/* The same, and -ETIMEDOUT: one owner, which lives, has had the lock during `most` sleeps. They get
 * longer, to 10 ms each. Other waiters may still be marked as asleep after that. */
int mdg__signed_lock_take_within(const struct mdg__signed_lock *lock, uint32_t sign, uint32_t most);
/* Does nothing if the lock was taken over in the meantime. */
void mdg__signed_lock_give_back(const struct mdg__signed_lock *lock, uint32_t sign);

#endif
