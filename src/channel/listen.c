/* SPDX-License-Identifier: MIT */
/*
 * listen.c - receiving, and the listener of a stream.
 *
 * A listener goes from record to record. What it peeks it holds, by telling in shared memory what
 * it still needs: a stream's `taken`, or its seat. Release moves that on, which is all that
 * frees room. Receiving by copy is the same three steps.
 *
 * A stream's `handed` is stored before messages are given out, `taken` after they are released:
 * the next listener begins at `taken`, and what lies before `handed` has been given out before.
 *
 * Lengths come from shared memory: read once, and checked against the ring before use.
 */
#include "channel/internal.h"

#include <string.h>

/* ---- records ------------------------------------------------------------------- */

int mdg__find_ready(struct mdg_channel *channel, uint64_t *position, uint64_t end,
                    struct mdg__record **ret_record, uint32_t *ret_size)
{
	uint64_t at = *position, most = at + channel->ring_size;
	for (;;) {
		*position = at;
		if (at >= end)
			return 0;
		struct mdg__record *record = mdg__record(channel, at);
		uint32_t state = mdg__record_state(record);
		if (mdg__is_waiting(state))
			return 0;
		uint32_t size = mdg__relaxed32(&record->size);
		uint64_t span = mdg__span(size);
		if (__builtin_expect(mdg__offset(channel, at) + span > channel->ring_size, 0))
			return MDG_BROKEN;
		if (__builtin_expect((state & 0xff) == MDG__READY, 1)) {
			if (size > channel->largest)
				return MDG_BROKEN;
			*ret_record = record;
			*ret_size = size;
			return 1;
		}
		at += span;
		if (at > most || (state & 0xff) != MDG__SKIP)
			return MDG_BROKEN;
	}
}

void mdg__describe(struct mdg__record *record, uint32_t size, struct mdg_message *ret)
{
	ret->data = mdg__message_of(record);
	ret->size = size;
	ret->sequence = mdg__relaxed64(&record->sequence);
	ret->missed = 0;
	ret->flags = 0;
	ret->talker = mdg__relaxed32(&record->state) >> 8;
}

int mdg__gather(struct mdg_channel *channel, struct mdg_message *messages, unsigned count,
                uint64_t from, uint64_t end, uint64_t handed)
{
	struct mdg__taken *held = &channel->held;
	uint64_t at = from;
	unsigned found = 0;
	int rc = 0;
	held->from = from;
	while (found < count) {
		struct mdg__record *record;
		uint32_t size;
		rc = mdg__find_ready(channel, &at, end, &record, &size);
		if (rc <= 0)
			break;
		struct mdg_message *message = &messages[found++];
		mdg__describe(record, size, message);
		if (__builtin_expect(at < handed, 0))
			message->flags = MDG_REDELIVERED;
		held->sequence = message->sequence + 1;
		at += mdg__span(size);
	}
	held->upto = at;
	return found != 0 ? (int)found : rc;
}

/* ---- streams --------------------------------------------------------------------- */

/* Before what lies before `upto` is used, for the first time or again. */
static inline void stream_hand_out(struct mdg_channel *channel, uint64_t upto)
{
	atomic_store_explicit(&channel->head->handed,
	                      channel->handed > upto ? channel->handed : upto,
	                      memory_order_release);
}

static int stream_take(struct mdg_channel *channel, struct mdg_message *messages, unsigned count)
{
	int rc = mdg__gather(channel, messages, count, channel->next, UINT64_MAX, channel->handed);
	uint64_t upto = channel->held.upto;
	if (rc > 0) {
		stream_hand_out(channel, upto);
	} else if (upto != channel->next) { /* nothing but skipped records */
		channel->next = upto;
		atomic_store_explicit(&channel->head->taken, upto, memory_order_release);
		mdg__made_room(channel, upto);
	}
	return rc;
}

static void stream_release(struct mdg_channel *channel)
{
	struct mdg__taken *held = &channel->held;
	channel->next = held->upto;
	/* Release: pairs with the acquire in mdg__oldest_needed. */
	atomic_store_explicit(&channel->head->taken, held->upto, memory_order_release);
	mdg__note64(&channel->head->taken_sequence, held->sequence);
}

/* ---- any kind ----------------------------------------------------------------------- */

static inline int take(struct mdg_channel *channel, struct mdg_message *messages, unsigned count)
{
	int rc;
	if (channel->kind == MDG_STREAM)
		rc = stream_take(channel, messages, count);
	else if (channel->kind == MDG_TOPIC)
		rc = mdg__topic_take(channel, messages, count);
	else
		rc = mdg__queue_take(channel, messages, count);
	if (rc > 0)
		channel->held.count = (uint32_t)rc;
	return rc;
}

