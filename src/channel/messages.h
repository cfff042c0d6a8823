/* SPDX-License-Identifier: MIT */
/*
 * messages.h - sending and receiving through the ring, for the public functions and for kinds that
 * have a door of their own (kind.h). The caller has asked mdg__usable.
 */
#ifndef MADANG_CHANNEL_MESSAGES_H
#define MADANG_CHANNEL_MESSAGES_H

#include "channel/handle.h"
#include "channel/peers.h"
#include "channel/ring.h"
#include "channel/wake.h"
#include "platform/processors.h"

/* ---- sending ---------------------------------------------------------------------------- */

/* Whether this talker has the tail to itself. Otherwise talk_lock guards it. */
static inline bool mdg__is_alone(const struct mdg_channel *channel)
{
	return channel->way == MDG__ALONE;
}

/* Takes talk_lock if nobody has it, or enters it if this handle keeps it. Reads the tail. */
static inline bool mdg__talk_straight(struct mdg_channel *channel)
{
	if (mdg__is_alone(channel))
		return true;
	if (!mdg__lock_straight(channel, &channel->head->talk_lock))
		return false;
	if (channel->keeping.word == 0) { /* else it knows the tail */
		uint64_t known = channel->tail;
		mdg__tail_load(channel);
		mdg__alone(channel, channel->tail == known);
	}
	return true;
}

/* The same, and waits for it. */
static inline int mdg__talk_begin(struct mdg_channel *channel, uint64_t deadline)
{
	if (mdg__talk_straight(channel))
		return 0;
	int rc = mdg__talk_lock(channel, deadline);
	if (rc == 0)
		mdg__tail_load(channel);
	return rc;
}

static inline void mdg__talk_end(struct mdg_channel *channel)
{
	if (!mdg__is_alone(channel))
		mdg__unlock_straight(channel, &channel->head->talk_lock);
}

/* After messages were shown, without a lock: wakes the listeners with these bits. */
static inline void mdg__sent_to(struct mdg_channel *channel, unsigned count, uint32_t whom)
{
	channel->count += count;
	mdg__note64(&channel->seat->count, channel->count);
	mdg__tell_some(channel, count, whom);
}
static inline void mdg__sent(struct mdg_channel *channel, unsigned count)
{
	mdg__sent_to(channel, count, MDG__ALERT_ASLEEP);
}

/* Begins to fetch the lines that will be written a while after this record: the listener's
 * processor has them. No line is taken that the listener may still have to read. */
static inline void mdg__fetch_ahead(const struct mdg_channel *channel,
                                    const struct mdg__record *record, uint64_t position)
{
	enum { AHEAD = 2048, END = AHEAD + 2 * MDG__LINE }; /* bytes */
	const char *line = (const char *)((uintptr_t)record + AHEAD);
	if (!channel->fetches || position + END > channel->limit)
		return;
	mdg__cpu_fetch(line);
	mdg__cpu_fetch(line + MDG__LINE);
}

/* Shows a small message that was written at `at`, the tail, which lies `offset` bytes behind the
 * ring's beginning. The state behind it is before the ring's end. [talk] */
static inline void mdg__show_small(struct mdg_channel *channel, uint64_t at, uint64_t offset,
                                   size_t size)
{
	uint64_t span = mdg__span(size);
	struct mdg__record *record = (struct mdg__record *)(void *)(channel->ring + offset);
	struct mdg__record *behind = (struct mdg__record *)(void *)(channel->ring + offset + span);
	atomic_store_explicit(&behind->state, MDG__EMPTY, memory_order_relaxed);
	atomic_store_explicit(&record->size, (uint32_t)size, memory_order_relaxed);
	mdg__note64(&record->sequence, channel->sequence);
	if (channel->way == MDG__TO_EACH)
		mdg__mark(channel, at);
	mdg__tell_pollers(channel, 1);
	mdg__record_show(record, MDG__READY, channel->place);
	mdg__fetch_ahead(channel, record, at);
	mdg__tail_store(channel, at + span, channel->sequence + 1);
}

