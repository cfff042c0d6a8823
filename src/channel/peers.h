/* SPDX-License-Identifier: MIT */
/*
 * peers.h - living with others in a channel: its locks, its seats, and waiting for others.
 */
#ifndef MADANG_CHANNEL_PEERS_H
#define MADANG_CHANNEL_PEERS_H

#include "channel/handle.h"
#include "segment/sign.h"

/* ---- keep.c --------------------------------------------------------------------------- */

#ifndef MDG__KEEP_LEAST /* few in a test that wants it to happen often */
#define MDG__KEEP_LEAST 1024u
#endif
#define MDG__KEEP_MOST  (64 * MDG__KEEP_LEAST)
#define MDG__KEEP_NEVER UINT32_MAX

static inline bool mdg__is_kept(uint32_t word)
{
	return (word & MDG__KEPT) != 0;
}
/* Gives a lock back, and keeps it if that is allowed. */
void mdg__keep_begin(struct mdg_channel *channel, mdg__c32 *lock);
/* This handle has found that it keeps its lock no more. */
void mdg__keep_lost(struct mdg_channel *channel);
/* The caller has put its signature in place of `was`: a keeper's word, or the signature of a dead
 * owner. Nobody is inside after this: 0; MDG_OWNER_DIED: and something is to be set right. -EAGAIN:
 * somebody is inside at the time `until`, and the lock says `was` again. */
int mdg__keep_end(struct mdg_channel *channel, mdg__c32 *lock, uint32_t was, uint64_t until);

/* ---- lock.c --------------------------------------------------------------------------- */

static inline void mdg__channel_unlock(mdg__c32 *lock)
{
	/* Release: pairs with the acquire of the next owner. */
	atomic_store_explicit(lock, 0, memory_order_release);
}
/* If the owner has died, what it had begun is set right. 0, -ETIMEDOUT, -EAGAIN. */
int mdg__talk_lock(struct mdg_channel *channel, uint64_t deadline);
int mdg__take_lock(struct mdg_channel *channel, uint64_t deadline);
int mdg__seat_lock(struct mdg_channel *channel, uint64_t deadline);
/* Takes it if nobody has it. */
static inline bool mdg__channel_try_lock(struct mdg_channel *channel, mdg__c32 *lock)
{
	uint32_t nobody = 0;
	/* Acquire: pairs with the release in mdg__channel_unlock. */
	return atomic_compare_exchange_strong_explicit(lock, &nobody, channel->me,
	                                               memory_order_acquire, memory_order_relaxed);
}

/* Enters a lock that this handle keeps. False: it keeps it no more. */
static inline bool mdg__keep_enter(struct mdg_channel *channel, mdg__c32 *lock)
{
	mdg__c32 *inside = &channel->seat->inside;
	atomic_store_explicit(inside, 1, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst); /* the others' membarrier does the rest */
	uint32_t word = atomic_load_explicit(lock, memory_order_acquire);
	if (__builtin_expect(word == channel->keeping.word, 1))
		return true;
	atomic_store_explicit(inside, 0, memory_order_release);
	mdg__keep_lost(channel);
	return false;
}
/* Release: pairs with the acquire of who waits for it. */
static inline void mdg__keep_exit(struct mdg_channel *channel)
{
	atomic_store_explicit(&channel->seat->inside, 0, memory_order_release);
}

/* For something short: enters the lock if this handle keeps it, or takes it if nobody has it. In
 * the second case the caller then says mdg__alone. */
static inline bool mdg__lock_straight(struct mdg_channel *channel, mdg__c32 *lock)
{
	if (channel->keeping.word != 0 && mdg__keep_enter(channel, lock))
		return true;
	return mdg__channel_try_lock(channel, lock);
}
/* Whether nobody else had the lock since this handle had it. */
static inline void mdg__alone(struct mdg_channel *channel, bool alone)
{
	struct mdg__keeping *keeping = &channel->keeping;
	keeping->alone = alone ? keeping->alone + (keeping->alone < keeping->least) : 0;
}
static inline void mdg__unlock_straight(struct mdg_channel *channel, mdg__c32 *lock)
{
	const struct mdg__keeping *keeping = &channel->keeping;
	if (__builtin_expect(keeping->word != 0, 1))
		mdg__keep_exit(channel);
	else if (keeping->alone < keeping->least)
		mdg__channel_unlock(lock);
	else
		mdg__keep_begin(channel, lock);
}