bool mdg__has_something(struct mdg_channel *channel)
{
	if (channel->role == MDG_TALKER)
		return mdg__call_has(channel);
	if (channel->kind == MDG_TOPIC)
		return mdg__topic_has(channel);
	if (channel->kind != MDG_STREAM)
		return mdg__queue_has(channel);
	uint64_t at = channel->held.count != 0 ? channel->held.upto : channel->next;
	return !mdg__is_waiting(mdg__record_state(mdg__record(channel, at)));
}

void mdg__release_any(struct mdg_channel *channel)
{
	struct mdg__taken *held = &channel->held;
	struct mdg__seat *seat = channel->seat;
	channel->count += held->count;
	mdg__note64(&seat->count, channel->count);
	mdg__note64(&seat->sequence, held->sequence);
	if (channel->kind == MDG_STREAM)
		stream_release(channel);
	else if (channel->kind == MDG_TOPIC)
		mdg__topic_release(channel);
	else
		mdg__queue_release(channel);
	held->from = held->upto;
	held->count = 0;
	mdg__made_room(channel, held->upto);
}

/* The caller gets only `count` of those that were taken; the next of them begins at `next`. */
static void give_less(struct mdg_channel *channel, unsigned count, uint64_t next, uint64_t sequence)
{
	struct mdg__taken *held = &channel->held;
	held->count = count;
	held->upto = next;
	held->sequence = sequence;
	if (channel->kind == MDG_STREAM)
		stream_hand_out(channel, next);
	else if (channel->kind == MDG_TOPIC && count == 0)
		mdg__topic_let_go(channel);
}

void mdg__give_nothing(struct mdg_channel *channel)
{
	give_less(channel, 0, channel->held.from, channel->held.sequence);
}

/* What a spinning listener looks at; of queues others move it. */
static void watch(struct mdg_channel *channel, struct mdg__waiting *waiting)
{
	uint64_t at = mdg__is_queue(channel) ? mdg__position(&channel->head->taken) : channel->next;
	waiting->watch = &mdg__record(channel, at)->state;
	waiting->watched = mdg__relaxed32(waiting->watch);
	if (!mdg__is_waiting(waiting->watched))
		waiting->watch = NULL;
}

static __attribute__((noinline)) int take_waiting(struct mdg_channel *channel,
                                                  struct mdg_message *messages, unsigned count,
                                                  uint64_t deadline)
{
	struct mdg__waiting waiting = mdg__wait_init(MDG__FOR_MESSAGE, deadline);
	int rc = 0;
	while (rc == 0) {
		watch(channel, &waiting);
		rc = mdg__wait_more(channel, &waiting);
		if (rc == 0)
			rc = take(channel, messages, count);
	}
	mdg__wait_end(channel, &waiting, rc > 0);
	return rc;
}

int mdg__peek_any(struct mdg_channel *channel, struct mdg_message *messages, unsigned count,
                  uint64_t deadline)
{
	int rc = take(channel, messages, count);
	return rc != 0 ? rc : take_waiting(channel, messages, count, deadline);
}

static inline int peek(struct mdg_channel *channel, struct mdg_message *messages, unsigned count,
                       uint64_t deadline)
{
	int rc = mdg__usable(channel, MDG_LISTENER);
	if (rc < 0)
		return rc;
	if (channel->held.count != 0)
		return -EBUSY;
	rc = mdg__peek_any(channel, messages, count, deadline);
	mdg__settle(channel);
	return rc;
}

int mdg_channel_peek(mdg_channel *channel, struct mdg_message *ret_message, uint64_t deadline)
{
	if (channel->kind == MDG_CALL)
		return mdg__call_peek(channel, ret_message, deadline);
	int rc = peek(channel, ret_message, 1, deadline);
	return rc > 0 ? 0 : rc;
}

int mdg_channel_peek_many(mdg_channel *channel, struct mdg_message *ret_messages, unsigned count,
                          uint64_t deadline)
{
	if (channel->kind == MDG_CALL)
		return -EPERM;
	if (count == 0 || count > MDG_MANY_MAX)
		return -EINVAL;
	return peek(channel, ret_messages, count, deadline);
}

int mdg_channel_release(mdg_channel *channel)
{
	if (channel->kind == MDG_CALL)
		return mdg__call_release(channel);
	int rc = mdg__usable(channel, MDG_LISTENER);
	if (rc < 0)
		return rc;
	if (channel->held.count == 0)
		return -EINVAL;
	mdg__release_any(channel);
	return 0;
}

/* ---- copies ---------------------------------------------------------------------------- */

/* Whether the next message can be neither a second time, nor overwritten while it is copied. */
static inline bool is_straight(const struct mdg_channel *channel)
{
	if (channel->kind == MDG_STREAM)
		return channel->next >= channel->handed;
	return channel->kind == MDG_TOPIC && channel->full == MDG_FULL_WAIT && !channel->jumped;
}