/* The common case of mdg__send_record: a small message, room that is known, and no end of the ring
 * near. False: this is another case, and nothing was done. [talk] */
static inline bool mdg__show_straight(struct mdg_channel *channel,
                                      const struct mdg__request *request, const void *data,
                                      size_t size)
{
	size_t whole = size + (request != NULL ? sizeof *request : 0);
	uint64_t at = channel->tail, span = mdg__span(whole), offset = at - channel->base;
	if (offset >= channel->ring_size || at + span + MDG__STEP > channel->limit ||
	    offset + span + MDG__STEP > channel->ring_size)
		return false;
	unsigned char *message =
		mdg__message_of((struct mdg__record *)(void *)(channel->ring + offset));
	if (request != NULL) {
		memcpy(message, request, sizeof *request);
		message += sizeof *request;
	}
	mdg__copy_small(message, data, size);
	mdg__show_small(channel, at, offset, whole);
	return true;
}

/* The same with the lock, if nobody has it, and waking. With what is in front, the message has at
 * most MDG__SMALL bytes. */
static inline bool mdg__send_straight(struct mdg_channel *channel,
                                      const struct mdg__request *request, const void *data,
                                      size_t size)
{
	if (!mdg__talk_straight(channel))
		return false;
	bool shown = mdg__show_straight(channel, request, data, size);
	mdg__talk_end(channel);
	if (shown)
		mdg__sent(channel, 1);
	return shown;
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

/* How many bytes are copied with talk_lock held, for one message and for many. */
enum { MDG__COPIED_LOCKED = 1024, MDG__MANY_LOCKED = 4 * MDG__COPIED_LOCKED };

/* ---- reserve.c ------------------------------------------------------------------------- */

/* Whether this talker may write up to `need`. If not, its kind may give up old messages. [talk] */
bool mdg__has_room(struct mdg_channel *channel, uint64_t need);

/* ---- claim.c -------------------------------------------------------------------------------- */

/* This handle relays and waits for room in a topic: for a while others leave room to it. */
void mdg__claim_room(struct mdg_channel *channel);
/* It has had room, and gives way to others. `more`: only after a while. */
void mdg__claim_end(struct mdg_channel *channel, bool more);
/* Whether room is left to another talker. */
bool mdg__is_claimed(const struct mdg_channel *channel);
/* Finds room for `count` records of channel->size[]. Returns how many have room, at least one; then
 * talk_lock is held, unless the channel is a stream. */
int mdg__place(struct mdg_channel *channel, unsigned count, uint64_t deadline);
/* Makes what is between two positions a record that is skipped. [talk] */
void mdg__skip_between(struct mdg_channel *channel, uint64_t from, uint64_t to);
/* The first `count` records that were placed will be shown. [talk] */
void mdg__mark_parts(struct mdg_channel *channel, unsigned count);
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

/* ---- receiving -------------------------------------------------------------------------- */

/* Copies the small message in a record out. */
static inline void mdg__copy_out(struct mdg__record *record, uint32_t size, void *data,
                                 struct mdg_message *ret_message)
{
	if (ret_message != NULL) {
		mdg__describe(record, size, ret_message);
		ret_message->data = data;
	}
	mdg__copy_small(data, mdg__message_of(record), size);
}

/* Before what is held is released: so many messages were received. */
static inline void mdg__received(struct mdg_channel *channel, unsigned count)
{
	channel->count += count;
	mdg__note64(&channel->seat->count, channel->count);
	mdg__note64(&channel->seat->sequence, channel->held.sequence);
}

/* ---- listen.c ---------------------------------------------------------------------------- */

/* As mdg_channel_peek_many of a listener that holds nothing, and mdg_channel_release. */
int mdg__peek_any(struct mdg_channel *channel, struct mdg_message *messages, unsigned count,
                  uint64_t deadline);
void mdg__release_any(struct mdg_channel *channel);
/* The caller gets nothing of what was peeked. It comes again. */
void mdg__give_nothing(struct mdg_channel *channel);

#endif
