/* SPDX-License-Identifier: MIT */
/*
 * wake.h - waking those who wait: in the kernel (wake.c), and in poll(2) (pipe.c).
 */
#ifndef MADANG_CHANNEL_WAKE_H
#define MADANG_CHANNEL_WAKE_H

#include "channel/handle.h"
#include "segment/segment.h"

/* ---- pipe.c ----------------------------------------------------------------------------- */

#define MDG__PIPE_NAME_ROOM (MDG__BESIDE_NAME_ROOM + 24)
/* The name of the named pipe that belongs to a use of a seat. */
void mdg__pipe_name(char name[MDG__PIPE_NAME_ROOM], const struct mdg_channel *channel,
                    uint32_t place, uint32_t use);
void mdg__pipe_unlink(struct mdg_channel *channel, uint32_t place, uint32_t use);
/* Wakes listeners that sleep in poll(2): as many as there are messages if each message goes to one
 * listener, and otherwise all. */
void mdg__pipes_ring(struct mdg_channel *channel, unsigned messages);
void mdg__pipe_ring_one(struct mdg_channel *channel, uint32_t place);
/* After a death or a removal: wakes all listeners and callers, whatever the flag says. */
void mdg__pipes_ring_all(struct mdg_channel *channel);

/* Before publishing. Whoever sleeps in poll(2) is woken first: if this talker dies between the two,
 * that costs the sleeper a look in vain, and not the message. */
static inline void mdg__tell_pollers(struct mdg_channel *channel, unsigned messages)
{
	if (__builtin_expect((mdg__relaxed32(&channel->head->alert) & MDG__ALERT_POLL) != 0, 0))
		mdg__pipes_ring(channel, messages);
}

/* ---- wake.c ------------------------------------------------------------------------------- */

/* Wakes listeners; of those that sleep in the kernel, the ones whose bits are in `whom`. */
void mdg__alert_some(struct mdg_channel *channel, unsigned messages, uint32_t whom);
static inline void mdg__alert_others(struct mdg_channel *channel, unsigned messages)
{
	mdg__alert_some(channel, messages, MDG__ALERT_ASLEEP);
}
/* After publishing: wakes those of them who sleep. No system call if nobody does. */
static inline void mdg__tell_some(struct mdg_channel *channel, unsigned messages, uint32_t whom)
{
	if (__builtin_expect(channel->fences != 0, 0))
		mdg__fence();
	atomic_signal_fence(memory_order_seq_cst); /* the others' membarrier does the rest */
	if (__builtin_expect(mdg__relaxed32(&channel->head->alert) != 0, 0))
		mdg__alert_some(channel, messages, whom);
}
static inline void mdg__tell(struct mdg_channel *channel, unsigned messages)
{
	mdg__tell_some(channel, messages, MDG__ALERT_ASLEEP);
}
/* Before this handle waits for room: a listener that relayed messages did not wake may have it. It
 * sees that, or looks for messages after this handle has published, as with mdg__tell. */
static inline void mdg__alert_near(struct mdg_channel *channel)
{
	if (__builtin_expect(channel->way == MDG__TO_EACH, 0))
		mdg__tell_some(channel, 0, MDG__ALERT_NEAR);
}

/* After a death or the removal: wakes all. Each of them looks for itself. */
void mdg__wake_everybody(struct mdg_channel *channel);
/* Wakes the talkers that wait for room. */
void mdg__wake_talkers(struct mdg_channel *channel);
/* After its box has changed: wakes the caller in a seat, if it sleeps. */
void mdg__wake_sleeping_caller(struct mdg_channel *channel, uint32_t place);
/* No fence: the change of the box before, these loads, and what a caller does that goes to sleep
 * are sequentially consistent. */
static inline void mdg__wake_caller(struct mdg_channel *channel, uint32_t place)
{
	if (atomic_load(&mdg__box_of(channel, place)->waits) != 0 ||
	    atomic_load(&channel->seats[place].polls) != 0)
		mdg__wake_sleeping_caller(channel, place);
}

/* After room was made before `position`: looks now and then whether a talker waits for it. */
static inline void mdg__made_room(struct mdg_channel *channel, uint64_t position)
{
	if (__builtin_expect(position - channel->part >= channel->ring_size / 8, 0)) {
		channel->part = position;
		mdg__fence();
		if (mdg__relaxed32(&channel->head->full_waits) != 0)
			mdg__wake_talkers(channel);
	}
}

/* This listener is about to sleep: in the kernel, with this bit of `alert`; or in poll(2). All
 * talkers pass a fence, so each of them either sees that, or has published before. */
void mdg__alert_sleeper(struct mdg_channel *channel, uint32_t bit);
void mdg__alert_pollers(struct mdg_channel *channel);
/* From now on talkers fence after publishing, because a listener sleeps at once or has no
 * membarrier. */
void mdg__ask_for_fences(struct mdg_channel *channel);

#endif