/* The common case of what mdg_channel_recv does: a small message, and nothing else to see to. -EAGAIN:
 * none of it was done. */
static inline int recv_straight(struct mdg_channel *channel, void *data, size_t room,
                                struct mdg_message *ret_message)
{
	uint64_t at = channel->next, offset = at - channel->base;
	if (offset >= channel->ring_size || !is_straight(channel))
		return -EAGAIN;
	struct mdg__record *record = (struct mdg__record *)(void *)(channel->ring + offset);
	if ((mdg__record_state(record) & 0xff) != MDG__READY)
		return -EAGAIN;
	uint32_t size = mdg__relaxed32(&record->size);
	if (size > room || size > MDG__SMALL || size > channel->largest ||
	    offset + mdg__span(size) > channel->ring_size)
		return -EAGAIN;
	struct mdg__taken *held = &channel->held;
	held->upto = at + mdg__span(size);
	held->sequence = mdg__relaxed64(&record->sequence) + 1;
	if (channel->kind == MDG_STREAM)
		stream_hand_out(channel, held->upto);
	if (ret_message != NULL) {
		mdg__describe(record, size, ret_message);
		ret_message->data = data;
	}
	mdg__copy_small(data, mdg__message_of(record), size);
	channel->count++;
	mdg__note64(&channel->seat->count, channel->count);
	mdg__note64(&channel->seat->sequence, held->sequence);
	if (channel->kind == MDG_STREAM)
		stream_release(channel);
	else
		mdg__topic_release(channel);
	mdg__made_room(channel, held->upto);
	return (int)size;
}

int mdg_channel_recv(mdg_channel *channel, void *data, size_t room, struct mdg_message *ret_message,
                     uint64_t deadline)
{
	struct mdg_message message;
	if (channel->kind == MDG_CALL)
		return mdg__call_recv(channel, data, room, ret_message, deadline);
	if (mdg__usable(channel, MDG_LISTENER) == 0 && channel->held.count == 0 &&
	    channel->pipe < 0) {
		int size = recv_straight(channel, data, room, ret_message);
		if (size >= 0)
			return size;
	}
	int rc = peek(channel, &message, 1, deadline);
	if (rc < 0)
		return rc;
	if (ret_message != NULL) {
		*ret_message = message;
		ret_message->data = data;
	}
	if (__builtin_expect(message.size > room, 0)) {
		mdg__give_nothing(channel);
		mdg__settle(channel);
		return -EMSGSIZE;
	}
	if (message.size != 0)
		memcpy(data, message.data, message.size);
	mdg__release_any(channel);
	return (int)message.size;
}

/* Where the record of a message that is held begins. */
static uint64_t position_of(struct mdg_channel *channel, const struct mdg_message *message)
{
	uint64_t from = channel->held.from, first = mdg__offset(channel, from);
	uint64_t offset =
		(uint64_t)((unsigned char *)message->data - channel->ring) - MDG__RECORD_HEAD;
	return from + (offset >= first ? offset - first : offset + channel->ring_size - first);
}

/* Copies as many as have room: how many. */
static unsigned copy_out(const struct mdg_message *held, struct mdg_message *messages,
                         unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		void *data = messages[i].data;
		size_t room = messages[i].size;
		messages[i] = held[i];
		messages[i].data = data;
		if (held[i].size > room)
			return i;
		if (held[i].size != 0)
			memcpy(data, held[i].data, held[i].size);
	}
	return count;
}

int mdg_channel_recv_many(mdg_channel *channel, struct mdg_message *messages, unsigned count,
                          uint64_t deadline)
{
	enum { AT_ONCE = 64 };
	struct mdg_message held[AT_ONCE];
	unsigned done = 0;
	if (channel->kind == MDG_CALL)
		return -EPERM;
	if (count == 0 || count > MDG_MANY_MAX)
		return -EINVAL;
	while (done < count) {
		unsigned most = count - done < AT_ONCE ? count - done : AT_ONCE;
		int rc = peek(channel, held, most, done == 0 ? deadline : 0);
		if (rc < 0)
			return done != 0 ? (int)done : rc;
		unsigned fit = copy_out(held, messages + done, (unsigned)rc);
		if (fit < (unsigned)rc)
			give_less(channel, fit, position_of(channel, &held[fit]),
			          held[fit].sequence);
		if (fit != 0)
			mdg__release_any(channel);
		if (fit < (unsigned)rc)
			mdg__settle(channel);
		done += fit;
		if (fit < (unsigned)rc)
			return done != 0 ? (int)done : -EMSGSIZE;
		if (rc < (int)most)
			break;
	}
	return (int)done;
}
