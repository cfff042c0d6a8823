/* SPDX-License-Identifier: MIT */
/*
 * browse.c - looking at messages that lie in a channel, without taking them.
 *
 * While this looks at a message, nobody may write over it. With talk_lock no talker does. In a
 * stream there is no lock: there the talker is this handle; or the listener is, which says what may
 * be written over. An observer of a stream cannot look.
 */
#include "madang/relay.h"

#include "channel/kind.h"
#include "channel/peers.h"
#include "channel/ring.h"

enum { LOCK_NS = 1000000000 };

static void tag_read(const unsigned char *data, struct mdg_relayed *ret)
{
	struct mdg__tag tag;
	memcpy(&tag, data - sizeof tag, sizeof tag);
	ret->origin.identity[0] = tag.identity[0];
	ret->origin.identity[1] = tag.identity[1];
	ret->origin.epoch = tag.epoch;
	ret->number = tag.number;
}

static struct mdg_relayed relayed_of(const struct mdg_message *message)
{
	struct mdg_relayed relayed = { .data = message->data,
		                       .size = message->size,
		                       .flags = message->flags & MDG_REDELIVERED };
	if ((message->flags & MDG_RELAYED) != 0)
		tag_read(message->data, &relayed);
	return relayed;
}

int mdg_channel_relayed(const mdg_channel *channel, const struct mdg_message *held,
                        struct mdg_relayed *ret)
{
	uintptr_t data = (uintptr_t)held->data, ring = (uintptr_t)channel->ring;
	int rc = mdg__usable(channel, MDG_LISTENER);
	if (rc < 0)
		return rc;
	if ((held->flags & MDG_RELAYED) == 0 || channel->door != NULL ||
	    data < ring + MDG__RECORD_HEAD + MDG__TAG || data - ring > channel->ring_size)
		return -EINVAL;
	*ret = relayed_of(held);
	return 0;
}

/* ---- browsing ------------------------------------------------------------------------------ */

static int browse_lock(struct mdg_channel *channel)
{
	if (!mdg__epoch_is(channel->epoch) || channel->door != NULL)
		return -EPERM;
	if (channel->role != MDG_OBSERVER && !mdg__is_seated(channel))
		return -ESTALE;
	if (channel->way == MDG__ALONE)
		return channel->role == MDG_OBSERVER ? -EPERM : 0;
	return mdg__talk_lock(channel, mdg_deadline(LOCK_NS));
}

/* Whether a listener, or one that died, holds the message there. */
static bool is_held(struct mdg_channel *channel, uint64_t at)
{
	uint32_t used = mdg__seats_used(channel);
	for (uint32_t i = 0; i < used; i++) {
		const struct mdg__seat *seat = &channel->seats[i];
		uint32_t state = mdg__seat_state(seat);
		uint64_t from = atomic_load_explicit(&seat->from, memory_order_acquire);
		if ((state == MDG__SEAT_LISTENER || state == MDG__SEAT_ORPHAN) &&
		    from != MDG__NOWHERE && at >= from && at < mdg__position(&seat->to))
			return true;
	}
	return false;
}

/* Whether the message is no one's any more. Before `taken` lies what is released, and what is held.
 * A hold that goes from one seat to another may be in neither, so this looks again. [talk] */
static bool is_released(struct mdg_channel *channel, uint64_t at)
{
	struct mdg__channel_head *head = channel->head;
	for (int i = 0; i < 64; i++) {
		uint32_t moves = atomic_load_explicit(&head->moves, memory_order_acquire);
		if (at >= mdg__position(&head->taken) || is_held(channel, at))
			return false;
		if (atomic_load_explicit(&head->moves, memory_order_acquire) == moves)
			return true;
	}
	return false;
}

/* Where what lies there begins. [talk] */
static uint64_t begin_of(struct mdg_channel *channel)
{
	if (channel->way == MDG__TO_EACH)
		return mdg__position(&channel->head->oldest);
	return channel->way == MDG__ALONE ? mdg__position(&channel->head->taken)
	                                  : mdg__hold_needed(channel, 0);
}

/* Finds the next message at or behind *at: 1, 0, MDG_BROKEN. [talk] */
static int find(struct mdg_channel *channel, uint64_t *at, struct mdg__record **ret_record,
                uint32_t *ret_size)
{
	uint64_t tail = mdg__position(&channel->head->tail), begin = begin_of(channel);
	if (*at < begin)
		*at = begin;
	for (;;) {
		int rc = mdg__find_ready(channel, at, tail, ret_record, ret_size);
		if (rc <= 0 || channel->way != MDG__TO_ONE || !is_released(channel, *at))
			return rc;
		*at += mdg__span(*ret_size);
	}
}

static int give(struct mdg__record *record, uint32_t size, void *data, size_t room,
                struct mdg_message *ret, struct mdg_relayed *ret_relayed)
{
	struct mdg_message message;
	mdg__describe(record, size, &message);
	mdg__untag(record, &message);
	struct mdg_relayed relayed = relayed_of(&message);
	bool fits = message.size <= room;
	if (data != NULL && fits && message.size != 0)
		memcpy(data, message.data, message.size);
	relayed.data = message.data = data;
	if (ret != NULL)
		*ret = message;
	if (ret_relayed != NULL)
		*ret_relayed = relayed;
	return data == NULL || fits ? 1 : -EMSGSIZE;
}

int mdg_channel_browse(mdg_channel *channel, uint64_t *cursor, void *data, size_t room,
                       struct mdg_message *ret, struct mdg_relayed *ret_relayed)
{
	struct mdg__record *record;
	uint32_t size;
	uint64_t at = *cursor & ~(uint64_t)(MDG__STEP - 1);
	int rc = browse_lock(channel);
	if (rc < 0)
		return rc;
	rc = find(channel, &at, &record, &size);
	if (rc > 0)
		rc = give(record, size, data, room, ret, ret_relayed);
	if (channel->way != MDG__ALONE)
		mdg__channel_unlock(&channel->head->talk_lock);
	if (rc > 0)
		*cursor = (at + mdg__span(size)) | 1;
	return rc;
}