/* ---- seats.c ---------------------------------------------------------------------------- */

/* The signature in a seat. */
static inline struct mdg__signature mdg__seat_signature(const struct mdg__seat *seat)
{
	return (struct mdg__signature){ mdg__relaxed32(&seat->slot1),
		                        mdg__relaxed32(&seat->generation) };
}
/* Looks for the dead, and whether the channel was removed: 0, -EIDRM, -ESTALE. The caller holds no
 * lock. */
int mdg__look_after(struct mdg_channel *channel);
/* Finds a seat for the handle: 0, -EBUSY, -EUSERS, -ENOMEM. [seat lock] */
int mdg__seat_take(struct mdg_channel *channel);
/* From here on others see that somebody is in the seat. [seat lock] */
void mdg__seat_show(struct mdg_channel *channel);
void mdg__seat_leave(struct mdg_channel *channel);
/* Tells those who wait for events. [seat lock] */
void mdg__seat_event(struct mdg_channel *channel, enum mdg_peer_change change, uint32_t place,
                     const struct mdg__seat *seat);

/* ---- sleep.c ------------------------------------------------------------------------------ */

enum { MDG__SPIN_MOST_NS = 40000 };
#ifndef MDG__SLICE_NS                    /* long in a test that wants to know who wakes whom */
#define MDG__SLICE_NS UINT64_C(25000000) /* between two looks for the dead */
#endif
#define MDG__LONG_NS UINT64_C(1000000000) /* the same, for MDG_WAIT_LONG and _NEAR */
/* How long to sleep until the next look, if the wait has lasted for `waited`. */
static inline uint64_t mdg__slice(const struct mdg_channel *channel, uint64_t waited)
{
	bool is_long = channel->wait == MDG_WAIT_LONG || channel->wait == MDG_WAIT_NEAR;
	bool longer = is_long && waited >= MDG__LONG_NS;
	return longer ? MDG__LONG_NS : MDG__SLICE_NS;
}
enum mdg__wait_for { MDG__FOR_MESSAGE, MDG__FOR_ROOM, MDG__FOR_REPLY };
struct mdg__waiting {
	enum mdg__wait_for what;
	uint32_t step; /* 0: not begun */
	uint32_t seen; /* the futex, as it was before `alert` said that somebody sleeps */
	uint64_t deadline, began, look_at;
	mdg__c32 *watch; /* spins while this is `watched`; NULL: nothing to watch */
	uint32_t watched;
	mdg__c64 *box; /* the same for a reply */
	uint64_t word;
};
static inline struct mdg__waiting mdg__wait_init(enum mdg__wait_for what, uint64_t deadline)
{
	return (struct mdg__waiting){ .what = what, .deadline = deadline };
}
/* Called each time when there was nothing: 0: look again; -EAGAIN, -ETIMEDOUT, -EINTR, -EIDRM. */
int mdg__wait_more(struct mdg_channel *channel, struct mdg__waiting *waiting);
/* Called after the last look. `got`: there was something, or the caller was refused. */
void mdg__wait_end(struct mdg_channel *channel, struct mdg__waiting *waiting, bool got);

/* ---- poll.c ------------------------------------------------------------------------------- */

/* After this handle has received something or nothing: makes its pipe say whether there is more. */
void mdg__pipe_settle(struct mdg_channel *channel);
static inline void mdg__settle(struct mdg_channel *channel)
{
	if (__builtin_expect(channel->pipe >= 0, 0))
		mdg__pipe_settle(channel);
}
void mdg__pipe_close(struct mdg_channel *channel);

#endif
