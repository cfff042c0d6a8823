/* SPDX-License-Identifier: MIT */
/*
 * keep.c - a lock of a channel that its only user keeps, so that it need not be taken each time.
 *
 * To take a lock is a locked instruction, which waits for all stores before it. They wait for lines
 * that the other side's processor has. So a handle that finds again and again that nobody else had
 * the lock does not give it back, but KEEPS it: the lock's word says so, and names its seat. From
 * then on it enters by plain accesses (mdg__keep_enter):
 *
 *     seat->inside = 1;  if (word of the lock is still mine) { ... }  seat->inside = 0;
 *
 * Whoever else wants the lock ends that: it puts its own signature into the word, makes all
 * processors pass a fence (membarrier(2)), and waits until the seat says that nobody is inside. The
 * fence passes the keeper either after that has said that it is inside, which is seen then, or
 * before it has read the word, and then it finds that it keeps the lock no more.
 *
 * A keeper that dies outside has left nothing. One that dies inside is asked after by who waits for
 * it, which sets right what the keeper had begun, as with any owner that died. Whoever waits may
 * die as well. Then the next owner does not know who kept the lock, so it makes all processors pass
 * a fence too, and waits for everybody who is inside. One that gives up waiting puts the word back:
 * nobody else was inside meanwhile.
 *
 * To end it costs some microseconds. So a handle begins to keep a lock late, and later each time
 * that somebody has ended it.
 *
 * A process that has no membarrier keeps no lock. It says in the head that nobody may any more, as
 * soon as it opens the channel. If a lock is kept then, it takes the lock and waits for FENCES_NS.
 * By then a keeper that had read the word before has been interrupted by the kernel, or has long
 * said that it is inside.
 */
#include "channel/peers.h"

#include "platform/processors.h"

enum { SPINS = 200, NAP_NS = 100000 };
#define ASK_NS    UINT64_C(5000000)
#define FENCES_NS UINT64_C(1000000000)

/* ---- the keeper's side ---------------------------------------------------------------------- */

void mdg__keep_begin(struct mdg_channel *channel, mdg__c32 *lock)
{
	struct mdg__keeping *keeping = &channel->keeping;
	if (mdg__relaxed32(&channel->head->unkept) != 0)
		keeping->least = MDG__KEEP_NEVER;
	else
		keeping->word = MDG__KEPT | channel->place << 16 | (channel->use & MDG__KEPT_USE);
	/* Release: pairs with the acquire of the next owner. */
	atomic_store_explicit(lock, keeping->word, memory_order_release);
}

void mdg__keep_lost(struct mdg_channel *channel)
{
	struct mdg__keeping *keeping = &channel->keeping;
	keeping->word = 0;
	keeping->alone = 0;
	if (keeping->least < MDG__KEEP_MOST)
		keeping->least *= 2;
}

/* ---- the others' ---------------------------------------------------------------------------- */

/* Makes a keeper pass a fence. */
static void pass_fence(struct mdg_channel *channel, mdg__c32 *lock)
{
	mdg__fence();
	if (channel->unkept || mdg__sys_fence_all() == 0)
		return;
	atomic_store(&channel->head->unkept, 1);
	uint64_t now = mdg__monotonic_nanoseconds(), until = now + FENCES_NS;
	for (; now < until; now = mdg__monotonic_nanoseconds())
		(void)mdg__sys_futex_wait_until(lock, channel->me, until, (uint32_t)MDG__ANYONE);
}

static bool is_inside(const struct mdg__seat *seat)
{
	/* Acquire: pairs with the release in mdg__keep_exit. */
	return atomic_load_explicit(&seat->inside, memory_order_acquire) != 0;
}

static bool spin_until_out(const struct mdg__seat *seat)
{
	for (int i = 0; i < SPINS; i++) {
		if (!is_inside(seat))
			return true;
		mdg__cpu_pause();
	}
	return false;
}

/* 0; MDG_OWNER_DIED: who was inside is dead; -EAGAIN: it lives and is inside at the time `until`.
 */
static int await_out(struct mdg_channel *channel, struct mdg__seat *seat, uint64_t until)
{
	uint64_t ask = 0;
	while (!spin_until_out(seat)) {
		uint64_t now = mdg__monotonic_nanoseconds();
		if (ask == 0)
			ask = now + ASK_NS;
		if (now >= ask) {
			if (!mdg__signature_lives(channel->ns, mdg__seat_signature(seat))) {
				atomic_store(&seat->inside, 0);
				return MDG_OWNER_DIED;
			}
			ask = now + ASK_NS;
		}
		if (now >= until)
			return -EAGAIN;
		(void)mdg__sys_futex_wait_until(&seat->inside, 1, now + NAP_NS,
		                                (uint32_t)MDG__ANYONE);
	}
	return 0;
}

/* All who may have kept this lock: who did is not known. */
static int await_all_out(struct mdg_channel *channel, const mdg__c32 *lock, uint64_t until)
{
	uint32_t used = mdg__seats_used(channel);
	uint32_t state = lock == &channel->head->talk_lock ? MDG__SEAT_TALKER : MDG__SEAT_LISTENER;
	for (uint32_t i = 0; i < used; i++)
		if (mdg__seat_state(&channel->seats[i]) == state &&
		    await_out(channel, &channel->seats[i], until) == -EAGAIN)
			return -EAGAIN;
	return MDG_OWNER_DIED;
}

int mdg__keep_end(struct mdg_channel *channel, mdg__c32 *lock, uint32_t was, uint64_t until)
{
	uint32_t place = was >> 16;
	if (lock == &channel->head->seat_lock) /* nobody keeps it */
		return MDG_OWNER_DIED;
	pass_fence(channel, lock);
	int rc = mdg__is_kept(was) && place < channel->seat_count
	                 ? await_out(channel, &channel->seats[place], until)
	                 : await_all_out(channel, lock, until);
	if (rc == -EAGAIN)
		atomic_store_explicit(lock, was, memory_order_release);
	return rc;
}
