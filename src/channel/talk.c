/* SPDX-License-Identifier: MIT */
/*
 * talk.c - sending. The common case, a small message for which there is room, is done here, inlined
 * for all kinds without a door. reserve.c does the rest.
 */
#include "channel/kind.h"
#include "channel/messages.h"
#include "channel/ring.h"

/* ---- one message --------------------------------------------------------------------------- */

/* The common case of mdg__send_record: a small message, room that is known, and no end of the ring
 * near. False: this is another case, and nothing was done. [talk] */
static inline bool show_straight(struct mdg_channel *channel, const void *data, size_t size)
{
	uint64_t at = channel->tail, span = mdg__span(size), offset = at - channel->base;
	uint64_t ahead = offset + channel->ahead;
	if (at + span + channel->ahead > channel->limit || ahead + span > channel->ring_size)
		return false;
	struct mdg__record *record = (struct mdg__record *)(void *)(channel->ring + offset);
	mdg__copy_small(mdg__message_of(record), data, size);
	mdg__show_small(channel, at, offset, size);
	return true;
}

static inline bool send_straight(struct mdg_channel *channel, const void *data, size_t size)
{
	if (!mdg__is_alone(channel)) {
		if (!mdg__channel_try_lock(channel, &channel->head->talk_lock))
			return false;
		mdg__tail_load(channel);
	}
	bool shown = channel->tail - channel->base < channel->ring_size &&
	             show_straight(channel, data, size);
	mdg__talk_end(channel);
	if (shown)
		mdg__sent(channel, 1);
	return shown;
}

int mdg_channel_send(mdg_channel *channel, const void *data, size_t size, uint64_t deadline)
{
	if (__builtin_expect(channel->door != NULL, 0))
		return channel->door->send(channel, data, size, deadline);
	int rc = mdg__may_talk(channel, size);
	if (rc < 0 || (size <= MDG__SMALL && send_straight(channel, data, size)))
		return rc;
	return mdg__send_record(channel, NULL, data, size, deadline);
}

/* ---- many ---------------------------------------------------------------------------------- */

/* Their sizes, or why not. A stream of small ones is the common case. */
static int take_sizes(struct mdg_channel *channel, const struct mdg_message *messages,
                      unsigned count)
{
	if (count == 0 || count > MDG_MANY_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++) {
		if (messages[i].size > channel->capacity)
			return i == 0 ? -EMSGSIZE : (int)i;
		channel->size[i] = (uint32_t)messages[i].size;
	}
	return (int)count;
}

int mdg_channel_send_many(mdg_channel *channel, const struct mdg_message *messages, unsigned count,
                          uint64_t deadline)
{
	int rc = mdg__may_talk(channel, 0);
	if (rc == 0)
		rc = take_sizes(channel, messages, count);
	return rc < 0 ? rc : mdg__send_records(channel, messages, (unsigned)rc, deadline);
}

int mdg_channel_reserve_many(mdg_channel *channel, struct mdg_message *messages, unsigned count,
                             uint64_t deadline)
{
	int rc = mdg__may_talk(channel, 0);
	if (rc == 0)
		rc = take_sizes(channel, messages, count);
	if (rc > 0)
		rc = mdg__reserve_records(channel, (unsigned)rc, deadline);
	for (int i = 0; i < rc; i++)
		messages[i].data = mdg__message_of(mdg__record(channel, channel->at[i]));
	return rc;
}

int mdg_channel_commit_many(mdg_channel *channel, const struct mdg_message *messages,
                            unsigned count)
{
	int rc = mdg__usable(channel, MDG_TALKER);
	if (rc < 0)
		return rc;
	if (channel->door != NULL)
		return -EPERM;
	if (channel->reserved.count == 0 || count > channel->reserved.count)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++)
		if (messages[i].size > channel->size[i])
			return -EINVAL;
	return count == 0 ? mdg__cancel_all(channel)
	                  : mdg__commit_records(channel, messages, count);
}
