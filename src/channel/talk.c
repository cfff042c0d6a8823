/* SPDX-License-Identifier: MIT */
/*
 * talk.c - sending. The common case, a small message for which there is room, is done here, inlined
 * for all kinds without a door. reserve.c does the rest.
 */
#include "channel/kind.h"
#include "channel/messages.h"
#include "channel/ring.h"

/* ---- one message --------------------------------------------------------------------------- */

int mdg_channel_send(mdg_channel *channel, const void *data, size_t size, uint64_t deadline)
{
	if (__builtin_expect(channel->door != NULL, 0))
		return channel->door->send(channel, data, size, deadline);
	int rc = mdg__may_talk(channel, size);
	if (rc < 0 || (size <= MDG__SMALL && mdg__send_straight(channel, NULL, data, size)))
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

/* How many bytes of the ring small messages take, if all of them are small. 0: they are not, or
 * too many to be copied with the lock held. */
static inline uint64_t span_of_small(const struct mdg_channel *channel,
                                     const struct mdg_message *messages, unsigned count)
{
	uint64_t span = 0, bytes = 0;
	bool large = false;
	for (unsigned i = 0; i < count; i++) {
		size_t size = messages[i].size;
		bytes += size;
		span += mdg__span(size);
		large |= size > MDG__SMALL;
	}
	return large || (!mdg__is_alone(channel) && bytes > MDG__MANY_LOCKED) ? 0 : span;
}

/* Writes small messages at the tail, one after the other, and shows them with the first one's
 * state. The state behind them is before the ring's end. [talk] */
static inline void show_many(struct mdg_channel *channel, const struct mdg_message *messages,
                             unsigned count, uint64_t span)
{
	uint64_t at = channel->tail, sequence = channel->sequence;
	struct mdg__record *first = mdg__record(channel, at), *record = first;
	mdg__clear_behind(channel, at + span);
	for (unsigned i = 0; i < count; i++) {
		size_t size = messages[i].size;
		uint64_t its = mdg__span(size);
		mdg__fetch_ahead(channel, record, at);
		mdg__copy_small(mdg__message_of(record), messages[i].data, size);
		atomic_store_explicit(&record->size, (uint32_t)size, memory_order_relaxed);
		mdg__note64(&record->sequence, sequence + i);
		if (i != 0) /* nobody looks there before the first one is shown */
			atomic_store_explicit(&record->state, MDG__READY | channel->place << 8,
			                      memory_order_relaxed);
		if (channel->way == MDG__TO_EACH)
			mdg__mark(channel, at);
		at += its;
		record += its / MDG__RECORD_HEAD;
	}
	mdg__tell_pollers(channel, count);
	mdg__record_show(first, MDG__READY, channel->place);
	mdg__tail_store(channel, at, sequence + count);
}

/* The common case of mdg__send_records: small messages, room for all of them, and no end of the
 * ring near. False: this is another case, and nothing was done. */
static bool send_many_straight(struct mdg_channel *channel, const struct mdg_message *messages,
                               unsigned count)
{
	uint64_t span = count <= MDG_MANY_MAX ? span_of_small(channel, messages, count) : 0;
	if (span == 0 || MDG__SMALL > channel->capacity)
		return false;
	if (!mdg__talk_straight(channel))
		return false;
	uint64_t whole = span + MDG__STEP;
	bool fits = mdg__offset(channel, channel->tail) + whole <= channel->ring_size &&
	            mdg__has_room(channel, channel->tail + whole);
	if (fits)
		show_many(channel, messages, count, span);
	mdg__talk_end(channel);
	if (fits)
		mdg__sent(channel, count);
	return fits;
}

int mdg_channel_send_many(mdg_channel *channel, const struct mdg_message *messages, unsigned count,
                          uint64_t deadline)
{
	int rc = mdg__may_talk(channel, 0);
	if (rc == 0 && send_many_straight(channel, messages, count))
		return (int)count;
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
