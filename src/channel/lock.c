/* SPDX-License-Identifier: MIT */
/*
 * lock.c - the locks of a channel.
 *
 * A lock is one word: 0, or the signature of the process that holds it (segment/sign.h). Locks are
 * held for a few hundred nanoseconds, and their owner wakes nobody. Only the seat lock is held
 * longer: whoever comes as a caller gets memory for its box meanwhile. A process that waits spins,
 * then sleeps for a moment, longer each time. Now and then it asks whether the owner lives, which
 * may be a question to the kernel. If the owner is dead, the waiter takes the lock over, and sets
 * right what the owner had begun.
 *
 * An owner that is stopped (SIGSTOP) has its lock meanwhile. Others wait until their deadline.
 *
 * A lock that one handle uses alone is kept by it (keep.c). Whoever wants it ends that.
 *
 * These locks do not tell apart the threads of one process, and they are not fair.
 *
 * The registry has a lock of this kind too (registry/signed_lock.h), but each message takes one
 * here, and its price is the channel's: giving it back is a plain store that wakes nobody. It also
 * has deadlines, which the registry's lock does not.
 */
#include "channel/peers.h"

#include "channel/kind.h"
#include "channel/ring.h"

enum { SPINS = 200, SLEEP_LEAST_NS = 20000, SLEEP_MOST_NS = 1000000 };
#define ASK_NS UINT64_C(5000000)

static bool take_from(struct mdg_channel *channel, mdg__c32 *lock, uint32_t was)
{
	/* Acquire: pairs with the release in mdg__channel_unlock. */
	return atomic_compare_exchange_strong_explicit(lock, &was, channel->me,
	                                               memory_order_acquire, memory_order_relaxed);
}

static bool take_spinning(struct mdg_channel *channel, mdg__c32 *lock)
{
	for (int i = 0; i < SPINS; i++) {
		if (mdg__relaxed32(lock) == 0 && take_from(channel, lock, 0))
			return true;
		mdg__cpu_pause();
	}
	return false;
}

/* Whether there is an owner that can be asked after, and is dead. */
static bool is_dead(struct mdg_channel *channel, uint32_t seen)
{
	return seen != 0 && !mdg__is_kept(seen) && !mdg__signature_word_lives(channel->ns, seen);
}

/* Takes the lock from a keeper, or from a dead owner. -EAGAIN: not yet. */
static int take_over(struct mdg_channel *channel, mdg__c32 *lock, uint32_t seen, uint64_t until)
{
	return take_from(channel, lock, seen) ? mdg__keep_end(channel, lock, seen, until) : -EAGAIN;
}

static __attribute__((noinline)) int lock_waiting(struct mdg_channel *channel, mdg__c32 *lock,
                                                  uint64_t deadline)
{
	uint64_t nap = SLEEP_LEAST_NS, now = mdg__monotonic_nanoseconds();
	uint64_t ask = now + ASK_NS;
	/* Whoever does not want to wait waits long enough to meet a dead owner. */
	uint64_t least = now + 2 * ASK_NS, give_up = deadline > least ? deadline : least;
	for (;;) {
		uint32_t seen = mdg__relaxed32(lock);
		if (!mdg__is_kept(seen)) {
			if (take_spinning(channel, lock))
				return 0;
			seen = mdg__relaxed32(lock);
		}
		now = mdg__monotonic_nanoseconds();
		int rc = -EAGAIN;
		if (mdg__is_kept(seen) || (now >= ask && is_dead(channel, seen)))
			rc = take_over(channel, lock, seen, give_up);
		if (rc != -EAGAIN)
			return rc;
		if (now >= ask)
			ask = now + ASK_NS;
		if (now > give_up)
			return deadline == 0 ? -EAGAIN : -ETIMEDOUT;
		if (seen != 0)
			(void)mdg__sys_futex_wait_until(lock, seen, now + nap,
			                                (uint32_t)MDG__ANYONE);
		nap = nap * 2 > SLEEP_MOST_NS ? SLEEP_MOST_NS : nap * 2;
	}
}

/* 0; MDG_OWNER_DIED: taken, and to be set right; -ETIMEDOUT, -EAGAIN. */
static int take(struct mdg_channel *channel, mdg__c32 *lock, uint64_t deadline)
{
	if (__builtin_expect(take_from(channel, lock, 0), 1))
		return 0;
	uint32_t kept = channel->keeping.word;
	if (kept != 0 && take_from(channel, lock, kept)) {
		channel->keeping.word = 0; /* until it has given the lock back */
		return 0;
	}
	return lock_waiting(channel, lock, deadline);
}

int mdg__talk_lock(struct mdg_channel *channel, uint64_t deadline)
{
	int rc = take(channel, &channel->head->talk_lock, deadline);
	if (__builtin_expect(rc == MDG_OWNER_DIED, 0)) {
		mdg__tail_repair(channel);
		rc = 0;
	}
	return rc;
}

int mdg__take_lock(struct mdg_channel *channel, uint64_t deadline)
{
	int rc = take(channel, &channel->head->take_lock, deadline);
	if (__builtin_expect(rc == MDG_OWNER_DIED, 0)) {
		if (channel->ops->repair != NULL)
			channel->ops->repair(channel);
		rc = 0;
	}
	return rc;
}

/* Whatever is done under it can be begun anew by the next owner. So nothing is to be set right. */
int mdg__seat_lock(struct mdg_channel *channel, uint64_t deadline)
{
	int rc = take(channel, &channel->head->seat_lock, deadline);
	return rc == MDG_OWNER_DIED ? 0 : rc;
}
