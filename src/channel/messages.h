/* SPDX-License-Identifier: MIT */
/*
 * messages.h - sending and receiving through the ring, for the public functions and for kinds that
 * have a door of their own (kind.h). The caller has asked mdg__usable.
 */
#ifndef MADANG_CHANNEL_MESSAGES_H
#define MADANG_CHANNEL_MESSAGES_H

#include "channel/handle.h"
#include "channel/peers.h"
#include "channel/wake.h"

/* ---- sending ---------------------------------------------------------------------------- */

/* Whether this talker has the tail to itself. Otherwise talk_lock guards it. */
static inline bool mdg__is_alone(const struct mdg_channel *channel)
{
	return channel->way == MDG__ALONE;
}

static inline void mdg__talk_end(struct mdg_channel *channel)
{
	if (!mdg__is_alone(channel))
		mdg__channel_unlock(&channel->head->talk_lock);
}

/* After messages were shown, without a lock: wakes the listeners. */
static inline void mdg__sent(struct mdg_channel *channel, unsigned count)
{
	channel->count += count;
	mdg__note64(&channel->seat->count, channel->count);
	mdg__tell(channel, count);
}

/* Whether a talker may send a message of `size` bytes straight to the ring. */
static inline int mdg__may_talk(const struct mdg_channel *channel, size_t size)
{
	int rc = mdg__usable(channel, MDG_TALKER);
	if (rc < 0)
		return rc;
	if (__builtin_expect(size > channel->capacity, 0))
		return -EMSGSIZE;
	if (__builtin_expect(channel->door != NULL, 0))
		return -EPERM;
	return channel->reserved.count != 0 ? -EBUSY : 0;
}

/* ---- reserve.c ------------------------------------------------------------------------- */

/* Reserves records of the sizes in channel->size: how many, or why none. */
int mdg__reserve_records(struct mdg_channel *channel, unsigned count, uint64_t deadline);
/* Shows the first `count` of the reserved records, with these sizes, and cancels the others. */
int mdg__commit_records(struct mdg_channel *channel, const struct mdg_message *messages,
                        unsigned count);
/* Undoes the reservation that the handle has. */
int mdg__cancel_all(struct mdg_channel *channel);
/* The same for one record; as the public functions of these names. */
int mdg__reserve_record(struct mdg_channel *channel, size_t size, void **ret_data,
                        uint64_t deadline);
int mdg__commit_record(struct mdg_channel *channel, size_t size);
/* Sends a message, with a request in front unless that is NULL. */
int mdg__send_record(struct mdg_channel *channel, const struct mdg__request *request,
                     const void *data, size_t size, uint64_t deadline);
/* Sends messages whose sizes are in channel->size: how many, or why none. */
int mdg__send_records(struct mdg_channel *channel, const struct mdg_message *messages,
                      unsigned count, uint64_t deadline);

/* ---- listen.c ---------------------------------------------------------------------------- */

/* As mdg_channel_peek_many of a listener that holds nothing, and mdg_channel_release. */
int mdg__peek_any(struct mdg_channel *channel, struct mdg_message *messages, unsigned count,
                  uint64_t deadline);
void mdg__release_any(struct mdg_channel *channel);
/* The caller gets nothing of what was peeked. It comes again. */
void mdg__give_nothing(struct mdg_channel *channel);

#endif
